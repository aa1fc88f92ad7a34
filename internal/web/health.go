package web

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// healthy says that the process runs. It asks nobody: a database that is away is no reason to restart us.
func healthy(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"status":"ok"}` + "\n"))
}

// readiness is /readyz: 200 when every check passes, else 503 with the names of those that fail; the reasons are in the log. Its verdict is
// kept for a second, so that asking costs nothing.
type readiness struct {
	server *Server

	mu      sync.Mutex // guards the rest
	checked time.Time
	failed  []string
}

func newReadiness(s *Server) *readiness { return &readiness{server: s} }

func (c *readiness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	verdict := struct {
		Status string   `json:"status"` // "ok", "unavailable", "stopping"
		Failed []string `json:"failed,omitempty"`
	}{Status: "ok", Failed: c.verdict(r.Context())}
	status := http.StatusOK
	switch {
	case c.server.draining.Load():
		status, verdict.Status = http.StatusServiceUnavailable, "stopping"
	case len(verdict.Failed) > 0:
		status, verdict.Status = http.StatusServiceUnavailable, "unavailable"
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(verdict) // the client may be gone
}

func (c *readiness) verdict(ctx context.Context) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.checked) < time.Second {
		return c.failed
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	c.failed = nil
	checks := c.server.config.Ready
	for _, name := range slices.Sorted(maps.Keys(checks)) {
		if err := checks[name](ctx); err != nil {
			c.failed = append(c.failed, name)
			c.server.config.Log.Warn("not ready", "check", name, "error", err)
		}
	}
	c.checked = time.Now()
	return c.failed
}
