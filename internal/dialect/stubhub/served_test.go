package stubhub_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/dialect/stubhub"
	"github.com/stagedoorhq/stagedoor/test/published"
)

// What the tests hold against the published documents is all that there is, but for the root, which is not published.
func TestWhatIsServedIsWhatIsHeldAgainstTheDocuments(t *testing.T) {
	if _, err := published.Read(); errors.Is(err, published.ErrAbsent) {
		t.Skip(err)
	}
	parameter := regexp.MustCompile(`\{\w+\}`)
	var got, want []string
	for _, p := range stubhub.New(http.NewServeMux(), stubhub.Config{}).Permissions() {
		if p.Path != "/v2" {
			got = append(got, parameter.ReplaceAllString(p.Method+" "+p.Path, "{}"))
		}
	}
	for _, op := range published.Served() {
		want = append(want, parameter.ReplaceAllString(op, "{}"))
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("routes (-published.Served +stubhub):\n%s", diff)
	}
}

// The golden envelopes, of which there is one for each topic and action, are as the documents say.
func TestGoldenEnvelopesAreAsPublished(t *testing.T) {
	docs, err := published.Read()
	if errors.Is(err, published.ErrAbsent) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/*.golden.json")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, file := range files {
		envelope, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var said struct{ Topic, Action string }
		if err := json.Unmarshal(envelope, &said); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		found[said.Topic+"/"+said.Action] = true
		h := http.Header{}
		for name, value := range map[string]string{"VGG-Topic": said.Topic, "VGG-DeliveryId": "1", "User-Agent": "Viagogo-Webhooks/2.249.0.0", "Content-Type": "application/json"} {
			h.Set(name, value)
		}
		if _, wrong := docs.Delivery(h, envelope); len(wrong) > 0 {
			t.Errorf("%s: %q", file, wrong)
		}
	}
	if diff := cmp.Diff(docs.Actions(), slices.Sorted(maps.Keys(found))); diff != "" {
		t.Errorf("topics and actions with a golden envelope (-want +got):\n%s", diff)
	}
}
