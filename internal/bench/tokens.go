package bench

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The cases of the part tokens. With more tokens than requests in the time for which a server may remember a check, each is looked up anew.
const (
	oneToken   = "one token"
	manyTokens = "a token each"
)

const eventsListed = 20 // by the request that the part tokens makes

// Check is what finding out who a token belongs to takes of a request, by the server's own clock.
type Check struct {
	PerSecond float64 `json:"perSecond"` // one after the other: the inverse of the mean, waits included
	Micros    float64 `json:"micros"`    // the mean
	OfRequest float64 `json:"ofRequest"` // the share of the whole request's time
}

// tokens measures an authorised GET /api/v1/events, and how much of it is the check of the token.
func (b *bench) tokens(ctx context.Context) {
	for _, c := range []struct {
		kind string
		n    int
	}{{oneToken, 1}, {manyTokens, b.plan.tokens}} {
		b.each(ctx, b.stagedoors(), partTokens, need{endpoints: 1, tokens: c.n}, func(s *subject) error {
			for _, l := range []load{b.plan.closedLoad(), b.plan.reading} {
				r, err := b.read(ctx, s, trial{part: partTokens, kind: c.kind + ", " + l.String(), load: l})
				if err != nil {
					return err
				}
				b.enter(r)
			}
			return nil
		})
	}
}

// read runs a load of reading requests, each with a token of the subject's in turn.
func (b *bench) read(ctx context.Context, s *subject, t trial) (*Result, error) {
	req := newReading(s.server.addr, s.tokens[0])
	to := &target{addr: s.server.addr, req: req, book: s.book, fresh: func(r request) {
		copy(r.bytes[r.at:], s.tokens[rand.IntN(len(s.tokens))])
	}}
	var before timings
	r, err := b.asked(ctx, s, t, to, func() (err error) {
		before, err = s.timings(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	after, err := s.timings(ctx)
	if err != nil {
		return nil, err
	}
	r.Check = after.minus(before).check()
	return r, nil
}

// asked puts a load of requests that nothing is delivered for on a subject. begin is called after the load that is not counted.
func (b *bench) asked(ctx context.Context, s *subject, t trial, to *target, begin func() error) (*Result, error) {
	warm := t.load
	warm.length = b.plan.warm
	s.book.begin(0)
	if err := to.send(ctx, warm); err != nil {
		return nil, fmt.Errorf("before the trial: %w", err)
	}
	if err := begin(); err != nil {
		return nil, err
	}
	spent, rec := s.spent(), s.book.begin(0)
	refused := to.send(ctx, t.load)
	ended := s.book.now()
	if err := errors.Join(refused, s.server.alive()); err != nil {
		return nil, err
	}
	r := s.result(rec, t, ended)
	r.Lost, r.Endpoints = 0, 0
	r.Delivered = r.Accepted // so that the processor's time is of a request
	r.account(s.spent().minus(spent))
	r.Delivered, r.PeakMemory = 0, peakMemory(s.server.cmd.Process.Pid)
	return r, nil
}

// newReading is the request, whose place for a number is the token's.
func newReading(host, token string) request {
	head := "GET /api/v1/events?limit=" + strconv.Itoa(eventsListed) + " HTTP/1.1\r\nHost: " + host + "\r\nAuthorization: Bearer "
	return request{bytes: []byte(head + token + "\r\n\r\n"), at: len(head)}
}

// timings are sums of the server's histograms.
type timings struct{ checks, checkSeconds, requests, requestSeconds float64 }

// timings reads the server's metrics.
func (s *subject) timings(ctx context.Context) (t timings, err error) {
	text, err := s.do(ctx, http.MethodGet, "/metrics", http.StatusOK, nil, nil)
	if err != nil {
		return t, err
	}
	const route = `{method="GET",route="GET /api/v1/events"}`
	of := map[string]*float64{
		"stagedoor_credential_check_seconds_count": &t.checks, "stagedoor_credential_check_seconds_sum": &t.checkSeconds,
		"stagedoor_http_request_seconds_count" + route: &t.requests, "stagedoor_http_request_seconds_sum" + route: &t.requestSeconds,
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		i := strings.LastIndexByte(line, ' ') // a label's value may have spaces
		if i < 0 || of[line[:i]] == nil {
			continue
		}
		if *of[line[:i]], err = strconv.ParseFloat(line[i+1:], 64); err != nil {
			return t, fmt.Errorf("metric %s: %w", line[:i], err)
		}
	}
	return t, nil
}

func (t timings) minus(o timings) timings {
	return timings{t.checks - o.checks, t.checkSeconds - o.checkSeconds, t.requests - o.requests, t.requestSeconds - o.requestSeconds}
}

// check is nil where nothing was counted.
func (t timings) check() *Check {
	if t.checks == 0 || t.requests == 0 || t.checkSeconds <= 0 || t.requestSeconds <= 0 {
		return nil
	}
	mean := t.checkSeconds / t.checks
	return &Check{PerSecond: round(1/mean, 0), Micros: round(mean*1e6, 2), OfRequest: round(mean/(t.requestSeconds/t.requests), 4)}
}

// allow registers an app that acts for itself, gets it n tokens and puts events there to be read.
func (s *subject) allow(ctx context.Context, slug string, n int) error {
	var app struct{ ClientID, ClientSecret string }
	if err := s.command(ctx, &app, "client", "create", "Bench", "--org", slug, "--scope", "events:read", "--grant-type", "client_credentials"); err != nil {
		return err
	}
	form := url.Values{"grant_type": {"client_credentials"}}.Encode()
	who := http.Header{
		"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(app.ClientID+":"+app.ClientSecret))},
		"Content-Type":  {"application/x-www-form-urlencoded"},
	}
	for range n {
		text, err := s.do(ctx, http.MethodPost, "/oauth/token", http.StatusOK, who, []byte(form))
		if err != nil {
			return err
		}
		var answer struct {
			AccessToken string `json:"access_token"`
		}
		if err := json.Unmarshal(text, &answer); err != nil || answer.AccessToken == "" {
			return fmt.Errorf("the token endpoint answered %.200q: %w", text, err)
		}
		s.tokens = append(s.tokens, answer.AccessToken)
	}
	for i := range eventsListed {
		var event struct{ EventID string }
		err := s.post(ctx, &event, "/api/v1/events", map[string]any{
			"name": "Evening " + strconv.Itoa(i+1), "startLocal": "2030-06-14T20:00:00", "timezone": "Europe/Oslo",
			"venue": "Measure Hall", "city": "Oslo", "country": "NO", "currency": "NOK",
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// setUp is the client of what is done before measuring: connections are kept, and end with the servers.
var setUp = &http.Client{Timeout: patience, Transport: &http.Transport{IdleConnTimeout: time.Second}}

// do makes one request and returns the answer's body, or an error when it has another status.
func (s *subject) do(ctx context.Context, method, path string, want int, header http.Header, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.server.addr+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	res, err := setUp.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if res.StatusCode != want {
		return nil, fmt.Errorf("%s %s: status %d, want %d: %.300s", method, path, res.StatusCode, want, got)
	}
	return got, nil
}
