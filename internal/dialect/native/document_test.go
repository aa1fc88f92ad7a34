package native_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stagedoorhq/stagedoor/internal/dialect/native"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// document returns openapi.json, indented.
func document(t *testing.T) []byte {
	t.Helper()
	mux := http.NewServeMux()
	native.New(mux, native.Config{Version: "test", Envelopes: []native.Envelope{{
		Format: "portal", Event: "order.accepted", Summary: "An order was accepted", ContentType: "application/json",
		Headers: map[string]string{"X-Webhook-Signature": "sha256=…"}, Example: json.RawMessage(`{"event":"order.accepted"}`),
	}}})
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", "/openapi.json", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("GET /openapi.json = %d", w.Code)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, w.Body.Bytes(), "", "  "); err != nil {
		t.Fatalf("GET /openapi.json is not JSON: %v", err)
	}
	b.WriteByte('\n')
	return b.Bytes()
}

func TestDocumentIsAsReviewed(t *testing.T) {
	got, file := document(t), filepath.Join("testdata", "openapi.json")
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("openapi.json differs from %s (-want +got); if that is meant, run the tests with -update:\n%s", file, diff)
	}
}
