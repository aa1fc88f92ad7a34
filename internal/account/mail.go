package account

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/mail"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// sendingTime bounds how long it may take to write a message and hand it over.
const sendingTime = time.Minute

// post has a message written and sent in the background: after the answer, whose time therefore does not tell whether there was anything to send. A
// message to nobody is not sent. More messages to an address than it may be bothered with are not written at all.
func (p *Pages) post(to string, write func(ctx context.Context) (mail.Message, error)) {
	if p.Mail == nil {
		return
	}
	if _, ok := p.letters.take(p.Now(), strings.ToLower(to)); !ok {
		p.Log.Warn("mail was not sent: too much to one address")
		return
	}
	p.sending.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), sendingTime)
		defer cancel()
		m, err := write(ctx)
		if err == nil && m.To != "" {
			err = p.Mail.Send(ctx, m)
		}
		if err != nil {
			p.Log.Error("mail could not be sent", "error", err)
		}
	})
}

func written(m mail.Message) func(context.Context) (mail.Message, error) {
	return func(context.Context) (mail.Message, error) { return m, nil }
}

// Invited sends an invitation to whoever was invited, where there is a mail server. It is called after the invitation is on disk.
func (p *Pages) Invited(l org.Link, organisation, secret string) {
	p.post(l.Email, written(p.invitationLetter(l, organisation, secret)))
}

// Offered tells somebody that a ticket was offered to them, where there is a mail server. It is called after the offer is on disk.
func (p *Pages) Offered(x ticket.Transfer, organisation, event string) {
	p.post(x.To, written(p.offerLetter(x, organisation, event)))
}

// sendLink makes a link for a person and sends it.
func (p *Pages) sendLink(u org.User, kind org.LinkKind) {
	p.post(u.Email, func(ctx context.Context) (mail.Message, error) { return p.linkLetter(ctx, u, kind) })
}

// sendReset sends a link to set a new password with, if there is somebody with the address.
func (p *Pages) sendReset(email string) {
	p.post(email, func(ctx context.Context) (mail.Message, error) {
		u, err := org.UserByEmail(p.DB.Read(ctx), email)
		if problem.Is(err, "user_not_found") {
			return mail.Message{}, nil
		}
		if err != nil {
			return mail.Message{}, err
		}
		return p.linkLetter(ctx, u, org.Reset)
	})
}

func (p *Pages) linkLetter(ctx context.Context, u org.User, kind org.LinkKind) (mail.Message, error) {
	var secret string
	err := p.DB.Write(ctx, "", func(tx *db.Tx) (err error) {
		_, secret, err = p.People.NewLink(tx, kind, u)
		return err
	})
	if err != nil {
		return mail.Message{}, err
	}
	if kind == org.Reset {
		return p.resetLetter(u.Email, secret), nil
	}
	return p.verificationLetter(u.Email, secret), nil
}

func (p *Pages) invitationLetter(l org.Link, organisation, secret string) mail.Message {
	return mail.Message{To: l.Email, Subject: "You are invited to " + organisation, Text: fmt.Sprintf(`You are invited to join %s as %s.

Open this link to accept. It works once, within seven days:

%s

If you do not know what this is about, do nothing: nothing happens unless the link is opened.
`, organisation, strings.TrimPrefix(strings.TrimPrefix(as(l.Role), "an "), "a "), org.Invitation.URL(p.PublicURL, secret))}
}

func (p *Pages) offerLetter(x ticket.Transfer, organisation, event string) mail.Message {
	return mail.Message{To: x.To, Subject: "A ticket for " + event + " is offered to you", Text: fmt.Sprintf(`Somebody wants to give you their ticket for %s, by %s.

Open this link and sign in, or sign up, with this address, to accept it or to decline. It is good until %s:

%s%s

The ticket is theirs until you accept. If you do not want it, you need do nothing.
`, event, organisation, x.ExpiresAt.Format("2 January 2006, 15:04 MST"), p.PublicURL, offerPath(x.Ticket))}
}

func (p *Pages) resetLetter(to, secret string) mail.Message {
	return mail.Message{To: to, Subject: "Set a new password", Text: fmt.Sprintf(`Somebody, we hope you, asked for a new password for this address at
%s

Open this link to set one. It works once, within an hour:

%s

If it was not you, do nothing: the password stays as it is.
`, p.PublicURL, org.Reset.URL(p.PublicURL, secret))}
}

func (p *Pages) verificationLetter(to, secret string) mail.Message {
	return mail.Message{To: to, Subject: "Is this address yours?", Text: fmt.Sprintf(`Somebody, we hope you, has an account with this address at
%s

Open this link and sign in, to show that the address is yours. It works once, within two days:

%s

If the account is not yours, do nothing: whoever made it does not get to see what belongs to your address.
`, p.PublicURL, org.Verification.URL(p.PublicURL, secret))}
}

func (p *Pages) takenLetter(to string) mail.Message {
	return mail.Message{To: to, Subject: "You have an account already", Text: fmt.Sprintf(`Somebody, perhaps you, tried to make an account with this address at
%s

There is one already, and nothing about it has changed. You can sign in with it, or set a new password:

%[1]s/login
%[1]s/reset

If it was not you, you need do nothing.
`, p.PublicURL)}
}
