package native_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestDocumentIsAsReviewed(t *testing.T) {
	got, file := indented(t, lite(t).doc.raw), filepath.Join("testdata", "openapi.json")
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

func indented(t *testing.T, raw []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		t.Fatalf("openapi.json: %v", err)
	}
	b.WriteByte('\n')
	return b.Bytes()
}

func TestDocumentTellsOfEveryWebhook(t *testing.T) {
	webhooks := lite(t).doc.document["webhooks"].(map[string]any)
	for _, name := range []string{
		"portal:order.confirmed", "portal:order.accepted", "portal:order.purchase_issues", "portal:order.fulfilled", "portal:order.cancelled",
		"portal:order.refunded", "pullup:event.updated", "pullup:event.soldout", "standard:order.accepted", "cloudevents:order.accepted", "standard:endpoint.disabled",
	} {
		if webhooks[name] == nil {
			t.Errorf("openapi.json has no webhook %s", name)
		}
	}
}
