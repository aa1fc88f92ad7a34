package passkit

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/form"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/pass/google"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Config is what the two services stand on. All of it is needed but what has a default.
type Config struct {
	DB       *db.DB
	Book     *pass.Book
	Problems Problems

	// Apple makes a signed .pkpass of a face, and TypeID tells the pass type identifier that it has.
	Apple  func(f pass.Face) ([]byte, error)
	TypeID func(ctx context.Context) (string, error)
	// Callbacks verifies what Google says. Without it there is no place for that.
	Callbacks Callbacks

	// BaseURL is how the outside reaches the server, without a slash at its end: pictures of passes are to be had there.
	BaseURL string
	// Spend takes one request from the budget of a name; rate_limited (429) when there is none left. access.Door's does.
	Spend func(name string, perMinute int) error
	// ClientAddr is the address of the client that made the request; nil when it is not known.
	ClientAddr func(ctx context.Context) netip.Addr

	Log *slog.Logger     // slog.Default when nil
	Now func() time.Time // time.Now when nil
}

// Problems answers requests that failed. web.Problems does.
type Problems interface {
	Write(w http.ResponseWriter, r *http.Request, err error)
}

// Callbacks verifies Google's callbacks. [google.Callbacks] does.
type Callbacks interface {
	Verify(ctx context.Context, body []byte) (google.Callback, error)
}

// WebService is the path of the URL that Apple's passes name as their web service: devices add /v1 and the rest.
const WebService = "/passkit"

// GoogleCallback is the path that Google calls back.
const GoogleCallback = "/passkit/google"

// In the log, the paths of requests have no value that is called secret.
const (
	ofDevice     = WebService + "/v1/devices/{secret}/registrations/{type}"
	registration = ofDevice + "/{serial}"
	onePass      = WebService + "/v1/passes/{type}/{serial}"
	logs         = WebService + "/v1/log"
)

// What a client's network may ask for in a minute. A whole audience may be behind one address, and be told of a change at once.
const (
	perMinute     = 6000
	logsPerMinute = 60
)

type service struct{ Config }

// New puts the routes on the mux.
func New(mux *http.ServeMux, c Config) {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &service{c}
	s.handle(mux, "POST "+registration, perMinute, s.register)
	s.handle(mux, "DELETE "+registration, perMinute, s.unregister)
	s.handle(mux, "GET "+ofDevice, perMinute, s.changed)
	s.handle(mux, "GET "+onePass, perMinute, s.fetch)
	s.handle(mux, "POST "+logs, logsPerMinute, s.log)
	for _, other := range []string{"", "/{rest...}"} { // here, so that the log does not have the name
		mux.HandleFunc(WebService+"/v1/devices/{secret}"+other, s.nothing)
	}
	if c.Callbacks != nil {
		s.handle(mux, "POST "+GoogleCallback, perMinute, s.google)
	}
}

// handle registers a route that the client's network may call so many times a minute.
func (s *service) handle(mux *http.ServeMux, pattern string, perMinute int, do func(w http.ResponseWriter, r *http.Request) error) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		err := s.Spend(pattern+" from "+s.neighbourhood(r.Context()), perMinute)
		if err == nil {
			err = form.URL(r.URL)
		}
		if err == nil {
			err = do(w, r)
		}
		if err != nil {
			s.Problems.Write(w, r, err)
		}
	})
}

// nothing answers what no route is for.
func (s *service) nothing(w http.ResponseWriter, r *http.Request) {
	s.Problems.Write(w, r, problem.New(problem.NotFound, "no_such_route", "There is nothing at this address."))
}

// neighbourhood is the network that a request comes from, as far as one subscriber has it; empty where that is not known.
func (s *service) neighbourhood(ctx context.Context) string {
	if s.ClientAddr == nil {
		return ""
	}
	return access.Neighbourhood(s.ClientAddr(ctx))
}

// body reads a body of up to so many bytes.
func body(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	if r.ContentLength > most {
		return nil, &http.MaxBytesError{Limit: most} // before a byte of it is read
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err != nil {
		return nil, form.Broken(err)
	}
	return b, nil
}
