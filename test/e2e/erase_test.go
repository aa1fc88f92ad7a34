package e2e

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/seal"
	"github.com/stagedoorhq/stagedoor/test/harness"
)

// The person who is erased, and another to whom nothing may happen.
const (
	kari     = "Kari.Nordmann@example.com"
	ola      = "ola@example.net"
	password = "correct-horse-battery-42"
)

// A person who is everywhere is erased, by the operator's command and by the organisation's own request. Then every table of the database is read, and
// the address is in none.
func TestErasedPeopleAreInNoTable(t *testing.T) {
	ways := map[string]func(t *testing.T, s *stay){
		"everywhere": func(t *testing.T, s *stay) {
			for i, want := range []string{`"account":true`, `"account":false`} {
				if out := s.Run(t, "erase", "--email", strings.ToUpper(kari), "--json"); !strings.Contains(string(out), want) {
					t.Errorf("erase the %d. time wrote %s, want %s", i+1, out, want)
				}
			}
		},
		"one organisation": func(t *testing.T, s *stay) {
			id := s.find(t, kari)
			if !strings.HasPrefix(id, "usr_") {
				t.Errorf("the id of somebody with an account is %s", id)
			}
			for range 2 { // twice is fine
				s.api.Call(t, 204, "DELETE", "/api/v1/people/"+id, nil)
			}
			refused(t, try(t, s.api, "GET", "/api/v1/people/"+id+"/export", nil), 404, "person_not_found")
		},
	}
	for name, erase := range ways {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			harness.Each(t, false, func(t *testing.T, h *harness.House) {
				s := newStay(t, h)
				s.live(t)
				s.exported(t)
				before := s.dump(t)
				for _, table := range []string{
					"users", "links", "sessions", "order_people", "orders", "tickets", "fact_private", "facts", "envelopes", "attempts", "personal_tokens", "inbound_events",
					"pull_endpoints", "pull_events", "pull_payloads", "pull_rejections", "passes",
				} {
					if len(mentions(before[table], kari)) == 0 {
						t.Errorf("the table %s does not have the address before: nothing is shown by its not having it after", table)
					}
				}
				s.sealed(t, before)
				if n := len(before["dev_endpoints"]); n != 2 {
					t.Errorf("there are %d developer endpoints", n)
				}
				if len(before["idempotency"]) < 4 || len(before["oauth_grants"]) != 1 || len(before["sign_in_failures"]) == 0 {
					t.Errorf("%d kept answers, %d grants, %d failures to sign in", len(before["idempotency"]), len(before["oauth_grants"]), len(before["sign_in_failures"]))
				}

				erase(t, s)

				after := s.dump(t)
				for table, rows := range after {
					for _, row := range mentions(rows, kari) {
						t.Errorf("%s has the address: %.500s", table, row)
					}
				}
				if n, left := len(after["dev_endpoints"]), after["inbound_events"]; n != 1 || len(left) != 2 || len(mentions(left, ola)) != 1 {
					t.Errorf("after it there are %d developer endpoints, with %d events: %v; want the organisation's own, with both of its events and Ola in one", n, len(left), left)
				}
				s.emptied(t)
				s.pocketed(t, before, after)
				s.others(t, before, after)
				s.silent(t)
				s.gone(t)
				s.files(t)
			})
		})
	}
}

// stay is an installation in which two people live.
type stay struct {
	*harness.House
	server *harness.Server
	slug   string
	api    *harness.Client
	hooks  *echo

	box              *box
	pulled           map[string]string // ids of the box's events, by where the address stands in them
	personal, access string            // Kari's tokens
	orders           []string          // Kari's
	phones           []*harness.Phone  // Kari's and Ola's
}

func newStay(t *testing.T, h *harness.House) *stay {
	t.Helper()
	s := &stay{House: h}
	var key string
	s.slug, key = h.Org(t, "Hall")
	h.Org(t, "Another Hall")
	s.server = h.Serve(t, "--log-level", "debug", "--trusted-proxy", "127.0.0.0/8")
	s.api = s.server.Client(key)
	s.hooks = newEcho(t)
	return s
}

