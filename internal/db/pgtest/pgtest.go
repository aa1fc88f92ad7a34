// Package pgtest runs throwaway PostgreSQL clusters for tests and for the
// bench command.
//
// A [Cluster] is a real PostgreSQL server in a directory of its own: made by
// initdb, reachable through a Unix socket in that directory and through nothing
// else, and removed when it is stopped. The server never runs as root: where we
// are root, it runs as the user postgres, or else nobody. On Linux the kernel
// stops it when our process dies, however it dies; what a killed process left
// on disk is swept by the next [Start].
//
// Tests use [Shared], which gives each test a fresh database in the one cluster
// of its test binary, copied from a template that is migrated once, and [Main],
// which stops that cluster:
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
//
//	func TestSomething(t *testing.T) {
//		url := pgtest.Shared(t).Fresh(t, "migrated", migrate)
//		...
//	}
//
// Where PostgreSQL cannot be had, [Unavailable] says why, and Shared skips the
// test with that line, or fails it when CI=true: a database that nobody tested
// must not look like one that passed.
//
// The package does not import testing, so that a command may use it. It knows
// nothing of our schema; internal/db/dbtest does.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// port names the socket file; no TCP port is opened.
const port = "5432"

// startTimeout bounds initdb and the wait for the first connection, each. It is
// long because a slow machine is not an error.
const startTimeout = 2 * time.Minute

// Options say how a cluster is made. The zero value is a cluster for tests.
type Options struct {
	// Dir is the directory in which the cluster makes a directory of its own.
	// Empty means the system's temporary directory. The server's user must be
	// able to reach it.
	Dir string

	// Fsync makes commits durable. Tests leave it off for speed; crash tests
	// and benchmarks turn it on.
	Fsync bool

	// Settings are server settings as in postgresql.conf, above the package's
	// own (max_connections 200, shared_buffers 128MB).
	Settings map[string]string
}

// Cluster is one running PostgreSQL server. Its methods may be called from
// several goroutines.
type Cluster struct {
	dir     string // ours alone, removed by Stop
	sockets string // dir, or a shorter path where dir is too long for a socket
	owner   *os.File
	server  *exec.Cmd
	exited  chan struct{} // closed once the server has been waited for

	stop sync.Once

	mu        sync.Mutex // guards the fields below, and is held while a template is made
	templates map[string]error
	fresh     int
}

// Start makes a cluster, starts it and returns once it answers. The error
// carries the end of the server's log where there is one.
func Start(o Options) (*Cluster, error) {
	bin, err := findBinaries()
	if err != nil {
		return nil, err
	}
	who, err := serverUser()
	if err != nil {
		return nil, err
	}
	parent := o.Dir
	if parent == "" {
		parent = os.TempDir()
	}
	sweep(parent)

	c := &Cluster{exited: make(chan struct{}), templates: map[string]error{}}
	if err := c.start(bin, who, parent, o); err != nil {
		log := c.logTail()
		c.Stop()
		return nil, fmt.Errorf("start PostgreSQL from %s: %w%s", bin, err, log)
	}
	return c, nil
}

func (c *Cluster) start(bin string, who *credential, parent string, o Options) error {
	if err := c.makeDirs(parent, who); err != nil {
		return err
	}
	if err := c.initdb(bin, who); err != nil {
		return err
	}
	if err := c.launch(bin, who, o); err != nil {
		return err
	}
	return c.awaitReady()
}

// makeDirs makes the cluster's directory, marks it as ours and hands it to the
// server's user.
func (c *Cluster) makeDirs(parent string, who *credential) (err error) {
	if c.dir, err = os.MkdirTemp(parent, dirPrefix); err != nil {
		return err
	}
	if c.owner, err = claim(c.dir); err != nil {
		return err
	}
	c.sockets = c.dir
	if len(c.dir) > maxSocketDir {
		if c.sockets, err = os.MkdirTemp("/tmp", dirPrefix); err != nil {
			return err
		}
	}
	for _, d := range []string{c.dir, c.sockets} {
		if err := who.own(d); err != nil {
			return err
		}
	}
	return nil
}

// maxSocketDir leaves room for "/.s.PGSQL.5432.lock" in the 104 bytes that the
// smallest common sun_path holds.
const maxSocketDir = 80

func (c *Cluster) initdb(bin string, who *credential) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "initdb"),
		"--pgdata", c.data(), "--username", "postgres", "--auth", "trust",
		"--encoding", "UTF8", "--locale", "C", "--no-sync")
	cmd.Dir, cmd.Env, cmd.SysProcAttr = c.dir, environ(c.dir), who.attributes()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// launch starts the server. One goroutine, tied to its thread, starts it and
