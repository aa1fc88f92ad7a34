package published_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/test/published"
)

var (
	operation = regexp.MustCompile("`((?:GET|POST|PUT|PATCH|DELETE) /(?:v2|catalog)/[^` ]+)`")
	example   = regexp.MustCompile("(?s)```json (webhook|delivery)\n(.+?)```")
)

// The guide names every published operation once: with what we have, or with what is left out.
func TestTheGuideNamesEveryPublishedOperation(t *testing.T) {
	d := read(t)
	have, left, _ := strings.Cut(guide(t), "\n## What is left out\n")
	named := func(text string) (all []string) {
		for _, m := range operation.FindAllStringSubmatch(text, -1) {
			all = append(all, m[1])
		}
		return all
	}
	in, out := named(have), named(left)
	for _, op := range d.Operations() {
		switch served := slices.Contains(published.Served(), op); {
		case served && !slices.Contains(in, op):
			t.Errorf("the guide does not say that there is %s", op)
		case !served && !slices.Contains(out, op):
			t.Errorf("the guide does not say that %s is left out", op)
		case served == slices.Contains(out, op):
			t.Errorf("the guide says both that there is %s and that there is not", op)
		}
	}
	for _, op := range slices.Concat(in, out) {
		if !slices.Contains(d.Operations(), op) {
			t.Errorf("the guide speaks of %s, which is not published", op)
		}
	}
	for _, topic := range d.Topics() {
		if !strings.Contains(have, "| `"+topic+"` | `") {
			t.Errorf("the guide does not say what makes %s happen", topic)
		}
	}
}

func TestTheGuidesExamplesAreAsPublished(t *testing.T) {
	d := read(t)
	found := map[string]bool{}
	for _, m := range example.FindAllStringSubmatch(guide(t), -1) {
		found[m[1]] = true
		var wrong []string
		switch m[1] {
		case "webhook":
			wrong = exchange(t, d, "POST /v2/webhooks", m[2], 201, hook)
		case "delivery":
			_, wrong = d.Delivery(headers("SaleUpdates"), []byte(m[2]))
		}
		for _, w := range wrong {
			t.Errorf("the example of a %s: %s", m[1], w)
		}
	}
	if len(found) != 2 {
		t.Errorf("the guide has examples of %v, want a webhook and a delivery", found)
	}
}

func guide(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "guide", "stubhub.md"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}