// echo is a receiver that fails every other time, and answers with what it was sent.
type echo struct {
	url string
	mu  sync.Mutex
	got []string
}

func newEcho(t *testing.T) *echo {
	e := &echo{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		e.mu.Lock()
		e.got = append(e.got, string(b))
		status := 500
		if len(e.got)%2 == 0 {
			status = 200
		}
		e.mu.Unlock()
		w.Header().Set("Location", "/?sent="+url.QueryEscape(string(b)))
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"you sent":%q}`, bytes.ReplaceAll(b, []byte("@"), []byte(`\u0040`)))
	}))
	t.Cleanup(s.Close)
	e.url = s.URL
	return e
}

func (e *echo) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.got)
}

// live has the two do and suffer all that leaves something of a person behind.
func (s *stay) live(t *testing.T) {
	for _, who := range []string{strings.ToLower(kari), ola} {
		s.Run(t, "user", "invite", who, "--org", s.slug)
	}
	s.Feed(t, password+"\n", "user", "create", kari, "--name", "Kari", "--org", s.slug, "--role", "admin", "--password-stdin")
	s.Feed(t, password+"\n", "user", "create", ola, "--name", "Ola", "--org", s.slug, "--role", "owner", "--password-stdin")
	for _, who := range []string{strings.ToLower(kari), ola} {
		s.Run(t, "user", "reset", who)
	}
	var k struct{ Token string }
	_ = json.Unmarshal(s.Run(t, "user", "token", kari, "--org", s.slug, "--name", "of "+kari, "--json"), &k)
	s.personal = k.Token
	s.Run(t, "user", "token", ola, "--org", s.slug, "--name", "of "+ola)
	s.access = s.allow(t)
	for _, format := range []string{"standard", "portal", "cloudevents", "ethpass"} {
		events := []string{"*"}
		s.api.Call(t, 201, "POST", "/api/v1/webhooks", body{"url": s.hooks.url, "events": events, "format": format, "retry": body{"delays": []int{}}})
	}
	s.develop(t)
	s.collect(t)
	s.trade(t)
	s.settle(t)
}

// develop has developer endpoints take both in: one of the organisation's key, and one of Kari's own.
func (s *stay) develop(t *testing.T) {
	t.Helper()
	for client, people := range map[*harness.Client][]string{s.api: {kari, ola}, s.server.Client(s.personal): {kari}} {
		box := text(t, client.Call(t, 201, "POST", "/api/v1/dev-endpoints", nil), "id")
		for _, who := range people {
			s.api.Call(t, 200, "POST", "/api/webhook/"+box, body{"type": "acme.seen", "who": strings.ToUpper(who)}, "X-Sent-By", who, "X-API-Key", "")
		}
	}
}

// collect has a pull endpoint take both in: in bodies, in a header, in the name of what comes, in what was deleted and in what was refused.
func (s *stay) collect(t *testing.T) {
	t.Helper()
	made := s.api.Call(t, 201, "POST", "/v1/pull-endpoints", body{
		"name": "Till", "description": "Ask Ola or " + kari, "event_type_source": "header", "event_type_path": "X-Type", "idempotency_header_names": []string{"X-Sent-By"},
		"token_value": tillToken, "hmac_secret": tillSecret,
	})
	s.box = &box{org: &org{Client: s.api, slug: s.slug}, id: text(t, made, "data.id"), path: "/v1/pull-endpoints/" + text(t, made, "data.id"), ingest: text(t, made, "data.ingest_url")}
	harness.Secret(tillToken, tillSecret)
	s.pulled = map[string]string{
		"body":    s.box.take(t, `{"who":"`+strings.ToUpper(kari)+`"}`, nil),
		"escaped": s.box.take(t, `{"who":"`+strings.Replace(kari, "@", `\u0040`, 1)+`"}`, nil),
		"header":  s.box.take(t, `{}`, map[string]string{"X-Sent-By": kari, "Authorization": "Bearer somebody-elses"}),
		"type":    s.box.take(t, `{}`, map[string]string{"X-Type": "seen " + kari}),
		"binary":  s.box.take(t, "\xff\x00"+kari+"\xff", nil),
		"fetched": s.box.take(t, kari, nil),
		"deleted": s.box.take(t, kari, nil),
		"ola":     s.box.take(t, `{"who":"`+ola+`"}`, nil),
	}
	s.api.Call(t, 200, "GET", s.box.path+"/events/"+s.pulled["fetched"], nil)
	s.api.Call(t, 200, "DELETE", s.box.path+"/events/"+s.pulled["deleted"], nil)
	for _, who := range []string{kari, ola} {
		if a := s.box.post(t, "PUT", "", nil, map[string]string{"User-Agent": "Mail (" + who + ")"}); a.Status != 405 {
			t.Errorf("PUT to an ingest URL = %d", a.Status)
		}
	}
	s.box.rejections(t, 2)
}

// Secrets of the pull endpoint, which does not ask for them.
const (
	tillToken  = "token-of-the-till-4711"
	tillSecret = "secret-of-the-till-4711"
)

// sealed checks that no table has a secret of the pull endpoint in it.
func (s *stay) sealed(t *testing.T, tables map[string][]string) {
	t.Helper()
	for table, rows := range tables {
		for _, row := range rows {
			for _, secret := range []string{s.box.ingest[strings.LastIndexByte(s.box.ingest, '/')+1:], tillToken, tillSecret} {
				if strings.Contains(row, secret) {
					t.Errorf("%s has a secret of the pull endpoint: %.500s", table, row)
				}
			}
		}
	}
}

// emptied checks what is left of a pull endpoint's events: that they came, but for Ola's, which is whole.
func (s *stay) emptied(t *testing.T) {
	t.Helper()
	for what, id := range s.pulled {
		a := s.api.Call(t, 200, "GET", s.box.path+"/events/"+id+"?preview=true", nil)
		if what == "ola" {
			expect(t, a.Body, "data.payload.who", ola)
			continue
		}
		expect(t, a.Body, "data.payload", nil, "data.headers", nil, "data.event_type", nil, "data.received_at", filled)
	}
	expect(t, s.api.Call(t, 200, "GET", s.box.path, nil).Body, "data.counts.stored", 6, "data.counts.fetched", 1, "data.counts.total", 7)
	expect(t, s.api.Call(t, 200, "GET", s.box.path+"/events/"+s.pulled["body"], nil).Body, "data.status", "fetched", "data.payload", nil)
	expect(t, s.api.Call(t, 200, "POST", s.box.path+"/events/ack", body{"event_ids": []string{s.pulled["body"]}}).Body, "data.acknowledged", 1)
}

// trade has both buy, and their tickets go wrong in all ways.
func (s *stay) trade(t *testing.T) {
	ev := text(t, s.api.Call(t, 201, "POST", "/api/v1/events", newEvent()), "eventId")
	s.api.Call(t, 201, "POST", "/api/v1/inventory", newListing(ev))
	buy := func(who, key string) string {
		a := s.api.Call(t, 201, "POST", "/api/v1/orders", body{
			"eventId": ev, "section": "101", "row": "A", "quantity": 1, "customer": body{"email": who, "phone": body{"number": "5551234567", "countryCode": "+1"}},
			"payment": body{"provider": "till", "reference": "paid by " + who},
		}, "Idempotency-Key", key)
		return text(t, a, "order.orderId")
	}
	for i, who := range []string{kari, ola} {
		id := buy(who, who+"/1")
		for _, move := range []body{{"status": "accepted"}, {"status": "fulfilled", "transferNote": "sent to " + who}} {
			s.api.Call(t, 200, "PATCH", "/api/v1/orders", with(move, "orderId", id))
		}
		s.carry(t, id, who)
		other := buy(strings.ToUpper(who), fmt.Sprint("again", i))
		s.api.Call(t, 200, "POST", "/api/v1/orders/"+other+"/issue", body{"reason": who + " has got nothing"}, "Idempotency-Key", "issue-"+other)
		s.api.Call(t, 200, "POST", "/api/v1/orders/"+other+"/refund", body{"reason": who + " was sorry", "amount": "1.00"}, "Idempotency-Key", "refund-"+other)
		if who == kari {
			s.orders = []string{id, other}
		}
		for n, data := range []string{`{"to":"` + who + `"}`, `{"to":"` + strings.Replace(who, "@", `\u0040`, 1) + `"}`, `{}`} {
			key := ""
			if data == "{}" {
				key = who
			}
			s.api.Call(t, 202, "POST", "/api/v1/messages", body{"event": fmt.Sprintf("acme.m%d%d", i, n), "data": json.RawMessage(data), "key": key}, "Idempotency-Key", fmt.Sprint(who, n))
		}
	}
	gift := buy(ola, "gift") // Ola's order, in whose note Kari stands
	s.api.Call(t, 200, "PATCH", "/api/v1/orders", body{"orderId": gift, "status": "accepted"})
	s.api.Call(t, 200, "PATCH", "/api/v1/orders", body{"orderId": gift, "status": "fulfilled", "transferNote": "a gift for <" + kari + ">"})
}

// Wallets of the two, by their addresses.
var ethereum = map[string]string{kari: "0x1111111111111111111111111111111111111111", ola: "0x2222222222222222222222222222222222222222"}

// carry has somebody put the ticket of an order into an iPhone's wallet.
func (s *stay) carry(t *testing.T, order, who string) {
	t.Helper()
	ticket := text(t, s.api.Call(t, 200, "GET", "/api/v1/tickets?orderId="+order, nil), "data.0.id")
	made := s.api.Call(t, 200, "POST", "/v0/passes", body{
		"ticketId": ticket, "platform": "apple", "wallet": body{"chain": body{"name": "evm", "network": 1}, "address": ethereum[who]},
		"nft": body{"contractAddress": "0x3333333333333333333333333333333333333333", "tokenId": "42"}, "pass": body{"backFields": []body{{"key": "for", "label": "For", "value": who}}},
	}, "Idempotency-Key", who+"/pass")
	link := text(t, made, "fileURL")
	harness.Secret(link[strings.LastIndexByte(link, '/')+1:])
	phone := harness.NewPhone(harness.NewAPNs(t))
	s.phones = append(s.phones, phone)
	if pass := phone.Add(t, link); !pass.Has(who) {
		t.Errorf("the pass does not have what is on its back: %s", pass.Files["pass.json"])
	}
	s.api.Call(t, 200, "GET", "/v0/passes/"+text(t, made, "id")+"/distribute", nil) // another link
}

// pocketed checks what is left of passes: that they were there, but for Ola's, which is whole.
func (s *stay) pocketed(t *testing.T, before, after map[string][]string) {
	t.Helper()
	for table, rows := range after {
		for _, row := range rows {
			if strings.Contains(strings.ToLower(row), ethereum[kari]) {
				t.Errorf("%s has the address of her wallet: %.500s", table, row)
			}
		}
	}
	for _, table := range []string{"passes", "pass_assets", "pass_links", "pass_registrations"} {
		was, is, whole := len(before[table]), len(after[table]), map[string]int{"passes": 2, "pass_registrations": 2}[table]
		if was != 2 || is != max(1, whole) {
			t.Errorf("%s had %d rows and has %d", table, was, is)
		}
	}
	var owners []any
	for _, row := range s.query(t, `SELECT p.owner, p.opened, r.device IS NULL FROM passes p JOIN pass_registrations r ON r.pass_no = p.pass_no ORDER BY p.pass_no`) {
		owners = append(owners, fmt.Sprint(row...))
	}
	if len(owners) != 2 || strings.Contains(fmt.Sprint(owners[0]), "0x") || !strings.Contains(fmt.Sprint(owners[1]), ethereum[ola]) {
		t.Errorf("owners, registrations and devices are %v", owners)
	}
}

// settle waits until nothing is on its way.
func (s *stay) settle(t *testing.T) {
	t.Helper()
	eventually(t, func() bool {
		rows := s.query(t, "SELECT count(*) FROM deliveries WHERE state = 0")
		return fmt.Sprint(rows[0]) == "[0]"
	})
}

var hidden = regexp.MustCompile(`name="(\w+)" value="([^"]*)"`)

