package account

import (
	"net/http"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// link finds the link that the path has the secret of.
func (v *visit) link(kind org.LinkKind) (org.Link, error) {
	return org.LinkOf(v.p.DB.Read(v.r.Context()), kind, v.r.PathValue("secret"), v.p.Now())
}

func (p *Pages) resetPage(v *visit) error {
	l, err := v.link(org.Reset)
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "reset", page{Title: "Set a new password", Narrow: true, Email: l.Email})
}

// reset sets a new password, ends all sessions, and starts one. Whoever has the link has the mail, so the address is theirs.
func (p *Pages) reset(v *visit) error {
	l, err := v.link(org.Reset)
	if err != nil {
		return err
	}
	password, err := p.People.Hash(v.r.Context(), l.Email, v.form.Get("password"))
	if shown := problem.As(err); shown != nil {
		return v.show(http.StatusBadRequest, "reset", page{Title: "Set a new password", Narrow: true, Email: l.Email, Complaint: sentence(shown)})
	}
	if err != nil {
		return err
	}
	var cookie string
	err = p.DB.Write(v.r.Context(), "", func(tx *db.Tx) error {
		u, err := org.UserByNumber(tx, l.UserNo)
		if err != nil {
			return err
		}
		who := by(u.ID, v.address())
		if _, err := p.People.UseLink(tx, org.Reset, v.r.PathValue("secret"), who); err != nil {
			return err
		}
		if err := p.People.SetPassword(tx, u.No, password, 0, who); err != nil {
			return err
		}
		if err := p.People.Verify(tx, u.No); err != nil {
			return err
		}
		_, cookie, err = p.People.StartSession(tx, u.No, v.coming())
		return err
	})
	if err != nil {
		return err
	}
	v.enter(cookie)
	return v.to("/account")
}

func (p *Pages) verifyPage(v *visit) error {
	l, err := v.link(org.Verification)
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "verify", page{Title: "Is this address yours?", Narrow: true, Email: l.Email})
}

func (p *Pages) verify(v *visit) error {
	err := p.DB.Write(v.r.Context(), "", func(tx *db.Tx) error {
		l, err := p.People.UseLink(tx, org.Verification, v.r.PathValue("secret"), v.by())
		if err != nil {
			return err
		}
		return p.People.Verify(tx, l.UserNo)
	})
	if err != nil {
		return err
	}
	return v.say(http.StatusOK, "Thank you", "The address is known to be yours now.")
}

// invited is an invitation with what its page shows.
func (v *visit) invited() (org.Link, page, error) {
	q := v.p.DB.Read(v.r.Context())
	l, err := v.link(org.Invitation)
	if err != nil {
		return l, page{}, err
	}
	o, err := org.ByNumber(q, l.Org)
	if err != nil {
		return l, page{}, err
	}
	_, err = org.UserByEmail(q, l.Email)
	d := page{Title: "Join " + o.Name, Narrow: true, Org: o.Name, Role: l.Role, Email: l.Email, New: problem.Is(err, "user_not_found")}
	if d.New {
		err = nil
	}
	return l, d, err
}

func (p *Pages) invitationPage(v *visit) error {
	_, d, err := v.invited()
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "invitation", d)
}

// join takes an invitation: somebody new chooses a password, somebody with an account shows that it is theirs. Whoever has the link has the mail.
func (p *Pages) join(v *visit) error {
	l, d, err := v.invited()
	if err != nil {
		return err
	}
	in := v.coming()
	in.Email, in.Password = l.Email, v.form.Get("password")
	var password org.Password
	var u org.User
	var cookie string
	if d.New {
		password, err = p.People.Hash(v.r.Context(), l.Email, in.Password)
	} else {
		u, _, cookie, err = p.People.SignIn(v.r.Context(), in)
	}
	if shown := problem.As(err); shown != nil && shown.Kind != problem.TooMany {
		d.Complaint = sentence(shown)
		return v.show(shown.Kind.Status(), "invitation", d)
	}
	if err != nil {
		return err
	}
	err = p.DB.Configure(v.r.Context(), func(tx *db.Tx) (err error) {
		if d.New {
			if u, err = p.People.Create(tx, org.UserInput{Email: l.Email, Name: v.form.Get("name"), Password: password, Verified: true}, by("", v.address())); err != nil {
				return err
			}
			if _, cookie, err = p.People.StartSession(tx, u.No, in); err != nil {
				return err
			}
		}
		who := by(u.ID, v.address())
		if _, err := p.People.UseLink(tx, org.Invitation, v.r.PathValue("secret"), who); err != nil {
			return err
		}
		if err := p.People.Verify(tx, u.No); err != nil {
			return err
		}
		// Who became a member since the invitation was made stays what they are.
		if role, err := org.RoleOf(tx, l.Org, u.No); err != nil || role != "" {
			return err
		}
		return p.People.SetRole(tx, l.Org, u.No, l.Role, who)
	})
	if err != nil {
		return err
	}
	v.enter(cookie)
	return v.to("/account")
}
