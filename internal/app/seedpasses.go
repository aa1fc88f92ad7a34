package app

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// MakePasses fills an installation that nobody serves with an event, n tickets for it that were sold, and for each a pass in Apple's wallet on a device of its own. The
// bench changes that event.
func (c *Core) MakePasses(ctx context.Context, n int) (id.Event, error) {
	orgs, err := org.All(c.DB.Read(ctx))
	if err != nil {
		return "", err
	}
	if len(orgs) != 1 {
		return "", fmt.Errorf("make passes: there are %d organisations, want one", len(orgs))
	}
	owner := orgs[0].No
	var e event.Event
	var l inventory.Listing
	err = c.DB.Write(ctx, "", func(tx *db.Tx) (err error) {
		e, err = c.Events.Create(tx, owner, event.Input{
			Name: "An Evening of Figures", StartLocal: "2030-06-14T20:00:00", Timezone: "Europe/Oslo", Venue: "Measure Hall", City: "Oslo", Country: "NO", Currency: "NOK",
		})
		if err != nil {
			return err
		}
		l, err = c.Stock.Create(tx, owner, inventory.Input{Event: e.ID, Section: "Floor", Row: "1", Quantity: n, Price: "75.00"})
		return err
	})
	if err != nil {
		return "", err
	}
	const most = 20 // of one order
	var sold atomic.Int64
	sales, ctx := errgroup.WithContext(ctx)
	for range 16 {
		sales.Go(func() error {
			for to := sold.Add(most); to-most < int64(n); to = sold.Add(most) {
				if err := c.sellWithPasses(ctx, owner, e.ID, l.ID, int(min(most, int64(n)-(to-most))), to); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return e.ID, sales.Wait()
}

// sellWithPasses places an order, makes a pass of each of its tickets, and has a device have it.
func (c *Core) sellWithPasses(ctx context.Context, owner int64, e id.Event, l id.Listing, n int, no int64) error {
	return c.DB.Write(ctx, string(e), func(tx *db.Tx) error {
		placed, _, err := c.Orders.Place(tx, owner, order.Input{
			Event: e, Listing: l, Quantity: n,
			Customer: order.Customer{Email: fmt.Sprintf("somebody-%d@example.com", no), Phone: order.Phone{Number: "5550100", CountryCode: "+1"}},
		})
		if err != nil {
			return err
		}
		tickets, _, err := ticket.List(tx, owner, ticket.Filter{Order: placed.ID, Limit: n})
		if err != nil {
			return err
		}
		for i, t := range tickets {
			p, err := c.Passes.Create(tx, owner, pass.Input{Platform: pass.Apple, Ticket: t.ID})
			if err != nil {
				return err
			}
			device := fmt.Sprintf("%064x", no*100+int64(i)+1) // and its push token
			if _, err := c.Passes.Register(tx, p.Serial, device, device); err != nil {
				return err
			}
		}
		return nil
	})
}
