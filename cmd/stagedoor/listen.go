package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/listen"
	"github.com/stagedoorhq/stagedoor/webhook"
)

type listenCmd struct {
	Forward   string   `help:"URL of the receiver that events are posted to." required:"" placeholder:"URL"`
	Dev       string   `help:"Developer endpoint to listen to, instead of the organisation's own events. What it took in is passed on as it came, unless --format is given." placeholder:"DEV-…"`
	Events    []string `help:"Events to pass on, as the format calls them; without any, all." placeholder:"EVENT"`
	Format    string   `help:"Vocabulary of the deliveries: pullup, portal, standard or cloudevents; without it, pullup." placeholder:"FORMAT"`
	Secret    string   `help:"Secret to sign with, instead of one that is made and printed at the start." placeholder:"SECRET"`
	State     string   `help:"File that remembers which event was the last; without it, one for the server, key, --dev and --forward in the user's state folder." placeholder:"FILE"`
	NoCatchUp bool     `help:"Begin at now, not where the last run ended."`
	Count     int      `help:"End after so many events; 0 for never." default:"0" placeholder:"N"`
	JSON      bool     `name:"json" help:"Print a JSON object on each line: {\"what\": \"listening\" | \"connected\" | \"posted\" | \"waiting\" | \"skipped\" | \"gap\" | \"lost\" | \"ended\", …}."`
	ofServer
}

// Help says what the flags do not.
func (c *listenCmd) Help() string {
	return `Reads the live stream of a running server and posts each event to a receiver, signed, one after the other. Ctrl-C ends it.

What happened while it was away is posted when it starts again with the same server, key, --dev and --forward. An event is passed on once: whatever the
receiver answers is printed, and the next event follows. A receiver that cannot be connected to is waited for, and then gets everything; to leave out what
has piled up, start again with --no-catch-up. A stream that breaks is opened again where it broke.`
}

// Run listens until it is interrupted.
func (c *listenCmd) Run(ctx context.Context, p *program) error {
	o, err := c.options()
	if err != nil {
		return err
	}
	defer o.Server.Close()
	file := c.State
	if file == "" {
		if file, err = c.stateFile(p.getenv, o.Server.String()); err != nil {
			return err
		}
	}
	if o.Place, err = listen.OpenPlace(file, o, c.NoCatchUp); err != nil {
		return err
	}
	say := listenPrinter(&textListen{p, c})
	if c.JSON {
		say = &jsonListen{p}
	}
	o.Tell = say.report
	l, err := listen.New(o)
	if err != nil {
		return err
	}
	say.begins(o, c.Secret == "" && o.Secret != "")
	sum, err := l.Run(ctx)
	if err == nil || sum.Events > 0 {
		say.ends(sum, o.Place)
	}
	return err
}

func (c *listenCmd) options() (listen.Options, error) {
	o := listen.Options{
		Dev: c.Dev, Events: c.Events, Format: c.Format, Secret: c.Secret, Forward: c.Forward, UserAgent: delivery.UserAgent, Count: c.Count,
	}
	switch {
	case o.Format == "" && o.Dev == "":
		o.Format = "pullup"
	case o.Format == "" && o.Secret != "":
		return o, misuse("nothing is signed when what %s took in is passed on as it came; give --format too, or leave --secret out", c.Dev)
	}
	if o.Format != "" && o.Secret == "" {
		o.Secret = webhook.NewSecret()
	}
	var err error
	o.Server, err = c.server()
	return o, err
}

// stateFile is where the place is remembered. An API key says nothing of its organisation, so it stands for it.
func (c *listenCmd) stateFile(getenv func(string) string, server string) (string, error) {
	dir := getenv("XDG_STATE_HOME")
	switch home := getenv("HOME"); {
	case dir != "":
	case runtime.GOOS == "windows":
		dir = getenv("LocalAppData")
	case home != "":
		dir = filepath.Join(home, ".local", "state")
	}
	if dir == "" {
		return "", errors.New("there is no folder for the state of programs here; name a file with --state")
	}
	whose := c.Dev
	if whose == "" {
		whose = c.Key
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{server, whose, c.Forward}, "\n")))
	return filepath.Join(dir, "stagedoor", "listen", hex.EncodeToString(sum[:12])+".json"), nil
}

