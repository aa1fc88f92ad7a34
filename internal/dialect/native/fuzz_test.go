package native_test

import (
	"encoding/json"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/dialect/native"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// FuzzMessages: whatever is sent to POST /messages is refused with a problem, or is what encoding/json reads.
func FuzzMessages(f *testing.F) {
	for _, s := range []string{
		`{"event":"acme.paid","data":{}}`, `{"messages":[{"event":"acme.paid","data":{"a":[1,"]}",{}]},"key":"k"}]}`, `{"data":{},"data":{}}`, `[]`, `{`, ``, " ",
		`{"event":"\u0061cme.paid","data":{"\"":"\\"}}`, "\ufeff{}", `{"messages":{}}`, `{"messages":[1,]}`, `{"messages":null}`, `{"event":"acme.paid","data":{}} x`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		n, err := native.ParseMessages(body)
		if err != nil {
			if problem.As(err) == nil {
				t.Errorf("ParseMessages(%q): %v; want a problem", body, err)
			}
			return
		}
		var want struct {
			Event    string
			Data     map[string]any
			Messages []struct {
				Event string
				Data  map[string]any
			}
		}
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatalf("ParseMessages(%q) took what encoding/json refuses: %v", body, err)
		}
		if single := want.Messages == nil; single && n != 1 || !single && n != len(want.Messages) {
			t.Errorf("ParseMessages(%q) found %d messages; encoding/json %d", body, n, len(want.Messages))
		}
	})
}
