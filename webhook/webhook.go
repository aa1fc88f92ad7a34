// Package webhook signs and verifies webhook deliveries in every scheme that Stagedoor speaks. Receivers import it; it needs
// nothing but the standard library.
//
// A receiver makes a [Verifier] from the secret it was given and hands it the headers, the raw body and the present time:
//
//	v, err := webhook.NewVerifier(webhook.Portal, webhook.Key{Text: os.Getenv("WEBHOOK_SECRET")})
//	…
//	message, err := v.Verify(r.Header, body, time.Now())
//
// or lets a [Receiver], which is an [net/http.Handler], read the body and do that. A sender makes a [Signer] and asks it for the
// headers of a [Message]. A [Scheme] says which headers these are and what is signed:
//
//	Portal    HMAC-SHA256 of timestamp.body, hexadecimal, in X-Webhook-Signature (HookBridge's form is the same)
//	Pullup    HMAC-SHA256 of the body, hexadecimal, in x-pullup-signature
//	Standard  Standard Webhooks 1.0.0: HMAC-SHA256 (v1) or Ed25519 (v1a) of id.timestamp.body, base64, in webhook-signature;
//	          CloudEvents deliveries use it too
//	Static    a fixed Authorization header, as StubHub and ethpass use it
//
// # What is promised
//
// What is verified are the bytes that came, never a parsed and printed copy of them. Comparisons take the same time wherever the
// first difference is, and compare whole values. An empty secret is refused, and so is a key of the wrong kind: a public key is
// never used as a shared secret. A signature is found wherever it stands in a list, and a list is at most [MaxSignatures] long.
// A timestamp too far in the future is refused like one too far in the past.
//
// A [Key] may have an end. While an old and a new key are both valid, a Signer signs with both in the way of its scheme, and a
// Verifier takes either; from the end on, the old key neither signs nor verifies.
//
// # What is left to the receiver
//
// A delivery may come twice: whatever the scheme, remember what was handled. Only Standard signs the delivery's id and only
// Portal and Standard sign the time, so with Pullup and Static an eavesdropper can send old deliveries again; the id inside the
// signed body is the one to remember there. Static signs nothing at all: it is as good as the TLS connection around it.
package webhook

import "time"

// A Scheme is a way of signing deliveries: which headers are sent and what the signature covers.
type Scheme string

const (
	// Portal is the scheme of the ticket portal and of HookBridge:
	// X-Webhook-Signature is "sha256=" and the hexadecimal HMAC-SHA256 of X-Webhook-Timestamp (Unix seconds), "." and the body.
	// The HMAC's key is the secret's printed characters. X-Webhook-Event and X-Webhook-Delivery are sent but not signed.
	// During a rotation a Signer sends the new key's signature in X-Webhook-Signature-Next, because portal's receivers compare
	// one exact value; a Verifier also takes HookBridge's list "sha256=h1,sha256=h2".
	Portal Scheme = "portal"

	// Pullup is the scheme of the native API for live events: x-pullup-signature is the hexadecimal HMAC-SHA256 of the body,
	// keyed with the secret's printed characters. x-pullup-event and x-pullup-delivery are sent but not signed, and there is no
	// time. During a rotation the new key's signature is sent in x-pullup-signature-next.
	Pullup Scheme = "pullup"

	// Standard is Standard Webhooks 1.0.0: webhook-id, webhook-timestamp (Unix seconds), and in webhook-signature a list,
	// separated by spaces, of "v1," and the base64 HMAC-SHA256 or "v1a," and the base64 Ed25519 signature
	// of the id, ".", the timestamp, "." and the body. During a rotation the list has a signature for each key.
	Standard Scheme = "standard"

	// Static sends one fixed value as the Authorization header and signs nothing. During a rotation the old value is sent until
	// its end.
	Static Scheme = "static"
)

// The headers, in the form that net/http uses as map keys; on the wire, case does not matter.
const (
	portalSignature = "X-Webhook-Signature"
	portalNext      = "X-Webhook-Signature-Next"
	portalTimestamp = "X-Webhook-Timestamp"
	portalEvent     = "X-Webhook-Event"
	portalDelivery  = "X-Webhook-Delivery"

	pullupSignature = "X-Pullup-Signature"
	pullupNext      = "X-Pullup-Signature-Next"
	pullupEvent     = "X-Pullup-Event"
	pullupDelivery  = "X-Pullup-Delivery"

	standardID        = "Webhook-Id"
	standardTimestamp = "Webhook-Timestamp"
	standardSignature = "Webhook-Signature"

	staticAuthorization = "Authorization"
)

// Headers names every header that the scheme may set, in net/http's canonical form; nil for an unknown scheme. A sender that lets
// others add headers of their own must not let them add these.
func (s Scheme) Headers() []string {
	switch s {
	case Portal:
		return []string{portalSignature, portalNext, portalTimestamp, portalEvent, portalDelivery}
	case Pullup:
		return []string{pullupSignature, pullupNext, pullupEvent, pullupDelivery}
	case Standard:
		return []string{standardID, standardTimestamp, standardSignature}
	case Static:
		return []string{staticAuthorization}
	}
	return nil
}

// A Message is one delivery: what a Signer dresses and what a Verifier returns.
type Message struct {
	// ID names the delivery and is the same on every attempt: X-Webhook-Delivery (a UUID), x-pullup-delivery or webhook-id.
	// Visible ASCII characters; for Standard without ".". Static has none.
	ID string

	// Event is the kind of event, such as "order.accepted": X-Webhook-Event or x-pullup-event. Visible ASCII characters.
	// Standard and Static have no header for it; it stands in the body.
	Event string

	// Time is the instant of this attempt, in whole seconds on the wire. A Signer needs it in every scheme, because keys may
	// have an end; a Verifier leaves it zero for Pullup and Static, which do not send it.
	Time time.Time

	// Body is the request's body, byte for byte.
	Body []byte
}

// A Header is one header line. Name is in net/http's canonical form.
type Header struct {
	Name, Value string
}
