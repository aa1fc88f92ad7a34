package google_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/pass/google"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/test/harness"
)

// known is an account and the key that its signatures are verified with.
func known(t *testing.T) (*google.Account, *rsa.PublicKey) {
	t.Helper()
	file, err := made()
	if err != nil {
		t.Fatal(err)
	}
	a, err := google.ReadAccount(file)
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Key string `json:"private_key"`
	}
	if err := json.Unmarshal(file, &f); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(f.Key))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return a, &key.(*rsa.PrivateKey).PublicKey
}

// opened is what a link says, once another implementation has found its signature good.
func opened(t *testing.T, key *rsa.PublicKey, prefix, link string) []byte {
	t.Helper()
	token, ok := strings.CutPrefix(link, prefix)
	if !ok {
		t.Fatalf("the link is %s, want it to begin with %s", link, prefix)
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	claims, err := jws.Verify(key)
	if err != nil {
		t.Fatalf("the link's signature: %v", err)
	}
	return claims
}

func TestLinkHoldsClassAndObject(t *testing.T) {
	account, key := known(t)
	w := wallet(t, google.Config{
		Account: account, Callback: "https://tickets.example/google/callback", Origins: []string{"https://tickets.example"},
	})
	for name, f := range map[string]pass.Face{"link_ticket": ticketFace(), "link_designed": designedFace(), "link_generic": genericFace()} {
		link, err := w.Save(f)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, opened(t, key, "https://pay.google.com/gp/v/save/", link))
	}
}

func TestLinkOfARotatingCodeHoldsNoSecret(t *testing.T) {
	account, key := known(t)
	w := wallet(t, google.Config{Account: account, SaveURL: "https://save.example/to/"})
	link, err := w.Save(rotatingFace())
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Payload any `json:"payload"`
	}
	claims := opened(t, key, "https://save.example/to/", link)
	if err := json.Unmarshal(claims, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"eventTicketObjects": []any{map[string]any{
		"id": issuer + ".6b1c6f0e9d5a4a578a2d0f6a2f1f4d11", "classId": issuer + ".event-17-evn_harbor",
	}}}
	if diff := cmp.Diff(any(want), got.Payload); diff != "" {
		t.Errorf("payload (-want +got):\n%s", diff)
	}
}

func TestLongLinkBecomesShortOnceTheObjectIsMade(t *testing.T) {
	g := harness.PlayGoogle(t, issuer)
	w := wallet(t, played(t, g))
	long, err := w.Save(designedFace())
	if err != nil {
		t.Fatal(err)
	}
	short, err := w.Link(t.Context(), designedFace())
	if err != nil {
		t.Fatal(err)
	}
	if a, b := len(long)-len(g.SaveURL)-1, len(short)-len(g.SaveURL)-1; a <= 1800 || b > 1000 {
		t.Errorf("the tokens have %d and %d characters; want more than 1,800, and fewer than 1,000", a, b)
	}
	for _, link := range []string{short, long} { // of the long one, what is there stays as it is
		if object, status := g.Save(t, link); object != objectID || status != 0 {
			t.Errorf("saved %s, and the callback came to %d; want %s and none", object, status, objectID)
		}
	}
	g.Fail(func(*http.Request) int { return http.StatusServiceUnavailable })
	if link, err := w.Link(t.Context(), designedFace()); err != nil || len(link) != len(long) {
		t.Errorf("Link without the API = %d characters, %v; want the long one", len(link), err)
	}
}

func TestRotatingCodeIsMadeThroughTheAPI(t *testing.T) {
	g := harness.PlayGoogle(t, issuer)
	w := wallet(t, played(t, g))
	g.Fail(func(*http.Request) int { return http.StatusServiceUnavailable })
	_, err := w.Link(t.Context(), rotatingFace())
	if p := problem.As(err); p == nil || p.Code != "wallet_unavailable" || p.RetryAfter <= 0 {
		t.Errorf("Link without the API: %v, want wallet_unavailable with a time", err)
	}
	g.Fail(nil)
	w = wallet(t, played(t, g)) // which has not just failed to have a token
	link, err := w.Link(t.Context(), rotatingFace())
	if err != nil {
		t.Fatal(err)
	}
	object, _ := g.Save(t, link)
	// RFC 6238: 90 is in the seventh step of 15 seconds.
	const want = "SD1.AAECAwQFBgcICQoLDA0ODw-90-"
	got := g.Code(t, object, time.Unix(90, 0))
	if password, ok := strings.CutPrefix(got, want); !ok || len(password) != 8 {
		t.Errorf("the phone shows %q, want %q and eight digits", got, want)
	}
	golden(t, "object_rotating", asJSON(t, g.Thing(object)))
}
