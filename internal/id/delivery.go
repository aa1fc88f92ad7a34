package id

import (
	"encoding/binary"
	"encoding/hex"

	"github.com/google/uuid"
)

// A Delivery is the identity of one fact on its way to one endpoint. It is made of the fact's number and the endpoint's, so
// planning the same delivery twice gives the same id, and an id leads to its row without an index.
//
// On the wire it is a UUID of version 8 (RFC 9562 §5.8), kept by every retry and redelivery.
type Delivery struct {
	Day      int32 // of the fact, days since 1970-01-01; at most 65535
	Seq      int64 // of the fact; at most 2^52-1
	Endpoint int64 // at most 2^40-1
}

// UUID returns the id as it appears in headers.
func (d Delivery) UUID() uuid.UUID {
	var u uuid.UUID
	seq := uint64(d.Seq)
	binary.BigEndian.PutUint16(u[0:], uint16(d.Day))
	binary.BigEndian.PutUint32(u[2:], uint32(seq>>20))
	binary.BigEndian.PutUint16(u[6:], 8<<12|uint16(seq>>8)&0x0fff)
	binary.BigEndian.PutUint64(u[8:], uint64(0b10)<<62|(seq&0xff)<<54|uint64(d.Endpoint)<<14)
	return u
}

// String returns the UUID in its usual form.
func (d Delivery) String() string { return d.UUID().String() }

// ParseDelivery reads a delivery id. It reports false for text that no delivery ever had.
func ParseDelivery(s string) (Delivery, bool) {
	u, err := uuid.Parse(s)
	if err != nil || len(s) != 36 || u.Version() != 8 || u.Variant() != uuid.RFC4122 {
		return Delivery{}, false
	}
	low := binary.BigEndian.Uint64(u[8:])
	d := Delivery{
		Day: int32(binary.BigEndian.Uint16(u[0:])),
		Seq: int64(uint64(binary.BigEndian.Uint32(u[2:]))<<20 |
			uint64(binary.BigEndian.Uint16(u[6:])&0x0fff)<<8 | low>>54&0xff),
		Endpoint: int64(low >> 14 & (1<<40 - 1)),
	}
	return d, d.UUID() == u
}

// A Fact is the identity of a fact in the ledger: its number, and the day on which it was written down (UTC), which leads to
// its partition.
type Fact struct {
	Day int32 // days since 1970-01-01
	Seq int64
}

// String returns the id as it appears on the wire: "evt_" and 18 hexadecimal digits.
func (f Fact) String() string {
	var b [9]byte
	binary.BigEndian.PutUint16(b[0:], uint16(f.Day))
	b[2] = byte(f.Seq >> 48)
	binary.BigEndian.PutUint16(b[3:], uint16(f.Seq>>32))
	binary.BigEndian.PutUint32(b[5:], uint32(f.Seq))
	var out [22]byte
	copy(out[:], "evt_")
	hex.Encode(out[4:], b[:])
	return string(out[:])
}

// ParseFact reads a fact's id. It reports false for text that no fact ever had.
func ParseFact(s string) (Fact, bool) {
	if len(s) != 22 || s[:4] != "evt_" {
		return Fact{}, false
	}
	var b [9]byte
	if _, err := hex.Decode(b[:], []byte(s[4:])); err != nil {
		return Fact{}, false
	}
	f := Fact{
		Day: int32(binary.BigEndian.Uint16(b[0:])),
		Seq: int64(b[2])<<48 | int64(binary.BigEndian.Uint16(b[3:]))<<32 | int64(binary.BigEndian.Uint32(b[5:])),
	}
	return f, f.String() == s
}
