// Package receiver runs the two receivers that the portal specification prints, in Node.js, so that tests can point deliveries at
// them. [Start] takes a sample out of the specification, unchanged, starts it on a free loopback port and returns a [Receiver], which
// knows its URL and what it answered. It ends with the test.
//
// The samples need express, which is installed once, by `npm ci` from the lock file here, into the user's cache. Where the
// specification, Node.js or the installation cannot be had, the test is skipped with a line that says so; with CI=true, missing Node.js or
// a failing installation is a failure.
package receiver

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// patience bounds waiting for something that should happen at once; it is long because test machines may be busy.
const patience = time.Minute

// A Sample is one of the two code samples of the specification.
type Sample int

const (
	// Verification is "Signature Verification Example (Node.js)". It does not look at the timestamp's age. A signature
	// of another length makes it answer 500, a wrong one 401.
	Verification Sample = 1

	// Replay is "Signature & Replay Verification (Node.js)". It also answers 401 to a timestamp older than 30 minutes.
	Replay Sample = 2
)

// A Delivery is a request that the sample has answered.
type Delivery struct {
	ID     string // X-Webhook-Delivery
	Event  string // X-Webhook-Event
	Header http.Header
	Body   []byte // the raw bytes that the sample verified
	Status int    // what the sample answered
}

// A Receiver is a running sample.
type Receiver struct {
	URL string // where deliveries go, path included

	output bytes.Buffer // what the sample printed; the process writes it, it is read after its end

	mu         sync.Mutex // guards what follows
	deliveries []Delivery
	more       chan struct{} // closed and replaced with each delivery
}

// Start runs a sample with the signing secret until the test ends.
func Start(t testing.TB, secret string, sample Sample) *Receiver {
	t.Helper()
	code := extract(t, sample)
	node := harness.Tool(t, "node", unrun)
	modules := harness.Modules(t, "portal-receiver", ".", npm, unrun)

	dir := t.TempDir()
	write(t, filepath.Join(dir, "sample.js"), code)
	write(t, filepath.Join(dir, "preload.cjs"), preload)
	cmd := exec.Command(node, "-r", filepath.Join(dir, "preload.cjs"), filepath.Join(dir, "sample.js"))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "WEBHOOK_SECRET="+secret, "NODE_PATH="+modules, "NODE_OPTIONS=")
	return run(t, cmd)
}

// Received returns the deliveries answered so far, in order. A delivery shows up here a moment after its answer; see Await.
func (r *Receiver) Received() []Delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Delivery(nil), r.deliveries...)
}

// Await returns the deliveries answered as soon as there are n; the test fails if they do not come within a minute.
func (r *Receiver) Await(t testing.TB, n int) []Delivery {
	t.Helper()
	timeout := time.After(patience)
	for {
		r.mu.Lock()
		got, more := len(r.deliveries), r.more
		r.mu.Unlock()
		if got >= n {
			return r.Received()
		}
		select {
		case <-more:
		case <-timeout:
			t.Fatalf("the portal receiver answered %d deliveries, want %d", got, n)
		}
	}
}

// run starts the process and waits until it listens.
func run(t testing.TB, cmd *exec.Cmd) *Receiver {
	t.Helper()
	reports, childEnd, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r := &Receiver{more: make(chan struct{})}
	cmd.ExtraFiles = []*os.File{childEnd}
	cmd.Stdout, cmd.Stderr = &r.output, &r.output
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	err = cmd.Start()
	_ = childEnd.Close()
	if err != nil {
		t.Fatal(err)
	}

	ports, done := make(chan int, 1), make(chan struct{})
	go func() {
		defer close(done)
		r.read(reports, ports)
	}()
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // says that it was killed
		<-done
		_ = reports.Close()
		if t.Failed() {
			t.Logf("the portal receiver printed:\n%s", r.output.Bytes())
		}
	})
	select {
	case port := <-ports:
		r.URL = "http://127.0.0.1:" + strconv.Itoa(port) + "/webhooks"
	case <-done:
		t.Fatal("the portal receiver ended before it listened")
	case <-time.After(patience):
		t.Fatal("the portal receiver does not listen")
	}
	return r
}

// read takes in what preload.cjs reports until the process ends.
func (r *Receiver) read(reports io.Reader, ports chan<- int) {
	for lines := bufio.NewReader(reports); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var report struct {
			Port     int
			Delivery *struct {
				Headers map[string]any // a list where Node.js keeps one, a string otherwise
				Body    []byte
				Status  int
			}
		}
		if err := json.Unmarshal(line, &report); err != nil {
			return // Start or Await will tell that something is missing
		}
		if report.Delivery == nil {
			ports <- report.Port
			continue
		}
		h := make(http.Header)
		for name, value := range report.Delivery.Headers {
			if text, ok := value.(string); ok {
				h.Set(name, text)
			}
		}
		r.add(Delivery{
			ID: h.Get("X-Webhook-Delivery"), Event: h.Get("X-Webhook-Event"),
			Header: h, Body: report.Delivery.Body, Status: report.Delivery.Status,
		})
	}
}

func (r *Receiver) add(d Delivery) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deliveries = append(r.deliveries, d)
	close(r.more)
	r.more = make(chan struct{})
}
