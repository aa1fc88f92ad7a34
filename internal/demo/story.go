package demo

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/webhook"
)

// The systems that want to hear.
const (
	boxOffice  = "box office"
	accounting = "accounting"
	archive    = "archive"
)

// patience is how long the story waits for what must arrive.
const patience = 20 * time.Second

// story is told in steps. Each says what happens, and waits for the deliveries that must come of it.
type story struct {
	*house
	api *client

	onSale   []sale
	expected []expectation // what has not arrived yet
	wanted   int
	attempts int
	refused  int // deliveries whose signature was not right
}

// sale is a show that is for sale.
type sale struct {
	show
	eventID  string
	listings []string
}

// expectation is a delivery that must arrive.
type expectation struct{ to, event string }

func (s *story) tell(ctx context.Context) error {
	if err := s.subscribe(ctx); err != nil {
		return err
	}
	for _, chapter := range []func(context.Context) error{s.goOnSale, s.sell, s.cancel} {
		if err := chapter(ctx); err != nil {
			return err
		}
	}
	s.print.line("")
	if len(s.expected) == 0 && s.refused == 0 {
		s.print.line("  " + s.print.good(fmt.Sprintf("All %d deliveries arrived, each with a valid signature, in %d attempts.", s.wanted, s.attempts)))
		return nil
	}
	s.print.line("  " + s.print.bad(s.verdict().Error()))
	return nil
}

// verdict is nil when all that was expected arrived.
func (s *story) verdict() error {
	switch {
	case len(s.expected) > 0:
		missing := make([]string, len(s.expected))
		for i, e := range s.expected {
			missing[i] = e.event + " at " + e.to
		}
		return fmt.Errorf("%d of %d deliveries did not arrive: %s", len(missing), s.wanted, strings.Join(missing, ", "))
	case s.refused > 0:
		return fmt.Errorf("%d deliveries had a signature that is not valid", s.refused)
	}
	return nil
}

// subscribe makes an endpoint for each system and tells the receiver the secret that it was given.
func (s *story) subscribe(ctx context.Context) error {
	s.print.pair("receivers", s.receiver.url+", they verify every signature:")
	for _, e := range []struct {
		system, format, about string
		scheme                webhook.Scheme
		events                []string
		fails                 int
	}{
		{boxOffice, "portal", "every order", webhook.Portal, []string{"*"}, 0},
		{accounting, "portal", "orders that are fulfilled or cancelled; it is down at first", webhook.Portal, []string{"order.fulfilled", "order.cancelled"}, 2},
		{archive, "standard", "what is on sale, sold and sold out", webhook.Standard, []string{"event.published", "order.confirmed", "pool.exhausted", "pool.reopened"}, 0},
	} {
		var made struct{ Secret string }
		err := s.api.post(ctx, "/api/v1/webhooks", object{
			"url": s.receiver.url + "/" + path(e.system), "format": e.format, "events": e.events,
			"retry": object{"delays": []int{1, 1, 1, 1}},
		}, &made)
		if err != nil {
			return err
		}
		if err := s.receiver.listen(e.system, e.scheme, made.Secret, e.fails); err != nil {
			return err
		}
		s.print.pair("", fmt.Sprintf("%-10s  %-8s  %s", e.system, e.format, e.about))
	}
	s.print.pair("times", "from the transaction, with its commit to disk, until arrival")
	return nil
}

func path(system string) string { return strings.ReplaceAll(system, " ", "-") }

func (s *story) goOnSale(ctx context.Context) error {
	s.print.chapter("On sale")
	now := time.Now()
	for _, sh := range season() {
		on, err := s.publish(ctx, sh, now)
		if err != nil {
			return err
		}
		s.onSale = append(s.onSale, on)
		s.print.step(sh.name)
		s.print.detail(fmt.Sprintf("%s, %s · %s · %d places from %s %s",
			sh.venue, sh.city, day(sh.at(now, sh.doors)), sh.free(), sh.currency, sh.lots[len(sh.lots)-1].price))
		if err := s.await(ctx, expectation{archive, "event.published"}); err != nil {
			return err
		}
	}
	return nil
}

// publish makes an event and its listings.
func (s *story) publish(ctx context.Context, sh show, now time.Time) (sale, error) {
	event := object{
		"name": sh.name, "category": sh.category, "venue": sh.venue, "city": sh.city, "country": sh.nation,
		"startLocal": sh.at(now, sh.doors), "timezone": sh.zone, "currency": sh.currency,
	}
	if sh.region != "" {
		event["region"] = sh.region
	}
	if sh.ends != "" {
		event["endLocal"] = sh.at(now, sh.ends)
	}
	on := sale{show: sh}
	var made struct{ EventID string }
	if err := s.api.post(ctx, "/api/v1/events", event, &made); err != nil {
		return on, err
	}
	on.eventID = made.EventID
	for _, l := range sh.lots {
		listing := object{"eventId": on.eventID, "section": l.section, "row": l.row, "quantity": l.size(), "price": l.price}
		if l.seats != nil {
			listing["seats"] = l.seats
		}
		if l.rule != "" {
			listing["splitRule"] = l.rule
		}
		var made struct{ ListingID string }
		if err := s.api.post(ctx, "/api/v1/inventory", listing, &made); err != nil {
			return on, err
		}
		on.listings = append(on.listings, made.ListingID)
	}
	return on, nil
}

