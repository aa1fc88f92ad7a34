package google_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"maps"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/pass/google"
)

func TestAccountOfNobodys(t *testing.T) {
	file, err := made()
	if err != nil {
		t.Fatal(err)
	}
	a, err := google.ReadAccount(file)
	if err != nil {
		t.Fatal(err)
	}
	if !a.Test || a.Email != "wallet@stagedoor.invalid" {
		t.Errorf("ReadAccount = %s, test: %t; want one of nobody's", a.Email, a.Test)
	}
	var f map[string]string
	if err := json.Unmarshal(file, &f); err != nil {
		t.Fatal(err)
	}
	if f["type"] != "service_account" || f["token_uri"] != "https://oauth2.googleapis.com/token" || len(f["private_key_id"]) != 40 {
		t.Errorf("NewAccount makes %q of type %q for %q", f["private_key_id"], f["type"], f["token_uri"])
	}
}

func TestAccountThatIsNone(t *testing.T) {
	file, err := made()
	if err != nil {
		t.Fatal(err)
	}
	var good map[string]string
	if err := json.Unmarshal(file, &good); err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(other)
	if err != nil {
		t.Fatal(err)
	}
	ec := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	half := good["private_key"][:400] + "\n-----END PRIVATE KEY-----\n"
	for what, change := range map[string][2]string{
		"an OAuth client":          {"type", "authorized_user"},
		"no type":                  {"type", ""},
		"no address":               {"client_email", "wallet"},
		"an address of two lines":  {"client_email", "wallet@a.example\nb"},
		"no token URL":             {"token_uri", ""},
		"a token URL without TLS":  {"token_uri", "http://oauth2.example/token"},
		"no key":                   {"private_key", ""},
		"half a key":               {"private_key", half},
		"a key on a curve":         {"private_key", ec},
		"a key that is no PEM":     {"private_key", "c2VjcmV0"},
		"a key of something other": {"private_key", "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"},
	} {
		bad := maps.Clone(good)
		bad[change[0]] = change[1]
		_, err := google.ReadAccount(asJSON(t, bad))
		if err == nil {
			t.Errorf("ReadAccount with %s succeeded", what)
			continue
		}
		if !strings.HasPrefix(err.Error(), "service account: ") || strings.Contains(err.Error(), "c2Vj") || strings.Contains(err.Error(), half[40:60]) {
			t.Errorf("ReadAccount with %s: %v", what, err)
		}
	}
	for what, file := range map[string][]byte{"nothing": nil, "no JSON": []byte("account"), "too much": bytes.Repeat([]byte(" "), 64<<10+1)} {
		if _, err := google.ReadAccount(file); err == nil {
			t.Errorf("ReadAccount of %s succeeded", what)
		}
	}
}

func FuzzReadAccount(f *testing.F) {
	file, err := made()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	f.Add([]byte(`{"type":"service_account","client_email":"a@b","token_uri":"https://x","private_key":"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		a, err := google.ReadAccount(file)
		if err != nil {
			if a != nil || !strings.HasPrefix(err.Error(), "service account: ") {
				t.Errorf("ReadAccount of %q = %v, %v", file, a, err)
			}
			return
		}
		if _, err := google.New(google.Config{Account: a, Issuer: issuer}); err != nil {
			t.Errorf("New with what ReadAccount took: %v", err)
		}
	})
}
