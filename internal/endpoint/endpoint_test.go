package endpoint_test

import (
	"bytes"
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/egress"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/seal"
	"github.com/stagedoorhq/stagedoor/webhook"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

const (
	org     = 7
	another = 8
)

var ours, others = endpoint.Whose{Org: org}, endpoint.Whose{Org: another}

// vocabulary carries a few facts. One with signatures signs as Standard Webhooks.
type vocabulary struct {
	format     string
	names      map[fact.Kind]string
	own        bool
	signatures []string
}

func (v vocabulary) Format() string                       { return v.format }
func (v vocabulary) Name(k fact.Kind) (n string, ok bool) { n, ok = v.names[k]; return n, ok }
func (v vocabulary) OwnMessages() bool                    { return v.own }
func (v vocabulary) Signatures() []string                 { return v.signatures }
func (v vocabulary) Events() (all []string) {
	for _, n := range v.names {
		all = append(all, n)
	}
	slices.Sort(all)
	return all
}

var (
	narrow = vocabulary{format: "narrow", names: map[fact.Kind]string{fact.OrderAccepted: "sale.accepted", fact.OrderCancelled: "sale.cancelled"}}
	plain  = static{vocabulary{format: "plain", own: true}}
	broad  = vocabulary{format: "broad", own: true, signatures: []string{"v1", "v1a"}, names: map[fact.Kind]string{
		fact.OrderAccepted: "order.accepted", fact.EndpointPinged: "endpoint.pinged", fact.EndpointFailing: "endpoint.failing",
	}}
)

// static is a vocabulary that signs nothing.
type static struct{ vocabulary }

func (static) Static() bool { return true }

// house is a book over a database, with a ledger that keeps what it is told.
type house struct {
	t    testing.TB
	db   *db.DB
	book *endpoint.Book
	subs *endpoint.Subscriptions

	mu   sync.Mutex // guards told
	told []*fact.Fact
}

func open(t testing.TB, d *db.DB) *house {
	t.Helper()
	keys, err := seal.New(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	policy := egress.NewPolicy(egress.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	h := &house{t: t, db: d, book: endpoint.NewBook(keys, policy, narrow, broad, plain)}
	h.subs = endpoint.NewSubscriptions(d, h.book)
	h.book.Follow(h)
	return h
}

// Append keeps the facts.
func (h *house) Append(tx *db.Tx, facts ...*fact.Fact) error {
	tx.OnCommit(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.told = append(h.told, facts...)
	})
	return nil
}

func (h *house) kinds() (all []fact.Kind) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.told {
		all = append(all, f.Kind)
	}
	return all
}

func (h *house) url(raw string) endpoint.URL {
	h.t.Helper()
	u, err := h.book.CheckURL(context.Background(), raw)
	if err != nil {
		h.t.Fatalf("CheckURL(%q): %v", raw, err)
	}
	return u
}

func (h *house) spec() endpoint.Spec {
	return endpoint.Spec{URL: h.url("http://127.0.0.1:9/hook"), Format: "broad", Events: []string{"*"}}
}

func (h *house) configure(f func(tx *db.Tx) error) error {
	return h.db.Configure(context.Background(), f)
}

func (h *house) create(o int64, s endpoint.Spec) *endpoint.Endpoint {
	h.t.Helper()
	e, err := h.tryCreate(o, s)
	if err != nil {
		h.t.Fatalf("Create(%+v): %v", s, err)
	}
	return e
}

func (h *house) tryCreate(o int64, s endpoint.Spec) (e *endpoint.Endpoint, err error) {
	err = h.configure(func(tx *db.Tx) (err error) {
		e, err = h.book.Create(tx, o, s, audit.By{})
		return err
	})
	return e, err
}

func (h *house) update(e *endpoint.Endpoint, c endpoint.Change, version int64) (now *endpoint.Endpoint, err error) {
	err = h.configure(func(tx *db.Tx) (err error) {
		now, err = h.book.Update(tx, endpoint.Whose{Org: e.Org}, e.ID, c, version, audit.By{})
		return err
	})
	return now, err
}

func (h *house) get(e *endpoint.Endpoint) *endpoint.Endpoint {
	h.t.Helper()
	now, err := h.book.Get(h.db.Read(context.Background()), endpoint.Whose{Org: e.Org}, e.ID)
	if err != nil {
		h.t.Fatalf("Get(%s): %v", e.ID, err)
	}
	return now
}

// faults are the pointers and codes of a problem's fields.
func faults(err error) (all []string) {
	if p := problem.As(err); p != nil {
		for _, f := range p.Fields {
			all = append(all, f.Pointer+" "+f.Code)
		}
	}
	return all
}

func TestEverythingThatIsWrongIsToldAtOnce(t *testing.T) {
	h := open(t, dbtest.Open(t, dbtest.SQLite(t)))
	long := slices.Repeat([]string{"x"}, 100_000)
	delays := []time.Duration{0, time.Second, 25 * time.Hour, 1500 * time.Millisecond}
	many := slices.Repeat([]time.Duration{0}, 100_000)
	for _, c := range []struct {
		name string
		spec endpoint.Spec
		want []string
	}{
		{"nothing", endpoint.Spec{Format: "broad"}, []string{"/events required"}},
		{"format", endpoint.Spec{Format: "klingon", Description: "\x00"}, []string{"/format unknown_format", "/description control_characters"}},
		{"default format", endpoint.Spec{}, []string{"/format unknown_format"}}, // there is no pullup in this house
		{
			"events",
			endpoint.Spec{Format: "narrow", Events: []string{"sale.accepted", "sale.accepted", "order.accepted", "acme.happened", ""}},
			[]string{"/events/1 duplicate", "/events/2 unknown_event", "/events/3 unknown_event", "/events/4 unknown_event"},
		},
		{
			"own",
			endpoint.Spec{Format: "broad", Events: []string{"acme.happened", "order.unheard", "acme", "a..b"}},
			[]string{"/events/1 unknown_event", "/events/2 unknown_event", "/events/3 unknown_event"},
		},
		{"wildcard", endpoint.Spec{Format: "broad", Events: []string{"*", "order.accepted"}}, []string{"/events wildcard"}},
		{"too many", endpoint.Spec{Format: "broad", Events: long, Options: endpoint.Options{Retry: &many}}, []string{"/events too_many", "/retry/delays too_many"}},
		{"all", endpoint.Spec{
			Format: "narrow", Events: []string{"*"}, Description: strings.Repeat("ä", 501), Secret: " ",
			Options: endpoint.Options{Retry: &delays, RateLimit: 10_001, Signature: "v1", Headers: map[string]string{"X-Webhook-Signature": "mine"}},
		}, []string{
			"/signature not_supported", "/retry/delays/0 out_of_range", "/retry/delays/2 out_of_range", "/retry/delays/3 out_of_range",
			"/rateLimit out_of_range", "/headers/X-Webhook-Signature header_refused", "/description too_long",
		}},
		{"secret", endpoint.Spec{Format: "narrow", Events: []string{"*"}, Secret: " x"}, []string{"/secret invalid_secret"}},
		{"standard secret", endpoint.Spec{Format: "broad", Events: []string{"*"}, Secret: "whsec_short"}, []string{"/secret invalid_secret"}},
		{
			"shared for a pair",
			endpoint.Spec{Format: "broad", Events: []string{"*"}, Secret: webhook.NewSecret(), Options: endpoint.Options{Signature: "v1a"}},
			[]string{"/secret invalid_secret"},
		},
		{"signature", endpoint.Spec{Format: "broad", Events: []string{"*"}, Options: endpoint.Options{Signature: "v2"}}, []string{"/signature unknown_signature"}},
	} {
		err := h.book.Check(c.spec)
		if diff := cmp.Diff(c.want, faults(err)); diff != "" {
			t.Errorf("%s: Check faults (-want +got):\n%s", c.name, diff)
		}
		if len(err.Error()) > 10_000 {
			t.Errorf("%s: the answer has %d bytes", c.name, len(err.Error()))
		}
		c.spec.URL = h.url("http://127.0.0.1:9/")
		if _, err := h.tryCreate(org, c.spec); !slices.Equal(faults(err), c.want) {
			t.Errorf("%s: Create: %v, want the same faults", c.name, err)
		}
	}
	if _, err := h.tryCreate(org, endpoint.Spec{Format: "broad", Events: []string{"*"}}); !slices.Equal(faults(err), []string{"/url required"}) {
		t.Errorf("Create without a checked URL: %v", err)
	}
	for raw, want := range map[string]string{"": "/url required", "http://192.168.0.1/": "/url url_address", "gopher://x/": "/url url_scheme"} {
		if _, err := h.book.CheckURL(t.Context(), raw); len(faults(err)) != 1 || strings.Split(faults(err)[0], " ")[0] != "/url" {
			t.Errorf("CheckURL(%q): %v, want a fault like %s", raw, err, want)
		}
	}
}

func TestEndpointComesBackAsItWasMade(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		delays := []time.Duration{time.Second, 2 * time.Hour}
		none := []time.Duration{}
		for _, o := range []endpoint.Options{
			{},
			{Retry: &none},
			{Retry: &delays, Redact: true, Headers: map[string]string{"X-A": "1", "X-B": "2"}, RateLimit: 5, Signature: "v1", Ordered: true},
			{Signature: "v1a"},
		} {
			s := h.spec()
			s.Options, s.Description, s.Events = o, "für alle\n", []string{"order.accepted", "acme.happened"}
			made := h.create(org, s)
			if diff := cmp.Diff(made, h.get(made)); diff != "" {
				t.Errorf("Get after Create (-made +got):\n%s", diff)
			}
		}
	})
}

