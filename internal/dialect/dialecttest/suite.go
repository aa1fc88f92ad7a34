package dialecttest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/webhook"
)

// Suite is what every dialect promises.
type Suite struct {
	// New makes the dialect.
	New func(People) delivery.Dialect
	// Scheme is how its deliveries are signed.
	Scheme webhook.Scheme
	// NoPeople says that it never looks anybody up.
	NoPeople bool
	// Update rewrites the golden files instead of comparing with them.
	Update bool
}

// Run holds the dialect to it.
func (s Suite) Run(t *testing.T) {
	t.Run("EventsListsWhatNameReturns", s.testNames)
	t.Run("EnvelopesAreTheGoldenFiles", s.testGolden)
	t.Run("SameFactSameBytes", s.testSameBytes)
	t.Run("SameVariantSameBytes", s.testVariants)
	t.Run("NothingPersonalWhereItIsRedactedOrErased", s.testPersonal)
	t.Run("MessageDataIsUntouched", s.testMessageData)
	t.Run("WhatCannotBeToldIsAnError", s.testRefusals)
	t.Run("SignaturesVerify", s.testSignatures)
	t.Run("OldSecretUntilItsEnd", s.testRotation)
}

// carried returns the cases that a dialect has an event for, with the event's name.
func carried(d delivery.Dialect) (cases []Case, names []string) {
	for _, c := range Cases() {
		name, ok := string(c.Fact.Kind), d.OwnMessages()
		if fact.Reserved(name) {
			name, ok = d.Name(c.Fact.Kind)
		}
		if ok {
			cases, names = append(cases, c), append(names, name)
		}
	}
	return cases, names
}

func render(t *testing.T, d delivery.Dialect, c Case, e *endpoint.Endpoint) []byte {
	t.Helper()
	b, err := d.Render(context.Background(), c.Fact, e)
	if err != nil {
		t.Fatalf("Render(%s) failed: %v", c.Name, err)
	}
	return b
}

func (s Suite) testNames(t *testing.T) {
	d := s.New(Known)
	events := d.Events()
	for _, k := range fact.Native() {
		if name, ok := d.Name(k); ok && !slices.Contains(events, name) {
			t.Errorf("Name(%s) = %q, which is not in Events() = %q", k, name, events)
		}
		if !slices.ContainsFunc(Cases(), func(c Case) bool { return c.Fact.Kind == k }) {
			t.Errorf("Cases() has no fact of kind %s", k)
		}
	}
	sorted := slices.Sorted(slices.Values(events))
	if len(slices.Compact(sorted)) != len(events) {
		t.Errorf("Events() = %q has a name twice", events)
	}
	if d.OwnMessages() {
		for _, name := range events {
			if fact.ValidName(name) && !fact.Reserved(name) {
				t.Errorf("Events() has %q, which an organisation's own message may be called, too", name)
			}
		}
	}
}

// testGolden compares every envelope with its file: as it usually is, redacted, and with the person erased. The latter two have files only where
// they differ from the first.
func (s Suite) testGolden(t *testing.T) {
	known, erased := s.New(Known), s.New(Erased)
	format := known.Format()
	left := map[string]bool{}
	found, err := filepath.Glob("testdata/*.golden.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		left[f] = true
	}
	cases, _ := carried(known)
	for _, c := range cases {
		usual := render(t, known, c, Endpoint(format, false))
		for _, v := range []struct {
			suffix string
			got    []byte
		}{
			{"", usual},
			{".redacted", render(t, known, c, Endpoint(format, true))},
			{".erased", render(t, erased, c, Endpoint(format, false))},
		} {
			if v.suffix != "" && bytes.Equal(v.got, usual) {
				continue
			}
			file := filepath.Join("testdata", c.Name+v.suffix+".golden.json")
			delete(left, file)
			s.golden(t, file, v.got)
		}
	}
	for file := range left {
		if s.Update {
			if err := os.Remove(file); err != nil {
				t.Error(err)
			}
			continue
		}
		t.Errorf("%s belongs to no envelope any more; -update removes it", file)
	}
}

func (s Suite) golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if s.Update {
		var b bytes.Buffer
		if err := json.Indent(&b, got, "", "  "); err != nil {
			t.Fatalf("%s would not be JSON: %v\n%s", file, err, got)
		}
		b.WriteByte('\n')
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(Golden(t, file)), string(got)); diff != "" {
		t.Errorf("envelope of %s differs from its file (-want +got), which -update rewrites:\n%s", file, diff)
	}
}

// Golden returns the envelope in a golden file, byte for byte as it is sent.
func Golden(t testing.TB, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; -update writes it", err)
	}
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return b.Bytes()
}

