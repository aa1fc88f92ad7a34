package apple

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"software.sslmate.com/src/go-pkcs12"
)

// Identity is a pass type certificate with its key and the certificates above it.
type Identity struct {
	TypeID  string    // the pass type identifier: the certificate's user id (UID)
	TeamID  string    // its organizational unit
	Expires time.Time // the earliest end of the certificate and those above it that are with it
	Test    bool      // made by us, so that no phone takes it

	key   crypto.Signer
	leaf  *x509.Certificate
	above []*x509.Certificate // the issuer first; without the root
	root  *x509.Certificate   // nil where it was not with it
}

// oidUserID is the attribute UID (RFC 4519 §2.39), in which Apple puts the pass type identifier.
var oidUserID = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}

// maxIdentity bounds what is read: a handful of certificates and a key.
const maxIdentity = 1 << 20

// ReadIdentity reads a file: PEM with certificate, key and the intermediate, in any order, or PKCS#12. above holds the intermediate where the file has none, in PEM
// or, as Apple hands it out, in DER; may be empty. An identity that has expired is read all the same.
func ReadIdentity(file []byte, password string, above []byte) (*Identity, error) {
	if len(file) > maxIdentity || len(above) > maxIdentity {
		return nil, fmt.Errorf("the file has more than %d bytes; give a file that has nothing but the certificate, its key and the intermediate", maxIdentity)
	}
	key, certs, err := readFile(file, password)
	if err != nil {
		return nil, err
	}
	more, err := readCertificates(above)
	if err != nil {
		return nil, fmt.Errorf("the intermediate certificate: %w", err)
	}
	leaf, err := ownerOf(key, certs)
	if err != nil {
		return nil, err
	}
	i := &Identity{key: key, leaf: leaf, Expires: leaf.NotAfter}
	if err := i.readSubject(); err != nil {
		return nil, err
	}
	if err := i.readChain(append(certs, more...)); err != nil {
		return nil, err
	}
	return i, nil
}

// Roots are the authorities of a test identity, in PEM, for whoever verifies; empty for a real one.
func (i *Identity) Roots() []byte {
	if !i.Test {
		return nil
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.root.Raw})
}

// tls is the identity as a client shows it to APNs, with the certificates above it.
func (i *Identity) tls() tls.Certificate {
	chain := [][]byte{i.leaf.Raw}
	for _, c := range i.above {
		chain = append(chain, c.Raw)
	}
	return tls.Certificate{Certificate: chain, PrivateKey: i.key, Leaf: i.leaf}
}

// readSubject takes what Apple says of the pass type from the certificate's subject.
func (i *Identity) readSubject() error {
	for _, name := range i.leaf.Subject.Names {
		if text, ok := name.Value.(string); ok && name.Type.Equal(oidUserID) {
			i.TypeID = text
		}
	}
	if !strings.HasPrefix(i.TypeID, "pass.") {
		return fmt.Errorf("the certificate %q is for no pass type: its subject has no user id (UID) that begins with \"pass.\"; "+
			"make a Pass Type ID certificate in Apple's developer portal, under Identifiers", i.leaf.Subject.CommonName)
	}
	if units := i.leaf.Subject.OrganizationalUnit; len(units) > 0 {
		i.TeamID = units[0]
	}
	if i.TeamID == "" {
		return fmt.Errorf("the certificate of %s does not say whose it is: its subject has no organizational unit (OU) with a team identifier", i.TypeID)
	}
	return nil
}

// readChain finds the certificates above the leaf among others.
func (i *Identity) readChain(certs []*x509.Certificate) error {
	for child := i.leaf; ; {
		parent := issuerOf(child, certs)
		if parent == nil {
			break
		}
		if parent.NotAfter.Before(i.Expires) {
			i.Expires = parent.NotAfter
		}
		if selfSigned(parent) {
			i.root, i.Test = parent, parent.Subject.CommonName == testRoot
			break
		}
		i.above = append(i.above, parent)
		if len(i.above) > len(certs) {
			break // they go round in a circle
		}
		child = parent
	}
	if len(i.above) == 0 {
		return fmt.Errorf("the certificate of %s was issued by %q (%s), whose certificate is not with it: get the intermediate certificate of that name from "+
			"https://www.apple.com/certificateauthority/ and give it with --apple-wwdr", i.TypeID, i.leaf.Issuer.CommonName, strings.Join(i.leaf.Issuer.OrganizationalUnit, ", "))
	}
	return nil
}

