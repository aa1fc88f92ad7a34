package provider_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/provider"
)

const (
	secret   = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" // a published sample, nobody's secret
	another  = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
	sentAt   = 1_700_000_000
	sentBody = `{"type":"order.created","id":7}`
)

var now = time.Unix(sentAt, 0)

// sender makes the headers with which a request of its kind comes.
type sender struct {
	name      string // "provider" or "provider/form"
	scheme    provider.Scheme
	signature string // the header that a signature stands in
	stamp     string // the header that the time stands in, if there is one
	timed     bool
	sign      func(key string, at int64, body []byte) http.Header
	join      string // between several signatures in one header; empty: they stand in several lines
	reason    string
}

func preset(name string) provider.Scheme {
	return provider.Scheme{Provider: name, HMAC: provider.HMAC{Secret: secret}}
}

func generic(stamp string) provider.Scheme {
	return provider.Scheme{HMAC: provider.HMAC{Header: "x-signature", Secret: secret, TimestampHeader: stamp}}
}

// senders are all presets in all their forms, and everything that has no name.
func senders() []sender {
	list := []sender{
		{name: "stripe", signature: "Stripe-Signature", stamp: "", timed: true, sign: list("Stripe-Signature")},
		{name: "github", signature: "X-Hub-Signature-256", sign: plain("X-Hub-Signature-256", "sha256=", hexSum)},
		{name: "shopify", signature: "X-Shopify-Hmac-Sha256", sign: plain("X-Shopify-Hmac-Sha256", "", base64Sum)},
		{name: "slack", signature: "X-Slack-Signature", stamp: "X-Slack-Request-Timestamp", timed: true, sign: v0("X-Slack-Signature", "X-Slack-Request-Timestamp")},
		{name: "zoom", signature: "X-Zm-Signature", stamp: "X-Zm-Request-Timestamp", timed: true, sign: v0("X-Zm-Signature", "X-Zm-Request-Timestamp")},
		{name: "twitter", signature: "X-Twitter-Webhooks-Signature", sign: plain("X-Twitter-Webhooks-Signature", "sha256=", base64Sum)},
		{name: "standard-webhooks", signature: "Webhook-Signature", stamp: "Webhook-Timestamp", timed: true, sign: standard("Webhook"), join: " "},
		{name: "svix", signature: "Svix-Signature", stamp: "Svix-Timestamp", timed: true, sign: standard("Svix"), join: " "},
		{name: "svix/unbranded", signature: "Webhook-Signature", stamp: "Webhook-Timestamp", timed: true, sign: standard("Webhook"), join: " "},
		{name: "stubhub", signature: "Authorization", sign: static, join: "none", reason: provider.StaticTokenFailed},
		{name: "stagedoor/portal", signature: "X-Webhook-Signature", stamp: "X-Webhook-Timestamp", timed: true, sign: portal, join: ","},
		{name: "stagedoor/pullup", signature: "X-Pullup-Signature", sign: plain("X-Pullup-Signature", "", hexSum), join: "none"},
		{name: "stagedoor/standard", signature: "Webhook-Signature", stamp: "Webhook-Timestamp", timed: true, sign: standard("Webhook"), join: " "},
		{name: "stagedoor/stubhub", signature: "Authorization", sign: static, join: "none", reason: provider.StaticTokenFailed},

		{name: "/hex", scheme: generic(""), sign: plain("X-Signature", "", hexSum)},
		{name: "/sha256=hex", scheme: generic(""), sign: plain("X-Signature", "sha256=", hexSum)},
		{name: "/sha256=base64", scheme: generic(""), sign: plain("X-Signature", "sha256=", base64Sum)},
		{name: "/base64", scheme: generic(""), sign: plain("X-Signature", "", base64Sum)},
		{name: "/v1=hex", scheme: generic(""), sign: plain("X-Signature", "v1=", hexSum)},
		{name: "/list", scheme: generic(""), timed: true, sign: list("X-Signature")},
		{name: "/list, time in the same header", scheme: generic("X-Signature"), timed: true, sign: list("X-Signature")},
		{name: "/time and body", scheme: generic("X-Timestamp"), stamp: "X-Timestamp", timed: true, sign: apart("", hexSum)},
		{name: "/time and body, base64", scheme: generic("X-Timestamp"), stamp: "X-Timestamp", timed: true, sign: apart("", base64Sum)},
		{name: "/time and body, sha256=", scheme: generic("X-Timestamp"), stamp: "X-Timestamp", timed: true, sign: apart("sha256=", hexSum)},
		{name: "/v0", scheme: generic("X-Timestamp"), stamp: "X-Timestamp", timed: true, sign: v0("X-Signature", "X-Timestamp")},
	}
	for i := range list {
		s := &list[i]
		if s.scheme.HMAC.Secret == "" {
			name, _, _ := strings.Cut(s.name, "/")
			s.scheme = preset(name)
		}
		if s.signature == "" {
			s.signature = "X-Signature"
		}
		if s.reason == "" {
			s.reason = provider.HMACFailed
		}
	}
	return list
}

