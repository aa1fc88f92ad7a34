package pgtest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoorhq/stagedoor/internal/db/pgtest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("PGTEST_START_AND_HANG"); dir != "" {
		startAndHang(dir)
	}
	os.Exit(pgtest.Main(m))
}

func TestEveryTestHasItsOwnCopyOfTheTemplate(t *testing.T) {
	made := 0
	migrate := func(ctx context.Context, url string) error {
		made++
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		_, err = conn.Exec(ctx, "CREATE TABLE note (body TEXT)")
		return err
	}
	c := pgtest.Shared(t)
	for range 3 {
		conn := connect(t, c.Fresh(t, "notes", migrate))
		if n := queryInt(t, conn, "SELECT count(*) FROM note"); n != 0 {
			t.Errorf("a fresh database has %d rows of another test, want 0", n)
		}
		if _, err := conn.Exec(t.Context(), "INSERT INTO note VALUES ('x')"); err != nil {
			t.Fatalf("INSERT into a fresh database: %v", err)
		}
	}
	if made != 1 {
		t.Errorf("three calls of Fresh prepared the template %d times, want once", made)
	}
}

func TestFreshDatabasesAreDroppedWithTheirTest(t *testing.T) {
	c := pgtest.Shared(t)
	var url string
	t.Run("inner", func(t *testing.T) {
		url = c.Fresh(t, "", nil)
		connect(t, url)
	})
	if conn, err := pgx.Connect(t.Context(), url); err == nil {
		conn.Close(t.Context())
		t.Errorf("after its test, %s can still be connected to", url)
	}
}

func TestTemplateThatCannotBePreparedFailsEveryTest(t *testing.T) {
	c := pgtest.Shared(t)
	for i := range 2 {
		rec := &recorder{TB: t}
		rec.run(func() {
			c.Fresh(rec, "broken", func(context.Context, string) error { return errors.New("no such column") })
		})
		if !strings.Contains(rec.fatal, "no such column") {
			t.Errorf("call %d of Fresh with a broken template: fatal %q, want it to say why", i+1, rec.fatal)
		}
	}
}

func TestTestsRunWithoutFsyncAndWithoutTCP(t *testing.T) {
	conn := connect(t, pgtest.Shared(t).URL("postgres"))
	checkSettings(t, conn, map[string]string{
		"listen_addresses": "",
		"max_connections":  "200",
		"fsync":            "off",
		"TimeZone":         "UTC",
	})
}

func TestOptionsReachTheServerAndStopRemovesIt(t *testing.T) {
	if reason := pgtest.Unavailable(); reason != "" {
		t.Skip(reason)
	}
	// A path too long for a socket's address must not matter.
	dir := openDir(t, strings.Repeat("long", 25))
	c, err := pgtest.Start(pgtest.Options{
		Dir:      dir,
		Fsync:    true,
		Settings: map[string]string{"shared_buffers": "32MB", "max_connections": "20"},
	})
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(c.Stop)

	conn := connect(t, c.URL("postgres"))
	checkSettings(t, conn, map[string]string{"fsync": "on", "shared_buffers": "32MB", "max_connections": "20"})
	before := c.CPU()
	queryInt(t, conn, "SELECT count(*) FROM generate_series(1, 2000000)")
	if after := c.CPU(); cpuIsKnown && after <= before {
		t.Errorf("CPU() = %v before and %v after a query of two million rows", before, after)
	}

	c.Stop()
	c.Stop()
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 0 {
		t.Errorf("after Stop, %s still holds %v", dir, left)
	}
}

func TestServerThatCannotStartSaysWhy(t *testing.T) {
	if reason := pgtest.Unavailable(); reason != "" {
		t.Skip(reason)
	}
	c, err := pgtest.Start(pgtest.Options{Settings: map[string]string{"max_connections": "several"}})
	if err == nil {
		c.Stop()
		t.Fatal("Start with max_connections=several succeeded")
	}
	if !strings.Contains(err.Error(), "max_connections") {
		t.Errorf("Start with max_connections=several: error %q, want the server's own words", err)
	}
}

// connect closes its connection when the test ends.
func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatalf("connect to %s: %v", url, err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func queryInt(t *testing.T, conn *pgx.Conn, sql string) (n int) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

func checkSettings(t *testing.T, conn *pgx.Conn, want map[string]string) {
	t.Helper()
	for name, want := range want {
		var got string
		if err := conn.QueryRow(t.Context(), "SELECT current_setting($1)", name).Scan(&got); err != nil {
			t.Fatalf("SELECT current_setting(%q): %v", name, err)
		}
		if got != want {
			t.Errorf("setting %s = %q, want %q", name, got, want)
		}
	}
}

// openDir is a directory that the server's user can reach too.
func openDir(t *testing.T, name string) string {
	t.Helper()
	base, err := os.MkdirTemp("", "pgtest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	dir := filepath.Join(base, name)
	for _, err := range []error{os.Chmod(base, 0o755), os.Mkdir(dir, 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// recorder notes what a helper would have told the test.
type recorder struct {
	pgtest.TB
	fatal string
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.fatal = fmt.Sprintf(format, args...)
	panic(r)
}

// run calls f as a test would, which ends at Fatalf.
func (r *recorder) run(f func()) {
	defer func() {
		if v := recover(); v != nil && v != any(r) {
			panic(v)
		}
	}()
	f()
}

// startAndHang is the child of TestServerDiesWithTheProcessThatStartedIt.
func startAndHang(dir string) {
	c, err := pgtest.Start(pgtest.Options{Dir: dir})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(c.PID())
	time.Sleep(time.Hour)
}
