package cloudevents_test

import (
	"context"
	"encoding/json"
	"flag"
	"math"
	"mime"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/dialect/cloudevents"
	"github.com/stagedoorhq/stagedoor/internal/dialect/dialecttest"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/webhook"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const source = "https://tickets.example.com"

func TestDialect(t *testing.T) {
	dialecttest.Suite{
		New: func(p dialecttest.People) delivery.Dialect { return cloudevents.New(p, source) }, Scheme: webhook.Standard, Update: *update,
	}.Run(t)
}

// TestEnvelopesFollowCloudEvents holds every envelope to the rules for attributes (CloudEvents 1.0.2, §3) and to the JSON form.
func TestEnvelopesFollowCloudEvents(t *testing.T) {
	d := cloudevents.New(dialecttest.Known, source)
	ids := map[string]bool{}
	for _, c := range dialecttest.Cases() {
		b, err := d.Render(context.Background(), c.Fact, dialecttest.Endpoint("cloudevents", false))
		if err != nil {
			t.Fatalf("Render(%s) failed: %v", c.Name, err)
		}
		var e map[string]any
		if err := json.Unmarshal(b, &e); err != nil {
			t.Fatalf("Render(%s) is not JSON: %v\n%s", c.Name, err, b)
		}
		for name, v := range e {
			if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" || len(name) > 20 {
				t.Errorf("Render(%s) has the attribute %q, want at most 20 of a-z and 0-9", c.Name, name)
			}
			switch v := v.(type) {
			case string:
				if v == "" {
					t.Errorf("Render(%s) has an empty %s", c.Name, name)
				}
			case float64:
				if v != math.Trunc(v) || math.Abs(v) > math.MaxInt32 {
					t.Errorf("Render(%s) has %s = %v, which is no Integer of CloudEvents", c.Name, name, v)
				}
			case map[string]any:
				if name != "data" {
					t.Errorf("Render(%s) has an object as %s", c.Name, name)
				}
			default:
				t.Errorf("Render(%s) has %s = %v", c.Name, name, v)
			}
		}
		if e["specversion"] != "1.0" || e["type"] != string(c.Fact.Kind) || e["id"] != c.Fact.ID.String() || e["source"] != source || e["data"] == nil {
			t.Errorf("Render(%s) lacks a required attribute or says something else in it:\n%s", c.Name, b)
		}
		if at, err := time.Parse(time.RFC3339, e["time"].(string)); err != nil || !at.Equal(c.Fact.At) {
			t.Errorf("Render(%s) has the time %v, want %v", c.Name, e["time"], c.Fact.At)
		}
		if got, ok := e["subject"]; ok != (c.Fact.Subject != "") || ok && got != c.Fact.Subject {
			t.Errorf("Render(%s) has the subject %v, want %q", c.Name, got, c.Fact.Subject)
		}
		if got, ok := e["subjectversion"]; ok != (c.Fact.Version != 0) || ok && got != float64(c.Fact.Version) {
			t.Errorf("Render(%s) has the subjectversion %v, want %d", c.Name, got, c.Fact.Version)
		}
		if ids[e["id"].(string)] {
			t.Errorf("Render(%s) has the id of another event", c.Name)
		}
		ids[e["id"].(string)] = true
	}
}

// TestTextsAreQuoted puts what JSON must escape into the two attributes that come from outside of this package.
func TestTextsAreQuoted(t *testing.T) {
	const odd = "a\"b\\c\nd\x00é\u2028<&>"
	f := &fact.Fact{Kind: fact.EventChanged, Subject: odd, At: dialecttest.At()}
	b, err := cloudevents.New(nil, odd).Render(context.Background(), f, dialecttest.Endpoint("cloudevents", false))
	if err != nil {
		t.Fatal(err)
	}
	var e struct{ Source, Subject string }
	if err := json.Unmarshal(b, &e); err != nil || e.Source != odd || e.Subject != odd {
		t.Errorf("Render(subject and source %q) = %s, which reads as %q and %q, %v", odd, b, e.Subject, e.Source, err)
	}
}

func TestSourceIsNeverEmpty(t *testing.T) {
	f := &fact.Fact{Kind: fact.EventChanged, At: dialecttest.At()}
	b, err := cloudevents.New(nil, "").Render(context.Background(), f, dialecttest.Endpoint("cloudevents", false))
	if err != nil {
		t.Fatal(err)
	}
	var e struct{ Source string }
	if err := json.Unmarshal(b, &e); err != nil {
		t.Fatal(err)
	}
	if u, err := url.Parse(e.Source); err != nil || e.Source == "" {
		t.Errorf("New without a source renders the source %q (%v), want a URI reference", u, err)
	}
}

func TestContentTypeIsStructuredJSON(t *testing.T) {
	got := cloudevents.New(nil, source).ContentType()
	media, params, err := mime.ParseMediaType(got)
	if err != nil || media != "application/cloudevents+json" || params["charset"] != "utf-8" {
		t.Errorf("ContentType() = %q (%v), want application/cloudevents+json in utf-8", got, err)
	}
}

func TestMessageIDIsTheFacts(t *testing.T) {
	f := &fact.Fact{ID: id.Fact{Day: 20475, Seq: 41}}
	if got := cloudevents.New(nil, source).MessageID(f, id.Delivery{Day: 20475, Seq: 41, Endpoint: 1}); got != f.ID.String() {
		t.Errorf("MessageID() = %q, want the fact's id %q", got, f.ID)
	}
}

// TestSecretOfTheOtherKindIsRefused: an endpoint never gets the other signature than the one its owner chose.
func TestSecretOfTheOtherKindIsRefused(t *testing.T) {
	for _, c := range []struct{ signature, secret string }{
		{"v1a", dialecttest.Secret},
		{"v1", dialecttest.Private},
		{"", dialecttest.Private},
	} {
		e := dialecttest.Endpoint("cloudevents", false)
		e.Options.Signature, e.Secret = c.signature, c.secret
		if _, err := cloudevents.New(nil, source).Signer(e); err == nil {
			t.Errorf("Signer(signature %q, secret %.6s…) succeeded", c.signature, c.secret)
		}
	}
}
