package ticketcode_test

import (
	"encoding/binary"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/ticketcode"
)

func id(n uint64) ticketcode.TicketID {
	var t ticketcode.TicketID
	binary.BigEndian.PutUint64(t[8:], n)
	return t
}

func TestSigningSortsTheEntriesAndKeepsTheCallers(t *testing.T) {
	want := aList()
	l := want.list()
	slices.Reverse(l.Revoked)
	before := slices.Clone(l.Revoked)
	signed, err := newSigner(t, 1, privates[1]).SignRevocations(l)
	if err != nil || !slices.Equal(signed, want.signed(1)) {
		t.Errorf("SignRevocations: got %x, %v, want %x", signed, err, want.signed(1))
	}
	if !reflect.DeepEqual(l.Revoked, before) {
		t.Errorf("SignRevocations changed the caller's entries: %v", l.Revoked)
	}
}

func TestSignRefusesListsThatNobodyCouldVerify(t *testing.T) {
	signer := newSigner(t, 1, privates[1])
	for _, c := range []struct {
		name   string
		change func(*ticketcode.RevocationList)
	}{
		{"no organisation", func(l *ticketcode.RevocationList) { l.Org = "" }},
		{"a space in the organisation", func(l *ticketcode.RevocationList) { l.Org = "a b" }},
		{"no time", func(l *ticketcode.RevocationList) { l.Issued = time.Time{} }},
		{"issued after 2106", func(l *ticketcode.RevocationList) { l.Issued = time.Unix(1<<32+now, 0) }},
		{"begins after its end", func(l *ticketcode.RevocationList) { l.Since = l.Seq + 1 }},
		{"entries without a change", func(l *ticketcode.RevocationList) { l.Since = l.Seq }},
		{"a number too large", func(l *ticketcode.RevocationList) { l.Seq = 1 << 53 }},
		{"a ticket twice", func(l *ticketcode.RevocationList) { l.Revoked = append(l.Revoked, l.Revoked[0]) }},
		{"no ticket", func(l *ticketcode.RevocationList) { l.Revoked = append(l.Revoked, ticketcode.Revocation{}) }},
		{"too many", func(l *ticketcode.RevocationList) {
			l.Revoked = nil
			for i := range ticketcode.MaxListed + 1 {
				l.Revoked = append(l.Revoked, ticketcode.Revocation{Ticket: id(uint64(i + 1)), Through: 1})
			}
		}},
	} {
		l := aList().list()
		c.change(&l)
		signed, err := signer.SignRevocations(l)
		refused(t, c.name, err, ticketcode.Malformed)
		if signed != nil {
			t.Errorf("%s: SignRevocations failed and returned %d bytes", c.name, len(signed))
		}
	}
}

func TestEveryFlippedBitOfAListIsRefused(t *testing.T) {
	keys, genuine := vectorKeys(t), aList().signed(1)
	gate := ticketcode.NewRevocations(anOrg)
	for bit := range 8 * len(genuine) {
		b := slices.Clone(genuine)
		b[bit/8] ^= 1 << (bit % 8)
		if err := gate.Apply(keys, b, opening); err == nil {
			t.Fatalf("bit %d flipped: Apply accepted the list", bit)
		}
	}
	if gate.Seq() != 0 || gate.Len() != 0 || !gate.Issued().IsZero() {
		t.Errorf("lists that were refused left %d, %d tickets, %v", gate.Seq(), gate.Len(), gate.Issued())
	}
}

