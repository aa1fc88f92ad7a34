package consume_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/consume"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/remote"
)

// start runs a consumer until stop is called, which lets it end as the end of its context does, and returns how it ended.
func start(t *testing.T, o consume.Options) (stop func() (consume.Summary, error)) {
	t.Helper()
	c, err := consume.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	var sum consume.Summary
	go func() { sum, err = c.Run(ctx); close(done) }()
	stop = func() (consume.Summary, error) { cancel(); <-done; return sum, err }
	t.Cleanup(func() { _, _ = stop() })
	return stop
}

// run runs a consumer to its end.
func run(t *testing.T, o consume.Options) (consume.Summary, error) {
	t.Helper()
	c, err := consume.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	return c.Run(ctx)
}

// await waits for the next report of a kind; others before it are passed over.
func await(t *testing.T, reports chan consume.Report, what consume.What) consume.Report {
	t.Helper()
	late := time.After(soon)
	for {
		select {
		case r := <-reports:
			if r.What == what {
				return r
			}
		case <-late:
			t.Fatalf("%q is not told within %v", what, soon)
		}
	}
}

// appears waits for a file.
func appears(t *testing.T, name string) {
	t.Helper()
	for late := time.Now().Add(soon); ; time.Sleep(2 * time.Millisecond) {
		if _, err := os.Stat(name); err == nil {
			return
		}
		if time.Now().After(late) {
			t.Fatalf("there is no %s within %v", name, soon)
		}
	}
}

