package forward_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/dialect/dialecttest"
	"github.com/stagedoorhq/stagedoor/internal/dialect/forward"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/pull"
	"github.com/stagedoorhq/stagedoor/webhook"
)

var (
	_ delivery.Dialect    = (*forward.Dialect)(nil)
	_ delivery.MediaTyper = (*forward.Dialect)(nil)
	_ delivery.Lasting    = (*forward.Dialect)(nil)
	_ delivery.Sequencer  = (*forward.Dialect)(nil)
)

var taken = pull.Handed{
	Endpoint: "0197a1c2-5e00-7c31-9a44-1f0b6d2e77aa", Event: id.Received{Millis: 1_769_086_372_509, Seq: 41}, ContentType: "application/x-www-form-urlencoded",
}

func received(t *testing.T, h pull.Handed) *fact.Fact {
	t.Helper()
	data, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	return &fact.Fact{ID: id.Fact{Day: 20475, Seq: 7}, Org: dialecttest.Org, Kind: fact.WebhookReceived, Only: dialecttest.Number, Data: data, At: dialecttest.At()}
}

// TestAnEventGoesOnAsItCame: the provider's bytes and media type, under the id that the event has.
func TestAnEventGoesOnAsItCame(t *testing.T) {
	body := []byte("a=1&b=\xff\x00 \r\n")
	d := forward.New(func(_ context.Context, org int64, of pull.Handed) ([]byte, error) {
		if org != dialecttest.Org || of != taken {
			t.Errorf("asked for %+v of organisation %d, want %+v of %d", of, org, taken, dialecttest.Org)
		}
		return body, nil
	})
	f, e := received(t, taken), dialecttest.Endpoint(forward.Format, false)
	got, err := d.Render(t.Context(), f, e)
	if err != nil || !slices.Equal(got, body) {
		t.Errorf("Render = %q, %v; want %q", got, err, body)
	}
	if id := d.MessageID(f, id.Delivery{}); id != taken.Event.String() {
		t.Errorf("MessageID = %s, want %s", id, taken.Event)
	}
	if s := d.Sequence(f); s != string(taken.Endpoint) {
		t.Errorf("Sequence = %s, want the pull endpoint's id", s)
	}
	if m := d.MediaType(f); m != taken.ContentType {
		t.Errorf("MediaType = %q, want %q", m, taken.ContentType)
	}
	odd := taken
	odd.ContentType = "text/plain; charset=\u00fctf-8"
	if m := d.MediaType(received(t, odd)); m != "application/octet-stream" {
		t.Errorf("MediaType of what no header can have = %q", m)
	}
	none := taken
	none.ContentType = ""
	if m := d.MediaType(received(t, none)); m != "" {
		t.Errorf("MediaType of an event without one = %q", m)
	}
}

// TestASignatureVerifiesWithTheWebhooksSecret, whatever the provider's was.
func TestASignatureVerifiesWithTheWebhooksSecret(t *testing.T) {
	d := forward.New(func(context.Context, int64, pull.Handed) ([]byte, error) { return []byte("x"), nil })
	e := dialecttest.Endpoint(forward.Format, false)
	s, err := d.Signer(e)
	if err != nil {
		t.Fatal(err)
	}
	f, at := received(t, taken), time.Now()
	headers, err := s.AppendHeaders(nil, webhook.Message{ID: d.MessageID(f, id.Delivery{}), Event: string(f.Kind), Time: at, Body: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	for _, line := range headers {
		h.Add(line.Name, line.Value)
	}
	v, err := webhook.NewVerifier(webhook.Standard, webhook.Key{Text: e.Secret})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := v.Verify(h, []byte("x"), at); err != nil || m.ID != taken.Event.String() {
		t.Errorf("the receiver reads %+v, %v; want the id %s", m, err, taken.Event)
	}
}

func TestWhatIsGoneIsErased(t *testing.T) {
	d := forward.New(func(context.Context, int64, pull.Handed) ([]byte, error) { return nil, delivery.ErrErased })
	if _, err := d.Render(t.Context(), received(t, taken), dialecttest.Endpoint(forward.Format, false)); !errors.Is(err, delivery.ErrErased) {
		t.Errorf("Render of an event that is gone = %v, want ErrErased", err)
	}
}

func TestATestDeliveryIsItsData(t *testing.T) {
	d := forward.New(nil)
	for _, c := range dialecttest.Cases() {
		got, err := d.Render(t.Context(), c.Fact, dialecttest.Endpoint(forward.Format, false))
		name, carried := d.Name(c.Fact.Kind)
		if ping := c.Fact.Kind == fact.EndpointPinged; ping != carried || ping != (err == nil) || ping && (string(got) != string(c.Fact.Data) || d.MediaType(c.Fact) != "application/json") {
			t.Errorf("%s: Name = %q, %v; Render = %s, %v; MediaType = %q", c.Name, name, carried, got, err, d.MediaType(c.Fact))
		}
	}
	if _, ok := d.Name(fact.WebhookReceived); !ok || d.OwnMessages() {
		t.Errorf("Name(%s) is %v, OwnMessages %v; want true, false", fact.WebhookReceived, ok, d.OwnMessages())
	}
}
