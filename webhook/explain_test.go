package webhook_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/webhook"
)

// signedBy is a delivery in a scheme as it is sent at sentAt.
func signedBy(t testing.TB, scheme webhook.Scheme, body string, keys ...webhook.Key) webhook.Received {
	t.Helper()
	m := aMessage()
	m.Body = []byte(body)
	h := make(http.Header)
	if err := newSigner(t, scheme, keys...).SetHeaders(h, m); err != nil {
		t.Fatalf("%s: SetHeaders: %v", scheme, err)
	}
	return webhook.Received{Header: h, Body: m.Body, At: m.Time.Add(time.Second)}
}

func known(keys ...webhook.Key) []webhook.Candidate {
	names := []string{"the endpoint's secret", "the endpoint's former secret"}
	list := make([]webhook.Candidate, len(keys))
	for i, k := range keys {
		list[i] = webhook.Candidate{Name: names[i], Key: k}
	}
	return list
}

// explained explains and holds that no secret nor a signature that was not pasted is shown.
func explained(t *testing.T, s webhook.Scheme, r webhook.Received, pasted string, candidates ...webhook.Candidate) webhook.Explanation {
	t.Helper()
	e := webhook.Explain(s, r, webhook.Key{Text: pasted}, candidates...)
	if e.What == "" || e.Advice == "" {
		t.Errorf("%s: %s %s: says %q and advises %q", s, e.Verdict, e.Cause, e.What, e.Advice)
	}
	shown, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	sent, err := json.Marshal(r.Header)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{oldSecret, newSecret, otherSecret} {
		hidden := []string{strings.TrimPrefix(secret, "whsec_")}
		if secret != pasted {
			hidden = append(hidden, strings.TrimPrefix(portalMAC(secret, sentAt, r.Body), "sha256="), hexMAC(secret, string(r.Body)),
				v1Secret(secret, aDelivery, sentAt, r.Body))
		}
		for _, text := range hidden {
			if bytes.Contains(shown, []byte(text)) && (!bytes.Contains(sent, []byte(text)) || s == webhook.Static) {
				t.Errorf("%s: the explanation shows %s: %s", s, text, shown)
			}
		}
	}
	return e
}

func wantVerdict(t *testing.T, name string, got webhook.Explanation, verdict webhook.Verdict, cause string) {
	t.Helper()
	if got.Verdict != verdict || got.Cause != cause {
		t.Errorf("%s: Explain: got %s %q (%s %s), want %s %q", name, got.Verdict, got.Cause, got.What, got.Advice, verdict, cause)
	}
}

var signing = schemes[:3] // those that sign the body

