package egress

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MaxRetryAfter is the longest wait that a receiver can ask for.
const MaxRetryAfter = 24 * time.Hour

// RetryAfter returns how long an answer's Retry-After asks to wait, and whether it asks at all (RFC 9110, 10.2.3: seconds or a
// date). The wait is within [0, MaxRetryAfter]; it is to be taken as a minimum. What is neither seconds nor a date is ignored;
// of several fields the longest wait counts.
func RetryAfter(h Header, now time.Time) (wait time.Duration, asked bool) {
	for _, f := range h {
		if !strings.EqualFold(f.Name, "Retry-After") {
			continue
		}
		if d, ok := retryAfter(f.Value, now); ok {
			wait, asked = max(wait, d), true
		}
	}
	return wait, asked
}

func retryAfter(value string, now time.Time) (time.Duration, bool) {
	if value == "" {
		return 0, false
	}
	if strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseUint(value, 10, 32)
		if err != nil || seconds > uint64(MaxRetryAfter/time.Second) {
			return MaxRetryAfter, true
		}
		return time.Duration(seconds) * time.Second, true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return min(max(at.Sub(now), 0), MaxRetryAfter), true // Sub saturates, so year 9999 is no trap
}
