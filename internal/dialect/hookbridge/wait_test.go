package hookbridge_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// claimed are the ids of what an answer to a claim hands out.
func (s *site) claimed(a answer) []string {
	s.t.Helper()
	ids := []string{}
	for _, v := range read[[]event](s, a).Data {
		ids = append(ids, v.ID)
	}
	return ids
}

func TestAClaimWaitsForAnEvent(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		e := s.make(map[string]any{"event_type_source": "header", "event_type_path": "X-Type"})
		claim := e.events() + "/claim"
		first := s.store(e, "1", "X-Type", "a")
		if got := s.claimed(s.must(200, "POST", claim, `{"wait":30}`)); !slices.Equal(got, []string{first}) { // there is one: nobody waits
			t.Errorf("with one that is there: %v", got)
		}
		if got := s.claimed(s.must(200, "POST", claim, `{"wait":1}`)); len(got) != 0 {
			t.Errorf("when the time is over: %v", got)
		}

		const n = 6
		answers := make(chan answer, n)
		for range n {
			go func() { answers <- s.call("POST", claim, `{"wait":30,"event_type":"b"}`) }()
		}
		other := make(chan answer, 1)
		go func() { other <- s.call("POST", claim, `{"wait":2,"event_type":"c"}`) }()
		sent, got := []string{}, []string{}
		for i := range n {
			sent = append(sent, s.store(e, fmt.Sprint(i), "X-Type", "b")) // whether they wait already or not
		}
		for range n {
			a := <-answers
			if a.status != 200 {
				t.Fatalf("what was waited for: %d %s", a.status, a.raw)
			}
			got = append(got, s.claimed(a)...)
		}
		slices.Sort(got)
		slices.Sort(sent)
		if !slices.Equal(got, sent) {
			t.Errorf("%d who waited for one event each claimed %v, want %v", n, got, sent)
		}

		if got := s.claimed(<-other); len(got) != 0 { // who waits for another type is in nobody's way
			t.Errorf("of another type: %v", got)
		}

		// A lease that comes to its end is noticed too.
		go func() { answers <- s.call("POST", claim, `{"wait":30,"event_type":"a"}`) }()
		s.pass(2 * time.Minute)
		if got := s.claimed(<-answers); !slices.Equal(got, []string{first}) {
			t.Errorf("when the lease is over: %v, want %s", got, first)
		}
		for _, bad := range []string{`{"wait":31}`, `{"wait":-1}`, `{"wait":"5"}`, `{"wait":1.5}`} {
			s.refused(400, "INVALID_REQUEST", "POST", claim, bad)
		}
	})
}

// A claim has no use for an Idempotency-Key: payloads that were claimed are kept nowhere but at their endpoint, so that they can be deleted.
func TestAClaimIsNotRepeated(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		e := s.make(nil)
		s.store(e, "1")
		s.store(e, "2")
		ask := func() answer { return s.must(200, "POST", e.events()+"/claim", `{}`, "Idempotency-Key", "one") }
		first, again := ask(), ask()
		if got := s.claimed(first); len(got) != 1 || slices.Equal(got, s.claimed(again)) || again.header.Get("Idempotency-Replayed") != "" {
			t.Errorf("first %s, then %s, want another event", first.raw, again.raw)
		}
	})
}

func TestWaitingEndsWithItsEndpoint(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		e := s.make(nil)
		answers := make(chan answer, 2)
		go func() { answers <- s.call("POST", e.events()+"/claim", `{"wait":30}`) }()
		go func() { answers <- s.call("GET", e.events()+"?wait=30", nil) }()
		s.must(200, "DELETE", e.path(), nil)
		for range 2 {
			if a := <-answers; a.status != 404 {
				t.Errorf("when the endpoint was deleted: %d %s", a.status, a.raw)
			}
		}
	})
}

func TestWaitingEndsWithTheServer(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		e := s.make(nil)
		answers := make(chan answer, 3)
		for range cap(answers) { // one looks, the others wait for their turn
			go func() { answers <- s.call("POST", e.events()+"/claim", `{"wait":30}`) }()
		}
		s.stop()
		for range cap(answers) {
			if a := <-answers; a.status != 200 || len(s.claimed(a)) != 0 {
				t.Errorf("when the server stops: %d %s", a.status, a.raw)
			}
		}
	})
}

// An organisation's requests that wait are counted until they are answered, or their client has gone. What need not wait is not counted.
func TestThoseWhoWaitAreCounted(t *testing.T) {
	s := lite(t, settings{waits: 2})
	e, full := s.make(nil), s.make(nil)
	s.store(full, "1")
	ctx, leave := context.WithCancel(t.Context())
	var gone sync.WaitGroup
	for _, ask := range []struct{ method, path, body string }{{"GET", e.events() + "?wait=30", ""}, {"POST", e.events() + "/claim", `{"wait":30}`}} {
		gone.Go(func() {
			for status := 429; status == 429; { // while one that asks below has the place
				req, err := http.NewRequestWithContext(ctx, ask.method, s.url+ask.path, strings.NewReader(ask.body))
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Authorization", "Bearer "+s.key)
				req.Header.Set("Content-Type", "application/json")
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					return
				}
				status = resp.StatusCode
				resp.Body.Close()
			}
			t.Errorf("%s %s is answered before anything came", ask.method, ask.path)
		})
	}
	var a answer
	for a.status != 429 { // until both wait
		a = s.call("GET", e.events()+"?wait=1", nil)
	}
	if f := read[any](s, a).Error; f == nil || f.Code != "TOO_MANY_WAITS" || a.header.Get("Retry-After") == "" {
		t.Errorf("one too many: %s with %v", a.raw, a.header)
	}
	s.refused(429, "TOO_MANY_WAITS", "POST", e.events()+"/claim", `{"wait":1}`)
	s.must(200, "GET", full.events()+"?wait=30", nil)
	if got := s.claimed(s.must(200, "POST", full.events()+"/claim", `{"wait":30}`)); len(got) != 1 {
		t.Errorf("what need not wait: %v", got)
	}
	s.must(200, "GET", e.events(), nil)
	leave()
	gone.Wait()
	for s.call("GET", e.events()+"?wait=1", nil).status == 429 { // until the server has noticed
	}
}
