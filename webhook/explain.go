package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// MaxExplained is the largest body, in bytes, that Explain looks at.
	MaxExplained = 1 << 20

	// MaxCandidates is how many known secrets Explain tries; more are left out.
	MaxCandidates = 4
)

// maxWork bounds, in bytes that are written or hashed, what Explain tries: all of it for bodies up to about 64 KiB, the likeliest causes for larger
// ones. It is well below a second.
const maxWork = 64 << 20

// Received is a delivery as its receiver saw it, most often pasted by a person.
type Received struct {
	// Header holds the request's headers; see [ParseHeaders]. Those of no scheme are not looked at.
	Header http.Header

	// Body is the request's body, at most MaxExplained bytes.
	Body []byte

	// At is when it was received: the timestamp and the ends of secrets are held against it. Zero means the present.
	At time.Time

	// Sent is the SHA-256 of the body that was really sent, where somebody knows it. It settles whether the body was changed. Nil where nobody does.
	Sent []byte
}

// A Candidate is a secret that may have signed a delivery. Its Name goes into sentences, such as "the endpoint's former secret"; its text does not.
type Candidate struct {
	Name string
	Key  Key
}

// A Verdict says in one word why a delivery is not verified.
type Verdict string

// The verdicts. They are stable.
const (
	// Verified means that nothing is wrong with it.
	Verified Verdict = "verified"

	// WrongSecret means that another secret has signed it, or that the secret was mistyped or misread.
	WrongSecret Verdict = "wrong_secret"

	// ExpiredSecret means that a secret that has come to its end has signed it, or was used to verify it.
	ExpiredSecret Verdict = "expired_secret"

	// ChangedBody means that the body is not the one that was signed.
	ChangedBody Verdict = "changed_body"

	// WrongClock means that all is well but the distance between the timestamp and the instant at which it was received.
	WrongClock Verdict = "wrong_clock"

	// WrongFormat means that the headers, the signature, the timestamp or the secret are not in the scheme's form.
	WrongFormat Verdict = "wrong_format"

	// WrongSecretOrBody means that nothing tells whether it is the secret or the body.
	WrongSecretOrBody Verdict = "wrong_secret_or_changed_body"
)

// An Explanation is what [Explain] found. It holds nothing of a secret, and no signature that was made with a secret other than the pasted one.
type Explanation struct {
	Verdict Verdict
	Cause   string        // a stable name for the case within the verdict, such as "newline_added"; may be empty
	What    string        // what was found, in a sentence or two
	Advice  string        // what to do about it
	Signer  string        // the Candidate that signed it, where it was not the pasted secret
	Looks   Scheme        // what the headers look like, where that is another scheme
	Off     time.Duration // how much later than its timestamp it was received, negative for earlier; zero for schemes without a timestamp
	Details []Detail      // what was compared
}

// A Detail is one of the things that were compared. Value may hold what the delivery's header says, so show it as text.
type Detail struct{ Name, Value string }

// Explain says why a delivery is not verified, or that it is. pasted is the secret that the asker uses, as they have it: it may have white space or quotes
// around it, and may be empty when they gave none. known are secrets that the sender has or had, at most [MaxCandidates] of them.
//
// A changed body is known by undoing usual changes until the signature fits: line ends, white space, character sets, JSON that was parsed and
// printed again. Changes that nothing undoes, such as a lost order of keys, show only with Received.Sent. A wrong secret is known by undoing usual mistakes
// with the pasted one, and by the known ones. At most about 170 bodies are tried with the pasted and the known secrets, and at most 24 mistakes with the body
// as it is; of large bodies fewer. It never panics, whatever it is given, and takes well below a second.
func Explain(s Scheme, r Received, pasted Key, known ...Candidate) Explanation {
	x := newInquiry(s, r, pasted, known)
	e := x.explain()
	e.Off, e.Details = x.off, x.details
	return e
}

