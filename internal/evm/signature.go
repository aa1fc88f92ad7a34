package evm

import (
	"encoding/hex"
	"strings"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Signature is r, s and v, which is 27 or 28.
type Signature [65]byte

// firstV is what wallets add to the number of the point that a signature is about, 0 or 1; some leave it out.
const firstV = 27

// ParseSignature reads 0x and 130 hexadecimal digits, and turns v of 0 or 1 into 27 or 28.
func ParseSignature(s string) (Signature, error) {
	var sig Signature
	digits, prefixed := strings.CutPrefix(s, "0x")
	if !prefixed || len(digits) != 2*len(sig) {
		return Signature{}, unsigned("A signature is 0x and %d hexadecimal digits: r, s and v.", 2*len(sig))
	}
	if _, err := hex.Decode(sig[:], []byte(digits)); err != nil {
		return Signature{}, unsigned("The signature has a character in it that is no hexadecimal digit.")
	}
	return sig.canonical()
}

// String is the signature as ParseSignature reads it.
func (s Signature) String() string { return "0x" + hex.EncodeToString(s[:]) }

// canonical is a signature in the one form that it has, or fails where it is none.
func (s Signature) canonical() (Signature, error) {
	switch v := s[64]; v {
	case 0, 1:
		s[64] = v + firstV
	case firstV, firstV + 1:
	default:
		return Signature{}, unsigned("The signature's last byte, v, is %d; it is 0, 1, 27 or 28.", v)
	}
	if _, err := scalar(s[:32], "r"); err != nil {
		return Signature{}, err
	}
	half, err := scalar(s[32:64], "s")
	if err != nil {
		return Signature{}, err
	}
	if half.IsOverHalfOrder() {
		return Signature{}, unsigned("The signature's s is in the upper half of the curve's order; only the lower half is taken (EIP-2), so that each signature has one form.")
	}
	return s, nil
}

// scalar reads r or s, which is neither zero nor as large as the curve's order.
func scalar(text []byte, name string) (secp256k1.ModNScalar, error) {
	var n secp256k1.ModNScalar
	if overflow := n.SetByteSlice(text); overflow {
		return n, unsigned("The signature's %s is not below the order of the curve secp256k1.", name)
	}
	if n.IsZero() {
		return n, unsigned("The signature's %s is zero.", name)
	}
	return n, nil
}

func unsigned(detail string, args ...any) error {
	return problem.New(problem.Invalid, "signature_invalid", detail, args...)
}

// Recover returns who has signed a message by personal_sign (EIP-191, version 0x45).
func Recover(message string, s Signature) (Address, error) {
	s, err := s.canonical()
	if err != nil {
		return Address{}, err
	}
	compact := append([]byte{s[64]}, s[:64]...) // v first, as Bitcoin has it
	hash := Hash(message)
	public, _, err := ecdsa.RecoverCompact(compact, hash[:])
	if err != nil {
		return Address{}, unsigned("The signature is nobody's: no key makes it for this message.")
	}
	return addressOf(public), nil
}

// addressOf is the end of the hash of a public key's two coordinates.
func addressOf(public *secp256k1.PublicKey) Address {
	sum := keccak(public.SerializeUncompressed()[1:])
	return Address(sum[12:])
}

// Key is a private key.
type Key struct {
	private *secp256k1.PrivateKey
}

// NewKey makes a key from its 32 bytes, which are a number that is neither zero nor as large as the curve's order.
func NewKey(secret []byte) (*Key, error) {
	var n secp256k1.ModNScalar
	if len(secret) != 32 || n.SetByteSlice(secret) || n.IsZero() {
		return nil, problem.New(problem.Invalid, "key_invalid", "A private key has 32 bytes, and is neither zero nor as large as the order of the curve secp256k1.")
	}
	return &Key{secp256k1.NewPrivateKey(&n)}, nil
}

// Address is whose key it is.
func (k *Key) Address() Address { return addressOf(k.private.PubKey()) }

// String is the key's address, so that no log has the key.
func (k *Key) String() string { return k.Address().String() }

// Sign signs a message as personal_sign does. The same message has the same signature (RFC 6979).
func (k *Key) Sign(message string) Signature {
	hash := Hash(message)
	compact := ecdsa.SignCompact(k.private, hash[:], false)
	var s Signature
	copy(s[:], compact[1:])
	s[64] = compact[0]
	return s
}
