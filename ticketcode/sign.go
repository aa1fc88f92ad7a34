package ticketcode

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// A Signer signs tokens and revocation lists with one key. It may be used by several goroutines at once. It never shows its key
// when it is printed.
type Signer struct {
	id      byte
	private ed25519.PrivateKey
}

// NewSigner returns a Signer for the organisation's key of that id, 1 to 255. It fails if the id is zero or the key is not an
// Ed25519 private key of 64 bytes.
func NewSigner(id byte, private ed25519.PrivateKey) (*Signer, error) {
	if id == 0 {
		return nil, errors.New("ticketcode: a key's id is 1 to 255")
	}
	if len(private) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("ticketcode: the private key has %d bytes, want %d", len(private), ed25519.PrivateKeySize)
	}
	own := ed25519.NewKeyFromSeed(private.Seed())
	// Signing with a public half that belongs to another seed would give the private key away.
	if !own.Equal(private) {
		return nil, errors.New("ticketcode: the key's public half does not belong to its private half")
	}
	return &Signer{id: id, private: own}, nil
}

// String names the key's id, not the key.
func (s *Signer) String() string { return "ticketcode.Signer(" + strconv.Itoa(int(s.id)) + ")" }

// GoString is String: %#v does not show the key either.
func (s *Signer) GoString() string { return s.String() }

// Key returns the public half for a [KeySet], without bounds in time.
func (s *Signer) Key() Key {
	return Key{ID: s.id, Public: ed25519.PublicKey(slices.Clone(s.private[ed25519.SeedSize:]))}
}

// Sign returns the token's code as it is printed, [TextLen] characters. It writes its own key's id, whatever the token has. The same
// token always gives the same code. It fails with [Malformed] if the token has no ticket or no generation, or if its window is empty
// or does not lie between 1970 and 2106.
func (s *Signer) Sign(t Token) (string, error) {
	t.KeyID = s.id
	c, err := encode(t)
	if err != nil {
		return "", err
	}
	copy(c.signature(), ed25519.Sign(s.private, c.signed()))
	return Prefix + EncodeBase45(c[len(Prefix):]), nil
}