// allow signs Kari in, after a wrong password, and has her allow an app to act for her; it returns the app's token.
func (s *stay) allow(t *testing.T) string {
	var app struct{ ClientID string }
	out := s.Run(t, "client", "create", "App", "--org", s.slug, "--public", "--redirect", "https://app.example.com/cb", "--scope", "events:read", "--json")
	if err := json.Unmarshal(out, &app); err != nil || app.ClientID == "" {
		t.Fatalf("client create wrote %s", out)
	}
	jar, _ := cookiejar.New(nil)
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	visit := func(method, path string, form url.Values) (*http.Response, url.Values) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, s.server.URL+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("User-Agent", "Mail ("+kari+")")
		r.Header.Set("X-Forwarded-For", "192.0.2.77")
		resp, err := browser.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		page, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		fields := url.Values{}
		for _, m := range hidden.FindAllStringSubmatch(string(page), -1) {
			fields.Set(m[1], html.UnescapeString(m[2]))
			harness.Secret(fields.Get("csrf"))
		}
		return resp, fields
	}
	for _, tried := range []string{"wrong-" + password, password} {
		_, f := visit("GET", "/login", nil)
		f.Set("email", kari)
		f.Set("password", tried)
		visit("POST", "/login", f)
	}
	verifier := strings.Repeat("verifier-", 6)
	sum := sha256.Sum256([]byte(verifier))
	ask := url.Values{
		"response_type": {"code"}, "client_id": {app.ClientID}, "redirect_uri": {"https://app.example.com/cb"}, "scope": {"events:read"}, "state": {"for " + kari},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}, "login_hint": {kari},
	}
	visit("GET", "/oauth/authorize?"+ask.Encode(), nil) // one that stays open
	_, f := visit("GET", "/oauth/authorize?"+ask.Encode(), nil)
	f.Set("decision", "allow")
	f.Set("scope", "events:read")
	back, _ := visit("POST", "/oauth/consent", f)
	to, err := url.Parse(back.Header.Get("Location"))
	if err != nil || to.Query().Get("code") == "" {
		t.Fatalf("consent = %d to %v", back.StatusCode, to)
	}
	resp, err := http.PostForm(s.server.URL+"/oauth/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {to.Query().Get("code")}, "client_id": {app.ClientID}, "redirect_uri": {"https://app.example.com/cb"},
		"code_verifier": {verifier},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || got.AccessToken == "" {
		t.Fatalf("token = %d, %v", resp.StatusCode, err)
	}
	_, f = visit("GET", "/login", nil) // a failure that is still counted
	f.Set("email", kari)
	f.Set("password", "wrong-"+password)
	visit("POST", "/login", f)
	return got.AccessToken
}