func (s sender) fixed() bool { return s.reason == provider.StaticTokenFailed }

func TestEveryPresetHasASender(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range senders() {
		seen[s.scheme.Provider] = true
	}
	for _, name := range provider.Names() {
		if !seen[name] {
			t.Errorf("no request of %s is tested", name)
		}
	}
	if len(provider.Names()) != 10 {
		t.Errorf("Names() has %d names, want the ten", len(provider.Names()))
	}
}

// Security checklist, line 37: each preset right, wrong, missing, stale, future, replayed, and with several signatures.

func TestLine37RightSignaturesAreLetIn(t *testing.T) {
	for _, s := range senders() {
		r := request(s.sign(secret, sentAt, []byte(sentBody)))
		admitted(t, s.name, s.scheme, r, now)
		// Replayed within the time that is allowed: what a signature says is still true. Finding it is for DedupKey.
		admitted(t, s.name+", again", s.scheme, r, now.Add(time.Minute))
	}
}

func TestLine37WrongOnesAreRefused(t *testing.T) {
	for _, s := range senders() {
		right := s.sign(secret, sentAt, []byte(sentBody))
		value := right.Get(s.signature)
		refused(t, s.name+", another secret", s.scheme, request(s.sign(another, sentAt, []byte(sentBody))), now, s.reason)
		for name, changed := range map[string]string{
			"first character": swap(value, 0), "last character": swap(value, len(value)-1), "shorter": value[:len(value)-2], "longer": value + "ab",
			"twice in one": value + "." + value, "empty": "", "a space": " ", "a mark only": "sha256=", "a comma": ",", "HTML": "<script>alert(1)</script>",
		} {
			if name == "twice in one" && s.timed && strings.HasPrefix(value, "t=") {
				continue // the same time again, and a right entry behind a wrong one
			}
			h := right.Clone()
			h.Set(s.signature, changed)
			refused(t, s.name+", signature changed: "+name, s.scheme, request(h), now, s.reason)
		}
		if s.fixed() {
			continue // signs nothing
		}
		for name, body := range map[string]string{"other": `{"type":"order.deleted","id":7}`, "shorter": sentBody[:len(sentBody)-1], "longer": sentBody + "\n", "empty": ""} {
			r := request(right)
			r.Body = []byte(body)
			refused(t, s.name+", body "+name, s.scheme, r, now, provider.HMACFailed)
		}
	}
}

func TestLine37MissingHeadersAreRefusedByName(t *testing.T) {
	for _, s := range senders() {
		for _, missing := range []string{s.signature, s.stamp} {
			if missing == "" {
				continue
			}
			h := s.sign(secret, sentAt, []byte(sentBody))
			h.Del(missing)
			r := refused(t, s.name+", without "+missing, s.scheme, request(h), now, "")
			if s.scheme.Provider != "stagedoor" && s.name != "svix/unbranded" && r != nil && !strings.Contains(strings.ToLower(r.Detail), strings.ToLower(missing)+" is missing") {
				t.Errorf("%s, without %s: detail %q does not say so", s.name, missing, r.Detail)
			}
		}
	}
}

func TestLine37StaleAndFutureTimesAreRefused(t *testing.T) {
	for _, s := range senders() {
		right := request(s.sign(secret, sentAt, []byte(sentBody)))
		for _, ttl := range []time.Duration{0, time.Second, time.Hour} {
			scheme, allowed := s.scheme, ttl
			if scheme.HMAC.TTL = ttl; ttl == 0 {
				allowed = provider.DefaultTTL
			}
			if !s.timed {
				admitted(t, s.name+", a year later", s.scheme, right, now.AddDate(1, 0, 0))
				break
			}
			admitted(t, s.name+", as old as allowed", scheme, right, now.Add(allowed))
			admitted(t, s.name+", as far ahead as allowed", scheme, right, now.Add(-allowed))
			refused(t, s.name+", a second too old", scheme, right, now.Add(allowed+time.Second), provider.HMACFailed)
			refused(t, s.name+", a second too far ahead", scheme, right, now.Add(-allowed-time.Second), provider.HMACFailed)
		}
	}
}

