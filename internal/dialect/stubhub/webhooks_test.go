package stubhub_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/dialect/stubhub"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

const hooks = "/v2/webhooks"

var seven = []string{"Sales", "ProvisionalSale", "CancelProvisionalSale", "SaleUpdates", "SellerListingUpdates", "Ping", "ReTransferTicket"}

type link struct {
	Href      string
	Title     *string
	Templated *bool
}

type hook struct {
	ID                  int64
	Name                *string
	CreatedAt           string `json:"created_at"`
	Topics              []string
	URL                 string
	AuthorizationHeader *string         `json:"authorization_header"`
	Links               map[string]link `json:"_links"`
}

type page struct {
	TotalItems int                    `json:"total_items"`
	Page       int                    `json:"page"`
	PageSize   int                    `json:"page_size"`
	Links      map[string]link        `json:"_links"`
	HAL        struct{ Items []hook } `json:"_embedded"`
}

// input is a body that makes a webhook, with members changed; nil takes one away.
func input(over ...any) map[string]any {
	b := map[string]any{"name": "Door desk", "url": "http://127.0.0.1:9/in", "topics": []string{"Sales", "SaleUpdates"}}
	for i := 0; i < len(over); i += 2 {
		if b[over[i].(string)] = over[i+1]; over[i+1] == nil {
			delete(b, over[i].(string))
		}
	}
	return b
}

