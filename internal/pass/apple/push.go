package apple

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/pass"
)

// PusherConfig says how devices are told.
type PusherConfig struct {
	Identity *Identity
	URL      string           // https://api.push.apple.com when empty. There is no other of Apple's: passes are never in its sandbox
	Roots    *x509.CertPool   // the system's when nil
	Now      func() time.Time // time.Now when nil
}

// Pusher tells devices through APNs (HTTP/2). It is a [pass.Pusher]. One connection serves all pushes at once, and another is made when Apple takes no more on it.
type Pusher struct {
	url       string
	topic     string
	now       func() time.Time
	transport *http.Transport
}

// Limits of a push.
const (
	pushTimeout    = 10 * time.Second
	pushLasts      = 24 * time.Hour   // how long Apple keeps it for a device that it does not reach
	pingAfter      = 30 * time.Second // of silence: a connection that has died is noticed
	maxConns       = 8                // when many pushes come at once and there is no connection, each would make one
	maxAnswer      = 4 << 10
	maxAfter       = time.Hour       // the longest Retry-After that is believed
	refusedFor     = time.Minute     // how long everything waits when it is us who are refused
	unreachableFor = 5 * time.Second // and when there is no connection
)

// NewPusher makes a pusher. Nothing is connected yet.
func NewPusher(c PusherConfig) (*Pusher, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	base, err := url.Parse(or(c.URL, "https://api.push.apple.com"))
	switch {
	case err != nil || base.Scheme != "https" || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return nil, errors.New("the address of APNs has to be https://, a host and nothing else, such as https://api.push.apple.com")
	case strings.HasSuffix(base.Hostname(), ".push.apple.com") && base.Hostname() != "api.push.apple.com":
		return nil, fmt.Errorf("%s is not for wallet passes: it would call every device token bad, and registrations would end; use https://api.push.apple.com", base.Host)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true) // and nothing else: APNs speaks no other
	return &Pusher{
		url:   strings.TrimSuffix(base.String(), "/") + "/3/device/",
		topic: c.Identity.TypeID,
		now:   c.Now,
		transport: &http.Transport{
			TLSClientConfig:        &tls.Config{Certificates: []tls.Certificate{c.Identity.tls()}, RootCAs: c.Roots, MinVersion: tls.VersionTLS12},
			DialContext:            (&net.Dialer{Timeout: pushTimeout}).DialContext,
			TLSHandshakeTimeout:    pushTimeout,
			Protocols:              protocols,
			HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pushTimeout, WriteByteTimeout: pushTimeout},
			MaxConnsPerHost:        maxConns,
			DisableCompression:     true,
			MaxResponseHeaderBytes: 16 << 10,
		},
	}, nil
}

// deviceToken is what Apple's devices give as a push token. Its length is not promised; it has been 32 bytes, and more for some.
var deviceToken = regexp.MustCompile(`^[0-9A-Fa-f]{8,200}$`)

// Push sends an empty notification to a device, which then asks for updates.
//
// What is sent is what Apple's "Adding a Web Service to Update Passes" asks for: an empty JSON object to the pass type identifier as topic. No apns-push-type goes
// with it: each of its values stands for something in the payload that is not there (alert for an alert, background for content-available), APNs may drop what does
// not match, and background would be throttled and forbid the priority 10.
func (p *Pusher) Push(ctx context.Context, token string) pass.Result {
	if !deviceToken.MatchString(token) { // no device's; but only Apple's word ends a registration
		return pass.Result{Verdict: pass.Never, Detail: "the push token is not hexadecimal"}
	}
	ctx, cancel := context.WithTimeout(ctx, pushTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+token, strings.NewReader("{}"))
	if err != nil {
		return pass.Result{Verdict: pass.Never, Detail: "the request cannot be written"}
	}
	req.Header = http.Header{
		"Content-Type":    {"application/json"},
		"User-Agent":      {"Stagedoor"},
		"Apns-Topic":      {p.topic},
		"Apns-Priority":   {"10"},
		"Apns-Expiration": {strconv.FormatInt(p.now().Add(pushLasts).Unix(), 10)},
	}
	res, err := p.transport.RoundTrip(req)
	if err != nil {
		return failed(err, token)
	}
	defer res.Body.Close()
	return answered(res, p.now())
}

// Close ends the connections on which nothing is under way.
func (p *Pusher) Close() { p.transport.CloseIdleConnections() }

// failed is what came of a push that was not answered. Where no connection comes about, no other push will fare better; nor where our certificate or theirs is
// refused, which takes somebody to mend.
func failed(err error, token string) pass.Result {
	out := pass.Result{Verdict: pass.Later, Detail: strings.ReplaceAll(err.Error(), token, "…")}
	var network *net.OpError
	var name *net.DNSError
	var theirs *tls.CertificateVerificationError
	switch {
	case errors.Is(err, context.Canceled): // says nothing of the network
	case errors.As(err, &theirs), errors.As(err, &network) && network.Op == "remote error": // an alert of TLS
		out.Verdict, out.After = pass.Wait, refusedFor
	case errors.As(err, &network) && network.Op == "dial", errors.As(err, &name):
		out.Verdict, out.After = pass.Wait, unreachableFor
	}
	return out
}

// answered is what came of a push that was answered, as Apple's "Handling notification responses from APNs" says.
func answered(res *http.Response, now time.Time) pass.Result {
	if res.StatusCode == http.StatusOK {
		return pass.Result{Verdict: pass.Sent}
	}
	var body struct {
		Reason string `json:"reason"`
	}
	raw, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer)) // what does not come is no reason
	_ = json.Unmarshal(raw, &body)
	out := pass.Result{Detail: fmt.Sprintf("APNs answered %d %.60s", res.StatusCode, plain(body.Reason))}
	switch status := res.StatusCode; {
	case status == http.StatusGone, body.Reason == "BadDeviceToken":
		out.Verdict = pass.Gone
	case status == http.StatusForbidden, body.Reason == "TopicDisallowed": // it is our certificate that is not accepted
		out.Verdict, out.After = pass.Wait, refusedFor
	case status == http.StatusTooManyRequests, status >= 500, body.Reason == "IdleTimeout":
		out.Verdict, out.After = pass.Later, retryAfter(res.Header.Get("Retry-After"), now)
	default:
		// DeviceTokenNotForTopic is among these. The token is good, but for another pass type: the server's certificate was exchanged for one of another type. The
		// registrations would be right again with the right certificate, so none ends.
		out.Verdict = pass.Never
	}
	return out
}

// plain is a reason as it may stand in a log.
func plain(reason string) string {
	for _, r := range reason {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') {
			return "with an unknown reason"
		}
	}
	return or(reason, "without a reason")
}

// retryAfter reads Retry-After (RFC 9110 §10.2.3); 0 where it says nothing.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(min(max(seconds, 0), int(maxAfter/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), maxAfter)
	}
	return 0
}