// Design, decision 10: what must be used again is sealed at rest. Neither secrets nor the values of headers are to be found in the file.
func TestSecretsAndHeadersAreSealed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		s := h.spec()
		s.Options.Headers = map[string]string{"Authorization": "Bearer hunter2"}
		e := h.create(org, s)
		first := e.Secret
		if err := h.configure(func(tx *db.Tx) (err error) { e, err = h.book.Rotate(tx, ours, e.ID, time.Hour, audit.By{}); return err }); err != nil {
			t.Fatal(err)
		}
		rows, err := d.Read(t.Context()).Query("SELECT url, events, description, options, headers, secret, old_secret FROM endpoints")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		if !rows.Next() {
			t.Fatal("no row")
		}
		cells := make([][]byte, 7)
		var texts [4]string
		if err := rows.Scan(&texts[0], &texts[1], &texts[2], &texts[3], &cells[4], &cells[5], &cells[6]); err != nil {
			t.Fatal(err)
		}
		all := strings.Join(texts[:], " ") + string(bytes.Join(cells, nil))
		for _, secret := range []string{"hunter2", first, e.Secret} {
			if strings.Contains(all, secret) {
				t.Errorf("the row holds %q in clear", secret)
			}
		}
		if cells[4] == nil || cells[6] == nil {
			t.Error("headers or old secret are not there")
		}
	})
}