func touch(t *testing.T, name string) {
	t.Helper()
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// blocked is a command line that makes the file DIR/ID and waits for DIR/go.
func blocked(dir string) string {
	return "cd '" + dir + "' && : > $STAGEDOOR_EVENT_ID && until [ -e go ]; do sleep 0.02; done"
}

func TestACommandHasTheExactBytesAndWhatTheEventIs(t *testing.T) {
	t.Parallel()
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	s, dir := newServer(t), t.TempDir()
	for _, body := range [][]byte{
		all, {}, []byte("{ \"a\" : 1.00 }\r\n"), []byte("null"), []byte(`"text"`), []byte("\xff\xfe\n"), bytes.Repeat([]byte("payload\n"), 100_000),
	} {
		s.add("order.paid", "application/octet-stream", body)
	}
	strange := s.add("$(touch pwned)`touch pwned`;\n'\"x", "text/plain; charset=\"ü\"", []byte("x"))
	s.add("", "", []byte("no type"))
	o, _ := s.options("cd '" + dir + `' && cat > $STAGEDOOR_EVENT_ID && printf %s "$STAGEDOOR_EVENT_TYPE|$STAGEDOOR_CONTENT_TYPE|$STAGEDOOR_RECEIVED_AT" > $STAGEDOOR_EVENT_ID.env`)
	o.Once = true
	sum, err := run(t, o)
	if err != nil || sum != (consume.Summary{Events: len(s.events), Acked: len(s.events)}) {
		t.Fatalf("Run = %+v, %v", sum, err)
	}
	for i, e := range s.events {
		got, err := os.ReadFile(filepath.Join(dir, e.id))
		if err != nil || !bytes.Equal(got, e.body) {
			t.Errorf("event %d: the command read %d bytes, want %d, the same (%v)", i, len(got), len(e.body), err)
		}
		env, _ := os.ReadFile(filepath.Join(dir, e.id+".env"))
		if want := e.kind + "|" + e.media + "|2027-08-14T20:30:00.123456Z"; string(env) != want {
			t.Errorf("event %d: its environment says %q, want %q", i, env, want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "pwned")); err == nil {
		t.Errorf("the type %q was run", strange.kind)
	}
}

// What a command does not read, or leaves open, is no failure.
func TestACommandNeedNotReadItsInput(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for range 3 {
		s.add("", "", bytes.Repeat([]byte("x"), 1<<20))
	}
	o, _ := s.options("exit 0")
	o.Once = true
	if sum, err := run(t, o); err != nil || sum.Acked != 3 {
		t.Errorf("Run = %+v, %v", sum, err)
	}
}

func TestWhatFailsComesAgainAndIsNotAcknowledgedBefore(t *testing.T) {
	t.Parallel()
	s, dir := newServer(t), t.TempDir()
	e := s.add("a", "", []byte("x"))
	o, reports := s.options("cd '" + dir + "' && { [ -e again ] || { : > again; exit 3; } }")
	stop := start(t, o)
	r := await(t, reports, consume.Failed)
	if r.Event != e.id || r.Type != "a" || r.Exit != 3 || r.Next != time.Second || r.Err == nil {
		t.Errorf("it told %+v", r)
	}
	s.look(func() {
		if e.acked {
			t.Error("it was acknowledged though its command failed")
		}
		if diff := cmp.Diff([]int{1}, e.leases); diff != "" {
			t.Errorf("what was asked of its lease (-want +got):\n%s", diff)
		}
	})
	await(t, reports, consume.Acked)
	sum, err := stop()
	if err != nil || sum != (consume.Summary{Events: 2, Acked: 1, Failed: 1}) || !e.acked || e.claims != 2 {
		t.Errorf("Run = %+v, %v; %+v", sum, err, e)
	}
}

// An event that nobody can work off does not come again at once, and lets others pass.
func TestEachFailureKeepsAnEventAwayForLonger(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	poison := s.add("poison", "", []byte("x"))
	good := s.add("good", "", []byte("x"))
	s.extend = func(e *kept, _ int) bool {
		if good.acked {
			e.due = time.Time{} // pauses are over at once
		}
		return true
	}
	o, _ := s.options(`[ "$STAGEDOOR_EVENT_TYPE" = good ]`)
	o.Count = 13
	sum, err := run(t, o)
	if err != nil || sum != (consume.Summary{Events: 13, Acked: 1, Failed: 12}) {
		t.Fatalf("Run = %+v, %v", sum, err)
	}
	if diff := cmp.Diff([]int{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300}, poison.leases); diff != "" {
		t.Errorf("pauses in seconds (-want +got):\n%s", diff)
	}
}

func TestACommandThatIsKilledHasFailed(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	e := s.add("", "", []byte("x"))
	o, reports := s.options("kill -9 $$")
	o.Once = true
	sum, err := run(t, o)
	if err != nil || sum.Failed != 1 || e.acked {
		t.Errorf("Run = %+v, %v", sum, err)
	}
	if r := await(t, reports, consume.Failed); r.Exit != -1 {
		t.Errorf("it told %+v", r)
	}
}

func TestALeaseIsExtendedWhileItsCommandRuns(t *testing.T) {
	t.Parallel()
	s, dir := newServer(t), t.TempDir()
	e := s.add("", "", []byte("x"))
	behind := s.add("", "", []byte("y")) // claimed, and waits
	o, _ := s.options(blocked(dir))
	o.Lease, o.Limit = 2*time.Second, 2
	stop := start(t, o)
	appears(t, filepath.Join(dir, e.id))
	s.until("both leases are extended again and again", func() bool { return len(e.leases) >= 4 && len(behind.leases) >= 4 })
	touch(t, filepath.Join(dir, "go"))
	s.until("both are acknowledged", func() bool { return s.acked() == 2 })
	if _, err := stop(); err != nil || e.claims != 1 || behind.claims != 1 {
		t.Errorf("%v; they were claimed %d and %d times, want once", err, e.claims, behind.claims)
	}
	if slices.ContainsFunc(e.leases, func(n int) bool { return n != 2 }) {
		t.Errorf("extensions of %v seconds, want 2", e.leases)
	}
}

func TestAsManyRunAsMayAndNoMoreAreClaimed(t *testing.T) {
	t.Parallel()
	s, dir := newServer(t), t.TempDir()
	for range 9 {
		s.add("", "", []byte("x"))
	}
	o, reports := s.options(blocked(dir))
	o.Concurrency, o.Once = 3, true
	stop := start(t, o)
	for range 3 {
		await(t, reports, consume.Started)
	}
	s.look(func() {
		n := 0
		for _, e := range s.events {
			n += e.claims
		}
		if n != 3 {
			t.Errorf("%d were claimed while 3 may run", n)
		}
	})
	touch(t, filepath.Join(dir, "go"))
	s.until("all are acknowledged", func() bool { return s.acked() == 9 })
	if sum, err := stop(); err != nil || sum.Acked != 9 {
		t.Errorf("Run = %+v, %v", sum, err)
	}
	for _, e := range s.events {
		if e.claims != 1 {
			t.Errorf("an event was claimed %d times", e.claims)
		}
	}
}

func TestConsumersShareAnEndpoint(t *testing.T) {
	t.Parallel()
	s, dir := newServer(t), t.TempDir()
	for i := range 60 {
		s.add("", "", []byte(strconv.Itoa(i)))
	}
	var all sync.WaitGroup
	for range 3 {
		o, _ := s.options("cd '" + dir + "' && echo x >> $STAGEDOOR_EVENT_ID")
		o.Concurrency, o.Once = 4, true
		all.Go(func() {
			if _, err := run(t, o); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, e := range s.events {
		if text, err := os.ReadFile(filepath.Join(dir, e.id)); string(text) != "x\n" || !e.acked {
			t.Errorf("event %s was run %d times, want once (%v)", e.body, len(text)/2, err)
		}
	}
}

func TestTheEndOfTheContextLetsCommandsEndAndGivesBackTheRest(t *testing.T) {
	t.Parallel()
	s, dir := newServer(t), t.TempDir()
	for range 6 {
		s.add("", "", []byte("x"))
	}
	o, reports := s.options(blocked(dir))
	o.Limit = 4
	c, err := consume.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan consume.Summary)
	go func() {
		sum, err := c.Run(ctx)
		if err != nil {
			t.Errorf("Run = %v", err)
		}
		done <- sum
	}()
	await(t, reports, consume.Started)
	cancel()
	select {
	case <-done:
		t.Error("it ended while a command ran")
	case <-time.After(50 * time.Millisecond): // would it end, it mostly would by now
	}
	touch(t, filepath.Join(dir, "go"))
	if sum := <-done; sum != (consume.Summary{Events: 1, Acked: 1}) {
		t.Errorf("Run = %+v, want that the one that ran was acknowledged", sum)
	}
	for range 3 {
		await(t, reports, consume.Released)
	}
	for i, e := range s.events {
		if e.due.After(time.Now()) && !e.acked || e.claims != map[bool]int{true: 1}[i < 4] {
			t.Errorf("event %d: claimed %d times, leased until %v", i, e.claims, e.due)
		}
	}
}

func TestKillEndsAllThatACommandHasStarted(t *testing.T) {
	t.Parallel()
	s, dir := newServer(t), t.TempDir()
	e := s.add("", "", []byte("x"))
	o, _ := s.options("cd '" + dir + "' && sh -c 'echo $$ > pid.new; mv pid.new pid; sleep 600' & wait")
	kill, end := context.WithCancel(t.Context())
	defer end()
	o.Kill = kill
	c, err := consume.New(o)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { _, err := c.Run(t.Context()); done <- err }()
	appears(t, filepath.Join(dir, "pid"))
	end()
	if err := <-done; !errors.Is(err, context.Canceled) || e.acked {
		t.Errorf("Run = %v, acknowledged %v", err, e.acked)
	}
	text, _ := os.ReadFile(filepath.Join(dir, "pid"))
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	for late := time.Now().Add(soon); running(pid); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatal("what the command started still runs")
		}
	}
}

// running tells whether a process is there, and no zombie that waits for its parent.
func running(pid int) bool {
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil {
		_, state, _ := strings.Cut(string(stat), ") ")
		return !strings.HasPrefix(state, "Z")
	}
	return syscall.Kill(pid, 0) == nil
}

func TestABusyServerIsTriedAgainAndNothingRunsTwice(t *testing.T) {
	t.Parallel()
	s, dir := newServer(t), t.TempDir()
	e := s.add("", "", []byte("x"))
	s.refuse["claim"] = fault(503, "UNAVAILABLE", "Not now.", "Retry-After", "1")
	s.refuse["ack"] = fault(500, "INTERNAL_ERROR", "Something went wrong.")
	o, reports := s.options("cd '" + dir + "' && echo x >> $STAGEDOOR_EVENT_ID")
	stop := start(t, o)
	if r := await(t, reports, consume.Lost); r.Err == nil || r.Err.Error() != "Not now." || r.Next < time.Second {
		t.Errorf("it told %+v", r)
	}
	s.look(func() { delete(s.refuse, "claim") })
	await(t, reports, consume.Started)
	for range 2 {
		if r := await(t, reports, consume.Lost); r.Err.Error() != "Something went wrong." {
			t.Errorf("it told %+v", r)
		}
	}
	s.look(func() { delete(s.refuse, "ack") })
	await(t, reports, consume.Acked)
	if _, err := stop(); err != nil || !e.acked {
		t.Errorf("Run = %v", err)
	}
	if text, _ := os.ReadFile(filepath.Join(dir, e.id)); string(text) != "x\n" {
		t.Errorf("it was run %d times, want once", len(text)/2)
	}
}

func TestWhatCannotGetBetterEndsIt(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"claim", "ack"} {
		for _, status := range []int{401, 403, 404} {
			s := newServer(t)
			e := s.add("", "", []byte("x"))
			s.refuse[call] = fault(status, "REFUSED", "No.")
			for _, exec := range []string{"exit 0", ""} {
				e.due = time.Time{}
				o, _ := s.options(exec)
				o.Stdout = new(bytes.Buffer)
				_, err := run(t, o)
				if p := problem.As(err); p == nil || p.Detail != "No." || p.Kind.Status() != status || e.acked {
					t.Errorf("%s %d, command %q: Run = %v, want the server's sentence", call, status, exec, err)
				}
			}
		}
	}
}

func TestAllThatRunIsWaitedForWhenItIsNoUseToGoOn(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for range 20 {
		s.add("", "", []byte("x"))
	}
	s.refuse["ack"] = fault(401, "UNAUTHORIZED", "No.")
	o, _ := s.options("exit 0")
	o.Concurrency, o.Limit = 5, 10
	sum, err := run(t, o)
	if p := problem.As(err); p == nil || p.Detail != "No." || sum.Acked != 0 {
		t.Errorf("Run = %+v, %v", sum, err)
	}
	s.look(func() {
		for _, e := range s.events[sum.Events:] {
			if e.due.After(time.Now()) {
				t.Error("an event that was not started is still leased")
			}
		}
	})
}

// A server that answers with something else is not spoken to for ever.
func TestAnAnswerThatIsNotUnderstoodLosesNothing(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{`{"data":[{"id":"x"}]}`, `[]`, `<html>`} {
		s := newServer(t)
		s.refuse["claim"] = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) }
		o, reports := s.options("exit 0")
		stop := start(t, o)
		if r := await(t, reports, consume.Lost); r.Err == nil || r.Next == 0 {
			t.Errorf("%s: it told %+v", answer, r)
		}
		if sum, err := stop(); err != nil || sum.Events != 0 {
			t.Errorf("%s: Run = %+v, %v", answer, sum, err)
		}
	}
}

