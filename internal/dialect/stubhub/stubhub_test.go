package stubhub_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/dialect/dialecttest"
	"github.com/stagedoorhq/stagedoor/internal/dialect/stubhub"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/webhook"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// lookups find one venue, and barcodes that have failed for the second place of every two.
func lookups() stubhub.Lookups {
	latitude, longitude := 42.366, -71.062
	return stubhub.Lookups{
		Venue: func(_ context.Context, _, venue int64) (event.Venue, error) {
			return event.Venue{ID: venue, Name: "TD Garden", City: "Boston", Region: "MA", Country: "US", Latitude: &latitude, Longitude: &longitude}, nil
		},
		Barcodes: func(_ context.Context, _, _ int64, ordinals []int, _ time.Time) ([]inventory.BarcodeSet, error) {
			sets := []inventory.BarcodeSet{
				{Ordinal: 0, Row: "A", Seat: "3", Status: inventory.BarcodesReceived, Values: []string{"778812340001"}},
				{Ordinal: 1, Row: "A", Seat: "4", Status: inventory.BarcodesFailed, Values: []string{"778812340002", "778812349902"}},
			}
			if len(ordinals) == 2 && ordinals[1] == 2 {
				sets[1].Ordinal, sets[1].Seat = 2, "5"
			}
			return sets, nil
		},
	}
}

func newDialect(dialecttest.People) delivery.Dialect {
	return stubhub.NewDialect("https://tickets.example.com", lookups())
}

func TestDialect(t *testing.T) {
	dialecttest.Suite{New: newDialect, Scheme: webhook.Static, NoPeople: true, Update: *update}.Run(t)
}

// TestASaleKeepsItsSequence: what happens to a hold and to the order that it becomes is one sequence, what happens to others another.
func TestASaleKeepsItsSequence(t *testing.T) {
	d := stubhub.NewDialect("", lookups())
	var sale string
	for _, c := range dialecttest.Cases() {
		topic, ok := d.Name(c.Fact.Kind)
		if !ok {
			continue
		}
		got := d.Sequence(c.Fact)
		switch topic {
		case "Ping", "SellerListingUpdates":
			if got != c.Fact.Subject {
				t.Errorf("Sequence(%s) = %q, want its subject %q", c.Name, got, c.Fact.Subject)
			}
		default:
			if sale == "" {
				sale = got
			}
			if got != sale || got == "" {
				t.Errorf("Sequence(%s) = %q, want %q like the others of the sale", c.Name, got, sale)
			}
		}
	}
}

// TestDeliveryIDsAreUniqueDecimals compares with Cantor's pairing over big integers, and looks for two that are alike.
func TestDeliveryIDsAreUniqueDecimals(t *testing.T) {
	d := stubhub.NewDialect("", lookups())
	seen := map[string]id.Delivery{}
	for _, seq := range []int64{0, 1, 2, 3, 41, 255, 256, 65535, 4294967294, 4294967295, 4294967296, 1 << 52} {
		for _, endpoint := range []int64{1, 2, 3, 12, 41, 255, 4294967295, 4294967296} {
			of := id.Delivery{Seq: seq, Endpoint: endpoint}
			got := d.MessageID(nil, of)
			if other, twice := seen[got]; twice {
				t.Errorf("MessageID(%+v) = MessageID(%+v) = %s", of, other, got)
			}
			seen[got] = of
			sum := new(big.Int).Add(big.NewInt(seq), big.NewInt(endpoint))
			want := new(big.Int).Mul(sum, new(big.Int).Add(sum, big.NewInt(1)))
			want.Div(want, big.NewInt(2)).Add(want, big.NewInt(endpoint))
			if got != want.String() {
				t.Errorf("MessageID(%+v) = %s, want %s", of, got, want)
			}
		}
	}
}