func customer(name, code, number string) object {
	return object{"email": name + "@example.com", "phone": object{"number": number, "countryCode": code}}
}

// sell takes an order all the way. Accounting is down when it is fulfilled, and hears of it at the third attempt.
func (s *story) sell(ctx context.Context) error {
	s.print.chapter("An order")
	o, err := s.api.place(ctx, object{
		"eventId": s.onSale[0].eventID, "listingId": s.onSale[0].listings[0], "quantity": 2, "customer": customer("ingrid", "+47", "5550142"),
	})
	if err != nil {
		return err
	}
	s.print.step("Ingrid orders two seats in Tromsø")
	s.print.detail(told(o))
	if err := s.await(ctx, expectation{boxOffice, "order.confirmed"}, expectation{archive, "order.confirmed"}); err != nil {
		return err
	}
	if err := s.move(ctx, o, "accepted", "The box office accepts it", expectation{boxOffice, "order.accepted"}); err != nil {
		return err
	}
	return s.move(ctx, o, "fulfilled", "The tickets are on her phone; accounting is down and gets it when it is back",
		expectation{boxOffice, "order.fulfilled"}, expectation{accounting, "order.fulfilled"})
}

// cancel sells a show out and has the order cancelled.
func (s *story) cancel(ctx context.Context) error {
	s.print.chapter("An order that is cancelled")
	o, err := s.api.place(ctx, object{
		"eventId": s.onSale[2].eventID, "section": "Room", "row": "1", "quantity": 2, "customer": customer("haruto", "+81", "355500199"),
	})
	if err != nil {
		return err
	}
	s.print.step("Haruto takes the last two places in Tokyo")
	s.print.detail(told(o))
	err = s.await(ctx, expectation{boxOffice, "order.confirmed"}, expectation{archive, "order.confirmed"}, expectation{archive, "pool.exhausted"})
	if err != nil {
		return err
	}
	return s.move(ctx, o, "cancelled", "He cannot come: the order is cancelled, its places are for sale again",
		expectation{boxOffice, "order.cancelled"}, expectation{accounting, "order.cancelled"}, expectation{archive, "pool.reopened"})
}

func (s *story) move(ctx context.Context, o order, status, says string, expect ...expectation) error {
	if err := s.api.move(ctx, o.OrderID, status); err != nil {
		return err
	}
	s.print.step(says)
	return s.await(ctx, expect...)
}

func told(o order) string {
	return fmt.Sprintf("%s · %s, row %s, seats %s · %s %s", o.OrderNumber, o.Section, o.Row, strings.Join(o.Seats, " and "), o.Currency, o.TotalAmount)
}

// await shows deliveries as they arrive until all that is expected has. What does not arrive in time is left for the verdict.
func (s *story) await(ctx context.Context, expect ...expectation) error {
	s.expected = append(s.expected, expect...)
	s.wanted += len(expect)
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for len(s.expected) > 0 {
		select {
		case a := <-s.receiver.arrivals:
			s.arrived(ctx, a)
		case <-timeout.C:
			return nil
		case <-s.ended:
			return errEnded
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// arrived shows a delivery.
func (s *story) arrived(ctx context.Context, a arrival) {
	s.attempts++
	if a.refused != nil {
		s.refused++
		s.print.line(s.print.bad(fmt.Sprintf("      %-11s a delivery that is not ours: %v", a.to, a.refused)))
		return
	}
	if a.status == http.StatusOK {
		if i := slices.Index(s.expected, expectation{a.to, a.event}); i >= 0 {
			s.expected = slices.Delete(s.expected, i, i+1)
		}
	}
	took := "?"
	if facts, err := ledger.Load(s.core.DB.Read(ctx), []int64{a.fact}); err == nil && len(facts) == 1 {
		took = duration(a.at.Sub(facts[0].At))
	}
	s.print.delivery(a, took)
}

// invite says what to do now that the story is told.
func (s *story) invite() {
	s.print.chapter("Your turn")
	s.print.line("  The server stays up, and shows what it delivers, until Ctrl-C. The API key is")
	s.print.line("")
	s.print.line("    " + s.print.bold(s.key))
	s.print.line("")
	s.print.line("  What is on sale:")
	s.print.line("")
	s.print.line(fmt.Sprintf("    curl -s -H 'X-API-Key: %s' '%s/api/v1/events'", s.key, s.url))
	s.print.line("")
	s.print.line("  Buy two places in Manchester:")
	s.print.line("")
	s.print.line(fmt.Sprintf("    curl -s -H 'X-API-Key: %s' -H 'Content-Type: application/json' '%s/api/v1/orders' \\", s.key, s.url))
	s.print.line(fmt.Sprintf(`      -d '{"eventId":"%s","listingId":"%s","quantity":2,"customer":{"email":"you@example.com","phone":{"number":"5550100","countryCode":"+44"}}}'`,
		s.onSale[1].eventID, s.onSale[1].listings[0]))
	s.print.line("")
}