// The server may hand out an event again whose lease was lost, also to who still works on it.
func TestALeaseThatIsLostIsToldAndTheCommandRunsOnce(t *testing.T) {
	t.Parallel()
	s, dir := newServer(t), t.TempDir()
	e := s.add("", "", []byte("x"))
	s.extend = func(e *kept, _ int) bool {
		if e.claims > 1 {
			return true
		}
		e.due = time.Time{}
		return false
	}
	o, reports := s.options("cd '" + dir + "' && echo x >> runs && until [ -e go ]; do sleep 0.02; done")
	o.Lease, o.Concurrency = time.Second, 2 // with room for one more
	stop := start(t, o)
	r := await(t, reports, consume.Unleased)
	if r.Event != e.id || r.Err == nil {
		t.Errorf("it told %+v", r)
	}
	s.until("it is claimed again, and its new lease extended", func() bool { return e.claims == 2 && len(e.leases) > 3 })
	touch(t, filepath.Join(dir, "go"))
	await(t, reports, consume.Acked)
	if sum, err := stop(); err != nil || sum.Events != 1 || !e.acked {
		t.Errorf("Run = %+v, %v", sum, err)
	}
	if text, _ := os.ReadFile(filepath.Join(dir, "runs")); string(text) != "x\n" {
		t.Errorf("it was run %d times, want once", len(text)/2)
	}
}

