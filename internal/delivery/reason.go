package delivery

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/egress"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
)

// Reason says to an endpoint's owner why a delivery is not delivered, and what to do next.
type Reason struct {
	Name   string // stable, such as "tls_expired"
	Title  string // what happened, in a few words
	Remedy string // what to do about it, in a sentence or two
}

// reasons is every reason there is. A test holds that each code of package egress and of this one, and each status, has one.
var reasons = []Reason{
	// What a delivery's state says.
	{"delivered", "Delivered", "There is nothing to do."},
	{"waiting", "Waiting for its first attempt", "There is nothing to do: it is sent when its turn comes."},
	{"sending", "Being sent now", "There is nothing to do: look again in a minute."},
	{"resting", "Waiting because the receiver fails", "" +
		"Too many deliveries failed in a row, so only one is tried now and then. Look at the latest failed delivery and put right " +
		"what it says; the others then follow by themselves."},
	{"paused", "The webhook is paused", "Set the webhook to active, and what is due is sent; what was skipped meanwhile comes with “recover”."},
	{"disabled_gone", "The webhook was disabled: its receiver answered 410 Gone", "See that the URL is still the right one and no longer answers 410. " +
		"Then set the webhook to active again and recover what was missed."},
	{"disabled_failing", "The webhook was disabled: it had given nothing but failures for days", "Put right what the latest failed delivery says. " +
		"Then set the webhook to active again and recover what was missed."},
	{"skipped", "Not sent: the webhook was off, or does not take this event", "See that the webhook is active and its events include this one. Then " +
		"deliver it again."},
	{"no_record", "Nothing is known of its attempts any more", "Deliver it again, and look at the attempt that is then made."},

	// What kept us from sending.
	{"erased", "Not sent: its data has been erased", "There is nothing to do: what was erased is not sent again."},
	{"internal", "Our own fault", "It is tried again while retries last. If it goes on, tell the operator of this server the delivery's id."},
	{"endpoint_settings", "The webhook's settings do not allow sending", "Look at the webhook's URL, format and secret; what is wrong stands beside " +
		"this. Save them again, then deliver again."},
	{"bad_header", "The request could not be written", "Look at the headers that you added to the webhook: take away those with unusual characters. Then " +
		"deliver again."},
	{"interrupted", "Interrupted, because the server stopped", "There is nothing to do: it is sent again when the server is back."},
	{"blocked_target", "The address is not open to deliveries", "Use a public https address on port 443. If the receiver is in a private network of yours, " +
		"ask the operator to start this server with --allow-target and that network, such as --allow-target 10.0.0.0/8."},

	// What happened on the way.
	{"dns_not_found", "The host name does not exist", "Look for a typing mistake in the webhook's URL. If the name is new, see that its DNS record is published."},
	{"dns_failed", "The host name could not be looked up", "See that the domain's name servers answer, for instance with dig. It is tried again while retries last."},
	{"connect_failed", "No connection could be made", "See that the receiver runs and listens on the port in the URL, and that its firewall lets this server in."},
	{"tls_expired", "The receiver's certificate has expired", "Renew the certificate, and see that the server was reloaded afterwards. It may also " +
		"not be valid yet."},
	{"tls_wrong_name", "The receiver's certificate is for another host", "Put the name that stands in the certificate into the URL, or get a certificate " +
		"for the name in the URL."},
	{"tls_unknown_authority", "The receiver's certificate is not from a known authority", "Use a certificate of a public authority, such as Let's Encrypt, " +
		"and have the server send the whole chain (often called fullchain.pem). Self-signed certificates are not taken."},
	{"tls_failed", "No secure connection could be made", "See that the receiver speaks TLS 1.2 or newer on this port, without a client certificate, and " +
		"has a certificate for this name."},
	{"timeout_dns", "Timed out looking up the host name", "See that the domain's name servers answer, for instance with dig."},
	{"timeout_connect", "Timed out connecting", "See that the receiver is up, and that no firewall drops connections from this server without an answer."},
	{"timeout_tls", "Timed out in the TLS handshake", "The receiver took the connection but did not finish the handshake: see that the port speaks TLS, " +
		"and whether it is overloaded."},
	{"timeout_answer", "The receiver took too long to answer", "Answer at once with 200 and do the work afterwards, for instance in a queue."},
	{"timeout_body", "The receiver began its answer and did not finish it", "Answer with a short body, or none, and end it: an open stream is not waited for."},
	{"timeout", "The attempt took too long", "See that the receiver is up and answers at once; do the work afterwards."},
	{"closed", "The receiver closed the connection without an answer", "Look into the receiver's log for a crash or a limit, and into that of the proxy before it."},
	{"closed_in_body", "The receiver closed the connection in the middle of its answer", "Look into the receiver's log for a crash. See that its " +
		"Content-Length is right."},
	{"answer_too_large", "The head of the answer is too large", "Send fewer or smaller headers, cookies above all: 64 KiB are read."},
	{"bad_answer", "The answer is not proper HTTP/1.1", "See that the URL's port is that of a web server, and that no proxy mixes up the answer's headers."},

	// What the receiver answered.
	{"signature_refused", "The receiver refused the signature or the secret", "" +
		"Check the secret in your receiver: paste what it received into the signature debugger to see what differs. " +
		"If your code never saw the request, a firewall or login page before it refused it."},
	{"redirected", "The receiver redirects to another address", "Redirects are not followed. Put the new address into the webhook's URL."},
	{"wrong_url", "There is nothing at this URL", "Look at the path in the webhook's URL, and see that your application has a route for it and is deployed."},
	{"wrong_method", "The URL does not take POST", "Look at the path in the webhook's URL: your application must take POST there."},
	{"gone", "The receiver answered 410 Gone", "That means “send no more”, so the webhook is disabled. If that was a mistake, answer 200, set the " +
		"webhook to active and recover what was missed."},
	{"body_too_large", "The delivery is too large for the receiver", "Raise the limit for request bodies in your receiver and the proxy before it " +
		"(client_max_body_size in nginx)."},
	{"slow_down", "The receiver asks to slow down", "Raise the receiver's limit, or set a rate limit on the webhook that it can bear."},
	{"rejected", "The receiver rejected the delivery", "Read its answer and its log to see what it did not like. Answer 2xx also to events that you do not use."},
	{"receiver_error", "The receiver failed", "Look into your application's log at the time of the attempt: most often an error was not caught. It is " +
		"tried again while retries last."},
	{"receiver_down", "The receiver's application did not answer its proxy", "See that the application behind the proxy or load balancer runs and " +
		"answers in time. It is tried again while retries last."},
	{"not_200", "The receiver answered with another success than 200", "This webhook's format takes only the status 200 as success. Answer 200."},
	{"odd_status", "The receiver answered with a status that is neither success nor failure", "Answer 200 once the delivery is taken."},
	{"unknown", "Failed", "Look at the attempt's details. If they say nothing, tell the operator of this server the delivery's id."},
}