// listenPrinter is how a listener speaks to who started it.
type listenPrinter interface {
	begins(o listen.Options, made bool) // made: the secret is new
	report(r listen.Report)
	ends(s listen.Summary, at *listen.Place)
}

// textListen prints what was posted on standard output, and all else on standard error.
type textListen struct {
	*program
	c *listenCmd
}

func (t *textListen) note(format string, args ...any) { fmt.Fprintf(t.stderr, format+"\n", args...) }

func (t *textListen) begins(o listen.Options, made bool) {
	what := "the events of " + o.Server.String()
	if o.Dev != "" {
		what = "what " + o.Dev + " takes in at " + o.Server.String()
	}
	signed := "as it came"
	if o.Format != "" {
		signed = "in the format " + o.Format
	}
	t.note("Passing %s on to %s, %s. Ctrl-C ends it.", what, o.Forward, signed)
	if made {
		t.printf("secret  %s\n", o.Secret)
	}
}

func (t *textListen) report(r listen.Report) {
	event := fmt.Sprintf("%s  %s  %s", r.At.Local().Format("15:04:05"), shown(r.Event), shown(r.ID))
	switch r.What {
	case listen.Connected:
		from := "from now on"
		if r.Place != "" {
			from = "behind " + r.Place
		}
		t.note("connected, %s", from)
	case listen.Posted:
		answer := fmt.Sprint(r.Status)
		if r.Err != nil {
			answer = "no answer: " + r.Err.Error()
		}
		t.printf("%s → %s, %s\n", event, answer, took(r.Took))
	case listen.Waiting:
		t.note("%s → not posted: %v; waiting for the receiver", event, r.Err)
	case listen.Skipped:
		t.note("%s → left out: %v", event, r.Err)
	case listen.Gap:
		t.note("there is a gap: %v", r.Err)
	case listen.Lost:
		t.note("lost the stream: %v; trying again in %s", r.Err, took(r.Next))
	}
}

func (t *textListen) ends(s listen.Summary, at *listen.Place) {
	t.note("%s posted, %d answered with success, %d not. The next run goes on there (%s).",
		count(int64(s.Events), "event", "events"), s.Success, s.Events-s.Success, at.File())
}

// shown is a text of strangers on a terminal, of which it may not take control.
func shown(text string) string {
	if quoted := strconv.Quote(text); len(text) > 200 || quoted[1:len(quoted)-1] != text {
		return quoted[:min(len(quoted), 200)]
	}
	return text
}

// took is a duration as people read it.
func took(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// jsonListen prints everything as JSON lines.
type jsonListen struct{ *program }

func (j *jsonListen) begins(o listen.Options, made bool) {
	secret := ""
	if made {
		secret = o.Secret
	}
	_ = j.json(struct {
		What    string `json:"what"`
		Server  string `json:"server"`
		Dev     string `json:"dev,omitempty"`
		Forward string `json:"forward"`
		Format  string `json:"format,omitempty"`
		Secret  string `json:"secret,omitempty"`
		State   string `json:"state"`
	}{"listening", o.Server.String(), o.Dev, o.Forward, o.Format, secret, o.Place.File()})
}

func (j *jsonListen) report(r listen.Report) {
	line := struct {
		What   listen.What `json:"what"`
		At     instant     `json:"at"`
		Event  string      `json:"event,omitempty"`
		ID     string      `json:"id,omitempty"`
		Status int         `json:"status,omitempty"`
		Took   *int64      `json:"tookMs,omitempty"`
		Next   int64       `json:"nextMs,omitempty"`
		Error  string      `json:"error,omitempty"`
		After  string      `json:"after,omitempty"`
	}{What: r.What, At: at(r.At), Event: r.Event, ID: r.ID, Status: r.Status, Next: r.Next.Milliseconds(), After: r.Place}
	if r.What == listen.Posted {
		ms := r.Took.Milliseconds()
		line.Took = &ms
	}
	if r.Err != nil {
		line.Error = r.Err.Error()
	}
	_ = j.json(line)
}

func (j *jsonListen) ends(s listen.Summary, _ *listen.Place) {
	_ = j.json(struct {
		What    string `json:"what"`
		Events  int    `json:"events"`
		Success int    `json:"success"`
		Skipped int    `json:"skipped"`
	}{"ended", s.Events, s.Success, s.Skipped})
}
