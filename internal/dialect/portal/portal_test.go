package portal_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/dialect/dialecttest"
	"github.com/stagedoorhq/stagedoor/internal/dialect/portal"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/webhook"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func newDialect(p dialecttest.People) delivery.Dialect { return portal.New(p) }

func TestDialect(t *testing.T) {
	dialecttest.Suite{New: newDialect, Scheme: webhook.Portal, Update: *update}.Run(t)
}

// TestEnvelopesAreTheSpecificationsSamples renders the orders of the specification's two samples. Compacted, the samples are the envelopes byte for
// byte, but for the currency, which is an addition.
func TestEnvelopesAreTheSpecificationsSamples(t *testing.T) {
	const file = "../../../../shared/spec/ticket-portal.txt"
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s is not here: the envelopes were not compared with the specification's samples", strings.TrimPrefix(file, "../../../"))
	}
	if err != nil {
		t.Fatal(err)
	}
	accepted := dialecttest.Order()
	fulfilled := accepted
	fulfilled.Status, fulfilled.PreviousStatus, fulfilled.TransferMethod = order.Fulfilled, order.Accepted, order.MobileTransfer
	fulfilledAt := time.Date(2026, 1, 22, 14, 30, 0, 0, time.UTC)
	fulfilled.UpdatedAt = fact.Instant(fulfilledAt)

	for _, c := range []struct {
		heading string
		kind    fact.Kind
		order   order.Snapshot
		at      time.Time
	}{
		{"Sample Notification Payload", fact.OrderAccepted, accepted, dialecttest.At()},
		{"Fulfilled Notification Payload", fact.OrderFulfilled, fulfilled, fulfilledAt},
	} {
		_, after, found := strings.Cut(string(text), "\n"+c.heading+"\n")
		if !found {
			t.Fatalf("%s has no %q", file, c.heading)
		}
		var sample json.RawMessage
		if err := json.NewDecoder(strings.NewReader(after[strings.Index(after, "{"):])).Decode(&sample); err != nil {
			t.Fatalf("%s in %s: %v", c.heading, file, err)
		}
		var want bytes.Buffer
		if err := json.Compact(&want, sample); err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(c.order)
		if err != nil {
			t.Fatal(err)
		}
		f := &fact.Fact{ID: id.Fact{Day: 20475, Seq: 1}, Org: dialecttest.Org, Kind: c.kind, Subject: string(c.order.OrderID), At: c.at, Data: data}
		got, err := portal.New(dialecttest.Known).Render(context.Background(), f, dialecttest.Endpoint("portal", false))
		if err != nil {
			t.Fatalf("Render(%s) failed: %v", c.kind, err)
		}
		if diff := cmp.Diff(want.String(), strings.Replace(string(got), `"currency":"USD",`, "", 1)); diff != "" {
			t.Errorf("Render(%s) is not the sample %q (-want +got):\n%s", c.kind, c.heading, diff)
		}
	}
}

// TestNoFieldChangesItsType goes through all envelopes, with people, redacted and erased, and looks for a field of the specification's reference that is
// missing or of another type.
func TestNoFieldChangesItsType(t *testing.T) {
	always := []string{
		"eventId", "eventName", "eventDate", "eventVenue", "eventLocation", "section", "row", "listingId", "quantity", "status", "totalAmount",
		"customer", "createdAt", "updatedAt",
	}
	for _, people := range []dialecttest.People{dialecttest.Known, dialecttest.Erased} {
		d := portal.New(people)
		for _, c := range dialecttest.Cases() {
			name, ok := d.Name(c.Fact.Kind)
			if !ok {
				continue
			}
			for _, redact := range []bool{false, true} {
				b, err := d.Render(context.Background(), c.Fact, dialecttest.Endpoint("portal", redact))
				if err != nil {
					t.Fatalf("Render(%s) failed: %v", c.Name, err)
				}
				checkShape(t, c.Name, b, name, always)
			}
		}
	}
}