func TestDeletedEndpointLeavesNoSecret(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		e := h.create(org, h.spec())
		if err := h.configure(func(tx *db.Tx) error { return h.book.Delete(tx, ours, e.ID, e.Version, audit.By{}) }); err != nil {
			t.Fatal(err)
		}
		n, err := db.One(d.Read(t.Context()), db.Value[int], "SELECT count(*) FROM endpoints WHERE secret IS NULL AND headers IS NULL AND deleted_at IS NOT NULL")
		if err != nil || n != 1 {
			t.Errorf("%d rows without secrets, %v; want 1", n, err)
		}
		if _, err := h.book.Get(d.Read(t.Context()), ours, e.ID); !problem.Is(err, "webhook_not_found") {
			t.Errorf("Get after Delete: %v, want webhook_not_found", err)
		}
		if err := h.configure(func(tx *db.Tx) error { return h.book.Delete(tx, ours, e.ID, 0, audit.By{}) }); !problem.Is(err, "webhook_not_found") {
			t.Errorf("Delete after Delete: %v, want webhook_not_found", err)
		}
		if err := h.subs.Refresh(t.Context()); err != nil || h.subs.Now().Endpoint(e.Number) != nil {
			t.Errorf("Refresh after Delete: %v, the cache has %v; want nothing", err, h.subs.Now().Endpoint(e.Number))
		}
	})
}

