package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// The cases of the part hot: one event, and every order wants the same.
const (
	hotListing = "a listing with stock for all"
	hotType    = "a ticket type with stock for all"
	hotSellOut = "a ticket type that sells out"
)

// Sale is what came of requests for one event's tickets. What was sold out was refused with 409, as it has to be.
type Sale struct {
	Stock     int64      `json:"stock"`
	Ordered   int64      `json:"ordered"`
	SoldOut   int64      `json:"soldOut"`   // answers 409
	Throttled int64      `json:"throttled"` // answers 429
	Failed    int64      `json:"failed"`    // answers 5xx, and none
	Other     int64      `json:"other"`     // what no buyer should see
	Oversold  int64      `json:"oversold"`  // ordered beyond the stock
	Seconds   float64    `json:"seconds"`   // from the first request to the last order
	Order     *Quantiles `json:"order,omitempty"`
	Hold      *Quantiles `json:"hold,omitempty"`
}

// till counts answers while a sale goes on.
type till struct {
	book                                             *book
	begun, last                                      atomic.Int64 // by the book's clock; last is the last order
	ordered, soldOut, throttled, failed, other, sent atomic.Int64
	holds, orders                                    histogram
}

// note counts an answer and tells whether it is the 201 that was hoped for.
func (t *till) note(h *histogram, due int64, code int, err error) bool {
	now := t.book.now()
	switch {
	case err != nil || code/100 == 5:
		t.failed.Add(1)
		return false
	case code == http.StatusTooManyRequests:
		t.throttled.Add(1)
		return false
	case code == http.StatusConflict:
		t.soldOut.Add(1)
	case code != http.StatusCreated:
		t.other.Add(1)
		return false
	}
	h.add(time.Duration(now - due))
	if code == http.StatusCreated && h == &t.orders {
		t.ordered.Add(1)
		t.last.Store(now)
	}
	return code == http.StatusCreated
}

func (t *till) sale(stock int64) *Sale {
	return &Sale{
		Stock: stock, Ordered: t.ordered.Load(), SoldOut: t.soldOut.Load(), Throttled: t.throttled.Load(), Failed: t.failed.Load(), Other: t.other.Load(),
		Oversold: max(t.ordered.Load()-stock, 0), Seconds: round(seconds(t.last.Load()-t.begun.Load()), 3), Order: t.orders.quantiles(), Hold: t.holds.quantiles(),
	}
}

// clients runs one function for each connection, as publishers do, with the time that a server which falls behind may take.
func (s *subject) clients(ctx context.Context, n int, length time.Duration, run func(p *publisher)) {
	var wait sync.WaitGroup
	for range n {
		wait.Go(func() {
			p := &publisher{addr: s.server.addr, until: time.Now().Add(length + 5*time.Minute)}
			defer p.close()
			run(p)
		})
	}
	wait.Wait()
}

// hot measures orders for one event, each answered when it is on disk, and nothing else: nobody subscribes to them.
func (b *bench) hot(ctx context.Context) {
	for _, c := range []struct {
		kind  string
		stock int64
	}{{hotListing, ticketsOnSale}, {hotType, ticketsOnSale}, {hotSellOut, b.plan.stock}} {
		b.each(ctx, b.stagedoors(), partHot, need{}, func(s *subject) error {
			ev, listing, ofType, err := s.openSale(ctx, c.stock, c.kind == hotListing)
			if err != nil {
				return err
			}
			want := orderFor(map[string]any{"eventId": ev, "listingId": listing})
			if ofType != "" {
				want = orderFor(map[string]any{"eventId": ev, "ticketTypeId": ofType})
			}
			t := &till{book: s.book}
			l := b.plan.closedLoad()
			spent := s.spent()
			t.begun.Store(s.book.now())
			end := s.book.now() + int64(l.length)
			s.clients(ctx, l.publishers, l.length, func(p *publisher) {
				p.req, p.fresh = newRequest(s.server.addr, "/api/v1/orders", s.key, want), asItIs
				for due := s.book.now(); due < end && ctx.Err() == nil; due = s.book.now() {
					code, _, err := p.exchange(ctx, 0)
					t.note(&t.orders, due, code, err)
				}
			})
			return b.sold(ctx, s, trial{part: partHot, kind: c.kind, load: l}, t.sale(c.stock), spent)
		})
	}
}