func TestExplainTellsTheCausesApart(t *testing.T) {
	end := time.Unix(sentAt, 0)
	fresh, old := text(newSecret)[0], text(oldSecret)[0]
	ended := webhook.Key{Text: oldSecret, Until: end}
	type tweak func(*webhook.Received)
	cases := []struct {
		name    string
		schemes []webhook.Scheme
		signer  webhook.Key
		pasted  string
		known   []webhook.Candidate
		tweak   tweak
		verdict webhook.Verdict
		cause   string
	}{
		{"all well", schemes, fresh, newSecret, nil, nil, webhook.Verified, ""},
		{"nothing pasted", schemes, fresh, "", known(fresh), nil, webhook.Verified, ""},
		{"the other known secret", schemes, old, newSecret, known(fresh, old), nil, webhook.WrongSecret, "other_secret"},
		{"the former secret signed", schemes, old, newSecret, known(fresh, ended), nil, webhook.ExpiredSecret, "ended"},
		{"the former secret is used", schemes, fresh, oldSecret, known(fresh, ended), nil, webhook.ExpiredSecret, "former_pasted"},
		{"the former secret signed and is used", schemes, old, oldSecret, known(fresh, ended), nil, webhook.ExpiredSecret, "ended"},
		{"a line end after the secret", schemes, fresh, newSecret + "\n", nil, nil, webhook.WrongSecret, "white_space"},
		{"a line end after a known secret", schemes, fresh, newSecret + "\n", known(fresh, old), nil, webhook.WrongSecret, "white_space"},
		{"quotes around the secret", schemes, fresh, `"` + newSecret + `"`, nil, nil, webhook.WrongSecret, "quotes"},
		{"the variable's name", schemes, fresh, "WEBHOOK_SECRET=" + newSecret, nil, nil, webhook.WrongSecret, "assignment"},
		{"a percent-encoded secret", schemes, fresh, url.QueryEscape(newSecret), nil, nil, webhook.WrongSecret, "url_encoded"},
		{"without whsec_", signing, fresh, strings.TrimPrefix(newSecret, "whsec_"), nil, nil, webhook.WrongSecret, "prefix_missing"},
		{"encoded once more", signing, fresh, base64.StdEncoding.EncodeToString([]byte(newSecret)), nil, nil, webhook.WrongSecret, "encoded"},
		{"in hexadecimal", signing, fresh, hex.EncodeToString([]byte("stagedoor-test-vectors-new-secret"[:32])), nil, nil, webhook.WrongSecret, "hex"},
		{"decoded", signing, fresh, "stagedoor-test-vectors-new-secret"[:32], nil, nil, webhook.WrongSecret, "decoded"},
		{"url-safe", signing, fresh, strings.TrimRight(newSecret, "="), nil, nil, webhook.WrongSecret, "url_safe"},
		{"nobody knows", signing, fresh, otherSecret, nil, nil, webhook.WrongSecretOrBody, ""},
		{"none of the known", signing, fresh, otherSecret, known(old), nil, webhook.WrongSecretOrBody, "none_known"},
		{"no body", signing, fresh, newSecret, nil, func(r *webhook.Received) { r.Body = nil }, webhook.WrongSecretOrBody, "empty_body"},
		{"no secret at all", signing, fresh, "", nil, nil, webhook.WrongSecretOrBody, "no_secret"},
		{
			"the endpoint's secret, another body", signing, fresh, newSecret, known(fresh), func(r *webhook.Received) { r.Body = []byte(`{"a":1}`) },
			webhook.ChangedBody, "unknown",
		},
		{
			"the body was sent", signing, fresh, otherSecret, nil, func(r *webhook.Received) { sum := sha256.Sum256(r.Body); r.Sent = sum[:] },
			webhook.WrongSecret, "certain",
		},
		{
			"another body was sent", signing, fresh, newSecret, nil, func(r *webhook.Received) { r.Sent, r.Body = bytes.Repeat([]byte{1}, 32), []byte("{}") },
			webhook.ChangedBody, "certain",
		},
		{
			"the sent body is known, the secret is not", signing, fresh, otherSecret, nil,
			func(r *webhook.Received) { sum := sha256.Sum256(r.Body); r.Sent, r.Body = sum[:], append(r.Body, '\n') }, webhook.ChangedBody, "newline_added",
		},
		{
			"both are wrong", signing, fresh, otherSecret, known(fresh), func(r *webhook.Received) { r.Body = append(r.Body, '\n') },
			webhook.ChangedBody, "newline_added",
		},
		{
			"too large", schemes, fresh, newSecret, nil, func(r *webhook.Received) { r.Body = make([]byte, webhook.MaxExplained+1) },
			webhook.WrongFormat, "body_too_large",
		},
		{"no headers", schemes, fresh, newSecret, nil, func(r *webhook.Received) { r.Header = nil }, webhook.WrongFormat, "missing_header"},
		{"cut signature", signing, fresh, newSecret, nil, func(r *webhook.Received) { cut(r.Header) }, webhook.WrongFormat, "malformed_signature"},
		{"a public key", signing[:2], fresh, "whpk_AAAA", nil, nil, webhook.WrongFormat, "secret_form"},
		{"no secret of the scheme", signing[2:], fresh, "hunter2", nil, nil, webhook.WrongFormat, "secret_form"},
		{"static, another value", schemes[3:], fresh, otherSecret, nil, nil, webhook.WrongSecret, ""},
		{"static, Bearer is missing", schemes[3:], webhook.Key{Text: "Bearer desk-key"}, "desk-key", nil, nil, webhook.WrongSecret, "prefix_missing"},
		{"static, not encoded", schemes[3:], webhook.Key{Text: "Basic ZGVzazprZXk="}, "desk:key", nil, nil, webhook.WrongSecret, "not_encoded"},
		{
			"static, with the header's name", schemes[3:],
			webhook.Key{Text: "Bearer desk-key"},
			"Authorization: Bearer desk-key", nil, nil,
			webhook.WrongSecret, "assignment",
		},
		{"static, Bearer was added", schemes[3:], webhook.Key{Text: "desk-key"}, "Bearer desk-key", nil, nil, webhook.WrongSecret, "prefix_added"},
		{
			"static, the body does not matter", schemes[3:], fresh, newSecret, nil, func(r *webhook.Received) { r.Body, r.Sent = nil, make([]byte, 32) },
			webhook.Verified, "",
		},
	}
	for _, c := range cases {
		for _, scheme := range c.schemes {
			r := signedBy(t, scheme, aJSON, c.signer)
			if c.tweak != nil {
				c.tweak(&r)
			}
			e := explained(t, scheme, r, c.pasted, c.known...)
			wantVerdict(t, string(scheme)+", "+c.name, e, c.verdict, c.cause)
		}
	}
}