func TestOnlyThePublicHalfOfAKeyPairIsShown(t *testing.T) {
	h := open(t, dbtest.Open(t, dbtest.SQLite(t)))
	s := h.spec()
	s.Options.Signature = "v1a"
	pair, shared := h.create(org, s), h.create(org, h.spec())
	if !strings.HasPrefix(pair.Secret, "whsk_") || !strings.HasPrefix(pair.Shown(), "whpk_") {
		t.Errorf("a key pair is kept as %.5s… and shown as %.5s…, want whsk_ and whpk_", pair.Secret, pair.Shown())
	}
	if shared.Shown() != shared.Secret || !strings.HasPrefix(shared.Secret, "whsec_") {
		t.Errorf("a shared secret is %.6s… and shown as %.6s…, want the same, whsec_", shared.Secret, shared.Shown())
	}
	if public, err := webhook.PublicKey(pair.Secret); err != nil || public != pair.Shown() {
		t.Errorf("shown is %s, want %s, %v", pair.Shown(), public, err)
	}
}

// Security checklist, line 25: during a rotation both secrets sign, at the end of the overlap the old one does not, and it is forgotten.
func TestRotationOverlapsToTheInstant(t *testing.T) {
	var mu sync.Mutex
	now := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	set := func(t time.Time) { mu.Lock(); defer mu.Unlock(); now = t }
	c := dbtest.SQLite(t)
	c.Now = clock
	h := open(t, dbtest.Open(t, c))
	e := h.create(org, h.spec())
	old := e.Secret
	rotate := func(overlap time.Duration) error {
		return h.configure(func(tx *db.Tx) error {
			now, err := h.book.Rotate(tx, ours, e.ID, overlap, audit.By{})
			if err == nil {
				e = now
			}
			return err
		})
	}
	if err := rotate(time.Hour); err != nil {
		t.Fatal(err)
	}
	end := now.Add(time.Hour)
	if e.OldSecret != old || e.Secret == old || !e.OldUntil.Equal(end) {
		t.Errorf("rotated to an old secret that is right: %v, a new one: %v, until %v; want all, until %v", e.OldSecret == old, e.Secret != old, e.OldUntil, end)
	}
	signer, err := webhook.NewSigner(webhook.Standard, webhook.Key{Text: e.OldSecret, Until: e.OldUntil}, webhook.Key{Text: e.Secret})
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[time.Time]int{end.Add(-time.Microsecond): 2, end: 1} {
		headers, err := signer.AppendHeaders(nil, webhook.Message{ID: "evt_1", Time: at, Body: []byte("{}")})
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range headers {
			if got := len(strings.Fields(h.Value)); strings.EqualFold(h.Name, "webhook-signature") && got != want {
				t.Errorf("at %v there are %d signatures, want %d", at, got, want)
			}
		}
	}
	for _, c := range []struct {
		at   time.Time
		kept bool
	}{{end.Add(-time.Microsecond), true}, {end, false}} {
		set(c.at)
		text := c.at.String()
		if e, err = h.update(e, endpoint.Change{Description: &text}, 0); err != nil {
			t.Fatal(err)
		}
		if kept := h.get(e).OldSecret != ""; kept != c.kept {
			t.Errorf("changed at %v, the old secret is kept: %v, want %v", c.at, kept, c.kept)
		}
	}
	for _, overlap := range []time.Duration{-1, endpoint.MaxOverlap + 1} {
		if err := rotate(overlap); !slices.Equal(faults(err), []string{"/overlapSeconds out_of_range"}) {
			t.Errorf("Rotate with an overlap of %v: %v", overlap, err)
		}
	}
	if err := rotate(0); err != nil || e.OldSecret != "" {
		t.Errorf("Rotate without overlap: %v, keeps an old secret: %v", err, e.OldSecret != "")
	}
}

