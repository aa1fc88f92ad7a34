package ticket_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// held is a ticket as the model has it.
type held struct {
	id         id.Ticket
	order      id.Order
	validity   ticket.Validity
	holder     string
	offeredTo  string // empty when it is not
	expired    bool   // the offer has come to its end, which nobody has written down
	generation int
	version    int64
}

// told is what the model expects of the ledger: a fact of a ticket.
type told struct {
	kind    fact.Kind
	ticket  id.Ticket
	version int64
}

// drawer is the model of a roll, beside the real one.
type drawer struct {
	s        *shop
	listing  inventory.Listing
	orders   []id.Order
	dead     map[id.Order]bool
	tickets  []*held
	expected []told
}

// TestTicketsAgreeWithTheirModel does at random whatever can be done to tickets and their orders, and compares each step with a model in memory.
func TestTicketsAgreeWithTheirModel(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		n := 0
		rapid.Check(t, func(t *rapid.T) {
			n++
			e := id.Event(fmt.Sprintf("E%d", n))
			s.event(e)
			m := &drawer{s: s, dead: map[id.Order]bool{}, listing: s.list(inventory.Input{Event: e, Quantity: 1000, Section: "GA", Row: "-"})}
			s.expire(1000) // of those before
			s.log.take()
			m.buy(t)
			t.Repeat(map[string]func(*rapid.T){
				"": m.agree, "buy": m.buy, "end": m.end, "cancel": m.cancel, "block": m.block, "hold": m.hold, "offer": m.offer, "answer": m.answer, "expire": m.expire,
			})
			m.s.audit(t)
		})
	})
}

// step is a transition that went through.
func (m *drawer) step(h *held, kind fact.Kind) {
	h.version++
	m.expected = append(m.expected, told{kind, h.id, h.version})
}

func (m *drawer) some(t *rapid.T) *held { return rapid.SampledFrom(m.tickets).Draw(t, "ticket") }

func (m *drawer) buy(t *rapid.T) {
	n := rapid.IntRange(1, 3).Draw(t, "quantity")
	o := m.s.buy(t, m.listing, n)
	m.orders = append(m.orders, o.ID)
	for _, one := range m.s.of(t, o.ID) {
		h := &held{id: one.ID, order: o.ID, validity: ticket.Valid, holder: kari, generation: 1}
		m.tickets = append(m.tickets, h)
		m.step(h, fact.TicketIssued)
	}
}

// withdraw is what happens to an offer when its ticket becomes void or another's.
func (m *drawer) withdraw(h *held) {
	if h.offeredTo == "" {
		return
	}
	kind := fact.TicketTransferRevoked
	if h.expired {
		kind = fact.TicketTransferExpired
	}
	h.offeredTo, h.expired = "", false
	m.step(h, kind)
}

func (m *drawer) void(h *held) {
	if h.validity == ticket.Void {
		return
	}
	m.withdraw(h)
	h.validity = ticket.Void
	m.step(h, fact.TicketVoided)
}

// end cancels an order, or refunds it whole.
func (m *drawer) end(t *rapid.T) {
	o := rapid.SampledFrom(m.orders).Draw(t, "order")
	if m.dead[o] {
		t.Skip("it is dead")
	}
	var err error
	if rapid.Bool().Draw(t, "refund") {
		if err = m.s.move(t, o, order.Fulfilled); err == nil {
			err = m.s.refund(o, "")
		}
	} else {
		err = m.s.move(t, o, order.Cancelled)
	}
	if err != nil {
		t.Fatalf("end of order %s: %v", o, err)
	}
	m.dead[o] = true
	for _, h := range m.tickets {
		if h.order == o {
			m.void(h)
		}
	}
}

func (m *drawer) cancel(t *rapid.T) {
	h := m.some(t)
	if _, err := m.s.cancel(h.id); err != nil {
		t.Fatalf("Cancel: %v", err)
	}
	m.void(h)
}

func (m *drawer) block(t *rapid.T) {
	h := m.some(t)
	do, to, kind := m.s.block, ticket.Blocked, fact.TicketBlocked
	if rapid.Bool().Draw(t, "un") {
		do, to, kind = m.s.unblock, ticket.Valid, fact.TicketUnblocked
	}
	_, err := do(h.id)
	switch {
	case h.validity == ticket.Void:
		if !problem.Is(err, "invalid_transition") {
			t.Fatalf("%s to %s = %v, want invalid_transition", h.validity, to, err)
		}
	case err != nil:
		t.Fatalf("%s to %s: %v", h.validity, to, err)
	case h.validity != to:
		h.validity = to
		m.step(h, kind)
	}
}

