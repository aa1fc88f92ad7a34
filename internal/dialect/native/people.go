package native

import (
	"context"
	"strconv"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

type profileJSON struct {
	ID            string         `json:"id"`
	Email         string         `json:"email"`
	EmailVerified bool           `json:"emailVerified"`
	Name          string         `json:"name"`
	Organisation  profileOrgJSON `json:"organisation" doc:"Where the token acts."`
	Role          *string        `json:"role" doc:"null for an attendee."`
	Scopes        []string       `json:"scopes" nullable:"false" doc:"What the token may do: its scopes and its person's rights, both."`
	Version       int64          `json:"version" doc:"Grows with every change; the ETag."`
}

type profileOrgJSON struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Slug string `json:"slug"`
}

func personOnly() error {
	return problem.New(problem.Forbidden, "person_only", "This credential has no person. Use a personal token, or an app that acts for somebody.")
}

func (c *call) showProfile(q db.Querier, u org.User) (answer[profileJSON], error) {
	o, err := org.ByNumber(q, c.Org)
	if err != nil {
		return answer[profileJSON]{}, err
	}
	role, err := org.RoleOf(q, c.Org, u.No)
	return answer[profileJSON]{version: u.Version, body: profileJSON{
		ID: string(u.ID), Email: u.Email, EmailVerified: !u.VerifiedAt.IsZero(), Name: u.Name, Organisation: profileOrgJSON{string(o.ID), o.Name, o.Slug},
		Role: orNull(string(role)), Scopes: texts((c.Scopes & c.Allowed).List()), Version: u.Version,
	}}, err
}

func (a *API) profile(ctx context.Context, c *call, _ *struct{}) (answer[profileJSON], error) {
	if c.UserNo == 0 {
		return answer[profileJSON]{}, personOnly()
	}
	q := a.DB.Read(ctx)
	u, err := org.UserByNumber(q, c.UserNo)
	if err != nil {
		return answer[profileJSON]{}, err
	}
	return c.showProfile(q, u)
}

type profilePatch struct {
	IfMatch string `header:"If-Match" doc:"The ETag of what the change is made for; 412 when it has changed since."`
	Body    struct {
		Name *string `json:"name,omitempty" maxLength:"200" nullable:"false"`
	}
}

func (a *API) changeProfile(tx *db.Tx, c *call, in *profilePatch) (answer[profileJSON], error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return answer[profileJSON]{}, err
	}
	if c.UserNo == 0 {
		return answer[profileJSON]{}, personOnly()
	}
	u, err := org.UserByNumber(tx, c.UserNo)
	if err == nil && in.Body.Name != nil {
		u, err = a.People.Rename(tx, c.UserNo, *in.Body.Name, version)
	}
	if err != nil {
		return answer[profileJSON]{}, err
	}
	return c.showProfile(tx, u)
}

type tokenJSON struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Scopes     []string `json:"scopes" nullable:"false"`
	Token      string   `json:"token,omitempty" doc:"On creation only."`
	CreatedAt  string   `json:"createdAt" format:"date-time"`
	ExpiresAt  *string  `json:"expiresAt" format:"date-time" doc:"null for never."`
	LastUsedAt *string  `json:"lastUsedAt" format:"date-time" doc:"null for never."`
}

func newToken(t org.Token, secret string) tokenJSON {
	return tokenJSON{
		ID: string(t.ID), Name: t.Name, Scopes: texts(t.Scopes.List()), Token: secret, CreatedAt: instant(t.CreatedAt),
		ExpiresAt: orNull(maybe(t.ExpiresAt)), LastUsedAt: orNull(maybe(t.LastUsedAt)),
	}
}

func (a *API) listTokens(ctx context.Context, c *call, in *pagingInput) (answer[list[tokenJSON, noFilters]], error) {
	all, err := org.Tokens(a.DB.Read(ctx), c.Org, c.UserNo)
	if err != nil {
		return answer[list[tokenJSON, noFilters]]{}, err
	}
	return pageOf(c, in.Paging, "tokens", all, func(t org.Token) tokenJSON { return newToken(t, "") })
}

type tokenInput struct {
	Body struct {
		Name          string   `json:"name,omitempty" maxLength:"200"`
		Scopes        []string `json:"scopes,omitempty" nullable:"false" doc:"What it may do; everything when left out."`
		ExpiresInDays count    `json:"expiresInDays,omitempty" minimum:"1" maximum:"3650" doc:"For ever when left out."`
	}
}

