package account

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

type sessionRow struct {
	ID                   id.Session
	Agent, Address, Seen string
	Current              bool
}

type tokenRow struct {
	ID                    id.Token
	Name, Org, May, Until string
}

type grantRow struct {
	ID               id.Grant
	Name, Org, Since string
	Scopes           []scope.Scope
}

func day(t time.Time) string { return t.Format("2 January 2006") }

func (p *Pages) account(v *visit) error { return v.mine(http.StatusOK, page{}) }

// mine shows the account, with what was said or is wrong.
func (v *visit) mine(status int, d page) error {
	q := v.p.DB.Read(v.r.Context())
	sessions, err := org.Sessions(q, v.user.No, v.p.Now())
	if err != nil {
		return err
	}
	for _, s := range sessions {
		d.Sessions = append(d.Sessions, sessionRow{s.ID, s.Agent, s.Address, day(s.SeenAt), s.No == v.session.No})
	}
	belongs, err := org.Memberships(q, v.user.No)
	if err != nil {
		return err
	}
	names := map[int64]string{}
	for _, m := range belongs {
		d.Orgs = append(d.Orgs, m.Org)
		names[m.Org.No] = m.Org.Name
	}
	tokens, err := org.Tokens(q, 0, v.user.No)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		row := tokenRow{ID: t.ID, Name: t.Name, Org: names[t.Org], May: strings.ReplaceAll(t.Scopes.String(), " ", ", "), Until: "never ends"}
		if t.Full {
			row.May = "everything that you may"
		}
		if !t.ExpiresAt.IsZero() {
			row.Until = "ends " + day(t.ExpiresAt)
		}
		d.Tokens = append(d.Tokens, row)
	}
	d.Title, d.Email, d.Name, d.Verified, d.Scopes = "Your account", v.user.Email, v.user.Name, !v.user.VerifiedAt.IsZero(), scope.All().List()
	return v.show(status, "account", d)
}

// done runs a change and goes back to the account, or says what is wrong.
func (v *visit) done(err error) error {
	if shown := problem.As(err); shown != nil && shown.Kind == problem.Invalid {
		return v.mine(http.StatusBadRequest, page{Complaint: sentence(shown)})
	}
	if err != nil {
		return err
	}
	return v.to("/account")
}

func (v *visit) write(do func(tx *db.Tx) error) error { return v.p.DB.Write(v.r.Context(), "", do) }

func (p *Pages) rename(v *visit) error {
	return v.done(v.write(func(tx *db.Tx) error {
		_, err := p.People.Rename(tx, v.user.No, v.form.Get("name"), 0)
		return err
	}))
}

// changePassword asks for the old one, as a sign-in would, so that an open browser is not enough.
func (p *Pages) changePassword(v *visit) error {
	in := v.coming()
	in.Email, in.Password, in.Former = v.user.Email, v.form.Get("current"), ""
	ok, err := p.People.Knows(v.r.Context(), in)
	if err != nil {
		return err
	}
	if !ok {
		return v.mine(http.StatusForbidden, page{Complaint: "The password that you have now is another one."})
	}
	password, err := p.People.Hash(v.r.Context(), v.user.Email, v.form.Get("password"))
	if err == nil {
		err = v.write(func(tx *db.Tx) error { return p.People.SetPassword(tx, v.user.No, password, v.session.No, v.by()) })
	}
	return v.done(err)
}

func (p *Pages) sendVerification(v *visit) error {
	return v.done(p.sendLink(v.r.Context(), org.Verification, v.user))
}

func (p *Pages) endSession(v *visit) error {
	return v.done(v.write(func(tx *db.Tx) error {
		return p.People.SignOut(tx, v.user.No, id.Session(v.r.PathValue("id")), 0, v.by())
	}))
}

func (p *Pages) endOthers(v *visit) error {
	return v.done(v.write(func(tx *db.Tx) error { return p.People.SignOut(tx, v.user.No, "", v.session.No, v.by()) }))
}

// makeToken shows the token once.
func (p *Pages) makeToken(v *visit) error {
	in := org.TokenInput{Name: v.form.Get("name")}
	for _, name := range v.form["scope"] {
		in.Scopes |= scope.Of(scope.Scope(name))
	}
	if days := v.form.Get("days"); days != "" {
		n, err := strconv.Atoi(days)
		if err != nil || n < 1 || n > 3650 {
			return v.mine(http.StatusBadRequest, page{Complaint: "A token lasts 1 to 3650 days."})
		}
		in.Expires = time.Duration(n) * 24 * time.Hour
	}
	belongs, err := org.Memberships(p.DB.Read(v.r.Context()), v.user.No)
	if err != nil {
		return err
	}
	for _, m := range belongs {
		if string(m.Org.ID) != v.form.Get("org") {
			continue
		}
		var secret string
		err := v.write(func(tx *db.Tx) (err error) {
			_, secret, err = org.CreateToken(tx, m.Org.No, v.user.No, in, v.by())
			return err
		})
		if err != nil {
			return v.done(err)
		}
		return v.mine(http.StatusOK, page{Secret: secret})
	}
	return v.mine(http.StatusBadRequest, page{Complaint: "Choose an organisation that you belong to."})
}

func (p *Pages) endToken(v *visit) error {
	return v.done(v.write(func(tx *db.Tx) error { return org.RevokeToken(tx, v.user.No, id.Token(v.r.PathValue("id")), v.by()) }))
}

func (p *Pages) apps(v *visit) error {
	q := v.p.DB.Read(v.r.Context())
	grants, err := oauth.GrantsOf(q, v.user.No)
	if err != nil {
		return err
	}
	d := page{Title: "Apps with access"}
	for _, g := range grants {
		o, err := org.ByNumber(q, g.Org)
		if err != nil {
			return err
		}
		d.Grants = append(d.Grants, grantRow{g.ID, g.ClientName, o.Name, day(g.CreatedAt), g.Scopes.List()})
	}
	return v.show(http.StatusOK, "apps", d)
}

// removeApp withdraws what an app was allowed: its tokens and webhooks end with it.
func (p *Pages) removeApp(v *visit) error {
	err := p.DB.Configure(v.r.Context(), func(tx *db.Tx) error {
		grants, err := oauth.GrantsOf(tx, v.user.No)
		if err != nil {
			return err
		}
		for _, g := range grants {
			if g.ID == id.Grant(v.r.PathValue("id")) {
				return p.Registry.RevokeGrant(tx, g.Org, g.ID, "withdrawn_by_person", v.by())
			}
		}
		return problem.New(problem.NotFound, "grant_not_found", "There is no such app any more.")
	})
	if err != nil {
		return err
	}
	return v.to("/account/apps")
}
