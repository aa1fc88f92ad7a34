package archtest

import (
	"go/ast"
	"path"
	"strconv"
	"testing"
)

// dialers are the names with which the standard library connects to an address,
// or makes something that will. They are closed to everyone but internal/egress,
// which checks the address it dials: a single client elsewhere would be the hole
// through which a subscriber reaches our private network.
var dialers = map[string][]string{
	"net/http": {
		"DefaultClient", "DefaultTransport", "Client", "Transport",
		"Get", "Head", "Post", "PostForm",
	},
	"net": {
		"Dial", "DialTimeout", "DialTCP", "DialUDP", "DialUnix", "DialIP", "Dialer",
	},
	"crypto/tls":                 {"Dial", "DialWithDialer", "Dialer", "Client"},
	"net/smtp":                   {"Dial", "SendMail"},
	"net/rpc":                    {"Dial", "DialHTTP", "DialHTTPPath"},
	"net/http/httputil":          {"ReverseProxy", "NewSingleHostReverseProxy"},
	"golang.org/x/net/websocket": {"Dial", "DialConfig"},
}

// mayDial are those who connect all the same, and why nobody else's address is
// in it. Paths are directories or files.
var mayDial = []struct{ path, reason string }{
	{"internal/egress", "it is the guard"},
	{"internal/bench", "its load generator connects to servers and receivers that it started itself"},
	{"internal/demo", "its own client and receiver, on loopback"},
	{"internal/mail", "the mail server is the one that the operator names in --smtp-url"},
	{"internal/remote", "a client of the server that the person at the command line names; no server runs it"},
	{"internal/listen", "posts to the receiver that the person at the command line names, from their own machine; no server runs it"},
	{"cmd/stagedoor/doctor.go", "probes the server that the operator names on the command line"},
	{"internal/evm/node", "the nodes are those that the operator names in --evm-rpc"},
	{"internal/pass/apple", "Apple's push service, or the one that the operator names in --apns"},
	{"internal/pass/google", "Google's API and keys, or those that the operator names"},
	{"examples", "they run at a receiver's, not in our server"},
	{"test", "tests of the built binary speak to servers and receivers that they started themselves"},
	{"scripts", "they run on a developer's machine"},
}

func TestOnlyEgressConnects(t *testing.T) {
	s := tree(t)
	for _, f := range s.shipped() {
		if dialAllowed(f) {
			continue
		}
		closed := closedNames(f)
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if pkg, ok := sel.X.(*ast.Ident); ok && closed[pkg.Name+"."+sel.Sel.Name] {
				t.Errorf("%s: %s.%s connects past internal/egress, which alone guards the addresses we dial (table mayDial, if this is on purpose)",
					s.line(f, n), pkg.Name, sel.Sel.Name)
			}
			return true
		})
	}
}

func dialAllowed(f file) bool {
	for _, m := range mayDial {
		if f.path == m.path || within(f.dir, m.path) {
			return true
		}
	}
	return false
}

// closedNames are the dialers as this file spells them, by its own import names.
func closedNames(f file) map[string]bool {
	closed := map[string]bool{}
	for _, spec := range f.syntax.Imports {
		imp, _ := strconv.Unquote(spec.Path.Value)
		local := path.Base(imp)
		if spec.Name != nil {
			local = spec.Name.Name
		}
		for _, name := range dialers[imp] {
			closed[local+"."+name] = true
		}
	}
	return closed
}
