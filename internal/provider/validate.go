package provider

import (
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Verify says what is to be checked, as an owner switches it on: verify_static_token, verify_hmac, verify_ip_allowlist.
type Verify struct{ Token, HMAC, Networks bool }

const (
	maxHeader = 256 // characters of a header's or a parameter's name
	maxSecret = 1024
)

// Validate returns an Invalid problem with all that is wrong with the scheme, or nil. Pointers are the fields of the pull endpoints' specification: /provider,
// /token_header_name, /token_query_param, /token_value, /hmac_header_name, /hmac_secret, /timestamp_header_name, /timestamp_ttl_seconds, /allowed_cidrs.
// What is switched on has to be complete; what is not may be there, and its form is held all the same.
func (s Scheme) Validate(v Verify) error {
	var faults problem.Fields
	if s.Provider != "" && presetOf(s.Provider) == nil {
		faults.Add("/provider", "unknown_value", "The providers are %s; leave it out for any other.", strings.Join(Names(), ", "))
		return faults.Err()
	}
	s.validateToken(v.Token, &faults)
	if s.Provider == "" {
		s.validateGeneric(v.HMAC, &faults)
	} else {
		s.validatePreset(v, &faults)
	}
	s.validateSecret(&faults)
	if s.HMAC.TTL != 0 && (s.HMAC.TTL < time.Second || s.HMAC.TTL > MaxTTL) {
		faults.Add("/timestamp_ttl_seconds", "out_of_range", "A timestamp may be 1 to %d seconds old.", int(MaxTTL/time.Second))
	}
	s.validateNetworks(v.Networks, &faults)
	return faults.Err()
}

func (s Scheme) validateToken(on bool, faults *problem.Fields) {
	checkHeader("/token_header_name", s.Token.Header, faults)
	if s.Token.Query != "" && !plain(s.Token.Query, maxHeader) {
		faults.Add("/token_query_param", "invalid", "The name of a query parameter has up to %d characters and no control characters.", maxHeader)
	}
	if !on {
		return
	}
	if s.tokenHeader() == "" && s.Token.Query == "" {
		faults.Add("/token_header_name", "required", "Say where the token stands: give token_header_name or token_query_param.")
	}
	if len(s.Token.SHA256) == 0 {
		faults.Add("/token_value", "required", "Give the token, of at least %d characters.", minToken)
	}
}

func (s Scheme) validateGeneric(on bool, faults *problem.Fields) {
	checkHeader("/hmac_header_name", s.HMAC.Header, faults)
	checkHeader("/timestamp_header_name", s.HMAC.TimestampHeader, faults)
	if s.HMAC.TTL != 0 && s.HMAC.TimestampHeader == "" {
		faults.Add("/timestamp_header_name", "required", "Say in which header the timestamp stands that timestamp_ttl_seconds is about.")
	}
	if !on {
		return
	}
	if s.HMAC.Header == "" {
		faults.Add("/hmac_header_name", "required", "Say in which header the signature stands, or name the provider.")
	}
	if s.HMAC.Secret == "" {
		faults.Add("/hmac_secret", "required", "Give the secret that the sender signs with.")
	}
}

// validatePreset holds an owner to what the provider publishes: a header of another name would never be looked at.
func (s Scheme) validatePreset(v Verify, faults *problem.Fields) {
	p := presetOf(s.Provider)
	signature, stamp := p.proof.headers()
	fixed := func(pointer, given, own string) {
		if given == "" || strings.EqualFold(given, own) {
			return
		}
		if own == "" {
			faults.Add(pointer, "not_allowed", "Leave this out with the provider %s.", p.name)
		} else {
			faults.Add(pointer, "not_allowed", "Leave this out: the provider %s uses %s.", p.name, own)
		}
	}
	fixed("/hmac_header_name", s.HMAC.Header, signature)
	fixed("/timestamp_header_name", s.HMAC.TimestampHeader, stamp)
	if s.HMAC.TTL != 0 && !p.proof.timed() {
		faults.Add("/timestamp_ttl_seconds", "not_allowed", "Leave this out: the provider %s sends no timestamp.", p.name)
	}
	if v.HMAC && s.HMAC.Secret == "" {
		faults.Add("/hmac_secret", "required", "Give the secret of the provider %s.", p.name)
	}
}

// validateSecret never says what the secret is.
func (s Scheme) validateSecret(faults *problem.Fields) {
	secret := s.HMAC.Secret
	switch {
	case secret == "":
	case !plain(secret, maxSecret) || strings.TrimSpace(secret) != secret:
		faults.Add("/hmac_secret", "invalid", "A secret has up to %d characters, no control characters and no white space around it.", maxSecret)
	case s.Provider != "":
		if fault := presetOf(s.Provider).proof.checkSecret(secret); fault != "" {
			faults.Add("/hmac_secret", "invalid", "%s", fault)
		}
	}
}

func (s Scheme) validateNetworks(on bool, faults *problem.Fields) {
	if len(s.Networks) > MaxNetworks {
		faults.Add("/allowed_cidrs", "too_many", "Give up to %d blocks.", MaxNetworks)
	}
	if on && len(s.Networks) == 0 {
		faults.Add("/allowed_cidrs", "required", "Give at least one CIDR block from which requests are let in.")
	}
}

// Only returns the scheme with what is switched on and without the rest, as it is to be checked. Where the allow-list is switched on and empty, nobody is let in.
func (s Scheme) Only(v Verify) Scheme {
	if !v.Token {
		s.Token.SHA256 = nil
	}
	if !v.HMAC {
		s.HMAC = HMAC{}
	}
	if !v.Networks {
		s.Networks = nil
	} else if s.Networks == nil {
		s.Networks = []netip.Prefix{}
	}
	return s
}

func checkHeader(pointer, name string, faults *problem.Fields) {
	if name == "" {
		return
	}
	if fault := headerFault(name); fault != "" {
		faults.Add(pointer, "invalid", "%s", fault)
	}
}

// headerFault says what is wrong with a header's name, or nothing.
func headerFault(name string) string {
	switch {
	case len(name) > maxHeader || !httpguts.ValidHeaderFieldName(name):
		return "The name of a header is up to 256 letters, digits and signs such as the hyphen, without spaces (RFC 9110 §5.1)."
	case strings.EqualFold(name, "Host") || strings.EqualFold(name, "Transfer-Encoding") || strings.EqualFold(name, "Trailer"):
		return "This header belongs to the connection and is not looked at; name another."
	}
	return ""
}
