// Command stagedoor is the whole of Stagedoor: the server, and the commands that set it up and look after it.
//
//	stagedoor demo                 shows what it does, in a minute, with nothing installed
//	stagedoor serve                serves the API and sends webhooks
//	stagedoor org create NAME      makes an organisation
//	stagedoor key create --org …   makes an API key for it
//
// and so on: see stagedoor --help. A subcommand is one file of this package.
//
// Every command takes --data and --database, but listen, pull and trigger, which speak to a running server and take --url and --key. Those that
// change something may run while a server runs on the same data. A setting is taken from its flag, else from the environment
// (STAGEDOOR_LISTEN is --listen), else from the JSON file that --config names, whose keys are the names of the flags.
//
// Answers go to standard output; with --json they are one JSON object and nothing else, with listen and pull one on each line. Everything else goes
// to standard error. The exit status is 0, or 1 when the command failed, or 2 when it was used wrongly.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // events have time zones on machines that have none
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the first signal asks the command to end; a second one ends the process
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv))
}