func TestChangesMindVersions(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		e := h.create(org, h.spec())
		text := "new"
		now, err := h.update(e, endpoint.Change{Description: &text}, 1)
		if err != nil || now.Version != 2 || now.Description != "new" || now.Secret != e.Secret {
			t.Fatalf("Update at version 1 = %+v, %v; want version 2 and the same secret", now, err)
		}
		if _, err := h.update(e, endpoint.Change{Description: &text}, 1); !problem.Is(err, "version_mismatch") {
			t.Errorf("Update at version 1 again: %v, want version_mismatch", err)
		}
		err = h.configure(func(tx *db.Tx) error { return h.book.Delete(tx, ours, e.ID, 1, audit.By{}) })
		if !problem.Is(err, "version_mismatch") {
			t.Errorf("Delete at version 1: %v, want version_mismatch", err)
		}
		if same, err := h.update(e, endpoint.Change{Description: &text}, 2); err != nil || same.Version != 2 {
			t.Errorf("Update that changes nothing = %+v, %v; want version 2 still", same, err)
		}
		if got := h.get(e); got.Version != 2 {
			t.Errorf("the version is %d after refusals, want 2", got.Version)
		}
	})
}

func TestWhatNeedsAnotherKeyIsRefused(t *testing.T) {
	h := open(t, dbtest.Open(t, dbtest.SQLite(t)))
	with := func(signature, secret, format string) *endpoint.Endpoint {
		s := h.spec()
		s.Options.Signature, s.Secret, s.Format = signature, secret, format
		return h.create(org, s)
	}
	text := func(s string) *string { return &s }
	for _, c := range []struct {
		name   string
		e      *endpoint.Endpoint
		change endpoint.Change
		want   []string
	}{
		{"the default by name", with("", "", "broad"), endpoint.Change{Signature: text("v1")}, nil},
		{"the default by silence", with("v1", "", "broad"), endpoint.Change{Signature: text("")}, nil},
		{"another signature", with("v1", "", "broad"), endpoint.Change{Signature: text("v1a")}, []string{"/signature not_changeable"}},
		{"a pair elsewhere", with("v1a", "", "broad"), endpoint.Change{Format: text("narrow")}, []string{"/format not_changeable"}},
		{"a shared secret elsewhere", with("v1", "", "broad"), endpoint.Change{Format: text("narrow")}, nil},
		{"a free secret to standard", with("", "my secret", "narrow"), endpoint.Change{Format: text("broad")}, []string{"/format not_changeable"}},
		{"a made secret to standard", with("", "", "narrow"), endpoint.Change{Format: text("broad")}, nil},
		{"no such format", with("", "", "narrow"), endpoint.Change{Format: text("klingon")}, []string{"/format unknown_format"}},
	} {
		if _, err := h.update(c.e, c.change, 0); !slices.Equal(faults(err), c.want) {
			t.Errorf("%s: Update: %v, want %v", c.name, err, c.want)
		}
	}
}

