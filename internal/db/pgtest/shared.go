package pgtest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"
)

// TB is what this package needs of a [testing.TB].
type TB interface {
	Helper()
	Cleanup(func())
	Logf(format string, args ...any)
	Skipf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// shared is the one cluster of this test binary. It is a package variable
// because tests have no other place that outlives each of them; Main clears it.
var shared struct {
	sync.Mutex
	cluster *Cluster
	err     error
}

// Shared is the cluster of this test binary, without fsync and in memory where
// there is enough of it, started when the first test asks for it. Where there is no PostgreSQL it skips the test, or
// fails it when the environment has CI=true. The test binary needs a TestMain
// that calls [Main].
func Shared(t TB) *Cluster {
	t.Helper()
	if reason := Unavailable(); reason != "" {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s; with CI=true every database must be tested", reason)
		}
		t.Skipf("%s", reason)
	}
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster == nil && shared.err == nil {
		shared.cluster, shared.err = Start(Options{Dir: memory()})
	}
	if shared.err != nil {
		t.Fatalf("pgtest.Shared: %v", shared.err)
	}
	return shared.cluster
}

// Main runs the tests of a binary, stops the shared cluster if one was started,
// and returns the exit status for [os.Exit]. m is a [testing.M].
func Main(m interface{ Run() int }) int {
	defer func() {
		shared.Lock()
		defer shared.Unlock()
		if shared.cluster != nil {
			shared.cluster.Stop()
			shared.cluster = nil
		}
	}()
	return m.Run()
}

// Fresh is the URL of a new database for this test alone, dropped when the test
// ends. It is a copy of the template of the given name, which the first call
// with that name makes and prepare fills (with the schema, as a rule); prepare
// must have closed its connections when it returns. A nil prepare gives an empty
// database.
func (c *Cluster) Fresh(t TB, template string, prepare func(ctx context.Context, url string) error) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if prepare == nil {
		template = ""
	} else if err := c.template(ctx, template, prepare); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	c.mu.Lock()
	c.fresh++
	name := fmt.Sprintf("test_%d", c.fresh)
	c.mu.Unlock()
	if err := c.CreateDatabase(ctx, name, template); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		if err := c.DropDatabase(ctx, name); err != nil {
			t.Logf("pgtest: %v", err)
		}
	})
	return c.URL(name)
}

// template makes the template once; whoever comes later learns the same result.
func (c *Cluster) template(ctx context.Context, name string, prepare func(context.Context, string) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err, made := c.templates[name]; made {
		return err
	}
	err := c.CreateDatabase(ctx, name, "")
	if err == nil {
		if err = prepare(ctx, c.URL(name)); err != nil {
			err = fmt.Errorf("prepare template %s: %w", name, err)
		}
	}
	c.templates[name] = err
	return err
}
