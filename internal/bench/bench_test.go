package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/bench"
	"github.com/stagedoorhq/stagedoor/internal/db/pgtest"
)

// command runs the bench on the fake and returns its report. Afterwards nothing may be left of it.
func command(ctx context.Context, t *testing.T, o bench.Options) (bench.Report, error) {
	t.Helper()
	pids := t.TempDir()
	t.Setenv("BENCH_TEST_PIDS", pids)
	t.Setenv("GORACE", "atexit_sleep_ms=0") // the race detector would have every child sleep for a second at its end
	var out, progress bytes.Buffer
	o.Out, o.Progress, o.JSON = &out, &progress, true
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	err := bench.Command(ctx, o)
	t.Logf("progress:\n%s", progress.String())
	left, _ := filepath.Glob(filepath.Join(o.Dir, "stagedoor-bench-*"))
	if len(left) > 0 {
		t.Errorf("Command left %v in its directory", left)
	}
	assertDead(t, pids)
	var r bench.Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("Command printed no JSON: %v\n%s", err, out.Bytes())
	}
	return r, err
}

func assertDead(t *testing.T, pids string) {
	t.Helper()
	files, err := os.ReadDir(pids)
	if err != nil || len(files) == 0 {
		t.Errorf("no process left its id in %s: %v", pids, err)
	}
	for _, f := range files {
		pid, err := strconv.Atoi(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		if p, err := os.FindProcess(pid); err == nil && !errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone) {
			t.Errorf("the child %d still runs after Command has returned", pid)
		}
	}
}

func TestEveryPartIsMeasuredAndNothingIsLost(t *testing.T) {
	var seeded, kept []int
	r, err := command(t.Context(), t, bench.Options{
		Arms: []string{"plain", "durable", "sqlite"},
		SeedOld: func(_ context.Context, dir, database string, n int) error {
			if _, err := os.Stat(filepath.Join(dir, "endpoints")); err != nil || database != "" {
				t.Errorf("SeedOld was called with %q and %q: %v", dir, database, err)
			}
			seeded = append(seeded, n)
			return nil
		},
		SeedPull: func(_ context.Context, _, _ string, n int) error {
			kept = append(kept, n)
			return nil
		},
	}.Hasty())
	if err != nil {
		t.Fatalf("Command = %v", err)
	}
	var got []string
	for _, x := range r.Results {
		name := strings.Join(slices.DeleteFunc([]string{x.Part, x.Case, x.Arm}, func(s string) bool { return s == "" }), ", ")
		got = append(got, name)
		if x.Lost != 0 || x.Duplicates != 0 && x.Restart == nil || x.Strays != 0 || x.Refused != 0 {
			t.Errorf("%s: lost %d, duplicates %d, strays %d, refused %d, want none", name, x.Lost, x.Duplicates, x.Strays, x.Refused)
		}
		if x.Part == "tokens" {
			want := bench.Check{PerSecond: 50_000, Micros: 20, OfRequest: 0.2}
			if x.Accepted == 0 || x.Publish == nil || x.Publish.Count != x.Accepted || x.Check == nil || *x.Check != want {
				t.Errorf("%s: %d accepted, answers %+v, check %+v; want %+v", name, x.Accepted, x.Publish, x.Check, want)
			}
			continue
		}
		if x.Part == "door" || x.Part == "ingest" || x.Part == "kept" {
			if x.Accepted == 0 || x.Publish == nil || x.Publish.Count != x.Accepted {
				t.Errorf("%s: %d accepted, answers %+v", name, x.Accepted, x.Publish)
			}
			continue
		}
		if x.Sale != nil {
			if x.Sale.Ordered == 0 || x.Sale.Oversold+x.Sale.Failed+x.Sale.Throttled+x.Sale.Other != 0 || x.Sale.Order == nil || (x.Part == "onsale") != (x.Sale.Hold != nil) {
				t.Errorf("%s: %+v", name, x.Sale)
			}
			if sellsOut := x.Part == "onsale" || strings.Contains(x.Case, "sells out"); sellsOut != (x.Sale.SoldOut > 0) || sellsOut && x.Sale.Ordered != 5 {
				t.Errorf("%s: %d ordered, %d were told that it is sold out", name, x.Sale.Ordered, x.Sale.SoldOut)
			}
			continue
		}
		if want := x.Accepted * int64(x.Endpoints); x.Restart == nil && (x.Accepted == 0 || x.Delivered != want) {
			t.Errorf("%s: %d accepted for %d endpoints and %d delivered", name, x.Accepted, x.Endpoints, x.Delivered)
		}
		if x.SendToArrival == nil || x.Publish == nil || x.SendToArrival.Count != x.Delivered {
			t.Errorf("%s: arrival %+v, publish %+v, want figures of %d deliveries", name, x.SendToArrival, x.Publish, x.Delivered)
		}
		if stagedoor := x.Arm == "sqlite"; stagedoor != (x.FactToArrival != nil) {
			t.Errorf("%s: fact-to-arrival is %+v", name, x.FactToArrival)
		}
	}
	want := []string{
		"throughput, plain", "throughput, durable", "throughput, sqlite", "throughput, plain", "throughput, durable", "throughput, sqlite",
		"rates, 50/s, plain", "rates, 1000/s, plain", "rates, 50/s, durable", "rates, 1000/s, durable", "rates, 50/s, sqlite", "rates, 1000/s, sqlite",
		"ten, plain", "ten, durable", "ten, sqlite",
		"hanging, ten answer, sqlite", "hanging, one of ten hangs, sqlite", "hanging, one hangs, one fails, sqlite",
		"orders, sqlite",
		"hot, a listing with stock for all, sqlite", "hot, a ticket type with stock for all, sqlite", "hot, a ticket type that sells out, sqlite",
		"onsale, 14 reservations in 150ms, 4 connections, sqlite",
		"tokens, one token, 4 publishers, sqlite", "tokens, one token, 100/s, sqlite", "tokens, a token each, 4 publishers, sqlite", "tokens, a token each, 100/s, sqlite",
		"door, sqlite", "stream, sqlite",
		"ingest, 1 KiB, single", "ingest, 1 KiB, durable", "ingest, 1 KiB, sqlite", "ingest, 1 KiB, single", "ingest, 1 KiB, durable", "ingest, 1 KiB, sqlite",
		"ingest, 32 KiB, single", "ingest, 32 KiB, durable", "ingest, 32 KiB, sqlite", "ingest, 32 KiB, single", "ingest, 32 KiB, durable", "ingest, 32 KiB, sqlite",
		"ingest, 1 MiB, single", "ingest, 1 MiB, durable", "ingest, 1 MiB, sqlite", "ingest, 1 MiB, single", "ingest, 1 MiB, durable", "ingest, 1 MiB, sqlite",
		"ingest, 1 KiB, 100/s, single", "ingest, 1 KiB, 100/s, durable", "ingest, 1 KiB, 100/s, sqlite",
		"kept, list, few kept, sqlite", "kept, fetch, few kept, sqlite", "kept, list, many kept, sqlite", "kept, fetch, many kept, sqlite",
		"old, fresh tables, sqlite", "old, many old deliveries, sqlite", "restart, sqlite",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{7}, seeded); diff != "" {
		t.Errorf("calls of SeedOld (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{3, 6}, kept); diff != "" {
		t.Errorf("calls of SeedPull (-want +got):\n%s", diff)
	}
	if last := r.Results[len(r.Results)-1]; last.Restart == nil || last.Restart.Backlog == 0 || last.Restart.LastDeliverySeconds == 0 {
		t.Errorf("restart = %+v, want a backlog and the time it took", last.Restart)
	}
}

func TestPostgreSQLGetsADatabaseOfItsOwn(t *testing.T) {
	if why := pgtest.Unavailable(); why != "" {
		t.Skip(why)
	}
	r, err := command(t.Context(), t, bench.Options{
		Arms: []string{"postgres"}, Only: []string{"throughput"}, Dir: shallowDir(t),
	}.Hasty())
	if err != nil || len(r.Results) != 2 {
		t.Fatalf("Command = %v with %d results, want 2", err, len(r.Results))
	}
}

// shallowDir is one that PostgreSQL's user can reach, which those of t.TempDir need not be.
func shallowDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "stagedoor-benchtest-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // #nosec G302 -- another user passes through it
		t.Fatal(err)
	}
	return dir
}

