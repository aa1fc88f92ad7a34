// Package hookbridge has a client that was written from the text of HookBridge's specification of pull endpoints, in another language and without a library, work
// against the built binary, and sees to it that no row of the specification is left out.
package hookbridge

import (
	"bytes"
	"embed"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

//go:embed client
var client embed.FS

// The client comes from a proxy that is trusted, so that it can say where it sends from.
func TestMain(m *testing.M) { os.Exit(harness.Main(m, false, "--trusted-proxy", "127.0.0.0/8")) }

func TestAClientWrittenFromTheSpecification(t *testing.T) {
	node := harness.Tool(t, "node", "the client written from HookBridge's specification was not run")
	dir := t.TempDir()
	if err := os.CopyFS(dir, client); err != nil {
		t.Fatal(err)
	}
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		_, key := st.Org(t, "Desk")
		_, other := st.Org(t, "Another desk")
		given, err := json.Marshal(map[string]string{"base": st.URL, "key": key, "other": other})
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), node, filepath.Join(dir, "client", "main.mjs"))
		cmd.Env = append(os.Environ(), "GIVEN="+string(given), "NODE_OPTIONS=", "NODE_NO_WARNINGS=1")
		var said bytes.Buffer
		cmd.Stderr = &said
		out, err := cmd.Output()
		seen, done := heard(t, out)
		if err != nil || !done {
			t.Errorf("the client ended with %v before it was done\n%s", err, said.Bytes())
		}
		for _, name := range slices.Sorted(maps.Keys(rows)) {
			if !seen[name] {
				t.Errorf("%s was not exercised: %s", name, rows[name])
			}
		}
	})
}

// heard reads what the client says, and returns the names of the rows that it exercised and whether it was done.
func heard(t *testing.T, out []byte) (seen map[string]bool, done bool) {
	t.Helper()
	seen = map[string]bool{}
	for line := range bytes.Lines(out) {
		var said struct {
			Row, Wrong, Secret, Retried string
			Done                        bool
		}
		if err := json.Unmarshal(line, &said); err != nil {
			t.Fatalf("the client wrote %q", line)
		}
		harness.Secret(said.Secret)
		switch _, known := rows[said.Row]; {
		case said.Row != "" && !known:
			t.Errorf("the row %s is not in the table", said.Row)
		case said.Wrong != "":
			t.Errorf("%s: %s\n%s", said.Row, rows[said.Row], said.Wrong)
		case said.Retried != "":
			t.Logf("asked again: %s", said.Retried)
		}
		seen[said.Row], done = true, done || said.Done
	}
	return seen, done
}

// What no client can exercise is not in the table too.
func TestEachRowIsInOnePlace(t *testing.T) {
	for name, where := range elsewhere {
		if _, twice := rows[name]; twice || where == "" {
			t.Errorf("%s is exercised by the client, and by %q", name, where)
		}
	}
}
