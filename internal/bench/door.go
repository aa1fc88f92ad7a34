package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
)

// gates is how many scanners the part door has.
const gates = 10

// door measures scans: ten gates with 50 people a second each, everybody with a ticket of their own.
func (b *bench) door(ctx context.Context) {
	l := b.plan.door
	people := int(float64(l.perSecond)*(l.length+b.plan.warm).Seconds()) + 2*gates
	b.each(ctx, b.stagedoors(), partDoor, need{endpoints: 1, people: people}, func(s *subject) error {
		var next atomic.Int64
		body := []byte(fmt.Sprintf(`{"code":%q,"eventId":%q,"gate":"North"}`, s.codes[0], s.event))
		req := newRequest(s.server.addr, "/api/v1/checkin/scan", s.key, body)
		req.at = strings.Index(string(req.bytes), s.codes[0])
		to := &target{addr: s.server.addr, req: req, book: s.book, fresh: func(r request) {
			copy(r.bytes[r.at:], s.codes[int(next.Add(1)-1)%len(s.codes)])
		}}
		r, err := b.asked(ctx, s, trial{part: partDoor, load: l}, to, func() error { return nil })
		if err == nil {
			b.enter(r)
		}
		return err
	})
}

// admit sells tickets to n people and learns their codes.
func (s *subject) admit(ctx context.Context, n int) error {
	path, body := s.path, s.body // of messages, by which the endpoint is heard of
	if err := s.putOnSale(ctx); err != nil {
		return err
	}
	orders := s.path
	var order map[string]any
	if err := json.Unmarshal(s.body, &order); err != nil {
		return err
	}
	s.path, s.body = path, body
	const most = 20 // of one order
	order["quantity"] = most
	for sold := 0; sold < n; sold += most {
		var placed struct{}
		if err := s.post(ctx, &placed, orders, order); err != nil {
			return err
		}
	}
	for offset := 0; len(s.codes) < n; offset += 100 {
		var page struct{ Data []struct{ ID, Code string } }
		path := fmt.Sprintf("/api/v1/tickets?eventId=%s&limit=100&offset=%d", s.event, offset)
		if err := s.get(ctx, &page, path); err != nil {
			return err
		}
		if len(page.Data) == 0 {
			return fmt.Errorf("GET %s: %d tickets, want %d", path, len(s.codes), n)
		}
		for _, t := range page.Data {
			if t.Code == "" { // not in lists
				if err := s.get(ctx, &t, "/api/v1/tickets/"+t.ID); err != nil {
					return err
				}
			}
			if t.Code == "" || len(s.codes) > 0 && len(t.Code) != len(s.codes[0]) {
				return fmt.Errorf("ticket %s has the code %q", t.ID, t.Code)
			}
			s.codes = append(s.codes, t.Code)
		}
	}
	return nil
}

func (s *subject) get(ctx context.Context, answer any, path string) error {
	got, err := s.do(ctx, http.MethodGet, path, http.StatusOK, http.Header{"X-Api-Key": {s.key}}, nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(got, answer); err != nil {
		return fmt.Errorf("GET %s answered %.200q: %w", path, got, err)
	}
	return nil
}