func (a *API) createToken(tx *db.Tx, c *call, in *tokenInput) (answer[tokenJSON], error) {
	may, err := scopesOf(in.Body.Scopes)
	if err != nil {
		return answer[tokenJSON]{}, err
	}
	if !c.Full && (may == 0 || !c.Scopes.Covers(may)) {
		return answer[tokenJSON]{}, problem.New(problem.Forbidden, "insufficient_scope", "A token makes only tokens that may do no more than it may itself.")
	}
	t, secret, err := org.CreateToken(tx, c.Org, c.UserNo, org.TokenInput{
		Name: in.Body.Name, Scopes: may, Expires: time.Duration(in.Body.ExpiresInDays) * 24 * time.Hour,
	}, c.by())
	if err != nil {
		return answer[tokenJSON]{}, err
	}
	return answer[tokenJSON]{body: newToken(t, secret), location: tokensPath + "/" + string(t.ID)}, nil
}

// TokenPath names a personal token.
type TokenPath struct {
	TokenID string `path:"tokenId"`
}

func (a *API) revokeToken(tx *db.Tx, c *call, in *TokenPath) (answer[none], error) {
	return answer[none]{}, org.RevokeToken(tx, c.UserNo, id.Token(in.TokenID), c.by())
}

type keyJSON struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Scopes     []string `json:"scopes" nullable:"false"`
	PerMinute  int      `json:"perMinute" doc:"Requests; 0 for no limit."`
	Key        string   `json:"key,omitempty" doc:"On creation only."`
	CreatedAt  string   `json:"createdAt" format:"date-time"`
	LastUsedAt *string  `json:"lastUsedAt" format:"date-time"`
	RevokedAt  *string  `json:"revokedAt" format:"date-time"`
}

func newKey(k org.Key, secret string) keyJSON {
	return keyJSON{
		ID: string(k.ID), Name: k.Name, Scopes: texts(k.Scopes.List()), PerMinute: k.PerMinute, Key: secret, CreatedAt: instant(k.CreatedAt),
		LastUsedAt: orNull(maybe(k.LastUsedAt)), RevokedAt: orNull(maybe(k.RevokedAt)),
	}
}

func (a *API) listKeys(ctx context.Context, c *call, in *pagingInput) (answer[list[keyJSON, noFilters]], error) {
	all, err := org.Keys(a.DB.Read(ctx), c.Org)
	if err != nil {
		return answer[list[keyJSON, noFilters]]{}, err
	}
	return pageOf(c, in.Paging, "keys", all, func(k org.Key) keyJSON { return newKey(k, "") })
}

type keyInput struct {
	Body struct {
		Name      string   `json:"name,omitempty" maxLength:"200"`
		Scopes    []string `json:"scopes,omitempty" nullable:"false" doc:"What it may do; everything when left out."`
		PerMinute count    `json:"perMinute,omitempty" minimum:"0" maximum:"1000000"`
	}
}

func (a *API) createKey(tx *db.Tx, c *call, in *keyInput) (answer[keyJSON], error) {
	may, err := scopesOf(in.Body.Scopes)
	if err != nil {
		return answer[keyJSON]{}, err
	}
	k, secret, err := org.CreateKey(tx, c.Org, org.KeyInput{Name: in.Body.Name, Scopes: may, PerMinute: int(in.Body.PerMinute)}, c.by())
	if err != nil {
		return answer[keyJSON]{}, err
	}
	return answer[keyJSON]{body: newKey(k, secret), location: keysPath + "/" + string(k.ID)}, nil
}

// KeyPath names an API key.
type KeyPath struct {
	KeyID string `path:"keyId"`
}

func (a *API) revokeKey(tx *db.Tx, c *call, in *KeyPath) (answer[none], error) {
	return answer[none]{}, org.RevokeKey(tx, c.Org, id.Key(in.KeyID), c.by())
}

type memberJSON struct {
	UserID    string `json:"userId"`
	Email     string `json:"email"`
	Name      string `json:"name"`
	Role      string `json:"role" enum:"owner,admin,member,staff"`
	CreatedAt string `json:"createdAt" format:"date-time"`
}

func newMember(m org.Membership) memberJSON {
	return memberJSON{string(m.User.ID), m.User.Email, m.User.Name, string(m.Role), instant(m.CreatedAt)}
}

func (a *API) listMembers(ctx context.Context, c *call, in *pagingInput) (answer[list[memberJSON, noFilters]], error) {
	all, err := org.Members(a.DB.Read(ctx), c.Org)
	if err != nil {
		return answer[list[memberJSON, noFilters]]{}, err
	}
	return pageOf(c, in.Paging, "members", all, newMember)
}

// UserPath names a person.
type UserPath struct {
	UserID string `path:"userId"`
}

type memberPatch struct {
	UserPath
	Body struct {
		Role string `json:"role" enum:"owner,admin,member,staff"`
	}
}