// asItIs leaves a request as it is.
func asItIs(request) {}

// rushCurve is how many reservations a real community sale had in each second.
var rushCurve = []int{7, 18, 52, 72, 131, 134, 108, 120, 125, 100, 39, 8, 14, 10, 17, 4, 8}

// onSale replays the curve, larger, as holds that become orders: each at its own instant, from which its time counts.
func (b *bench) onSale(ctx context.Context) {
	b.each(ctx, b.stagedoors(), partOnSale, need{}, func(s *subject) error {
		ev, _, ofType, err := s.openSale(ctx, b.plan.stock, false)
		if err != nil {
			return err
		}
		hold, err := json.Marshal(map[string]any{"eventId": ev, "ticketTypeId": ofType, "quantity": 1})
		if err != nil {
			return err
		}
		t := &till{book: s.book}
		length := time.Duration(len(b.plan.curve)) * time.Second / time.Duration(b.plan.hurry)
		spent := s.spent()
		due, err := t.arrivals(ctx, b.plan)
		if err != nil {
			return err
		}
		s.clients(ctx, b.plan.crowd, length, func(p *publisher) {
			holding := newRequest(s.server.addr, "/api/v1/holds", s.key, hold)
			ordering := newRequest(s.server.addr, "/api/v1/orders", s.key, orderFor(map[string]any{"eventId": ev, "holdId": noHold}))
			place := bytes.Index(ordering.bytes, []byte(noHold))
			p.fresh = asItIs
			for at := range due {
				if ctx.Err() != nil {
					continue // the arrivals end by themselves
				}
				p.req = holding
				code, body, err := p.exchange(ctx, 0)
				if !t.note(&t.holds, at, code, err) {
					continue
				}
				copy(ordering.bytes[place:place+len(noHold)], holdIn(body))
				p.req = ordering
				begun := s.book.now()
				code, _, err = p.exchange(ctx, 0)
				t.note(&t.orders, begun, code, err)
			}
		})
		x := fmt.Sprintf("%d reservations in %v, %d connections", t.sent.Load(), length, b.plan.crowd)
		return b.sold(ctx, s, trial{part: partOnSale, kind: x}, t.sale(b.plan.stock), spent)
	})
}

// arrivals sends the instants of the curve, evenly within each of its seconds.
func (t *till) arrivals(ctx context.Context, p plan) (<-chan int64, error) {
	m, err := newMetronome()
	if err != nil {
		return nil, err
	}
	total := 0
	for _, n := range p.curve {
		total += n
	}
	due := make(chan int64, total) // room for all, so that the beat never waits
	t.begun.Store(t.book.now())
	go func() {
		defer m.close()
		defer close(due)
		second := int64(time.Second) / int64(p.hurry)
		for i, n := range p.curve {
			for k := range n {
				at := t.begun.Load() + int64(i)*second + int64(k)*second/int64(n)
				m.sleep(time.Duration(at - t.book.now()))
				if ctx.Err() != nil {
					return
				}
				due <- at
				t.sent.Add(1)
			}
		}
	}()
	return due, nil
}

// noHold stands where a hold's id goes.
const noHold = "hld_00000000000000000000000000"

// holdIn is the id in the answer to a hold.
func holdIn(body []byte) []byte {
	i := bytes.Index(body, []byte(`"hld_`))
	if i < 0 || len(body) < i+1+len(noHold) {
		return nil
	}
	return body[i+1 : i+1+len(noHold)]
}

