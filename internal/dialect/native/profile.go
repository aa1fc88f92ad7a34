package native

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

type profileJSON struct {
	ID            string           `json:"id"`
	Email         *string          `json:"email" doc:"null for a token that may change the profile but not read it."`
	EmailVerified bool             `json:"emailVerified" doc:"Whether the address was shown to be theirs."`
	Name          string           `json:"name"`
	Organisation  organisationJSON `json:"organisation" doc:"Where the token is good."`
	Role          *string          `json:"role" doc:"What they are there: owner, admin, member or staff; null for an attendee."`
	Scopes        []string         `json:"scopes" nullable:"false" doc:"What may be done with the token: its scopes, as far as the role has them."`
	Version       int64            `json:"version" doc:"Grows with every change; the ETag."`
}

type organisationJSON struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Slug string `json:"slug"`
}

// person fails where nobody is who makes the request: with an API key, or for an app that acts for itself.
func (c *call) person() error {
	if c.UserNo == 0 {
		return problem.New(problem.Forbidden, "person_only", "This key is no person's. Use a personal token, or the token of an app that acts for a person.")
	}
	return nil
}

func (c *call) showProfile(q db.Querier, u org.User, role org.Role) (answer[profileJSON], error) {
	o, err := org.ByNumber(q, c.Org)
	if err != nil {
		return answer[profileJSON]{}, err
	}
	j := profileJSON{
		ID: string(u.ID), Name: u.Name, Organisation: organisationJSON{string(o.ID), o.Name, o.Slug}, Role: orNull(string(role)),
		Scopes: texts((c.Scopes & role.Allows()).List()), Version: u.Version,
	}
	if c.May(scope.ProfileRead) {
		j.Email, j.EmailVerified = &u.Email, !u.VerifiedAt.IsZero()
	}
	return answer[profileJSON]{body: j, version: u.Version}, nil
}

func (a *API) profile(ctx context.Context, c *call, _ *struct{}) (answer[profileJSON], error) {
	if err := c.person(); err != nil {
		return answer[profileJSON]{}, err
	}
	q := a.DB.Read(ctx)
	u, role, err := org.Standing(q, c.Org, c.UserNo)
	if err != nil {
		return answer[profileJSON]{}, err
	}
	return c.showProfile(q, u, role)
}

type profilePatchJSON struct {
	Name *string `json:"name,omitempty" maxLength:"200" nullable:"false"`
}

type profilePatch struct {
	IfMatch string `header:"If-Match" doc:"The ETag of what the change is made for; 412 when it has changed since."`
	Body    profilePatchJSON
}

func (a *API) changeProfile(tx *db.Tx, c *call, in *profilePatch) (answer[profileJSON], error) {
	if err := c.person(); err != nil {
		return answer[profileJSON]{}, err
	}
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return answer[profileJSON]{}, err
	}
	was, role, err := org.Standing(tx, c.Org, c.UserNo)
	if err != nil {
		return answer[profileJSON]{}, err
	}
	replace(&was.Name, in.Body.Name)
	u, err := a.People.Rename(tx, c.UserNo, was.Name, version)
	if err != nil {
		return answer[profileJSON]{}, err
	}
	return c.showProfile(tx, u, role)
}

type tokenJSON struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Scopes     []string `json:"scopes" nullable:"false" doc:"It may do what these and the person's role both allow."`
	Full       bool     `json:"full" doc:"Made without scopes: everything that the person may, also to administrate."`
	Token      string   `json:"token,omitempty" doc:"On creation only."`
	CreatedAt  string   `json:"createdAt" format:"date-time"`
	ExpiresAt  *string  `json:"expiresAt" format:"date-time" doc:"null for never."`
	LastUsedAt *string  `json:"lastUsedAt" format:"date-time" doc:"A minute old at most; null when never."`
}

func newToken(t org.Token) tokenJSON {
	return tokenJSON{
		ID: string(t.ID), Name: t.Name, Scopes: texts(t.Scopes.List()), Full: t.Full, CreatedAt: instant(t.CreatedAt),
		ExpiresAt: orNull(maybe(t.ExpiresAt)), LastUsedAt: orNull(maybe(t.LastUsedAt)),
	}
}

