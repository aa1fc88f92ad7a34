package ticketcode

// A Reason says why a code, a key set or a list was refused. It is an error, so that it can be asked for:
//
//	if errors.Is(err, ticketcode.TooLate) { … }
type Reason string

const (
	// Malformed means that it is not a code, key set or list at all, or not in its one spelling.
	Malformed Reason = "malformed"

	// WrongVersion means that it is one of a version that this package does not know.
	WrongVersion Reason = "wrong_version"

	// UnknownKey means that the key set has no key of that id which is valid now: another organisation, a retired key, or a key
	// set that was fetched before the key was made.
	UnknownKey Reason = "unknown_key"

	// BadSignature means that the key has not signed this: a forgery, or another organisation's.
	BadSignature Reason = "bad_signature"

	// NotYet means that the token is genuine and its window has not begun.
	NotYet Reason = "not_yet"

	// TooLate means that the token is genuine and its window is over.
	TooLate Reason = "too_late"

	// NotRotating means that the code is a static one, where the event asks for a rotating one.
	NotRotating Reason = "not_rotating"

	// NotCurrent means that the token is genuine and the rotating part is not that of this moment: a picture of a code, or a
	// telephone or a gate whose clock is wrong.
	NotCurrent Reason = "not_current"

	// WrongOrg means that the list is of another organisation.
	WrongOrg Reason = "wrong_org"

	// Stale means that the list is older than what was applied before.
	Stale Reason = "stale"

	// Gap means that the list begins after what was applied before; one from there on, or a whole one, is needed first.
	Gap Reason = "gap"

	// TooLarge means that there are more revoked tickets than a gate keeps, see MaxRevoked.
	TooLarge Reason = "too_large"

	// Mistyped means that a short code has the right form and its check characters do not fit.
	Mistyped Reason = "mistyped"
)

// Error returns the reason in words.
func (r Reason) Error() string {
	switch r {
	case Malformed:
		return "malformed"
	case WrongVersion:
		return "of an unknown version"
	case UnknownKey:
		return "no valid key has that id"
	case BadSignature:
		return "the signature does not fit"
	case NotYet:
		return "not valid yet"
	case TooLate:
		return "no longer valid"
	case NotRotating:
		return "a static code where a rotating one is asked for"
	case NotCurrent:
		return "the rotating part is not current"
	case WrongOrg:
		return "of another organisation"
	case Stale:
		return "older than what was applied before"
	case Gap:
		return "begins after what was applied before"
	case TooLarge:
		return "too large"
	case Mistyped:
		return "mistyped"
	}
	return string(r)
}

// An Error is what verifying and parsing fail with. It holds nothing of what was scanned or typed, so it can be logged and shown.
type Error struct {
	Reason Reason
	Detail string // more about it; may be empty
}

// Error returns the reason and the detail.
func (e *Error) Error() string {
	text := "ticketcode: " + e.Reason.Error()
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

// Unwrap returns the Reason, for errors.Is.
func (e *Error) Unwrap() error { return e.Reason }
