package provider_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/provider"
)

const tokenValue = "a token of 24 characters"

func token(t *testing.T, header, query string) provider.Token {
	t.Helper()
	sum, err := provider.HashToken(tokenValue)
	if err != nil {
		t.Fatalf("HashToken: %v", err)
	}
	return provider.Token{Header: header, Query: query, SHA256: sum}
}

// Security checklist, line 36: a static token in a header or in the query. Digests are compared, in constant time; a wrong token and none are refused alike.
func TestLine36TheTokenStandsInEitherPlace(t *testing.T) {
	header, query, both := token(t, "x-token", ""), token(t, "", "key"), token(t, "X-Token", "key")
	const inQuery = "a=1&key=a+token%20of+24+characters&b=2"
	for _, c := range []struct {
		name  string
		token provider.Token
		h     http.Header
		query string
		in    bool
	}{
		{"header", header, http.Header{"X-Token": {tokenValue}}, "", true},
		{"header, several lines", header, http.Header{"X-Token": {"other", tokenValue}}, "", true},
		{"query", query, nil, inQuery, true},
		{"query, several", query, nil, "key=other&" + inQuery, true},
		{"query beside what cannot be read", query, nil, "%zz=1&" + inQuery, true},
		{"both configured, header", both, http.Header{"X-Token": {tokenValue}}, "", true},
		{"both configured, query", both, nil, inQuery, true},
		{"both configured, one wrong", both, http.Header{"X-Token": {"other"}}, inQuery, true},
		{"none", both, nil, "", false},
		{"in the query, but configured for the header", header, nil, inQuery, false},
		{"in the header, but configured for the query", query, http.Header{"Key": {tokenValue}}, "", false},
		{"another parameter", query, nil, strings.Replace(inQuery, "key", "kez", 1), false},
		{"a parameter in another case", query, nil, strings.Replace(inQuery, "key", "Key", 1), false},
		{"wrong", header, http.Header{"X-Token": {tokenValue + "."}}, "", false},
		{"shorter", header, http.Header{"X-Token": {tokenValue[1:]}}, "", false},
		{"empty", header, http.Header{"X-Token": {""}}, "", false},
		{"another case", header, http.Header{"X-Token": {strings.ToUpper(tokenValue)}}, "", false},
		{"Bearer where it has no meaning", header, http.Header{"X-Token": {"Bearer " + tokenValue}}, "", false},
		{"the digest instead of the token", header, http.Header{"X-Token": {string(header.SHA256)}}, "", false},
		{"too often", header, http.Header{"X-Token": append(make([]string, provider.MaxSignatures), tokenValue)}, "", false},
		{"Authorization", token(t, "authorization", ""), http.Header{"Authorization": {tokenValue}}, "", true},
		{"Authorization with Bearer", token(t, "authorization", ""), http.Header{"Authorization": {"bearer " + tokenValue}}, "", true},
		{"Authorization with Basic", token(t, "authorization", ""), http.Header{"Authorization": {"Basic " + tokenValue}}, "", false},
		{"no place configured", token(t, "", ""), http.Header{"": {tokenValue}}, "=" + tokenValue, false},
	} {
		s, r := provider.Scheme{Token: c.token}, provider.Request{Header: c.h, RawQuery: c.query}
		if err := s.CheckToken(r); c.in && err != nil {
			t.Errorf("%s: CheckToken: %v, want nil", c.name, err)
		}
		if !c.in {
			if refusal := refused(t, c.name, s, r, now, provider.StaticTokenFailed); refusal != nil && strings.Contains(refusal.Detail, "oken of 24") {
				t.Errorf("%s: the detail %q holds the token", c.name, refusal.Detail)
			}
		}
	}
	admitted(t, "StubHub's place", provider.Scheme{Provider: "stubhub", Token: token(t, "", "")}, request(http.Header{"Authorization": {tokenValue}}), now)
}

