package page

import (
	"net/http"
	"strings"
)

// Policy is what a page may do beside showing itself.
type Policy struct {
	Scripts bool     // it runs our scripts, which may speak to our server
	FormTo  []string // origins beside our own that its forms lead to
}

// Private keeps a page from caches, frames and Referer headers, and from loading or sending to anything but our own.
func Private(h http.Header, p Policy) {
	forms := "'self'"
	for _, origin := range p.FormTo {
		if plainOrigin(origin) {
			forms += " " + origin
		}
	}
	scripts := ""
	if p.Scripts {
		scripts = "script-src 'self'; connect-src 'self'; "
	}
	h.Set("Content-Security-Policy", "default-src 'none'; "+scripts+"style-src 'self'; img-src 'self' data:; form-action "+forms+"; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}

// plainOrigin tells whether an origin can stand in a policy without being more than one source: hosts may have ; and , in them as far as RFC 3986 goes.
func plainOrigin(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:/[]+") == ""
}
