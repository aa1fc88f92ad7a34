package ticketcode

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"math"
	"strings"
	"time"
)

const (
	// Prefix begins every printed code. It keeps a code from beginning with a space, and is part of what is signed.
	Prefix = "SD1:"

	// Size is the length of a code in bytes.
	Size = bodySize + ed25519.SignatureSize

	// TextLen is the length of a printed code in characters: the prefix and 150 of base45.
	TextLen = len(Prefix) + Size/2*3

	version  = 1
	bodySize = 36
)

// A TicketID names a ticket: the 16 bytes of a UUID. The zero one names none.
type TicketID [16]byte

const ticketPrefix = "tkt_"

// crockford is Crockford's base32 alphabet in lower case, in which Stagedoor prints its ids.
const crockford = "0123456789abcdefghjkmnpqrstvwxyz"

// String returns the id as Stagedoor's APIs print it: "tkt_" and 26 characters of Crockford's base32.
func (t TicketID) String() string { return ticketPrefix + idEncoding().EncodeToString(t[:]) }

// ParseTicketID reads an id in the form of String. It fails with [Malformed].
func ParseTicketID(s string) (TicketID, error) {
	var t TicketID
	text, ok := strings.CutPrefix(s, ticketPrefix)
	b, err := idEncoding().DecodeString(text)
	if !ok || err != nil || len(b) != len(t) {
		return TicketID{}, &Error{Malformed, "a ticket id is tkt_ and 26 characters"}
	}
	copy(t[:], b)
	if t.String() != s { // base32 leaves two bits over, and lets line ends pass
		return TicketID{}, &Error{Malformed, "the ticket id is not in its one spelling"}
	}
	return t, nil
}

func idEncoding() *base32.Encoding {
	return base32.NewEncoding(crockford).WithPadding(base32.NoPadding)
}

// A Tag tells the events of an organisation apart, see EventTag.
type Tag [6]byte

// EventTag returns the tag of an event: the first six bytes of the SHA-256 of "stagedoor ticket tag 1", a zero byte, the length of
// org in bytes as four bytes big-endian, org, and event. Both are the ids as Stagedoor's APIs print them.
func EventTag(org, event string) Tag {
	h := sha256.New()
	h.Write([]byte("stagedoor ticket tag 1\x00"))
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(org))))
	h.Write([]byte(org))
	h.Write([]byte(event))
	return Tag(h.Sum(nil)[:len(Tag{})])
}

// A Token is what a ticket code says.
type Token struct {
	// KeyID is the key that has signed. A Signer writes its own.
	KeyID byte

	// Tag is that of the event, see EventTag.
	Tag Tag

	// Ticket is the ticket. It stays the same when the ticket is transferred or its code printed anew.
	Ticket TicketID

	// Generation counts the codes of the ticket, from 1 to 65535: a transfer and a reissue make a new one and revoke those before.
	Generation uint16

	// Class is the kind of ticket in the numbering of its event; 0 means none.
	Class uint16

	// ValidFrom is the first instant at which the ticket is valid, in whole seconds on the wire; fractions are dropped. Zero means
	// that it has no beginning.
	ValidFrom time.Time

	// ValidUntil is the first instant at which the ticket is no longer valid, in whole seconds on the wire; fractions are dropped.
	// Zero means that it has no end.
	ValidUntil time.Time
}

// ParseUnverified returns what a code says it is, without looking at the signature: anybody can have written it. It is for showing
// a code, and for the window after [KeySet.Verify] failed with [NotYet] or [TooLate]; nobody is admitted by it. It fails with
// [Malformed] or [WrongVersion].
func ParseUnverified(text string) (Token, error) {
	c, err := decode(text)
	if err != nil {
		return Token{}, err
	}
	return c.token(), nil
}

// A code is a ticket code's bytes behind its prefix, so that what is signed lies in one piece.
type code [len(Prefix) + Size]byte