// Known failures, 32: every query takes the tenant.
func TestAnotherOrganisationSeesNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		e := h.create(org, h.spec())
		stranger := *e
		stranger.Org = another
		text := "mine now"
		_, get := h.book.Get(d.Read(t.Context()), others, e.ID)
		_, update := h.update(&stranger, endpoint.Change{Description: &text}, 0)
		for what, err := range map[string]error{
			"Get": get, "Update": update,
			"Rotate": h.configure(func(tx *db.Tx) error { _, err := h.book.Rotate(tx, others, e.ID, 0, audit.By{}); return err }),
			"Delete": h.configure(func(tx *db.Tx) error { return h.book.Delete(tx, others, e.ID, 0, audit.By{}) }),
			"Ping":   h.configure(func(tx *db.Tx) error { _, err := h.book.Ping(tx, others, e.ID); return err }),
		} {
			if !problem.Is(err, "webhook_not_found") {
				t.Errorf("%s by another organisation: %v, want webhook_not_found", what, err)
			}
		}
		if list, total, err := h.book.List(d.Read(t.Context()), others, 10, 0); err != nil || total != 0 || len(list) != 0 {
			t.Errorf("List of another organisation = %v, %d, %v; want nothing", list, total, err)
		}
		if diff := cmp.Diff(e, h.get(e)); diff != "" {
			t.Errorf("the endpoint has changed (-made +got):\n%s", diff)
		}
		if err := h.subs.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, f := range []*fact.Fact{{Org: another, Kind: fact.OrderAccepted}, {Org: another, Kind: fact.EndpointPinged, Only: e.Number}} {
			if got := h.subs.Now().Wanting(f); len(got) > 0 {
				t.Errorf("a fact of another organisation %+v is wanted by %s", f, got[0].ID)
			}
		}
	})
}

func TestOrganisationHasItsMostEndpoints(t *testing.T) {
	h := open(t, dbtest.Open(t, dbtest.SQLite(t)))
	h.book.Most = 3
	var last *endpoint.Endpoint
	for range 3 {
		last = h.create(org, h.spec())
	}
	if _, err := h.tryCreate(org, h.spec()); !problem.Is(err, "too_many_webhooks") {
		t.Errorf("the fourth of 3: %v, want too_many_webhooks", err)
	}
	h.create(another, h.spec()) // has its own
	if err := h.configure(func(tx *db.Tx) error { return h.book.Delete(tx, ours, last.ID, 0, audit.By{}) }); err != nil {
		t.Fatal(err)
	}
	h.create(org, h.spec())
	page, total, err := h.book.List(h.db.Read(t.Context()), ours, 2, 1)
	if err != nil || total != 3 || len(page) != 2 || page[0].Number >= page[1].Number {
		t.Errorf("List(limit 2, offset 1) = %d of %d, %v; want 2 of 3, oldest first", len(page), total, err)
	}
}

