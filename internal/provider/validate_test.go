package provider_test

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/provider"
)

// pointers wants an Invalid problem at these fields and no others, each with a sentence.
func pointers(t *testing.T, err error, want ...string) {
	t.Helper()
	p := problem.As(err)
	if p == nil || p.Kind != problem.Invalid {
		t.Errorf("got %v, want an Invalid problem at %v", err, want)
		return
	}
	var got []string
	for _, f := range p.Fields {
		got = append(got, f.Pointer)
		if f.Code == "" || !strings.HasSuffix(f.Detail, ".") {
			t.Errorf("%s: code %q, detail %q; want a code and a sentence", f.Pointer, f.Code, f.Detail)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%v: fields (-want +got):\n%s", err, diff)
	}
}

func TestWhatIsSwitchedOnHasToBeComplete(t *testing.T) {
	all := provider.Verify{Token: true, HMAC: true, Networks: true}
	pointers(t, provider.Scheme{}.Validate(all), "/token_header_name", "/token_value", "/hmac_header_name", "/hmac_secret", "/allowed_cidrs")
	pointers(t, provider.Scheme{Token: token(t, "", "")}.Validate(all), "/token_header_name", "/hmac_header_name", "/hmac_secret", "/allowed_cidrs")
	pointers(t, provider.Scheme{HMAC: provider.HMAC{Header: "X-Signature"}}.Validate(provider.Verify{HMAC: true}), "/hmac_secret")
	pointers(t, provider.Scheme{HMAC: provider.HMAC{Secret: secret}}.Validate(provider.Verify{HMAC: true}), "/hmac_header_name")
	for _, name := range provider.Names() {
		pointers(t, provider.Scheme{Provider: name}.Validate(provider.Verify{HMAC: true}), "/hmac_secret")
		if err := preset(name).Validate(provider.Verify{HMAC: true}); err != nil {
			t.Errorf("%s: its secret is not enough: %v", name, err)
		}
		if err := (provider.Scheme{Provider: name}).Validate(provider.Verify{}); err != nil {
			t.Errorf("%s: nothing is switched on: %v", name, err)
		}
	}
	complete := generic("X-Timestamp")
	complete.HMAC.TTL, complete.Token, complete.Networks = time.Minute, token(t, "", "key"), []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, v := range []provider.Verify{{}, all} {
		if err := complete.Validate(v); err != nil {
			t.Errorf("complete, %+v: %v", v, err)
		}
	}
	if err := (provider.Scheme{Provider: "stubhub", Token: token(t, "", "")}).Validate(provider.Verify{Token: true}); err != nil {
		t.Errorf("StubHub's token needs a place: %v", err)
	}
}

func TestWhatIsThereHasToBeRight(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(s *provider.Scheme)
		want   []string
	}{
		{"provider", func(s *provider.Scheme) { s.Provider = "paypal" }, []string{"/provider"}},
		{"provider in another case", func(s *provider.Scheme) { s.Provider = "GitHub" }, []string{"/provider"}},
		{"token header", func(s *provider.Scheme) { s.Token.Header = "X Token" }, []string{"/token_header_name"}},
		{"token parameter", func(s *provider.Scheme) { s.Token.Query = "a\nb" }, []string{"/token_query_param"}},
		{"hmac header", func(s *provider.Scheme) { s.HMAC.Header = "X-Signature:" }, []string{"/hmac_header_name"}},
		{"hmac header too long", func(s *provider.Scheme) { s.HMAC.Header = strings.Repeat("x", 257) }, []string{"/hmac_header_name"}},
		{"host", func(s *provider.Scheme) { s.HMAC.Header = "host" }, []string{"/hmac_header_name"}},
		{"timestamp header", func(s *provider.Scheme) { s.HMAC.TimestampHeader = "Zeit für" }, []string{"/timestamp_header_name"}},
		{"ttl alone", func(s *provider.Scheme) { s.HMAC.TimestampHeader, s.HMAC.TTL = "", time.Minute }, []string{"/timestamp_header_name"}},
		{"ttl negative", func(s *provider.Scheme) { s.HMAC.TTL = -time.Second }, []string{"/timestamp_ttl_seconds"}},
		{"ttl under a second", func(s *provider.Scheme) { s.HMAC.TTL = time.Millisecond }, []string{"/timestamp_ttl_seconds"}},
		{"ttl too long", func(s *provider.Scheme) { s.HMAC.TTL = provider.MaxTTL + time.Second }, []string{"/timestamp_ttl_seconds"}},
		{"secret with a line's end", func(s *provider.Scheme) { s.HMAC.Secret = secret + "\n" }, []string{"/hmac_secret"}},
		{"secret with a space", func(s *provider.Scheme) { s.HMAC.Secret = " " + secret }, []string{"/hmac_secret"}},
		{"secret too long", func(s *provider.Scheme) { s.HMAC.Secret = strings.Repeat("x", 1025) }, []string{"/hmac_secret"}},
		{"networks", func(s *provider.Scheme) { s.Networks = make([]netip.Prefix, provider.MaxNetworks+1) }, []string{"/allowed_cidrs"}},
	} {
		s := generic("X-Timestamp")
		c.change(&s)
		for _, v := range []provider.Verify{{}, {HMAC: true}} {
			err := s.Validate(v)
			pointers(t, err, c.want...)
			if err != nil && strings.Contains(err.Error(), secret[6:]) {
				t.Errorf("%s: %v holds the secret", c.name, err)
			}
		}
	}
}

