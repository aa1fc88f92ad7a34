package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Past says how much [Options.SeedPages] makes.
type Past struct{ Endpoints, Deliveries, Orders, Entries int }

// Seeded is where to look at it.
type Seeded struct {
	Org             string // its id
	Email, Password string // of its owner
	Busy, Idle      string // webhooks: one with most of the deliveries, and one with none
	Failed          string // a delivery of the busy one
	Event, Order    string
}

// PageTimes is how long a page took, from the request to the last byte of the answer, in milliseconds.
type PageTimes struct {
	Path  string  `json:"path"`
	P50   float64 `json:"p50"`
	P95   float64 `json:"p95"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
	Bytes int     `json:"bytes"`
}

// page is one that is asked for. Of {org}, {busy}, {idle}, {failed}, {event} and {order} in its path the ids of what was seeded become.
type page struct{ name, path string }

// dashboard are the pages that people see most, who are signed in. Those that a build does not have are left out, and the report says so.
var dashboard = []page{
	{"glance", "/o/{org}"},
	{"charts, a day", "/o/{org}/charts"},
	{"charts, an hour", "/o/{org}/charts?span=1h"},
	{"charts, a month", "/o/{org}/charts?span=30d"},
	{"charts of one, a week", "/o/{org}/charts?span=7d&webhook={busy}"},
	{"webhooks", "/o/{org}/webhooks"},
	{"webhooks, searched", "/o/{org}/webhooks?text=4711"},
	{"webhooks, off", "/o/{org}/webhooks?state=off"},
	{"webhook, busy", "/o/{org}/webhooks/{busy}"},
	{"webhook, idle", "/o/{org}/webhooks/{idle}"},
	{"deliveries", "/o/{org}/deliveries"},
	{"deliveries, failed", "/o/{org}/deliveries?state=failed"},
	{"deliveries, retrying", "/o/{org}/deliveries?state=retrying"},
	{"deliveries of one", "/o/{org}/deliveries?webhook={busy}"},
	{"deliveries of one, failed", "/o/{org}/deliveries?webhook={busy}&state=failed"},
	{"delivery", "/o/{org}/deliveries/{failed}"},
	{"events", "/o/{org}/events"},
	{"event", "/o/{org}/events/{event}"},
	{"orders", "/o/{org}/orders"},
	{"orders, an issue", "/o/{org}/orders?status=issue"},
	{"order", "/o/{org}/orders/{order}"},
	{"tickets", "/o/{org}/tickets"},
	{"tickets, blocked", "/o/{org}/tickets?status=blocked"},
	{"attendance", "/o/{org}/attendance"},
	{"attendance of an event", "/o/{org}/attendance/{event}"},
	{"members", "/o/{org}/members"},
	{"keys", "/o/{org}/keys"},
	{"audit", "/o/{org}/audit"},
}

// lists are the same by the API, with a key.
var lists = []page{
	{"API: webhooks", "/api/v1/webhooks?limit=50"},
	{"API: deliveries", "/api/v1/webhooks/{busy}/deliveries?limit=50"},
	{"API: deliveries, failed", "/api/v1/webhooks/{busy}/deliveries?limit=50&state=failed"},
	{"API: deliveries, pending", "/api/v1/webhooks/{busy}/deliveries?limit=50&state=pending"},
	{"API: deliveries, none", "/api/v1/webhooks/{idle}/deliveries?limit=50"},
	{"API: delivery", "/api/v1/webhooks/{busy}/deliveries/{failed}"},
	{"API: events", "/api/v1/events?limit=50"},
	{"API: orders", "/api/v1/orders?limit=50"},
	{"API: orders of a status", "/api/v1/orders?limit=50&status=issue"},
	{"API: order", "/api/v1/orders/{order}"},
	{"API: tickets", "/api/v1/tickets?limit=50"},
	{"API: audit", "/api/v1/audit?limit=50"},
}

const (
	pageWarm = 5   // requests for each page that are not measured
	pageAim  = 100 // milliseconds that 99 of 100 requests for a page may take
)

// pages asks for each page again and again, one request at a time, with a month's past in the tables.
func (b *bench) pages(ctx context.Context) {
	if b.SeedPages == nil {
		b.skip("pages: this build has no way to make their past")
		return
	}
	b.each(ctx, b.stagedoors(), partPages, need{}, func(s *subject) error {
		s.server.end()
		begun := time.Now()
		made, err := b.SeedPages(ctx, s.dataDir(), s.databaseURL(), b.plan.past)
		if err != nil {
			return fmt.Errorf("make %d deliveries and %d endpoints: %w", b.plan.past.Deliveries, b.plan.past.Endpoints, err)
		}
		b.progress("made %d deliveries and %d endpoints in %v", b.plan.past.Deliveries, b.plan.past.Endpoints, time.Since(begun).Round(time.Second))
		if err := s.startServer(ctx); err != nil {
			return err
		}
		session, err := s.signIn(ctx, made)
		if err != nil {
			return err
		}
		if session == "" {
			b.skip("pages of the dashboard, %s: there is no page to sign in at", s.arm)
		}
		for _, p := range dashboard {
			if session == "" {
				break
			}
			if err := b.page(ctx, s, p, made, http.Header{"Cookie": {session}, "Accept": {"text/html"}}); err != nil {
				return err
			}
		}
		for _, p := range lists {
			if err := b.page(ctx, s, p, made, http.Header{"X-Api-Key": {s.key}}); err != nil {
				return err
			}
		}
		return nil
	})
}

// page measures one, or says that there is none.
func (b *bench) page(ctx context.Context, s *subject, p page, made Seeded, header http.Header) error {
	path := strings.NewReplacer(
		"{org}", made.Org, "{busy}", made.Busy, "{idle}", made.Idle, "{failed}", made.Failed, "{event}", made.Event, "{order}", made.Order,
	).Replace(p.path)
	took := make([]time.Duration, 0, b.plan.asked)
	var size int
	spent := s.spent()
	for n := range pageWarm + b.plan.asked {
		if n == pageWarm {
			spent = s.spent()
		}
		begun := time.Now()
		status, body, err := s.visit(ctx, path, header)
		if err != nil {
			return errors.Join(err, s.server.alive())
		}
		if status == http.StatusNotFound && n == 0 {
			b.skip("page %s, %s: there is no %s", p.name, s.arm, p.path)
			return nil
		}
		if status != http.StatusOK {
			b.fail(partPages+", "+p.name+", "+s.arm, fmt.Errorf("GET %s: status %d: %.300s", path, status, body))
			return nil
		}
		if size = len(body); n >= pageWarm {
			took = append(took, time.Since(begun))
		}
	}
	slices.Sort(took)
	at := func(percent int) float64 {
		return round(took[min(len(took)-1, (len(took)*percent+99)/100-1)].Seconds()*1e3, 2)
	}
	r := &Result{
		Part: partPages, Case: p.name, Arm: s.arm, Load: fmt.Sprintf("%d requests", b.plan.asked), Round: 1, Accepted: int64(len(took)), Delivered: int64(len(took)),
		PeakMemory: peakMemory(s.server.cmd.Process.Pid), Page: &PageTimes{Path: p.path, P50: at(50), P95: at(95), P99: at(99), Max: at(100), Bytes: size},
	}
	r.account(s.spent().minus(spent))
	b.report.Results = append(b.report.Results, r)
	b.progress("%s: p50 %.2f p95 %.2f p99 %.2f ms, at most %.2f", r.name(), r.Page.P50, r.Page.P95, r.Page.P99, r.Page.Max)
	return nil
}

// visit makes one request, and follows no redirection: a page that sends elsewhere is not the page.
func (s *subject) visit(ctx context.Context, path string, header http.Header) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.server.addr+path, http.NoBody)
	if err != nil {
		return 0, nil, err
	}
	req.Header = header
	res, err := visitor.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	body, err = io.ReadAll(io.LimitReader(res.Body, maxBody))
	return res.StatusCode, body, err
}

var visitor = &http.Client{
	Timeout: patience, Transport: &http.Transport{IdleConnTimeout: time.Minute, DisableCompression: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// signIn signs the owner in as a browser would, and returns the cookie of the session; "" where there is nowhere to sign in.
func (s *subject) signIn(ctx context.Context, made Seeded) (cookie string, err error) {
	const path = "/login"
	form := url.Values{"email": {made.Email}, "password": {made.Password}}
	var cookies []string
	ask := func(method, body string) (status int, page []byte, err error) {
		req, err := http.NewRequestWithContext(ctx, method, "http://"+s.server.addr+path, strings.NewReader(body))
		if err != nil {
			return 0, nil, err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Cookie", strings.Join(cookies, "; "))
		req.Header.Set("Origin", "http://"+s.server.addr)
		res, err := visitor.Do(req)
		if err != nil {
			return 0, nil, err
		}
		defer res.Body.Close()
		for _, c := range res.Cookies() {
			cookies = append(cookies, c.Name+"="+c.Value)
		}
		page, err = io.ReadAll(io.LimitReader(res.Body, maxBody))
		return res.StatusCode, page, err
	}
	status, page, err := ask(http.MethodGet, "")
	if err != nil || status == http.StatusNotFound {
		return "", err
	}
	found := csrfField.FindSubmatch(page)
	if found == nil {
		return "", fmt.Errorf("GET %s has no form to sign in with: %.300s", path, page)
	}
	form.Set("csrf", string(found[1]))
	cookiesBefore := len(cookies)
	status, page, err = ask(http.MethodPost, form.Encode())
	if err != nil {
		return "", err
	}
	if status != http.StatusSeeOther || len(cookies) == cookiesBefore {
		return "", fmt.Errorf("POST %s: status %d: %.300s", path, status, page)
	}
	return strings.Join(cookies, "; "), nil
}

// pageAims: whoever looks at a page does not wait for it, whatever has been in the last month.
func pageAims(r *Report, arm string) []Aim {
	var worst *Result
	for _, x := range r.Results {
		if x.Part == partPages && x.Arm == arm && x.Page != nil && (worst == nil || x.Page.P99 > worst.Page.P99) {
			worst = x
		}
	}
	if worst == nil {
		return nil
	}
	return []Aim{atMost("the slowest page ("+worst.Case+"), p99", arm, worst.Page.P99, pageAim, "ms")}
}

func (r *Result) pageRow() []string {
	p := r.Page
	return []string{
		r.Arm, r.Case, number(p.P50, 2), number(p.P95, 2), number(p.P99, 2), number(p.Max, 2), number(float64(p.Bytes)/1024, 1), number(r.CPUMillis, 3), number(r.DatabaseCPUMillis, 3),
	}
}
