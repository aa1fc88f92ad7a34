package ticketcode

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	// MaxListed is how many tickets one list may name. Whoever has more to say says it in several lists.
	MaxListed = 100_000

	// MaxRevoked is how many tickets a Revocations keeps.
	MaxRevoked = 1_000_000

	// AllGenerations revokes a ticket for good: every code that it has and may get.
	AllGenerations = 65535

	// MaxRevocationsSize is how many bytes a list may have.
	MaxRevocationsSize = listHead + maxOrg + listNumbers + MaxListed*entrySize + ed25519.SignatureSize
)

const (
	listMagic   = "SDR1"
	listHead    = len(listMagic) + 1 + 1 // key id, length of the organisation's id
	listNumbers = 8 + 8 + 4 + 4
	entrySize   = len(TicketID{}) + 2
	maxSeq      = 1<<53 - 1 // what every language's numbers hold
)

// A RevocationList says which codes are revoked. It is incremental: an organisation counts the changes of its revocations, and a list
// tells those after Since, up to Seq. For each ticket that changed there is one entry with how things stand at Seq, so it does no harm to
// be told twice, or from further back than needed.
type RevocationList struct {
	// Org is the id of the organisation, 1 to 64 visible ASCII characters.
	Org string

	// Since is the number after which the list begins. 0 means that it is whole, and replaces what was known before.
	Since uint64

	// Seq is the number of the last change that the list has, Since or more, 2^53-1 at most. If it is Since, nothing has changed, and
	// the list says just that.
	Seq uint64

	// Issued is when the list was made, in whole seconds; fractions are dropped. It lies between 1970 and 2106.
	Issued time.Time

	// Revoked has an entry for each ticket that changed, MaxListed at most, by their ids.
	Revoked []Revocation
}

// A Revocation says that all generations of a ticket up to one are revoked: the one before the present one after a transfer,
// AllGenerations for a cancelled ticket, the present one while a ticket is blocked. 0 means none: a block was lifted.
type Revocation struct {
	Ticket  TicketID
	Through uint16
}

// SignRevocations returns the list signed. The order of its entries does not matter. It fails with [Malformed] for what no list may
// say: two entries for one ticket, entries without a change, or a bound of [RevocationList] that is not kept.
//
// The bytes are, numbers big-endian: the four characters "SDR1"; the key's id (1 byte); the length of the organisation's id (1) and
// the id; Since (8); Seq (8); Issued in Unix seconds (4); the number of entries (4); for each entry, ascending by ticket, the ticket's id
// (16) and Through (2); the Ed25519 signature of all that (64).
func (s *Signer) SignRevocations(l RevocationList) ([]byte, error) {
	issued, ok := seconds(l.Issued, 0)
	if !ok || issued == 0 {
		return nil, &Error{Malformed, "the list was not issued between 1970 and 2106"}
	}
	if !validOrg(l.Org) {
		return nil, &Error{Malformed, "an organisation's id has 1 to 64 visible ASCII characters"}
	}
	l.Revoked = slices.Clone(l.Revoked)
	slices.SortFunc(l.Revoked, func(a, b Revocation) int { return bytes.Compare(a.Ticket[:], b.Ticket[:]) })
	if err := l.check(); err != nil {
		return nil, err
	}

	b := make([]byte, 0, listHead+len(l.Org)+listNumbers+len(l.Revoked)*entrySize+ed25519.SignatureSize)
	b = append(b, listMagic...)
	b = append(b, s.id, byte(len(l.Org)))
	b = append(b, l.Org...)
	b = binary.BigEndian.AppendUint64(b, l.Since)
	b = binary.BigEndian.AppendUint64(b, l.Seq)
	b = binary.BigEndian.AppendUint32(b, issued)
	b = binary.BigEndian.AppendUint32(b, uint32(len(l.Revoked)))
	for _, r := range l.Revoked {
		b = append(b, r.Ticket[:]...)
		b = binary.BigEndian.AppendUint16(b, r.Through)
	}
	return append(b, ed25519.Sign(s.private, b)...), nil
}

// check holds what signer and verifier agree on, but for the organisation and the time.
func (l *RevocationList) check() error {
	switch {
	case len(l.Revoked) > MaxListed:
		return &Error{Malformed, fmt.Sprintf("a list names at most %d tickets", MaxListed)}
	case l.Seq > maxSeq || l.Since > l.Seq:
		return &Error{Malformed, "the list ends before it begins"}
	case l.Since == l.Seq && len(l.Revoked) > 0:
		return &Error{Malformed, "the list has entries, but no change"}
	}
	var last TicketID // no ticket's id is zero
	for i := range l.Revoked {
		t := &l.Revoked[i].Ticket
		if bytes.Compare(last[:], t[:]) >= 0 {
			return &Error{Malformed, "the tickets are not ascending"}
		}
		last = *t
	}
	return nil
}

// VerifyRevocations returns the list if it is one of the key set's organisation and one of the keys that count now has signed it. It
// says nothing about whether the list is new; see [Revocations.Apply], which most callers want. It fails with [Malformed],
// [WrongVersion], [WrongOrg], [UnknownKey] or [BadSignature].
func (s *KeySet) VerifyRevocations(data []byte, now time.Time) (RevocationList, error) {
	l, err := s.verifyRevocations(data, now)
	if err != nil {
		return RevocationList{}, err
	}
	return l, nil
}