// TestNoSecretNoAuthorization: a webhook without authorization_header is sent none, and all the other headers.
func TestNoSecretNoAuthorization(t *testing.T) {
	d, e := stubhub.NewDialect("", lookups()), dialecttest.Endpoint(stubhub.Format, false)
	for _, secret := range []string{"", "Bearer desk-key"} {
		e.Secret = secret
		s, err := d.Signer(e)
		if err != nil {
			t.Fatal(err)
		}
		all, err := s.AppendHeaders(nil, webhook.Message{ID: "1993433", Event: "Sales", Time: dialecttest.At(), Body: []byte("{}")})
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		for _, f := range all {
			h.Add(f.Name, f.Value)
		}
		if got := h.Get("Authorization"); got != secret {
			t.Errorf("Authorization of secret %q: %q", secret, got)
		}
		if h.Get("VGG-Topic") != "Sales" || h.Get("VGG-DeliveryId") != "1993433" || !strings.HasPrefix(h.Get("User-Agent"), "Viagogo-Webhooks/") {
			t.Errorf("headers of secret %q: %v", secret, h)
		}
	}
}

// TestALookUpThatFailsIsAnError: the delivery is tried again, rather than sent without its barcodes or its venue.
func TestALookUpThatFailsIsAnError(t *testing.T) {
	down := errors.New("the database is down")
	noVenue, noBarcodes := lookups(), lookups()
	noVenue.Venue = func(context.Context, int64, int64) (event.Venue, error) { return event.Venue{}, down }
	noBarcodes.Barcodes = func(context.Context, int64, int64, []int, time.Time) ([]inventory.BarcodeSet, error) {
		return nil, down
	}
	for what, l := range map[string]stubhub.Lookups{"venue": noVenue, "barcodes": noBarcodes} {
		d := stubhub.NewDialect("", l)
		for _, c := range dialecttest.Cases() {
			if topic, ok := d.Name(c.Fact.Kind); !ok || topic == "Ping" || what == "barcodes" && c.Fact.Kind == fact.ListingDeliverabilityExpired {
				continue
			}
			if b, err := d.Render(t.Context(), c.Fact, dialecttest.Endpoint(stubhub.Format, false)); !errors.Is(err, down) {
				t.Errorf("Render(%s) without the %s = %s, %v; want the error of the look-up", c.Name, what, b, err)
			}
		}
	}
}

// TestEnvelopesHoldNoSecret looks for the endpoint's in all of them, and for barcodes where only their hashes belong.
func TestEnvelopesHoldNoSecret(t *testing.T) {
	d, e := stubhub.NewDialect("", lookups()), dialecttest.Endpoint(stubhub.Format, false)
	for _, c := range dialecttest.Cases() {
		topic, ok := d.Name(c.Fact.Kind)
		if !ok {
			continue
		}
		b, err := d.Render(t.Context(), c.Fact, e)
		if err != nil {
			t.Fatalf("Render(%s): %v", c.Name, err)
		}
		if bytes.Contains(b, []byte(e.Secret)) {
			t.Errorf("the envelope of %s holds the secret", c.Name)
		}
		if topic == "SellerListingUpdates" && bytes.Contains(b, []byte("7788")) {
			t.Errorf("the envelope of %s holds barcodes:\n%s", c.Name, b)
		}
	}
}

// TestOrdersFromBeforeSalesAreToldOf: the facts of those that were placed before sales were numbered have nothing but the order's own.
func TestOrdersFromBeforeSalesAreToldOf(t *testing.T) {
	d, e := stubhub.NewDialect("", lookups()), dialecttest.Endpoint(stubhub.Format, false)
	data := json.RawMessage(`{"orderId":"order_1","section":"A","row":"1","quantity":2,"unitMinor":100,"totalMinor":200,"currency":"EUR","status":"accepted","createdAt":"2026-01-22T12:49:50.220Z"}`)
	f := &fact.Fact{Org: dialecttest.Org, Kind: fact.OrderAccepted, Subject: "order_1", At: dialecttest.At(), Data: data}
	if _, err := d.Render(t.Context(), f, e); err != nil {
		t.Error(err)
	}
	if got := d.Sequence(f); got != f.Subject {
		t.Errorf("Sequence = %q, want the subject", got)
	}
}
