package demo

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/webhook"
)

// arrival is one request that came to the receiver.
type arrival struct {
	to      string // the system
	event   string
	fact    int64 // the number of the fact that it tells of; 0 when unknown
	attempt int   // 1, 2, … of this delivery
	at      time.Time
	status  int   // that was answered
	refused error // why it was not verified
}

// receiver stands for the systems that want to hear: an HTTP server with a path for each.
type receiver struct {
	url      string
	arrivals chan arrival
	server   *http.Server
	mux      *http.ServeMux
	ended    chan struct{}

	mu       sync.Mutex
	attempts map[string]int // made so far, by delivery; guarded by mu
}

func newReceiver(ctx context.Context) (*receiver, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &receiver{
		url: "http://" + l.Addr().String(), arrivals: make(chan arrival, 4096), mux: http.NewServeMux(),
		ended: make(chan struct{}), attempts: map[string]int{},
	}
	r.server = &http.Server{Handler: r.mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
	go func() {
		defer close(r.ended)
		_ = r.server.Serve(l) // until close
	}()
	return r, nil
}

func (r *receiver) close() {
	_ = r.server.Close()
	<-r.ended
}

// listen adds a system. It answers its first fails attempts with 503, as if it were being restarted.
func (r *receiver) listen(system string, scheme webhook.Scheme, secret string, fails int) error {
	v, err := webhook.NewVerifier(scheme, webhook.Key{Text: secret})
	if err != nil {
		return err
	}
	left := fails // guarded by r.mu
	verified := func(w http.ResponseWriter, q *http.Request, m webhook.Message) {
		a := arrival{to: system, at: came(q), status: http.StatusOK}
		a.event, a.fact = read(scheme, m)
		r.mu.Lock()
		key := system + m.ID
		r.attempts[key]++
		a.attempt = r.attempts[key]
		if left > 0 {
			left--
			a.status = http.StatusServiceUnavailable
		}
		r.mu.Unlock()
		w.WriteHeader(a.status)
		r.tell(a)
	}
	refused := func(q *http.Request, err error) {
		r.tell(arrival{to: system, at: came(q), status: http.StatusUnauthorized, refused: err})
	}
	door := &webhook.Receiver{Verifier: v, Handle: verified, Refused: refused}
	r.mux.Handle("/"+path(system), http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		door.ServeHTTP(w, q.WithContext(context.WithValue(q.Context(), cameKey{}, time.Now())))
	}))
	return nil
}

// tell hands an arrival to the story. Nobody waits for a story that has ended.
func (r *receiver) tell(a arrival) {
	select {
	case r.arrivals <- a:
	default:
	}
}

type cameKey struct{}

// came is when a request came, before its body was read and verified.
func came(q *http.Request) time.Time {
	t, _ := q.Context().Value(cameKey{}).(time.Time)
	return t
}

// read finds out what a delivery tells of, and the number of its fact from the delivery's id.
func read(scheme webhook.Scheme, m webhook.Message) (event string, fact int64) {
	if scheme == webhook.Standard {
		var body struct{ Type string }
		_ = json.Unmarshal(m.Body, &body) // what is verified is ours
		f, _ := id.ParseFact(m.ID)
		return body.Type, f.Seq
	}
	d, _ := id.ParseDelivery(m.ID)
	return m.Event, d.Seq
}
