package sales

import (
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/page"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

type inventoryData struct {
	event.Event
	bar
	Types    []inventory.TicketType
	Listings []inventory.Listing // those of no ticket type
	More     bool                // there are more listings than are shown
	Pools    []inventory.Pool
	Holds    []inventory.Hold // the newest that are active
	Typed    map[string]string
}

// listingsShown is how many listings of an event are shown, the newest.
const listingsShown = 100

func (r *Room) inventory(v *frame.Visit) error {
	if v.WantsCSV() {
		e, err := one(v, v.Read())
		if err != nil {
			return err
		}
		header := []string{"listing", "ticket_type", "section", "row", "status", "free", "held", "sold", "listed", "price", "currency", "updated_at"}
		return v.CSV("inventory", header, listingRows(v, e))
	}
	return r.showInventory(v, http.StatusOK, nil)
}

// listingRows goes through all listings of an event, those of ticket types too, some at a time.
func listingRows(v *frame.Visit, e event.Event) iter.Seq2[[]string, error] {
	const some = 100
	return func(yield func([]string, error) bool) {
		for after := int64(0); ; {
			page, _, err := inventory.OfOrg(v.Read(), v.Org.No, inventory.OrgFilter{EventNo: e.No, Now: v.Now(), Sort: inventory.ByNumber, After: after, Limit: some})
			if err != nil {
				yield(nil, err)
				return
			}
			for _, l := range page {
				l = l.AsOf(v.Now())
				if !yield([]string{
					string(l.ID), string(l.Type), l.Section, l.Row, string(l.Status), strconv.Itoa(l.Free()), strconv.Itoa(l.Held), strconv.Itoa(l.Sold), strconv.Itoa(l.Listed()),
					l.Price.String(), string(l.Price.Currency), l.UpdatedAt.UTC().Format(time.RFC3339),
				}, nil) {
					return
				}
			}
			if len(page) < some {
				return
			}
			after = page[some-1].No
		}
	}
}

func (r *Room) showInventory(v *frame.Visit, status int, wrong page.Complaints) error {
	q := v.Read()
	e, err := one(v, q)
	if err != nil {
		return err
	}
	d := inventoryData{Event: e, Typed: map[string]string{}}
	for name := range v.Form {
		d.Typed[name] = v.Value(name)
	}
	sums, err := inventory.Sums(q, v.Org.No, e.No)
	if err != nil {
		return err
	}
	d.Sum, d.Known = sums[e.No]
	if d.Types, err = inventory.Types(q, v.Org.No, e.ID, false); err != nil {
		return err
	}
	listings, total, err := inventory.OfOrg(q, v.Org.No, inventory.OrgFilter{EventNo: e.No, Now: v.Now(), Desc: true, Limit: listingsShown})
	if err != nil {
		return err
	}
	d.More = total > listingsShown
	for _, l := range listings {
		if l.Type == "" {
			d.Listings = append(d.Listings, l.AsOf(v.Now()))
		}
	}
	if d.Pools, err = inventory.Pools(q, v.Org.No, e.ID); err != nil {
		return err
	}
	if (frame.View{Visit: v}).May("tickets:read") {
		if d.Holds, _, err = inventory.Holds(q, v.Org.No, inventory.HoldFilter{Event: e.ID, Status: inventory.HoldActive, Now: v.Now(), Limit: frame.PageSize}); err != nil {
			return err
		}
	}
	return v.Show(pages, "inventory", status, frame.View{Title: "Inventory of " + e.Name, At: "/events", Wide: true, Complaints: wrong, Data: d})
}

// stock changes what is for sale of the event of the path, and says what was done; what is wrong with a form is said beside it.
func (r *Room) stock(v *frame.Visit, prefix, said string, do func(tx *db.Tx, ev id.Event) error) error {
	ev := id.Event(v.R.PathValue("event"))
	err := v.DB.Write(v.R.Context(), string(ev), func(tx *db.Tx) error { return do(tx, ev) })
	if wrong, status, ok := frame.Wrong(stale(err, "inventory"), prefix, nil); ok {
		return r.showInventory(v, status, wrong)
	} else if err != nil {
		return err
	}
	return v.Done("/events/"+string(ev)+"/inventory", said)
}

func (r *Room) createType(v *frame.Visit) error {
	return r.stock(v, "type-", "The ticket type is made.", func(tx *db.Tx, ev id.Event) error {
		var bad problem.Fields
		in := inventory.TypeInput{
			Event: ev, Name: v.Value("name"), Price: money.Decimal(v.Value("price")), Quantity: number(v, "quantity", &bad), MinPerOrder: number(v, "minPerOrder", &bad),
			MaxPerOrder: number(v, "maxPerOrder", &bad), PerCustomer: number(v, "perCustomer", &bad), Code: v.Value("code"), Status: inventory.Status(v.Value("status")),
		}
		if pool := v.Value("pool"); pool != "" {
			in.Pools = []string{pool}
		}
		if err := bad.Err(); err != nil {
			return err
		}
		_, err := r.Stock.CreateType(tx, v.Org.No, in)
		return err
	})
}

// ofEvent makes sure that a thing is the event's that its address names.
func ofEvent(is, named id.Event) error {
	if is != named {
		return problem.New(problem.NotFound, "not_of_event", "This is not there. Go back to the event's inventory.")
	}
	return nil
}

func (r *Room) changeType(v *frame.Visit) error {
	return r.stock(v, "", "The ticket type is changed.", func(tx *db.Tx, ev id.Event) error {
		t, err := inventory.TypeByID(tx, v.Org.No, id.TicketType(v.R.PathValue("type")), false)
		if err == nil {
			err = ofEvent(t.Listing.EventID, ev)
		}
		if err != nil {
			return err
		}
		var bad problem.Fields
		p := inventory.TypePatch{Version: version(v)}
		if to := inventory.Status(v.Value("to")); to != "" {
			p.Status = &to
		} else {
			price, n := money.Decimal(v.Value("price")), number(v, "quantity", &bad)
			p.Price, p.Quantity = &price, &n
		}
		if err := bad.Err(); err != nil {
			return err
		}
		_, err = r.Stock.UpdateType(tx, v.Org.No, t.ID, p)
		return err
	})
}

func (r *Room) withdrawType(v *frame.Visit) error {
	t, err := inventory.TypeByID(v.Read(), v.Org.No, id.TicketType(v.R.PathValue("type")), false)
	if err == nil {
		err = ofEvent(t.Listing.EventID, id.Event(v.R.PathValue("event")))
	}
	if err != nil {
		return err
	}
	if sure, err := v.Sure("Close "+t.Listing.Section+"?", "It is off the market for good. What it sold stays sold.", "Close it", "/events/"+string(t.Listing.EventID)+"/inventory"); !sure {
		return err
	}
	return r.stock(v, "", "The ticket type is closed.", func(tx *db.Tx, _ id.Event) error { return r.Stock.WithdrawType(tx, v.Org.No, t.ID, version(v)) })
}

func (r *Room) createListing(v *frame.Visit) error {
	return r.stock(v, "listing-", "The listing is made.", func(tx *db.Tx, ev id.Event) error {
		var bad problem.Fields
		in := inventory.Input{
			Event: ev, Section: v.Value("section"), Row: v.Value("row"), Quantity: number(v, "quantity", &bad), Price: money.Decimal(v.Value("price")),
			SplitRule: inventory.Rule(v.Value("splitRule")), DeliveryKind: inventory.DeliveryKind(v.Value("deliveryKind")), Status: inventory.Status(v.Value("status")),
		}
		for _, seat := range strings.Split(v.Value("seats"), ",") {
			if seat = strings.TrimSpace(seat); seat != "" {
				in.Seats = append(in.Seats, seat)
			}
		}
		if in.Quantity == 0 {
			in.Quantity = len(in.Seats)
		}
		if err := bad.Err(); err != nil {
			return err
		}
		_, err := r.Stock.Create(tx, v.Org.No, in)
		return err
	})
}

func (r *Room) changeListing(v *frame.Visit) error {
	return r.stock(v, "", "The listing is changed.", func(tx *db.Tx, ev id.Event) error {
		l, err := inventory.ByID(tx, v.Org.No, id.Listing(v.R.PathValue("listing")))
		if err == nil {
			err = ofEvent(l.EventID, ev)
		}
		if err != nil {
			return err
		}
		var bad problem.Fields
		p := inventory.Patch{Version: version(v)}
		if to := inventory.Status(v.Value("to")); to != "" {
			p.Status = &to
		} else {
			price, n := money.Decimal(v.Value("price")), number(v, "quantity", &bad)
			p.Price, p.Total = &price, &n
		}
		if err := bad.Err(); err != nil {
			return err
		}
		_, err = r.Stock.Update(tx, v.Org.No, l.ID, p)
		return err
	})
}

func (r *Room) withdrawListing(v *frame.Visit) error {
	l, err := inventory.ByID(v.Read(), v.Org.No, id.Listing(v.R.PathValue("listing")))
	if err == nil {
		err = ofEvent(l.EventID, id.Event(v.R.PathValue("event")))
	}
	if err != nil {
		return err
	}
	if sure, err := v.Sure("Close "+l.Section+", row "+l.Row+"?", "It is off the market for good. What it sold stays sold.", "Close it", "/events/"+string(l.EventID)+"/inventory"); !sure {
		return err
	}
	return r.stock(v, "", "The listing is closed.", func(tx *db.Tx, _ id.Event) error {
		_, err := r.Stock.Withdraw(tx, v.Org.No, l.ID, version(v))
		return err
	})
}

func (r *Room) createPool(v *frame.Visit) error {
	return r.stock(v, "pool-", "The pool is made.", func(tx *db.Tx, ev id.Event) error {
		var bad problem.Fields
		in := inventory.PoolInput{Name: v.Value("name"), Capacity: number(v, "capacity", &bad), Blocked: number(v, "blocked", &bad)}
		if err := bad.Err(); err != nil {
			return err
		}
		_, err := r.Stock.CreatePool(tx, v.Org.No, ev, in)
		return err
	})
}

func (r *Room) changePool(v *frame.Visit) error {
	return r.stock(v, "", "The pool is changed.", func(tx *db.Tx, ev id.Event) error {
		var bad problem.Fields
		capacity, blocked := number(v, "capacity", &bad), number(v, "blocked", &bad)
		if err := bad.Err(); err != nil {
			return err
		}
		_, err := r.Stock.UpdatePool(tx, v.Org.No, ev, v.R.PathValue("pool"), inventory.PoolPatch{Version: version(v), Capacity: &capacity, Blocked: &blocked})
		return err
	})
}

func (r *Room) deletePool(v *frame.Visit) error {
	ev, name := v.R.PathValue("event"), v.R.PathValue("pool")
	if sure, err := v.Sure("Delete the pool "+name+"?", "A pool that a ticket type draws on stays.", "Delete it", "/events/"+ev+"/inventory"); !sure {
		return err
	}
	return r.stock(v, "", "The pool is deleted.", func(tx *db.Tx, ev id.Event) error { return r.Stock.DeletePool(tx, v.Org.No, ev, name, version(v)) })
}

func (r *Room) releaseHold(v *frame.Visit) error {
	hold := id.Hold(v.R.PathValue("hold"))
	h, err := inventory.HoldByID(v.Read(), v.Org.No, hold, "")
	if err == nil {
		err = ofEvent(h.EventID, id.Event(v.R.PathValue("event")))
	}
	if err != nil {
		return err
	}
	if sure, err := v.Sure("Release this hold?", "Its places are for sale again, and whoever has it cannot order with it any more.", "Release it", "/events/"+string(h.EventID)+"/inventory"); !sure {
		return err
	}
	return r.stock(v, "", "The hold is released.", func(tx *db.Tx, _ id.Event) error {
		_, err := r.Stock.ReleaseHold(tx, v.Org.No, hold, "")
		return err
	})
}
