// Package e2e tests the built binary from the outside, as those who use it would: commands, HTTP, and webhooks that arrive. The tests
// say what the specifications promise, and know nothing of how it is done.
//
// Most tests share a server for each database (harness.OnStages) and make an organisation of their own on it; those that stop servers or
// give them other flags have their own. Every answer of a shared server is held against the server's own OpenAPI document.
package e2e

import (
	"flag"
	"os"
	"testing"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

func TestMain(m *testing.M) {
	flag.Parse()
	run, skip := flag.Lookup("test.run").Value.String(), flag.Lookup("test.skip").Value.String()
	os.Exit(harness.Main(m, run == "" && skip == ""))
}
