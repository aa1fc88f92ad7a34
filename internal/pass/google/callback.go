package google

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Callback is what Google says that somebody did with an object.
type Callback struct {
	Serial string // of the pass
	Save   bool   // saved, else deleted
	Nonce  string
	Until  time.Time // after that it is not good any more
}

// Google signs callbacks as it signs payment tokens (Google Pay, "Payment data cryptography"): a root key signs an intermediate key, and that signs the message.
// What is signed are the parts, each behind its length in 4 bytes, the lowest first.
const (
	protocol = "ECv2SigningOnly"
	sender   = "GooglePayPasses"
)

// maxCallback is how long a callback may be.
const maxCallback = 64 << 10

// sealed is a callback's body.
type sealed struct {
	Protocol  string `json:"protocolVersion"`
	Signature string `json:"signature"` // base64, of the message by the intermediate key
	Message   string `json:"signedMessage"`
	Key       struct {
		Signed     string   `json:"signedKey"`
		Signatures []string `json:"signatures"` // by root keys; one that is good is enough
	} `json:"intermediateSigningKey"`
}

// signedMessage is what a callback says. Google may say more.
type signedMessage struct {
	ObjectID string `json:"objectId"`
	Event    string `json:"eventType"`
	Expires  millis `json:"expTimeMillis"`
	Nonce    string `json:"nonce"`
}

// Callbacks verifies what Google calls back (ECv2SigningOnly). It is safe for use by many goroutines.
type Callbacks struct {
	keys   *Keys
	issuer string
	now    func() time.Time
}

// NewCallbacks makes it for an issuer, who is the recipient of what is signed.
func NewCallbacks(k *Keys, issuer string, now func() time.Time) *Callbacks {
	if now == nil {
		now = time.Now
	}
	return &Callbacks{k, issuer, now}
}

// Verify reads and verifies a callback's body. Its errors are problems: invalid_request for what is none, not_signed (403) for what Google has not signed for us,
// or not for now, and wallet_keys_unavailable (503) where the keys cannot be had that Google signs with. A callback can come more than once: its nonce tells.
func (c *Callbacks) Verify(ctx context.Context, body []byte) (Callback, error) {
	var s sealed
	if len(body) > maxCallback || json.Unmarshal(body, &s) != nil {
		return Callback{}, malformed("The body is not a callback of Google's wallet.")
	}
	if s.Protocol != protocol {
		return Callback{}, malformed("The protocol version is not " + protocol + ", which alone is understood here.")
	}
	key, err := c.intermediate(ctx, s)
	if err != nil {
		return Callback{}, err
	}
	if !signs(key, s.Signature, sender, c.issuer, protocol, s.Message) {
		return Callback{}, unsigned("The message is not signed by the key that is with it, or is for another issuer.")
	}
	var m signedMessage
	if err := json.Unmarshal([]byte(s.Message), &m); err != nil {
		return Callback{}, malformed("The message is not one of Google's wallet.")
	}
	if !c.now().Before(m.Expires.time()) {
		return Callback{}, unsigned("The message's time is over.")
	}
	return c.read(m)
}

// read takes a message that is Google's.
func (c *Callbacks) read(m signedMessage) (Callback, error) {
	serial, ours := strings.CutPrefix(m.ObjectID, c.issuer+".")
	if !ours || !isSerial(serial) {
		return Callback{}, malformed("The object is not a pass of ours.")
	}
	if m.Event != "save" && m.Event != "del" {
		return Callback{}, malformed("The event type is neither save nor del.")
	}
	if m.Nonce == "" || len(m.Nonce) > 200 {
		return Callback{}, malformed("The message has no nonce.")
	}
	return Callback{Serial: serial, Save: m.Event == "save", Nonce: m.Nonce, Until: m.Expires.time()}, nil
}

// intermediate is the key that signed the message, once a root key says that it is Google's. Where none does, the root keys may be new: they are asked for again,
// if that was not done just now.
func (c *Callbacks) intermediate(ctx context.Context, s sealed) (*ecdsa.PublicKey, error) {
	now := c.now()
	for _, fresh := range []bool{false, true} {
		roots, err := c.keys.at(ctx, now, fresh)
		if err != nil {
			return nil, err
		}
		if !signedBy(roots, s) {
			continue
		}
		key, expires, err := readIntermediate(s.Key.Signed)
		if err != nil {
			return nil, malformed("The key that is with the message is none.")
		}
		if !now.Before(expires) {
			return nil, unsigned("The time of the key that is with the message is over.")
		}
		return key, nil
	}
	return nil, unsigned("The key that is with the message is not Google's.")
}

// signedBy tells whether one of the root keys has signed the intermediate key.
func signedBy(roots []*ecdsa.PublicKey, s sealed) bool {
	for _, root := range roots {
		for _, signature := range s.Key.Signatures[:min(len(s.Key.Signatures), 8)] {
			if signs(root, signature, sender, protocol, s.Key.Signed) {
				return true
			}
		}
	}
	return false
}

func readIntermediate(signed string) (*ecdsa.PublicKey, time.Time, error) {
	var k struct {
		Value   string `json:"keyValue"`
		Expires millis `json:"keyExpiration"`
	}
	if err := json.Unmarshal([]byte(signed), &k); err != nil {
		return nil, time.Time{}, err
	}
	key, err := readPublic(k.Value)
	return key, k.Expires.time(), err
}

// readPublic reads a key on P-256 as base64 of a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
func readPublic(s string) (*ecdsa.PublicKey, error) {
	der, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, err
	}
	any, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, err
	}
	key, ok := any.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("not a key on P-256")
	}
	return key, nil
}

// signs tells whether a signature (base64 of ASN.1) is the key's, of these parts.
func signs(key *ecdsa.PublicKey, signature string, parts ...string) bool {
	der, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return false
	}
	var all []byte
	for _, p := range parts {
		all = binary.LittleEndian.AppendUint32(all, uint32(len(p)))
		all = append(all, p...)
	}
	hash := sha256.Sum256(all)
	return ecdsa.VerifyASN1(key, hash[:], der)
}

// isSerial tells whether s is how passes are called: 32 hexadecimal digits.
func isSerial(s string) bool {
	return len(s) == 32 && strings.Trim(s, "0123456789abcdef") == ""
}

// millis is a Unix time in milliseconds, which Google writes as a number or as a string. Zero is long over.
type millis int64

// UnmarshalJSON reads it.
func (m *millis) UnmarshalJSON(raw []byte) error {
	n, err := strconv.ParseInt(strings.Trim(string(raw), `"`), 10, 64)
	if err != nil || n < 0 || n > 253402300799999 { // the end of the year 9999
		return errors.New("not a time in milliseconds")
	}
	*m = millis(n)
	return nil
}

func (m millis) time() time.Time { return time.UnixMilli(int64(m)).UTC() }

func malformed(detail string) error {
	return problem.New(problem.Invalid, "invalid_request", "%s", detail)
}

func unsigned(detail string) error {
	return problem.New(problem.Forbidden, "not_signed", "%s", detail)
}
