package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db/pgtest"
)

// subject is one server under test, freshly made, with the receiver that it delivers to.
type subject struct {
	arm      string
	binary   string
	args     []string // of the server, to start it again
	dir      string   // its data, removed by close
	database string   // of PostgreSQL, or ""
	cluster  *pgtest.Cluster

	server    *child
	receiver  *receiver
	book      *book
	endpoints int
	path, key string // of the requests
	body      []byte
	tokens    []string // for the part tokens
	event     string   // for the part door
	codes     []string // the same
	pull      string   // the path of the pull endpoint, for the parts ingest and kept
}

// need is what a trial needs of its subject.
type need struct {
	endpoints int
	sick      map[int]behaviour // endpoints that do not answer
	orders    bool              // orders instead of messages
	tokens    int               // access tokens, to read with
	people    int               // tickets, to scan
	ingest    bool              // a pull endpoint instead of messages
}

// start makes a subject of an arm: fresh data, a running server, its endpoints registered and known to be heard.
func (b *bench) start(ctx context.Context, arm string, n need) (*subject, error) {
	s := &subject{
		arm: arm, binary: b.binary, book: newBook(), endpoints: n.endpoints,
		path: "/api/v1/messages", key: "none", body: messageBody(),
	}
	if err := s.open(ctx, b, n); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// open may leave a part of it done when it fails; close takes that.
func (s *subject) open(ctx context.Context, b *bench, n need) (err error) {
	if s.dir, err = os.MkdirTemp(b.Dir, "stagedoor-bench-"); err != nil {
		return err
	}
	if s.receiver, err = newReceiver(ctx, s.book); err != nil {
		return err
	}
	for i, way := range n.sick {
		s.receiver.ways[i].Store(int32(way))
	}
	if s.arm == plain || s.arm == durable || s.arm == single {
		err = s.startFloor(ctx)
	} else {
		err = s.startStagedoor(ctx, b, n)
	}
	if err != nil {
		return err
	}
	return s.awaitEndpoints(ctx)
}

func (s *subject) startFloor(ctx context.Context) error {
	s.args = []string{"bench-floor", s.arm, "--listen", "127.0.0.1:0", "--dir", s.dir}
	for i := range s.endpoints {
		s.args = append(s.args, "--to", s.receiver.url(i))
	}
	return s.startServer(ctx)
}

func (s *subject) startStagedoor(ctx context.Context, b *bench, n need) error {
	s.args = []string{"serve", "--listen", "127.0.0.1:0", "--allow-target", "127.0.0.0/8", "--oauth-per-minute", "0", "--pull-per-second", "0", "--data", s.dataDir()}
	if s.arm == postgres {
		b.databases++
		s.cluster, s.database = b.cluster, "bench_"+strconv.Itoa(b.databases)
		if err := s.cluster.CreateDatabase(ctx, s.database, ""); err != nil {
			return err
		}
		s.args = append(s.args, "--database", s.databaseURL())
	}
	if err := s.startServer(ctx); err != nil {
		return err
	}
	return s.furnish(ctx, n)
}

func (s *subject) dataDir() string { return filepath.Join(s.dir, "data") }

// databaseURL is "" on SQLite.
func (s *subject) databaseURL() string {
	if s.database == "" {
		return ""
	}
	return s.cluster.URL(s.database)
}

func (s *subject) startServer(ctx context.Context) error {
	c, err := startChild(ctx, s.binary, s.args...)
	if err == nil { // otherwise the one before it, which has ended, stays
		s.server = c
	}
	return err
}

// close ends the server and removes its data. The receiver goes first: a delivery that hangs would hold up the server's end.
func (s *subject) close() {
	if s.receiver != nil {
		s.receiver.close()
	}
	if s.server != nil {
		s.server.end()
	}
	if s.database != "" {
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		_ = s.cluster.DropDatabase(ctx, s.database) // the cluster is thrown away in the end
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

func (s *subject) target() *target {
	return &target{addr: s.server.addr, req: newRequest(s.server.addr, s.path, s.key, s.body), book: s.book}
}

// healthy are the endpoints that answer, as bits.
func (s *subject) healthy() uint32 {
	var bits uint32
	for i := range s.endpoints {
		if behaviour(s.receiver.ways[i].Load()) == answers {
			bits |= 1 << i
		}
	}
	return bits
}

// awaitEndpoints sends messages until each endpoint was reached once: another process has registered them, and the server may
// take a moment to see it. What is under way then is drained.
func (s *subject) awaitEndpoints(ctx context.Context) error {
	all := uint32(1)<<s.endpoints - 1
	s.book.begin(all)
	t := s.target()
	p := &publisher{addr: t.addr, req: t.req, until: time.Now().Add(2 * patience)}
	defer p.close()
	var why refusal
	for end := time.Now().Add(patience); s.receiver.reached.Load() != all; pause(ctx, 20*time.Millisecond) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.server.alive(); err != nil {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s: of %d endpoints only those of the set %b were reached in %v; the first refusal: %w",
				s.arm, s.endpoints, s.receiver.reached.Load(), patience, why.err)
		}
		t.publish(ctx, p, s.book.now(), &why)
	}
	return nil
}
