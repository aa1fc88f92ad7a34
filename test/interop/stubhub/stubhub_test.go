// Package stubhub has a client that was written from the text of StubHub's specification, in another language and without a library, work against the built
// binary: only the base URL in it is ours.
package stubhub

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

//go:embed client.mjs
var client []byte

func TestMain(m *testing.M) { os.Exit(harness.Main(m, false)) }

func TestAClientWrittenFromTheSpecification(t *testing.T) {
	node := harness.Tool(t, "node", "the client written from StubHub's specification was not run")
	script := filepath.Join(t.TempDir(), "client.mjs")
	if err := os.WriteFile(script, client, 0o600); err != nil {
		t.Fatal(err)
	}
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		given, err := json.Marshal(map[string]string{"base": st.URL + "/v2", "token": token(t, st)})
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), node, script)
		cmd.Env = append(os.Environ(), "GIVEN="+string(given), "NODE_OPTIONS=", "NODE_NO_WARNINGS=1")
		var said bytes.Buffer
		cmd.Stderr = &said
		out, err := cmd.Output()
		if done := held(t, out); err != nil || !done {
			t.Errorf("the client ended with %v before it was done\n%s", err, said.Bytes())
		}
	})
}

// held holds what the client says it sent and got against the published documents, and tells whether the client was done.
func held(t *testing.T, out []byte) (done bool) {
	t.Helper()
	for line := range bytes.Lines(out) {
		var said struct {
			Exchange *struct {
				Method, URL, Type, Got string
				Sent                   json.RawMessage
				Status                 int
			}
			Delivery *struct {
				Headers map[string]string
				Body    string
			}
			Done bool
		}
		if err := json.Unmarshal(line, &said); err != nil {
			t.Fatalf("the client wrote %q", line)
		}
		var wrong []string
		if e := said.Exchange; e != nil {
			r, err := http.NewRequestWithContext(t.Context(), e.Method, e.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			wrong = harness.Published().Exchange(r, e.Sent, e.Status, http.Header{"Content-Type": {e.Type}}, []byte(e.Got))
		}
		if d := said.Delivery; d != nil {
			h := http.Header{}
			for name, value := range d.Headers {
				h.Set(name, value)
			}
			wrong = harness.Published().Delivery(h, []byte(d.Body))
		}
		for _, w := range wrong {
			t.Error(w)
		}
		done = done || said.Done
	}
	return done
}

// token is one of an app's own, asked for by StubHub's names of scopes.
func token(t *testing.T, st *harness.Stage) string {
	t.Helper()
	_, key := st.Org(t, "Desk")
	var app struct{ ClientID, ClientSecret string }
	st.Client(key).Call(t, 201, "POST", "/api/v1/oauth/clients", map[string]any{
		"name": "Desk", "scopes": []string{"read:webhooks", "write:webhooks"}, "grantTypes": []string{"client_credentials"},
	}).Decode(t, &app)
	return st.Token(t, app.ClientID, app.ClientSecret, "read:webhooks", "write:webhooks")
}
