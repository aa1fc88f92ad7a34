package egress

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// MaxURL is the longest URL that is accepted, in bytes.
const MaxURL = 2048

// Target is a URL that has been read and found well-formed: where to connect to and what to ask for. It holds everything a
// request needs, so that a URL is parsed once and not by two parsers that might disagree. It does not change and may be
// shared. Whether its address is open is for a [Policy] to say.
type Target struct {
	text   string     // normal form, see String
	plain  bool       // http instead of https
	name   string     // host name in lower-case ASCII, empty for an address
	addr   netip.Addr // the address when the host is one, unmapped, without zone
	port   uint16
	host   string // value of the Host field: name or address, with the port unless it is the scheme's own
	path   string // path and query as sent
	origin string // scheme, host and port: what a pooled connection leads to
}

// String returns the URL in the form in which it is to be stored and shown: scheme and host in lower case, the host in
// ASCII (RFC 5891), without fragment or default port. Parsing it again gives the same Target.
func (t *Target) String() string { return t.text }

// Host returns the host in lower-case ASCII, without port or brackets.
func (t *Target) Host() string {
	if t.addr.IsValid() {
		return t.addr.String()
	}
	return t.name
}

// Parse reads an absolute http or https URL. It refuses, with a *[Refused], whatever two readers of the same text might
// understand differently: user information, control characters, white space, backslashes, unusual spellings of IPv4
// addresses, names that end in a dot. A fragment is dropped. It looks nothing up and does not ask whether
// the host is open; [Policy.CheckURL] does both.
func Parse(raw string) (*Target, error) {
	t, refused := parse(raw)
	if refused != nil {
		return nil, refused
	}
	return t, nil
}

func parse(raw string) (*Target, *Refused) {
	if refused := checkText(raw); refused != nil {
		return nil, refused
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || u.Host == "" || u.User != nil {
		return nil, errSyntax
	}
	t := &Target{plain: u.Scheme == "http"}
	if !t.plain && u.Scheme != "https" {
		return nil, errScheme
	}
	if refused := t.setHost(u.Host); refused != nil {
		return nil, refused
	}
	if refused := t.setPort(u.Host); refused != nil {
		return nil, refused
	}
	t.finish(u)
	if len(t.text) > MaxURL {
		return nil, errLong
	}
	return t, nil
}

// checkText refuses by the text alone what parsers are known to disagree about.
func checkText(raw string) *Refused {
	switch {
	case raw == "":
		return refuse(ReasonURL, "The URL is empty. Give an absolute URL such as https://example.com/hook.")
	case len(raw) > MaxURL:
		return errLong
	case !utf8.ValidString(raw):
		return refuse(ReasonURL, "The URL is not valid UTF-8.")
	}
	for i := range len(raw) {
		if c := raw[i]; c <= ' ' || c == 0x7f || c == '\\' {
			return refuse(ReasonURL, "The URL contains white space, a control character or a backslash. Percent-encode it or leave it out.")
		}
	}
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return errSyntax
	}
	if !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return errScheme
	}
	// For the @ up to the first slash, so that https://a#@b and https://a?@b, which some read as host b, are refused too.
	beforePath, _, _ := strings.Cut(rest, "/")
	authority, _, _ := strings.Cut(beforePath, "?")
	authority, _, _ = strings.Cut(authority, "#")
	switch {
	case strings.Contains(beforePath, "@"):
		return refuse(ReasonURL, "The URL contains user information (an @ before the path). Leave it out and send credentials in an Authorization header.")
	case strings.HasPrefix(authority, "[") && strings.Contains(authority, "%"):
		return errZone
	case strings.Contains(authority, "%"):
		return refuse(ReasonHost, "The host is percent-encoded. Write it plainly.")
	}
	return nil
}

var (
	errSyntax = refuse(ReasonURL, "This is not an absolute URL. Give one such as https://example.com/hook.")
	errScheme = refuse(ReasonScheme, "Only https URLs are accepted (and http for addresses that the operator has opened with --allow-target).")
	errLong   = refuse(ReasonURL, fmt.Sprintf("The URL is longer than %d bytes.", MaxURL))
	errName   = refuse(ReasonHost, "The host is not a valid name. Use letters, digits, hyphens and dots, or an internationalized name.")
	errDot    = refuse(ReasonHost, "The host ends in a dot. Write it without.")
	errNumber = refuse(ReasonHost, "The host looks like an IPv4 address in an unusual spelling. Write four decimal numbers without leading zeros, such as 198.51.100.7.")
	errColon  = refuse(ReasonPort, "The port is not a number from 1 to 65535 without leading zeros.")
)