// An inquiry is one call of Explain.
type inquiry struct {
	scheme  Scheme
	h       http.Header // of all schemes, in canonical form
	body    []byte
	sum     [sha256.Size]byte
	sent    []byte
	at      time.Time
	pasted  Key
	own     *key // the pasted secret, where it has the scheme's form
	ownErr  error
	known   []suspect
	off     time.Duration
	seconds int64 // the timestamp
	details []Detail
	work    int // what is left of maxWork
}

// A suspect is a secret that may have signed the delivery.
type suspect struct {
	name  string
	text  string
	until time.Time
	key   key
}

func newInquiry(s Scheme, r Received, pasted Key, known []Candidate) *inquiry {
	x := &inquiry{scheme: s, h: make(http.Header), body: r.Body, at: r.At, pasted: pasted, work: maxWork}
	if len(r.Sent) == sha256.Size && s != Static {
		x.sent = r.Sent
	}
	if x.at.IsZero() {
		x.at = time.Now()
	}
	for _, scheme := range []Scheme{Portal, Pullup, Standard, Static} {
		for _, name := range scheme.Headers() {
			for given, values := range r.Header {
				if http.CanonicalHeaderKey(given) == name { // more than one is too many already
					x.h[name] = append(x.h[name], values[:min(len(values), 3)]...)
				}
			}
		}
	}
	if pasted.Text != "" && s.Headers() != nil {
		k, err := parseKey(s, verifying, pasted.Text)
		if x.ownErr = err; err == nil {
			x.own = &k
		}
	}
	for _, c := range known[:min(len(known), MaxCandidates)] {
		text := c.Key.Text
		if public, err := PublicKey(text); s == Standard && err == nil {
			text = public // what its sender signs with
		}
		if k, err := parseKey(s, verifying, text); err == nil {
			x.known = append(x.known, suspect{c.Name, text, c.Key.Until, k})
		}
	}
	return x
}

// endless is a tolerance that every timestamp is within.
const endless = math.MaxInt64

// signed tells whether a key has signed a body, whenever that was.
func (x *inquiry) signed(k key, body []byte) bool {
	_, err := x.verify(k, x.h, body)
	return err == nil
}

func (x *inquiry) verify(k key, h http.Header, body []byte) (Message, error) {
	if x.work -= len(body)*max(1, strings.Count(x.h.Get(standardSignature), v1a+",")) + 64; x.work < 0 && len(body) > 0 {
		return Message{}, errors.New("webhook: enough was tried")
	}
	k.until = time.Time{}
	v := &Verifier{scheme: x.scheme, tolerance: endless, ring: &keyring{keys: []key{k}}}
	return v.Verify(h, body, x.at)
}

func (x *inquiry) explain() Explanation {
	if x.scheme.Headers() == nil {
		return wrongFormat("unknown_scheme", "There is no such scheme.", "Choose one of portal, pullup, standard and static.")
	}
	if len(x.body) > MaxExplained {
		return wrongFormat("body_too_large", "The body is larger than 1 MiB, and no delivery is.", "Paste the body of one delivery only.")
	}
	x.sum = sha256.Sum256(x.body)
	if e, bad := x.form(); bad {
		return e
	}
	x.measure()
	if x.own != nil && x.signed(*x.own, x.body) {
		return x.good()
	}
	if e, ok := x.mistaken(); ok { // before the known ones: it may be one of them
		return e
	}
	if e, ok := x.otherSecret(); ok {
		return e
	}
	if e, ok := x.otherVersion(); ok {
		return e
	}
	if x.scheme == Static {
		if e, bad := x.badSecret(); bad {
			return e
		}
		return Explanation{
			Verdict: WrongSecret, What: "The Authorization header is not the value that was pasted.",
			Advice: "Compare the two letter by letter, with the word before the first space. Nothing else is signed in this scheme.",
		}
	}
	if e, ok := x.changed(); ok {
		return e
	}
	if e, bad := x.badSecret(); bad {
		return e
	}
	return x.undecided()
}

func wrongFormat(cause, what, advice string) Explanation {
	return Explanation{Verdict: WrongFormat, Cause: cause, What: what, Advice: advice}
}

