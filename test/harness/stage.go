package harness

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db/pgtest"
)

// Stage is an installation whose server all tests of a test binary share. Each test makes an organisation of its own on it.
type Stage struct {
	*House
	*Server
	Contract *Contract // of the server; clients of the stage hold every answer against it

	engine string
	name   string
	failed error // why there is no server
}

// stages are those of this test process. They live as long as it does, which is why they are kept here.
var stages struct {
	sync.Mutex
	all   []*Stage
	flags []string // that their servers are started with
}

// servers are all that this test process started, kept for the end, when their whole logs are read.
var servers struct {
	sync.Mutex
	all []*Server
}

func remember(s *Server) {
	servers.Lock()
	defer servers.Unlock()
	servers.all = append(servers.all, s)
}

// OnStages runs f in parallel on a stage with SQLite and on one with PostgreSQL. The test binary needs a TestMain that calls Main.
func OnStages(t *testing.T, f func(t *testing.T, st *Stage)) {
	t.Helper()
	OnStagesWith(t, "", nil, f)
}

// OnStagesWith is OnStages on other stages, which have a name and whose servers are started with these flags beside Main's. The name is a lower-case word.
func OnStagesWith(t *testing.T, name string, flags []string, f func(t *testing.T, st *Stage)) {
	t.Helper()
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			st := stage(t, engine, name, flags)
			if st.failed != nil {
				t.Fatal(st.failed)
			}
			f(t, st)
		})
	}
}

func stage(t *testing.T, engine, name string, flags []string) *Stage {
	t.Helper()
	bin := Binary(t)
	var cluster *pgtest.Cluster
	if engine == "postgres" {
		cluster = pgtest.Shared(t)
	}
	stages.Lock()
	defer stages.Unlock()
	for _, st := range stages.all {
		if st.engine == engine && st.name == name {
			return st
		}
	}
	st := &Stage{House: &House{bin: bin}, engine: engine, name: name}
	stages.all = append(stages.all, st)
	st.failed = st.raise(append(slices.Clone(stages.flags), flags...), cluster)
	return st
}

// raise starts the stage's server, once.
func (st *Stage) raise(flags []string, cluster *pgtest.Cluster) (err error) {
	dir, err := os.MkdirTemp("", "stagedoor-stage-")
	if err != nil {
		return err
	}
	st.Data = filepath.Join(dir, "data")
	if cluster != nil {
		if err := cluster.CreateDatabase(context.Background(), "stage"+st.name, ""); err != nil {
			return err
		}
		st.Database = cluster.URL("stage" + st.name)
	}
	if st.Server, err = st.Start(flags...); err != nil {
		return err
	}
	st.Contract, err = st.Server.Contract()
	return err
}

// Client returns a client whose exchanges are held against the server's document.
func (st *Stage) Client(key string) *Client {
	c := st.Server.Client(key)
	c.Contract = st.Contract
	return c
}

// LogOf returns what the server logged about a request.
func (s *Server) LogOf(requestID string) string {
	if requestID == "" {
		return ""
	}
	var lines []string
	for line := range strings.Lines(s.Log()) {
		if strings.Contains(line, requestID) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// Trouble is what the log says of panics and, from a binary built with the race detector, of races; usually nothing.
func (s *Server) Trouble() string {
	for _, word := range []string{"panic", "DATA RACE"} {
		if _, after, found := strings.Cut(s.Log(), word); found {
			return word + after[:min(len(after), 6000)]
		}
	}
	return ""
}

// Main runs the tests of a binary that uses stages or PostgreSQL, ends what they share, and returns the exit status. When the whole run
// was asked for, it fails if an answer did not agree with a server's document or an operation of the document was never called on a stage without a name, and if
// something that StubHub publishes, and we have, was never exercised. It always fails if something was not as StubHub publishes it, or the log of any server of the
// process has a secret in it that a test saw. The flags are for the servers of stages.
func Main(m interface{ Run() int }, whole bool, flags ...string) int {
	stages.flags = flags
	return pgtest.Main(mainFunc(func() int {
		code := m.Run()
		stages.Lock()
		defer stages.Unlock()
		for _, st := range stages.all {
			if !st.end(whole && st.name == "") {
				code = 1
			}
		}
		if !discreet() {
			code = 1
		}
		if !asPublished(whole && code == 0) {
			code = 1
		}
		return code
	}))
}

// discreet tells whether no server logged a secret.
func discreet() bool {
	servers.Lock()
	defer servers.Unlock()
	well := true
	for _, s := range servers.all {
		for _, leak := range Leaks(s.Log()) {
			fmt.Printf("--- the log of %s %s\n", s.URL, leak) //nolint:forbidigo // there is no test to say it
			well = false
		}
	}
	return well
}

type mainFunc func() int

func (f mainFunc) Run() int { return f() }

// end stops a stage's server and says whether all was well with it.
func (st *Stage) end(whole bool) bool {
	defer os.RemoveAll(filepath.Dir(st.Data))
	if st.Server == nil {
		return true
	}
	well := true
	complain := func(format string, args ...any) {
		fmt.Printf("--- %s: "+format+"\n", append([]any{st.engine}, args...)...) //nolint:forbidigo // there is no test to say it
		well = false
	}
	if st.Contract != nil {
		for _, fault := range st.Contract.Faults() {
			complain("%s", fault)
		}
		if whole {
			for _, op := range st.Contract.Unseen() {
				complain("%s was never called", op)
			}
		}
	}
	began := time.Now()
	if err := st.Stop(); err != nil {
		complain("the server did not stop well after %v: %v\n%s", time.Since(began), err, tail(st.Log(), 3000))
	}
	if out, diag, err := st.Try("audit"); err != nil {
		complain("audit: %v\n%s%s", err, out, diag)
	}
	if trouble := st.Trouble(); trouble != "" {
		complain("the server's log has %s", trouble)
	}
	return well
}