// cut takes the end of the signature away, as a terminal does with long lines.
func cut(h http.Header) {
	for _, name := range []string{"X-Webhook-Signature", "X-Pullup-Signature", "Webhook-Signature"} {
		if v := h.Get(name); v != "" {
			h.Set(name, v[:20])
		}
	}
}

func TestExplainNamesWhatHappenedToTheBody(t *testing.T) {
	const indented = "{\n  \"id\": \"Caf\\u00e9 <b>\",\n  \"a\": 1.50\n}"
	cases := []struct{ name, sent, pasted, cause string }{
		{"a line end was added", aJSON, aJSON + "\n", "newline_added"},
		{"a line end was added by Windows", aJSON, aJSON + "\r\n", "newline_added"},
		{"the line end was trimmed", aJSON + "\n", aJSON, "newline_lost"},
		{"CRLF for LF", indented, strings.ReplaceAll(indented, "\n", "\r\n"), "line_ends"},
		{"LF for CRLF", strings.ReplaceAll(indented, "\n", "\r\n"), indented, "line_ends"},
		{"white space around", aJSON, "\n  " + aJSON + " \n\n", "white_space"},
		{"a byte order mark", aJSON, "\ufeff" + aJSON, "bom"},
		{"a byte order mark that is lost", "\ufeff" + aJSON, aJSON, "bom"},
		{"read as Latin-1", `{"v":"Café à"}`, "{\"v\":\"CafÃ© Ã\u00a0\"}", "charset"},
		{"read as Windows-1252", `{"v":"€"}`, `{"v":"â‚¬"}`, "charset"},
		{"converted to Latin-1", `{"v":"é"}`, "{\"v\":\"\xe9\"}", "charset"},
		{"HTML", `{"v":"a & b"}`, `{&quot;v&quot;:&quot;a &amp; b&quot;}`, "html_entities"},
		{"a string in JSON", `{"v":"a"}`, `"{\"v\":\"a\"}"`, "json_string"},
		{"a string without its quotes", `{"v":"a"}`, `{\"v\":\"a\"}`, "json_string"},
		{"indented", aJSON, strings.ReplaceAll(strings.ReplaceAll(aJSON, ",", ",\n  "), ":", ": "), "json_spacing"},
		{"compacted", indented, `{"id":"Caf\u00e9 <b>","a":1.50}`, "json_spacing"},
		{"Python's spaces", `{"b": [1, 2], "a": ":,"}`, `{"b":[1,2],"a":":,"}`, "json_spacing"},
		{"unescaped", aJSON, sameJSON, "json_escapes"},
		{"escaped", sameJSON, aJSON, "json_escapes"},
		{"PHP's slashes", `{"u":"https:\/\/a.example\/b"}`, `{"u":"https://a.example/b"}`, "json_escapes"},
		{"Go's HTML escapes", `{"v":"\u003cb\u003e \u0026"}`, `{"v":"<b> &"}`, "json_escapes"},
		{"indented and unescaped", aJSON, "{\n\t\"event\": \"order.accepted\",\n\t\"venue\": \"Café € 🎟\"\n}\n", "json_reencoded"},
		{"from sorted keys", `{"a":1.50,"b":{"c":[],"d":"é"}}`, `{"b":{"d":"\u00e9","c":[]},"a":1.50}`, "json_reencoded"},
	}
	for _, c := range cases {
		for _, scheme := range signing {
			r := signedBy(t, scheme, c.sent, text(newSecret)...)
			r.Body = []byte(c.pasted)
			wantVerdict(t, string(scheme)+", "+c.name, explained(t, scheme, r, newSecret), webhook.ChangedBody, c.cause)

			sum := sha256.Sum256([]byte(c.sent))
			r.Sent = sum[:]
			wantVerdict(t, string(scheme)+", sum known, "+c.name, explained(t, scheme, r, otherSecret), webhook.ChangedBody, c.cause)
		}
	}
}