// form looks whether the headers are there, and in the scheme's form.
func (x *inquiry) form() (Explanation, bool) {
	x.note("scheme", string(x.scheme))
	for _, name := range x.scheme.Headers() {
		for _, v := range x.h[name] {
			if name == staticAuthorization {
				v = "[" + strconv.Itoa(len(v)) + " characters]" // it is the secret itself
			}
			x.note(name, v)
		}
	}
	var k key
	k.secret = []byte{0} // nothing is verified with it
	var failure *Error
	v := &Verifier{scheme: x.scheme, tolerance: endless, ring: &keyring{keys: []key{k}}}
	_, err := v.Verify(x.h, nil, x.at)
	if x.scheme == Static {
		_, err = header(x.h, staticAuthorization)
	}
	if !errors.As(err, &failure) || failure.Reason == NoMatch {
		return x.signatures()
	}
	if other, ok := Detect(x.h); ok && other != x.scheme && len(x.h[x.scheme.main()]) == 0 {
		e := wrongFormat("other_scheme", fmt.Sprintf("The headers are those of the scheme %q, not of %q.", other, x.scheme),
			fmt.Sprintf("Verify with %q, or give the endpoint the format that your code expects.", other))
		e.Looks = other
		return e, true
	}
	if failure.Reason == MissingHeader {
		return wrongFormat("missing_header", "The header "+failure.Header+" is missing.",
			"See that all headers were pasted, and that no proxy before your receiver takes "+failure.Header+" away."), true
	}
	cause := "malformed_header"
	if failure.Header == portalTimestamp || failure.Header == standardTimestamp {
		cause = "malformed_timestamp"
	}
	return wrongFormat(cause, "The header "+failure.Header+" is not in its form: "+failure.Detail+".",
		"Paste it as it came, on one line and once. If it came so, see what stands between the sender and your receiver."), true
}