// member finds a member of the organisation by the person's id.
func (c *call) member(q db.Querier, user string) (org.Membership, error) {
	all, err := org.Members(q, c.Org)
	for _, m := range all {
		if string(m.User.ID) == user {
			return m, err
		}
	}
	if err == nil {
		err = problem.New(problem.NotFound, "member_not_found", "There is no member %.64q here.", user)
	}
	return org.Membership{}, err
}

func (a *API) changeMember(tx *db.Tx, c *call, in *memberPatch, _ none) (answer[memberJSON], error) {
	m, err := c.member(tx, in.UserID)
	if err == nil {
		err = a.People.SetRole(tx, c.Org, m.User.No, org.Role(in.Body.Role), c.by())
	}
	m.Role = org.Role(in.Body.Role)
	return answer[memberJSON]{body: newMember(m)}, err
}

func (a *API) removeMember(tx *db.Tx, c *call, in *UserPath, _ none) (answer[none], error) {
	m, err := c.member(tx, in.UserID)
	if err == nil {
		err = a.People.SetRole(tx, c.Org, m.User.No, "", c.by())
	}
	return answer[none]{}, err
}

type invitationJSON struct {
	ID        string `json:"id"`
	Email     string `json:"email"`
	Role      string `json:"role" enum:"owner,admin,member,staff"`
	URL       string `json:"url,omitempty" doc:"On creation only: the link, which can be used once."`
	ExpiresAt string `json:"expiresAt" format:"date-time"`
}

func newInvitation(l org.Link) invitationJSON {
	return invitationJSON{ID: string(l.ID), Email: l.Email, Role: string(l.Role), ExpiresAt: instant(l.ExpiresAt)}
}

func (a *API) listInvitations(ctx context.Context, c *call, in *pagingInput) (answer[list[invitationJSON, noFilters]], error) {
	all, err := org.Links(a.DB.Read(ctx), c.Org, a.Now())
	if err != nil {
		return answer[list[invitationJSON, noFilters]]{}, err
	}
	return pageOf(c, in.Paging, "invitations", all, newInvitation)
}

type invitationInput struct {
	Body struct {
		Email string `json:"email"`
		Role  string `json:"role" enum:"owner,admin,member,staff"`
	}
}

func (a *API) createInvitation(tx *db.Tx, c *call, in *invitationInput) (answer[invitationJSON], error) {
	l, secret, err := a.People.Invite(tx, c.Org, in.Body.Email, org.Role(in.Body.Role), c.by())
	if err != nil {
		return answer[invitationJSON]{}, err
	}
	j := newInvitation(l)
	j.URL = org.Invitation.URL(a.PublicURL, secret)
	return answer[invitationJSON]{body: j, location: invitationsPath + "/" + string(l.ID)}, nil
}

// LinkPath names an invitation.
type LinkPath struct {
	LinkID string `path:"linkId"`
}

func (a *API) revokeInvitation(tx *db.Tx, c *call, in *LinkPath) (answer[none], error) {
	return answer[none]{}, a.People.RevokeLink(tx, c.Org, id.Link(in.LinkID), c.by())
}

type auditEntryJSON struct {
	ID      string         `json:"id"`
	At      string         `json:"at" format:"date-time"`
	Action  string         `json:"action" example:"key.created"`
	Actor   string         `json:"actor" doc:"Who did it: a person's or credential's id, or operator."`
	Subject string         `json:"subject" doc:"The id of what it was done to."`
	Address string         `json:"address,omitempty" doc:"The network address that it came from."`
	Detail  map[string]any `json:"detail"`
}

func newAuditEntry(e audit.Entry) auditEntryJSON {
	return auditEntryJSON{strconv.FormatInt(e.No, 10), instant(e.At), e.Action, e.Actor, e.Subject, e.Address, e.Detail}
}

type auditInput struct {
	Paging
	Action  string `query:"action"`
	Actor   string `query:"actor"`
	Subject string `query:"subject"`
}

// mostAudit bounds how far back the log is read in one list.
const mostAudit = 10_000

func (a *API) listAudit(ctx context.Context, c *call, in *auditInput) (answer[list[auditEntryJSON, noFilters]], error) {
	all, err := audit.List(a.DB.Read(ctx), c.Org, audit.Filter{Action: in.Action, Actor: in.Actor, Subject: in.Subject, Limit: mostAudit})
	if err != nil {
		return answer[list[auditEntryJSON, noFilters]]{}, err
	}
	return pageOf(c, in.Paging, "audit "+in.Action+" "+in.Actor+" "+in.Subject, all, newAuditEntry)
}
