package apple

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

// What a test identity says of itself.
const (
	testRoot = "Stagedoor Test Root"
	testType = "pass.test.stagedoor"
	testTeam = "STAGEDOOR0" // ten characters, as Apple's are
)

// oidPassSigning is the purpose that Apple's pass type certificates have beside being a TLS client's.
var oidPassSigning = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 4, 14}

// NewIdentity makes a test authority and, by it, an intermediate and a pass type certificate, good for ten years. Its PEM is what ReadIdentity reads.
func NewIdentity(now time.Time) ([]byte, error) {
	root, rootKey, err := issue(certificate(now, pkix.Name{CommonName: testRoot, Organization: []string{"Stagedoor"}}, true), nil, nil)
	if err != nil {
		return nil, err
	}
	middle, middleKey, err := issue(certificate(now, pkix.Name{CommonName: "Stagedoor Test Intermediate", Organization: []string{"Stagedoor"}}, true), root, rootKey)
	if err != nil {
		return nil, err
	}
	leaf, key, err := issue(certificate(now, pkix.Name{
		CommonName:         "Pass Type ID: " + testType,
		OrganizationalUnit: []string{testTeam},
		Organization:       []string{"Stagedoor"},
		ExtraNames:         []pkix.AttributeTypeAndValue{{Type: oidUserID, Value: testType}},
	}, false), middle, middleKey)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("test identity: %w", err)
	}
	var b bytes.Buffer
	for _, block := range []*pem.Block{
		{Type: "CERTIFICATE", Bytes: leaf.Raw}, {Type: "PRIVATE KEY", Bytes: der}, {Type: "CERTIFICATE", Bytes: middle.Raw}, {Type: "CERTIFICATE", Bytes: root.Raw},
	} {
		b.Write(pem.EncodeToMemory(block)) // a buffer takes all
	}
	return b.Bytes(), nil
}

// certificate says what is to be issued. It begins a day ago, so that clocks may differ.
func certificate(now time.Time, subject pkix.Name, authority bool) *x509.Certificate {
	c := &x509.Certificate{
		Subject:               subject,
		NotBefore:             now.UTC().AddDate(0, 0, -1),
		NotAfter:              now.UTC().AddDate(10, 0, 0),
		BasicConstraintsValid: true,
		IsCA:                  authority,
	}
	if authority {
		c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
		return c
	}
	c.KeyUsage = x509.KeyUsageDigitalSignature
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{oidPassSigning}
	return c
}

// issue makes a key and its certificate; without a parent it issues itself. The pass type's key is for RSA, as Apple's have to be; authorities make do with less work.
func issue(c, parent *x509.Certificate, by crypto.Signer) (_ *x509.Certificate, key crypto.Signer, err error) {
	if c.IsCA {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	} else {
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("key of %q: %w", c.Subject.CommonName, err)
	}
	if parent == nil {
		parent, by = c, key
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, nil, fmt.Errorf("key of %q: %w", c.Subject.CommonName, err)
	}
	serial := sha256.Sum256(public)
	c.SerialNumber = new(big.Int).SetBytes(append([]byte{1}, serial[:15]...)) // as random as the key is
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), by)
	if err != nil {
		return nil, nil, fmt.Errorf("certificate of %q: %w", c.Subject.CommonName, err)
	}
	made, err := x509.ParseCertificate(der)
	return made, key, err
}
