package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// furnish sets a fresh Stagedoor up in the way that a user would: an organisation, a key and endpoints by the commands, an event
// and its tickets by HTTP.
func (s *subject) furnish(ctx context.Context, n need) error {
	var org struct{ Slug string }
	if err := s.command(ctx, &org, "org", "create", "Bench"); err != nil {
		return err
	}
	var key struct{ Key string }
	if err := s.command(ctx, &key, "key", "create", "--org", org.Slug); err != nil {
		return err
	}
	s.key = key.Key
	format, kind := "standard", messageKind
	if n.orders {
		format, kind = "portal", "order.confirmed"
	}
	for i := range n.endpoints {
		var made struct{ ID string }
		err := s.command(ctx, &made, "endpoint", "create", "--org", org.Slug, "--url", s.receiver.url(i), "--format", format, "--event", kind)
		if err != nil {
			return err
		}
	}
	if n.ingest {
		return s.pullEndpoint(ctx)
	}
	if n.tokens > 0 {
		return s.allow(ctx, org.Slug, n.tokens)
	}
	if n.people > 0 {
		return s.admit(ctx, n.people)
	}
	if n.orders {
		return s.putOnSale(ctx)
	}
	return nil
}

// command runs one of Stagedoor's commands on the subject's data and decodes its answer.
func (s *subject) command(ctx context.Context, answer any, args ...string) error {
	args = append(args, "--json", "--data", s.dataDir())
	if url := s.databaseURL(); url != "" {
		args = append(args, "--database", url)
	}
	out, err := run(ctx, s.binary, args...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(out, answer); err != nil {
		return fmt.Errorf("%s %s answered %.200q: %w", args[0], args[1], out, err)
	}
	return nil
}

// ticketsOnSale is more than any trial sells.
const ticketsOnSale = 1_000_000

// putOnSale makes an event with one large listing, and orders for it the subject's requests.
func (s *subject) putOnSale(ctx context.Context) error {
	var event struct{ EventID string }
	err := s.post(ctx, &event, "/api/v1/events", map[string]any{
		"name": "An Evening of Figures", "startLocal": "2030-06-14T20:00:00", "timezone": "Europe/Oslo",
		"venue": "Measure Hall", "city": "Oslo", "country": "NO", "currency": "NOK",
	})
	if err != nil {
		return err
	}
	var listing struct{ ListingID string }
	err = s.post(ctx, &listing, "/api/v1/inventory", map[string]any{
		"eventId": event.EventID, "section": "Floor", "row": "1", "quantity": ticketsOnSale, "price": "75.00",
	})
	if err != nil {
		return err
	}
	s.event = event.EventID
	s.path, s.body = "/api/v1/orders", orderBody(event.EventID, listing.ListingID)
	return nil
}

// post makes one call of the API and decodes its answer.
func (s *subject) post(ctx context.Context, answer any, path string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	got, err := s.do(ctx, http.MethodPost, path, http.StatusCreated, http.Header{"Content-Type": {"application/json"}, "X-Api-Key": {s.key}}, text)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(got, answer); err != nil {
		return fmt.Errorf("POST %s answered %.200q: %w", path, got, err)
	}
	return nil
}