func reasonOf(name string) Reason {
	for _, r := range reasons {
		if r.Name == name {
			return r
		}
	}
	return reasonOf("unknown")
}

// Why is [Record.Reason], with what this node knows of the endpoint.
func (e *Engine) Why(to *endpoint.Endpoint, r Record) Reason {
	var p Policy
	if d := e.dialects[to.Format]; d != nil {
		p = d.Policy()
	}
	return r.Reason(to, p, !e.Rests(to.Number).IsZero())
}

// Rests returns until when an endpoint's circuit is open, as far as this node knows: nothing is sent to it before, and then one delivery to try it. It is zero while the circuit
// is closed.
func (e *Engine) Rests(number int64) time.Time {
	e.mu.Lock()
	l := e.lanes[number]
	e.mu.Unlock()
	if l == nil {
		return time.Time{}
	}
	return l.restsUntil()
}

// Reason says why the delivery is not delivered yet, or never was. p is the policy of the endpoint's format; rests tells that the endpoint's circuit is
// open. It is "delivered", "waiting" or "sending" where nothing has gone wrong.
func (r Record) Reason(to *endpoint.Endpoint, p Policy, rests bool) Reason {
	waits := r.State == stateName(pending)
	switch {
	case r.State == stateName(delivered):
		return reasonOf("delivered")
	case (waits || r.State == stateName(skipped)) && to.Disabled == endpoint.Gone:
		return reasonOf("disabled_gone")
	case (waits || r.State == stateName(skipped)) && to.Disabled != "":
		return reasonOf("disabled_failing")
	case (waits || r.State == stateName(skipped)) && !to.Active:
		return reasonOf("paused")
	case r.State == stateName(skipped):
		return reasonOf("skipped")
	case waits && r.Next.IsZero():
		return reasonOf("sending")
	}
	if n := len(r.Attempts); n > 0 { // one that is due again after it was delivered has nothing to explain yet
		if last := r.Attempts[n-1].Reason(p); last.Name != "delivered" {
			return last
		}
	}
	switch {
	case !waits:
		return reasonOf("no_record")
	case rests:
		return reasonOf("resting")
	}
	return reasonOf("waiting")
}