func (m *drawer) hold(t *rapid.T) {
	h := m.some(t)
	email := rapid.SampledFrom([]string{kari, ola}).Draw(t, "email")
	_, err := m.s.hold(h.id, ticket.HolderChange{Email: &email})
	switch {
	case h.validity == ticket.Void:
		if !problem.Is(err, "invalid_transition") {
			t.Fatalf("SetHolder of a void ticket = %v, want invalid_transition", err)
		}
	case err != nil:
		t.Fatalf("SetHolder: %v", err)
	case h.holder != email:
		m.withdraw(h)
		h.holder = email
		m.step(h, fact.TicketChanged)
	}
}

func (m *drawer) offer(t *rapid.T) {
	h := m.some(t)
	to := rapid.SampledFrom([]string{kari, ola, "eve@example.test"}).Draw(t, "to")
	_, err := m.s.offer(h.id, h.holder, to)
	want := ""
	switch {
	case h.validity != ticket.Valid:
		want = "ticket_not_transferable"
	case to == h.holder:
		want = "validation_failed"
	case h.offeredTo != "" && !h.expired && h.offeredTo != to:
		want = "transfer_open"
	}
	switch {
	case want != "":
		if !problem.Is(err, want) {
			t.Fatalf("Offer to %s = %v, want %s", to, err, want)
		}
	case err != nil:
		t.Fatalf("Offer to %s: %v", to, err)
	case h.offeredTo == "" || h.expired:
		m.withdraw(h)
		h.offeredTo = to
		m.step(h, fact.TicketTransferOffered)
	}
}

// answer accepts, declines or revokes.
func (m *drawer) answer(t *rapid.T) {
	h := m.some(t)
	what := rapid.SampledFrom([]string{"accept", "decline", "revoke"}).Draw(t, "what")
	var err error
	var kind fact.Kind
	want := ""
	if h.offeredTo == "" || h.expired {
		want = "transfer_not_open"
	}
	switch what {
	case "accept":
		_, err = m.s.accept(h.id, "", "")
		kind = fact.TicketTransferred
		if want == "" && h.validity != ticket.Valid {
			want = "ticket_not_transferable"
		}
	case "decline":
		_, err = m.s.decline(h.id, "")
		kind = fact.TicketTransferDeclined
	case "revoke":
		_, err = m.s.revoke(h.id, h.holder)
		kind = fact.TicketTransferRevoked
	}
	if want != "" {
		if !problem.Is(err, want) {
			t.Fatalf("%s = %v, want %s", what, err, want)
		}
		return
	}
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if what == "accept" {
		h.holder = h.offeredTo
		h.generation++
	}
	h.offeredTo = ""
	m.step(h, kind)
}

// expire has an offer come to its end, and perhaps that written down.
func (m *drawer) expire(t *rapid.T) {
	h := m.some(t)
	if h.offeredTo == "" {
		t.Skip("nothing is offered")
	}
	no := m.s.byID(t, h.id).No
	m.s.exec(`UPDATE transfers SET expires_at = 1 WHERE state = 'offered' AND ticket_no = $1`, no)
	h.expired = true
	if rapid.Bool().Draw(t, "note") {
		m.s.expire(1000)
		for _, other := range m.tickets {
			if other.expired {
				m.withdraw(other)
			}
		}
	}
}

// agree compares the model with the database and the ledger.
func (m *drawer) agree(t *rapid.T) {
	for _, h := range m.tickets {
		got := m.s.byID(t, h.id)
		if got.Validity != h.validity || got.Holder.Email != h.holder || got.Generation != h.generation || got.Version != h.version {
			t.Fatalf("ticket is %s of %s, generation %d, version %d; want %s of %s, generation %d, version %d", got.Validity, got.Holder.Email, got.Generation,
				got.Version, h.validity, h.holder, h.generation, h.version)
		}
	}
	facts := map[told]int{}
	for _, f := range m.s.log.take() {
		if len(f.Kind) > 7 && f.Kind[:7] == "ticket." {
			facts[told{f.Kind, id.Ticket(f.Subject), f.Version}]++
		}
	}
	for _, want := range m.expected {
		if facts[want] != 1 {
			t.Fatalf("%d facts %+v, want one", facts[want], want)
		}
		delete(facts, want)
	}
	if len(facts) > 0 {
		t.Fatalf("facts that nobody expects: %v", facts)
	}
	m.expected = nil
}
