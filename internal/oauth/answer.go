package oauth

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// form reads the form of a request that programs make, and takes it from the budget of the address that it comes from.
func (s *Server) form(w http.ResponseWriter, r *http.Request) (params, error) {
	if err := s.fromAddress(r); err != nil {
		return nil, err
	}
	return readForm(w, r)
}

// fromAddress takes a request from the budget of the network that it comes from.
func (s *Server) fromAddress(r *http.Request) error {
	return s.limits.take(s.Now(), "address "+network(s.address(r)))
}

// network is the part of an address that its owner cannot change at will: of IPv6, the first 64 bits.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Is4() {
		return address
	}
	p, _ := a.Prefix(64) // which every IPv6 address has
	return p.String()
}

// formText reads the body of a form that a person sends.
func formText(w http.ResponseWriter, r *http.Request) (string, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return "", &fault{code: "invalid_request", description: "The form is too large.", status: http.StatusRequestEntityTooLarge}
	}
	if err != nil {
		return "", invalidRequest("The form could not be read.")
	}
	return string(body), nil
}

// address is the network address that a request comes from.
func (s *Server) address(r *http.Request) string {
	if s.ClientAddr != nil {
		if a := s.ClientAddr(r.Context()); a.IsValid() {
			return a.String()
		}
	}
	a, _ := netip.ParseAddrPort(r.RemoteAddr)
	return a.Addr().Unmap().String()
}

// answer sends JSON that nobody may keep (RFC 6749 §5.1).
func (s *Server) answer(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // plain values
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // the client may be gone
}

// refuse answers a program with an error of the protocol (RFC 6749 §5.2). What is not one is logged and shown as server_error.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var f *fault
	var p *problem.Error
	switch {
	case errors.As(err, &f):
	case errors.As(err, &p) && p.Kind == problem.Invalid:
		f = invalidRequest("A parameter cannot be stored.") // text that no database takes
	default:
		s.Log.ErrorContext(r.Context(), "request failed", "request_id", r.Header.Get("X-Request-Id"), "path", r.URL.Path, "error", err)
		f = &fault{code: "server_error", description: "Something went wrong on our side. Try again.", status: http.StatusInternalServerError}
	}
	for name, value := range f.header {
		w.Header().Set(name, value)
	}
	s.answer(w, statusOf(f), map[string]string{"error": f.code, "error_description": f.description})
}

func statusOf(f *fault) int {
	if f.status == 0 {
		return http.StatusBadRequest
	}
	return f.status
}

func tooMany(wait time.Duration) *fault {
	return &fault{
		code: "temporarily_unavailable", description: "There were too many requests. Wait as long as Retry-After says.", status: http.StatusTooManyRequests,
		header: map[string]string{"Retry-After": strconv.FormatInt(max(1, seconds(wait)), 10)},
	}
}
