// Package provider knows how the senders of webhooks prove who they are and what their requests look like: Stripe, GitHub, Shopify, Slack, Zoom, Twitter,
// everybody who speaks Standard Webhooks, Svix, StubHub and Stagedoor itself, and any other whose signature is an HMAC-SHA256.
//
// A [Scheme] says how requests to one pull endpoint prove where they come from: a static [Token], an [HMAC], a list of networks, in any combination. The name
// of a provider (one of [Names]) stands for all that this provider publishes about its signature, so that its secret is all an owner has to give. A [Request]
// is what came; [Scheme.Check] returns nil or a [Refusal]. [Scheme.Challenge] answers the requests with which Slack, Zoom and Twitter try a new address.
// An [EventType] finds the type of an event in a header or in the JSON body; [DedupKey] makes one key of the headers by which a sender names its events.
//
// # What is promised
//
// What is checked are the bytes that came. Secrets, tokens and signatures are compared in the same time wherever the first difference is. A signature is found
// wherever it stands among several, and of several at most [MaxSignatures] are looked at. A timestamp too far ahead is refused like one too far back. A refusal
// says what is wrong in words that hold nothing of the secret. Nothing that a stranger sends makes a function panic or costs more than a few passes over its
// bytes. What is not configured is not checked: the zero Scheme lets everything in.
//
// # What is left to others
//
// No I/O, no clock, no database. A signed request that comes twice within the time that its timestamp allows is let in twice: the depot finds it by [DedupKey],
// as far as the header with its id is signed, which it is with Standard Webhooks and Svix.
// Whose address Peer is behind a proxy, sealing secrets, and the HTTP answers (with X-Content-Type-Options: nosniff) are the callers' too.
package provider

import (
	"net/http"
	"net/netip"
	"time"
)

const (
	// DefaultTTL is how far a signed timestamp may be from the present, back or ahead, where an owner says nothing: what Stripe and Slack recommend.
	DefaultTTL = 5 * time.Minute

	// MaxTTL is the longest that an owner may ask for: Svix, GitHub and others try for hours, but each try is signed anew.
	MaxTTL = 24 * time.Hour

	// MaxSignatures is how many signatures of one request are looked at; a rotation of secrets needs two.
	MaxSignatures = 16
)

// Scheme says how requests prove where they come from. What is zero is not checked.
type Scheme struct {
	Provider string // one of Names, or empty: the HMAC's own fields say how it is made
	Token    Token
	HMAC     HMAC
	Networks []netip.Prefix // who may send, from ParseNetworks; nil: not checked, empty: nobody
}

// Token is a static token in a header or a parameter of the query; where both places are named, it may stand in either.
type Token struct {
	Header string // any case
	Query  string // the parameter's name, as it is written
	SHA256 []byte // of the token's value, from HashToken; empty: not checked
}

// HMAC is a signature. With a Provider, Secret is all it needs: the secret as that provider prints it, "whsec_…" in Standard Webhooks and Svix, and for StubHub
// the whole value of the Authorization header.
type HMAC struct {
	Header          string        // where the signature stands; any case
	Secret          string        `json:"-"` // its characters are the key; empty: not checked
	TimestampHeader string        // may be Header, for t=…,v1=…; empty: the time is not signed
	TTL             time.Duration // how far the timestamp may be from the present, both ways; zero: DefaultTTL
}

// String does not show the secret.
func (h HMAC) String() string { return "provider.HMAC(" + h.Header + ")" }

// GoString is String.
func (h HMAC) GoString() string { return h.String() }

// Request is what came.
type Request struct {
	Header   http.Header
	RawQuery string // as it stood in the URL, without the question mark
	Body     []byte // every byte, as it came
	Peer     netip.Addr
}

// The reasons of a Refusal, as the pull endpoints' specification calls them.
const (
	StaticTokenFailed = "static_token_failed"
	HMACFailed        = "hmac_failed"
	IPNotAllowed      = "ip_not_allowed"
)

// Refusal says why a request was not let in.
type Refusal struct {
	Reason string // one of the three
	Detail string // for the endpoint's owner: "the header X-Signature is missing"; holds no secret, no token and nothing of a signature
}

// Error returns both.
func (r *Refusal) Error() string { return r.Reason + ": " + r.Detail }

// Check returns nil for a request that passes all that is configured, or the first *Refusal: networks, token, signature and its time.
func (s Scheme) Check(r Request, now time.Time) error {
	if !s.Admits(r.Peer) {
		return s.refuseNetwork(r.Peer)
	}
	if err := s.CheckToken(r); err != nil {
		return err
	}
	return s.CheckHMAC(r, now)
}
