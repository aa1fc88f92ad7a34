package provider

import (
	"bytes"
	"math"
	"time"
)

func (h HMAC) ttl() time.Duration {
	if h.TTL <= 0 {
		return DefaultTTL
	}
	return h.TTL
}

// fresh refuses a time that is further than the TTL from now, either way; exactly the TTL is still let in. A time in seconds is held against the clock in seconds.
func fresh(stamp, header string, ttl time.Duration, now time.Time) error {
	at, unit, ok := parseStamp(stamp)
	if !ok {
		return refuse("the timestamp in %s is neither Unix seconds nor milliseconds nor RFC 3339", header)
	}
	age := max(now.Truncate(unit).Sub(at), -math.MaxInt64) // the least Duration has no positive
	switch {
	case age > ttl:
		return refuse("the timestamp in %s is %d s old, more than %d s", header, inSeconds(age), inSeconds(ttl))
	case -age > ttl:
		return refuse("the timestamp in %s is %d s ahead, more than %d s", header, inSeconds(-age), inSeconds(ttl))
	}
	return nil
}

func inSeconds(d time.Duration) int64 { return int64(d.Round(time.Second) / time.Second) }

// firstMilli is where numbers are read as milliseconds: as seconds it is the year 5138, as milliseconds March 1973.
const firstMilli = 100_000_000_000

// parseStamp reads Unix seconds, Unix milliseconds or RFC 3339, and says how fine it is. Numbers have one spelling: no sign, point, exponent or leading zero.
func parseStamp(s string) (at time.Time, unit time.Duration, ok bool) {
	if n, ok := parseNumber(s); ok {
		if n >= firstMilli {
			return time.UnixMilli(n), time.Millisecond, true
		}
		return time.Unix(n, 0), time.Second, true
	}
	if len(s) > maxStamp {
		return time.Time{}, 0, false
	}
	at, err := time.Parse(time.RFC3339, s)
	return at, time.Nanosecond, err == nil
}

const (
	maxDigits = 14 // milliseconds until the year 5138
	maxStamp  = 40 // RFC 3339 with nanoseconds and a zone has 35
)

func parseNumber(s string) (int64, bool) {
	if s == "" || len(s) > maxDigits || s[0] == '0' && len(s) > 1 {
		return 0, false
	}
	var n int64
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// firstYear is when the first of all webhooks may have been signed: a body that begins with a smaller number is one, such as 3.14.
const firstYear = 2000

// beginsWithTime is whether a body could be read as a time, a dot and another body, or as Slack's "v0:", a time, and another body.
func beginsWithTime(body []byte) bool {
	if rest, ok := bytes.CutPrefix(body, []byte("v0:")); ok {
		body = rest
	}
	head := string(body[:min(len(body), maxStamp+1)])
	for i := range len(head) {
		if head[i] != '.' && head[i] != ':' {
			continue
		}
		if at, _, ok := parseStamp(head[:i]); ok && at.UTC().Year() >= firstYear {
			return true
		}
	}
	return false
}
