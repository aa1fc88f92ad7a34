package webhook_test

import (
	"errors"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/webhook"
)

func TestVerifyReturnsWhatWasDelivered(t *testing.T) {
	want := aMessage()
	for _, scheme := range schemes {
		h := make(http.Header)
		if err := newSigner(t, scheme, text(oldSecret)...).SetHeaders(h, want); err != nil {
			t.Fatalf("%s: SetHeaders: %v", scheme, err)
		}
		got, err := newVerifier(t, scheme, text(oldSecret)...).Verify(h, want.Body, want.Time)
		if err != nil {
			t.Fatalf("%s: Verify: %v", scheme, err)
		}
		if id := scheme != webhook.Static; (got.ID == want.ID) != id {
			t.Errorf("%s: got id %q", scheme, got.ID)
		}
		if event := scheme == webhook.Portal || scheme == webhook.Pullup; (got.Event == want.Event) != event {
			t.Errorf("%s: got event %q", scheme, got.Event)
		}
		if timed := scheme == webhook.Portal || scheme == webhook.Standard; got.Time.Equal(want.Time) != timed {
			t.Errorf("%s: got time %v", scheme, got.Time)
		}
	}
}

func TestToleranceIsFiveMinutesUnlessSetOtherwise(t *testing.T) {
	m := aMessage()
	h := make(http.Header)
	if err := newSigner(t, webhook.Portal, text(oldSecret)...).SetHeaders(h, m); err != nil {
		t.Fatal(err)
	}
	standard := newVerifier(t, webhook.Portal, text(oldSecret)...)
	generous := standard.WithTolerance(30 * time.Minute)
	exact := standard.WithTolerance(-time.Hour)
	cases := []struct {
		name     string
		verifier *webhook.Verifier
		age      time.Duration
		want     error
	}{
		{"default", standard, 5 * time.Minute, nil},
		{"default", standard, 5*time.Minute + 999*time.Millisecond, nil}, // whole seconds
		{"default", standard, 5*time.Minute + time.Second, webhook.TooOld},
		{"default", standard, -5 * time.Minute, nil},
		{"default", standard, -5*time.Minute - time.Second, webhook.InFuture},
		{"half an hour", generous, 30 * time.Minute, nil},
		{"half an hour", generous, 30*time.Minute + time.Second, webhook.TooOld},
		{"half an hour", generous, -30*time.Minute - time.Second, webhook.InFuture},
		{"none", exact, 0, nil},
		{"none", exact, time.Second, webhook.TooOld},
		{"none", exact, -time.Second, webhook.InFuture},
	}
	for _, c := range cases {
		if _, err := c.verifier.Verify(h, m.Body, m.Time.Add(c.age)); !errors.Is(err, c.want) {
			t.Errorf("tolerance %s, age %v: Verify: got %v, want %v", c.name, c.age, err, c.want)
		}
	}
	if _, err := standard.Verify(h, m.Body, time.Time{}); !errors.Is(err, webhook.InFuture) {
		t.Errorf("without a clock: Verify: got %v, want InFuture", err)
	}
}

// A receiver that forgot its clock must not bring expired keys back, in the schemes without a timestamp either.
func TestExpiredKeysDoNotVerifyWithoutAClock(t *testing.T) {
	m := aMessage()
	for _, scheme := range []webhook.Scheme{webhook.Pullup, webhook.Static} {
		h := make(http.Header)
		if err := newSigner(t, scheme, text(oldSecret)...).SetHeaders(h, m); err != nil {
			t.Fatal(err)
		}
		v := newVerifier(t, scheme, webhook.Key{Text: oldSecret, Until: m.Time})
		if _, err := v.Verify(h, m.Body, time.Time{}); !errors.Is(err, webhook.NoMatch) {
			t.Errorf("%s: Verify: got %v, want NoMatch", scheme, err)
		}
	}
}

func TestErrorsShowNothingOfTheRequest(t *testing.T) {
	const marker = "attacker-controlled"
	for _, scheme := range schemes {
		v := newVerifier(t, scheme, text(oldSecret)...)
		for _, name := range scheme.Headers() {
			h := make(http.Header)
			if err := newSigner(t, scheme, text(oldSecret)...).SetHeaders(h, aMessage()); err != nil {
				t.Fatal(err)
			}
			h.Set(name, marker)
			_, err := v.Verify(h, []byte(marker), time.Unix(sentAt, 0))
			if err == nil || strings.Contains(err.Error(), marker) {
				t.Errorf("%s, %s: got error %v", scheme, name, err)
			}
		}
	}
}

// TestSignaturesAreComparedInConstantTime reads the source, since no test can tell it by the clock: nothing that came with a
// request or was computed from a key is compared with ==, or by a function that stops at the first difference.
func TestSignaturesAreComparedInConstantTime(t *testing.T) {
	files := token.NewFileSet()
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	source := func(n ast.Node) string {
		var b strings.Builder
		if err := format.Node(&b, files, n); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	secret := func(e ast.Expr) bool {
		text := source(e)
		return !strings.HasPrefix(text, "len(") && !strings.HasPrefix(text, "subtle.") &&
			(strings.Contains(text, ".value") || strings.Contains(text, "digest") || strings.Contains(text, "w.out"))
	}
	compared := 0
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BinaryExpr:
				if (n.Op == token.EQL || n.Op == token.NEQ) && (secret(n.X) || secret(n.Y)) {
					t.Errorf("%v: %s", files.Position(n.Pos()), source(n))
				}
			case *ast.CallExpr:
				switch source(n.Fun) {
				case "bytes.Equal", "bytes.Compare", "strings.EqualFold", "strings.Compare", "reflect.DeepEqual", "slices.Equal":
					t.Errorf("%v: %s", files.Position(n.Pos()), source(n))
				case "subtle.ConstantTimeCompare":
					compared++
				}
			}
			return true
		})
	}
	if compared != 3 {
		t.Errorf("got %d constant-time comparisons, want 3 (hexadecimal, v1, static): is the test still looking at the right thing?", compared)
	}
}
