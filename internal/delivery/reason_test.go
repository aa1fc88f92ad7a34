package delivery

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/egress"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
)

// sources reads the Go files of a directory but its tests.
func sources(t *testing.T, dir string) []*ast.File {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// constants are the values of a directory's string constants whose names begin with a prefix.
func constants(t *testing.T, dir, prefix string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, f := range sources(t, dir) {
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, prefix) {
				return true
			}
			if value, ok := spec.Values[0].(*ast.BasicLit); ok && value.Kind == token.STRING {
				text, err := strconv.Unquote(value.Value)
				if err != nil {
					t.Fatal(err)
				}
				found[spec.Names[0].Name] = text
			}
			return true
		})
	}
	return found
}

func wantReason(t *testing.T, what string, got Reason, name string) {
	t.Helper()
	if got.Name != name {
		t.Errorf("%s: got %q, want %q", what, got.Name, name)
	}
}

// A code that is added without a reason fails here.
func TestEveryCodeHasAReason(t *testing.T) {
	theirs, own := constants(t, "../egress", "Code"), constants(t, ".", "code")
	if len(theirs) < 10 || len(own) < 3 {
		t.Fatalf("found the codes %v and %v: is the test still looking at the right thing?", theirs, own)
	}
	for _, codes := range []map[string]string{theirs, own} {
		for constant, code := range codes {
			if code == string(egress.CodeOK) {
				continue
			}
			if r := (Attempt{Code: code}).Reason(Usual()); r.Name == "unknown" || r.Name == "delivered" {
				t.Errorf("%s: Attempt{Code: %q}.Reason() = %q: give it a reason of its own", constant, code, r.Name)
			}
		}
	}
}

func TestEveryStatusHasAReason(t *testing.T) {
	for status := 100; status < 600; status++ {
		r := Attempt{Status: status}.Reason(Usual())
		if success := status/100 == 2; (r.Name == "delivered") != success || r.Name == "unknown" {
			t.Errorf("status %d: got %q", status, r.Name)
		}
	}
}

// sentences are what egress says with a code.
func sentences(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, f := range sources(t, "../egress") {
		ast.Inspect(f, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil {
					found[text] = true
				}
			}
			return true
		})
	}
	return found
}

func TestReasonsOfAttempts(t *testing.T) {
	said := sentences(t)
	const ms, s = time.Millisecond, time.Second
	only200 := Policy{Only200: true}
	cases := []struct {
		attempt Attempt
		policy  Policy
		want    string
	}{
		{Attempt{Code: "dns", Detail: "The host name does not resolve to an address."}, Usual(), "dns_not_found"},
		{Attempt{Code: "dns", Detail: "The name servers of the host did not give an answer."}, Usual(), "dns_failed"},
		{Attempt{Code: "tls", Detail: "The receiver's certificate is expired or not valid yet."}, Usual(), "tls_expired"},
		{Attempt{Code: "tls", Detail: "The receiver's certificate is for another host."}, Usual(), "tls_wrong_name"},
		{Attempt{Code: "tls", Detail: "The receiver's certificate is not signed by an authority that is known here."}, Usual(), "tls_unknown_authority"},
		{Attempt{Code: "tls", Detail: "The TLS handshake failed."}, Usual(), "tls_failed"},
		{Attempt{Code: "tls"}, Usual(), "tls_failed"},
		{Attempt{Code: "connect", Detail: "No connection to the receiver could be made."}, Usual(), "connect_failed"},
		{Attempt{Code: "refused_target"}, Usual(), "blocked_target"},
		{Attempt{Code: "reset"}, Usual(), "closed"},
		{Attempt{Code: "reset", Status: 200}, Usual(), "closed_in_body"},
		{Attempt{Code: "bad_response", Detail: "The head of the answer is larger than 64 KiB."}, Usual(), "answer_too_large"},
		{Attempt{Code: "bad_response", Detail: "The answer has a malformed header field."}, Usual(), "bad_answer"},
		{Attempt{Code: "bad_request", Detail: "The request has a header that cannot be sent."}, Usual(), "bad_header"},
		{Attempt{Code: "cancelled", Detail: "The attempt was cancelled."}, Usual(), "interrupted"},
		{Attempt{Code: "internal"}, Usual(), "internal"},
		{Attempt{Code: "bad_endpoint"}, Usual(), "endpoint_settings"},
		{Attempt{Code: "erased"}, Usual(), "erased"},
		{Attempt{Code: "never heard of"}, Usual(), "unknown"},

		{Attempt{Code: "timeout", DNS: 5 * s, Total: 5*s + ms}, Usual(), "timeout_dns"},
		{Attempt{Code: "timeout", DNS: ms, Connect: 30 * s, Total: 30*s + 2*ms}, Usual(), "timeout_connect"},
		{Attempt{Code: "timeout", Connect: 20 * s, TLS: 10 * s, Total: 30*s + ms}, Usual(), "timeout_tls"},
		{Attempt{Code: "timeout", DNS: ms, Connect: ms, TLS: ms, Total: 30 * s}, Usual(), "timeout_answer"},
		{Attempt{Code: "timeout", Total: 30 * s}, Usual(), "timeout_answer"}, // on a connection that was there
		{Attempt{Code: "timeout", FirstByte: 30 * s, Total: 30 * s}, Usual(), "timeout_answer"},
		{Attempt{Code: "timeout", Status: 200, FirstByte: ms, Total: 30 * s}, Usual(), "timeout_body"},
		{Attempt{Code: "timeout"}, Usual(), "timeout"},

		{Attempt{Status: 200}, only200, "delivered"},
		{Attempt{Status: 204}, Usual(), "delivered"},
		{Attempt{Status: 204}, only200, "not_200"},
		{Attempt{Status: 301}, Usual(), "redirected"},
		{Attempt{Status: 304}, Usual(), "odd_status"},
		{Attempt{Status: 400, ResponseBody: []byte(`{"error":"Invalid Signature"}`)}, Usual(), "signature_refused"},
		{Attempt{Status: 400, ResponseBody: []byte(`{"error":"no such order"}`)}, Usual(), "rejected"},
		{Attempt{Status: 401}, Usual(), "signature_refused"},
		{Attempt{Status: 403}, Usual(), "signature_refused"},
		{Attempt{Status: 404}, Usual(), "wrong_url"},
		{Attempt{Status: 405}, Usual(), "wrong_method"},
		{Attempt{Status: 410}, Usual(), "gone"},
		{Attempt{Status: 413}, Usual(), "body_too_large"},
		{Attempt{Status: 422}, Usual(), "rejected"},
		{Attempt{Status: 429}, Usual(), "slow_down"},
		{Attempt{Status: 500}, Usual(), "receiver_error"},
		{Attempt{Status: 502}, Usual(), "receiver_down"},
		{Attempt{Status: 503}, Usual(), "receiver_down"},
		{Attempt{Status: 504}, Usual(), "receiver_down"},
	}
	reached := map[string]bool{}
	for _, c := range cases {
		wantReason(t, c.attempt.Code+" "+strconv.Itoa(c.attempt.Status)+" "+c.attempt.Detail, c.attempt.Reason(c.policy), c.want)
		reached[c.want] = true
		if d := c.attempt.Detail; d != "" && !said[d] {
			t.Errorf("egress does not say %q any more: is it still told apart?", d)
		}
	}
	for _, c := range states {
		wantReason(t, c.name, c.record.Reason(&c.to, Usual(), c.rests), c.want)
		reached[c.want] = true
	}

	names := map[string]bool{}
	for _, r := range reasons {
		if !reached[r.Name] || names[r.Name] || r.Title == "" || r.Remedy == "" {
			t.Errorf("the reason %+v is never given, there twice, or incomplete", r)
		}
		names[r.Name] = true
	}
}

