package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// child is a server that the bench has started.
type child struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed once it has been waited for
	silent chan struct{} // closed once all that it wrote has been read
	addr   string        // host:port that it listens on

	mu   sync.Mutex // guards tail
	tail []string   // the last lines that it wrote
}

const (
	startTimeout = 60 * time.Second
	endTimeout   = 5 * time.Second
	tailLines    = 20
)

var listening = regexp.MustCompile(`http://(127\.0\.0\.1:\d+)`)

// startChild starts a program that prints the address it listens on, and returns once it has.
func startChild(ctx context.Context, binary string, args ...string) (*child, error) {
	c := &child{exited: make(chan struct{}), silent: make(chan struct{})}
	// The child outlives every context; end and kill end it.
	c.cmd = exec.CommandContext(context.Background(), binary, args...) // #nosec G204 -- our own binary
	c.cmd.Env, c.cmd.SysProcAttr = environ(), attributes()
	address, err := c.launch()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	select {
	case c.addr = <-address:
		return c, nil
	case <-c.exited:
		err = errors.New("it ended before it listened")
	case <-ctx.Done():
		err = ctx.Err()
	case <-time.After(startTimeout):
		err = fmt.Errorf("it did not listen within %v", startTimeout)
	}
	c.kill()
	select {
	case <-c.silent:
	case <-time.After(time.Second): // somebody else holds the pipe
	}
	return nil, fmt.Errorf("start %s: %w%s", args[0], err, c.said())
}

// launch starts the process and a reader of what it writes, on whose channel its address comes. One goroutine, tied to its thread,
// starts the process and waits for it: Linux sends the parent's death signal when the thread that forked ends.
func (c *child) launch() (<-chan string, error) {
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c.cmd.Stdout, c.cmd.Stderr = in, in
	started := make(chan error)
	go func() {
		lockThread()
		err := c.cmd.Start()
		_ = in.Close()
		started <- err
		if err == nil {
			_ = c.cmd.Wait() // how it ended stands in what it wrote
			close(c.exited)
		}
	}()
	if err := <-started; err != nil {
		_ = out.Close()
		return nil, err
	}
	address := make(chan string, 1)
	go c.read(out, address)
	return address, nil
}

// read ends when the child's side of the pipe is closed.
func (c *child) read(out *os.File, address chan<- string) {
	defer close(c.silent)
	defer out.Close()
	lines := bufio.NewReaderSize(out, 64<<10)
	for found := false; ; {
		line, err := lines.ReadString('\n')
		if line = strings.TrimSpace(line); line != "" {
			c.mu.Lock()
			c.tail = append(c.tail[max(0, len(c.tail)-tailLines+1):], line)
			c.mu.Unlock()
		}
		if m := listening.FindStringSubmatch(line); m != nil && !found {
			found = true
			address <- m[1]
		}
		if err != nil {
			return
		}
	}
}

// said is the end of what the child wrote, for an error message.
func (c *child) said() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.tail) == 0 {
		return ""
	}
	return "\n\t" + strings.Join(c.tail, "\n\t")
}

// alive is nil while the child runs.
func (c *child) alive() error {
	select {
	case <-c.exited:
		return fmt.Errorf("the server has ended: %v%s", c.cmd.ProcessState, c.said())
	default:
		return nil
	}
}

// end asks the child to stop, and kills it when it takes too long. Ending it twice is fine.
func (c *child) end() {
	if c.alive() != nil {
		return
	}
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err == nil {
		select {
		case <-c.exited:
			return
		case <-time.After(endTimeout):
		}
	}
	c.kill()
}

// kill ends the child as a crash would.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	<-c.exited
}

// run is one command to its end; what it prints on standard output is the result.
func run(ctx context.Context, binary string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...) // #nosec G204 -- our own binary
	var said strings.Builder
	cmd.Env, cmd.Stderr = environ(), &said
	out, err := cmd.Output()
	if err != nil {
		text := said.String()
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(args[:min(2, len(args))], " "), err, strings.TrimSpace(text[max(0, len(text)-1000):]))
	}
	return out, nil
}

// environ is ours without settings of Stagedoor, which would change what is measured.
func environ() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "STAGEDOOR_") {
			env = append(env, kv)
		}
	}
	return env
}