func (s *KeySet) verifyRevocations(data []byte, now time.Time) (l RevocationList, err error) {
	if len(data) < listHead || string(data[:3]) != listMagic[:3] {
		return l, &Error{Malformed, "not a revocation list"}
	}
	if string(data[:len(listMagic)]) != listMagic {
		return l, &Error{WrongVersion, ""}
	}
	id, orgLen := data[4], int(data[5])
	rest := data[listHead:]
	if orgLen == 0 || orgLen > maxOrg || len(rest) < orgLen+listNumbers+ed25519.SignatureSize {
		return l, &Error{Malformed, "the list is cut off"}
	}
	l.Org, rest = string(rest[:orgLen]), rest[orgLen:]
	if l.Org != s.org {
		return l, &Error{WrongOrg, ""}
	}
	l.Since, l.Seq = binary.BigEndian.Uint64(rest), binary.BigEndian.Uint64(rest[8:])
	issued, count := binary.BigEndian.Uint32(rest[16:]), int64(binary.BigEndian.Uint32(rest[20:]))
	rest = rest[listNumbers:]
	if count > MaxListed || int64(len(rest)) != count*int64(entrySize)+ed25519.SignatureSize {
		return l, &Error{Malformed, "the list does not have the length that it says"}
	}
	if issued == 0 || issued == noEnd {
		return l, &Error{Malformed, "the list was not issued between 1970 and 2106"}
	}
	l.Issued = time.Unix(int64(issued), 0).UTC()

	// Before the signature is checked, nothing is made of what the list says.
	signed := len(data) - ed25519.SignatureSize
	if err := s.verify(id, data[:signed], data[signed:], now); err != nil {
		return l, err
	}
	l.Revoked = make([]Revocation, count)
	for i := range l.Revoked {
		e := rest[i*entrySize:]
		l.Revoked[i] = Revocation{TicketID(e[:16]), binary.BigEndian.Uint16(e[16:])}
	}
	return l, l.check()
}

// Revocations is what a gate knows of an organisation's revoked tickets. It may be used by several goroutines at once. As long as no
// list was applied it knows of none, and Issued is zero.
type Revocations struct {
	org string

	mu      sync.RWMutex // guards what follows
	seq     uint64
	issued  time.Time
	through map[TicketID]uint16
}

// NewRevocations returns an empty Revocations for an organisation. Its first list must be a whole one.
func NewRevocations(org string) *Revocations { return &Revocations{org: org} }

// Apply verifies a list with the organisation's keys and takes in what it says. A list that was applied before changes nothing; one
// that begins further back than needed is fine. If Apply fails, nothing has changed, and the error is an [*Error]: with the Reasons of
// [KeySet.VerifyRevocations], [Stale] if the list is older than what was applied, [Gap] if it begins after that, or [TooLarge].
//
// A gate that is told Stale by all lists talks to a server that was set back, and has to begin again with a new Revocations.
func (r *Revocations) Apply(keys *KeySet, data []byte, now time.Time) error {
	if keys.org != r.org {
		return &Error{WrongOrg, "the keys are not this organisation's"}
	}
	l, err := keys.VerifyRevocations(data, now)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case l.Seq < r.seq, l.Seq == r.seq && l.Issued.Before(r.issued):
		return &Error{Stale, fmt.Sprintf("it ends at %d, %d was reached", l.Seq, r.seq)}
	case l.Since > r.seq:
		return &Error{Gap, fmt.Sprintf("it begins after %d, %d was reached", l.Since, r.seq)}
	case l.Since == 0:
		r.through = make(map[TicketID]uint16, len(l.Revoked))
	case len(r.through)+r.grows(l.Revoked) > MaxRevoked:
		return &Error{TooLarge, fmt.Sprintf("more than %d tickets", MaxRevoked)}
	}
	for _, e := range l.Revoked {
		if e.Through == 0 {
			delete(r.through, e.Ticket)
			continue
		}
		r.through[e.Ticket] = e.Through
	}
	r.seq = l.Seq
	if l.Issued.After(r.issued) {
		r.issued = l.Issued
	}
	return nil
}

// grows returns by how many tickets the entries make the map longer.
func (r *Revocations) grows(entries []Revocation) int {
	n := 0
	for _, e := range entries {
		switch _, there := r.through[e.Ticket]; {
		case there && e.Through == 0:
			n--
		case !there && e.Through != 0:
			n++
		}
	}
	return n
}

// Revoked reports whether the token's generation of its ticket is revoked.
func (r *Revocations) Revoked(t Token) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return t.Generation <= r.through[t.Ticket]
}

// Seq returns the number that was reached: what to ask the server for next is what came after it.
func (r *Revocations) Seq() uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.seq
}

// Issued returns when the newest list was made. A gate shows it, because whoever cuts the gate's connection keeps it from hearing of
// revocations. Zero means that no list was applied.
func (r *Revocations) Issued() time.Time {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.issued
}

// Len returns how many tickets have a revoked generation.
func (r *Revocations) Len() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.through)
}