func TestExplainTellsTheClock(t *testing.T) {
	for _, c := range []struct {
		after   time.Duration
		verdict webhook.Verdict
		cause   string
	}{
		{5 * time.Minute, webhook.Verified, ""},
		{5*time.Minute + time.Second, webhook.WrongClock, "too_old"},
		{-5 * time.Minute, webhook.Verified, ""},
		{-time.Hour, webhook.WrongClock, "in_future"},
	} {
		for _, scheme := range []webhook.Scheme{webhook.Portal, webhook.Standard} {
			r := signedBy(t, scheme, aJSON, text(newSecret)...)
			r.At = time.Unix(sentAt, 0).Add(c.after)
			e := explained(t, scheme, r, newSecret)
			wantVerdict(t, string(scheme)+", "+c.after.String(), e, c.verdict, c.cause)
			if e.Off != c.after {
				t.Errorf("%s: Off: got %v, want %v", scheme, e.Off, c.after)
			}
		}
		r := signedBy(t, webhook.Pullup, aJSON, text(newSecret)...)
		r.At = time.Unix(sentAt, 0).Add(c.after)
		wantVerdict(t, "pullup has no clock", explained(t, webhook.Pullup, r, newSecret), webhook.Verified, "")
	}

	at := int64(sentAt) * 1000
	r := webhook.Received{Body: []byte(aJSON), At: time.Unix(sentAt, 0), Header: http.Header{
		"X-Webhook-Signature": {portalMAC(newSecret, at, []byte(aJSON))}, "X-Webhook-Timestamp": {"1782900000000"},
	}}
	wantVerdict(t, "milliseconds", explained(t, webhook.Portal, r, newSecret), webhook.WrongClock, "milliseconds")

	r = signedBy(t, webhook.Portal, aJSON, text(newSecret)...)
	r.At = time.Time{} // the present, whatever it is
	if e := explained(t, webhook.Portal, r, newSecret); e.Off.Abs() > 5*time.Minute && e.Verdict != webhook.WrongClock {
		t.Errorf("at present: got %s, %v off", e.Verdict, e.Off)
	}
}

func TestExplainKnowsTheHeadersOfOtherSchemes(t *testing.T) {
	for _, sent := range schemes {
		r := signedBy(t, sent, aJSON, text(newSecret)...)
		if got, ok := webhook.Detect(r.Header); !ok || got != sent {
			t.Errorf("Detect(%v): got %q, %v, want %q", r.Header, got, ok, sent)
		}
		for _, expected := range schemes {
			if expected == sent {
				continue
			}
			e := explained(t, expected, r, newSecret)
			wantVerdict(t, string(sent)+" read as "+string(expected), e, webhook.WrongFormat, "other_scheme")
			if e.Looks != sent {
				t.Errorf("%s read as %s: Looks: got %q", sent, expected, e.Looks)
			}
		}
	}
	if got, ok := webhook.Detect(http.Header{"Content-Type": {"text/plain"}}); ok {
		t.Errorf("Detect without a header of ours: got %q", got)
	}
	if e := webhook.Explain("other", webhook.Received{}, webhook.Key{}); e.Verdict != webhook.WrongFormat || e.Cause != "unknown_scheme" {
		t.Errorf("an unknown scheme: got %+v", e)
	}
}

