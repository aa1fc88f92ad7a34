package native

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

type clientJSON struct {
	ClientID     string             `json:"clientId" example:"oa_0198f3k7…"`
	Name         string             `json:"name"`
	AuthMethod   string             `json:"authMethod" enum:"none,client_secret_basic,client_secret_post,private_key_jwt"`
	RedirectURIs []string           `json:"redirectUris" nullable:"false" doc:"Compared byte for byte; on a loopback address any port will do."`
	Scopes       []string           `json:"scopes" nullable:"false" doc:"The most that it may ask for."`
	GrantTypes   []string           `json:"grantTypes" nullable:"false"`
	JWKS         map[string]any     `json:"jwks,omitempty" doc:"The public keys of private_key_jwt."`
	RequirePAR   bool               `json:"requirePushedAuthorizationRequests"`
	RequireDPoP  bool               `json:"requireDpop"`
	Secrets      []clientSecretJSON `json:"secrets" nullable:"false" doc:"What is known of its secrets, without the secrets."`
	ClientSecret string             `json:"clientSecret,omitempty" doc:"On creation and rotation only."`
	Version      int64              `json:"version" doc:"Grows with every change; the ETag."`
	CreatedAt    string             `json:"createdAt" format:"date-time"`
	UpdatedAt    string             `json:"updatedAt" format:"date-time"`
}

type clientSecretJSON struct {
	N         int64  `json:"n"`
	CreatedAt string `json:"createdAt" format:"date-time"`
	ExpiresAt string `json:"expiresAt,omitempty" format:"date-time"`
}

func texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}

func showClient(c oauth.Client, secret string) answer[clientJSON] {
	j := clientJSON{
		ClientID: string(c.ID), Name: c.Name, AuthMethod: string(c.AuthMethod), RedirectURIs: texts(c.Redirects), Scopes: texts(c.Scopes.List()),
		GrantTypes: texts(c.GrantTypes), RequirePAR: c.RequirePAR, RequireDPoP: c.RequireDPoP, Secrets: []clientSecretJSON{}, ClientSecret: secret,
		Version: c.Version, CreatedAt: instant(c.CreatedAt), UpdatedAt: instant(c.UpdatedAt),
	}
	if c.JWKS != "" {
		_ = json.Unmarshal([]byte(c.JWKS), &j.JWKS) // it was checked when it came
	}
	for _, s := range c.Secrets {
		j.Secrets = append(j.Secrets, clientSecretJSON{s.N, instant(s.CreatedAt), maybe(s.ExpiresAt)})
	}
	return answer[clientJSON]{body: j, version: c.Version}
}

// by is who makes the request, for the audit log.
func (c *call) by() audit.By {
	b := audit.By{Actor: c.Actor()}
	if c.api.ClientAddr != nil {
		if a := c.api.ClientAddr(c.request.Context()); a.IsValid() {
			b.Address = a.String()
		}
	}
	return b
}

// noFilters are those of lists that have none.
type noFilters struct{}

// pageOf cuts a page out of a list that is short enough to be read whole.
func pageOf[T, J any](c *call, p Paging, kind string, all []T, show func(T) J) (answer[list[J, noFilters]], error) {
	var out answer[list[J, noFilters]]
	at, err := p.place(c, kind, nil)
	if err != nil {
		return out, err
	}
	data := []J{}
	for i := at.offset; i < len(all) && len(data) < p.Limit; i++ {
		data = append(data, show(all[i]))
	}
	out.body = newList(p, at, data, len(all), noFilters{}, "")
	return out, nil
}

type pagingInput struct{ Paging }

func (a *API) listClients(ctx context.Context, c *call, in *pagingInput) (answer[list[clientJSON, noFilters]], error) {
	all, err := oauth.Clients(a.DB.Read(ctx), c.Org)
	if err != nil {
		return answer[list[clientJSON, noFilters]]{}, err
	}
	return pageOf(c, in.Paging, "clients", all, func(cl oauth.Client) clientJSON { return showClient(cl, "").body })
}