// A time that is signed but not one that can be read is refused, also where the signature is right.
func TestLine37TimesHaveOneSpelling(t *testing.T) {
	for _, stamp := range []string{
		"", "-1", "+1700000000", "01700000000", "1700000000.0", "1.7e9", "0x6553f100", "99999999999999999999", "170000000000000000", "NaN", "inf", "1700000000 ",
		"2023-11-14", "2023-11-14T22:13:20", "2023-11-14 22:13:20Z", "Tue, 14 Nov 2023 22:13:20 GMT", "0", "253402300799", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z",
	} {
		h := http.Header{"X-Timestamp": {stamp}, "X-Signature": {hexSum(secret, stamp+"."+sentBody)}}
		refused(t, "X-Timestamp: "+stamp, generic("X-Timestamp"), request(h), now, provider.HMACFailed)
		h = http.Header{"Stripe-Signature": {"t=" + stamp + ",v1=" + hexSum(secret, stamp+"."+sentBody)}}
		if stamp != "1700000000 " { // white space around entries of a list says nothing, and is not signed
			refused(t, h.Get("Stripe-Signature"), preset("stripe"), request(h), now, provider.HMACFailed)
		}
	}
	for _, stamp := range []string{
		"1700000000", "1699999700", "1700000300", "1700000000000", "1700000299999", "2023-11-14T22:13:20Z", "2023-11-14T22:13:20.123456789Z", "2023-11-14T23:13:20+01:00",
	} {
		h := http.Header{"X-Timestamp": {stamp}, "X-Signature": {hexSum(secret, stamp+"."+sentBody)}}
		admitted(t, "X-Timestamp: "+stamp, generic("X-Timestamp"), request(h), now)
	}
	twice := http.Header{"X-Timestamp": {"1700000000", "1700000001"}, "X-Signature": {hexSum(secret, "1700000000."+sentBody)}}
	refused(t, "two timestamps", generic("X-Timestamp"), request(twice), now, provider.HMACFailed)
	twice = http.Header{"Stripe-Signature": {"t=1700000000,t=1700000001,v1=" + hexSum(secret, "1700000000."+sentBody)}}
	refused(t, "two t=", preset("stripe"), request(twice), now, provider.HMACFailed)
	twice = http.Header{"Stripe-Signature": {"t=1700000000,t=1700000001,v1=" + hexSum(secret, "1700000001."+sentBody)}}
	refused(t, "two t=, the second signed", preset("stripe"), request(twice), now, provider.HMACFailed)
	bare := http.Header{"X-Signature": {hexSum(secret, sentBody)}}
	if r := refused(t, "no t=", provider.Scheme{HMAC: provider.HMAC{Header: "X-Signature", Secret: secret, TimestampHeader: "X-Signature"}}, request(bare), now, provider.HMACFailed); r != nil && r.Detail != "the header X-Signature has no t=" {
		t.Errorf("a signature without t= where it has to have one: detail %q", r.Detail)
	}
}

func TestLine37OneOfSeveralSignaturesIsEnough(t *testing.T) {
	for _, s := range senders() {
		if s.join == "none" {
			continue
		}
		right, wrong := s.sign(secret, sentAt, []byte(sentBody)), s.sign(another, sentAt, []byte(sentBody))
		values := []string{wrong.Get(s.signature), right.Get(s.signature)}
		for _, order := range [][]string{values, {values[1], values[0]}} {
			h := right.Clone()
			if h[s.signature] = order; s.join != "" {
				h[s.signature] = []string{strings.Join(order, s.join)}
			}
			admitted(t, s.name+", several", s.scheme, request(h), now)
		}
		for n, in := range map[int]bool{provider.MaxSignatures: true, provider.MaxSignatures + 1: false, 1000: false} {
			many := append(slices.Repeat(values[:1], n-1), values[1])
			h := right.Clone()
			if h[s.signature] = many; s.join != "" {
				h[s.signature] = []string{strings.Join(many, s.join)}
			}
			if name := s.name + ", " + strconv.Itoa(n) + " signatures"; in {
				admitted(t, name, s.scheme, request(h), now)
			} else {
				refused(t, name, s.scheme, request(h), now, provider.HMACFailed)
			}
		}
	}
}

