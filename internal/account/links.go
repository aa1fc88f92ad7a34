package account

import (
	"net/http"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/page"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// linkBody is what the pages behind one-time links show.
type linkBody struct {
	Email string
	Org   string // of an invitation
	As    string // what it makes of somebody
	Name  string // as it was typed
	// Ask is what has to be typed: "new" for a password to choose, "current" for the one that they have, "" for none.
	Ask string
}

// link finds the link that the path has the secret of.
func (v *visit) link(kind org.LinkKind) (org.Link, error) {
	return org.LinkOf(v.p.DB.Read(v.r.Context()), kind, v.r.PathValue("secret"), v.p.Now())
}

// useless shows that a link is not good (any more), and where to go from there; nil for any other error.
func (v *visit) useless(err error, leads ...lead) error {
	if problem.Is(err, "link_invalid") {
		v.fail(err, leads...)
		return nil
	}
	return err
}

const resetTitle = "Set a new password"

func (p *Pages) resetPage(v *visit) error {
	l, err := v.link(org.Reset)
	if err != nil {
		return v.useless(err, lead{"/reset", "Ask for a new link"})
	}
	return v.show(http.StatusOK, "reset", sheet{Title: resetTitle, Body: linkBody{Email: l.Email}})
}

// reset sets a new password, ends all sessions, and starts one. Whoever has the link has the mail, so the address is theirs.
func (p *Pages) reset(v *visit) error {
	again := lead{"/reset", "Ask for a new link"}
	l, err := v.link(org.Reset)
	if err != nil {
		return v.useless(err, again)
	}
	password, err := p.People.Hash(v.r.Context(), l.Email, v.form.Get("password"))
	if shown := problem.As(err); shown != nil {
		return v.show(http.StatusBadRequest, "reset", sheet{Title: resetTitle, Body: linkBody{Email: l.Email}, Complaints: complaints(shown, "")})
	}
	if err != nil {
		return err
	}
	var u org.User
	var s org.Session
	var cookie string
	err = v.write(func(tx *db.Tx) (err error) {
		if u, err = org.UserByNumber(tx, l.UserNo); err != nil {
			return err
		}
		if _, err := p.People.UseLink(tx, org.Reset, v.r.PathValue("secret"), v.as(u.ID)); err != nil {
			return err
		}
		if err := p.People.SetPassword(tx, u.No, password, 0, v.as(u.ID)); err != nil {
			return err
		}
		if err := p.People.Verify(tx, u.No); err != nil {
			return err
		}
		s, cookie, err = p.People.StartSession(tx, u.No, v.coming("", ""))
		return err
	})
	if err != nil {
		return v.useless(err, again)
	}
	v.begin(u, s, cookie)
	return v.to("/account?done=password")
}

// The link alone does not verify: somebody may have made an account with another's address, and waits for them to confirm it. Who has the mail and the
// account's password has both.
func (p *Pages) verifyPage(v *visit) error {
	l, err := v.link(org.Verification)
	if err != nil {
		return v.useless(err, lead{"/account", "See whether your address is confirmed"})
	}
	return v.askToVerify(http.StatusOK, l)
}

func (v *visit) askToVerify(status int, l org.Link, wrong ...page.Complaint) error {
	d := linkBody{Email: l.Email}
	if v.user.No != l.UserNo {
		d.Ask = "current"
	}
	return v.show(status, "verify", sheet{Title: "Is this address yours?", Body: d, Complaints: wrong})
}

func (p *Pages) verify(v *visit) error {
	l, err := v.link(org.Verification)
	if err == nil && v.user.No != l.UserNo {
		u, s, cookie, err := p.People.SignIn(v.r.Context(), v.coming(l.Email, v.form.Get("password")))
		if refused := v.refused(err); refused != nil {
			return v.askToVerify(refused.Kind.Status(), l, page.Complaint{Text: refused.Detail})
		}
		if err != nil {
			return err
		}
		v.begin(u, s, cookie)
	}
	if err == nil {
		err = v.write(func(tx *db.Tx) error {
			l, err := p.People.UseLink(tx, org.Verification, v.r.PathValue("secret"), v.by())
			if err != nil {
				return err
			}
			return p.People.Verify(tx, l.UserNo)
		})
	}
	if err != nil {
		return v.useless(err, lead{"/account", "See whether your address is confirmed"})
	}
	return v.to("/account?done=verified")
}

// invitation is an invitation with what its page shows.
type invitation struct {
	org.Link
	user org.User // who has an account with its address; zero for nobody
	page sheet
}

func (v *visit) invitation() (i invitation, err error) {
	q := v.p.DB.Read(v.r.Context())
	if i.Link, err = v.link(org.Invitation); err != nil {
		return i, err
	}
	o, err := org.ByNumber(q, i.Org)
	if err != nil {
		return i, err
	}
	ask := ""
	i.user, err = org.UserByEmail(q, i.Email)
	switch {
	case problem.Is(err, "user_not_found"):
		ask, err = "new", nil
	case i.user.No != v.user.No:
		ask = "current"
	}
	i.page = sheet{Title: "Join " + o.Name, Body: linkBody{Email: i.Email, Org: o.Name, As: as(i.Role), Name: v.form.Get("name"), Ask: ask}}
	return i, err
}

func (p *Pages) invitationPage(v *visit) error {
	i, err := v.invitation()
	if err != nil {
		return v.useless(err)
	}
	return v.show(http.StatusOK, "invitation", i.page)
}

// join takes an invitation: somebody new chooses a password, somebody with an account shows that it is theirs. Whoever has the link has the mail.
func (p *Pages) join(v *visit) error {
	i, err := v.invitation()
	if err != nil {
		return v.useless(err)
	}
	if i.user.No == 0 {
		return v.joinAnew(i)
	}
	if i.user.No != v.user.No {
		u, s, cookie, err := p.People.SignIn(v.r.Context(), v.coming(i.Email, v.form.Get("password")))
		if refused := v.refused(err); refused != nil {
			i.page.complain("", refused.Detail)
			return v.show(refused.Kind.Status(), "invitation", i.page)
		}
		if err != nil {
			return err
		}
		v.begin(u, s, cookie)
	}
	err = p.DB.Configure(v.r.Context(), func(tx *db.Tx) error { return v.accept(tx, i.Org, v.user) })
	if err != nil {
		return v.useless(err)
	}
	return v.to("/account?done=joined")
}

func (v *visit) joinAnew(i invitation) error {
	password, err := v.p.People.Hash(v.r.Context(), i.Email, v.form.Get("password"))
	var u org.User
	var s org.Session
	var cookie string
	if err == nil {
		err = v.p.DB.Configure(v.r.Context(), func(tx *db.Tx) (err error) {
			u, err = v.p.People.Create(tx, org.UserInput{Email: i.Email, Name: v.form.Get("name"), Password: password, Verified: true}, v.as(""))
			if err != nil {
				return err
			}
			if s, cookie, err = v.p.People.StartSession(tx, u.No, v.coming("", "")); err != nil {
				return err
			}
			return v.accept(tx, i.Org, u)
		})
	}
	if shown := problem.As(err); shown != nil && shown.Kind == problem.Invalid {
		i.page.Complaints = complaints(shown, "")
		return v.show(http.StatusBadRequest, "invitation", i.page)
	}
	if err != nil {
		return v.useless(err)
	}
	v.begin(u, s, cookie)
	return v.to("/account?done=joined")
}

// accept makes a person a member, as the invitation says. Who became one since it was made stays what they are.
func (v *visit) accept(tx *db.Tx, o int64, u org.User) error {
	l, err := v.p.People.UseLink(tx, org.Invitation, v.r.PathValue("secret"), v.as(u.ID))
	if err != nil {
		return err
	}
	if err := v.p.People.Verify(tx, u.No); err != nil {
		return err
	}
	if role, err := org.RoleOf(tx, o, u.No); err != nil || role != "" {
		return err
	}
	return v.p.People.SetRole(tx, o, u.No, l.Role, v.as(u.ID))
}