// find returns the id of a person.
func (s *stay) find(t *testing.T, email string) string {
	t.Helper()
	return text(t, s.api.Call(t, 200, "GET", "/api/v1/people?email="+url.QueryEscape(email), nil), "data.0.id")
}

// exported checks what a person is handed over.
func (s *stay) exported(t *testing.T) {
	t.Helper()
	a := s.api.Call(t, 200, "GET", "/api/v1/people/"+s.find(t, strings.ToUpper(kari))+"/export", nil)
	if d := a.Header.Get("Content-Disposition"); !strings.HasPrefix(d, "attachment;") {
		t.Errorf("the export is %q, want an attachment", d)
	}
	expect(t, a.Body, "account.name", "Kari", "membership.role", "admin")
	for list, n := range map[string]int{"orders": 2, "tickets": 2, "passes": 1, "transfers": 0, "messages": 3, "invitations": 1, "grants": 1, "tokens": 1, "received": 8, "devEndpoints": 1, "incomplete": 0} {
		var j map[string]json.RawMessage
		_ = json.Unmarshal(a.Body, &j)
		var all []json.RawMessage
		if err := json.Unmarshal(j[list], &all); err != nil || len(all) != n {
			t.Errorf("the export has %d %s, want %d: %s", len(all), list, n, j[list])
		}
	}
	if !bytes.Contains(a.Body, []byte(`"X-Sent-By: `+kari)) || bytes.Contains(a.Body, []byte("somebody-elses")) {
		t.Errorf("the export does not have the header with her address, or another: %s", a.Body)
	}
	if bytes.Contains(a.Body, []byte(ola)) || bytes.Contains(a.Body, []byte("sd")) && regexp.MustCompile(`sd[pa]_`).Match(a.Body) {
		t.Errorf("the export has somebody else or a secret in it: %s", a.Body)
	}
}

