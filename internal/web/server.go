package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
)

// Config says how to serve. The zero value of a field is its default.
type Config struct {
	// Log receives the access log and the errors that callers must not see.
	Log *slog.Logger
	// Metrics is where the server's metrics are registered and what /metrics shows.
	Metrics *prometheus.Registry
	// TrustedProxies are the networks of the proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.
	TrustedProxies []netip.Prefix
	// TLSCert and TLSKey are files in PEM; both or none. They are read again when they change.
	TLSCert, TLSKey string
	// Ready are the checks of /readyz by name. Each has two seconds.
	Ready map[string]func(context.Context) error

	// MaxBody is the largest request body in bytes, 1 MiB by default.
	MaxBody int64
	// HeaderTimeout is the time for a request's head, 5 seconds by default.
	HeaderTimeout time.Duration
	// BodyGrace is the time for a request's body beyond what BodyRate allows, 5 seconds by default.
	BodyGrace time.Duration
	// BodyRate is the slowest that a body may come in, in bytes per second, 32 KiB by default.
	BodyRate int64
	// AnswerTimeout is the time for handling a request and writing the answer, 2 minutes by default.
	AnswerTimeout time.Duration
	// IdleTimeout is how long a connection may wait for its next request, 2 minutes by default.
	IdleTimeout time.Duration
	// MaxIdle is how many connections may wait for a request, 10,000 by default. The one that waited longest goes first.
	MaxIdle int
	// Grace is how long a stop waits for requests under way, 15 seconds by default.
	Grace time.Duration
}

const maxHeader = 64 << 10 // bytes of a request's head

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Metrics == nil {
		c.Metrics = prometheus.NewRegistry()
	}
	setDefault(&c.MaxBody, 1<<20)
	setDefault(&c.HeaderTimeout, 5*time.Second)
	setDefault(&c.BodyGrace, 5*time.Second)
	setDefault(&c.BodyRate, 32<<10)
	setDefault(&c.AnswerTimeout, 2*time.Minute)
	setDefault(&c.IdleTimeout, 2*time.Minute)
	setDefault(&c.MaxIdle, 10_000)
	setDefault(&c.Grace, 15*time.Second)
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Server serves one mux. Make it with [New], put the routes on [Server.Mux], then [Server.Listen] and [Server.Serve].
type Server struct {
	config   Config
	mux      *http.ServeMux
	problems Problems
	idle     *idle
	draining atomic.Bool
	listener net.Listener
	metrics  net.Listener
	tls      *tls.Config

	ownBodies []string // prefixes of the paths whose handlers bound bodies
}

// New makes a server with the routes /healthz, /readyz and /metrics. It fails when the certificate cannot be read.
func New(c Config) (*Server, error) {
	c = c.withDefaults()
	s := &Server{config: c, mux: http.NewServeMux(), problems: Problems{Log: c.Log}, idle: newIdle(c.MaxIdle)}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return nil, errors.New("TLS needs both a certificate and a key; give --tls-cert and --tls-key")
	}
	if c.TLSCert != "" {
		cert, err := newCertificate(c.TLSCert, c.TLSKey, c.Log)
		if err != nil {
			return nil, err
		}
		s.tls = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: cert.get, NextProtos: []string{"h2", "http/1.1"}}
	}
	s.mux.HandleFunc("GET /healthz", healthy)
	s.mux.Handle("GET /readyz", newReadiness(s))
	s.mux.Handle("GET /metrics", s.metricsPage())
	return s, nil
}

// Mux is where the routes go. It must not change once the server serves.
func (s *Server) Mux() *http.ServeMux { return s.mux }

// Advertise has answers that ask for a credential say where clients learn how to get one (RFC 9728 §5.1). It is called before the routes are put on the
// mux.
func (s *Server) Advertise(metadata string) { s.problems.Metadata = metadata }

// OwnBodies leaves it to the handlers of paths that begin with one of the prefixes to bound the size of bodies, and to refuse what is larger. That a body has to come
// in at a rate holds for them too. It is called before the server serves.
func (s *Server) OwnBodies(prefixes ...string) { s.ownBodies = append(s.ownBodies, prefixes...) }

// Problems renders errors for this server's handlers.
func (s *Server) Problems() Problems { return s.problems }

// Listen opens the address to serve on and returns the real one: port 0 picks a free port.
func (s *Server) Listen(addr string) (net.Addr, error) {
	l, err := listen(addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	s.listener = l
	return l.Addr(), nil
}

// ListenMetrics opens an address that serves nothing but /metrics, /healthz and /readyz. The main address then has no /metrics.
func (s *Server) ListenMetrics(addr string) (net.Addr, error) {
	l, err := listen(addr)
	if err != nil {
		return nil, fmt.Errorf("listen for metrics on %s: %w", addr, err)
	}
	s.metrics = l
	return l.Addr(), nil
}

// listen needs no context: opening an address of our own does not wait.
func listen(addr string) (net.Listener, error) {
	return new(net.ListenConfig).Listen(context.Background(), "tcp", addr)
}

// Serve serves until ctx ends, then stops: /readyz says no, no connection is taken any more, and requests under way have the grace to end.
// It returns nil after a stop in time.
func (s *Server) Serve(ctx context.Context) error {
	if s.listener == nil {
		return errors.New("serve: Listen was not called")
	}
	var all errgroup.Group
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	all.Go(func() error { defer cancel(); return s.serve(ctx, s.listener, s.Handler(), s.tls) })
	if s.metrics != nil {
		all.Go(func() error { defer cancel(); return s.serve(ctx, s.metrics, s.operatorHandler(), nil) })
	}
	return all.Wait()
}

func (s *Server) serve(ctx context.Context, l net.Listener, h http.Handler, t *tls.Config) error {
	srv := &http.Server{
		Handler:           h,
		TLSConfig:         t, // serves to have HTTP/2 set up: listeners come with it
		ReadHeaderTimeout: s.config.HeaderTimeout,
		ReadTimeout:       s.config.HeaderTimeout + s.config.BodyGrace + time.Duration(s.config.MaxBody/s.config.BodyRate)*time.Second,
		WriteTimeout:      s.config.AnswerTimeout,
		IdleTimeout:       s.config.IdleTimeout,
		MaxHeaderBytes:    maxHeader,
		ConnState:         s.noteState,
		ConnContext:       heard,
		ErrorLog:          slog.NewLogLogger(s.config.Log.Handler(), slog.LevelDebug), // broken handshakes and the like: strangers' doing
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		s.draining.Store(true)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.Grace)
		defer cancel()
		err := srv.Shutdown(grace)
		if err != nil {
			err = errors.Join(fmt.Errorf("stop: requests were still under way after %s: %w", s.config.Grace, err), srv.Close())
		}
		stopped <- err
	})
	if t != nil {
		l = newHandshakes(l, t, s.config.HeaderTimeout, s.idle, s.config.Log)
	} else {
		l = recording{l}
	}
	err := srv.Serve(l)
	if stop() { // it ended by itself
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	return <-stopped
}

// Handler is everything that a request goes through, for tests that need no socket. Requests that came by TCP also have the connection's
// timeouts.
func (s *Server) Handler() http.Handler {
	return s.observe(s.bound(http.HandlerFunc(s.route)))
}

func (s *Server) operatorHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", healthy)
	mux.Handle("GET /readyz", newReadiness(s))
	mux.Handle("GET /metrics", s.metricsPage())
	return mux
}