func TestCancelledRunEndsItsChildrenAndPrintsWhatItHas(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	begun := time.Now()
	r, err := command(ctx, t, bench.Options{Arms: []string{"durable", "sqlite"}, Only: []string{"rates", "throughput"}}.Endless())
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Command = %v, want the context's error", err)
	}
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("Command returned %v after it was told to stop", took)
	}
	if len(r.Failures) > 0 {
		t.Errorf("failures = %v; being told to stop is none", r.Failures)
	}
}

func TestUnknownNamesAreRefused(t *testing.T) {
	for _, o := range []bench.Options{{Only: []string{"thruput"}}, {Arms: []string{"mysql"}}} {
		if err := bench.Command(t.Context(), o); err == nil || !strings.Contains(err.Error(), "there is no") {
			t.Errorf("Command(%+v) = %v, want a refusal that names what there is", o, err)
		}
	}
}

func TestProgramThatDoesNotServeFailsWithItsWords(t *testing.T) {
	script := filepath.Join(t.TempDir(), "broken")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho no such luck >&2\nexit 3\n"), 0o700); err != nil { // #nosec G306 -- a program
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := bench.Command(t.Context(), bench.Options{Binary: script, Arms: []string{"plain"}, Only: []string{"ten"}, Dir: t.TempDir(), Out: &out}.Hasty())
	if err == nil || !strings.Contains(err.Error(), "no such luck") {
		t.Errorf("Command with a broken program = %v, want what the program said", err)
	}
	if !strings.Contains(out.String(), "FAILED: ten, plain") {
		t.Errorf("the report does not name the failure:\n%s", out.String())
	}
}