func (a *API) listTokens(ctx context.Context, c *call, in *pagingInput) (answer[list[tokenJSON, noFilters]], error) {
	all, err := org.Tokens(a.DB.Read(ctx), c.Org, c.UserNo)
	if err != nil {
		return answer[list[tokenJSON, noFilters]]{}, err
	}
	return pageOf(c, in.Paging, fmt.Sprint("tokens ", c.UserNo), all, newToken)
}

type tokenInputJSON struct {
	Name          string    `json:"name,omitempty" maxLength:"200" doc:"What it is for."`
	Scopes        *[]string `json:"scopes,omitempty" nullable:"false" minItems:"1" doc:"What it may do; when left out, all that the token may that it is made with."`
	ExpiresInDays *count    `json:"expiresInDays,omitempty" minimum:"1" maximum:"3650" nullable:"false" doc:"When left out, as long as the token that it is made with."`
}

type tokenInput struct {
	Body tokenInputJSON
}

// token is the personal token that the request is made with.
func (c *call) token(q db.Querier) (org.Token, error) {
	all, err := org.Tokens(q, c.Org, c.UserNo)
	if err != nil {
		return org.Token{}, err
	}
	i := slices.IndexFunc(all, func(t org.Token) bool { return string(t.ID) == c.Credential })
	if i < 0 {
		return org.Token{}, access.Invalid("The token was revoked.") // a moment ago
	}
	return all[i], nil
}

// createToken makes a token that may do no more than the one it is made with, and for no longer.
func (a *API) createToken(tx *db.Tx, c *call, in *tokenInput) (answer[tokenJSON], error) {
	mine, err := c.token(tx)
	if err != nil {
		return answer[tokenJSON]{}, err
	}
	asked := org.TokenInput{Name: in.Body.Name}
	if asked.Scopes, err = mayPass(mine, in.Body.Scopes); err != nil {
		return answer[tokenJSON]{}, err
	}
	if in.Body.ExpiresInDays != nil {
		asked.Expires = time.Duration(*in.Body.ExpiresInDays) * 24 * time.Hour
	}
	if !mine.ExpiresAt.IsZero() {
		left := mine.ExpiresAt.Sub(tx.Now())
		if left <= 0 {
			return answer[tokenJSON]{}, access.Invalid("The token has expired.")
		}
		if asked.Expires > left {
			return answer[tokenJSON]{}, problem.Field("/expiresInDays", "out_of_range", "The token that it is made with is good until %s; ask for less.", instant(mine.ExpiresAt))
		}
		if asked.Expires == 0 {
			asked.Expires = left
		}
	}
	t, secret, err := org.CreateToken(tx, c.Org, c.UserNo, asked, c.by())
	if err != nil {
		return answer[tokenJSON]{}, err
	}
	out := answer[tokenJSON]{body: newToken(t), location: tokensPath + "/" + string(t.ID)}
	out.body.Token = secret
	return out, nil
}

// mayPass returns the scopes of a token that is made with another; none for a full one, which only a full one can make.
func mayPass(with org.Token, names *[]string) (scope.Set, error) {
	switch {
	case names == nil && with.Full:
		return 0, nil
	case names == nil:
		return with.Scopes, nil
	}
	asked, err := scopesOf(*names)
	if err != nil {
		return 0, err
	}
	if lacks := asked &^ with.Scopes; lacks != 0 {
		return 0, &problem.Error{
			Kind: problem.Forbidden, Code: "insufficient_scope", Detail: fmt.Sprintf("The token that it is made with may not do that itself: it lacks %s.", lacks),
			Challenge: fmt.Sprintf(`error="insufficient_scope", scope="%s"`, asked), // RFC 6750 §3.1
		}
	}
	return asked, nil
}

// TokenPath names a personal token.
type TokenPath struct {
	TokenID string `path:"tokenId"`
}

// revokeToken ends a token of the person in this organisation. One of theirs in another is not there.
func (a *API) revokeToken(tx *db.Tx, c *call, in *TokenPath) (answer[none], error) {
	all, err := org.Tokens(tx, 0, c.UserNo)
	if err != nil {
		return answer[none]{}, err
	}
	if slices.ContainsFunc(all, func(t org.Token) bool { return string(t.ID) == in.TokenID && t.Org != c.Org }) {
		return answer[none]{}, problem.New(problem.NotFound, "token_not_found", "There is no token %.64q of yours here.", in.TokenID)
	}
	return answer[none]{}, org.RevokeToken(tx, c.UserNo, id.Token(in.TokenID), c.by())
}
