package native

import (
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// People without a role in the organisation see what is public and what is their own: events that are no drafts, what is for sale of them, and orders in
// their own name. An order is theirs when its customer has their e-mail address, and they have shown that the address is theirs: until then nothing is.
// What they may not see is not there, neither by itself nor in what lists count. The routes that are open to them say so where they are registered.

// event finds an event that whoever asks may see.
func (c *call) event(q db.Querier, e id.Event) (event.Event, error) {
	if c.Attendee {
		return event.PublicByID(q, c.Org, e)
	}
	return event.ByID(q, c.Org, e)
}

// listing finds a listing that whoever asks may see at an instant.
func (c *call) listing(q db.Querier, l id.Listing, now time.Time) (inventory.Listing, error) {
	if c.Attendee {
		return inventory.PublicByID(q, c.Org, l, now)
	}
	return inventory.ByID(q, c.Org, l)
}

// isTheirs tells whether an address is the attendee's.
func (c *call) isTheirs(email string) bool {
	return c.Email != "" && strings.ToLower(strings.TrimSpace(email)) == c.Email
}

// mayRead fails for an order that is not the attendee's, as if there were none.
func (c *call) mayRead(o order.Order) error {
	if c.Attendee && !c.isTheirs(o.People.Customer.Email) {
		return problem.New(problem.NotFound, "order_not_found", "There is no such order here.")
	}
	return nil
}

// ordersOf lists what of the orders whoever asks may see.
func (c *call) ordersOf(q db.Querier, f order.Filter) ([]order.Order, int, error) {
	if c.Attendee {
		if c.Email == "" || f.Email != "" && !c.isTheirs(f.Email) {
			return nil, 0, nil
		}
		f.Email = c.Email
	}
	return order.List(q, c.Org, f)
}

func errNotVerified() error {
	return problem.New(problem.Forbidden, "email_not_verified", "Show first that your e-mail address is yours: your account page sends you a link.")
}

// mayOrder fails for an order that an attendee places for an event that they do not see, or in a name that is not known to be theirs.
func (c *call) mayOrder(tx *db.Tx, e id.Event, email string) error {
	switch {
	case !c.Attendee:
		return nil
	case c.Email == "":
		return errNotVerified()
	case !c.isTheirs(email):
		return problem.Field("/customer/email", "not_yours", "An order is in your own name: give the e-mail address of your account.")
	}
	if e == "" { // of a hold, which is theirs
		return nil
	}
	_, err := c.event(tx, e)
	return err
}