func (c *code) body() []byte      { return c[len(Prefix):][:bodySize] }
func (c *code) signed() []byte    { return c[:len(Prefix)+bodySize] }
func (c *code) signature() []byte { return c[len(Prefix)+bodySize:] }

// noEnd is how a token without end is written.
const noEnd = math.MaxUint32

// encode writes everything but the signature. It fails with what no token may say.
func encode(t Token) (code, error) {
	from, okFrom := seconds(t.ValidFrom, 0)
	until, okUntil := seconds(t.ValidUntil, noEnd)
	if !okFrom || !okUntil {
		return code{}, &Error{Malformed, "the window does not lie between 1970 and 2106"}
	}
	var c code
	copy(c[:], Prefix)
	b := c.body()
	b[0], b[1] = version, t.KeyID
	copy(b[2:], t.Tag[:])
	copy(b[8:], t.Ticket[:])
	binary.BigEndian.PutUint16(b[24:], t.Generation)
	binary.BigEndian.PutUint16(b[26:], t.Class)
	binary.BigEndian.PutUint32(b[28:], from)
	binary.BigEndian.PutUint32(b[32:], until)
	return c, c.check()
}

// seconds returns t in Unix seconds, open if t is zero. It reports false for what is not between the two marks of an open window.
func seconds(t time.Time, open uint32) (uint32, bool) {
	if t.IsZero() {
		return open, true
	}
	s := t.Unix()
	return uint32(s), s > 0 && s < noEnd
}

// check holds what signer and verifier agree on: no key signs such a token, so none is taken for one.
func (c *code) check() error {
	b := c.body()
	switch {
	case b[1] == 0:
		return &Error{Malformed, "the key id is zero"}
	case TicketID(b[8:24]) == TicketID{}:
		return &Error{Malformed, "the ticket id is zero"}
	case binary.BigEndian.Uint16(b[24:]) == 0:
		return &Error{Malformed, "the generation is zero"}
	case binary.BigEndian.Uint32(b[28:]) >= binary.BigEndian.Uint32(b[32:]):
		return &Error{Malformed, "the window is empty"}
	}
	return nil
}

func decode(text string) (code, error) {
	var c code
	if len(text) > len(Prefix) && text[:2] == Prefix[:2] && text[3] == Prefix[3] && text[2] >= '2' && text[2] <= '9' {
		return c, &Error{WrongVersion, ""}
	}
	if len(text) == RotatingLen {
		return c, &Error{Malformed, "a static code has 154 characters; with 174 it may be a rotating one"}
	}
	if len(text) != TextLen || text[:len(Prefix)] != Prefix {
		return c, &Error{Malformed, "a code is SD1: and 150 characters"}
	}
	copy(c[:], Prefix)
	if !decodeBase45(c[len(Prefix):], text[len(Prefix):]) {
		return c, &Error{Malformed, "not base45"}
	}
	if c.body()[0] != version {
		return c, &Error{WrongVersion, ""}
	}
	return c, c.check()
}

func (c *code) token() Token {
	b := c.body()
	t := Token{
		KeyID:      b[1],
		Tag:        Tag(b[2:8]),
		Ticket:     TicketID(b[8:24]),
		Generation: binary.BigEndian.Uint16(b[24:]),
		Class:      binary.BigEndian.Uint16(b[26:]),
	}
	if from := binary.BigEndian.Uint32(b[28:]); from != 0 {
		t.ValidFrom = time.Unix(int64(from), 0).UTC()
	}
	if until := binary.BigEndian.Uint32(b[32:]); until != noEnd {
		t.ValidUntil = time.Unix(int64(until), 0).UTC()
	}
	return t
}

// begun and ended hold an instant against a window. An instant that nobody knows lies outside every bound.
func begun(from, now time.Time) bool { return from.IsZero() || !now.Before(from) }

func ended(until, now time.Time) bool { return !until.IsZero() && (now.IsZero() || !now.Before(until)) }