func deref(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

func TestWebhookIsMadeReadChangedAndDeleted(t *testing.T) {
	desks(t, func(t *testing.T, d *desk) {
		made := d.must(201, "POST", hooks, input("authorization_header", "Bearer desk-key"))
		h := read[hook](d, made)
		path := fmt.Sprint(hooks, "/", h.ID)
		if got := made.header.Get("Location"); got != public+path || made.header.Get("Content-Type") != "application/hal+json" {
			t.Errorf("Location %q, Content-Type %q; want %s and HAL", got, made.header.Get("Content-Type"), public+path)
		}
		if !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`).MatchString(h.CreatedAt) || h.ID < 1 {
			t.Errorf("id %d, created_at %q", h.ID, h.CreatedAt)
		}
		want := map[string]string{"self": public + path, "webhook:update": public + path, "webhook:delete": public + path, "webhook:ping": public + path + "/ping"}
		got := map[string]string{}
		for rel, l := range h.Links {
			if got[rel] = l.Href; l.Templated == nil || *l.Templated || l.Title != nil {
				t.Errorf("the link %s is %+v, want it with templated and title", rel, l)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("links (-want +got):\n%s", diff)
		}
		for _, c := range []struct{ body, name, url, topics, header string }{
			{`{}`, "Door desk", "in", "Sales SaleUpdates", "Bearer desk-key"},
			{`{"name":null,"url":null,"topics":null,"authorization_header":null}`, "Door desk", "in", "Sales SaleUpdates", "Bearer desk-key"},
			{`{"name":"Desk 2","url":"http://127.0.0.1:9/two","topics":["Ping"]}`, "Desk 2", "two", "Ping", "Bearer desk-key"}, // as gokit's client does
			{`{"authorization_header":"Basic x"}`, "Desk 2", "two", "Ping", "Basic x"},
			{`{"authorization_header":""}`, "Desk 2", "two", "Ping", "null"},
			{`{"topics":["Sales","ReTransferTicket"]}`, "Desk 2", "two", "Sales ReTransferTicket", "null"},
		} {
			for _, a := range []answer{d.must(200, "PATCH", path, c.body), d.must(200, "GET", path, nil)} {
				now := read[hook](d, a)
				if deref(now.Name) != c.name || !strings.HasSuffix(now.URL, c.url) || strings.Join(now.Topics, " ") != c.topics || deref(now.AuthorizationHeader) != c.header ||
					now.CreatedAt != h.CreatedAt || now.ID != h.ID {
					t.Errorf("after PATCH %s: %s", c.body, a.raw)
				}
			}
		}
		if e := d.last(); !e.Options.Ordered {
			t.Error("deliveries to a webhook of /v2 are not in order")
		}
		if gone := d.must(204, "DELETE", path, nil); len(gone.raw) > 0 || !d.gone(h.ID) {
			t.Errorf("DELETE answered %q", gone.raw)
		}
		for _, method := range []string{"GET", "PATCH", "DELETE"} {
			if f := read[fault](d, d.must(404, method, path, `{}`)); f.Code != "not_found" || f.Errors != nil || f.Message == nil {
				t.Errorf("%s of a webhook that is gone: %+v", method, f)
			}
		}
		d.must(404, "POST", path+"/ping", nil)
	})
}

// last is the newest endpoint.
func (d *desk) last() *endpoint.Endpoint {
	d.t.Helper()
	all, _, err := d.book.Page(d.db.Read(d.t.Context()), endpoint.Whose{Org: d.org}, endpoint.Page{Newest: true, Limit: 1})
	if err != nil || len(all) != 1 {
		d.t.Fatalf("the newest endpoint: %v, %v", all, err)
	}
	return all[0]
}

func TestWebhookMadeElsewhereIsHereAndOthersAreNot(t *testing.T) {
	desks(t, func(t *testing.T, d *desk) {
		bare := d.endpoint(endpoint.Spec{Format: stubhub.Format, Events: []string{"*"}})
		other := d.endpoint(endpoint.Spec{Format: "standard", Events: []string{"*"}})
		p := read[page](d, d.must(200, "GET", hooks, nil))
		if p.TotalItems != 1 || len(p.HAL.Items) != 1 || p.HAL.Items[0].ID != bare.Number {
			t.Fatalf("the list is %+v, want the one in StubHub's format", p)
		}
		h := p.HAL.Items[0]
		if diff := cmp.Diff(seven, h.Topics); diff != "" || h.Name != nil || deref(h.AuthorizationHeader) != bare.Secret {
			t.Errorf("name %v, header %q, topics (-want +got):\n%s", h.Name, deref(h.AuthorizationHeader), diff)
		}
		for _, c := range [][2]string{{"GET", ""}, {"PATCH", ""}, {"DELETE", ""}, {"POST", "/ping"}} {
			for _, no := range []string{strconv.FormatInt(other.Number, 10), "0", "-1", "x", "99999999999", "2147483648", "1.0"} {
				if f := read[fault](d, d.must(404, c[0], hooks+"/"+no+c[1], `{}`)); f.Code != "not_found" {
					t.Errorf("%s %s%s: %+v", c[0], no, c[1], f)
				}
			}
		}
	})
}

func TestFaultyWebhookIsRefusedWithEveryFieldNamed(t *testing.T) {
	d := lite(t, nil)
	keeper := fmt.Sprint(hooks, "/", read[hook](d, d.must(201, "POST", hooks, input())).ID)
	many := make([]string, 101)
	for _, c := range []struct {
		over []any
		want []string
	}{
		{[]any{"name", nil, "url", nil, "topics", nil}, []string{"webhook.name", "webhook.topics", "webhook.url"}},
		{[]any{"name", "", "url", "", "topics", []string{}, "authorization_header", "a\nb"}, []string{"webhook.authorization_header", "webhook.name", "webhook.topics", "webhook.url"}},
		{[]any{"name", 1, "url", true, "topics", "Sales", "authorization_header", []int{1}}, []string{"webhook.authorization_header", "webhook.name", "webhook.topics", "webhook.url"}},
		{[]any{"name", strings.Repeat("x", 501)}, []string{"webhook.name"}},
		{[]any{"name", "two\nlines"}, []string{"webhook.name"}},
		{[]any{"name", " "}, []string{"webhook.name"}},
		{[]any{"url", "/in"}, []string{"webhook.url"}},
		{[]any{"url", "ftp://example.com/in"}, []string{"webhook.url"}},
		{[]any{"url", "http://203.0.113.7/in"}, []string{"webhook.url"}},
		{[]any{"url", "https://10.0.0.1/in"}, []string{"webhook.url"}},
		{[]any{"url", "https://127.0.0.1/" + strings.Repeat("x", 3000)}, []string{"webhook.url"}},
		{[]any{"topics", []string{"sales"}}, []string{"webhook.topics"}},
		{[]any{"topics", []string{"*"}}, []string{"webhook.topics"}},
		{[]any{"topics", []any{"Sales", 1}}, []string{"webhook.topics"}},
		{[]any{"topics", []string{"Sales", "Sales"}}, []string{"webhook.topics"}},
		{[]any{"topics", many}, []string{"webhook.topics"}},
		{[]any{"authorization_header", strings.Repeat("x", 5000)}, []string{"webhook.authorization_header"}},
		{[]any{"authorization_header", "Bearer ü"}, []string{"webhook.authorization_header"}},
		{[]any{"authorization_header", " Bearer x"}, []string{"webhook.authorization_header"}},
		{[]any{"id", 7, "active", true, "Name", "x"}, []string{"webhook.Name", "webhook.active", "webhook.id"}},
		{[]any{"url", "/in", "topics", []string{"Refunds"}, "x", 1}, []string{"webhook.topics", "webhook.url", "webhook.x"}},
	} {
		body := input(c.over...)
		f := read[fault](d, d.must(400, "POST", hooks, body))
		if got := slices.Sorted(maps.Keys(f.Errors)); f.Code != "validation_failed" || f.Message == nil || !slices.Equal(got, c.want) {
			t.Errorf("POST %v: %s with errors in %v, want %v", c.over, f.Code, got, c.want)
		}
		if body["name"] == nil {
			continue // which a change may leave out
		}
		if f = read[fault](d, d.must(400, "PATCH", keeper, body)); !slices.Equal(slices.Sorted(maps.Keys(f.Errors)), c.want) {
			t.Errorf("PATCH %v: errors %v, want %v", c.over, f.Errors, c.want)
		}
	}
	for _, body := range []string{``, `{`, `[]`, `"x"`, `null`, `{} {}`, "\xff"} {
		for method, path := range map[string]string{"POST": hooks, "PATCH": keeper} {
			if f := read[fault](d, d.must(400, method, path, body)); f.Code != "invalid_request_body" || f.Errors != nil {
				t.Errorf("%s %q: %+v", method, body, f)
			}
		}
	}
	if f := read[fault](d, d.must(415, "POST", hooks, "name=x", "Content-Type", "application/x-www-form-urlencoded")); f.Code != "invalid_request_body" {
		t.Errorf("a form: %+v", f)
	}
	for query, want := range map[string]string{"page=0": "page", "page=x": "page", "page_size=0": "page_size", "page_size=-1": "page_size", "sort=name": "sort", "cursor=x": "cursor", "cursor=WyJjcmVhdGVkX2F0IiwieCJd": "cursor"} {
		if f := read[fault](d, d.must(400, "GET", hooks+"?"+query, nil)); f.Code != "validation_failed" || f.Errors[want] == nil {
			t.Errorf("GET ?%s: %+v, want an error of %s", query, f, want)
		}
	}
	if p := read[page](d, d.must(200, "GET", hooks, nil)); p.TotalItems != 1 || deref(p.HAL.Items[0].Name) != "Door desk" {
		t.Errorf("after all that was refused there are %+v", p)
	}
}

func TestWhoMayNotIsToldSoInStubHubsWords(t *testing.T) {
	d := lite(t, nil)
	h := fmt.Sprint(hooks, "/", read[hook](d, d.must(201, "POST", hooks, input())).ID)
	weak := d.newKey(scope.EventsRead)
	gokit := regexp.MustCompile(`,error="([^"]*)",error_description="([^"]*)"`)
	for _, c := range [][2]string{{"GET", hooks}, {"POST", hooks}, {"GET", h}, {"PATCH", h}, {"DELETE", h}, {"POST", h + "/ping"}} {
		for _, token := range []string{"", "Bearer sda_nobodys", "Bearer x", "Basic x"} {
			a := d.must(401, c[0], c[1], "{", "Authorization", token)
			f := read[fault](d, a)
			if m := gokit.FindStringSubmatch(a.header.Get("WWW-Authenticate")); f.Code != "requires_authentication" || f.Error != "invalid_token" || m == nil || m[1] != "invalid_token" {
				t.Errorf("%v with %q: %s, WWW-Authenticate %q", c, token, a.raw, a.header.Get("WWW-Authenticate"))
			}
		}
		a := d.must(403, c[0], c[1], "{", "Authorization", "Bearer "+weak)
		if f := read[fault](d, a); f.Code != "insufficient_scope" || !strings.Contains(a.header.Get("WWW-Authenticate"), `,error="insufficient_scope",scope="webhooks:manage"`) {
			t.Errorf("%v without the scope: %+v, WWW-Authenticate %q", c, f, a.header.Get("WWW-Authenticate"))
		}
		d.must(403, c[0], c[1], "{", "Authorization", "Bearer "+visitor)
		if f := read[fault](d, d.must(400, c[0], c[1], "{", "User-Agent", "")); f.Code != "user_agent_required" {
			t.Errorf("%v without a user agent: %+v", c, f)
		}
	}
	d.must(200, "GET", h, nil)
}

func TestAddressesWithoutARouteAreAnsweredInStubHubsWords(t *testing.T) {
	d := lite(t, nil)
	for _, path := range []string{"/v2/nothing", "/v2/webhooks/1/nothing", "/catalog/nothing", "/v2/webhooks/"} {
		if f := read[fault](d, d.must(404, "GET", path, nil)); f.Code != "not_found" || f.Message == nil {
			t.Errorf("GET %s: %+v", path, f)
		}
	}
	for _, c := range [][3]string{{"PUT", hooks, "GET, HEAD, POST"}, {"DELETE", hooks, "GET, HEAD, POST"}, {"POST", hooks + "/1", "DELETE, GET, HEAD, PATCH"}, {"GET", hooks + "/1/ping", "POST"}} {
		a := d.must(405, c[0], c[1], nil)
		if f := read[fault](d, a); f.Code != "method_not_allowed" || a.header.Get("Allow") != c[2] {
			t.Errorf("%s %s: %+v, Allow %q, want %q", c[0], c[1], f, a.header.Get("Allow"), c[2])
		}
	}
}

func TestHTTPSIsRequiredWhereItIsAskedFor(t *testing.T) {
	d := lite(t, func(d *desk, c *stubhub.Config) { c.Secure = func(*http.Request) bool { return d.secure } })
	if f := read[fault](d, d.must(400, "GET", hooks, nil)); f.Code != "https_required" {
		t.Errorf("by http: %+v", f)
	}
	d.secure = true
	d.must(200, "GET", hooks, nil)
}

func TestOneWebhookForATopicWhereItIsAskedFor(t *testing.T) {
	desks(t, func(t *testing.T, d *desk) {
		d.book.Single = stubhub.Format
		one := read[hook](d, d.must(201, "POST", hooks, input("topics", []string{"Sales", "Ping"})))
		two := read[hook](d, d.must(201, "POST", hooks, input("topics", []string{"SaleUpdates", "Ping"})))
		taken := func(a answer) {
			t.Helper()
			if f := read[fault](d, a); f.Code != "validation_failed" || len(f.Errors["webhook.topics"]) != 1 || len(f.Errors) != 1 {
				t.Errorf("a topic that another webhook has: %+v", f)
			}
		}
		taken(d.must(400, "POST", hooks, input("topics", []string{"ReTransferTicket", "Sales"})))
		taken(d.must(400, "PATCH", fmt.Sprint(hooks, "/", two.ID), `{"topics":["Sales","SaleUpdates"]}`))
		d.must(200, "PATCH", fmt.Sprint(hooks, "/", two.ID), `{"name":"still mine","topics":["SaleUpdates","ReTransferTicket"]}`)
		d.must(204, "DELETE", fmt.Sprint(hooks, "/", one.ID), nil)
		d.must(201, "POST", hooks, input("topics", []string{"Sales"}))
	})
}

func TestPingIsAFactForThatWebhookAlone(t *testing.T) {
	desks(t, func(t *testing.T, d *desk) {
		h := read[hook](d, d.must(201, "POST", hooks, input()))
		path := fmt.Sprint(hooks, "/", h.ID)
		if got := read[hook](d, d.must(202, "POST", path+"/ping", nil)); got.ID != h.ID || got.URL != h.URL {
			t.Errorf("ping answered %+v, want the webhook", got)
		}
		if all := d.told(); len(all) != 1 || all[0].Kind != fact.EndpointPinged || all[0].Only != h.ID {
			t.Fatalf("facts %+v, want one that is for webhook %d", all, h.ID)
		}
		if err := d.configure(func(tx *db.Tx) error { return d.book.Disable(tx, h.ID, endpoint.Gone) }); err != nil {
			t.Fatal(err)
		}
		if f := read[fault](d, d.must(400, "POST", path+"/ping", nil)); f.Code != "validation_failed" || f.Errors["webhook"] == nil {
			t.Errorf("ping of one that was disabled: %+v", f)
		}
		d.must(200, "PATCH", path, `{}`) // its owner wants it again
		d.must(202, "POST", path+"/ping", nil)
	})
}

func TestPostIsRepeatedByItsIdempotencyKey(t *testing.T) {
	desks(t, func(t *testing.T, d *desk) {
		const key = "0f0f0f0f-1111-4222-8333-444444444444"
		first := d.must(201, "POST", hooks, input(), "Idempotency-Key", key)
		again := d.must(201, "POST", hooks, input(), "Idempotency-Key", key)
		if string(first.raw) != string(again.raw) || again.header.Get("Location") != first.header.Get("Location") || again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("first %s, again %s", first.raw, again.raw)
		}
		if f := read[fault](d, d.must(422, "POST", hooks, input("name", "other"), "Idempotency-Key", key)); f.Code != "idempotency_key_reused" {
			t.Errorf("with another body: %+v", f)
		}
		h := read[hook](d, first)
		ping := fmt.Sprint(hooks, "/", h.ID, "/ping")
		d.must(202, "POST", ping, nil, "Idempotency-Key", "ping-1")
		d.must(202, "POST", ping, nil, "Idempotency-Key", "ping-1")
		if p := read[page](d, d.must(200, "GET", hooks, nil)); p.TotalItems != 1 || len(d.told()) != 1 {
			t.Errorf("%d webhooks and %d pings, want one each", p.TotalItems, len(d.told()))
		}
	})
}

func TestWhoHasTheBytesIsNotSentThemAgain(t *testing.T) {
	d := lite(t, nil)
	path := fmt.Sprint(hooks, "/", read[hook](d, d.must(201, "POST", hooks, input())).ID)
	for _, p := range []string{path, hooks, "/v2"} {
		full := d.must(200, "GET", p, nil)
		tag := full.header.Get("ETag")
		for _, given := range []string{tag, "W/" + tag, `"x", ` + tag, "*"} {
			if a := d.must(304, "GET", p, nil, "If-None-Match", given); len(a.raw) > 0 || a.header.Get("ETag") != tag {
				t.Errorf("GET %s with If-None-Match %s: %q, ETag %s", p, given, a.raw, a.header.Get("ETag"))
			}
		}
		d.must(200, "GET", p, nil, "If-None-Match", `"x"`)
		if a := d.must(200, "HEAD", p, nil); len(a.raw) > 0 || a.header.Get("ETag") != tag {
			t.Errorf("HEAD %s: %q, ETag %s", p, a.raw, a.header.Get("ETag"))
		}
	}
	tag := d.must(200, "GET", path, nil).header.Get("ETag")
	d.must(200, "PATCH", path, `{"name":"New"}`)
	d.must(200, "GET", path, nil, "If-None-Match", tag)
}

func TestAuditLogSaysWhoDidWhatToWebhooksAndNoSecret(t *testing.T) {
	desks(t, func(t *testing.T, d *desk) {
		path := fmt.Sprint(hooks, "/", read[hook](d, d.must(201, "POST", hooks, input("authorization_header", "Bearer desk-key"))).ID)
		d.must(200, "PATCH", path, `{"name":"New","authorization_header":"Bearer other-key"}`)
		d.must(200, "PATCH", path, `{"name":"New"}`) // which changes nothing
		d.must(204, "DELETE", path, nil)
		all, err := audit.List(d.db.Read(t.Context()), d.org, audit.Filter{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range all {
			if !strings.HasPrefix(e.Action, "webhook.") {
				continue
			}
			if got = append(got, fmt.Sprint(e.Action, " ", e.Detail["changed"])); e.Actor == "" || e.Address != "127.0.0.1" || strings.Contains(fmt.Sprint(e.Detail), "-key") {
				t.Errorf("the entry %+v; want who it was, from where, and no secret", e)
			}
		}
		if diff := cmp.Diff([]string{"webhook.deleted <nil>", "webhook.changed [description secret]", "webhook.created <nil>"}, got); diff != "" {
			t.Errorf("the audit log (-want +got):\n%s", diff)
		}
	})
}

func TestPagesAreAsAskedFor(t *testing.T) {
	desks(t, func(t *testing.T, d *desk) {
		var all []int64
		for range 5 {
			all = append(all, read[hook](d, d.must(201, "POST", hooks, input())).ID)
		}
		ids := func(p page) (got []int64) {
			for _, h := range p.HAL.Items {
				got = append(got, h.ID)
			}
			return got
		}
		backwards := slices.Clone(all)
		slices.Reverse(backwards)
		for _, c := range []struct {
			query      string
			page, size int
			want       []int64
			links      string
		}{
			{"", 1, 100, all, "first last self webhook:create"},
			{"?page_size=10000", 1, 1000, all, "first last self webhook:create"},
			{"?page_size=2", 1, 2, all[:2], "first last next self webhook:create"},
			{"?page=2&page_size=2&sort=created_at", 2, 2, all[2:4], "first last next prev self webhook:create"},
			{"?page=3&page_size=2", 3, 2, all[4:], "first last prev self webhook:create"},
			{"?page=9&page_size=2", 9, 2, nil, "first last prev self webhook:create"},
			{"?sort=-created_at", 1, 100, backwards, "first last self webhook:create"},
			{"?sort=-created_at,created_at&page_size=2&page=2", 2, 2, backwards[2:4], "first last next prev self webhook:create"},
		} {
			p := read[page](d, d.must(200, "GET", hooks+c.query, nil))
			links := strings.Join(slices.Sorted(maps.Keys(p.Links)), " ")
			if p.TotalItems != 5 || p.Page != c.page || p.PageSize != c.size || !slices.Equal(ids(p), c.want) || links != c.links {
				t.Errorf("GET %s: total %d, page %d, page_size %d, %v with the links %s\nwant page %d, page_size %d, %v with %s",
					c.query, p.TotalItems, p.Page, p.PageSize, ids(p), links, c.page, c.size, c.want, c.links)
			}
			for rel, l := range p.Links {
				if rel != "webhook:create" {
					d.must(200, "GET", l.Href, nil)
				}
			}
		}
		if got := string(d.must(200, "GET", hooks+"?page=9", nil).raw); !strings.Contains(got, `"items":[]`) {
			t.Errorf("a page past the end: %s", got)
		}
	})
}

// Pages that are followed by their links show each webhook that was there all the time once, in both orders, whatever comes and goes meanwhile.
func TestPagesMissNothingWhileWebhooksComeAndGo(t *testing.T) {
	desks(t, func(t *testing.T, d *desk) {
		spec := endpoint.Spec{Format: stubhub.Format, Events: []string{"Sales"}, NoSecret: true}
		var live []*endpoint.Endpoint
		for range 60 {
			live = append(live, d.endpoint(spec))
		}
		for _, sort := range []string{"created_at", "-created_at"} {
			stayed := map[int64]bool{}
			for _, e := range live {
				stayed[e.Number] = true
			}
			seen := map[int64]int{}
			for next, pages := hooks+"?page_size=7&sort="+sort, 1; next != ""; pages++ {
				p := read[page](d, d.must(200, "GET", next, nil))
				if p.Page != pages {
					t.Errorf("page %d by its link says that it is page %d", pages, p.Page)
				}
				for _, h := range p.HAL.Items {
					seen[h.ID]++
				}
				next = p.Links["next"].Href
				for range 3 {
					i := rand.IntN(len(live))
					if err := d.configure(func(tx *db.Tx) error { return d.book.Delete(tx, endpoint.Whose{Org: d.org}, live[i].ID, 0, audit.By{}) }); err != nil {
						t.Fatal(err)
					}
					delete(stayed, live[i].Number)
					live = slices.Delete(live, i, i+1)
					live = append(live, d.endpoint(spec))
				}
				if pages > 100 {
					t.Fatal("the list does not end")
				}
			}
			for no, n := range seen {
				if n != 1 {
					t.Errorf("by %s, webhook %d was shown %d times", sort, no, n)
				}
			}
			for no := range stayed {
				if seen[no] != 1 {
					t.Errorf("by %s, webhook %d, which was there all the time, was shown %d times", sort, no, seen[no])
				}
			}
		}
	})
}

func TestPageIsTwoStatements(t *testing.T) {
	desks(t, func(t *testing.T, d *desk) {
		for range 3 {
			d.endpoint(endpoint.Spec{Format: stubhub.Format, Events: []string{"Sales"}})
		}
		q := &counted{Querier: d.db.Read(t.Context())}
		if all, total, err := d.book.Page(q, endpoint.Whose{Org: d.org}, endpoint.Page{Format: stubhub.Format, Limit: 2}); err != nil || len(all) != 2 || total != 3 {
			t.Fatalf("Page = %d of %d, %v", len(all), total, err)
		}
		if q.n != 2 {
			t.Errorf("a page took %d statements, want 2", q.n)
		}
	})
}

// counted counts statements.
type counted struct {
	db.Querier
	n int
}

func (c *counted) Query(sql string, args ...any) (db.Rows, error) {
	c.n++
	return c.Querier.Query(sql, args...)
}