// TestGatesAgreeHoweverTheyHeard has a server with a random history, and gates that fetch now and then, from their place or from further
// back: each knows what the server knew at the number that it has reached.
func TestGatesAgreeHoweverTheyHeard(t *testing.T) {
	signer, keys := newSigner(t, 1, privates[1]), vectorKeys(t)
	random := rand.New(rand.NewPCG(3, 3))
	type change struct {
		ticket  uint64
		through uint16
	}
	var log []change
	list := func(since, seq uint64) []byte {
		latest := map[uint64]uint16{}
		for _, c := range log[since:seq] {
			latest[c.ticket] = c.through
		}
		l := ticketcode.RevocationList{Org: anOrg, Since: since, Seq: seq, Issued: opening}
		for ticket, through := range latest {
			if through > 0 || since > 0 {
				l.Revoked = append(l.Revoked, ticketcode.Revocation{Ticket: id(ticket), Through: through})
			}
		}
		signed, err := signer.SignRevocations(l)
		if err != nil {
			t.Fatalf("SignRevocations(%+v): %v", l, err)
		}
		return signed
	}
	gate := ticketcode.NewRevocations(anOrg)
	for range 200 {
		for range random.IntN(4) {
			log = append(log, change{1 + random.Uint64N(12), uint16(random.IntN(4))})
		}
		since := random.Uint64N(gate.Seq() + 1)
		seq := gate.Seq() + random.Uint64N(uint64(len(log))-gate.Seq()+1)
		if err := gate.Apply(keys, list(since, max(since, seq)), opening); err != nil {
			t.Fatalf("Apply of %d to %d at %d: %v", since, seq, gate.Seq(), err)
		}
		want := map[uint64]uint16{}
		for _, c := range log[:gate.Seq()] {
			want[c.ticket] = c.through
		}
		for ticket := range uint64(14) {
			for generation := uint16(1); generation < 5; generation++ {
				token := ticketcode.Token{Ticket: id(ticket), Generation: generation}
				if got := gate.Revoked(token); got != (generation <= want[ticket]) {
					t.Fatalf("at %d: Revoked(ticket %d, generation %d): got %v, revoked through %d", gate.Seq(), ticket, generation, got, want[ticket])
				}
			}
		}
	}
}

// TestAGateKeepsNoMoreThanItCan fills it with the largest lists.
func TestAGateKeepsNoMoreThanItCan(t *testing.T) {
	if testing.Short() {
		t.Skip("fills a gate with a million tickets")
	}
	signer, keys := newSigner(t, 1, privates[1]), vectorKeys(t)
	gate := ticketcode.NewRevocations(anOrg)
	apply := func(seq uint64, entries []ticketcode.Revocation) error {
		signed, err := signer.SignRevocations(ticketcode.RevocationList{Org: anOrg, Since: seq - 1, Seq: seq, Issued: opening, Revoked: entries})
		if err != nil {
			t.Fatalf("SignRevocations: %v", err)
		}
		if len(signed) > ticketcode.MaxRevocationsSize {
			t.Fatalf("a list has %d bytes, more than MaxRevocationsSize", len(signed))
		}
		return gate.Apply(keys, signed, opening)
	}
	const lists = ticketcode.MaxRevoked / ticketcode.MaxListed
	entries := make([]ticketcode.Revocation, ticketcode.MaxListed)
	for n := range lists {
		for i := range entries {
			entries[i] = ticketcode.Revocation{Ticket: id(uint64(n*len(entries) + i + 1)), Through: 1}
		}
		if err := apply(uint64(n+1), entries); err != nil {
			t.Fatalf("list %d: Apply: %v", n+1, err)
		}
	}
	one := []ticketcode.Revocation{{Ticket: id(1 << 40), Through: 1}}
	refused(t, "one ticket more", apply(lists+1, one), ticketcode.TooLarge)
	if gate.Len() != ticketcode.MaxRevoked || gate.Seq() != lists || gate.Revoked(ticketcode.Token{Ticket: one[0].Ticket, Generation: 1}) {
		t.Errorf("a list that was refused left %d tickets at %d", gate.Len(), gate.Seq())
	}
	one = append(one, ticketcode.Revocation{Ticket: id(1), Through: 0})
	if err := apply(lists+1, one); err != nil || gate.Len() != ticketcode.MaxRevoked {
		t.Errorf("one ticket for another: Apply: %v, %d tickets", err, gate.Len())
	}
}

func TestAGateIsAskedWhileItHears(t *testing.T) {
	signer, keys := newSigner(t, 1, privates[1]), vectorKeys(t)
	gate := ticketcode.NewRevocations(anOrg)
	var group sync.WaitGroup
	group.Go(func() {
		for seq := uint64(1); seq <= 50; seq++ {
			signed, err := signer.SignRevocations(ticketcode.RevocationList{
				Org: anOrg, Since: seq - 1, Seq: seq, Issued: opening, Revoked: []ticketcode.Revocation{{Ticket: id(seq), Through: 1}},
			})
			if err != nil {
				t.Errorf("SignRevocations: %v", err)
			}
			if err := gate.Apply(keys, signed, opening); err != nil {
				t.Errorf("Apply: %v", err)
			}
		}
	})
	group.Go(func() {
		for range 1000 {
			reached := gate.Seq()
			if reached > 0 && !gate.Revoked(ticketcode.Token{Ticket: id(reached), Generation: 1}) {
				t.Errorf("at %d: the ticket of that change is not revoked", reached)
			}
		}
	})
	group.Wait()
}
