package pass

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/evm"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Challenge is what the owner of a wallet signs to show that a pass is to be theirs, in the manner of EIP-4361.
type Challenge struct {
	Domain  string // the host that asks
	Org     string // the organisation's id
	About   string // the id of the ticket that a pass is to be made of; empty for none
	Address evm.Address
	Network string
	Nonce   string
	Issued  time.Time
	Expires time.Time
}

// ChallengeLasts is how long a challenge can be answered.
const ChallengeLasts = 10 * time.Minute

// proofKept is how much longer it is remembered that one was answered: it is forgotten by the database's clock, and what can be answered goes by that of each node.
const proofKept = time.Hour

// Challenge makes a challenge and its text. Nothing is stored: the nonce is 16 random digits and a keyed hash of all else.
func (b *Book) Challenge(domain, org, about string, a evm.Address, network string, now time.Time) (c Challenge, text string) {
	now = now.UTC().Truncate(time.Second)
	c = Challenge{Domain: domain, Org: org, About: about, Address: a, Network: network, Issued: now, Expires: now.Add(ChallengeLasts)}
	var random [saltDigits / 2]byte
	_, _ = rand.Read(random[:]) // never fails, crypto/rand aborts the process instead
	c.Nonce = b.challengeNonce(c, hex.EncodeToString(random[:]))
	return c, c.text()
}

// The nonce's parts, in hexadecimal digits.
const (
	saltDigits  = 16
	nonceDigits = saltDigits + 32
)

// challengeNonce is the nonce of a challenge by its first digits.
func (b *Book) challengeNonce(c Challenge, salt string) string {
	c.Nonce = salt
	return salt + hex.EncodeToString(b.keys.MAC([]byte("pass challenge\x00" + c.text()))[:(nonceDigits-saltDigits)/2])
}

// The lines of a challenge, between which its parts stand.
const (
	asks      = " wants you to sign in with your Ethereum account:"
	statement = "I am the owner of this wallet, and a pass is to be made for it. Signing costs nothing and moves nothing."
	lines     = 13
)

func (c Challenge) text() string {
	return strings.Join([]string{
		c.Domain + asks,
		c.Address.String(),
		"",
		statement,
		"",
		"URI: https://" + c.Domain,
		"Version: 1",
		"Chain ID: " + c.Network,
		"Nonce: " + c.Nonce,
		"Issued At: " + c.Issued.Format(time.RFC3339),
		"Expiration Time: " + c.Expires.Format(time.RFC3339),
		"Resources:",
		"- urn:stagedoor:" + c.Org + ":" + c.About,
	}, "\n")
}

// readChallenge reads a text that [Challenge.text] has made. It reports false for any other.
func readChallenge(text string) (c Challenge, ok bool) {
	part := strings.Split(text, "\n")
	if len(part) != lines {
		return c, false
	}
	var err error
	c.Domain = strings.TrimSuffix(part[0], asks)
	if c.Address, err = evm.ParseAddress(part[1]); err != nil {
		return c, false
	}
	c.Network, c.Nonce = strings.TrimPrefix(part[7], "Chain ID: "), strings.TrimPrefix(part[8], "Nonce: ")
	if c.Issued, err = time.Parse(time.RFC3339, strings.TrimPrefix(part[9], "Issued At: ")); err != nil {
		return c, false
	}
	if c.Expires, err = time.Parse(time.RFC3339, strings.TrimPrefix(part[10], "Expiration Time: ")); err != nil {
		return c, false
	}
	c.Org, c.About, ok = strings.Cut(strings.TrimPrefix(part[12], "- urn:stagedoor:"), ":")
	return c, ok && len(c.Nonce) == nonceDigits && c.text() == text
}

// Answered reads the text of a challenge that somebody signed, which is to be one as is wanted: of a domain, an organisation, a thing and a chain, and for the address
// that has signed. ours is false for a text that is no challenge of the domain; for one that is, it fails with challenge_invalid (400: changed, or another) and
// challenge_expired (400). once is what it uses up.
func (b *Book) Answered(text string, want Challenge, now time.Time) (once Once, ours bool, err error) {
	if !strings.HasPrefix(text, want.Domain+asks) {
		return Once{}, false, nil
	}
	c, ok := readChallenge(text)
	if !ok || subtle.ConstantTimeCompare([]byte(c.Nonce), []byte(b.challengeNonce(c, c.Nonce[:saltDigits]))) != 1 {
		return Once{}, true, invalid("This is not a text that was made here; sign a new challenge, without changing it.")
	}
	switch {
	case c.Org != want.Org || c.About != want.About:
		return Once{}, true, invalid("This challenge was made for something else; ask for one for this organisation and this ticket.")
	case c.Address != want.Address:
		return Once{}, true, invalid("This challenge was made for the wallet " + c.Address.String() + ", and " + want.Address.String() + " has signed it.")
	case c.Network != want.Network:
		return Once{}, true, invalid("This challenge was made for the chain " + c.Network + "; ask for one for the chain that the pass names.")
	case !now.Before(c.Expires):
		return Once{}, true, problem.New(problem.Invalid, "challenge_expired", "This challenge could be answered until %s; sign a new one.", c.Expires.Format(time.RFC3339))
	}
	return Once{What: "proof", Value: []byte(c.Nonce), Until: c.Expires.Add(proofKept)}, true, nil
}

func invalid(detail string) error {
	return problem.New(problem.Invalid, "challenge_invalid", "%s", detail)
}
