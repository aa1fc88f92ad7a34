package google

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// Account is a service account that may write an issuer's classes and objects.
type Account struct {
	Email string
	Test  bool // made by us, so that Google takes nothing that it signs

	keyID    string
	key      *rsa.PrivateKey
	pem      []byte
	tokenURL string
}

// nobody is the domain of accounts that we make (RFC 2606 §2).
const nobody = "@stagedoor.invalid"

// accountFile is a service account's file as Google's console hands it out. There is more in it that is not needed.
type accountFile struct {
	Type         string `json:"type"`
	PrivateKeyID string `json:"private_key_id"`
	PrivateKey   string `json:"private_key"` // PKCS#8 in PEM
	ClientEmail  string `json:"client_email"`
	TokenURI     string `json:"token_uri"`
}

// ReadAccount reads a service account's JSON file. What is wrong with it is said without a word of what is in it.
func ReadAccount(file []byte) (*Account, error) {
	var f accountFile
	if len(file) > 64<<10 || json.Unmarshal(file, &f) != nil {
		return nil, errors.New("service account: the file is not the JSON that the Google Cloud console gives for a key of a service account")
	}
	if f.Type != "service_account" {
		return nil, errors.New(`service account: the file's "type" is not "service_account"; make a key for a service account, not an OAuth client`)
	}
	if !strings.Contains(f.ClientEmail, "@") || len(f.ClientEmail) > 320 || strings.ContainsFunc(f.ClientEmail, isOdd) {
		return nil, errors.New(`service account: the file's "client_email" is no address`)
	}
	if err := checkURL(f.TokenURI); err != nil {
		return nil, fmt.Errorf(`service account: the file's "token_uri": %w`, err)
	}
	key, err := readKey(f.PrivateKey)
	if err != nil {
		return nil, err
	}
	return &Account{
		Email: f.ClientEmail, Test: strings.HasSuffix(f.ClientEmail, nobody),
		keyID: f.PrivateKeyID, key: key, pem: []byte(f.PrivateKey), tokenURL: f.TokenURI,
	}, nil
}

func readKey(s string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(s))
	if block == nil {
		return nil, errors.New(`service account: the file's "private_key" is no PEM`)
	}
	any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil { // what x509 says may hold a part of the key
		return nil, errors.New(`service account: the file's "private_key" is no PKCS#8`)
	}
	key, ok := any.(*rsa.PrivateKey)
	if !ok || key.N.BitLen() < 2048 || key.N.BitLen() > 8192 {
		return nil, errors.New(`service account: the file's "private_key" is not an RSA key of 2048 bits or more`)
	}
	return key, nil
}

// NewAccount makes an account of nobody's for tests, as the JSON that ReadAccount reads.
func NewAccount() (file []byte, err error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("make account: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make account: %w", err)
	}
	name := sha256.Sum256(der)
	return json.Marshal(accountFile{
		Type: "service_account", ClientEmail: "wallet" + nobody, TokenURI: "https://oauth2.googleapis.com/token",
		PrivateKey:   string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		PrivateKeyID: hex.EncodeToString(name[:20]),
	})
}

// sign makes a JSON Web Token of claims (RFC 7515 §7.1, compact; RS256 is RFC 7518 §3.3). Its header does not name the key: Google tries those of the account, and
// the link has to stay short.
func (a *Account) sign(claims []byte) (string, error) {
	const header = `{"alg":"RS256","typ":"JWT"}`
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	hash := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(nil, a.key, crypto.SHA256, hash[:])
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

func isOdd(r rune) bool { return r <= ' ' || r == 0x7f }
