package ethpass_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/dialect/dialecttest"
	"github.com/stagedoorhq/stagedoor/internal/dialect/ethpass"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/webhook"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// sample is the owner and the asset of the specification's sample, which passes of tickets have none of.
func sample(_ context.Context, _ int64, p id.Pass) (pass.Holding, error) {
	if p != "2f8210ee-4f02-4966-9529-745d80116718" {
		return pass.Holding{}, nil
	}
	return pass.Holding{
		Owner: "0xF888f4fAad70F542a80176f8b63438402C937473",
		NFTs:  []pass.NFT{{Contract: "0x25ed58c027921e14d86380ea2646e3a1b5c55a8b", Interface: "0x80ac58cd", TokenID: "5946"}},
	}, nil
}

func newDialect(dialecttest.People) delivery.Dialect {
	return ethpass.NewDialect(ethpass.Lookups{Holding: sample})
}

func TestDialect(t *testing.T) {
	dialecttest.Suite{New: newDialect, Scheme: webhook.Static, NoPeople: true, Update: *update}.Run(t)
}

// published is the envelope that the specification prints.
const published = `{
  "event": "pass:expire",
  "result": {
    "id": "2f8210ee-4f02-4966-9529-745d80116718",
    "barcodeSignature": "0x02c954980025cfc61a0f78b938173c0eda776103c896f44fc5ba5941933dd9c96891e0fef78f1aecf0eb09ec34d0bd74f2f1627329d6afa88dfadeac8ae049871c",
    "platform": "google",
    "ownerAddress": "0xF888f4fAad70F542a80176f8b63438402C937473",
    "createdAt": "2022-10-27T21:57:38.520137+00:00",
    "expiredAt": "2022-10-27T21:58:03.158+00:00",
    "expireAction": "USER_REVOKE",
    "lastScannedAt": "2022-10-27T21:58:01.822+00:00",
    "chain": {
      "name": "evm",
      "network": "1"
    },
    "registrations": [
      {
        "id": "07a39167-6484-4ce8-b485-84eb41a5cd5b",
        "createdAt": "2022-10-27T21:56:30.026695+00:00",
        "deletedAt": null
      }
    ],
    "nfts": [
      {
        "contractAddress": "0x25ed58c027921e14d86380ea2646e3a1b5c55a8b",
        "contractInterface": "0x80ac58cd",
        "tokenId": "5946"
      }
    ]
  }
}
`

// rendered are the envelopes of all cases that ethpass is told of, by the cases' names.
func rendered(t *testing.T, redact bool) map[string][]byte {
	t.Helper()
	d, all := newDialect(nil), map[string][]byte{}
	for _, c := range dialecttest.Cases() {
		if _, ok := d.Name(c.Fact.Kind); !ok {
			continue
		}
		b, err := d.Render(t.Context(), c.Fact, dialecttest.Endpoint(ethpass.Format, redact))
		if err != nil {
			t.Fatalf("Render(%s): %v", c.Name, err)
		}
		all[c.Name] = b
	}
	return all
}

// The specification's sample comes out of the same pass byte for byte, but for the spaces.
func TestTheSpecificationsSampleIsWhatIsSent(t *testing.T) {
	var got bytes.Buffer
	if err := json.Indent(&got, rendered(t, false)["pass.expired"], "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	if diff := cmp.Diff(published, got.String()); diff != "" {
		t.Errorf("the envelope (-published +sent):\n%s", diff)
	}
}

// Every envelope has every member of the specification's, whatever there is to say.
func TestEveryEnvelopeHasOneShape(t *testing.T) {
	members := func(raw []byte) (names []string) {
		var env struct{ Result json.RawMessage }
		if err := json.Unmarshal(raw, &env); err != nil {
			t.Fatal(err)
		}
		dec := json.NewDecoder(bytes.NewReader(env.Result))
		_, _ = dec.Token()
		for dec.More() {
			name, err := dec.Token()
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, name.(string))
			var value any
			if err := dec.Decode(&value); err != nil {
				t.Fatal(err)
			}
		}
		return names
	}
	want := members([]byte(published))
	for _, redact := range []bool{false, true} {
		for name, raw := range rendered(t, redact) {
			if diff := cmp.Diff(want, members(raw)); diff != "" {
				t.Errorf("the members of %s, redacted %v (-want +got):\n%s", name, redact, diff)
			}
		}
	}
}

