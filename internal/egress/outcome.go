package egress

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"time"
)

// Code says in one word how an attempt ended. Codes are coarse on purpose: they are shown to whoever owns the URL, who
// must not be able to map a network with them.
type Code string

// How an attempt can end.
const (
	CodeOK          Code = ""               // a whole answer was read, whatever its status; or as much of it as we read
	CodeDNS         Code = "dns"            // the name was not found, or its name servers did not answer in five seconds
	CodeRefused     Code = "refused_target" // the address is not open; nothing was sent
	CodeConnect     Code = "connect"        // no connection could be made
	CodeTLS         Code = "tls"            // no trusted connection could be made
	CodeTimeout     Code = "timeout"        // the deadline passed, wherever the attempt was
	CodeReset       Code = "reset"          // the connection ended before the answer did
	CodeBadResponse Code = "bad_response"   // the answer is not HTTP/1.1, ambiguous, or its head too large
	CodeBadRequest  Code = "bad_request"    // the request cannot be written: a mistake of ours; nothing was sent
	CodeCancelled   Code = "cancelled"      // the context was cancelled or the client closed
)

// Outcome tells what came of one request.
type Outcome struct {
	Code   Code
	Detail string // for a Code other than CodeOK, a sentence that is safe to show

	// Status is the status of the answer, 200 to 599, and 0 when there was none. It can be set beside a Code: the head came, but
	// the body did not.
	Status int

	// Header holds the fields of the answer that somebody acts on or looks at: Content-Type, Location (never
	// followed), Retry-After (see [RetryAfter]) and Webhook-Delivery, in the order in which they came, each at most
	// 2 KiB.
	Header Header

	// Body is the beginning of the answer's body, as it came: at most [Request.Keep] bytes. A stranger wrote it: show it
	// as text only, and see Public.
	Body []byte

	// Truncated reports that the answer's body was longer than Body.
	Truncated bool

	// Public reports that the other end has an address of the public internet. An answer from a private network that the
	// operator opened may hold what its owner would not show to a tenant.
	Public bool

	// Reused reports that the connection was there already.
	Reused bool

	Timing Timing
}

// Timing says where the time went. A phase that did not happen took 0.
type Timing struct {
	DNS       time.Duration // looking the name up
	Connect   time.Duration // the TCP handshake, with as many addresses as it took
	TLS       time.Duration // the TLS handshake
	FirstByte time.Duration // from then on: writing the request and waiting for the first byte of an answer
	Total     time.Duration // all of it, with reading the answer
}

// fault is an error that already knows its code and its sentence.
type fault struct {
	code   Code
	detail string
}

func (f *fault) Error() string { return f.detail }

func badResponse(detail string) *fault { return &fault{CodeBadResponse, detail} }

var (
	errTimeout   = &fault{CodeTimeout, "The attempt took longer than its deadline."}
	errCancelled = &fault{CodeCancelled, "The attempt was cancelled."}
	errReset     = &fault{CodeReset, "The receiver closed the connection before its answer was complete."}
	errConnect   = &fault{CodeConnect, "No connection to the receiver could be made."}
	errNotFound  = &fault{CodeDNS, "The host name does not resolve to an address."}
	errDNS       = &fault{CodeDNS, "The name servers of the host did not give an answer."}
	errTLS       = &fault{CodeTLS, "The TLS handshake failed."}
	errExpired   = &fault{CodeTLS, "The receiver's certificate is expired or not valid yet."}
	errUnknownCA = &fault{CodeTLS, "The receiver's certificate is not signed by an authority that is known here."}
	errWrongName = &fault{CodeTLS, "The receiver's certificate is for another host."}
)

// explain turns an error into a code and a sentence. fallback is what an unknown error means in the phase where it occurred.
// Nothing of an error's own text gets through: it may hold addresses.
func explain(ctx context.Context, err error, fallback *fault) *fault {
	var (
		known     *fault
		refused   *Refused
		dns       *net.DNSError
		op        *net.OpError
		invalid   x509.CertificateInvalidError
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		netErr    net.Error
	)
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &refused):
		return &fault{CodeRefused, refused.Detail}
	case errors.Is(ctx.Err(), context.Canceled), errors.Is(err, context.Canceled), errors.Is(err, net.ErrClosed):
		return errCancelled
	case ctx.Err() != nil:
		return errTimeout
	case errors.As(err, &dns):
		if dns.IsNotFound {
			return errNotFound
		}
		return errDNS
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return errTimeout
	case errors.As(err, &invalid):
		if invalid.Reason == x509.Expired {
			return errExpired
		}
		return errTLS
	case errors.As(err, &authority):
		return errUnknownCA
	case errors.As(err, &hostname):
		return errWrongName
	case errors.As(err, &op) && op.Op == "remote error": // how crypto/tls hands on an alert
		return errTLS
	}
	return fallback
}
