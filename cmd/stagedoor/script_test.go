package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/stagedoorhq/stagedoor/internal/db/pgtest"
)

func TestMain(m *testing.M) {
	testscript.Main(withCluster{m}, map[string]func(){"stagedoor": main})
}

// withCluster stops the PostgreSQL of the tests after them.
type withCluster struct{ m *testing.M }

func (w withCluster) Run() int { return pgtest.Main(w.m) }

// TestCommands runs testdata/script, with the data in SQLite.
func TestCommands(t *testing.T) {
	testscript.Run(t, params(func(*testscript.Env) error { return nil }, false))
}

// TestCommandsOnPostgreSQL runs the same scripts with the data in PostgreSQL: STAGEDOOR_DATABASE names a fresh database in each.
func TestCommandsOnPostgreSQL(t *testing.T) {
	cluster := pgtest.Shared(t)
	n := make(chan int, 1)
	n <- 0
	testscript.Run(t, params(func(e *testscript.Env) error {
		i := <-n + 1
		n <- i
		name := "script_" + strconv.Itoa(i)
		if err := cluster.CreateDatabase(t.Context(), name, ""); err != nil {
			return err
		}
		e.Defer(func() { _ = cluster.DropDatabase(context.Background(), name) })
		e.Setenv("STAGEDOOR_DATABASE", cluster.URL(name))
		return nil
	}, true))
}

// params are what scripts may use beyond testscript's own:
//
//	[postgres]             whether this run is on PostgreSQL
//	status N command …     the command must end with that exit status
//	start command …        starts a server, waits until it says where it listens, and sets $URL
//	finish                 ends the server with SIGTERM; it must end well
//	capture NAME regexp    sets $NAME to the regexp's group in the last command's output
func params(setup func(*testscript.Env) error, postgres bool) testscript.Params {
	return testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			data, err := filepath.Abs("../../../shared/data")
			if err != nil {
				return err
			}
			e.Setenv("SHARED", data)
			e.Values[serverKey{}] = &server{}
			return setup(e)
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "postgres":
				return postgres, nil
			case "shared":
				_, err := os.Stat("../../../shared/data")
				return err == nil, nil
			}
			return false, fmt.Errorf("there is no condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": exits, "start": start, "finish": finish, "capture": capture,
		},
	}
}

// exits runs a command whose exit status is part of the promise.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N command …")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%s ended with status %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// server is the server of a script, nil before it was started.
type server struct{ cmd *exec.Cmd }

// serverKey is under which a script's values hold its server.
type serverKey struct{}

// start starts a server.
func start(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: start command …")
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "STAGEDOOR_DATABASE"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() { _ = cmd.Process.Kill() })
	hangs := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	line, _ := bufio.NewReader(out).ReadString('\n')
	hangs.Stop()
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !ok {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		ts.Fatalf("%s said %q first, want its address; it also said %s", strings.Join(args, " "), line, said.String())
	}
	ts.Setenv("URL", url)
	ts.Value(serverKey{}).(*server).cmd = cmd
}

// finish asks the server to end.
func finish(ts *testscript.TestScript, neg bool, args []string) {
	cmd := ts.Value(serverKey{}).(*server).cmd
	if neg || len(args) > 0 || cmd == nil {
		ts.Fatalf("usage: finish, after start")
	}
	ts.Check(cmd.Process.Signal(syscall.SIGTERM))
	if err := cmd.Wait(); err != nil {
		ts.Fatalf("the server ended with %v, want status 0; it said %s", err, cmd.Stderr)
	}
}

// capture keeps a part of what the last command printed.
func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: capture NAME regexp")
	}
	m := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(m) != 2 {
		ts.Fatalf("no single match of %s", args[1])
	}
	ts.Setenv(args[0], m[1])
}