var (
	soon   = time.Unix(1782900000, 0)
	on     = endpoint.Endpoint{Active: true}
	broken = []Attempt{{Status: 500}}
)

var states = []struct {
	name   string
	record Record
	to     endpoint.Endpoint
	rests  bool
	want   string
}{
	{"delivered", Record{State: "delivered"}, endpoint.Endpoint{}, false, "delivered"},
	{"new", Record{State: "pending", Next: soon}, on, false, "waiting"},
	{"under way", Record{State: "pending"}, on, false, "sending"},
	{"new, while others fail", Record{State: "pending", Next: soon}, on, true, "resting"},
	{"to be tried again", Record{State: "pending", Next: soon, Attempts: broken}, on, true, "receiver_error"},
	{"delivered and due again", Record{State: "pending", Next: soon, Attempts: []Attempt{{Status: 200}}}, on, false, "waiting"},
	{"given up", Record{State: "failed", Attempts: broken}, on, false, "receiver_error"},
	{"given up before it was paused", Record{State: "failed", Attempts: broken}, endpoint.Endpoint{}, false, "receiver_error"},
	{"given up long ago", Record{State: "failed"}, on, false, "no_record"},
	{"paused", Record{State: "pending", Next: soon, Attempts: broken}, endpoint.Endpoint{}, false, "paused"},
	{"gone", Record{State: "skipped"}, endpoint.Endpoint{Active: true, Disabled: endpoint.Gone}, false, "disabled_gone"},
	{"failing", Record{State: "skipped"}, endpoint.Endpoint{Active: true, Disabled: endpoint.Failing}, false, "disabled_failing"},
	{"skipped", Record{State: "skipped"}, on, false, "skipped"},
}

func TestARedirectNamesTheNewOriginOnly(t *testing.T) {
	for head, want := range map[string]string{
		"Location: https://new.example:8443/in?token=x\n":           " It leads to https://new.example:8443.",
		"Content-Type: a\nlocation: http://user:pw@new.example/a\n": " It leads to http://new.example.",
		"Location: /elsewhere\n":                                    "",
		"Location: javascript:alert(1)\n":                           "",
		"":                                                          "",
	} {
		got := Attempt{Status: 308, ResponseHead: head}.Reason(Usual()).Remedy
		if got != reasonOf("redirected").Remedy+want {
			t.Errorf("%q: got %q", head, got)
		}
	}
}
