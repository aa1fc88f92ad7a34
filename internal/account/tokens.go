package account

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

type tokenRow struct {
	ID                id.Token
	Name, Org         string
	Full              bool
	Scopes            []scope.Scope
	Made, Used, Until string // Used and Until are "" for never
}

// tokenForm is the form for a new token, as it was filled in.
type tokenForm struct {
	Name, Org, Days string
	May             string // "everything" or "ticked"; "" says nothing
	Ticked          []scope.Scope
}

// Has tells whether a scope was ticked.
func (f tokenForm) Has(s scope.Scope) bool { return slices.Contains(f.Ticked, s) }

// tokens are the rows of a person's tokens.
func (v *visit) tokens(q db.Querier) ([]tokenRow, error) {
	tokens, err := org.Tokens(q, 0, v.user.No)
	if err != nil {
		return nil, err
	}
	var rows []tokenRow
	for _, t := range tokens {
		o, err := org.ByNumber(q, t.Org) // it may be one that they belong to no more
		if err != nil {
			return nil, err
		}
		row := tokenRow{ID: t.ID, Name: t.Name, Org: o.Name, Full: t.Full, Scopes: t.Scopes.List(), Made: day(t.CreatedAt)}
		if !t.LastUsedAt.IsZero() {
			row.Used = ago(v.p.Now(), t.LastUsedAt)
		}
		if !t.ExpiresAt.IsZero() {
			row.Until = day(t.ExpiresAt)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// makeToken makes a token and shows it, this once.
func (p *Pages) makeToken(v *visit) error {
	f := tokenForm{Name: v.form.Get("name"), Org: v.form.Get("org"), Days: v.form.Get("days"), May: v.form.Get("may")}
	var wrong problem.Fields
	in := org.TokenInput{Name: f.Name, Expires: v.days(&wrong), Scopes: v.ticked(&f, &wrong)}
	o, err := v.memberOf(f.Org, &wrong)
	if err == nil {
		err = wrong.Err()
	}
	var secret string
	if err == nil {
		err = v.write(func(tx *db.Tx) (err error) {
			_, secret, err = org.CreateToken(tx, o, v.user.No, in, v.by())
			return err
		})
	}
	if err != nil {
		return v.wrong(err, "token-", accountBody{Name: v.user.Name, Form: f})
	}
	return v.mine(http.StatusOK, sheet{}, accountBody{Name: v.user.Name, Secret: secret})
}

// days is how long a token lasts; 0 for ever.
func (v *visit) days(wrong *problem.Fields) time.Duration {
	text := v.form.Get("days")
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 3650 {
		wrong.Add("/expiresInDays", "out_of_range", "A token lasts 1 to 3650 days, or for ever when nothing is said.")
		return 0
	}
	return time.Duration(n) * 24 * time.Hour
}

// ticked are the scopes of a new token; none for everything. Ticks are heeded whatever else is said: so a token never gets more than was ticked.
func (v *visit) ticked(f *tokenForm, wrong *problem.Fields) scope.Set {
	for _, name := range v.form["scope"] {
		s, ok := scope.Named(name)
		if !ok {
			wrong.Add("/scope", "unknown_scope", "There is something ticked that does not exist. Load the page again, and tick it anew.")
		}
		f.Ticked = append(f.Ticked, s)
	}
	if len(f.Ticked) == 0 && f.May == "ticked" {
		wrong.Add("/scope", "required", "Tick what the token may do, or choose everything.")
	}
	return scope.Of(f.Ticked...)
}

// memberOf is the organisation with an id, of those that the person belongs to.
func (v *visit) memberOf(o string, wrong *problem.Fields) (int64, error) {
	belongs, err := org.Memberships(v.p.DB.Read(v.r.Context()), v.user.No)
	if err != nil {
		return 0, err
	}
	for _, m := range belongs {
		if string(m.Org.ID) == o {
			return m.Org.No, nil
		}
	}
	wrong.Add("/org", "unknown_org", "Choose an organisation that you belong to.")
	return 0, nil
}

func (p *Pages) endToken(v *visit) error {
	t := id.Token(v.r.PathValue("id"))
	if err := v.write(func(tx *db.Tx) error { return org.RevokeToken(tx, v.user.No, t, v.by()) }); err != nil {
		return err
	}
	return v.done("/account", "token")
}