// What waits behind a long command and has lost its lease is somebody else's.
func TestWhatLostItsLeaseIsNotStarted(t *testing.T) {
	t.Parallel()
	s, dir := newServer(t), t.TempDir()
	e, behind := s.add("", "", []byte("x")), s.add("", "", []byte("y"))
	o, reports := s.options(blocked(dir))
	o.Lease, o.Limit, o.Count = time.Second, 2, 2
	s.extend = func(one *kept, _ int) bool { return one == e || one.claims > 1 }
	stop := start(t, o)
	if r := await(t, reports, consume.Unleased); r.Event != behind.id {
		t.Errorf("it told %+v", r)
	}
	s.look(func() { behind.due = time.Now().Add(time.Hour) }) // somebody else has it
	touch(t, filepath.Join(dir, "go"))
	await(t, reports, consume.Acked)
	s.until("it claims again", func() bool { return len(s.claimed) > 1 })
	if sum, err := stop(); err != nil || sum.Events != 1 || behind.acked {
		t.Errorf("Run = %+v, %v", sum, err)
	}
}

func TestWhatIsErasedIsPassedOver(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	e := s.add("", "", nil)
	e.erased = true
	o, reports := s.options("exit 1")
	o.Once = true
	if sum, err := run(t, o); err != nil || sum != (consume.Summary{Skipped: 1}) || !e.acked {
		t.Errorf("Run = %+v, %v", sum, err)
	}
	if r := await(t, reports, consume.Skipped); r.Event != e.id {
		t.Errorf("it told %+v", r)
	}
}

