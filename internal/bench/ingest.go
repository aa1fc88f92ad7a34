package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"time"
)

// The sizes of bodies that the part ingest sends to a pull endpoint.
var ingestSizes = []struct {
	kind  string
	bytes int
}{{"1 KiB", 1 << 10}, {"32 KiB", 32 << 10}, {"1 MiB", 1 << 20}}

// ingest has a pull endpoint take in what it can, next to two servers that append and sync the same bodies and do nothing else with them: one for each body, as a
// plain server does, and one for all that wait, which is the durable floor.
func (b *bench) ingest(ctx context.Context) {
	var arms []string
	for _, arm := range b.arms {
		switch arm {
		case plain:
		case durable:
			arms = append(arms, single, durable)
		default:
			arms = append(arms, arm)
		}
	}
	for _, size := range ingestSizes {
		for round := range b.plan.rounds {
			b.each(ctx, arms, partIngest, need{ingest: true}, func(s *subject) error {
				return b.takeIn(ctx, s, size.bytes, trial{part: partIngest, kind: size.kind, round: round + 1, load: b.plan.closedLoad()})
			})
		}
	}
	b.each(ctx, arms, partIngest, need{ingest: true}, func(s *subject) error {
		return b.takeIn(ctx, s, ingestSizes[0].bytes, trial{part: partIngest, kind: ingestSizes[0].kind + ", " + b.plan.ingest.String(), load: b.plan.ingest})
	})
}

func (b *bench) takeIn(ctx context.Context, s *subject, size int, t trial) error {
	s.body = ingestBody(size)
	to := &target{addr: s.server.addr, req: newRequest(s.server.addr, s.path, "none", s.body), book: s.book}
	r, err := b.asked(ctx, s, t, to, func() error { return nil })
	if err == nil {
		b.enter(r)
	}
	return err
}

// ingestBody is what a provider might send, so many bytes of JSON.
func ingestBody(size int) []byte {
	const words = "charge refund invoice payout dispute balance customer account "
	body := fmt.Sprintf(`{"id":%q,"type":"payment.succeeded","text":"`, numberless)
	pad := size - len(body) - len(`"}`)
	return []byte(body + strings.Repeat(words, pad/len(words)+1)[:pad] + `"}`)
}

// pullEndpoint makes a pull endpoint and has the subject's requests go to its ingest URL.
func (s *subject) pullEndpoint(ctx context.Context) error {
	var made struct {
		Data struct {
			ID  string `json:"id"`
			URL string `json:"ingest_url"`
		}
	}
	if err := s.post(ctx, &made, "/v1/pull-endpoints", map[string]any{"name": "Bench", "event_type_source": "body", "event_type_path": "type"}); err != nil {
		return err
	}
	to, err := url.Parse(made.Data.URL)
	if err != nil {
		return err
	}
	s.path, s.body, s.pull = to.Path, ingestBody(ingestSizes[0].bytes), "/v1/pull-endpoints/"+made.Data.ID
	return nil
}

// The cases of the part kept.
const (
	fewKept  = "few kept"
	manyKept = "many kept"
)

// kept compares how fast one server lists and hands out what it keeps, when that is little and when it is much.
func (b *bench) kept(ctx context.Context) {
	if b.SeedPull == nil {
		b.skip("kept events: this build has no way to make them")
		return
	}
	b.each(ctx, b.stagedoors(), partKept, need{ingest: true}, func(s *subject) error {
		have := 0
		for _, c := range []struct {
			kind string
			n    int
		}{{fewKept, b.plan.fewKept}, {manyKept, b.plan.kept}} {
			if err := b.seedPull(ctx, s, c.n-have); err != nil {
				return err
			}
			have = c.n
			ids, err := s.sample(ctx)
			if err != nil {
				return err
			}
			if err := b.handOut(ctx, s, "list", c.kind, func() string {
				return s.pull + "/events?limit=100&since=" + url.QueryEscape(ids[rand.IntN(len(ids))].ReceivedAt)
			}); err != nil {
				return err
			}
			if err := b.handOut(ctx, s, "fetch", c.kind, func() string { return s.pull + "/events/" + ids[rand.IntN(len(ids))].ID }); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *bench) handOut(ctx context.Context, s *subject, verb, kind string, path func() string) error {
	r, err := b.asked(ctx, s, trial{part: partKept, kind: verb + ", " + kind, load: b.plan.closedLoad()}, s.asking(path), func() error { return nil })
	if err == nil {
		b.enter(r)
	}
	return err
}

// seedPull puts n more events into the stopped server's endpoint and starts it again.
func (b *bench) seedPull(ctx context.Context, s *subject, n int) error {
	s.server.end()
	begun := time.Now()
	if err := b.SeedPull(ctx, s.dataDir(), s.databaseURL(), n); err != nil {
		return fmt.Errorf("make %d kept events: %w", n, err)
	}
	b.progress("made %d kept events in %v", n, time.Since(begun).Round(time.Second))
	return s.startServer(ctx)
}

// kept is one of the events that a subject keeps.
type keptEvent struct {
	ID         string `json:"id"`
	ReceivedAt string `json:"received_at"`
}

// samples is how many events are asked for.
const samples = 1000

// sample picks events from all over what the subject keeps: ten for each of a hundred instants.
func (s *subject) sample(ctx context.Context) (ids []keptEvent, err error) {
	type page struct{ Data []keptEvent }
	var first page
	if err := s.get(ctx, &first, s.pull+"/events?limit=1"); err != nil {
		return nil, err
	}
	if len(first.Data) == 0 {
		return nil, fmt.Errorf("%s: nothing is kept", s.pull)
	}
	from, err := time.Parse(time.RFC3339, first.Data[0].ReceivedAt)
	if err != nil {
		return nil, err
	}
	span := time.Since(from)
	for range samples / 10 {
		var some page
		at := from.Add(rand.N(span)).UTC().Format(time.RFC3339Nano)
		if err := s.get(ctx, &some, s.pull+"/events?limit=10&since="+url.QueryEscape(at)); err != nil {
			return nil, err
		}
		ids = append(ids, some.Data...)
	}
	if len(ids) == 0 {
		ids = first.Data
	}
	return ids, nil
}

// asking is a load of GET requests, each for what path returns then.
func (s *subject) asking(path func() string) *target {
	const room = 256 // for a path, whose request is filled up with a header that nobody reads
	head := func(path string) string {
		line := "GET " + path + " HTTP/1.1\r\nHost: " + s.server.addr + "\r\nX-API-Key: " + s.key + "\r\nX-Filler: "
		return line + strings.Repeat("x", room+len(s.server.addr)+len(s.key)-len(line)+64) + "\r\n\r\n"
	}
	return &target{addr: s.server.addr, book: s.book, req: request{bytes: []byte(head(path()))}, fresh: func(r request) { copy(r.bytes, head(path())) }}
}