// TestLine37StripeSendsSeveralV1 is Stripe's own form during a rotation: one t=, several v1=, and the v0= of test mode, which does not count.
func TestLine37StripeSendsSeveralV1(t *testing.T) {
	right, wrong := hexSum(secret, "1700000000."+sentBody), hexSum(another, "1700000000."+sentBody)
	for value, in := range map[string]bool{
		"t=1700000000,v1=" + wrong + ",v1=" + right + ",v0=" + wrong:   true,
		"t=1700000000, v1=" + right + ", v1=" + wrong:                  true,
		"v1=" + right + ",t=1700000000":                                true,
		"t=1700000000,v1=" + strings.ToUpper(right):                    true,
		"t=1700000000,v1=" + wrong + ",v1=" + wrong:                    false,
		"t=1700000000,v0=" + right:                                     false,
		"t=1700000000,v2=" + right:                                     false,
		"t=1700000000," + right:                                        false,
		"t=1700000000,sha256=" + right:                                 false,
		"t=1700000001,v1=" + right:                                     false,
		"t=,v1=" + right:                                               false,
		"v1=" + right:                                                  false,
		"t=1700000000":                                                 false,
		"t=1700000000,v1=":                                             false,
		"t=1700000000;v1=" + right:                                     false,
		"t=1700000000,V1=" + right:                                     false,
		"t=1700000000,v1=" + hexSum(secret, sentBody):                  false,
		"t=1700000000,v1=" + base64Sum(secret, "1700000000."+sentBody): false,
	} {
		for name, scheme := range map[string]provider.Scheme{
			"preset": preset("stripe"),
			"no preset, as HookBridge's guide sets it up": {HMAC: provider.HMAC{Secret: secret, Header: "Stripe-Signature", TimestampHeader: "Stripe-Signature"}},
		} {
			r := request(http.Header{"Stripe-Signature": {value}})
			if in {
				admitted(t, name+": "+value, scheme, r, now)
			} else {
				refused(t, name+": "+value, scheme, r, now, provider.HMACFailed)
			}
		}
	}
}

