package egress

// Reason says in one word which rule refused something. Reasons are stable: callers and tests may switch on them.
type Reason string

// The reasons for which a URL, an address or a header is refused.
const (
	ReasonURL     Reason = "url"     // not an absolute URL in the form that we accept
	ReasonScheme  Reason = "scheme"  // neither https, nor http to an opened address
	ReasonHost    Reason = "host"    // a host name that cannot be meant for the public internet, or is misspelled
	ReasonPort    Reason = "port"    // a port that is not open
	ReasonAddress Reason = "address" // an address that is not open
	ReasonHeader  Reason = "header"  // a custom header that we do not send
)

// Refused is the answer to something that egress will not do, with a sentence that is safe to show to whoever asked for it
// and says what to do instead. It names no address that the asker did not write themselves.
type Refused struct {
	Reason Reason
	Detail string // one or two sentences
	Header string // the name of the header at fault, as given, when Reason is ReasonHeader
}

// Error returns the sentence.
func (r *Refused) Error() string { return r.Detail }

func refuse(reason Reason, detail string) *Refused {
	return &Refused{Reason: reason, Detail: detail}
}