func (s Suite) testSameBytes(t *testing.T) {
	d := s.New(Known)
	first, _ := carried(d)
	again, _ := carried(s.New(Known))
	for i, c := range first {
		want, data := render(t, d, c, Endpoint(d.Format(), false)), bytes.Clone(c.Fact.Data)
		for range 3 {
			if got := render(t, d, c, Endpoint(d.Format(), false)); !bytes.Equal(got, want) {
				t.Errorf("Render(%s) gave other bytes the next time:\n%s\nwant\n%s", c.Name, got, want)
			}
		}
		if got := render(t, s.New(Known), again[i], Endpoint(d.Format(), false)); !bytes.Equal(got, want) {
			t.Errorf("Render(%s) of another dialect value gave other bytes:\n%s\nwant\n%s", c.Name, got, want)
		}
		if !bytes.Equal(c.Fact.Data, data) {
			t.Errorf("Render(%s) changed the fact's data to %s, which was %s", c.Name, c.Fact.Data, data)
		}
	}
}

// testVariants has endpoints that share a variant share bytes, whatever else is different about them.
func (s Suite) testVariants(t *testing.T) {
	d := s.New(Known)
	cases, _ := carried(d)
	endpoints := []*endpoint.Endpoint{Endpoint(d.Format(), false), Endpoint(d.Format(), true)}
	for _, redact := range []bool{false, true} {
		e := Endpoint(d.Format(), redact)
		e.Number, e.ID, e.URL, e.Secret = 13, "wh_other", "https://other.example.com", OldOne
		e.Options.Ordered, e.Options.Signature, e.Options.RateLimit = true, slices.Concat([]string{""}, d.Signatures())[len(d.Signatures())], 5
		endpoints = append(endpoints, e)
	}
	for _, c := range cases {
		bodies := map[string][]byte{}
		for _, e := range endpoints {
			v, b := d.Variant(e), render(t, d, c, e)
			if v != d.Format() && !strings.HasPrefix(v, d.Format()+"/") {
				t.Errorf("Variant() = %q, which another format may have as well; want %q or %q and more", v, d.Format(), d.Format()+"/")
			}
			if other, ok := bodies[v]; ok && !bytes.Equal(other, b) {
				t.Errorf("Render(%s) of variant %q gave two endpoints different bytes:\n%s\nand\n%s", c.Name, v, other, b)
			}
			bodies[v] = b
		}
	}
}

func (s Suite) testPersonal(t *testing.T) {
	p := Buyer()
	personal := []string{p.Customer.Email, p.Customer.Phone.Number, p.TransferNote, p.IssueReason, p.RefundReason}
	asked := s.New(func(context.Context, int64, id.Order) (order.People, error) {
		t.Error("Render for a redacting endpoint looked people up")
		return p, nil
	})
	cases, _ := carried(asked)
	for _, c := range cases {
		for what, b := range map[string][]byte{
			"redacted": render(t, asked, c, Endpoint(asked.Format(), true)),
			"erased":   render(t, s.New(Erased), c, Endpoint(asked.Format(), false)),
		} {
			for _, text := range personal {
				if bytes.Contains(b, []byte(text)) {
					t.Errorf("envelope of %s, %s, has %q:\n%s", c.Name, what, text, b)
				}
			}
		}
	}
}

func (s Suite) testMessageData(t *testing.T) {
	d := s.New(Known)
	if !d.OwnMessages() {
		t.Skip("the format carries no messages")
	}
	for _, data := range []string{
		`{}`,
		`{ "b" : 1,	"a":1.0e2,"b":2, "c": 12345678901234567890.10, "é":"\u00e9\/<&>` + "\u2028" + `" }`,
		`{"long":"` + strings.Repeat("x", 256<<10-12) + `"}`,
	} {
		for _, redact := range []bool{false, true} {
			b := render(t, d, Message(json.RawMessage(data), 1), Endpoint(d.Format(), redact))
			var env struct {
				Data json.RawMessage `json:"data"`
			}
			if err := json.Unmarshal(b, &env); err != nil {
				t.Fatalf("Render(message of %d bytes) is not JSON: %v", len(data), err)
			}
			if string(env.Data) != data {
				t.Errorf("Render(message) has the data\n%.200s\nwant\n%.200s", env.Data, data)
			}
		}
	}
}

func (s Suite) testRefusals(t *testing.T) {
	d := s.New(Known)
	e := Endpoint(d.Format(), false)
	for _, c := range Cases() {
		if _, ok := d.Name(c.Fact.Kind); ok || c.Fact.Private {
			continue
		}
		if b, err := d.Render(context.Background(), c.Fact, e); err == nil {
			t.Errorf("Render(%s) = %s, want an error, because Name says that there is no event", c.Name, b)
		}
	}
	if b, err := d.Render(context.Background(), Message(nil, 1).Fact, e); err == nil {
		t.Errorf("Render(message whose data was erased) = %s, want an error", b)
	}

	down := errors.New("the database is down")
	broken := s.New(func(context.Context, int64, id.Order) (order.People, error) { return order.People{}, down })
	for _, c := range Cases() {
		if _, ok := d.Name(c.Fact.Kind); !ok || !strings.HasPrefix(c.Fact.Subject, "order_") {
			continue
		}
		if b, err := broken.Render(context.Background(), c.Fact, e); !s.NoPeople && !errors.Is(err, down) {
			t.Errorf("Render(%s) without the database = %s, %v; want the error of the look-up", c.Name, b, err)
		}
		torn := *c.Fact
		torn.Data = json.RawMessage(`{"orderId":`)
		if b, err := d.Render(context.Background(), &torn, e); err == nil {
			t.Errorf("Render(%s with torn data) = %s, want an error", c.Name, b)
		}
	}
}

