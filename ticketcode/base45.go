package ticketcode

import "strings"

// alphabet is base45's (RFC 9285 §4.2), which is that of a QR code's alphanumeric mode.
const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

// EncodeBase45 returns b in base45 (RFC 9285): three characters for two bytes, two for a last single one.
func EncodeBase45(b []byte) string {
	var s strings.Builder
	s.Grow(len(b)/2*3 + len(b)%2*2)
	for ; len(b) >= 2; b = b[2:] {
		n := int(b[0])<<8 | int(b[1])
		s.WriteByte(alphabet[n%45])
		s.WriteByte(alphabet[n/45%45])
		s.WriteByte(alphabet[n/(45*45)])
	}
	if len(b) == 1 {
		s.WriteByte(alphabet[b[0]%45])
		s.WriteByte(alphabet[b[0]/45])
	}
	return s.String()
}

// DecodeBase45 returns the bytes that s stands for. It is strict: each run of bytes has one spelling, lower case is none of the
// alphabet, a single character is left over nowhere, and groups that stand for more than two bytes, such as "GGW" and ":::", or a
// last one that stands for more than one byte, are refused (RFC 9285 §6). It fails with [Malformed].
func DecodeBase45(s string) ([]byte, error) {
	if len(s)%3 == 1 {
		return nil, &Error{Malformed, "no base45 has that length"}
	}
	b := make([]byte, len(s)/3*2+len(s)%3/2)
	if !decodeBase45(b, s) {
		return nil, &Error{Malformed, "not base45"}
	}
	return b, nil
}

// decodeBase45 fills dst, which must have just the length for s.
func decodeBase45(dst []byte, s string) bool {
	for ; len(s) >= 3; dst, s = dst[2:], s[3:] {
		c, d, e := strings.IndexByte(alphabet, s[0]), strings.IndexByte(alphabet, s[1]), strings.IndexByte(alphabet, s[2])
		n := c + d*45 + e*45*45
		if c < 0 || d < 0 || e < 0 || n > 0xffff {
			return false
		}
		dst[0], dst[1] = byte(n>>8), byte(n)
	}
	if len(s) == 0 {
		return true
	}
	c, d := strings.IndexByte(alphabet, s[0]), strings.IndexByte(alphabet, s[1])
	if c < 0 || d < 0 || c+d*45 > 0xff {
		return false
	}
	dst[0] = byte(c + d*45)
	return true
}
