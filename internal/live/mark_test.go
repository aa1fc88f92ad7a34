package live_test

import (
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/live"
)

// Whatever text a client hands back, it is a cursor that was written so, or none.
func FuzzCursor(f *testing.F) {
	for _, seed := range []string{"0-0-0__0", "0-0-2.1_1-zz-9.3_t00000", "0-0-0_0-0-0_-1", "_", "0-0-0.0__0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		first, ok := live.Reread(s)
		if !ok {
			return
		}
		if again, ok := live.Reread(first); !ok || again != first {
			t.Errorf("%q is read as %q, and that as %q, %v", s, first, again, ok)
		}
	})
}