// orderFor is the body of an order for one ticket.
func orderFor(what map[string]any) []byte {
	what["quantity"] = 1
	what["customer"] = map[string]any{"email": "buyer@example.com", "phone": map[string]any{"number": "5551234567", "countryCode": "+1"}}
	body, err := json.Marshal(what)
	if err != nil {
		panic(err) // plain strings and numbers
	}
	return body
}

// openSale makes an event with stock, as a listing of the inventory or as a ticket type.
func (s *subject) openSale(ctx context.Context, stock int64, listed bool) (event, listing, ofType string, err error) {
	var made struct{ EventID, ListingID, TicketTypeID string }
	err = s.post(ctx, &made, "/api/v1/events", map[string]any{
		"name": "An Evening of Figures", "startLocal": "2030-06-14T20:00:00", "timezone": "Europe/Oslo",
		"venue": "Measure Hall", "city": "Oslo", "country": "NO", "currency": "NOK",
	})
	if err != nil {
		return "", "", "", err
	}
	event = made.EventID
	if listed {
		err = s.post(ctx, &made, "/api/v1/inventory", map[string]any{"eventId": event, "section": "Floor", "row": "1", "quantity": stock, "price": "75.00"})
	} else {
		err = s.post(ctx, &made, "/api/v1/events/"+event+"/ticket-types", map[string]any{"name": "Floor", "quantity": stock, "price": "75.00"})
	}
	return event, made.ListingID, made.TicketTypeID, err
}

// sold enters what came of a sale, after the books were audited.
func (b *bench) sold(ctx context.Context, s *subject, t trial, x *Sale, spent effort) error {
	r := &Result{Part: t.part, Case: t.kind, Arm: s.arm, Round: 1, Accepted: x.Ordered, Refused: x.Failed + x.Throttled + x.Other, Sale: x, Publish: x.Order}
	if t.load != (load{}) {
		r.Load = t.load.String()
	}
	if x.Seconds > 0 {
		r.AcceptedPerSecond = round(float64(x.Ordered)/x.Seconds, 1)
	}
	r.Delivered = r.Accepted // so that the processor's time is of an order
	r.account(s.spent().minus(spent))
	r.Delivered, r.PeakMemory = 0, peakMemory(s.server.cmd.Process.Pid)
	b.enter(r)
	if x.Oversold > 0 {
		b.fail(r.name(), fmt.Errorf("%d were ordered of %d", x.Ordered, x.Stock))
	}
	args := []string{"audit", "--data", s.dataDir()}
	if url := s.databaseURL(); url != "" {
		args = append(args, "--database", url)
	}
	_, err := run(ctx, s.binary, args...)
	return errors.Join(ctx.Err(), err, s.server.alive())
}

func (r *Result) saleRow() []string {
	x := r.Sale
	return []string{
		r.Arm, r.Case, number(r.AcceptedPerSecond, 0), fmt.Sprint(x.Ordered), fmt.Sprint(x.Stock), fmt.Sprint(x.SoldOut), fmt.Sprint(x.Throttled), fmt.Sprint(x.Failed + x.Other),
		x.Hold.String(), x.Order.String(), number(r.CPUMillis, 3), number(r.DatabaseCPUMillis, 3), fmt.Sprint(x.Oversold),
	}
}

// saleAims: so many orders a second, nothing sold twice, and no failure whatever the rush.
func saleAims(r *Report, arm string) (a []Aim) {
	perSecond := map[string]float64{sqlite: 3_000, postgres: 1_500}[arm]
	for _, x := range r.Results {
		if x.Arm != arm || x.Sale == nil {
			continue
		}
		switch x.Part {
		case partHot:
			a = append(a, atLeast("orders for one event, "+x.Case, arm, x.AcceptedPerSecond, perSecond, "/s"))
		case partOnSale:
			a = append(a, atMost("an on-sale's curve: answers 5xx, or none", arm, float64(x.Sale.Failed), 0, ""))
		}
		a = append(a, atMost(x.Part+", "+x.Case+": sold beyond the stock", arm, float64(x.Sale.Oversold), 0, ""))
	}
	return a
}