func TestStaticSecretIsTheOwnersToGiveAndMayBeNone(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		spec := func(secret string, none bool) endpoint.Spec {
			s := h.spec()
			s.Format, s.Secret, s.NoSecret = "plain", secret, none
			return s
		}
		text := func(s string) *string { return &s }
		if made := h.create(org, spec("", false)); made.Secret == "" {
			t.Error("no secret was made")
		}
		e := h.create(org, spec("", true))
		if got := h.get(e); got.Secret != "" {
			t.Errorf("the secret is %q, want none", got.Secret)
		}
		for _, secret := range []string{"Bearer desk-key", "whpk_looks like a key", "", "Basic x"} {
			var err error
			if e, err = h.update(e, endpoint.Change{Secret: &secret}, 0); err != nil {
				t.Fatalf("Update to the secret %q: %v", secret, err)
			}
			if got := h.get(e).Secret; got != secret {
				t.Errorf("the secret is %q, want %q", got, secret)
			}
		}
		for _, secret := range []string{"a\nb", " x", "ü", strings.Repeat("x", 5000)} {
			if _, err := h.update(e, endpoint.Change{Secret: &secret}, 0); !slices.Equal(faults(err), []string{"/secret invalid_secret"}) {
				t.Errorf("Update to the secret %.10q: %v", secret, err)
			}
		}
		if _, err := h.rotateTo(e, "newer", time.Hour); err != nil {
			t.Fatal(err)
		}
		if got, err := h.update(e, endpoint.Change{Secret: text("new")}, 0); err != nil || got.OldSecret != "" || h.get(e).OldSecret != "" {
			t.Errorf("a given secret leaves an old one beside it: %v", err)
		}
		signed := h.create(org, h.spec())
		if _, err := h.update(signed, endpoint.Change{Secret: text("mine")}, 0); !slices.Equal(faults(err), []string{"/secret not_changeable"}) {
			t.Errorf("Update of a signing secret: %v", err)
		}
		if _, err := h.update(signed, endpoint.Change{Format: text("plain")}, 0); !slices.Equal(faults(err), []string{"/format not_changeable"}) {
			t.Errorf("Update of what signs to a format that sends the secret as it is: %v", err)
		}
		bare := h.create(org, spec("", true))
		if _, err := h.update(bare, endpoint.Change{Format: text("narrow")}, 0); !slices.Equal(faults(err), []string{"/format not_changeable"}) {
			t.Errorf("Update without a secret to a format that signs: %v", err)
		}
		none := h.spec()
		none.NoSecret = true
		if e := h.create(org, none); e.Secret == "" {
			t.Error("an endpoint that has to sign has no secret")
		}
	})
}

func (h *house) rotateTo(e *endpoint.Endpoint, secret string, overlap time.Duration) (out *endpoint.Endpoint, err error) {
	err = h.configure(func(tx *db.Tx) error {
		out, err = h.book.RotateTo(tx, ours, e.ID, secret, overlap, audit.By{})
		return err
	})
	return out, err
}

// The receiver of a static secret knows it: a rotation needs the new one, and what the receiver expects is sent until the overlap ends.
func TestStaticSecretsAreRotatedToWhatIsGiven(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		s := h.spec()
		s.Format, s.NoSecret = "plain", true
		e := h.create(org, s)
		for secret, want := range map[string]string{"": "/secret required", " x": "/secret invalid_secret"} {
			if _, err := h.rotateTo(e, secret, time.Hour); !slices.Equal(faults(err), []string{want}) {
				t.Errorf("rotation to %q = %v, want %s", secret, err, want)
			}
		}
		if err := h.configure(func(tx *db.Tx) error { _, err := h.book.Rotate(tx, ours, e.ID, 0, audit.By{}); return err }); !slices.Equal(faults(err), []string{"/secret required"}) {
			t.Errorf("Rotate = %v, want that a secret is asked for", err)
		}
		if got := h.get(e); got.Secret != "" || got.Version != e.Version {
			t.Errorf("what was refused has made the secret %q, version %d", got.Secret, got.Version)
		}
		for _, c := range []struct {
			to, old string
			overlap time.Duration
		}{
			{"Bearer 1", "", time.Hour}, // there is nothing to go on sending
			{"Bearer 2", "Bearer 1", time.Hour},
			{"Bearer 3", "Bearer 1", time.Hour}, // which is what the receiver expects still
			{"Bearer 3", "Bearer 1", time.Hour},
			{"Bearer 4", "", 0},
		} {
			if _, err := h.rotateTo(e, c.to, c.overlap); err != nil {
				t.Fatalf("rotation to %s: %v", c.to, err)
			}
			if got := h.get(e); got.Secret != c.to || got.OldSecret != c.old || got.OldUntil.IsZero() != (c.old == "") {
				t.Errorf("rotated to %q with %q until %v beside it; want %q with %q", got.Secret, got.OldSecret, got.OldUntil, c.to, c.old)
			}
		}
		if _, err := h.rotateTo(h.create(org, h.spec()), "mine", 0); !slices.Equal(faults(err), []string{"/secret not_allowed"}) {
			t.Errorf("rotation of a signing secret to a given one = %v", err)
		}
	})
}

