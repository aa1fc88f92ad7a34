package id

import (
	"encoding/binary"
	"fmt"

	"github.com/google/uuid"
)

// NewPullEndpoint makes a pull endpoint's id.
func NewPullEndpoint() PullEndpoint { return PullEndpoint(uuid.Must(uuid.NewV7()).String()) }

// ParsePullEndpoint reads a pull endpoint's id, in upper or lower case. It reports false for text that is no UUID of version 7.
func ParsePullEndpoint(s string) (PullEndpoint, bool) {
	u, err := uuid.Parse(s)
	if err != nil || len(s) != 36 || u.Version() != 7 || u.Variant() != uuid.RFC4122 {
		return "", false
	}
	return PullEndpoint(u.String()), true
}

// A Received is the identity of an event that a pull endpoint has taken. It is made of the instant and the event's number, so that it sorts by time and leads to
// its row without an index. On the wire it is a UUID of version 7 (RFC 9562 §5.7) whose lower bits are the number. It is no secret: whoever asks for an event
// has to be let in by its endpoint's owner.
type Received struct {
	Millis int64 // when it was taken, milliseconds since 1970; at most 2^48-1
	Seq    int64 // at most 2^62-1
}

// UUID returns the id as it appears on the wire.
func (r Received) UUID() uuid.UUID {
	var u uuid.UUID
	binary.BigEndian.PutUint64(u[0:], uint64(r.Millis)<<16|7<<12)
	binary.BigEndian.PutUint64(u[8:], uint64(0b10)<<62|uint64(r.Seq))
	return u
}

// String returns the UUID in its usual form.
func (r Received) String() string { return r.UUID().String() }

// MarshalText writes the UUID in its usual form.
func (r Received) MarshalText() ([]byte, error) { return r.UUID().MarshalText() }

// UnmarshalText reads what MarshalText wrote.
func (r *Received) UnmarshalText(text []byte) error {
	v, ok := ParseReceived(string(text))
	if !ok {
		return fmt.Errorf("%.40q is not the id of an event", text)
	}
	*r = v
	return nil
}

// ParseReceived reads the id of an event. It reports false for text that is no UUID of version 7; one that no event ever had leads to no row.
func ParseReceived(s string) (Received, bool) {
	u, err := uuid.Parse(s)
	if err != nil || len(s) != 36 || u.Version() != 7 || u.Variant() != uuid.RFC4122 {
		return Received{}, false
	}
	high, low := binary.BigEndian.Uint64(u[0:]), binary.BigEndian.Uint64(u[8:])
	r := Received{Millis: int64(high >> 16), Seq: int64(low & (1<<62 - 1))}
	if high&0x0fff != 0 {
		return Received{Millis: r.Millis, Seq: -1}, true // a UUID of somebody else's
	}
	return r, true
}

// A Rejection is the identity of a request that a pull endpoint has refused, made as [Received] is.
type Rejection Received

// String returns the UUID in its usual form.
func (r Rejection) String() string { return Received(r).String() }

// MarshalText writes the UUID in its usual form.
func (r Rejection) MarshalText() ([]byte, error) { return Received(r).MarshalText() }
