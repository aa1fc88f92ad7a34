package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/consume"
)

type pullCmd struct {
	Endpoint    string        `arg:"" help:"The pull endpoint's id."`
	Exec        string        `help:"Command line that sh runs for each event; without it, each event is written as a line of JSON." placeholder:"CMD"`
	Type        string        `help:"Events of this type only." placeholder:"TYPE"`
	Concurrency int           `help:"Commands that run at once." default:"1" placeholder:"N"`
	Lease       time.Duration `help:"How long an event is kept from other consumers when this one has died; while it lives, leases are extended." default:"1m" placeholder:"DURATION"`
	Limit       int           `help:"Events that are claimed at once; without it, as many as can run, or 100 where they are written." default:"0" placeholder:"N"`
	Once        bool          `help:"End when there is nothing to claim."`
	Count       int           `help:"End after so many events; 0 for never." default:"0" placeholder:"N"`
	NoAck       bool          `help:"Leave the events that were written: they come again when their leases are over."`
	JSON        bool          `name:"json" help:"With --exec, print a JSON object on each line: {\"what\": \"pulling\" | \"started\" | \"acked\" | \"failed\" | \"skipped\" | \"unleased\" | \"released\" | \"lost\" | \"ended\", …}; what the commands print goes to standard error."`
	ofServer
}

// Help says what the flags do not.
func (c *pullCmd) Help() string {
	return `Claims what a pull endpoint of a running server has taken in, and works it off. The command has the payload's exact bytes on its standard input, and
STAGEDOOR_EVENT_ID, STAGEDOOR_EVENT_TYPE, STAGEDOOR_CONTENT_TYPE and STAGEDOOR_RECEIVED_AT in its environment. When it ends with status 0, the event is
acknowledged; otherwise the event comes again, after a second at first, and up to five minutes when it fails again and again.

Several of these may share an endpoint: each event is with one of them at a time. Nothing is lost when one dies, but what it had comes again, so a command
should not mind to see an event twice. Ctrl-C claims nothing more, waits for the commands that run, and gives the rest back; a second Ctrl-C ends them.
With --once or --count, the exit status is 1 when a command failed.`
}

// Run works until it is interrupted.
func (c *pullCmd) Run(ctx context.Context, p *program) error {
	kill, end := second(ctx)
	defer end()
	o := consume.Options{
		Endpoint: c.Endpoint, Type: c.Type, Exec: c.Exec, Concurrency: c.Concurrency, Stdout: p.stdout, Stderr: p.stderr, Lease: c.Lease, Limit: c.Limit,
		Once: c.Once, Count: c.Count, NoAck: c.NoAck, Kill: kill,
	}
	var err error
	if o.Server, err = c.server(); err != nil {
		return err
	}
	defer o.Server.Close()
	say := pullPrinter(&textPull{p, c})
	if c.JSON && c.Exec != "" {
		say, o.Stdout = &jsonPull{p}, p.stderr
	}
	o.Tell = say.report
	consumer, err := consume.New(o)
	if err != nil {
		return err
	}
	say.begins(o)
	sum, err := consumer.Run(ctx)
	if err == nil || sum.Events > 0 {
		say.ends(sum)
	}
	if err == nil && sum.Failed > 0 && (c.Once || c.Count > 0) {
		return errSaid
	}
	return err
}

// second returns a context that ends with the second signal that asks us to end; the first ends ctx.
func second(ctx context.Context) (kill context.Context, end func()) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	kill, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		for range 2 {
			select {
			case <-signals:
			case <-kill.Done():
				return
			}
		}
		signal.Stop(signals) // a third ends the process, whatever it hangs in
		cancel()
	}()
	return kill, func() { signal.Stop(signals); cancel() }
}

// pullPrinter is how a consumer speaks to who started it.
type pullPrinter interface {
	begins(o consume.Options)
	report(r consume.Report)
	ends(s consume.Summary)
}

// textPull prints all that it says on standard error: standard output is the commands', or has the events.
type textPull struct {
	*program
	c *pullCmd
}

func (t *textPull) note(format string, args ...any) { fmt.Fprintf(t.stderr, format+"\n", args...) }

func (t *textPull) begins(o consume.Options) {
	t.note("Pulling from %s at %s. Ctrl-C ends it.", o.Endpoint, o.Server)
}

func (t *textPull) report(r consume.Report) {
	event := fmt.Sprintf("%s  %s  %s", r.At.Local().Format("15:04:05"), shown(r.Type), shown(r.Event))
	switch r.What {
	case consume.Started:
	case consume.Acked:
		if t.c.Exec != "" {
			t.note("%s → done, %s", event, took(r.Took))
		}
	case consume.Failed:
		t.note("%s → %v, %s; it comes again in %s", event, r.Err, took(r.Took), took(r.Next))
	case consume.Skipped:
		t.note("%s → passed over: its payload was erased", event)
	case consume.Unleased:
		t.note("%s → others may have it too: %v", event, r.Err)
	case consume.Released:
		t.note("%s → given back", event)
	case consume.Lost:
		t.note("lost the server: %v; trying again in %s", r.Err, took(r.Next))
	}
}

func (t *textPull) ends(s consume.Summary) {
	if t.c.Exec == "" {
		t.note("%s written, %d acknowledged.", count(int64(s.Events), "event", "events"), s.Acked)
		return
	}
	t.note("%s run, %d acknowledged, %d failed.", count(int64(s.Events), "event", "events"), s.Acked, s.Failed)
}

// jsonPull prints everything as JSON lines.
type jsonPull struct{ *program }

func (j *jsonPull) begins(o consume.Options) {
	_ = j.json(struct {
		What     string `json:"what"`
		Server   string `json:"server"`
		Endpoint string `json:"endpoint"`
	}{"pulling", o.Server.String(), o.Endpoint})
}

func (j *jsonPull) report(r consume.Report) {
	line := struct {
		What  consume.What `json:"what"`
		At    instant      `json:"at"`
		Event string       `json:"event,omitempty"`
		Type  string       `json:"type,omitempty"`
		Exit  *int         `json:"exit,omitempty"`
		Took  *int64       `json:"tookMs,omitempty"`
		Next  int64        `json:"nextMs,omitempty"`
		Error string       `json:"error,omitempty"`
	}{What: r.What, At: at(r.At), Event: r.Event, Type: r.Type, Next: r.Next.Milliseconds()}
	if r.What == consume.Failed {
		line.Exit = &r.Exit
	}
	if r.What == consume.Failed || r.What == consume.Acked {
		ms := r.Took.Milliseconds()
		line.Took = &ms
	}
	if r.Err != nil {
		line.Error = r.Err.Error()
	}
	_ = j.json(line)
}

func (j *jsonPull) ends(s consume.Summary) {
	_ = j.json(struct {
		What    string `json:"what"`
		Events  int    `json:"events"`
		Acked   int    `json:"acked"`
		Failed  int    `json:"failed"`
		Skipped int    `json:"skipped"`
	}{"ended", s.Events, s.Acked, s.Failed, s.Skipped})
}
