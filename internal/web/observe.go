package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"time"
)

// observe is the outermost layer: it gives the request its id and the answer its standing headers, turns a panic into a 500, and counts
// and logs what came of it.
func (s *Server) observe(next http.Handler) http.Handler {
	m := newMetrics(s.config.Metrics)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		r, id := identify(r, s.config.TrustedProxies)
		a := &answer{ResponseWriter: w}
		standingHeaders(w.Header(), id, r.TLS != nil)
		m.inFlight.Inc()
		defer func() {
			m.inFlight.Dec()
			failed := recover()
			aborted := failed != nil && s.failed(a, r, failed)
			took := time.Since(began)
			m.count(r, a.code(), took)
			s.logAccess(r, a, took)
			if aborted {
				panic(http.ErrAbortHandler) // nothing but a broken connection can tell the client now
			}
		}()
		next.ServeHTTP(a, r)
	})
}

// failed answers a request whose handler panicked. It reports true when the answer was under way already.
func (s *Server) failed(a *answer, r *http.Request, value any) (aborted bool) {
	if err, ok := value.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		return true // on purpose; not ours to log
	}
	err := fmt.Errorf("panic: %v\n%s", value, debug.Stack())
	if a.status != 0 {
		s.config.Log.ErrorContext(r.Context(), "request failed after its answer began", "request_id", RequestID(r.Context()), "path", discreet(r), "error", err)
		return true
	}
	s.problems.Write(a, r, err)
	return false
}

// likeSecret is what the program's secrets look like (id.Secret), also in paths that no route has: a link that was copied with a letter too many, say.
var likeSecret = regexp.MustCompile(`[0-9A-Za-z]{52,}`)

// mayHaveSecret tells whether likeSecret is worth asking, which costs more: whether so many letters and digits stand together.
func mayHaveSecret(path string) bool {
	run := 0
	for i := range len(path) {
		switch c := path[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c >= 'A' && c <= 'Z':
			if run++; run == 52 {
				return true
			}
		default:
			run = 0
		}
	}
	return false
}

// discreet is a request's path without what its route calls a secret: one-time links end in one, and whoever reads the log could be quicker.
func discreet(r *http.Request) string {
	path := r.URL.Path
	if secret := r.PathValue("secret"); secret != "" {
		path = strings.Replace(path, secret, "…", 1)
	} else if before, _, has := strings.Cut(r.Pattern, "{secret}"); has { // the path is written in an odd way, and the mux only says how it is written else
		path = before[strings.IndexByte(before, '/'):] + "…"
	}
	if mayHaveSecret(path) {
		path = likeSecret.ReplaceAllLiteralString(path, "…")
	}
	return clip(path)
}

// logAccess writes the access log: never a query, a header or a body, which may hold secrets or a person's data.
func (s *Server) logAccess(r *http.Request, a *answer, took time.Duration) {
	s.config.Log.LogAttrs(r.Context(), slog.LevelInfo, "request",
		slog.String("request_id", RequestID(r.Context())),
		slog.String("method", clip(r.Method)),
		slog.String("path", discreet(r)),
		slog.Int("status", a.code()),
		slog.Int64("bytes", a.bytes),
		slog.Duration("took", took),
		slog.String("client", Client(r.Context()).String()),
	)
}

// The values of the headers that every answer has, made once: the header map only points to them, and nobody changes them.
var (
	nosniff    = []string{"nosniff"}
	noReferrer = []string{"no-referrer"}
	noContent  = []string{"default-src 'none'; frame-ancestors 'none'"}
	sameOrigin = []string{"same-origin"}
	noStore    = []string{"no-store"}
	onlyTLS    = []string{"max-age=31536000"}
)

// standingHeaders make a browser that ends up with an answer do nothing with it. A face that serves pages sets its own.
func standingHeaders(h http.Header, id string, secure bool) {
	h[requestIDHeader] = []string{id}
	h["X-Content-Type-Options"] = nosniff
	h["Referrer-Policy"] = noReferrer
	h["Content-Security-Policy"] = noContent
	h["Cross-Origin-Resource-Policy"] = sameOrigin
	h["Cache-Control"] = noStore
	if secure {
		h["Strict-Transport-Security"] = onlyTLS
	}
}

// answer notes what goes out.
type answer struct {
	http.ResponseWriter
	status int // 0 until the answer began
	bytes  int64
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 { // 1xx are not the answer yet
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(b)
	a.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) code() int {
	if a.status == 0 {
		return http.StatusOK // what net/http sends for a handler that wrote nothing
	}
	return a.status
}