type clientInputJSON struct {
	Name         string          `json:"name"`
	AuthMethod   string          `json:"authMethod,omitempty" enum:"none,client_secret_basic,client_secret_post,private_key_jwt" doc:"client_secret_basic when left out; none for an app that cannot keep a secret."`
	RedirectURIs []string        `json:"redirectUris,omitempty" nullable:"false" doc:"https; http on a loopback address; or a scheme of your own with a dot."`
	Scopes       []string        `json:"scopes" nullable:"false"`
	GrantTypes   []string        `json:"grantTypes,omitempty" nullable:"false" doc:"authorization_code and refresh_token when left out."`
	JWKS         *map[string]any `json:"jwks,omitempty"`
	RequirePAR   bool            `json:"requirePushedAuthorizationRequests,omitempty"`
	RequireDPoP  bool            `json:"requireDpop,omitempty"`
}

type clientInput struct {
	Body clientInputJSON
}

// scopesOf reads a list of scopes.
func scopesOf(names []string) (scope.Set, error) {
	var f problem.Fields
	var set scope.Set
	for i, name := range names {
		one, ok := scope.Named(name)
		if !ok {
			f.Add(fmt.Sprintf("/scopes/%d", i), "unknown_scope", "%.64q is not a scope; the scopes are %s.", name, scope.All())
		}
		set |= scope.Of(one)
	}
	return set, f.Err()
}

func grantTypesOf(names []string) []oauth.GrantType {
	out := make([]oauth.GrantType, len(names))
	for i, n := range names {
		out[i] = oauth.GrantType(n)
	}
	return out
}

func jwksOf(m *map[string]any) string {
	if m == nil {
		return ""
	}
	b, _ := json.Marshal(*m) // it came as JSON
	return string(b)
}

func (a *API) createClient(tx *db.Tx, c *call, in *clientInput) (answer[clientJSON], error) {
	b := in.Body
	may, err := scopesOf(b.Scopes)
	if err != nil {
		return answer[clientJSON]{}, err
	}
	made, secret, err := a.Apps.CreateClient(tx, c.Org, oauth.ClientInput{
		Name: b.Name, AuthMethod: oauth.AuthMethod(b.AuthMethod), Redirects: b.RedirectURIs, Scopes: may, GrantTypes: grantTypesOf(b.GrantTypes),
		JWKS: jwksOf(b.JWKS), RequirePAR: b.RequirePAR, RequireDPoP: b.RequireDPoP,
	}, c.by())
	if err != nil {
		return answer[clientJSON]{}, err
	}
	out := showClient(made, secret)
	out.location = clientsPath + "/" + string(made.ID)
	return out, nil
}

// ClientPath names an app.
type ClientPath struct {
	ClientID string `path:"clientId"`
}

func (a *API) client(ctx context.Context, c *call, in *ClientPath) (answer[clientJSON], error) {
	found, err := oauth.ClientByID(a.DB.Read(ctx), c.Org, id.Client(in.ClientID))
	if err != nil {
		return answer[clientJSON]{}, err
	}
	return showClient(found, ""), nil
}

type clientPatchJSON struct {
	Name         *string         `json:"name,omitempty" nullable:"false"`
	AuthMethod   *string         `json:"authMethod,omitempty" enum:"none,client_secret_basic,client_secret_post,private_key_jwt" nullable:"false"`
	RedirectURIs *[]string       `json:"redirectUris,omitempty" nullable:"false"`
	Scopes       *[]string       `json:"scopes,omitempty" nullable:"false"`
	GrantTypes   *[]string       `json:"grantTypes,omitempty" nullable:"false"`
	JWKS         *map[string]any `json:"jwks,omitempty" nullable:"false"`
	RequirePAR   *bool           `json:"requirePushedAuthorizationRequests,omitempty" nullable:"false"`
	RequireDPoP  *bool           `json:"requireDpop,omitempty" nullable:"false"`
}

type clientPatch struct {
	ClientPath
	IfMatch string `header:"If-Match" doc:"The ETag of what the change is made for; 412 when it has changed since."`
	Body    clientPatchJSON
}