func TestExplainTellsMalformedHeaders(t *testing.T) {
	for _, c := range []struct {
		scheme       webhook.Scheme
		header       string
		values       []string
		cause, named string
	}{
		{webhook.Portal, "X-Webhook-Timestamp", nil, "missing_header", "X-Webhook-Timestamp"},
		{webhook.Portal, "X-Webhook-Timestamp", []string{"2026-07-01T10:00:00Z"}, "malformed_timestamp", "X-Webhook-Timestamp"},
		{webhook.Portal, "X-Webhook-Signature", []string{strings.Repeat("ab", 32)}, "malformed_header", "X-Webhook-Signature"},
		{webhook.Portal, "X-Webhook-Signature", []string{"sha256=" + strings.Repeat("AB", 32)}, "malformed_signature", "X-Webhook-Signature"},
		{webhook.Portal, "X-Webhook-Signature", []string{"sha256=ab", "sha256=ab"}, "malformed_header", "X-Webhook-Signature"},
		{webhook.Pullup, "X-Pullup-Signature", []string{"sha256=" + strings.Repeat("ab", 32)}, "malformed_signature", "X-Pullup-Signature"},
		{webhook.Standard, "Webhook-Id", nil, "missing_header", "Webhook-Id"},
		{webhook.Standard, "Webhook-Signature", []string{"v1,AAAA v2,BBBB"}, "malformed_signature", "Webhook-Signature"},
		{webhook.Standard, "Webhook-Timestamp", []string{"1782900000.5"}, "malformed_timestamp", "Webhook-Timestamp"},
		{webhook.Static, "Authorization", nil, "missing_header", "Authorization"},
	} {
		r := signedBy(t, c.scheme, aJSON, text(newSecret)...)
		r.Header[c.header] = c.values
		e := explained(t, c.scheme, r, newSecret)
		wantVerdict(t, c.header+strings.Join(c.values, "|"), e, webhook.WrongFormat, c.cause)
		if !strings.Contains(e.What, c.named) {
			t.Errorf("%s: %q does not name the header", c.header, e.What)
		}
	}
}

// During a rotation portal's and pullup's receivers that look at one header must know that the new secret signs another.
func TestExplainTellsTheRotation(t *testing.T) {
	old := webhook.Key{Text: oldSecret, Until: time.Unix(sentAt+60, 0)}
	fresh := webhook.Key{Text: newSecret}
	for scheme, cause := range map[webhook.Scheme]string{webhook.Portal: "next_header", webhook.Pullup: "next_header", webhook.Standard: ""} {
		r := signedBy(t, scheme, aJSON, old, fresh)
		wantVerdict(t, string(scheme)+", the new secret", explained(t, scheme, r, newSecret, known(fresh, old)...), webhook.Verified, cause)
		wantVerdict(t, string(scheme)+", the old secret", explained(t, scheme, r, oldSecret, known(fresh, old)...), webhook.Verified, "")
	}
}

func TestExplainKnowsKeyPairs(t *testing.T) {
	private, public := printPrivate(newPrivate), printPublic(newPrivate)
	r := signedBy(t, webhook.Standard, aJSON, webhook.Key{Text: private})
	wantVerdict(t, "public", explained(t, webhook.Standard, r, public), webhook.Verified, "")
	wantVerdict(t, "private", explained(t, webhook.Standard, r, private), webhook.WrongSecret, "private_key")
	wantVerdict(t, "shared", explained(t, webhook.Standard, r, newSecret), webhook.WrongFormat, "signature_version")
	wantVerdict(t, "another's", explained(t, webhook.Standard, r, printPublic(oldPrivate), known(webhook.Key{Text: private})...),
		webhook.WrongSecret, "other_secret")
	r.Body = append(r.Body, '\n')
	wantVerdict(t, "changed body", explained(t, webhook.Standard, r, public), webhook.ChangedBody, "newline_added")
	r = signedBy(t, webhook.Standard, aJSON, webhook.Key{Text: newSecret})
	wantVerdict(t, "public for v1", explained(t, webhook.Standard, r, public), webhook.WrongFormat, "signature_version")
}

