package oauth

import (
	"bufio"
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

//go:embed client/package.json client/package-lock.json client/.npmrc client/*.mjs
var files embed.FS

func TestLockFilePinsContentAndNoRegistry(t *testing.T) { harness.Pinned(t, "client", files) }

func TestOauth4webapi(t *testing.T) { runs(t, "oauth4webapi.mjs") }
func TestOpenidClient(t *testing.T) { runs(t, "openid-client.mjs") }

// runs runs a script of a client, and is the browser that it asks for.
func runs(t *testing.T, script string) {
	t.Helper()
	const unrun = "the clients of other people were not run"
	modules, node := harness.Modules(t, "oauth-clients", "client", files, unrun), harness.Tool(t, "node", unrun)
	dir := t.TempDir()
	for _, name := range []string{"ask.mjs", script} {
		text, err := files.ReadFile("client/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := open(t, st)
		given := encode(map[string]any{
			"issuer": st.URL, "redirect": redirect, "resource": st.URL + "/api/v1/events",
			"public": h.client(t, "none"), "basic": h.client(t, "client_secret_basic", "client_credentials", deviceGrant), "post": h.client(t, "client_secret_post"),
		})
		cmd := exec.CommandContext(t.Context(), node, "--preserve-symlinks", "--preserve-symlinks-main", filepath.Join(dir, script))
		cmd.Env = append(os.Environ(), "GIVEN="+given, "NODE_OPTIONS=", "NODE_NO_WARNINGS=1")
		h.accompany(t, cmd)
	})
}

// accompany runs a client and does what it asks of the person.
func (h *house) accompany(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var said bytes.Buffer
	cmd.Stderr = &said
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := h.answers(t, out, in)
	if err := cmd.Wait(); err != nil || !done {
		t.Errorf("the client ended before it was done: %v\n%s", err, said.Bytes())
	}
}

func (h *house) answers(t *testing.T, out io.Reader, in io.Writer) (done bool) {
	t.Helper()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var asked struct {
			Visit, Enter string
			Done         bool
		}
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			t.Errorf("the client wrote %q", lines.Text())
			continue
		}
		switch {
		case asked.Done:
			done = true
		case asked.Enter != "":
			h.enter(t, asked.Visit, asked.Enter)
			fmt.Fprintln(in, "{}")
		default:
			fmt.Fprintln(in, encode(map[string]string{"back": h.allow(t, asked.Visit)}))
		}
	}
	return done
}