// Security checklist, line 36: a token in the query does not reach logs.
func TestLine36TheTokenIsNotLogged(t *testing.T) {
	s := provider.Scheme{Token: token(t, "", "key")}
	for query, want := range map[string]string{
		"":                         "",
		"a=1":                      "a=1",
		"key=secret":               "key=***",
		"a=1&key=secret&b=%zz":     "a=1&key=***&b=%zz",
		"key=one&key=two":          "key=***&key=***",
		"a=1;key=secret;b=2":       "a=1;key=***;b=2",
		"%6bey=secret":             "%6bey=***",
		"key=se%26cret%zz":         "key=***",
		"monkey=banana&Key=1&key":  "monkey=banana&Key=1&key",
		"key==secret=":             "key=***",
		"a=key=secret&x=1&key=&&y": "a=key=secret&x=1&key=***&&y",
	} {
		if got := s.Redact(query); got != want {
			t.Errorf("Redact(%q) = %q, want %q", query, got, want)
		}
	}
	if got := (provider.Scheme{}).Redact("key=secret"); got != "key=secret" {
		t.Errorf("Redact without a parameter's name = %q", got)
	}
}

func TestTokensHaveSixteenCharacters(t *testing.T) {
	for value, ok := range map[string]bool{
		"":                              false,
		"fifteen bytes..":               false,
		"sixteen bytes...":              true,
		strings.Repeat("ü", 15):         false,
		strings.Repeat("ü", 16):         true,
		strings.Repeat("x", 1024):       true,
		strings.Repeat("x", 1025):       false,
		" sixteen characters":           false,
		"sixteen characters\n":          false,
		"sixteen \x00 characters":       false,
		"sixteen \xff characters":       false,
		"sixteen characters in a token": true,
	} {
		sum, err := provider.HashToken(value)
		if (err == nil) != ok || ok && len(sum) != 32 {
			t.Errorf("HashToken(%.20q): %d bytes, %v; want it taken: %v", value, len(sum), err, ok)
		}
		if !ok {
			pointers(t, err, "/token_value")
		}
	}
}

// TestMaskKeepsAllButTheToken: line by line, in order, as it was written.
func TestMaskKeepsAllButTheToken(t *testing.T) {
	const head = "Host: x\r\nx-WEBHOOK-token:  s3cret \r\nX-B: 1\r\nX-Webhook-Token-2: kept\r\nX-Webhook-Token: again\r\nauthorization: Basic y\r\n"
	for _, c := range []struct {
		scheme provider.Scheme
		want   string
	}{
		{provider.Scheme{Token: provider.Token{Header: "X-Webhook-Token"}}, "Host: x\r\nx-WEBHOOK-token: ***\r\nX-B: 1\r\nX-Webhook-Token-2: kept\r\nX-Webhook-Token: ***\r\nauthorization: Basic y\r\n"},
		{provider.Scheme{Provider: "stubhub"}, strings.Replace(head, "authorization: Basic y", "authorization: ***", 1)},
		{provider.Scheme{Provider: "stagedoor"}, strings.Replace(head, "authorization: Basic y", "authorization: ***", 1)},
		{provider.Scheme{Provider: "stubhub", Token: provider.Token{Query: "token"}}, strings.Replace(head, "authorization: Basic y", "authorization: ***", 1)},
		{provider.Scheme{Token: provider.Token{Query: "token"}}, head},
		{provider.Scheme{}, head},
	} {
		if got := c.scheme.Mask([]byte("X-Webhook-Token:\r\n s3cret\r\n\tmore\r\nX-C: 1\r\n 2\r\n")); c.scheme.Token.Header != "" && string(got) != "X-Webhook-Token: ***\r\nX-C: 1\r\n 2\r\n" {
			t.Errorf("Mask of folded lines = %q", got)
		}
		if got := c.scheme.Mask([]byte(head)); string(got) != c.want {
			t.Errorf("Mask of %+v = %q, want %q", c.scheme.Token, got, c.want)
		}
	}
}