// Who owns a pass is looked up for those who may know, and for no others.
func TestOwnersAreLeftOutWhereThatIsAskedFor(t *testing.T) {
	d := ethpass.NewDialect(ethpass.Lookups{Holding: func(context.Context, int64, id.Pass) (pass.Holding, error) {
		t.Error("a redacted envelope looked up who owns the pass")
		return pass.Holding{}, nil
	}})
	for _, c := range dialecttest.Cases() {
		if _, ok := d.Name(c.Fact.Kind); !ok {
			continue
		}
		b, err := d.Render(t.Context(), c.Fact, dialecttest.Endpoint(ethpass.Format, true))
		if err != nil || !bytes.Contains(b, []byte(`"ownerAddress":null`)) || !bytes.Contains(b, []byte(`"nfts":[]`)) {
			t.Errorf("Render(%s, redacted) = %s, %v", c.Name, b, err)
		}
	}
}

// A delivery whose pass cannot be looked up is tried again, rather than sent without its owner; so is one whose data is torn.
func TestWhatCannotBeReadIsAnError(t *testing.T) {
	down := errors.New("the database is down")
	broken := ethpass.NewDialect(ethpass.Lookups{Holding: func(context.Context, int64, id.Pass) (pass.Holding, error) { return pass.Holding{}, down }})
	for _, c := range dialecttest.Cases() {
		if _, ok := broken.Name(c.Fact.Kind); !ok {
			continue
		}
		if b, err := broken.Render(t.Context(), c.Fact, dialecttest.Endpoint(ethpass.Format, false)); !errors.Is(err, down) {
			t.Errorf("Render(%s) = %s, %v; want the error of the look-up", c.Name, b, err)
		}
		torn := *c.Fact
		torn.Data = json.RawMessage(`{"passId":`)
		if b, err := newDialect(nil).Render(t.Context(), &torn, dialecttest.Endpoint(ethpass.Format, false)); err == nil {
			t.Errorf("Render(%s with torn data) = %s, want an error", c.Name, b)
		}
	}
}

// The five events are all there is: a change of a pass is told to its devices only.
func TestEventsAreTheSpecifications(t *testing.T) {
	d := newDialect(nil)
	want := map[fact.Kind]string{
		fact.PassCreated: "pass:create", fact.RegistrationAdded: "pass:register", fact.RegistrationRemoved: "pass:unregister", fact.PassExpired: "pass:expire", fact.PassScanned: "pass:scan",
	}
	for _, k := range fact.Native() {
		if name, ok := d.Name(k); name != want[k] || ok != (want[k] != "") {
			t.Errorf("Name(%s) = %q, %v; want %q", k, name, ok, want[k])
		}
	}
}

// What was saved as authorization is sent byte for byte, nothing where nothing was, and the delivery's id with both.
func TestAuthorizationIsSentByteForByte(t *testing.T) {
	d, e := newDialect(nil), dialecttest.Endpoint(ethpass.Format, false)
	of := id.Delivery{Day: 20906, Seq: 258, Endpoint: 10}
	for _, secret := range []string{"", "a-project-secret", "Bearer x", "sk_live_abc==", "Basic dXNlcjpwYXNz"} {
		e.Secret = secret
		s, err := d.Signer(e)
		if err != nil {
			t.Fatal(err)
		}
		list, err := s.AppendHeaders(nil, webhook.Message{ID: d.MessageID(nil, of), Event: "pass:scan", Time: dialecttest.At(), Body: []byte("{}")})
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		for _, f := range list {
			h.Add(f.Name, f.Value)
		}
		_, sent := h["Authorization"]
		if h.Get("Authorization") != secret || sent != (secret != "") || h.Get("X-Delivery-Id") != of.String() || len(h) > 2 {
			t.Errorf("headers for %q: %v", secret, h)
		}
	}
}

// What happens to one pass is one sequence.
func TestAPassIsASequence(t *testing.T) {
	d := ethpass.NewDialect(ethpass.Lookups{})
	for _, c := range dialecttest.Cases() {
		if _, ok := d.Name(c.Fact.Kind); ok && d.Sequence(c.Fact) != c.Fact.Subject {
			t.Errorf("Sequence(%s) = %q, want the pass", c.Name, d.Sequence(c.Fact))
		}
	}
	if !strings.HasPrefix(d.Variant(dialecttest.Endpoint(ethpass.Format, false)), ethpass.Format) {
		t.Error("the variant is another format's")
	}
}
