package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// The exit statuses.
const (
	succeeded = 0
	failed    = 1
	misused   = 2
)

// cli is the command line.
type cli struct {
	Config    string `help:"File with settings, a JSON object whose keys are names of flags." placeholder:"FILE" setting:"" group:"common"`
	LogLevel  string `help:"Least important messages to log: debug, info, warn or error; without it, info when serving and else warn." placeholder:"LEVEL" enum:",debug,info,warn,error" default:"" setting:"" group:"common"`
	LogFormat string `help:"How to log: text or json." placeholder:"FORMAT" enum:"text,json" default:"text" setting:"" group:"common"`

	Demo  demoCmd  `cmd:"" help:"Show the whole story on a terminal, with nothing installed."`
	Serve serveCmd `cmd:"" help:"Serve the API and send webhooks."`

	Org      orgCmd      `cmd:"" help:"Organisations."`
	Key      keyCmd      `cmd:"" help:"API keys."`
	User     userCmd     `cmd:"" help:"People, and what they are in which organisation."`
	Client   clientCmd   `cmd:"" help:"Apps (OAuth clients)."`
	Endpoint endpointCmd `cmd:"" help:"Webhook endpoints."`
	Listen   listenCmd   `cmd:"" help:"Pass a server's events on to a receiver on this machine, as they happen."`
	Pull     pullCmd     `cmd:"" help:"Run a command for each event that a pull endpoint has taken in, or write the events down."`
	Trigger  triggerCmd  `cmd:"" help:"Make an event happen on a server, to see what it sends."`
	Import   importCmd   `cmd:"" help:"Import a calendar of events (JSON-LD, CSV or iCalendar)."`

	Migrate migrateCmd `cmd:"" help:"Bring the database's schema up to date, as serve does when it starts."`
	Erase   eraseCmd   `cmd:"" help:"Erase a person, by their e-mail address."`
	Audit   auditCmd   `cmd:"" help:"Recompute stock, totals and deliveries, and say what differs."`
	Backup  backupCmd  `cmd:"" help:"Copy the SQLite database to a new file, while it is in use."`
	Doctor  doctorCmd  `cmd:"" help:"Look for what is wrong with an installation, and say how to put it right."`

	Bench      benchCmd      `cmd:"" help:"Measure against a relay that keeps nothing."`
	BenchFloor benchFloorCmd `cmd:"" hidden:"" help:"The relay that bench compares with."`
	Version    versionCmd    `cmd:"" help:"Print the version."`
}

// errSaid ends a command with status 1 that has already said why.
var errSaid = errors.New("said")

// usageError ends a command with status 2.
type usageError struct{ error }

func misuse(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// run runs one command and returns its exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string) int {
	var c cli
	helped := false
	parser, err := kong.New(&c,
		kong.Name("stagedoor"),
		kong.Description("The open platform for live events that a team runs itself."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { helped = true }),
		kong.Resolvers(&settings{getenv: getenv}),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 110}),
		kong.ValueFormatter(helpOf),
		kong.ExplicitGroups([]kong.Group{{Key: "server", Title: "The server:"}, {Key: "common", Title: "Common flags:"}}),
	)
	if err != nil {
		panic(err) // the command line above is wrong
	}
	if len(args) == 0 {
		parser.Stdout = stderr
		_, _ = parser.Parse([]string{"--help"})
		return misused
	}
	chosen, err := parser.Parse(args)
	if helped {
		return succeeded
	}
	if err != nil {
		return complain(stderr, usageError{fmt.Errorf("%w; see stagedoor%s --help", err, path(err))})
	}
	p := &program{stdin: stdin, stdout: stdout, stderr: stderr, getenv: getenv}
	lines := newLogBuffer(stderr)
	defer lines.flush() // also in a panic
	p.log = c.logger(lines, chosen.Command())
	chosen.BindTo(ctx, (*context.Context)(nil))
	err = chosen.Run(p)
	lines.flush() // what was logged comes before the verdict
	return complain(stderr, err)
}

// path is the part of the command line that was understood, with a space before it.
func path(err error) string {
	var parse *kong.ParseError
	if !errors.As(err, &parse) || parse.Context == nil || parse.Context.Selected() == nil {
		return ""
	}
	return " " + parse.Context.Selected().Path()
}

// complain says on standard error why a command failed and returns the exit status.
func complain(stderr io.Writer, err error) int {
	var usage usageError
	switch p := problem.As(err); {
	case err == nil:
		return succeeded
	case errors.Is(err, errSaid):
		return failed
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "stagedoor: %v\n", err)
		return misused
	case p != nil && p.Kind == problem.Invalid:
		fmt.Fprintf(stderr, "stagedoor: %s\n", sentence(p))
		return misused
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "stagedoor: interrupted")
		return failed
	}
	fmt.Fprintf(stderr, "stagedoor: %v\n", err)
	return failed
}

// sentence is what a problem says. Its fields' details name what they are about, so their pointers, which are those of the API, are left out.
func sentence(p *problem.Error) string {
	if len(p.Fields) == 0 {
		return p.Detail
	}
	said := make([]string, len(p.Fields))
	for i, f := range p.Fields {
		said[i] = f.Detail
	}
	return strings.Join(said, " ")
}

func (c *cli) logger(stderr io.Writer, command string) *slog.Logger {
	level := slog.LevelWarn
	if command == "serve" {
		level = slog.LevelInfo
	}
	if c.LogLevel != "" {
		_ = level.UnmarshalText([]byte(c.LogLevel)) // one of the enum
	}
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(stderr, options))
	}
	return slog.New(slog.NewTextHandler(stderr, options))
}

// helpOf is a flag's help with the name of its environment variable.
func helpOf(v *kong.Value) string {
	if v.Flag == nil || !v.Tag.Has("setting") {
		return v.Help
	}
	return strings.TrimSuffix(v.Help, ".") + " ($" + variable(v.Name) + ")."
}