func checkShape(t *testing.T, what string, body []byte, name string, always []string) {
	t.Helper()
	var env struct {
		Event   *string
		OrderID *string
		Order   struct {
			Quantity    *float64
			TotalAmount *float64
			Customer    *struct {
				Email *string
				Phone *struct{ Number, CountryCode *string }
			}
			TransferMethod, TransferNote, PreviousStatus *string
		}
		Timestamp *time.Time
	}
	var fields struct{ Order map[string]json.RawMessage }
	if err := errors.Join(json.Unmarshal(body, &env), json.Unmarshal(body, &fields)); err != nil {
		t.Fatalf("envelope of %s: %v\n%s", what, err, body)
	}
	o := env.Order
	if env.Event == nil || *env.Event != name || env.OrderID == nil || env.Timestamp == nil || o.Quantity == nil || o.TotalAmount == nil ||
		o.Customer == nil || o.Customer.Email == nil || o.Customer.Phone == nil || o.Customer.Phone.Number == nil || o.Customer.Phone.CountryCode == nil {
		t.Errorf("envelope of %s lacks something that every order has:\n%s", what, body)
	}
	for _, f := range always {
		if _, ok := fields.Order[f]; !ok {
			t.Errorf("envelope of %s has no order.%s:\n%s", what, f, body)
		}
	}
	for f := range fields.Order {
		extra := []string{"currency", "previousStatus"}
		switch name {
		case "order.fulfilled":
			extra = append(extra, "transferMethod", "transferNote")
		case "order.refunded":
			extra = append(extra, "refundAmount", "refundedAmount")
		}
		if !slices.Contains(always, f) && !slices.Contains(extra, f) {
			t.Errorf("envelope of %s has order.%s, which is not said to be there:\n%s", what, f, body)
		}
	}
}

// TestAmountsAreExact renders totals that no binary floating-point number holds.
func TestAmountsAreExact(t *testing.T) {
	for _, c := range []struct {
		minor    int64
		currency string
		want     string
	}{
		{15066, "USD", "150.66"},
		{11850, "EUR", "118.5"},
		{7500, "EUR", "75"},
		{0, "EUR", "0"},
		{5, "EUR", "0.05"},
		{7500, "JPY", "7500"},
		{7501, "KWD", "7.501"},
		{999_999_999_999_999_999, "USD", "9999999999999999.99"},
	} {
		s := dialecttest.Order()
		s.TotalMinor, s.Currency = c.minor, "XXX"
		data, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		data = bytes.Replace(data, []byte("XXX"), []byte(c.currency), 1)
		f := &fact.Fact{Org: 1, Kind: fact.OrderAccepted, At: dialecttest.At(), Data: data}
		b, err := portal.New(dialecttest.Known).Render(context.Background(), f, dialecttest.Endpoint("portal", false))
		if err != nil {
			t.Fatal(err)
		}
		if want := `"totalAmount":` + c.want + `,"currency":"` + c.currency + `",`; !bytes.Contains(b, []byte(want)) {
			t.Errorf("Render(%d minor units of %s) has no %s:\n%s", c.minor, c.currency, want, b)
		}
	}
}

// TestPolicyIsTheSpecifications: five retries, 30 seconds, and only 200 counts.
func TestPolicyIsTheSpecifications(t *testing.T) {
	want := delivery.Policy{
		Delays:  []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour},
		Timeout: 30 * time.Second, Only200: true,
	}
	if diff := cmp.Diff(want, portal.New(dialecttest.Known).Policy()); diff != "" {
		t.Errorf("Policy() differs (-want +got):\n%s", diff)
	}
}

func TestMessageIDIsTheDeliverys(t *testing.T) {
	d := id.Delivery{Day: 20475, Seq: 41, Endpoint: 12}
	if got := portal.New(nil).MessageID(&fact.Fact{ID: id.Fact{Day: 20475, Seq: 41}}, d); got != d.String() {
		t.Errorf("MessageID() = %q, want the delivery's UUID %q", got, d)
	}
}

func BenchmarkRenderOrder(b *testing.B) {
	var f *fact.Fact
	for _, c := range dialecttest.Cases() {
		if c.Name == "order.fulfilled" {
			f = c.Fact
		}
	}
	d, e := portal.New(dialecttest.Known), dialecttest.Endpoint("portal", false)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Render(context.Background(), f, e); err != nil {
			b.Fatal(err)
		}
	}
}
