package native

import (
	"context"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/org"
)

type keyJSON struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Scopes     []string `json:"scopes" nullable:"false"`
	Full       bool     `json:"full" doc:"Made without scopes: it may do everything, also administrate the organisation."`
	PerMinute  int      `json:"perMinute" doc:"Requests; 0 for no limit."`
	Key        string   `json:"key,omitempty" doc:"On creation only."`
	CreatedAt  string   `json:"createdAt" format:"date-time"`
	LastUsedAt *string  `json:"lastUsedAt" format:"date-time" doc:"A minute old at most; null when never."`
}

func newKey(k org.Key) keyJSON {
	return keyJSON{
		ID: string(k.ID), Name: k.Name, Scopes: texts(k.Scopes.List()), Full: k.Full, PerMinute: k.PerMinute, CreatedAt: instant(k.CreatedAt),
		LastUsedAt: orNull(maybe(k.LastUsedAt)),
	}
}

// listKeys lists the keys that are good. Those that were revoked are in the audit log.
func (a *API) listKeys(ctx context.Context, c *call, in *pagingInput) (answer[list[keyJSON, noFilters]], error) {
	all, err := org.Keys(a.DB.Read(ctx), c.Org)
	if err != nil {
		return answer[list[keyJSON, noFilters]]{}, err
	}
	good := all[:0]
	for _, k := range all {
		if k.RevokedAt.IsZero() {
			good = append(good, k)
		}
	}
	return pageOf(c, in.Paging, "keys", good, newKey)
}

type keyInputJSON struct {
	Name      string    `json:"name,omitempty" maxLength:"200" doc:"What it is for."`
	Scopes    *[]string `json:"scopes,omitempty" nullable:"false" minItems:"1" doc:"What it may do; when left out, everything, also to administrate the organisation."`
	PerMinute count     `json:"perMinute,omitempty" minimum:"0" maximum:"1000000" doc:"Requests; 0 for no limit."`
}

type keyInput struct {
	Body keyInputJSON
}

func (a *API) createKey(tx *db.Tx, c *call, in *keyInput) (answer[keyJSON], error) {
	asked := org.KeyInput{Name: in.Body.Name, PerMinute: int(in.Body.PerMinute)}
	if in.Body.Scopes != nil {
		var err error
		if asked.Scopes, err = scopesOf(*in.Body.Scopes); err != nil {
			return answer[keyJSON]{}, err
		}
	}
	k, secret, err := org.CreateKey(tx, c.Org, asked, c.by())
	if err != nil {
		return answer[keyJSON]{}, err
	}
	out := answer[keyJSON]{body: newKey(k), location: keysPath + "/" + string(k.ID)}
	out.body.Key = secret
	return out, nil
}

// KeyPath names an API key.
type KeyPath struct {
	KeyID string `path:"keyId"`
}

func (a *API) revokeKey(tx *db.Tx, c *call, in *KeyPath) (answer[none], error) {
	return answer[none]{}, org.RevokeKey(tx, c.Org, id.Key(in.KeyID), c.by())
}
