package account

import (
	"net/http"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/page"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

type accountBody struct {
	Email, Name string
	Verified    bool
	Sessions    []sessionRow
	Orgs        []orgRow
	Tokens      []tokenRow
	Scopes      []scope.Scope // that a token can have
	Form        tokenForm
	Secret      string // of the token that was just made
}

type sessionRow struct {
	ID                     id.Session
	Browser, Address, Seen string
	Since                  string
	Current                bool
}

type orgRow struct {
	ID       id.Org
	Name, As string
	Chosen   bool
}

// said are what was done, by what stands in the address that the browser is sent to.
var said = map[string]string{
	"name":     "Your name is saved.",
	"password": "Your password is set. All other browsers and all apps are signed out.",
	"verify":   "Look into your mail: a link is on its way to you.",
	"verified": "Your address is confirmed.",
	"joined":   "You have joined.",
	"session":  "That browser is signed out.",
	"others":   "All other browsers and all apps are signed out.",
	"token":    "The token has ended.",
	"removed":  "The app has no access any more.",
}

// done goes back to a page of the account, which says that something was done.
func (v *visit) done(path, what string) error { return v.to(path + "?done=" + what) }

func (p *Pages) account(v *visit) error {
	return v.mine(http.StatusOK, sheet{Said: said[v.r.URL.Query().Get("done")]}, accountBody{Name: v.user.Name})
}

// mine shows the account, with what was typed, said or is wrong.
func (v *visit) mine(status int, d sheet, b accountBody) error {
	q := v.p.DB.Read(v.r.Context())
	sessions, err := org.Sessions(q, v.user.No, v.p.Now())
	if err != nil {
		return err
	}
	for _, s := range sessions {
		b.Sessions = append(b.Sessions, sessionRow{
			s.ID, browser(s.Agent), s.Address, ago(v.p.Now(), s.SeenAt), day(s.CreatedAt), s.No == v.session.No,
		})
	}
	belongs, err := org.Memberships(q, v.user.No)
	if err != nil {
		return err
	}
	for _, m := range belongs {
		b.Orgs = append(b.Orgs, orgRow{m.Org.ID, m.Org.Name, as(m.Role), string(m.Org.ID) == b.Form.Org})
	}
	if b.Tokens, err = v.tokens(q); err != nil {
		return err
	}
	for i := range d.Complaints { // without organisations, there is no form for tokens that a complaint could lead to
		if len(b.Orgs) == 0 && strings.HasPrefix(d.Complaints[i].Field, "token-") {
			d.Complaints[i].Field = ""
		}
	}
	b.Email, b.Verified, b.Scopes = v.user.Email, !v.user.VerifiedAt.IsZero(), scope.All().List()
	d.Title, d.Wide, d.At, d.Body = "Your account", true, "account", b
	return v.show(status, "account", d)
}

// wrong shows the account with what a problem says of a form whose fields' ids begin so; any other error it returns.
func (v *visit) wrong(err error, prefix string, b accountBody) error {
	shown := problem.As(err)
	if shown == nil || shown.Kind != problem.Invalid {
		return err
	}
	return v.mine(http.StatusBadRequest, sheet{Complaints: complaints(shown, prefix)}, b)
}

func (p *Pages) rename(v *visit) error {
	name := v.form.Get("name")
	err := v.write(func(tx *db.Tx) error {
		_, err := p.People.Rename(tx, v.user.No, name, 0)
		return err
	})
	if err != nil {
		return v.wrong(err, "", accountBody{Name: name})
	}
	return v.done("/account", "name")
}

// changePassword asks for the one before, as a sign-in would, so that an open browser is not enough.
func (p *Pages) changePassword(v *visit) error {
	in := v.coming(v.user.Email, v.form.Get("current"))
	known, err := p.People.Knows(v.r.Context(), in)
	if err != nil {
		return err
	}
	b := accountBody{Name: v.user.Name}
	if !known {
		return v.mine(http.StatusForbidden, sheet{Complaints: page.Complaints{{Field: "current", Text: "The password that you have now is another one."}}}, b)
	}
	password, err := p.People.Hash(v.r.Context(), v.user.Email, v.form.Get("password"))
	if err == nil {
		err = v.write(func(tx *db.Tx) error { return p.People.SetPassword(tx, v.user.No, password, v.session.No, v.by()) })
	}
	if err != nil {
		return v.wrong(err, "", b)
	}
	return v.done("/account", "password")
}

func (p *Pages) sendVerification(v *visit) error {
	if v.user.VerifiedAt.IsZero() {
		p.sendLink(v.user, org.Verification)
	}
	return v.done("/account", "verify")
}

func (p *Pages) endSession(v *visit) error {
	s := id.Session(v.r.PathValue("id"))
	if err := v.write(func(tx *db.Tx) error { return p.People.SignOut(tx, v.user.No, s, 0, v.by()) }); err != nil {
		return err
	}
	return v.done("/account", "session")
}

func (p *Pages) endOthers(v *visit) error {
	err := v.write(func(tx *db.Tx) error { return p.People.SignOut(tx, v.user.No, "", v.session.No, v.by()) })
	if err != nil {
		return err
	}
	return v.done("/account", "others")
}

func day(t time.Time) string { return t.UTC().Format("2 January 2006") }
