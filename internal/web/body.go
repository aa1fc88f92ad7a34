package web

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// bound keeps request bodies within size and time.
func (s *Server) bound(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		own := slices.ContainsFunc(s.ownBodies, func(prefix string) bool { return strings.HasPrefix(r.URL.Path, prefix) })
		if r.ContentLength > s.config.MaxBody && !own {
			s.problems.Write(w, r, bodyTooLarge(s.config.MaxBody)) // before a byte of it is read
			return
		}
		if r.Body != nil && r.Body != http.NoBody {
			body := r.Body
			if !own {
				body = http.MaxBytesReader(w, body, s.config.MaxBody)
			}
			r.Body = &paced{
				ReadCloser: body,
				conn:       http.NewResponseController(w),
				deadline:   time.Now().Add(s.config.BodyGrace),
				rate:       s.config.BodyRate,
			}
		}
		next.ServeHTTP(w, r)
	})
}

// paced is a body that must come in at a rate: each byte read earns time for the next.
type paced struct {
	io.ReadCloser
	conn     *http.ResponseController
	deadline time.Time // for the next byte
	rate     int64     // bytes per second
	ended    bool
}

func (p *paced) Read(b []byte) (int, error) {
	if p.ended {
		return p.ReadCloser.Read(b)
	}
	_ = p.conn.SetReadDeadline(p.deadline) // not supported without a connection, where nothing trickles either
	n, err := p.ReadCloser.Read(b)
	p.deadline = p.deadline.Add(time.Duration(n) * time.Second / time.Duration(p.rate))
	if err == io.EOF {
		p.ended = true
		_ = p.conn.SetReadDeadline(time.Time{}) // from now on the server only waits for the connection to break
	}
	return n, err
}
