package ethpass

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// papers are a certificate for passes as somebody has it who asked Apple for one: all by RSA, the intermediate in a file of its own.
type papers struct {
	File  string // certificate and key, in PEM
	Key   string // the key alone
	Above string // the intermediate, in DER
	PEM   string // the same in PEM
	Roots []byte // whose issuer everybody knows
}

// newPapers makes papers and writes them into a directory.
func newPapers(dir string) (p papers, err error) {
	root, rootKey, err := issue(pkix.Name{CommonName: "A Root CA", Organization: []string{"Example"}}, nil, nil)
	if err != nil {
		return p, err
	}
	middle, middleKey, err := issue(pkix.Name{CommonName: "A Developer Relations Certification Authority", OrganizationalUnit: []string{"G4"}, Organization: []string{"Example"}}, root, rootKey)
	if err != nil {
		return p, err
	}
	const typeID = "pass.com.example.tickets"
	leaf, key, err := issue(pkix.Name{
		CommonName: "Pass Type ID: " + typeID, OrganizationalUnit: []string{"A1B2C3D4E5"}, Organization: []string{"Pier Hall"}, Country: []string{"NO"},
		ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}, Value: typeID}},
	}, middle, middleKey)
	if err != nil {
		return p, err
	}
	p = papers{filepath.Join(dir, "pass.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "above.cer"), filepath.Join(dir, "above.pem"), certificate(root)}
	secret := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	for file, text := range map[string][]byte{p.File: append(certificate(leaf), secret...), p.Key: secret, p.Above: middle.Raw, p.PEM: certificate(middle)} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return p, err
		}
	}
	return p, nil
}

func certificate(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

// issue makes a key and its certificate: an authority's with a parent that is one by itself, or without any.
func issue(subject pkix.Name, parent *x509.Certificate, by *rsa.PrivateKey) (*x509.Certificate, *rsa.PrivateKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, nil, err
	}
	c := &x509.Certificate{
		Subject: subject, SerialNumber: new(big.Int).SetBytes([]byte(rand.Text()[:16])), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		BasicConstraintsValid: true, IsCA: len(subject.ExtraNames) == 0,
	}
	if c.IsCA {
		c.KeyUsage = x509.KeyUsageCertSign
	} else {
		c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{1, 2, 840, 113635, 100, 4, 14}} // signs passes
	}
	if parent == nil {
		parent, by = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
	if err != nil {
		return nil, nil, err
	}
	c, err = x509.ParseCertificate(der)
	return c, key, err
}
