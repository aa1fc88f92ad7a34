package oauth

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// maxURI bounds a redirect URI, in bytes.
const maxURI = 2000

// redirectFault says what is wrong with a redirect URI that a client wants to register; "" for nothing (RFC 6749 §3.1.2, RFC 8252 §7, RFC 9700 §2.1).
func redirectFault(raw string) string {
	if len(raw) > maxURI || strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' }) {
		return "A redirect URI has at most 2000 visible ASCII characters."
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Scheme == "":
		return "Give an absolute URI, such as https://example.com/callback."
	case strings.Contains(raw, "#"):
		return "A redirect URI has no fragment."
	case u.User != nil:
		return "A redirect URI has no user name in it."
	case strings.Contains("/"+u.Path+"/", "/../") || strings.Contains("/"+u.Path+"/", "/./"):
		return "A redirect URI has no . or .. segments."
	}
	switch u.Scheme {
	case "https":
		if u.Hostname() == "" {
			return "Give the host of the redirect URI."
		}
	case "http":
		if !loopback(u.Hostname()) && u.Hostname() != "localhost" {
			return "Use https; http is only for apps on the person's own machine (127.0.0.1, [::1] or localhost)."
		}
	default:
		if !strings.Contains(u.Scheme, ".") { // so neither javascript: nor data: nor file:
			return "A scheme of your own is a domain name of yours in reverse, such as com.example.app (RFC 8252 §7.1)."
		}
	}
	return ""
}

// registered tells whether a client may be redirected to the URI: it is one of its own, byte for byte; on a loopback address any port will do, for
// an app opens the first that is free (RFC 8252 §7.3).
func (c *Client) registered(uri string) bool {
	for _, own := range c.Redirects {
		if uri == own || loopbackTwins(uri, own) {
			return true
		}
	}
	return false
}

func loopbackTwins(uri, own string) bool {
	a, b := withoutPort(uri), withoutPort(own)
	return a != "" && a == b
}

// withoutPort cuts the port out of an http URI on a loopback address; "" for any other.
func withoutPort(raw string) string {
	rest, ok := strings.CutPrefix(raw, "http://")
	if !ok {
		return ""
	}
	host, path := rest, ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	name := host
	if h, port, err := net.SplitHostPort(host); err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return ""
		}
		name = "[" + h + "]"
		if !strings.Contains(h, ":") {
			name = h
		}
	}
	if !loopback(strings.Trim(name, "[]")) {
		return ""
	}
	return name + " " + path
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// origin is what a page that leads to the URI has to permit (CSP form-action): scheme and host, or the scheme alone.
func origin(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	if u.Scheme != "https" && u.Scheme != "http" || strings.Contains(u.Hostname(), ":") { // CSP has no way to write an IPv6 address
		return u.Scheme + ":"
	}
	return u.Scheme + "://" + u.Host
}

// hostOf is the redirect URI's host as a person is shown it; for a scheme of its own, the scheme.
func hostOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	if u.Host == "" {
		return u.Scheme
	}
	return u.Host
}

// redirect answers the client: what is said, the state as it came, and who says it (RFC 9207). The redirect URI stays as it is, byte for byte.
func (s *Server) redirect(w http.ResponseWriter, req request, say url.Values) {
	say.Set("iss", s.Issuer)
	if req.State != "" {
		say.Set("state", req.State)
	}
	join := "?"
	if strings.Contains(req.Redirect, "?") {
		join = "&"
	}
	private(w)
	w.Header().Set("Location", req.Redirect+join+say.Encode())
	w.WriteHeader(http.StatusSeeOther) // 303: what was posted here is not posted there (RFC 9700 §4.12)
}

// private keeps a page or redirect from caches, frames and Referer headers.
func private(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
}
