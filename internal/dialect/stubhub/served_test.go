package stubhub_test

import (
	"errors"
	"net/http"
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