// signatures looks whether a signature is one at all: of the right length and alphabet.
func (x *inquiry) signatures() (Explanation, bool) {
	name, hexadecimal := x.scheme.main(), x.scheme == Portal || x.scheme == Pullup
	var list []signature
	switch text := x.h.Get(name); x.scheme {
	case Portal:
		list, _ = appendSignatures(nil, name, text, ',', '=')
	case Pullup:
		list = []signature{{sha256Name, text}}
	case Standard:
		list, _ = appendSignatures(nil, name, text, ' ', ',')
	case Static:
		return Explanation{}, false
	}
	for _, s := range list {
		raw, err := base64.StdEncoding.Strict().DecodeString(s.value)
		switch {
		case hexadecimal && s.version == sha256Name && len(s.value) == hexSize && isHex(s.value):
			return Explanation{}, false
		case !hexadecimal && err == nil && (s.version == v1 && len(raw) == sha256.Size || s.version == v1a && len(raw) == 64):
			return Explanation{}, false
		}
	}
	form := map[Scheme]string{
		Portal: `"sha256=" and 64 hexadecimal digits in lower case`, Pullup: "64 hexadecimal digits in lower case",
		Standard: `"v1," and 44 characters of base64, or "v1a," and 88`,
	}
	return wrongFormat("malformed_signature", "The header "+name+" holds no signature of this scheme, which is "+form[x.scheme]+".",
		"Paste the whole value: part of it may have been cut off. If it came so, it does not come from Stagedoor, or something has rewritten it."), true
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

// measure notes the timestamp, its distance, the body's sum and, of the pasted secret only, the signature that was expected.
func (x *inquiry) measure() {
	if name := map[Scheme]string{Portal: portalTimestamp, Standard: standardTimestamp}[x.scheme]; name != "" {
		x.seconds, _ = parseSeconds(x.h.Get(name))
		const most = int64(math.MaxInt64 / time.Second)
		x.off = time.Duration(min(max(x.at.Unix()-x.seconds, -most), most)) * time.Second
		x.note("timestamp", time.Unix(x.seconds, 0).UTC().Format(time.RFC3339))
		x.note("received", x.at.UTC().Format(time.RFC3339))
		x.note("distance", x.distance())
	}
	if x.scheme == Static {
		return
	}
	x.note("body", fmt.Sprintf("%d bytes, SHA-256 %x", len(x.body), x.sum))
	if x.sent != nil {
		x.note("body that was sent", fmt.Sprintf("SHA-256 %x", x.sent))
	}
	if x.own == nil || x.own.secret == nil {
		return
	}
	mac := hmac.New(sha256.New, x.own.secret)
	if x.scheme == Standard {
		mac.Write([]byte(x.h.Get(standardID) + "."))
	}
	if x.scheme != Pullup {
		mac.Write([]byte(strconv.FormatInt(x.seconds, 10) + "."))
	}
	mac.Write(x.body)
	sum := mac.Sum(nil)
	x.note("expected with the pasted secret", map[Scheme]string{
		Portal: sha256Mark + hex.EncodeToString(sum), Pullup: hex.EncodeToString(sum), Standard: v1 + "," + base64.StdEncoding.EncodeToString(sum),
	}[x.scheme])
}

// maxShown is how much of a header a Detail holds.
const maxShown = 512

func (x *inquiry) note(name, value string) {
	if len(value) > maxShown {
		value = value[:maxShown] + "…"
	}
	x.details = append(x.details, Detail{name, strings.ToValidUTF8(value, "\uFFFD")})
}

func (x *inquiry) distance() string {
	if x.off < 0 {
		return fmt.Sprintf("%v after it was received", -x.off)
	}
	return fmt.Sprintf("%v before it was received", x.off)
}

// good is about a delivery that the pasted secret has signed, as it is.
func (x *inquiry) good() Explanation {
	if ended(x.pasted.Until, x.at) {
		return x.expired("The pasted secret has signed it, but")
	}
	for i := range x.known {
		if s := &x.known[i]; ended(s.until, x.at) && s.is(x.pasted) {
			return x.expired("It was signed with " + s.name + ", which was pasted, but")
		}
	}
	return x.inTime(Explanation{Verdict: Verified, What: "The pasted secret has signed exactly this body.", Advice: "Nothing is wrong with this delivery."}, *x.own)
}

func ended(until, at time.Time) bool { return !until.IsZero() && !at.Before(until) }

// alike compares what may be secrets.
func alike(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }

// is tells whether the secret is the pasted one.
func (s *suspect) is(pasted Key) bool { return alike(s.text, strings.TrimSpace(pasted.Text)) }

func (x *inquiry) expired(what string) Explanation {
	return Explanation{
		Verdict: ExpiredSecret, Cause: "ended", What: what + " that secret has come to its end.",
		Advice: "Put the endpoint's present secret into your receiver. What was signed before the end can be sent again, and is then signed anew.",
	}
}

// inTime is e, unless the clock says otherwise or only the …-Next header fits.
func (x *inquiry) inTime(e Explanation, k key) Explanation {
	if off := x.off.Abs(); off > DefaultTolerance {
		return x.clock(off)
	}
	next := map[Scheme]string{Portal: portalNext, Pullup: pullupNext}[x.scheme]
	if next == "" || len(x.h[next]) == 0 {
		return e
	}
	first := x.h.Clone()
	delete(first, next)
	if _, err := x.verify(k, first, x.body); err != nil {
		e.Cause = "next_header"
		e.What += " Its signature stands in " + next + ", since the secret is being changed."
		e.Advice = "Until the change is over, have your receiver look into " + next + " too, or use the former secret."
	}
	return e
}

func (x *inquiry) clock(off time.Duration) Explanation {
	e := Explanation{Verdict: WrongClock, Cause: "too_old"}
	e.What = fmt.Sprintf("Secret and body are right, but the timestamp lies %s; %v are allowed.", x.distance(), DefaultTolerance)
	e.Advice = "If this delivery is from a log, give the instant at which it was received. If not, set your receiver's clock (NTP), " +
		"or see what held the request up."
	if x.off < 0 {
		e.Cause, e.Advice = "in_future", "Set the clock of the machine that received it (NTP): it is behind."
	}
	if x.seconds > 1e11 && off > 365*24*time.Hour {
		e.Cause, e.Advice = "milliseconds", "The timestamp seems to be in milliseconds. Whoever signed this must send whole seconds."
	}
	return e
}

// otherSecret looks whether a known secret has signed it.
func (x *inquiry) otherSecret() (Explanation, bool) {
	for i := range x.known {
		s := &x.known[i]
		if x.signed(s.key, x.body) {
			return x.by(s), true
		}
	}
	return Explanation{}, false
}

// by is about a delivery that a known secret has signed.
func (x *inquiry) by(s *suspect) Explanation {
	if ended(s.until, x.at) {
		e := x.expired("It was signed with " + s.name + ", and")
		e.Signer = s.name
		if x.own != nil {
			e.Advice = "It is an old delivery: the endpoint signs with another secret now. Have it sent again; it is then signed anew."
		}
		return e
	}
	if x.pasted.Text == "" {
		e := x.inTime(Explanation{
			Verdict: Verified, What: "It was signed with " + s.name + ", and exactly with this body.",
			Advice: "If your receiver refuses it, paste the secret that your receiver uses, to see whether it is another.",
		}, s.key)
		e.Signer = s.name
		return e
	}
	e := Explanation{
		Verdict: WrongSecret, Cause: "other_secret", Signer: s.name, What: "It was signed with " + s.name + ", not with the pasted secret.",
		Advice: "Put that secret into your receiver. It may still have the secret of another endpoint or of a test.",
	}
	for i := range x.known {
		if former := &x.known[i]; former != s && ended(former.until, x.at) && former.is(x.pasted) {
			e.Verdict, e.Cause = ExpiredSecret, "former_pasted"
			e.Advice = "Put the endpoint's present secret into your receiver."
			e.What = "The pasted secret is " + former.name + ", which has come to its end; the delivery was signed with " + s.name + "."
		}
	}
	return e
}

// mistaken looks whether the pasted secret is the right one but for a usual mistake.
func (x *inquiry) mistaken() (Explanation, bool) {
	for _, m := range mistakes(x.scheme, x.pasted.Text) {
		if x.signed(m.key, x.body) {
			return Explanation{Verdict: WrongSecret, Cause: m.cause, What: "The secret is the right one, but " + m.what + ".", Advice: m.advice}, true
		}
	}
	return Explanation{}, false
}

// otherVersion is about a key of one kind and signatures of the other.
func (x *inquiry) otherVersion() (Explanation, bool) {
	if x.scheme != Standard || x.own == nil {
		return Explanation{}, false
	}
	want, have := v1, "a shared secret ("+secretPrefix+")"
	if x.own.public != nil {
		want, have = v1a, "a public key ("+publicPrefix+")"
	}
	for entry := range strings.SplitSeq(x.h.Get(standardSignature), " ") {
		if strings.HasPrefix(entry, want+",") {
			return Explanation{}, false
		}
	}
	return wrongFormat("signature_version", "The pasted key is "+have+", but the delivery has no "+want+" signature.",
		`"v1" signatures are verified with the secret that begins with "whsec_", "v1a" signatures with the public key that begins with "whpk_".`), true
}

// badSecret is about a pasted secret that the scheme does not take.
func (x *inquiry) badSecret() (Explanation, bool) {
	if x.ownErr == nil {
		return Explanation{}, false
	}
	return wrongFormat("secret_form", "The pasted secret is none of this scheme: "+x.ownErr.Error()+".",
		"Copy the secret again, whole, as it was shown when it was made."), true
}

// changed looks for the body that was signed, or sent, among those that the pasted one may have been made of.
func (x *inquiry) changed() (Explanation, bool) {
	if x.sent != nil && hmac.Equal(x.sum[:], x.sent) {
		if x.pasted.Text == "" {
			return Explanation{}, false
		}
		return Explanation{
			Verdict: WrongSecret, Cause: "certain", What: "The body is exactly the one that was sent, so another secret has signed it.",
			Advice: "Put the endpoint's secret into your receiver. If nobody has it any more, rotate it. Also see that the headers are of the same delivery.",
		}, true
	}
	for c, body := range before(x.body) {
		if x.work -= len(body); x.work < 0 {
			break
		}
		if x.sent != nil {
			if sum := sha256.Sum256(body); !hmac.Equal(sum[:], x.sent) {
				continue
			}
		}
		signer, found := "", x.own != nil && x.signed(*x.own, body)
		for i := range x.known {
			if s := &x.known[i]; !found && x.signed(s.key, body) {
				signer, found = s.name, true
			}
		}
		if found || x.sent != nil {
			return x.undone(c, signer, found), true
		}
	}
	if x.sent != nil {
		return Explanation{
			Verdict: ChangedBody, Cause: "certain", What: "The body is not the one that was sent: its SHA-256 is another.",
			Advice: rawBytes + " Also see that body and headers are of the same delivery.",
		}, true
	}
	return Explanation{}, false
}

const rawBytes = "Verify the raw bytes of the request, before anything parses, decodes or prints them."

// undone is about a body of which it is known how it was changed.
func (x *inquiry) undone(c change, signer string, found bool) Explanation {
	e := Explanation{Verdict: ChangedBody, Cause: c.cause, Signer: signer, What: "The body is not the one that was signed: " + c.what + ".", Advice: c.advice}
	if x.pasted.Text != "" && (signer != "" || !found) {
		e.What += " The pasted secret has not signed it either."
		if signer != "" {
			e.What += " That was " + signer + "."
		}
		e.Advice += " And put the endpoint's secret into your receiver."
	}
	return e
}

// undecided says what is known when nothing fits.
func (x *inquiry) undecided() Explanation {
	e := Explanation{Verdict: WrongSecretOrBody, What: "No signature fits, and nothing tells whether it is the secret or the body."}
	if x.off.Abs() > DefaultTolerance {
		e.What += " The timestamp, which is signed too, lies " + x.distance() + "."
	}
	for i := range x.known {
		if s := &x.known[i]; x.own != nil && !ended(s.until, x.at) && s.is(x.pasted) {
			return Explanation{
				Verdict: ChangedBody, Cause: "unknown", What: "The pasted secret is " + s.name + ", and it has not signed this body.",
				Advice: rawBytes + " Also see that body and headers are of the same delivery, and of this endpoint.",
			}
		}
	}
	switch {
	case len(x.body) == 0:
		e.Cause, e.Advice = "empty_body", "The body is empty, and no delivery's is: paste it, or see why your receiver does not have it. Then look at the secret."
	case x.pasted.Text == "":
		e.Cause, e.Advice = "no_secret", "Paste the secret that your receiver uses, and see that the body is the raw one."
	case len(x.known) > 0:
		e.Cause = "none_known"
		e.What += " None of the endpoint's secrets has signed this body."
		e.Advice = "See first that the delivery is one of this endpoint, and that headers and body belong together. " +
			"Then compare the body with the one in the delivery log."
	default:
		e.Advice = "Look at the secret first: copy it anew from where it was made. Then see that the body is the raw one, byte for byte."
	}
	return e
}

// main is the header that a delivery of the scheme is known by.
func (s Scheme) main() string {
	switch s {
	case Portal:
		return portalSignature
	case Pullup:
		return pullupSignature
	case Standard:
		return standardSignature
	}
	return staticAuthorization
}

// Detect says which scheme a delivery's headers look like: the one whose signature is there, else the one that has other headers there. An Authorization
// header counts last, since it may stand beside any of them.
func Detect(h http.Header) (Scheme, bool) {
	there := make(map[string]bool)
	for name, values := range h {
		there[http.CanonicalHeaderKey(name)] = len(values) > 0
	}
	signed := []Scheme{Portal, Pullup, Standard}
	for _, s := range signed {
		if there[s.main()] {
			return s, true
		}
	}
	for _, s := range signed {
		for _, name := range s.Headers() {
			if there[name] {
				return s, true
			}
		}
	}
	return Static, there[staticAuthorization]
}
