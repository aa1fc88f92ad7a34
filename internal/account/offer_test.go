package account_test

import (
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// silence is a ledger that keeps nothing.
type silence struct{}

func (silence) Append(*db.Tx, ...*fact.Fact) error { return nil }

// offer makes a ticket of kari@example.com, and offers it to somebody.
func (h *house) offer(to string) ticket.Transfer {
	h.t.Helper()
	h.sold++
	return write(h, func(tx *db.Tx) (ticket.Transfer, error) {
		e, err := event.New(silence{}, order.Exists).Create(tx, h.org.No, event.Input{Name: "Harbor <Jazz> Night", StartLocal: "2099-08-14T20:30:00", Timezone: "Europe/Oslo"})
		if err != nil {
			return ticket.Transfer{}, err
		}
		_, err = h.tickets.Follow(tx, h.org.No, order.Order{
			No: 178290000012300000 + h.sold, ID: order.IDOf(178290000012300000 + h.sold), EventNo: e.No, EventID: e.ID, Section: "B", Row: "4", Seats: []string{"7"}, Quantity: 1,
			UnitPrice: money.Amount{Minor: 500, Currency: "EUR"}, Status: order.Confirmed, People: order.People{Customer: order.Customer{Email: "kari@example.com"}},
		})
		if err != nil {
			return ticket.Transfer{}, err
		}
		all, _, err := ticket.List(tx, h.org.No, ticket.Filter{Event: e.ID})
		if err != nil {
			return ticket.Transfer{}, err
		}
		x, _, err := h.tickets.Offer(tx, h.org.No, all[0].ID, ticket.Offer{To: to})
		return x, err
	})
}

func (h *house) ticketOf(t id.Ticket) ticket.Ticket {
	return read(h, func(q db.Querier) (ticket.Ticket, error) { return ticket.ByID(q, h.org.No, t) })
}

func (h *house) verified(email string) *person {
	p := h.person(email, "")
	write(h, func(tx *db.Tx) (any, error) { return nil, h.people.Verify(tx, p.No) })
	return p
}

func TestOfferIsAcceptedOnItsPage(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		x := h.offer("Ola@example.com")
		path := "/offer/" + string(x.Ticket)
		h.browser().get(path).leads("/login?next=" + "%2Foffer%2F" + string(x.Ticket))
		h.verified("eva@example.com").get(path).must(404).says("There is no offer here").saysNot("Harbor", "kari@example.com")
		ola := h.person("ola@example.com", "")
		ola.get(path).must(200).says("Confirm yours").saysNot("Harbor")
		write(h, func(tx *db.Tx) (any, error) { return nil, h.people.Verify(tx, ola.No) })
		v := ola.get(path).must(200).says("Harbor <Jazz> Night", "14 August 2099", "The Hall", "section B, row 4, seat 7", "kari@example.com")
		v.form(path).with("decision", "accept", "name", "a@b").submit().must(400)
		v.form(path).submit().must(400) // which button?
		if now := h.ticketOf(x.Ticket); now.Generation != 1 {
			t.Fatalf("the ticket is of generation %d before it was accepted", now.Generation)
		}
		v.form(path).with("decision", "accept", "name", "Ola N.").submit().must(200).says("The ticket is yours")
		if now := h.ticketOf(x.Ticket); now.Holder.Name != "Ola N." || now.Holder.Email != "Ola@example.com" || now.Generation != 2 {
			t.Errorf("the ticket is of %+v, generation %d", now.Holder, now.Generation)
		}
		v.form(path).with("decision", "accept", "name", "Ola N.").submit().must(404)
		ola.get(path).must(404)
	})
}

func TestOfferIsDeclinedOrEnds(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ola := h.verified("ola@example.com")
		declined, ended := h.offer("ola@example.com"), h.offer("ola@example.com")
		path := "/offer/" + string(declined.Ticket)
		ola.get(path).form(path).with("decision", "decline").submit().must(200).says("The offer is declined")
		if now := h.ticketOf(declined.Ticket); now.Holder.Email != "kari@example.com" || now.Generation != 1 {
			t.Errorf("after it was declined the ticket is of %+v", now.Holder)
		}
		h.stop(8 * 24 * time.Hour)
		ola.signIn("ola@example.com", password)
		ola.get("/offer/" + string(ended.Ticket)).must(404)
		ola.get("/offer/nonsense").must(404)
	})
}