// An event may end with its retention while its command runs.
func TestWhatTheServerKnowsNoMoreIsDone(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.add("", "", []byte("x"))
	s.refuse["ack"] = fault(400, "INVALID_REQUEST", "There is no such event.")
	o, _ := s.options("exit 0")
	o.Count = 1
	if sum, err := run(t, o); err != nil || sum.Acked != 1 {
		t.Errorf("Run = %+v, %v", sum, err)
	}
}

func TestItClaimsWhatItIsToldTo(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, kind := range []string{"a", "b", "a", "a"} {
		s.add(kind, "", []byte("x"))
	}
	o, _ := s.options("exit 0")
	o.Type, o.Count, o.Lease, o.Concurrency = "a", 2, 90*time.Second, 5
	if sum, err := run(t, o); err != nil || sum.Acked != 2 {
		t.Errorf("Run = %+v, %v", sum, err)
	}
	if diff := cmp.Diff([]claimBody{{Limit: 2, Lease: 90, Type: "a", Encoding: "base64", Wait: 30}}, s.claimed); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
}

// lines is a writer that fails from a line on.
type lines struct {
	*server
	all   []string
	fails int // from how many lines on; 0 for never
	acked []int
}

var errFull = errors.New("no space left on device")

func (l *lines) Write(p []byte) (int, error) {
	if l.fails > 0 && len(l.all) >= l.fails {
		return 0, errFull
	}
	l.all = append(l.all, string(p))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked = append(l.acked, l.server.acked())
	return len(p), nil
}

func TestEventsAreWrittenDownAndThenAcknowledged(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.add("a", "application/json", []byte("{ \"a\" : 1.00,\n\"b\":\"<&>\" }"))
	s.add("", "", []byte{0xff, '\n'})
	out := &lines{server: s}
	o, _ := s.options("")
	o.Stdout, o.Once = out, true
	sum, err := run(t, o)
	if err != nil || sum != (consume.Summary{Events: 2, Acked: 2}) {
		t.Fatalf("Run = %+v, %v", sum, err)
	}
	want := []string{
		`{"id":"` + s.events[0].id + `","event_type":"a","content_type":"application/json","size_bytes":25,"received_at":"2027-08-14T20:30:00.123456Z","payload":{"a":1.00,"b":"<&>"},` +
			`"payload_encoding":"json","headers":{"content-type":"application/json"},"header_lines":[["Content-Type","application/json"]]}` + "\n",
		`{"id":"` + s.events[1].id + `","event_type":null,"content_type":"","size_bytes":2,"received_at":"2027-08-14T20:30:00.123456Z","payload":"/wo=",` +
			`"payload_encoding":"base64","headers":{"content-type":""},"header_lines":[["Content-Type",""]]}` + "\n",
	}
	if diff := cmp.Diff(want, out.all); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{0, 0}, out.acked); diff != "" {
		t.Errorf("acknowledged when each was written (-want +got):\n%s", diff)
	}
	s.look(func() {
		if n := strings.Count(strings.Join(s.calls, " "), "ack"); n != 1 || s.acked() != 2 {
			t.Errorf("%d acknowledged in %d calls, want 2 in one", s.acked(), n)
		}
	})
}