// issuerOf is who issued a certificate, the one that lasts longest where there are several; nil where it is not among certs.
func issuerOf(child *x509.Certificate, certs []*x509.Certificate) (best *x509.Certificate) {
	for _, c := range certs {
		if bytes.Equal(c.RawSubject, child.RawIssuer) && !c.Equal(child) && child.CheckSignatureFrom(c) == nil && (best == nil || c.NotAfter.After(best.NotAfter)) {
			best = c
		}
	}
	return best
}

func selfSigned(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, c.RawIssuer) }

// ownerOf finds the certificate of a key.
func ownerOf(key crypto.Signer, certs []*x509.Certificate) (*x509.Certificate, error) {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok {
		return nil, errors.New("the private key is of a kind that cannot sign passes; Apple's certificates are for RSA keys")
	}
	for _, c := range certs {
		if public.Equal(c.PublicKey) {
			return c, nil
		}
	}
	if len(certs) == 0 {
		return nil, errors.New("there is no certificate in the file; put the pass type certificate in PEM and its private key into one file")
	}
	return nil, errors.New("the private key belongs to none of the certificates in the file; give the key with which the certificate was requested")
}

// readFile reads PEM or PKCS#12.
func readFile(file []byte, password string) (crypto.Signer, []*x509.Certificate, error) {
	if first, _ := pem.Decode(file); first != nil {
		return readPEM(file)
	}
	key, leaf, above, err := pkcs12.DecodeChain(file, password)
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return nil, nil, errors.New("the password of the PKCS#12 file is another one; give the one that it was exported with")
	case err != nil:
		return nil, nil, fmt.Errorf("the file is neither PEM nor a PKCS#12 file with one certificate and its key (%w); export the certificate from the keychain once more", err)
	}
	signer, err := signerOf(key)
	return signer, append(above, leaf), err
}

func readPEM(file []byte) (key crypto.Signer, certs []*x509.Certificate, err error) {
	for block, rest := pem.Decode(file); block != nil; block, rest = pem.Decode(rest) {
		switch {
		case block.Type == "CERTIFICATE":
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, nil, fmt.Errorf("certificate %d of the file cannot be read: %w", len(certs)+1, err)
			}
			certs = append(certs, c)
		case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
			return nil, nil, errors.New("the private key is encrypted: give the PKCS#12 file with its password, or decrypt the key (openssl pkey -in FILE)")
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			if key != nil {
				return nil, nil, errors.New("there are several private keys in the file; leave only the one that belongs to the pass type certificate")
			}
			if key, err = readKey(block.Bytes); err != nil {
				return nil, nil, err
			}
		}
	}
	if key == nil {
		return nil, nil, errors.New("there is no private key in the file; put the pass type certificate in PEM and its private key into one file")
	}
	return key, certs, nil
}

// readKey reads PKCS#8, PKCS#1 or SEC 1. Which one it is the label of the PEM would say, if it were not wrong so often.
func readKey(der []byte) (crypto.Signer, error) {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return signerOf(key)
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return signerOf(key)
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return signerOf(key)
	}
	return nil, errors.New("the private key cannot be read; give it in PEM as PKCS#8, PKCS#1 or SEC 1 (openssl pkey -in FILE writes such a one)")
}

func signerOf(key any) (crypto.Signer, error) {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return k, nil
	case *ecdsa.PrivateKey:
		return k, nil
	}
	return nil, errors.New("the private key is neither for RSA nor for ECDSA, so that it cannot sign passes; Apple's certificates are for RSA keys")
}

// readCertificates reads certificates in PEM, or one in DER; none where there is nothing.
func readCertificates(b []byte) (certs []*x509.Certificate, err error) {
	if len(bytes.TrimSpace(b)) == 0 {
		return nil, nil
	}
	if first, _ := pem.Decode(b); first == nil {
		certs, err = x509.ParseCertificates(b)
	}
	for block, rest := pem.Decode(b); block != nil && err == nil; block, rest = pem.Decode(rest) {
		var c *x509.Certificate
		if block.Type == "CERTIFICATE" {
			c, err = x509.ParseCertificate(block.Bytes)
			certs = append(certs, c)
		}
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("it cannot be read: %w", err)
	case len(certs) == 0:
		return nil, errors.New("there is none in the file; give the .cer file that Apple hands out, or its PEM")
	}
	return certs, nil
}