// waits for it: Linux sends the parent's death signal when the thread that
// forked ends, not when the process does (prctl(2), PR_SET_PDEATHSIG).
func (c *Cluster) launch(bin string, who *credential, o Options) error {
	log, err := os.OpenFile(c.log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()

	// The server outlives every context of its caller; Stop ends it.
	cmd := exec.CommandContext(context.Background(), filepath.Join(bin, "postgres"), c.arguments(o)...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = c.dir, environ(c.dir), who.attributes()
	cmd.Stdout, cmd.Stderr = log, log

	started := make(chan error)
	go func() {
		lockThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = cmd.Wait() // How it ended stands in its log.
		close(c.exited)
	}()
	if err := <-started; err != nil {
		return err
	}
	c.server = cmd
	return nil
}

func (c *Cluster) arguments(o Options) []string {
	settings := map[string]string{
		"listen_addresses":        "",
		"unix_socket_directories": c.sockets,
		"port":                    port,
		"max_connections":         "200",
		"shared_buffers":          "128MB",
		"timezone":                "UTC",
		"log_timezone":            "UTC",
	}
	if !o.Fsync {
		settings["fsync"] = "off"
		settings["full_page_writes"] = "off"
	}
	for k, v := range o.Settings {
		settings[k] = v
	}
	args := []string{"-D", c.data()}
	for k, v := range settings {
		args = append(args, "-c", k+"="+v)
	}
	return args
}

func (c *Cluster) awaitReady() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		err := c.exec(ctx, "SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-c.exited:
			return errors.New("the server ended before it answered")
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer: %w", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// URL is the address of a database of this cluster, for pgx and for
// --database. The database need not exist yet; "postgres" always does.
func (c *Cluster) URL(dbname string) string {
	q := url.Values{"host": {c.sockets}, "port": {port}, "sslmode": {"disable"}}
	u := url.URL{Scheme: "postgres", User: url.User("postgres"), Path: "/" + dbname, RawQuery: q.Encode()}
	return u.String()
}

// CreateDatabase makes a database, as a copy of template if that is not empty.
// Nobody may be connected to the template meanwhile.
func (c *Cluster) CreateDatabase(ctx context.Context, name, template string) error {
	conn, err := pgx.Connect(ctx, c.URL("postgres"))
	if err != nil {
		return fmt.Errorf("create database %s: %w", name, err)
	}
	defer conn.Close(ctx)
	sql := "CREATE DATABASE " + pgx.Identifier{name}.Sanitize()
	if template != "" {
		sql += " TEMPLATE " + pgx.Identifier{template}.Sanitize()
	}
	if version(conn.PgConn().ParameterStatus("server_version")) >= 15 {
		sql += " STRATEGY FILE_COPY" // a fourth of the time that writing every block to the log takes; older servers know nothing else
	}
	if _, err := conn.Exec(ctx, sql); err != nil {
		return fmt.Errorf("create database %s: %w", name, err)
	}
	return nil
}

// CreateDatabaseIn makes a database whose files lie in a new folder of dir, which
// may be a small disk. The server's own log stays where it is.
func (c *Cluster) CreateDatabaseIn(ctx context.Context, name, dir string) error {
	who, err := serverUser()
	if err != nil {
		return err
	}
	folder := filepath.Join(dir, name)
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	if err := who.own(folder); err != nil {
		return err
	}
	space := pgx.Identifier{name}.Sanitize()
	for _, sql := range []string{
		"CREATE TABLESPACE " + space + " LOCATION '" + strings.ReplaceAll(folder, "'", "''") + "'",
		"CREATE DATABASE " + space + " TABLESPACE " + space,
	} {
		if err := c.exec(ctx, sql); err != nil {
			return fmt.Errorf("create database %s in %s: %w", name, folder, err)
		}
	}
	return nil
}

// DropDatabase removes a database and ends the connections that are left to it.
// One that does not exist is no error.
func (c *Cluster) DropDatabase(ctx context.Context, name string) error {
	sql := "DROP DATABASE IF EXISTS " + pgx.Identifier{name}.Sanitize() + " WITH (FORCE)"
	if err := c.exec(ctx, sql); err != nil {
		return fmt.Errorf("drop database %s: %w", name, err)
	}
	return nil
}

// exec runs one statement on a connection of its own to the database postgres.
func (c *Cluster) exec(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, c.URL("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

// PID is the process id of the server's first process, the postmaster.
func (c *Cluster) PID() int { return c.server.Process.Pid }

// CPU is the processor time, user and system, that all processes of the server
// have used so far, those that have ended included, to 10 ms for each process.
// It is known on Linux; elsewhere it is 0.
func (c *Cluster) CPU() time.Duration { return cpuOf(c.PID()) }

// Stop ends the server at once and removes its directory with all data. Calling
// it twice is fine.
func (c *Cluster) Stop() {
	c.stop.Do(func() {
		if c.server != nil {
			c.end()
		}
		if c.sockets != c.dir {
			_ = os.RemoveAll(c.sockets)
		}
		if c.dir != "" {
			_ = os.RemoveAll(c.dir)
		}
		if c.owner != nil {
			_ = c.owner.Close()
		}
	})
}

// end asks for an immediate shutdown, which writes nothing (the data is thrown
// away), and kills a server that does not comply.
func (c *Cluster) end() {
	_ = c.server.Process.Signal(syscall.SIGQUIT)
	select {
	case <-c.exited:
	case <-time.After(10 * time.Second):
		_ = c.server.Process.Kill()
		<-c.exited
	}
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }
func (c *Cluster) log() string  { return filepath.Join(c.dir, "log") }

// logTail is the end of the server's log, for an error message.
func (c *Cluster) logTail() string {
	b, err := os.ReadFile(c.log())
	if c.dir == "" || err != nil || len(b) == 0 {
		return ""
	}
	return "\n" + string(b[max(0, len(b)-2000):])
}

// environ is ours without what would change the server's or a client's ways.
func environ(home string) []string {
	env := []string{"LC_ALL=C", "HOME=" + home}
	for _, kv := range os.Environ() {
		k, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(k, "PG") || strings.HasPrefix(k, "LC_") || k == "LANG" || k == "LANGUAGE" || k == "HOME" || k == "TZ" {
			continue
		}
		env = append(env, kv)
	}
	return env
}