func TestWhatCannotBeWrittenIsGivenBack(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for range 5 {
		s.add("", "", []byte("1"))
	}
	o, _ := s.options("")
	o.Stdout = &lines{server: s, fails: 2}
	sum, err := run(t, o)
	if !errors.Is(err, errFull) || sum != (consume.Summary{Events: 2, Acked: 2}) {
		t.Errorf("Run = %+v, %v", sum, err)
	}
	for i, e := range s.events {
		if e.acked != (i < 2) || !e.acked && e.due.After(time.Now()) {
			t.Errorf("event %d: acknowledged %v, leased until %v", i, e.acked, e.due)
		}
	}
}

func TestWhatIsWrittenMayBeLeft(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for range 3 {
		s.add("", "", []byte("1"))
	}
	out := &lines{server: s}
	o, _ := s.options("")
	o.Stdout, o.NoAck, o.Once = out, true, true
	if sum, err := run(t, o); err != nil || sum != (consume.Summary{Events: 3}) {
		t.Errorf("Run = %+v, %v", sum, err)
	}
	for i, e := range s.events {
		var line struct{ Claim consume.Lease }
		if err := json.Unmarshal([]byte(out.all[i]), &line); err != nil || line.Claim.Token != e.token || e.acked || !e.due.After(time.Now()) {
			t.Errorf("event %d: %s (%v), acknowledged %v", i, out.all[i], err, e.acked)
		}
	}
}

// One event that has gone does not keep others from being acknowledged.
func TestOfABatchAllThatIsKnownIsAcknowledged(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for range 3 {
		s.add("", "", []byte("1"))
	}
	gone := s.events[1]
	o, _ := s.options("")
	o.Stdout, o.Once = writer(func(p []byte) {
		if bytes.Contains(p, []byte(gone.id)) {
			s.look(func() { gone.id = "gone" })
		}
	}), true
	sum, err := run(t, o)
	if err != nil || sum.Acked != 3 || s.acked() != 2 {
		t.Errorf("Run = %+v, %v; %d are acknowledged", sum, err, s.acked())
	}
}

type writer func(p []byte)

func (w writer) Write(p []byte) (int, error) { w(p); return len(p), nil }

func TestOptionsThatAreNotRight(t *testing.T) {
	t.Parallel()
	at, err := remote.New("http://127.0.0.1:1", key, "test")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*consume.Options){
		"no endpoint":         func(o *consume.Options) { o.Endpoint = "" },
		"another id":          func(o *consume.Options) { o.Endpoint = "whk_1" },
		"a path":              func(o *consume.Options) { o.Endpoint = endpoint + "/events" },
		"a short lease":       func(o *consume.Options) { o.Lease = time.Millisecond },
		"half a second":       func(o *consume.Options) { o.Lease = 1500 * time.Millisecond },
		"a long lease":        func(o *consume.Options) { o.Lease = 13 * time.Hour },
		"too many at once":    func(o *consume.Options) { o.Concurrency = 257 },
		"fewer than none":     func(o *consume.Options) { o.Concurrency = -1 },
		"a large claim":       func(o *consume.Options) { o.Limit = 101 },
		"a negative claim":    func(o *consume.Options) { o.Limit = -1 },
		"a negative count":    func(o *consume.Options) { o.Count = -1 },
		"no ack of a command": func(o *consume.Options) { o.NoAck = true },
		"lines at once":       func(o *consume.Options) { o.Exec, o.Concurrency = "", 2 },
	} {
		o := consume.Options{Server: at, Endpoint: endpoint, Exec: "exit 0"}
		change(&o)
		if _, err := consume.New(o); problem.As(err) == nil || problem.As(err).Kind != problem.Invalid {
			t.Errorf("%s: New = %v, want a problem", name, err)
		}
	}
	if _, err := consume.New(consume.Options{Server: at, Endpoint: strings.ToUpper(endpoint)}); err != nil {
		t.Errorf("New with the id in capitals = %v", err)
	}
}