func (a *API) changeClient(tx *db.Tx, c *call, in *clientPatch) (answer[clientJSON], error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return answer[clientJSON]{}, err
	}
	was, err := oauth.ClientByID(tx, c.Org, id.Client(in.ClientID))
	if err != nil {
		return answer[clientJSON]{}, err
	}
	to, b := was.Input(), in.Body
	replace(&to.Name, b.Name)
	replace(&to.Redirects, b.RedirectURIs)
	replace(&to.RequirePAR, b.RequirePAR)
	replace(&to.RequireDPoP, b.RequireDPoP)
	if b.AuthMethod != nil {
		to.AuthMethod = oauth.AuthMethod(*b.AuthMethod)
	}
	if b.GrantTypes != nil {
		to.GrantTypes = grantTypesOf(*b.GrantTypes)
	}
	if b.JWKS != nil {
		to.JWKS = jwksOf(b.JWKS)
	}
	if b.Scopes != nil {
		if to.Scopes, err = scopesOf(*b.Scopes); err != nil {
			return answer[clientJSON]{}, err
		}
	}
	changed, err := a.Apps.UpdateClient(tx, c.Org, was.ID, to, version, c.by())
	if err != nil {
		return answer[clientJSON]{}, err
	}
	return showClient(changed, ""), nil
}

func replace[T any](to *T, by *T) {
	if by != nil {
		*to = *by
	}
}

type clientDelete struct {
	ClientPath
	IfMatch string `header:"If-Match" doc:"The ETag of what is to be deleted; 412 when it has changed since."`
}

func (a *API) deleteClient(tx *db.Tx, c *call, in *clientDelete, _ none) (answer[none], error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return answer[none]{}, err
	}
	return answer[none]{}, a.Apps.DeleteClient(tx, c.Org, id.Client(in.ClientID), version, c.by())
}

type clientRotation struct {
	ClientPath
	Body *rotationJSON
}

func (a *API) rotateClientSecret(tx *db.Tx, c *call, in *clientRotation) (answer[clientJSON], error) {
	overlap := 24 * time.Hour
	if in.Body != nil && in.Body.OverlapSeconds != nil {
		overlap = time.Duration(*in.Body.OverlapSeconds) * time.Second
	}
	changed, secret, err := a.Apps.RotateSecret(tx, c.Org, id.Client(in.ClientID), overlap, c.by())
	if err != nil {
		return answer[clientJSON]{}, err
	}
	return showClient(changed, secret), nil
}

type grantJSON struct {
	ID         string   `json:"id"`
	ClientID   string   `json:"clientId"`
	ClientName string   `json:"clientName"`
	UserID     *string  `json:"userId" doc:"Who has allowed it; null for what an app does for itself."`
	Scopes     []string `json:"scopes" nullable:"false"`
	Version    int64    `json:"version" doc:"Grows with every change; the ETag."`
	CreatedAt  string   `json:"createdAt" format:"date-time"`
	UpdatedAt  string   `json:"updatedAt" format:"date-time"`
}

func showGrant(q db.Querier, g oauth.Grant) (grantJSON, error) {
	j := grantJSON{
		ID: string(g.ID), ClientID: string(g.ClientID), ClientName: g.ClientName, Scopes: texts(g.Scopes.List()), Version: g.Version,
		CreatedAt: instant(g.CreatedAt), UpdatedAt: instant(g.UpdatedAt),
	}
	if g.UserNo == 0 {
		return j, nil
	}
	u, err := org.UserByNumber(q, g.UserNo)
	j.UserID = orNull(string(u.ID))
	return j, err
}

func (a *API) listGrants(ctx context.Context, c *call, in *pagingInput) (answer[list[grantJSON, noFilters]], error) {
	q := a.DB.Read(ctx)
	all, err := oauth.Grants(q, c.Org)
	if err != nil {
		return answer[list[grantJSON, noFilters]]{}, err
	}
	var failed error
	out, err := pageOf(c, in.Paging, "grants", all, func(g oauth.Grant) grantJSON {
		j, err := showGrant(q, g)
		if err != nil {
			failed = err
		}
		return j
	})
	if err == nil {
		err = failed
	}
	return out, err
}

// GrantPath names a grant.
type GrantPath struct {
	GrantID string `path:"grantId"`
}

func (a *API) grant(ctx context.Context, c *call, in *GrantPath) (answer[grantJSON], error) {
	q := a.DB.Read(ctx)
	g, err := oauth.GrantByID(q, c.Org, id.Grant(in.GrantID))
	if err != nil {
		return answer[grantJSON]{}, err
	}
	j, err := showGrant(q, g)
	return answer[grantJSON]{body: j, version: g.Version}, err
}

func (a *API) revokeGrant(tx *db.Tx, c *call, in *GrantPath, _ none) (answer[none], error) {
	return answer[none]{}, a.Apps.RevokeGrant(tx, c.Org, id.Grant(in.GrantID), "withdrawn_by_organisation", c.by())
}