// dump is every row of every table, as text and with the bytes of columns as they are.
func (s *stay) dump(t *testing.T) map[string][]string {
	t.Helper()
	list := `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'`
	if s.Database == "" {
		list = `SELECT name FROM sqlite_master WHERE type = 'table'`
	}
	all := map[string][]string{}
	for _, row := range s.query(t, list) {
		table := row[0].(string)
		for _, r := range s.query(t, `SELECT * FROM "`+table+`"`) {
			var line strings.Builder
			if table == "envelopes" {
				s.unseal(t, r)
			}
			for _, v := range r {
				if b, ok := v.([]byte); ok {
					v = string(b)
				}
				fmt.Fprintf(&line, "%v|", v)
			}
			all[table] = append(all[table], line.String())
		}
	}
	if len(all) < 20 {
		t.Fatalf("%d tables have rows: %v", len(all), slices.Sorted(maps.Keys(all)))
	}
	return all
}

// unseal opens the body of a kept envelope: sealed, nobody could tell whose address it has.
func (s *stay) unseal(t *testing.T, row []any) {
	t.Helper()
	keys, err := seal.Load(func(string) string { return "" }, filepath.Join(s.Data, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	variant, sealed := strings.CutPrefix(row[1].(string), "sealed ")
	if body, ok := row[4].([]byte); ok && sealed && body != nil {
		if row[4], err = keys.Open(body, fmt.Sprintf("envelope %d %s", row[0], variant)); err != nil {
			t.Errorf("a kept envelope: %v", err)
		}
	}
}

// query reads rows past the program.
func (s *stay) query(t *testing.T, statement string) [][]any {
	t.Helper()
	driver, dsn := "pgx", s.Database
	if dsn == "" {
		driver, dsn = "sqlite", filepath.Join(s.Data, "stagedoor.db")+"?_pragma=busy_timeout(5000)"
	}
	d, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	rows, err := d.QueryContext(t.Context(), statement)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all [][]any
	for rows.Next() {
		row, to := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			to[i] = &row[i]
		}
		if err := rows.Scan(to...); err != nil {
			t.Fatal(err)
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// mentions are the rows that an address stands in, however it is written.
func mentions(rows []string, email string) []string {
	var found []string
	for _, r := range rows {
		if person.Of(email).In([]byte(r)) || strings.Contains(strings.ToLower(r), strings.ToLower(email)) {
			found = append(found, r)
		}
	}
	return found
}

// others checks that what there is of Ola is there still: all but what was kept of the order that was a gift to Kari.
func (s *stay) others(t *testing.T, before, after map[string][]string) {
	t.Helper()
	for table, rows := range before {
		was := slices.DeleteFunc(mentions(rows, ola), func(r string) bool { return len(mentions([]string{r}, kari)) > 0 })
		now := mentions(after[table], ola)
		for _, r := range was {
			if !slices.Contains(now, r) {
				t.Errorf("%s does not have any more: %.500s", table, r)
			}
		}
	}
	note := 0
	for _, r := range mentions(after["order_people"], ola) {
		if strings.Contains(r, "5551234567") {
			note++
		}
	}
	if note != 3 {
		t.Errorf("%d of Ola's orders have their people, want 3", note)
	}
}

// silent checks that nothing of before is sent about Kari any more, and that what comes later is, without her.
func (s *stay) silent(t *testing.T) {
	t.Helper()
	sent := len(s.hooks.all())
	var hooks struct{ Data []struct{ ID string } }
	s.api.Call(t, 200, "GET", "/api/v1/webhooks", nil).Decode(t, &hooks)
	for _, h := range hooks.Data {
		s.api.Call(t, 202, "POST", "/api/v1/webhooks/"+h.ID+"/recover", body{"since": "2020-01-01T00:00:00Z"})
	}
	s.settle(t)
	again := s.hooks.all()[sent:]
	if len(again) == 0 {
		t.Error("nothing is sent again, Ola's neither")
	}
	for _, b := range again {
		if strings.Contains(b, s.orders[0]) || strings.Contains(b, s.orders[1]) || len(mentions([]string{b}, kari)) > 0 {
			t.Errorf("sent again after the erasure: %s", b)
		}
	}
	if rows := s.query(t, `SELECT count(*) FROM attempts WHERE code = 'erased'`); fmt.Sprint(rows[0]) == "[0]" {
		t.Error("no attempt has the code erased")
	}
	sent = len(s.hooks.all())
	s.api.Call(t, 200, "PATCH", "/api/v1/orders", body{"orderId": s.orders[0], "status": "cancelled"})
	s.settle(t)
	later := s.hooks.all()[sent:]
	if len(later) < 3 {
		t.Errorf("%d deliveries of what came after the erasure, want one to each of three webhooks", len(later))
	}
	for _, b := range later {
		if len(mentions([]string{b}, kari)) > 0 || strings.Contains(b, "5551234567") && strings.Contains(b, s.orders[0]) {
			t.Errorf("sent after the erasure: %s", b)
		}
	}
}

// gone checks that Kari has no way in any more, and that the log says that she was erased and not who she was.
func (s *stay) gone(t *testing.T) {
	t.Helper()
	for _, token := range []string{s.personal, s.access} {
		eventually(t, func() bool {
			return try(t, s.api, "GET", "/api/v1/events", nil, "X-API-Key", "", "Authorization", "Bearer "+token).Status == 401
		})
	}
	rows := s.query(t, `SELECT count(*) FROM audit_entries WHERE action = 'person.erased'`)
	if fmt.Sprint(rows[0]) == "[0]" {
		t.Error("the audit log has no entry person.erased")
	}
	if rows := s.query(t, `SELECT count(*) FROM audit_entries WHERE address = '192.0.2.77'`); fmt.Sprint(rows[0]) != "[0]" {
		t.Errorf("%v entries of the audit log have the network address that she came from", rows[0])
	}
	if n := len(mentions([]string{s.server.Log()}, kari)); n > 0 {
		t.Error("the server's log has the address")
	}
}

// files checks that SQLite's files do not have the address either, when the server has stopped and the log was written back.
func (s *stay) files(t *testing.T) {
	t.Helper()
	if err := s.server.Stop(); err != nil {
		t.Fatal(err)
	}
	if s.Database != "" {
		return
	}
	files, err := filepath.Glob(filepath.Join(s.Data, "stagedoor.db*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no database: %v", err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if i := bytes.Index(bytes.ToLower(b), []byte(strings.ToLower(kari))); i >= 0 {
			t.Errorf("%s has the address at %d: %q", filepath.Base(f), i, b[max(0, i-100):min(len(b), i+100)])
		}
	}
}
