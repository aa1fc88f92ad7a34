package ethpass

import (
	"context"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/evm"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// asking is how long a chain has to say who owns what.
const asking = 10 * time.Second

// countsFor is how long a signature that counts once is remembered: longer than anybody wants to use it again.
const countsFor = 100 * 365 * 24 * time.Hour

// prove finds out who has signed, whether that is who the pass is for, and whether they hold what it is for. It may ask a chain, and changes nothing.
func (a *API) prove(ctx context.Context, c *call, m *creation) error {
	ctx, cancel := context.WithTimeout(ctx, asking)
	defer cancel()
	if m.proof.signature != nil {
		if err := a.recognise(ctx, m); err != nil {
			return err
		}
		if err := a.count(c, m); err != nil {
			return err
		}
	}
	return a.holds(ctx, m)
}

// recognise finds whose signature it is. An owner that was named has to be the one, by their key or, where they are a contract, by what the contract says.
func (a *API) recognise(ctx context.Context, m *creation) error {
	signer, err := recovered(m.proof)
	switch {
	case err == nil && (m.in.Owner == "" || m.in.Owner == signer.String()):
		m.in.Owner, m.in.Verified = signer.String(), true
		return nil
	case m.in.Owner == "":
		return problem.Field(m.proof.field, "invalid_signature", "This is no signature of a wallet: 65 bytes of personal_sign (EIP-191), with v of 0, 1, 27 or 28 and the lower s.")
	}
	owner, parsing := evm.ParseAddress(m.in.Owner)
	if parsing != nil {
		return parsing // which was checked
	}
	if a.Signed != nil {
		ok, known, failing := a.Signed(ctx, m.in.Network, owner, m.proof.message, m.proof.signature)
		switch {
		case failing != nil:
			return a.unasked(ctx, m.in.Network, failing)
		case known && ok:
			m.in.Verified = true
			return nil
		}
	}
	if err != nil {
		return problem.Field(m.proof.field, "invalid_signature", "This is no signature of %s over signatureMessage.", m.in.Owner)
	}
	return problem.Field(m.proof.field, "another_signer", "%s has signed this, and the pass is to be %s's.", signer, m.in.Owner)
}

// recovered is who has signed, if it was a key's owner.
func recovered(p proof) (evm.Address, error) {
	var s evm.Signature
	if len(p.signature) != len(s) {
		return evm.Address{}, problem.New(problem.Invalid, "invalid_signature", "A key's signature has %d bytes.", len(s))
	}
	copy(s[:], p.signature)
	return evm.Recover(p.message, s)
}

// count has a challenge of ours count once, and whatever else was signed where the request asks for that.
func (a *API) count(c *call, m *creation) error {
	signer, err := evm.ParseAddress(m.in.Owner)
	if err != nil {
		return err // which was checked
	}
	now := a.Now()
	once, ours, err := a.Book.Answered(m.proof.message, pass.Challenge{Domain: a.domain, Org: string(c.OrgID), About: string(m.in.Ticket), Address: signer, Network: m.in.Network}, now)
	switch {
	case err != nil:
		return err
	case ours:
		m.in.Once = append(m.in.Once, once)
	case m.proof.unique: // by who and what, because a key can sign the same in more than one way
		m.in.Once = append(m.in.Once, pass.Once{What: "signature", Value: []byte(m.in.Owner + "\n" + m.proof.message), Until: now.Add(countsFor)})
	}
	return nil
}

// holds fails for an owner who does not hold all of the assets, as far as somebody can be asked.
func (a *API) holds(ctx context.Context, m *creation) error {
	if a.Chain == nil {
		return nil
	}
	missing, err := pass.Missing(ctx, a.Chain, m.in.Network, m.in.Owner, m.in.NFTs)
	switch {
	case err != nil:
		return a.unasked(ctx, m.in.Network, err)
	case missing >= 0:
		n := m.in.NFTs[missing]
		return problem.New(problem.Forbidden, "not_owner", "%s does not hold token %s of %s.", m.in.Owner, n.TokenID, n.Contract)
	}
	return nil
}

// unasked is why a chain did not answer: what was asked makes no sense there, or nobody could be asked.
func (a *API) unasked(ctx context.Context, network string, err error) error {
	if problem.As(err) != nil {
		return err
	}
	a.Log.WarnContext(ctx, "ask a chain", "network", network, "err", err)
	return problem.New(problem.Unavailable, "chain_unavailable", "The chain could not be asked; try again.")
}

// challenging is a challenge that somebody asks for.
type challenging struct {
	address evm.Address
	network string
	ticket  id.Ticket // that a pass is to be made of; empty for none
}

// newChallenging reads a body.
func newChallenging(body []byte) (in challenging, err error) {
	o, err := newObject(body)
	if err != nil {
		return in, err
	}
	c := creation{names: map[string]string{}}
	c.chain(o, "chain")
	in.network, in.ticket = c.in.Network, id.Ticket(o.text("ticketId"))
	switch address := o.address("address"); {
	case address != "":
		in.address, _ = evm.ParseAddress(address) // which has just been parsed
	case !o.has("address"):
		o.fault("address", "required", "Give the wallet's address.")
	}
	return in, o.faults.Err()
}

type challengeJSON struct {
	Message   string `json:"message"`
	Nonce     string `json:"nonce"`
	ExpiresAt string `json:"expiresAt"`
}

// newChallenge makes a text for a wallet's owner to sign. Nothing is stored: the same may be asked for as often as one likes.
func (a *API) newChallenge(ctx context.Context, c *call) (any, error) {
	in, err := newChallenging(c.body)
	if err != nil {
		return nil, err
	}
	if in.ticket != "" {
		if _, err := ticket.ByID(a.DB.Read(ctx), c.Org, in.ticket); err != nil {
			return nil, err
		}
	}
	made, text := a.Book.Challenge(a.domain, string(c.OrgID), string(in.ticket), in.address, in.network, a.Now())
	return challengeJSON{text, made.Nonce, coarse(made.Expires)}, nil
}
