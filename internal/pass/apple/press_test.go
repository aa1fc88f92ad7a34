package apple_test

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"
)

func TestOpenSSLVerifiesWhatWasMade(t *testing.T) {
	files := made(t, press(t), concert())
	files["roots.pem"] = identity(t).Roots()
	files["other.json"] = append([]byte(" "), files["manifest.json"]...)
	dir := folder(t, files)
	verify := func(manifest string) ([]byte, error) {
		return openssl(t, "cms", "-verify", "-binary", "-inform", "DER", "-purpose", "any", "-in", filepath.Join(dir, "signature"),
			"-content", filepath.Join(dir, manifest), "-CAfile", filepath.Join(dir, "roots.pem"), "-out", filepath.Join(dir, "out"))
	}
	if out, err := verify("manifest.json"); err != nil {
		t.Errorf("openssl cms -verify of a pass: %v\n%s", err, out)
	}
	if out, err := verify("other.json"); err == nil {
		t.Errorf("openssl cms -verify took a manifest that was changed:\n%s", out)
	}
}

func TestManifestNamesAllFiles(t *testing.T) {
	files := made(t, press(t), concert())
	var sums map[string]string
	if err := json.Unmarshal(files["manifest.json"], &sums); err != nil {
		t.Fatalf("manifest.json: %v", err)
	}
	for name, body := range files {
		sum := sha1.Sum(body)
		switch got, listed := sums[name]; {
		case name == "manifest.json" || name == "signature":
			if listed {
				t.Errorf("manifest.json lists %s", name)
			}
		case got != hex.EncodeToString(sum[:]):
			t.Errorf("manifest.json says %q of %s, want %x", got, name, sum)
		}
		delete(sums, name)
	}
	for name := range sums {
		t.Errorf("manifest.json lists %s, which is not in the pass", name)
	}
}

// cms is the part of SignedData (RFC 5652 §5.1) that the tests look at.
type cms struct {
	Version      int
	Digests      []pkix.AlgorithmIdentifier `asn1:"set"`
	Content      struct{ Type asn1.ObjectIdentifier }
	Certificates asn1.RawValue `asn1:"tag:0"`
	Signers      []struct {
		Version    int
		Who        asn1.RawValue
		Digest     pkix.AlgorithmIdentifier
		Attributes []struct {
			Type  asn1.ObjectIdentifier
			Value asn1.RawValue `asn1:"set"`
		} `asn1:"tag:0"`
		Signing   pkix.AlgorithmIdentifier
		Signature []byte
	} `asn1:"set"`
}

// TestSignatureIsAsPhonesWantIt: a detached signature by SHA-256, with the time and the certificates up to the root, but not the root.
func TestSignatureIsAsPhonesWantIt(t *testing.T) {
	before := time.Now().Add(-time.Second)
	files := made(t, press(t), concert())
	var outer struct {
		Type    asn1.ObjectIdentifier
		Content cms `asn1:"explicit,tag:0"`
	}
	if rest, err := asn1.Unmarshal(files["signature"], &outer); err != nil || len(rest) > 0 {
		t.Fatalf("signature: %v, and %d bytes behind it", err, len(rest))
	}
	signed := outer.Content
	if got := outer.Type.String() + " " + signed.Content.Type.String(); got != "1.2.840.113549.1.7.2 1.2.840.113549.1.7.1" {
		t.Errorf("the signature's types are %s, want signed data of data that is elsewhere", got)
	}
	certs, err := x509.ParseCertificates(signed.Certificates.Bytes)
	if err != nil || len(certs) != 2 || certs[0].Subject.CommonName != "Pass Type ID: pass.test.stagedoor" || certs[1].Subject.CommonName != "Stagedoor Test Intermediate" {
		t.Errorf("the certificates with the signature are %v, %v; want the pass type's and the intermediate", certs, err)
	}
	if len(signed.Signers) != 1 || signed.Signers[0].Digest.Algorithm.String() != "2.16.840.1.101.3.4.2.1" {
		t.Fatalf("signers %+v, want one with SHA-256", signed.Signers)
	}
	seen := map[string]bool{}
	for _, a := range signed.Signers[0].Attributes {
		seen[a.Type.String()] = true
		switch a.Type.String() {
		case "1.2.840.113549.1.9.4": // messageDigest
			var digest []byte
			sum := sha256.Sum256(files["manifest.json"])
			if _, err := asn1.Unmarshal(a.Value.Bytes, &digest); err != nil || !bytes.Equal(digest, sum[:]) {
				t.Errorf("the message digest is %x, %v, want %x", digest, err, sum)
			}
		case "1.2.840.113549.1.9.5": // signingTime
			var at time.Time
			if _, err := asn1.Unmarshal(a.Value.Bytes, &at); err != nil || at.Before(before) || at.After(time.Now()) {
				t.Errorf("the signing time is %v, %v, want about %v", at, err, before)
			}
		}
	}
	for _, want := range []string{"1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4", "1.2.840.113549.1.9.5"} {
		if !seen[want] {
			t.Errorf("the signature has no attribute %s", want)
		}
	}
}

// BenchmarkMake makes passes of an event with a strip of its own, as after a change of it.
func BenchmarkMake(b *testing.B) {
	p, f := press(b), concert()
	f.Images = map[string][]byte{"strip": photo(b, 1600, 900), "logo": photo(b, 900, 300)}
	f.Design.Images = map[string]string{"strip": "1", "logo": "2"} // where the book has them from
	made(b, p, f)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := p.Make(f, today); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "passes/s")
}
