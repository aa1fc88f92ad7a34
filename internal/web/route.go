package web

import (
	"net/http"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// route finds the handler; what has none is answered with a problem.
func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	if s.metrics != nil && r.URL.Path == "/metrics" {
		s.problems.Write(w, r, notFound(r))
		return
	}
	made, pattern := s.mux.Handler(r)
	if pattern != "" {
		s.mux.ServeHTTP(w, r)
		return
	}
	// The handler that the mux made up for the occasion says whether the path or only the method is unknown, in plain text: ask it.
	said := refusal{header: http.Header{}}
	made.ServeHTTP(&said, r)
	if said.status != http.StatusMethodNotAllowed {
		s.problems.Write(w, r, notFound(r))
		return
	}
	allow := said.header.Get("Allow")
	w.Header().Set("Allow", allow)
	s.problems.Write(w, r, problem.New(problem.MethodUnknown, "method_not_allowed", "%s is not possible here; use one of: %s.", clip(r.Method), allow))
}

func notFound(r *http.Request) error {
	return problem.New(problem.NotFound, "no_such_route", "There is nothing at %s. GET /openapi.json lists what there is.", clip(r.URL.Path))
}

// refusal takes the status and the headers of an answer, not its body.
type refusal struct {
	header http.Header
	status int
}

func (a *refusal) Header() http.Header         { return a.header }
func (a *refusal) Write(b []byte) (int, error) { return len(b), nil }
func (a *refusal) WriteHeader(status int)      { a.status = status }
