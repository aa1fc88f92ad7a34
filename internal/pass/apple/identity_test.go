package apple_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/stagedoorhq/stagedoor/internal/pass/apple"
)

// blocks are the parts of a test identity's PEM: certificate, key, intermediate, root.
func blocks(t testing.TB, b []byte) (out []*pem.Block) {
	t.Helper()
	for one, rest := pem.Decode(b); one != nil; one, rest = pem.Decode(rest) {
		out = append(out, one)
	}
	if len(out) != 4 {
		t.Fatalf("NewIdentity wrote %d blocks of PEM, want 4", len(out))
	}
	return out
}

func encoded(blocks ...*pem.Block) (out []byte) {
	for _, b := range blocks {
		out = append(out, pem.EncodeToMemory(b)...)
	}
	return out
}

func testPEM(t testing.TB) []byte {
	t.Helper()
	b, err := identityPEM()
	if err != nil {
		t.Fatalf("NewIdentity: %v", err)
	}
	return b
}

func TestIdentityIsReadInAnyOrderAndForm(t *testing.T) {
	b := blocks(t, testPEM(t))
	leaf, key, middle, root := b[0], b[1], b[2], b[3]
	parsed := func(b *pem.Block) *x509.Certificate {
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	private, err := x509.ParsePKCS8PrivateKey(key.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private.(*rsa.PrivateKey))}
	p12 := func(e *pkcs12.Encoder, password string, above ...*x509.Certificate) []byte {
		out, err := e.Encode(private, parsed(leaf), above, password)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for name, tt := range map[string]struct {
		file, above []byte
		password    string
	}{
		"as it was made":                 {file: encoded(b...)},
		"backwards":                      {file: encoded(root, middle, key, leaf)},
		"without the root":               {file: encoded(key, middle, leaf)},
		"with text around":               {file: append([]byte("Bag Attributes\n  friendlyName: x\n"), encoded(leaf, pkcs1, middle)...)},
		"PKCS#1":                         {file: encoded(leaf, pkcs1, middle)},
		"the intermediate beside it":     {file: encoded(leaf, key), above: encoded(middle)},
		"the intermediate in DER":        {file: encoded(leaf, key), above: middle.Bytes},
		"PKCS#12 of the keychain":        {file: p12(pkcs12.LegacyDES, "s3cret", parsed(middle)), password: "s3cret"},
		"PKCS#12 without intermediate":   {file: p12(pkcs12.Modern2023, ""), above: encoded(middle)},
		"PKCS#12 with all that there is": {file: p12(pkcs12.Modern2023, "x", parsed(root), parsed(middle)), password: "x"},
	} {
		i, err := apple.ReadIdentity(tt.file, tt.password, tt.above)
		if err != nil {
			t.Errorf("%s: ReadIdentity: %v", name, err)
			continue
		}
		whole := bytes.Contains(tt.file, encoded(root)) || name == "PKCS#12 with all that there is"
		if i.TypeID != "pass.test.stagedoor" || i.TeamID != "STAGEDOOR0" || i.Test != whole || (i.Roots() != nil) != whole || !i.Expires.Equal(parsed(leaf).NotAfter) {
			t.Errorf("%s: ReadIdentity = %s of %s until %v, test %v, %d bytes of roots", name, i.TypeID, i.TeamID, i.Expires, i.Test, len(i.Roots()))
		}
		if _, err := apple.NewPress(i, "https://tickets.example/passkit").Make(concert(), today); err != nil {
			t.Errorf("%s: Make: %v", name, err)
		}
	}
}

func TestIdentityThatHasExpiredIsReadAndMakesNothing(t *testing.T) {
	b, err := apple.NewIdentity(today.AddDate(-11, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	i, err := apple.ReadIdentity(b, "", nil)
	if err != nil {
		t.Fatalf("ReadIdentity of one that has expired: %v", err)
	}
	if !i.Expires.Before(today) {
		t.Errorf("Expires = %v, want before %v", i.Expires, today)
	}
	if _, err := apple.NewPress(i, "").Make(concert(), today); !isProblem(err, "certificate_expired") {
		t.Errorf("Make with an identity that has expired: %v, want certificate_expired", err)
	}
	if err := apple.NewPress(i, "").Ready(i.Expires.Add(-time.Second)); err != nil {
		t.Errorf("Ready a second before the end: %v", err)
	}
	if err := apple.NewPress(i, "").Ready(i.Expires); !isProblem(err, "certificate_expired") {
		t.Errorf("Ready at the end: %v, want certificate_expired", err)
	}
}

// issued makes a certificate for a key, by itself or by the intermediate of an identity, of which it says nothing.
func issued(t testing.TB, subject pkix.Name, key any, public any) *pem.Block {
	t.Helper()
	c := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: subject, NotBefore: today.Add(-time.Hour), NotAfter: today.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, public, key)
	if err != nil {
		t.Fatal(err)
	}
	return &pem.Block{Type: "CERTIFICATE", Bytes: der}
}

func keyBlock(t testing.TB, key any) *pem.Block {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return &pem.Block{Type: "PRIVATE KEY", Bytes: der}
}

func TestIdentityThatIsNoneSaysWhatToDo(t *testing.T) {
	b := blocks(t, testPEM(t))
	leaf, key, middle, root := b[0], b[1], b[2], b[3]
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	uid := []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}, Value: "pass.org.example"}}
	app := []pkix.AttributeTypeAndValue{{Type: uid[0].Type, Value: "org.example.app"}}
	private, err := x509.ParsePKCS8PrivateKey(key.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(leaf.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	p12, err := pkcs12.Modern2023.Encode(private, cert, nil, "right")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, says  string
		file, above []byte
		password    string
	}{
		{"nothing", "neither PEM nor", nil, nil, ""},
		{"something else", "neither PEM nor", []byte("hello"), nil, ""},
		{"another password", "password", p12, nil, "wrong"},
		{"no key", "no private key", encoded(leaf, middle), nil, ""},
		{"no certificate", "no certificate", encoded(key), nil, ""},
		{"another's key", "belongs to none", encoded(leaf, middle, keyBlock(t, own)), nil, ""},
		{"two keys", "several private keys", encoded(leaf, key, keyBlock(t, own), middle), nil, ""},
		{"encrypted key", "openssl pkey", encoded(leaf, &pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: key.Bytes}, middle), nil, ""},
		{"old encryption", "openssl pkey", encoded(leaf, &pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"DEK-Info": "AES-256-CBC,00"}, Bytes: key.Bytes}, middle), nil, ""},
		{"broken key", "openssl pkey", encoded(leaf, &pem.Block{Type: "PRIVATE KEY", Bytes: key.Bytes[:40]}, middle), nil, ""},
		{"broken certificate", "certificate 1", encoded(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Bytes[:100]}, key), nil, ""},
		{"key that cannot sign", "neither for RSA nor for ECDSA", encoded(issued(t, pkix.Name{ExtraNames: uid, OrganizationalUnit: []string{"T"}}, edwards, public), keyBlock(t, edwards)), nil, ""},
		{"no intermediate", "--apple-wwdr", encoded(leaf, key, root), nil, ""},
		{"another intermediate", "Stagedoor Test Intermediate", encoded(leaf, key), encoded(root), ""},
		{"intermediate that is none", "intermediate certificate", encoded(leaf, key), []byte("hello"), ""},
		{"no UID", "Pass Type ID certificate", encoded(issued(t, pkix.Name{CommonName: "x"}, own, own.Public()), keyBlock(t, own)), nil, ""},
		{"an app's certificate", "Pass Type ID certificate", encoded(issued(t, pkix.Name{ExtraNames: app}, own, own.Public()), keyBlock(t, own)), nil, ""},
		{"no team", "team identifier", encoded(issued(t, pkix.Name{ExtraNames: uid}, own, own.Public()), keyBlock(t, own)), nil, ""},
		{"issued by itself", "--apple-wwdr", encoded(issued(t, pkix.Name{ExtraNames: uid, OrganizationalUnit: []string{"T"}}, own, own.Public()), keyBlock(t, own)), nil, ""},
		{"much", "bytes", bytes.Repeat([]byte("x"), 2<<20), nil, ""},
	} {
		i, err := apple.ReadIdentity(tt.file, tt.password, tt.above)
		if err == nil || i != nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: ReadIdentity = %v, %v, want an error that says %q", tt.name, i, err, tt.says)
		}
	}
}

// FuzzReadIdentity: whatever the file, an identity or an error comes, and not both.
func FuzzReadIdentity(f *testing.F) {
	whole := testPEM(f)
	f.Add(whole, "", []byte(nil))
	f.Add(slices.Concat(whole[:200], []byte("-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----\n")), "", whole)
	f.Add([]byte{0x30, 0x03, 0x02, 0x01, 0x03}, "x", []byte{0x30, 0x00})
	f.Fuzz(func(t *testing.T, file []byte, password string, above []byte) {
		i, err := apple.ReadIdentity(file, password, above)
		if (i == nil) == (err == nil) {
			t.Errorf("ReadIdentity = %v, %v", i, err)
		}
		if i != nil && (i.TypeID == "" || i.TeamID == "" || i.Expires.IsZero()) {
			t.Errorf("ReadIdentity = %+v", i)
		}
	})
}