// A sender of somebody else's may use the secret's bytes where it should use its characters, or the other way round.
func TestExplainKnowsSignersThatDecodeWrongly(t *testing.T) {
	decoded := "stagedoor-test-vectors-new-secret"[:32]
	r := webhook.Received{At: time.Unix(sentAt, 0), Body: []byte(aJSON), Header: http.Header{"X-Pullup-Signature": {hexMAC(decoded, aJSON)}}}
	wantVerdict(t, "pullup", explained(t, webhook.Pullup, r, newSecret), webhook.WrongSecret, "signed_decoded")
	r.Header = http.Header{"Webhook-Id": {"evt_1"}, "Webhook-Timestamp": {"1782900000"}}
	sum, err := hex.DecodeString(hexMAC(newSecret, "evt_1.1782900000."+aJSON))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(sum))
	wantVerdict(t, "standard", explained(t, webhook.Standard, r, newSecret), webhook.WrongSecret, "signed_printed")
}

// The signature that was expected helps whoever computes it themselves, and is shown to whoever pasted the secret.
func TestExplainShowsWhatIsExpectedOfThePastedSecretOnly(t *testing.T) {
	want := map[webhook.Scheme]string{
		webhook.Portal: portalMAC(otherSecret, sentAt, []byte(aJSON)), webhook.Pullup: hexMAC(otherSecret, aJSON),
		webhook.Standard: v1Secret(otherSecret, aDelivery, sentAt, []byte(aJSON)),
	}
	for _, scheme := range signing {
		r := signedBy(t, scheme, aJSON, text(newSecret)...)
		for pasted, times := range map[string]int{otherSecret: 1, "": 0} {
			got := 0
			for _, d := range explained(t, scheme, r, pasted, known(text(otherSecret)...)...).Details {
				if strings.HasSuffix(d.Value, want[scheme]) {
					got++
				}
			}
			if got != times {
				t.Errorf("%s, pasted %v: the expected signature is shown %d times, want %d", scheme, pasted != "", got, times)
			}
		}
	}
}

// Every vector that is verified is explained as such, and no other is.
func TestExplainAgreesWithTheVectors(t *testing.T) {
	for _, v := range readVectors(t).Vectors {
		if len(v.Keys) != 1 || v.Tolerance != tolerance {
			continue
		}
		k := keysOf(v.Keys)[0]
		r := webhook.Received{Header: headerOf(v.Headers), Body: v.Body.bytes(), At: time.Unix(v.Now, 0)}
		if len(r.Body) > webhook.MaxExplained {
			continue
		}
		e := webhook.Explain(webhook.Scheme(v.Scheme), r, k)
		if verified := e.Verdict == webhook.Verified; verified != (v.Error == "") {
			t.Errorf("%s: got %s %s, want %q", v.Name, e.Verdict, e.Cause, v.Error)
		}
		clock := v.Error == "too_old" || v.Error == "in_future" // where the signature is another timestamp's, that is the lesser fault
		if clock && e.Verdict != webhook.WrongClock && !strings.Contains(e.What, "The timestamp") {
			t.Errorf("%s: got %s %s, want the clock", v.Name, e.Verdict, e.Cause)
		}
	}
}