// Reason says why the attempt failed; it is "delivered" for one that did not. p is the policy of the endpoint's format. The answer's body, a stranger's,
// is looked at and not quoted; of its Location only scheme, host and port are named.
func (a Attempt) Reason(p Policy) Reason {
	if a.Code == "" {
		return a.answered(p)
	}
	return reasonOf(a.broken())
}

// broken names the reason of an attempt without an answer that counts.
func (a Attempt) broken() string {
	says := func(words string) bool { return strings.Contains(a.Detail, words) }
	switch a.Code {
	case codeErased:
		return "erased"
	case codeInternal:
		return "internal"
	case codeBadEndpoint:
		return "endpoint_settings"
	case string(egress.CodeBadRequest):
		return "bad_header"
	case string(egress.CodeCancelled):
		return "interrupted"
	case string(egress.CodeRefused):
		return "blocked_target"
	case string(egress.CodeConnect):
		return "connect_failed"
	case string(egress.CodeTimeout):
		return a.timedOut()
	case string(egress.CodeDNS):
		if says("does not resolve") {
			return "dns_not_found"
		}
		return "dns_failed"
	case string(egress.CodeTLS):
		switch {
		case says("expired"):
			return "tls_expired"
		case says("authority"):
			return "tls_unknown_authority"
		case says("another host"):
			return "tls_wrong_name"
		}
		return "tls_failed"
	case string(egress.CodeReset):
		if a.Status != 0 {
			return "closed_in_body"
		}
		return "closed"
	case string(egress.CodeBadResponse):
		if says("larger than") {
			return "answer_too_large"
		}
		return "bad_answer"
	}
	return "unknown"
}

// idle is how much of an attempt's time may be spent between its phases.
const idle = 10 * time.Millisecond

// timedOut names the phase in which the time ran out: the last that took any. Waiting for an answer that does not come is in Total only.
func (a Attempt) timedOut() string {
	switch {
	case a.Total == 0:
		return "timeout"
	case a.Status != 0:
		return "timeout_body"
	case a.FirstByte > 0, a.Total-a.DNS-a.Connect-a.TLS > idle:
		return "timeout_answer"
	case a.TLS > 0:
		return "timeout_tls"
	case a.Connect > 0:
		return "timeout_connect"
	}
	return "timeout_dns"
}

// aboutSignatures finds answers that speak of what was signed.
var aboutSignatures = regexp.MustCompile(`(?i)signature|hmac|timestamp|webhook secret|not verified|verification failed`)

// answered says what the receiver's answer means.
func (a Attempt) answered(p Policy) Reason {
	switch s := a.Status; {
	case p.success(s):
		return reasonOf("delivered")
	case s >= 200 && s < 300:
		return reasonOf("not_200")
	case s >= 300 && s < 400 && s != http.StatusNotModified:
		return a.redirected()
	case s == http.StatusUnauthorized, s == http.StatusForbidden, s == http.StatusBadRequest && aboutSignatures.Match(a.ResponseBody):
		return reasonOf("signature_refused")
	case s == http.StatusNotFound:
		return reasonOf("wrong_url")
	case s == http.StatusMethodNotAllowed:
		return reasonOf("wrong_method")
	case s == http.StatusGone:
		return reasonOf("gone")
	case s == http.StatusRequestEntityTooLarge:
		return reasonOf("body_too_large")
	case s == http.StatusTooManyRequests:
		return reasonOf("slow_down")
	case s >= 400 && s < 500:
		return reasonOf("rejected")
	case s == http.StatusBadGateway, s == http.StatusServiceUnavailable, s == http.StatusGatewayTimeout:
		return reasonOf("receiver_down")
	case s >= 500 && s < 600:
		return reasonOf("receiver_error")
	case s != 0:
		return reasonOf("odd_status")
	}
	return reasonOf("unknown")
}

// redirected names where the answer leads, where that was kept.
func (a Attempt) redirected() Reason {
	r := reasonOf("redirected")
	for line := range strings.Lines(a.ResponseHead) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if !strings.EqualFold(name, "Location") {
			continue
		}
		if to, err := url.Parse(strings.TrimSpace(value)); err == nil && to.Hostname() != "" && (to.Scheme == "https" || to.Scheme == "http") {
			r.Remedy += " It leads to " + to.Scheme + "://" + to.Host + "."
		}
		break
	}
	return r
}