func TestPresetsHoldTheirOwnHeaders(t *testing.T) {
	on := provider.Verify{HMAC: true}
	for name, c := range map[string]struct {
		signature, stamp string
		timed            bool
	}{
		"stripe": {"stripe-signature", "Stripe-Signature", true}, "github": {"X-Hub-Signature-256", "", false}, "shopify": {"X-Shopify-Hmac-SHA256", "", false},
		"slack": {"X-Slack-Signature", "X-Slack-Request-Timestamp", true}, "zoom": {"x-zm-signature", "x-zm-request-timestamp", true},
		"twitter": {"x-twitter-webhooks-signature", "", false}, "standard-webhooks": {"webhook-signature", "webhook-timestamp", true},
		"svix": {"svix-signature", "svix-timestamp", true}, "stubhub": {"Authorization", "", false}, "stagedoor": {"", "", true},
	} {
		s := preset(name)
		s.HMAC.Header, s.HMAC.TimestampHeader = c.signature, c.stamp
		if err := s.Validate(on); err != nil {
			t.Errorf("%s with its own headers: %v", name, err)
		}
		s.HMAC.Header, s.HMAC.TimestampHeader = "X-Signature", "X-Timestamp"
		pointers(t, s.Validate(on), "/hmac_header_name", "/timestamp_header_name")

		s = preset(name)
		if s.HMAC.TTL = time.Minute; c.timed {
			if err := s.Validate(on); err != nil {
				t.Errorf("%s with a TTL: %v", name, err)
			}
		} else {
			pointers(t, s.Validate(on), "/timestamp_ttl_seconds")
		}
	}
}

func TestSecretsHaveTheirProvidersForm(t *testing.T) {
	public := "whpk_" + strings.Repeat("A", 43) + "="
	for _, c := range []struct {
		secret  string
		refused string // by these providers
	}{
		{secret, ""},
		{"0123456789abcdef0123456789abcdef", "standard-webhooks svix"},
		{"whsec_", "standard-webhooks svix"},
		{"whsec_c2hvcnQ=", "standard-webhooks svix"},
		{"whsec_not base64, not base64, not base64", "standard-webhooks svix"},
		{public, "stubhub"},
		{"sk_test_4eC39HqLyjWDarjtT1zdp7dc", "stripe standard-webhooks svix"},
		{"sécrèt", "standard-webhooks svix stubhub stagedoor"},
	} {
		for _, name := range provider.Names() {
			s := provider.Scheme{Provider: name, HMAC: provider.HMAC{Secret: c.secret}}
			if err := s.Validate(provider.Verify{HMAC: true}); slices.Contains(strings.Fields(c.refused), name) {
				pointers(t, err, "/hmac_secret")
				if err != nil && strings.Contains(err.Error(), c.secret) && c.secret != "whsec_" {
					t.Errorf("%s: %v holds the secret", name, err)
				}
			} else if err != nil {
				t.Errorf("%s with %q: %v", name, c.secret, err)
			}
		}
	}
	// One that was kept and does not fit any more lets nobody in, and says so.
	s := provider.Scheme{Provider: "svix", HMAC: provider.HMAC{Secret: "whsec_c2hvcnQ="}}
	refused(t, "a secret without its form", s, request(http.Header{"Svix-Signature": {"v1,x"}}), now, provider.HMACFailed)
}
