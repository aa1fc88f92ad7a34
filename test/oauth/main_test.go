// Package oauth holds the authorization server to a checklist of what OAuth 2.0 and its extensions ask: every line of it is a behaviour, and a test here bears
// its number. The tests know nothing of the inside. They speak HTTP to the built binary, as browsers, apps, devices and attackers do, on both databases.
//
// Each chapter of the checklist is a file. What the tests stand on is in site_test.go (a server), people_test.go (organisations, people, apps),
// browser_test.go (pages and forms), flow_test.go (the way to a token) and key_test.go (signed JWTs). Which line is shown where, and why some cannot be shown
// from outside, is checked by lines_test.go.
package oauth

import (
	"os"
	"testing"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// The servers log all they can, because no line of it may have a secret in it (line 61); and they set no bound to how often they are asked.
func TestMain(m *testing.M) {
	os.Exit(harness.Main(m, false, append([]string{"--oauth-per-minute", "0"}, always...)...))
}

// always are the flags of every server. It believes a browser that says where it comes from, so that one's failures to sign in are not another's.
var always = []string{"--log-level", "debug", "--trusted-proxy", "127.0.0.0/8"}