func TestParseHeaders(t *testing.T) {
	cases := []struct{ name, text string }{
		{"lines", "X-Webhook-Signature: sha256=ab\nx-webhook-timestamp: 17\n"},
		{"a request", "POST /hook HTTP/1.1\r\nX-Webhook-Signature: sha256=ab\r\nX-Webhook-Timestamp: 17\r\n\r\n"},
		{"curl -v", "* Connected to a\n> POST /hook HTTP/1.1\n> X-Webhook-Signature: sha256=ab\n> x-webhook-timestamp: 17\n>\n{ [5 bytes data]\n< HTTP/1.1 401 No\n< X-Other: 1\n<\n"},
		{"an answer in curl -v", "< HTTP/1.1 200 OK\n< X-Webhook-Signature: sha256=ab\n< X-Webhook-Timestamp: 17\n"},
		{"curl options", "curl -X POST https://a.example/hook \\\n  -H 'X-Webhook-Signature: sha256=ab' \\\n  -H \"X-Webhook-Timestamp: 17\" \\\n  --data-binary @body"},
		{"a curl command", "curl -H 'X-Webhook-Signature: sha256=ab' -H 'X-Webhook-Timestamp: 17' -d '{}' https://a.example"},
		{"JSON", `{"x-webhook-signature":"sha256=ab","x-webhook-timestamp":17}`},
		{"JSON of lists", `{"X-Webhook-Signature":["sha256=ab"],"X-Webhook-Timestamp":["17"]}`},
		{"a request in JSON", `{"method":"POST","headers":{"x-webhook-signature":"sha256=ab","x-webhook-timestamp":"17"}}`},
		{"console.log", "{\n  'x-webhook-signature': 'sha256=ab',\n  'x-webhook-timestamp': '17'\n}"},
		{"a dict", "{'X-Webhook-Signature': 'sha256=ab', 'X-Webhook-Timestamp': '17'}"},
	}
	for _, c := range cases {
		h, err := webhook.ParseHeaders(c.text)
		if err != nil {
			t.Errorf("%s: ParseHeaders: %v", c.name, err)
			continue
		}
		if h.Get("X-Webhook-Signature") != "sha256=ab" || h.Get("X-Webhook-Timestamp") != "17" || h.Get("X-Other") != "" {
			t.Errorf("%s: ParseHeaders: got %v", c.name, h)
		}
	}
	if h, err := webhook.ParseHeaders("A: 1\na: 2"); err != nil || len(h["A"]) != 2 {
		t.Errorf("a header twice: got %v, %v", h, err)
	}
	for _, bad := range []string{"", "{}", "hello", "X Y: 1", `{"a":{"b":1}}`, strings.Repeat("a: b\n", 201), strings.Repeat("a", 64<<10+1)} {
		if h, err := webhook.ParseHeaders(bad); err == nil {
			t.Errorf("ParseHeaders(%.20q): got %v, want an error", bad, h)
		}
	}
}

// Whatever is pasted, what is tried is bounded: of deep or escaped JSON no body grows beyond measure.
func TestExplainHasEnoughAtSomePoint(t *testing.T) {
	fill := func(s string) string { return strings.Repeat(s, (webhook.MaxExplained-20_000)/len(s)) }
	private := printPrivate(newPrivate)
	for name, body := range map[string]string{
		"deep":    strings.Repeat("[", 9000) + fill("1,") + "1" + strings.Repeat("]", 9000),
		"escapes": `["` + fill("\U0001f3ab/<") + `"]`,
		"objects": `[` + fill(`{"b":"é","a":1},`) + `1]`,
		"noise":   fill("\xff\r\n&quot;"),
	} {
		for _, keys := range [][]webhook.Key{text(newSecret), text(private, newSecret)} {
			r := signedBy(t, webhook.Standard, body, keys...)
			if list := r.Header["Webhook-Signature"]; len(keys) == 2 { // as long a list as is read
				list[0] += strings.Repeat(" "+v1aSign(newPrivate, "other", sentAt, nil), 14)
			}
			if r.Body = []byte(strings.Replace(body, "[", "[9,", 1)); name == "noise" {
				r.Body[0] = 'x'
			} else if !json.Valid(r.Body) {
				t.Fatalf("%s: the test's body is not JSON", name)
			}
			e := explained(t, webhook.Standard, r, printPublic(oldPrivate), known(text(oldSecret, otherSecret)...)...)
			if e.Verdict == webhook.Verified || e.Verdict == "" {
				t.Errorf("%s: got %s", name, e.Verdict)
			}
		}
	}
}

func BenchmarkExplain(b *testing.B) {
	for name, size := range map[string]int{"1KiB": 1 << 10, "64KiB": 64 << 10, "1MiB": 1 << 20} {
		b.Run(name, func(b *testing.B) {
			item := `{"b":"é/","a":1},`
			r := signedBy(b, webhook.Portal, "["+strings.Repeat(item, (size-8)/len(item))+"1]", text(newSecret)...)
			for b.Loop() {
				if e := webhook.Explain(webhook.Portal, r, text(otherSecret)[0], known(text(oldSecret)...)...); e.Verdict != webhook.WrongSecretOrBody {
					b.Fatal(e.Verdict)
				}
			}
		})
	}
}