func TestPagesGoByNumberFormatAndOwner(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		var plain []int64
		for i := range 6 {
			s := h.spec()
			if i%2 == 0 {
				s.Format = "plain"
			}
			e := h.create(org, s)
			if i%2 == 0 {
				plain = append(plain, e.Number)
			}
			if _, err := h.book.ByNumber(d.Read(t.Context()), ours, "plain", e.Number); (err == nil) != (i%2 == 0) {
				t.Errorf("ByNumber of an endpoint in the format %s: %v", s.Format, err)
			}
			if _, err := h.book.ByNumber(d.Read(t.Context()), others, s.Format, e.Number); !problem.Is(err, "webhook_not_found") {
				t.Errorf("ByNumber by another organisation: %v", err)
			}
		}
		for _, c := range []struct {
			page  endpoint.Page
			want  []int64
			total int
		}{
			{endpoint.Page{Format: "plain", Limit: 9}, plain, 3},
			{endpoint.Page{Format: "plain", Limit: 1, After: plain[0]}, plain[1:2], 3},
			{endpoint.Page{Format: "plain", Limit: 9, After: plain[2]}, nil, 3},
			{endpoint.Page{Format: "plain", Limit: 1, Newest: true}, plain[2:], 3},
			{endpoint.Page{Format: "plain", Limit: 1, Newest: true, After: plain[2]}, plain[1:2], 3},
			{endpoint.Page{Format: "plain", Limit: 1, Newest: true, Offset: 2}, plain[:1], 3},
			{endpoint.Page{Format: "narrow", Limit: 9}, nil, 0},
		} {
			all, total, err := h.book.Page(d.Read(t.Context()), ours, c.page)
			var got []int64
			for _, e := range all {
				got = append(got, e.Number)
			}
			if err != nil || total != c.total || !slices.Equal(got, c.want) {
				t.Errorf("Page(%+v) = %v of %d, %v; want %v of %d", c.page, got, total, err, c.want, c.total)
			}
		}
	})
}

func TestSingleFormatHasOneEndpointForEachNameOfAnOwner(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		h.book.Single = "broad"
		spec := func(events ...string) endpoint.Spec {
			s := h.spec()
			s.Events = events
			return s
		}
		first := h.create(org, spec("order.accepted", "endpoint.pinged"))
		second := h.create(org, spec("endpoint.failing", "endpoint.pinged")) // tests are everybody's
		taken := []string{"/events/0 taken"}
		if _, err := h.tryCreate(org, spec("order.accepted")); !slices.Equal(faults(err), taken) {
			t.Errorf("a name that is taken: %v", err)
		}
		if _, err := h.tryCreate(org, spec("*")); len(faults(err)) != 2 {
			t.Errorf("all names, two of which are taken: %v", err)
		}
		if _, err := h.update(second, endpoint.Change{Events: &[]string{"order.accepted"}}, 0); !slices.Equal(faults(err), taken) {
			t.Errorf("Update to a name that is taken: %v", err)
		}
		if _, err := h.update(first, endpoint.Change{Events: &[]string{"order.accepted"}}, 0); err != nil {
			t.Errorf("Update to its own name: %v", err)
		}
		app := spec("order.accepted")
		app.Grant = 5
		h.create(org, app) // another owner
		h.create(another, spec("*"))
		other := spec("sale.accepted")
		other.Format = "narrow"
		h.create(org, other)
		if err := h.configure(func(tx *db.Tx) error { return h.book.Delete(tx, ours, first.ID, 0, audit.By{}) }); err != nil {
			t.Fatal(err)
		}
		h.create(org, spec("order.accepted"))
	})
}
