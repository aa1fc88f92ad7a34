package account

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/mail"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
)

// Person returns who is signed in; nil when nobody is.
func (p *Pages) Person(r *http.Request) (*oauth.Person, error) {
	v, err := p.visit(nil, r)
	if err != nil || v.user.No == 0 {
		return nil, err
	}
	return &oauth.Person{No: v.user.No, ID: v.user.ID, Email: v.user.Email, Session: v.session.No}, nil
}

// SignIn sends the browser to sign in and then back to path.
func (p *Pages) SignIn(w http.ResponseWriter, r *http.Request, path string) {
	v := &visit{p: p, w: w, r: r}
	_ = v.to("/sign-in?next=" + url.QueryEscape(path)) // cannot fail
}

// Consent asks whether an app may act for somebody.
func (p *Pages) Consent(w http.ResponseWriter, r *http.Request, c oauth.Consent) {
	var to []string
	if c.Target != "" {
		to = []string{c.Target}
	}
	p.front(w, r, http.StatusOK, "consent", page{Title: "May this app act for you?", Narrow: true, Consent: &c}, to...)
}

// Code asks for a device's code.
func (p *Pages) Code(w http.ResponseWriter, r *http.Request, userCode, complaint string, status int) {
	p.front(w, r, status, "code", page{Title: "Connect a device", Narrow: true, UserCode: userCode, Complaint: complaint})
}

// Say shows a page with a heading and a sentence, from which nothing leads on.
func (p *Pages) Say(w http.ResponseWriter, r *http.Request, status int, heading, sentence string) {
	p.front(w, r, status, "say", page{Title: heading, Sentence: sentence, Narrow: true})
}

func (p *Pages) front(w http.ResponseWriter, r *http.Request, status int, name string, d page, formTo ...string) {
	v, err := p.visit(w, r)
	if err == nil {
		err = v.show(status, name, d, formTo...)
	}
	if err != nil {
		v.fail(err)
	}
}

// mailTimeout bounds how long a message may take to be handed over.
const mailTimeout = time.Minute

// mail sends a message after the answer, so that the answer's time does not tell whether there was one to send.
func (p *Pages) mail(to, subject, text string) {
	if p.Mail == nil {
		return
	}
	p.mailing.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), mailTimeout)
		defer cancel()
		if err := p.Mail.Send(ctx, mail.Message{To: to, Subject: subject, Text: text}); err != nil {
			p.Log.Error("send mail", "error", err)
		}
	})
}
