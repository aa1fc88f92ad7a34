package webhook

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// How the headers of a delivery are read. Each has one spelling only: what is refused here cannot be understood in two ways.

// timestamp reads the header and holds it against the clock, in whole seconds as it is on the wire; exactly the tolerance is
// still accepted.
func (v *Verifier) timestamp(h http.Header, name string, now time.Time) (int64, error) {
	value, err := single(h, name)
	if err != nil {
		return 0, err
	}
	seconds, ok := parseSeconds(value)
	if !ok {
		return 0, &Error{Malformed, name, "not a plain number of Unix seconds"}
	}
	age := now.Unix() - seconds
	if age > v.tolerance {
		return 0, &Error{TooOld, name, outside(age, v.tolerance)}
	}
	if -age > v.tolerance {
		return 0, &Error{InFuture, name, outside(-age, v.tolerance)}
	}
	return seconds, nil
}

func outside(age, tolerance int64) string {
	return "by " + strconv.FormatInt(age, 10) + " s, at most " + strconv.FormatInt(tolerance, 10) + " s are allowed"
}

// parseSeconds takes one spelling of each number: digits without sign, point, exponent or leading zero, and few enough that
// nothing overflows.
func parseSeconds(s string) (int64, bool) {
	if s == "" || len(s) > 18 || (s[0] == '0' && len(s) > 1) {
		return 0, false
	}
	var n int64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}

// header returns the value of a header that must be there exactly once: of two, a proxy and a handler may read different ones.
func header(h http.Header, name string) (string, error) {
	switch values := h[name]; {
	case len(values) == 0:
		return "", &Error{MissingHeader, name, ""}
	case len(values) > 1:
		return "", &Error{Malformed, name, "sent more than once"}
	case values[0] == "":
		return "", &Error{Malformed, name, "empty"}
	default:
		return values[0], nil
	}
}

// single is header for a value that has no white space in it.
func single(h http.Header, name string) (string, error) {
	value, err := header(h, name)
	if err == nil && !isVisible(value) {
		return "", &Error{Malformed, name, "white space or a character other than ASCII"}
	}
	return value, err
}

// A signature is one entry of a signature header.
type signature struct{ version, value string }

// appendSignatures reads a list of entries with one separator between them, each a version, a mark and a value. Entries of unknown
// versions are kept, as a newer sender may send them beside ours; whether a value can match is seen when it is compared.
func appendSignatures(list []signature, name, value string, separator, mark byte) ([]signature, error) {
	for more := true; more; {
		if len(list) == MaxSignatures {
			return nil, &Error{Malformed, name, "more than " + strconv.Itoa(MaxSignatures) + " signatures"}
		}
		entry := value
		if i := strings.IndexByte(value, separator); i >= 0 {
			entry, value = value[:i], value[i+1:]
		} else {
			more = false
		}
		i := strings.IndexByte(entry, mark)
		if i <= 0 || i == len(entry)-1 || !isVisible(entry) {
			return nil, &Error{Malformed, name, "not a list of signatures"}
		}
		list = append(list, signature{entry[:i], entry[i+1:]})
	}
	return list, nil
}
