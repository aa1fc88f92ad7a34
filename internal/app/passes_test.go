package app_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/app"
	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/pass/apple"
)

// journal is a log that a test can read.
type journal struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
	has chan struct{} // closed once text was written
	is  string
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	had := strings.Contains(j.buf.String(), j.is)
	n, err := j.buf.Write(b)
	if !had && strings.Contains(j.buf.String(), j.is) {
		close(j.has)
	}
	return n, err
}

// Once Apple's certificate is over, whoever runs the server reads it as an error, and no pass is made for a phone that would not take it.
func TestCertificateThatIsOver(t *testing.T) {
	identity, err := apple.NewIdentity(time.Now().AddDate(-11, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "pass.pem")
	if err := os.WriteFile(file, identity, 0o600); err != nil {
		t.Fatal(err)
	}
	said := &journal{has: make(chan struct{}), is: `"level":"ERROR","msg":"Apple's certificate for passes is over`}
	core := open(t, app.Config{
		Data: t.TempDir(), Log: slog.New(slog.NewJSONHandler(said, nil)), Getenv: func(string) string { return "" }, Listen: "127.0.0.1:0", Wallets: app.Wallets{AppleCert: file},
	})
	key := ""
	err = core.DB.Configure(t.Context(), func(tx *db.Tx) error {
		o, err := org.Create(tx, org.Input{Name: "Pier Hall"})
		if err == nil {
			_, key, err = org.CreateKey(tx, o.No, org.KeyInput{}, audit.By{})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	at := serve(t, core)
	select {
	case <-said.has:
	case <-time.After(60 * time.Second):
		t.Error("nobody is told that the certificate is over")
	}
	for platform, want := range map[string]int{"apple": 503, "google": 200} {
		body := `{"wallet":{"chain":{"name":"evm","network":1},"address":"0x79c1d53f15e34895d608ff47ee56ad1f0f3f45d3"},"platform":"` + platform + `"}`
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at+"/v0/passes", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Api-Key", key)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if answer.StatusCode != want || want == 503 && !strings.Contains(string(text), "certificate ended") {
			t.Errorf("a pass for %s: %d %s, want %d", platform, answer.StatusCode, text, want)
		}
	}
}