// TestPublishedSamples are what the providers' own pages show.
func TestPublishedSamples(t *testing.T) {
	for _, c := range []struct {
		name, key, body string
		at              int64
		header          http.Header
	}{
		{
			"github", "It's a Secret to Everybody", "Hello, World!", sentAt,
			http.Header{"X-Hub-Signature-256": {"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}},
		},
		{
			"slack", "8f742231b10e8888abcd99yyyzzz85a5",
			"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA" +
				"&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN" +
				"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
			1531420618,
			http.Header{"X-Slack-Request-Timestamp": {"1531420618"}, "X-Slack-Signature": {"v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"}},
		},
		{
			"standard-webhooks", secret, `{"test": 2432232314}`, 1614265330,
			http.Header{"Webhook-Id": {"msg_p5jXN8AQM9LWM0D4loKWxJek"}, "Webhook-Timestamp": {"1614265330"}, "Webhook-Signature": {"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}},
		},
		{
			"svix", secret, `{"test": 2432232314}`, 1614265330,
			http.Header{"Svix-Id": {"msg_p5jXN8AQM9LWM0D4loKWxJek"}, "Svix-Timestamp": {"1614265330"}, "Svix-Signature": {"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1,bm9ldHUjKzFob2VudXRob2VodWUzMjRvdWVvdW9ldQo= v2,MzJsNDk4MzI0K2VvdSMjMTEjQEBAQDEyMzMzMzEyMwo="}},
		},
	} {
		scheme := provider.Scheme{Provider: c.name, HMAC: provider.HMAC{Secret: c.key}}
		admitted(t, c.name, scheme, provider.Request{Header: c.header, Body: []byte(c.body)}, time.Unix(c.at, 0))
	}
}

// A signature of one text is not to be had for another: what a receiver takes for time and body must not pass for a body, nor the other way round.
func TestASignatureServesForOneTextOnly(t *testing.T) {
	inner := "1700000000." + sentBody
	for name, r := range map[string]provider.Request{
		"a list's text as a body":    {Header: http.Header{"X-Signature": {hexSum(secret, inner)}}, Body: []byte(inner)},
		"Slack's text as a body":     {Header: http.Header{"X-Signature": {hexSum(secret, "v0:1700000000:"+sentBody)}}, Body: []byte("v0:1700000000:" + sentBody)},
		"a time of RFC 3339":         {Header: http.Header{"X-Signature": {hexSum(secret, "2023-11-14T22:13:20.5Z.{}")}}, Body: []byte("2023-11-14T22:13:20.5Z.{}")},
		"a body's for time and body": {Header: http.Header{"X-Signature": {"t=1700000000,v1=" + hexSum(secret, sentBody)}}, Body: []byte(sentBody)},
	} {
		r.Header.Set("X-Timestamp", "1700000000")
		refused(t, name, generic(""), r, now, provider.HMACFailed)
		refused(t, name+", time configured", generic("X-Timestamp"), r, now, provider.HMACFailed)
	}
	pullup := provider.Request{Header: http.Header{"X-Pullup-Signature": {hexSum(secret, inner)}}, Body: []byte(inner)}
	refused(t, "a portal delivery as a pullup one", preset("stagedoor"), pullup, now, provider.HMACFailed)
	crc := provider.Request{Header: http.Header{"X-Twitter-Webhooks-Signature": {"sha256=" + base64Sum(secret, "nonce")}}, Body: []byte("nonce")}
	refused(t, "an answered crc_token as a delivery", preset("twitter"), crc, now, provider.HMACFailed)

	// Bodies that are numbers or begin with one are bodies like any other.
	for _, body := range []string{"", "7", "3.14", "[1.5]", "2023-11-14", "v0", "v0:", "id:1", "1700000000", "1700000000,5", strings.Repeat("1", 99) + ".5"} {
		admitted(t, "body "+body, generic(""), provider.Request{Header: http.Header{"X-Signature": {hexSum(secret, body)}}, Body: []byte(body)}, now)
	}
}

// A public key is known to everybody: it verifies signatures, and is never what a request has to name.
func TestAPublicKeyIsNoSecret(t *testing.T) {
	public := "whpk_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	scheme := provider.Scheme{Provider: "stagedoor", HMAC: provider.HMAC{Secret: public}}
	if err := scheme.Validate(provider.Verify{HMAC: true}); err != nil {
		t.Errorf("stagedoor with a public key: %v", err)
	}
	h := plain("X-Pullup-Signature", "", hexSum)(public, sentAt, []byte(sentBody))
	refused(t, "HMAC with a public key", scheme, request(h), now, provider.HMACFailed)
	refused(t, "a public key as Authorization", scheme, request(http.Header{"Authorization": {public}}), now, provider.StaticTokenFailed)
}

// Where the first form's header is there and wrong, no other form is looked at.
func TestNothingFallsBackToAnotherForm(t *testing.T) {
	h := portal(another, sentAt, []byte(sentBody))
	maps.Copy(h, static(secret, 0, nil))
	refused(t, "a wrong portal signature beside the right fixed value", preset("stagedoor"), request(h), now, provider.HMACFailed)
	h = standard("Svix")(another, sentAt, []byte(sentBody))
	maps.Copy(h, standard("Webhook")(secret, sentAt, []byte(sentBody)))
	refused(t, "a wrong Svix signature beside a right unbranded one", preset("svix"), request(h), now, provider.HMACFailed)
}

func TestUnknownProvidersLetNobodyIn(t *testing.T) {
	refused(t, "unknown", preset("paypal"), request(nil), now, provider.HMACFailed)
	refused(t, "no header configured", provider.Scheme{HMAC: provider.HMAC{Secret: secret}}, request(http.Header{"": {hexSum(secret, sentBody)}}), now, provider.HMACFailed)
	admitted(t, "nothing configured", provider.Scheme{}, provider.Request{}, now)
}

// A refusal is shown to the endpoint's owner and written down: nothing of a secret, a token or a signature is in it, and nothing that the sender chose.
func TestRefusalsHoldNothingOfWhatWasSent(t *testing.T) {
	const mark = "Zq9f"
	for _, s := range senders() {
		h := http.Header{}
		for name, value := range s.sign(another, sentAt, []byte(sentBody)) {
			h[name] = []string{mark + value[0] + mark}
		}
		r := refused(t, s.name, s.scheme, request(h), now, "")
		if r != nil && (strings.Contains(r.Error(), mark) || strings.Contains(r.Error(), secret[6:])) {
			t.Errorf("%s: %q holds what was sent or the secret", s.name, r.Error())
		}
	}
}

func TestChecksComeInOrder(t *testing.T) {
	networks, err := provider.ParseNetworks([]string{"203.0.113.0/24"})
	if err != nil {
		t.Fatal(err)
	}
	s := generic("")
	s.Networks, s.Token = networks, token(t, "X-Token", "")
	r := request(http.Header{})
	refused(t, "nothing is right", s, r, now, provider.IPNotAllowed)
	r.Peer = networks[0].Addr()
	refused(t, "the network is right", s, r, now, provider.StaticTokenFailed)
	r.Header.Set("X-Token", tokenValue)
	refused(t, "the token is right too", s, r, now, provider.HMACFailed)
	r.Header.Set("X-Signature", hexSum(secret, sentBody))
	admitted(t, "all is right", s, r, now)
	if s.Only(provider.Verify{}).Check(provider.Request{}, now) != nil {
		t.Error("Only({}) still checks")
	}
	if err := (provider.Scheme{}).Only(provider.Verify{Networks: true}).Check(r, now); err == nil {
		t.Error("an empty allow-list that is switched on lets somebody in")
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	s := preset("github")
	for _, text := range []string{fmt.Sprintf("%v", s), fmt.Sprintf("%+v", s), fmt.Sprintf("%#v", s), s.HMAC.String(), fmt.Sprint(&s)} {
		if strings.Contains(text, secret[6:]) {
			t.Errorf("printed as %s", text)
		}
	}
}

func admitted(t *testing.T, name string, s provider.Scheme, r provider.Request, now time.Time) {
	t.Helper()
	if err := s.Check(r, now); err != nil {
		t.Errorf("%s: Check: %v, want nil", name, err)
	}
}

// refused wants a Refusal for the reason, or for any if it is empty.
func refused(t *testing.T, name string, s provider.Scheme, r provider.Request, now time.Time, reason string) *provider.Refusal {
	t.Helper()
	err := s.Check(r, now)
	var refusal *provider.Refusal
	if !errors.As(err, &refusal) {
		t.Errorf("%s: Check: %v, want a Refusal", name, err)
		return nil
	}
	if reason != "" && refusal.Reason != reason || refusal.Detail == "" {
		t.Errorf("%s: Check: %v, want the reason %s and a detail", name, err, reason)
	}
	return refusal
}

func request(h http.Header) provider.Request {
	return provider.Request{Header: h, Body: []byte(sentBody)}
}

func swap(s string, i int) string {
	b := []byte(s)
	if b[i]++; b[i] > 'y' || b[i] == ',' || b[i] == ' ' {
		b[i] = 'A'
	}
	return string(b)
}

func sum(key, text string) []byte {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(text))
	return h.Sum(nil)
}

func hexSum(key, text string) string    { return hex.EncodeToString(sum(key, text)) }
func base64Sum(key, text string) string { return base64.StdEncoding.EncodeToString(sum(key, text)) }

type signs = func(key string, at int64, body []byte) http.Header

func plain(header, mark string, encoded func(key, text string) string) signs {
	return func(key string, _ int64, body []byte) http.Header {
		return http.Header{header: {mark + encoded(key, string(body))}}
	}
}

func list(header string) signs {
	return func(key string, at int64, body []byte) http.Header {
		stamp := strconv.FormatInt(at, 10)
		return http.Header{header: {"t=" + stamp + ",v1=" + hexSum(key, stamp+"."+string(body))}}
	}
}

func v0(header, stampHeader string) signs {
	return func(key string, at int64, body []byte) http.Header {
		stamp := strconv.FormatInt(at, 10)
		return http.Header{stampHeader: {stamp}, header: {"v0=" + hexSum(key, "v0:"+stamp+":"+string(body))}}
	}
}

func apart(mark string, encoded func(key, text string) string) signs {
	return func(key string, at int64, body []byte) http.Header {
		stamp := strconv.FormatInt(at, 10)
		return http.Header{"X-Timestamp": {stamp}, "X-Signature": {mark + encoded(key, stamp+"."+string(body))}}
	}
}

func portal(key string, at int64, body []byte) http.Header {
	stamp := strconv.FormatInt(at, 10)
	return http.Header{"X-Webhook-Timestamp": {stamp}, "X-Webhook-Signature": {"sha256=" + hexSum(key, stamp+"."+string(body))}}
}

func standard(brand string) signs {
	return func(key string, at int64, body []byte) http.Header {
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(key, "whsec_"))
		if err != nil {
			panic(err)
		}
		stamp := strconv.FormatInt(at, 10)
		return http.Header{
			brand + "-Id": {"msg_1"}, brand + "-Timestamp": {stamp},
			brand + "-Signature": {"v1," + base64Sum(string(raw), "msg_1."+stamp+"."+string(body))},
		}
	}
}

func static(key string, _ int64, _ []byte) http.Header { return http.Header{"Authorization": {key}} }