// static tells whether deliveries are known by one fixed value.
func (s Suite) static() bool { return s.Scheme == webhook.Static }

// signed is what a receiver gets.
func (s Suite) signed(t *testing.T, d delivery.Dialect, e *endpoint.Endpoint, m webhook.Message) http.Header {
	t.Helper()
	signer, err := d.Signer(e)
	if err != nil {
		t.Fatalf("Signer() failed: %v", err)
	}
	list, err := signer.AppendHeaders(nil, m)
	if err != nil {
		t.Fatalf("AppendHeaders(%s %s) failed: %v", m.ID, m.Event, err)
	}
	h := http.Header{}
	for _, f := range list {
		h.Add(f.Name, f.Value)
	}
	return h
}

func verifies(t *testing.T, scheme webhook.Scheme, secret string, h http.Header, body []byte, now time.Time) (webhook.Message, error) {
	t.Helper()
	v, err := webhook.NewVerifier(scheme, webhook.Key{Text: secret})
	if err != nil {
		t.Fatal(err)
	}
	return v.Verify(h, body, now)
}

// testSignatures verifies deliveries of the golden envelopes as a receiver does.
func (s Suite) testSignatures(t *testing.T) {
	d := s.New(Known)
	now := At().Add(time.Hour)
	public, err := webhook.PublicKey(Private)
	if err != nil {
		t.Fatal(err)
	}
	cases, names := carried(d)
	for _, signature := range slices.Concat([]string{""}, d.Signatures()) {
		e, secret := Endpoint(d.Format(), false), Secret
		e.Options.Signature = signature
		if signature == "v1a" {
			e.Secret, secret = Private, public
		}
		for i, c := range cases {
			body := Golden(t, filepath.Join("testdata", c.Name+".golden.json"))
			messageID := d.MessageID(c.Fact, id.Delivery{Day: c.Fact.ID.Day, Seq: c.Fact.ID.Seq, Endpoint: Number})
			h := s.signed(t, d, e, webhook.Message{ID: messageID, Event: names[i], Time: now, Body: body})
			m, err := verifies(t, s.Scheme, secret, h, body, now)
			if err != nil {
				t.Errorf("Verify(%s, signature %q) failed: %v", c.Name, signature, err)
				continue
			}
			if s.static() { // nothing is signed: a stranger with the same body is told by the value alone
				if _, err := verifies(t, s.Scheme, OldOne, h, body, now); err == nil {
					t.Errorf("Verify(%s) with another value succeeded", c.Name)
				}
				continue
			}
			if m.ID != messageID || m.Event != "" && m.Event != names[i] {
				t.Errorf("Verify(%s) = id %q, event %q; want %q, %q", c.Name, m.ID, m.Event, messageID, names[i])
			}
			if _, err := verifies(t, s.Scheme, secret, h, append(body, ' '), now); err == nil {
				t.Errorf("Verify(%s with a byte more) succeeded", c.Name)
			}
		}
	}
}

// testRotation has a receiver that knows one secret only verify deliveries before, in and after an overlap.
func (s Suite) testRotation(t *testing.T) {
	d := s.New(Known)
	end := At().Add(time.Hour)
	e := Endpoint(d.Format(), false)
	e.OldSecret, e.OldUntil = OldOne, end
	body := []byte(`{}`)
	for _, c := range []struct {
		now    time.Time
		secret string
		want   bool
	}{
		{end.Add(-time.Minute), OldOne, true},
		{end.Add(-time.Minute), Secret, !s.static()}, // of a static header there is one
		{end, OldOne, false},
		{end, Secret, true},
	} {
		h := s.signed(t, d, e, webhook.Message{ID: "evt_1", Event: "order.accepted", Time: c.now, Body: body})
		if _, err := verifies(t, s.Scheme, c.secret, h, body, c.now); (err == nil) != c.want {
			t.Errorf("Verify(old secret: %v, %s before its end) = %v, want success %v", c.secret == OldOne, end.Sub(c.now), err, c.want)
		}
	}
	if s.static() {
		return // any value will do
	}
	e.Secret = "whsec_"
	if _, err := d.Signer(e); err == nil {
		t.Error("Signer() of an endpoint without a secret succeeded")
	} else if strings.Contains(err.Error(), OldOne) {
		t.Errorf("Signer() told the secret: %v", err)
	}
}
