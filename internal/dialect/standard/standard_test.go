package standard_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/dialect/dialecttest"
	"github.com/stagedoorhq/stagedoor/internal/dialect/standard"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/webhook"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestDialect(t *testing.T) {
	dialecttest.Suite{
		New: func(p dialecttest.People) delivery.Dialect { return standard.New(p) }, Scheme: webhook.Standard, Update: *update,
	}.Run(t)
}

// TestDataIsTheFacts has nothing between the fact and the receiver: what a fact holds stands in the envelope as it is, and people come behind it.
func TestDataIsTheFacts(t *testing.T) {
	d := standard.New(dialecttest.Known)
	for _, c := range dialecttest.Cases() {
		b, err := d.Render(context.Background(), c.Fact, dialecttest.Endpoint("standard", false))
		if err != nil {
			t.Fatalf("Render(%s) failed: %v", c.Name, err)
		}
		want := append([]byte(`"data":`), bytes.TrimSuffix(c.Fact.Data, []byte("}"))...)
		if !bytes.Contains(b, want) {
			t.Errorf("Render(%s) has not the fact's data %s:\n%s", c.Name, c.Fact.Data, b)
		}
		var env map[string]json.RawMessage
		if err := json.Unmarshal(b, &env); err != nil || len(env) != 3 {
			t.Errorf("Render(%s) has %d members, %v; want type, timestamp and data:\n%s", c.Name, len(env), err, b)
		}
	}
}

// TestPeopleWhoLeftGapsShowNone: what was not given is left out, not empty.
func TestPeopleWhoLeftGapsShowNone(t *testing.T) {
	for _, c := range []struct {
		people order.People
		want   string
	}{
		{order.People{}, `"updatedAt":"2026-01-22T12:52:52.509Z"}}`},
		{order.People{Customer: order.Customer{Email: "a@b.example"}}, `,"customer":{"email":"a@b.example"}}}`},
		{
			order.People{Customer: order.Customer{Phone: order.Phone{Number: "4712345678", CountryCode: "+47"}}},
			`,"customer":{"phone":{"number":"4712345678","countryCode":"+47"}}}}`,
		},
		{order.People{TransferNote: "By hand & <in person>"}, `,"transferNote":"By hand & <in person>"}}`},
	} {
		d := standard.New(func(context.Context, int64, id.Order) (order.People, error) { return c.people, nil })
		s := dialecttest.Order()
		data, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		f := &fact.Fact{Org: 1, Kind: fact.OrderFulfilled, At: dialecttest.At(), Data: append(data, '\n')}
		b, err := d.Render(context.Background(), f, dialecttest.Endpoint("standard", false))
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(b) || !strings.HasSuffix(strings.ReplaceAll(string(b), "\n", ""), c.want) {
			t.Errorf("Render(fulfilled order of %+v) does not end with %s:\n%s", c.people, c.want, b)
		}
	}
}

// TestPeopleAreLookedUpInTheirOrganisation: an order's id alone opens nothing.
func TestPeopleAreLookedUpInTheirOrganisation(t *testing.T) {
	type asked struct {
		Org   int64
		Order id.Order
	}
	var got []asked
	d := standard.New(func(_ context.Context, org int64, o id.Order) (order.People, error) {
		got = append(got, asked{org, o})
		return order.People{}, nil
	})
	for _, c := range dialecttest.Cases() {
		if c.Name == "order.accepted" {
			if _, err := d.Render(context.Background(), c.Fact, dialecttest.Endpoint("standard", false)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if diff := cmp.Diff([]asked{{dialecttest.Org, dialecttest.Order().OrderID}}, got); diff != "" {
		t.Errorf("Render(order.accepted) looked up (-want +got):\n%s", diff)
	}
}

func TestMessageIDIsTheFacts(t *testing.T) {
	f := &fact.Fact{ID: id.Fact{Day: 20475, Seq: 41}}
	for _, n := range []int64{1, 2} {
		if got := standard.New(nil).MessageID(f, id.Delivery{Day: 20475, Seq: 41, Endpoint: n}); got != f.ID.String() {
			t.Errorf("MessageID(to endpoint %d) = %q, want the fact's id %q", n, got, f.ID)
		}
	}
}

// TestSecretOfTheOtherKindIsRefused: an endpoint never gets the other signature than the one its owner chose.
func TestSecretOfTheOtherKindIsRefused(t *testing.T) {
	for _, c := range []struct{ signature, secret string }{
		{"v1a", dialecttest.Secret},
		{"v1", dialecttest.Private},
		{"", dialecttest.Private},
	} {
		e := dialecttest.Endpoint("standard", false)
		e.Options.Signature, e.Secret = c.signature, c.secret
		if _, err := standard.New(nil).Signer(e); err == nil {
			t.Errorf("Signer(signature %q, secret %.6s…) succeeded", c.signature, c.secret)
		} else if strings.Contains(err.Error(), c.secret) {
			t.Errorf("Signer() told the secret: %v", err)
		}
	}
}

func TestRenderingAMessageAllocatesOnce(t *testing.T) {
	f, e := message(), dialecttest.Endpoint("standard", false)
	d := standard.New(nil)
	if n := testing.AllocsPerRun(100, func() { _, _ = d.Render(context.Background(), f, e) }); n > 1 {
		t.Errorf("Render(message) makes %v allocations, want 1", n)
	}
}

func message() *fact.Fact {
	data := `{"booking":"` + strings.Repeat("x", 1<<10-14) + `"}`
	return dialecttest.Message(json.RawMessage(data), 1).Fact
}

func BenchmarkRenderMessage(b *testing.B) {
	f, e := message(), dialecttest.Endpoint("standard", false)
	d := standard.New(nil)
	b.SetBytes(int64(len(f.Data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Render(context.Background(), f, e); err != nil {
			b.Fatal(err)
		}
	}
}
