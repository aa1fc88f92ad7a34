package oauth

import "net/http"

// What reads a stranger's bytes, for the fuzz targets.

// ParseParams is parseParams.
func ParseParams(text string) (map[string]string, error) { return parseParams(text) }

// Basic is basic.
func Basic(header ...string) (user, secret string, ok bool) { return basic(header) }

// Registrable tells whether a redirect URI can be registered.
func Registrable(uri string) bool { return redirectFault(uri) == "" }

// Redirectable tells whether a client that has registered one URI may be redirected to another.
func Redirectable(own, asked string) bool {
	return (&Client{Redirects: []string{own}}).registered(asked)
}

// Showing tells whether it can be read which client a request says it is from.
func Showing(h http.Header, p map[string]string) bool {
	_, err := showing(&http.Request{Header: h}, p)
	return err == nil
}

// MaxReplays is how often a refresh token that was used gives its answer again.
const MaxReplays = maxReplays
