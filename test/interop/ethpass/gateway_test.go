package ethpass

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"sync/atomic"
	"testing"
)

// gateway is a chain's node at an address that is known before there is a chain behind it.
type gateway struct {
	*httptest.Server
	behind atomic.Pointer[httputil.ReverseProxy]
}

func newGateway() *gateway {
	g := &gateway{}
	g.Server = httptest.NewServer(g)
	return g
}

// ServeHTTP implements [http.Handler].
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if to := g.behind.Load(); to != nil {
		to.ServeHTTP(w, r)
		return
	}
	w.WriteHeader(http.StatusBadGateway)
}

// plays has a program be the chain until the test is over. It says where it listens, and ends with its standard input.
func (g *gateway) plays(t *testing.T, script string) {
	t.Helper()
	cmd := node(t, script)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		g.behind.Store(nil)
		_ = in.Close()
		_ = cmd.Wait()
	})
	var said struct{ URL string }
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &said)
	}
	to, bad := url.Parse(said.URL)
	if err != nil || bad != nil || to.Host == "" {
		t.Fatalf("%s wrote %q: %v", script, line, err)
	}
	g.behind.Store(httputil.NewSingleHostReverseProxy(to))
}
