package account

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

func (p *Pages) signInPage(v *visit) error {
	q := v.r.URL.Query()
	d := page{Title: "Sign in", Narrow: true, Next: local(q.Get("next"), "")}
	if q.Has("made") {
		d.Said = "If the address had no account before, it has one now. Sign in with it."
	}
	return v.show(http.StatusOK, "sign-in", d)
}

func (p *Pages) signIn(v *visit) error {
	in := v.coming()
	in.Email, in.Password = v.form.Get("email"), v.form.Get("password")
	_, _, cookie, err := p.People.SignIn(v.r.Context(), in)
	if shown := problem.As(err); shown != nil && shown.Code == "sign_in_failed" {
		return v.show(http.StatusUnauthorized, "sign-in", page{
			Title: "Sign in", Narrow: true, Next: local(v.form.Get("next"), ""), Email: in.Email, Complaint: shown.Detail,
		})
	}
	if err != nil {
		return err
	}
	v.enter(cookie)
	return v.to(local(v.form.Get("next"), "/account"))
}

func (p *Pages) signOut(v *visit) error {
	if v.user.No != 0 {
		err := p.DB.Write(v.r.Context(), "", func(tx *db.Tx) error { return p.People.SignOut(tx, v.user.No, v.session.ID, 0, v.by()) })
		if err != nil {
			return err
		}
	}
	http.SetCookie(v.w, &http.Cookie{Name: p.cookieName(), Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: p.secure()})
	return v.to("/sign-in")
}

func (p *Pages) closed() error {
	return problem.New(problem.NotFound, "sign_up_closed", "Accounts are made by invitation here. Ask the organiser for one.")
}

func (p *Pages) signUpPage(v *visit) error {
	if !p.SignUp {
		return p.closed()
	}
	return v.show(http.StatusOK, "sign-up", page{Title: "Make an account", Narrow: true, Next: local(v.r.URL.Query().Get("next"), "")})
}

// signUp makes an account. Whether there was one already is not told: the answer is the same, and takes as long.
func (p *Pages) signUp(v *visit) error {
	if !p.SignUp {
		return p.closed()
	}
	email, next := v.form.Get("email"), local(v.form.Get("next"), "")
	password, err := p.People.Hash(v.r.Context(), email, v.form.Get("password"))
	var u org.User
	if err == nil {
		u, err = p.newAccount(v.r.Context(), org.UserInput{Email: email, Name: v.form.Get("name"), Password: password}, v)
	}
	if shown := problem.As(err); shown != nil && shown.Kind == problem.Invalid {
		return v.show(http.StatusBadRequest, "sign-up", page{
			Title: "Make an account", Narrow: true, Next: next, Email: email, Name: v.form.Get("name"), Complaint: sentence(shown),
		})
	}
	switch {
	case problem.Is(err, "email_taken"):
		p.mail(email, "You have an account already", "Somebody, perhaps you, tried to make an account with this address at "+p.PublicURL+
			".\n\nThere is one already. Sign in, or set a new password: "+p.PublicURL+"/reset\n")
	case err != nil:
		return err
	default:
		if err := p.sendLink(v.r.Context(), org.Verification, u); err != nil {
			return err
		}
	}
	after := url.Values{"made": {"1"}}
	if next != "" {
		after.Set("next", next)
	}
	return v.to("/sign-in?" + after.Encode())
}

func (p *Pages) newAccount(ctx context.Context, in org.UserInput, v *visit) (u org.User, err error) {
	err = p.DB.Write(ctx, "", func(tx *db.Tx) (err error) {
		u, err = p.People.Create(tx, in, by("", v.address()))
		return err
	})
	return u, err
}

// sendLink makes a one-time link and sends it, where there is a mail server.
func (p *Pages) sendLink(ctx context.Context, kind org.LinkKind, u org.User) error {
	if p.Mail == nil {
		return nil
	}
	var secret string
	err := p.DB.Write(ctx, "", func(tx *db.Tx) (err error) {
		_, secret, err = p.People.NewLink(tx, kind, u)
		return err
	})
	if err != nil {
		return err
	}
	subject, why := "Is this address yours?", "Open this link to show that it is:"
	if kind == org.Reset {
		subject, why = "Set a new password", "Somebody, perhaps you, asked for a new password. Open this link to set one; if it was not you, do nothing:"
	}
	p.mail(u.Email, subject, why+"\n\n"+kind.URL(p.PublicURL, secret)+"\n\nIt can be used once, for a short time.\n")
	return nil
}

func (p *Pages) resetAsk(v *visit) error {
	return v.show(http.StatusOK, "reset-ask", page{Title: "Set a new password", Narrow: true})
}

// resetSend always says the same. What there is to do is done after the answer, so that the time tells nothing either.
func (p *Pages) resetSend(v *visit) error {
	if p.Mail == nil {
		return v.say(http.StatusOK, "Ask the organiser", "This server sends no mail. Whoever runs it can print a link for you with: stagedoor user reset.")
	}
	email := strings.TrimSpace(v.form.Get("email"))
	ctx := context.WithoutCancel(v.r.Context())
	p.mailing.Go(func() {
		u, err := org.UserByEmail(p.DB.Read(ctx), email)
		if err == nil {
			err = p.sendLink(ctx, org.Reset, u)
		}
		if err != nil && !problem.Is(err, "user_not_found") {
			p.Log.Error("make reset link", "error", err)
		}
	})
	return v.say(http.StatusOK, "Look into your mail", "If there is an account with that address, a link is on its way to it.")
}