// setHost reads the host of an authority: an address or a name, never a spelling in between.
func (t *Target) setHost(authority string) *Refused {
	if strings.HasPrefix(authority, "[") {
		text, _, ok := strings.Cut(authority[1:], "]")
		addr, err := netip.ParseAddr(text)
		if !ok || err != nil || !addr.Is6() {
			return refuse(ReasonHost, "The host in brackets is not an IPv6 address.")
		}
		if addr.Zone() != "" {
			return errZone
		}
		t.addr = addr.Unmap()
		return nil
	}
	text, _, _ := strings.Cut(authority, ":")
	if addr, err := netip.ParseAddr(text); err == nil {
		t.addr = addr
		return nil
	}
	name, refused := hostName(text)
	t.name = name
	return refused
}

// lookup turns a name into the ASCII form that is looked up (UTS 46, RFC 5891), refusing what a registry would.
var lookup = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.CheckHyphens(true), idna.CheckJoiners(true),
	idna.StrictDomainName(true), idna.ValidateLabels(true), idna.VerifyDNSLength(true))

// hostName returns a name in lower-case ASCII.
func hostName(text string) (string, *Refused) {
	name := strings.ToLower(text)
	if !isASCII(text) || strings.Contains(name, "xn--") {
		ascii, err := lookup.ToASCII(strings.TrimRight(text, "."))
		if err != nil {
			return "", errName
		}
		name = ascii + text[len(strings.TrimRight(text, ".")):]
	}
	if endsInNumber(strings.TrimRight(name, ".")) {
		return "", errNumber
	}
	if strings.HasSuffix(name, ".") {
		return "", errDot
	}
	if !isName(name) {
		return "", errName
	}
	return name, nil
}

// isName allows what DNS and certificates know, and the underscore, which hosts in private networks have.
func isName(name string) bool {
	if len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
				return false
			}
		}
	}
	return true
}

// endsInNumber is the URL standard's test for hosts that some system reads as an IPv4 address: 127.1, 0x7f000001,
// 2130706433, 0177.0.0.1. No top-level domain is a number.
func endsInNumber(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	if last == "" {
		return false
	}
	digits := strings.Trim(last, "0123456789") == ""
	hex := strings.HasPrefix(last, "0x") && strings.Trim(last[2:], "0123456789abcdef") == ""
	return digits || hex
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// setPort reads the port of an authority, or takes the scheme's own.
func (t *Target) setPort(authority string) *Refused {
	after := authority[strings.LastIndexByte(authority, ']')+1:]
	_, digits, given := strings.Cut(after, ":")
	if !given {
		t.port = t.ownPort()
		return nil
	}
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || port == 0 || digits != strconv.FormatUint(port, 10) {
		return errColon
	}
	t.port = uint16(port)
	return nil
}

func (t *Target) ownPort() uint16 {
	if t.plain {
		return 80
	}
	return 443
}

// finish fills what is derived: the normal form, the Host field, the path as sent.
func (t *Target) finish(u *url.URL) {
	t.host = t.Host()
	if t.addr.Is6() {
		t.host = "[" + t.host + "]"
	}
	t.origin = u.Scheme + "://" + t.host + ":" + strconv.Itoa(int(t.port))
	if t.port != t.ownPort() {
		t.host += ":" + strconv.Itoa(int(t.port))
	}
	path, query := u.EscapedPath(), ""
	if u.RawQuery != "" || u.ForceQuery {
		query = "?" + escapeQuery(u.RawQuery)
	}
	t.text = u.Scheme + "://" + t.host + path + query
	if path == "" {
		path = "/"
	}
	t.path = path + query
}

// escapeQuery percent-encodes what may not stand in a request line; url.URL leaves a query as it was written.
func escapeQuery(query string) string {
	if isASCII(query) {
		return query
	}
	var b strings.Builder
	for i := range len(query) {
		if c := query[i]; c < utf8.RuneSelf {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func joinPorts(ports []uint16) string {
	text := make([]string, len(ports))
	for i, port := range ports {
		text[i] = strconv.Itoa(int(port))
	}
	return strings.Join(text, ", ")
}
