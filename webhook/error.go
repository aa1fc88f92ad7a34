package webhook

// A Reason says why a delivery was not verified. It is an error, so that it can be asked for:
//
//	if errors.Is(err, webhook.TooOld) { … }
type Reason string

const (
	// MissingHeader means that a header of the scheme is not there.
	MissingHeader Reason = "missing_header"

	// Malformed means that a header is there, but not in its form: empty, sent twice, a timestamp that is not a plain number of
	// seconds, white space inside a list, or more than MaxSignatures signatures.
	Malformed Reason = "malformed"

	// TooOld means that the timestamp lies further back than the tolerance: a late or a replayed delivery, or a wrong clock.
	TooOld Reason = "too_old"

	// InFuture means that the timestamp lies further ahead than the tolerance.
	InFuture Reason = "in_future"

	// NoMatch means that no signature is one of a valid key: another secret, another body, or a key that has come to its end.
	NoMatch Reason = "no_match"
)

// Error returns the reason in words.
func (r Reason) Error() string {
	switch r {
	case MissingHeader:
		return "the header is missing"
	case Malformed:
		return "the header is malformed"
	case TooOld:
		return "the timestamp is too old"
	case InFuture:
		return "the timestamp lies in the future"
	case NoMatch:
		return "no signature matches"
	}
	return string(r)
}

// An Error is what Verify fails with. It holds nothing of what the sender wrote, so it can be logged and shown.
type Error struct {
	Reason Reason
	Header string // the header it is about
	Detail string // more about it; may be empty
}

// Error returns the header, the reason and the detail.
func (e *Error) Error() string {
	text := "webhook: " + e.Header + ": " + e.Reason.Error()
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

// Unwrap returns the Reason, for errors.Is.
func (e *Error) Unwrap() error { return e.Reason }
