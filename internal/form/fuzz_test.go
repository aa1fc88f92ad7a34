package form_test

import (
	"encoding/json"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/form"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// FuzzBody: whatever is sent elsewhere is refused with a problem, or is valid JSON.
func FuzzBody(f *testing.F) {
	for _, s := range []string{`{"a":1}`, `{"a":{"a.b":[1e999,null,true,"x"]}}`, `{"a":1,"a":2}`, `[[[[]]]]`, `"\ud800"`, `nul`, `{} {}`, "\xff", `{"\u0000":1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := form.JSON(body, nil); err != nil && problem.As(err) == nil {
			t.Errorf("JSON(%q): %v; want a problem", body, err)
		} else if err == nil && !json.Valid(body) {
			t.Errorf("JSON(%q) took what is not JSON", body)
		}
	})
}
