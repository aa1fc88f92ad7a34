package account

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/page"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

type signInBody struct{ Email, Next string }

func (p *Pages) signInPage(v *visit) error {
	q := v.r.URL.Query()
	d := sheet{Title: "Sign in", Body: signInBody{Next: page.Local(q.Get("next"), "")}}
	if q.Has("made") {
		d.Said = "If this address was new here, its account is ready: sign in with it. If you had one already, it is as it was."
	}
	return v.show(http.StatusOK, "sign-in", d)
}

func (p *Pages) signIn(v *visit) error {
	next := v.form.Get("next")
	in := v.coming(v.form.Get("email"), v.form.Get("password"))
	u, s, cookie, err := p.People.SignIn(v.r.Context(), in)
	if refused := v.refused(err); refused != nil {
		return v.show(refused.Kind.Status(), "sign-in", sheet{
			Title: "Sign in", Body: signInBody{in.Email, page.Local(next, "")}, Complaints: page.Complaints{{Text: refused.Detail}},
		})
	}
	if err != nil {
		return err
	}
	v.begin(u, s, cookie)
	return v.to(page.Local(next, "/"))
}

// refused is the problem of a sign-in that failed, or that comes too early after others; nil for any other error. Its Retry-After is set.
func (v *visit) refused(err error) *problem.Error {
	if !problem.Is(err, "sign_in_failed") && !problem.Is(err, "sign_in_throttled") {
		return nil
	}
	p := problem.As(err)
	v.retryAfter(p)
	return p
}

// begin has the visit go on as somebody who has just signed in.
func (v *visit) begin(u org.User, s org.Session, cookie string) {
	v.user, v.session, v.csrf = u, s, ""
	v.enter(cookie)
}

func (p *Pages) signOut(v *visit) error {
	if v.signedIn() {
		err := v.write(func(tx *db.Tx) error { return p.People.SignOut(tx, v.user.No, v.session.ID, 0, v.by()) })
		if err != nil {
			return err
		}
	}
	v.leave()
	return v.to("/login")
}

type signUpBody struct{ Email, Name, Next string }

func closed() error {
	return problem.New(problem.NotFound, "sign_up_closed", "Nobody can make an account of their own here. Ask the organiser for an invitation.")
}

func (p *Pages) signUpPage(v *visit) error {
	if !p.SignUp {
		return closed()
	}
	return v.show(http.StatusOK, "sign-up", sheet{Title: "Make an account", Body: signUpBody{Next: page.Local(v.r.URL.Query().Get("next"), "")}})
}

// signUp makes an account. Whether there was one already is not told: the answer is the same, and takes as long.
func (p *Pages) signUp(v *visit) error {
	if !p.SignUp {
		return closed()
	}
	if err := v.spend(); err != nil {
		return err
	}
	d := signUpBody{strings.TrimSpace(v.form.Get("email")), v.form.Get("name"), page.Local(v.form.Get("next"), "")}
	password, err := p.People.Hash(v.r.Context(), d.Email, v.form.Get("password"))
	if err == nil {
		err = v.makeAccount(org.UserInput{Email: d.Email, Name: d.Name, Password: password})
	}
	if shown := problem.As(err); shown != nil && shown.Kind == problem.Invalid {
		return v.show(http.StatusBadRequest, "sign-up", sheet{Title: "Make an account", Body: d, Complaints: complaints(shown, "")})
	}
	if err != nil {
		return err
	}
	after := url.Values{"made": {"1"}}
	if d.Next != "" {
		after.Set("next", d.Next)
	}
	return v.to("/login?" + after.Encode())
}

// makeAccount makes an account where there is none with the address, and has whoever has it told. An account that is there is noted to have been asked for
// in vain, also because a transaction that writes takes longer than one that does not.
func (v *visit) makeAccount(in org.UserInput) error {
	var secret string
	var taken bool
	err := v.write(func(tx *db.Tx) error {
		taken, secret = false, ""
		u, err := v.p.People.Create(tx, in, v.as(""))
		switch {
		case problem.Is(err, "email_taken"):
			taken = true
			return v.noteTaken(tx, in.Email)
		case err != nil || v.p.Mail == nil:
			return err
		}
		_, secret, err = v.p.People.NewLink(tx, org.Verification, u)
		return err
	})
	switch {
	case err != nil:
		return err
	case taken:
		v.p.post(in.Email, written(v.p.takenLetter(in.Email)))
	default:
		v.p.post(in.Email, written(v.p.verificationLetter(in.Email, secret)))
	}
	return nil
}

func (v *visit) noteTaken(tx *db.Tx, email string) error {
	u, err := org.UserByEmail(tx, email)
	if err != nil {
		return err
	}
	return audit.Append(tx, v.as("").Entry(0, "sign_up.repeated", string(u.ID), nil))
}

// write runs a transaction.
func (v *visit) write(do func(tx *db.Tx) error) error { return v.p.DB.Write(v.r.Context(), "", do) }

func (p *Pages) resetAsk(v *visit) error {
	return v.show(http.StatusOK, "reset-ask", sheet{Title: "Set a new password"})
}

// resetSend always says the same.
func (p *Pages) resetSend(v *visit) error {
	if p.Mail == nil {
		return p.resetAsk(v)
	}
	if err := v.spend(); err != nil {
		return err
	}
	p.sendReset(strings.TrimSpace(v.form.Get("email")))
	return v.say(http.StatusOK, "Look into your mail", "If there is an account with that address, a link is on its way to it. It works once, within an hour.",
		lead{"/login", "Back to the sign-in"})
}
