package webhook_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/webhook"
)

func TestNewSecretServesEveryScheme(t *testing.T) {
	secret := webhook.NewSecret()
	if len(secret) != len("whsec_")+44 || !strings.HasPrefix(secret, "whsec_") {
		t.Errorf("NewSecret: got a secret of %d characters", len(secret))
	}
	if secret == webhook.NewSecret() {
		t.Error("NewSecret: got the same secret twice")
	}
	for _, scheme := range schemes {
		m := aMessage()
		h := make(http.Header)
		if err := newSigner(t, scheme, text(secret)...).SetHeaders(h, m); err != nil {
			t.Fatalf("%s: SetHeaders: %v", scheme, err)
		}
		if _, err := newVerifier(t, scheme, text(secret)...).Verify(h, m.Body, m.Time); err != nil {
			t.Errorf("%s: Verify: %v", scheme, err)
		}
	}
}

func TestNewKeyPairBelongsTogether(t *testing.T) {
	private, public := webhook.NewKeyPair()
	got, err := webhook.PublicKey(private)
	if err != nil || got != public {
		t.Errorf("PublicKey: got %q, %v, want %q", got, err, public)
	}
	for _, wrong := range []string{"", public, webhook.NewSecret(), private[:20], "whsk_"} {
		if got, err := webhook.PublicKey(wrong); err == nil {
			t.Errorf("PublicKey of something else: got %q, want an error", got)
		}
	}
}

func TestNoKeysAndTooManyKeysAreRefused(t *testing.T) {
	for _, scheme := range schemes {
		for _, keys := range [][]webhook.Key{nil, text(oldSecret, oldSecret, oldSecret, oldSecret, oldSecret), text(oldSecret, "")} {
			if _, err := webhook.NewSigner(scheme, keys...); err == nil {
				t.Errorf("NewSigner(%s) takes %d keys", scheme, len(keys))
			}
			if _, err := webhook.NewVerifier(scheme, keys...); err == nil {
				t.Errorf("NewVerifier(%s) takes %d keys", scheme, len(keys))
			}
		}
	}
}

func TestKeysAreNotShownWhenPrinted(t *testing.T) {
	const secret = "whsec_dG9wc2VjcmV0dG9wc2VjcmV0dG9wc2VjcmV0"
	key := webhook.Key{Text: secret, Until: time.Unix(sentAt, 0)}
	signer := newSigner(t, webhook.Portal, key)
	verifier := newVerifier(t, webhook.Portal, key)
	static := newVerifier(t, webhook.Static, key)
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, nil))
	for _, v := range []any{key, &key, []webhook.Key{key}, signer, verifier, static} {
		logger.Info("printed", "value", v)
		fmt.Fprintf(&log, "%v %+v %#v %s %q\n", v, v, v, v, v)
		if err := json.NewEncoder(&log).Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(log.String(), secret[6:20]) {
		t.Errorf("a key is shown:\n%s", log.String())
	}
}
