package app

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// Finder finds out whose credentials are presented. It is safe for use by many goroutines.
type Finder struct {
	ids sync.Map // of organisations, by their number: int64 to id.Org. They never change
}

// Find finds out whose credential was presented, in as few looks as can be: it is done for every request that nobody remembers. What kind it is, is
// seen from how it begins.
func (f *Finder) Find(q db.Querier, credential string, now time.Time) (*access.Principal, error) {
	switch {
	case strings.HasPrefix(credential, oauth.TokenPrefix):
		return f.bearer(q, credential, now)
	case strings.HasPrefix(credential, org.TokenPrefix):
		return findPersonal(q, credential, now)
	case strings.HasPrefix(credential, gate.CredentialPrefix):
		return f.device(q, credential)
	}
	k, o, err := org.Authenticate(q, credential)
	if err != nil {
		return nil, err
	}
	return &access.Principal{
		Org: o.No, OrgID: o.ID, Kind: access.APIKey, Credential: string(k.ID), Scopes: k.Scopes, Allowed: scope.All(), Admin: k.Full, PerMinute: k.PerMinute,
	}, nil
}

func findPersonal(q db.Querier, credential string, now time.Time) (*access.Principal, error) {
	t, u, role, err := org.AuthenticateToken(q, credential, now)
	if err != nil {
		return nil, err
	}
	p := &access.Principal{
		Org: t.Org, OrgID: t.OrgID, Kind: access.Personal, Credential: string(t.ID), Scopes: t.Scopes, Full: t.Full, Admin: t.Full && role.Administrates(), Expires: t.ExpiresAt,
	}
	actsFor(p, u, role)
	return p, nil
}

func (f *Finder) device(q db.Querier, credential string) (*access.Principal, error) {
	d, err := gate.Authenticate(q, credential)
	if err != nil {
		return nil, err
	}
	o, err := f.orgID(q, d.Org)
	return &access.Principal{
		Org: d.Org, OrgID: o, Kind: access.Device, Credential: string(d.ID), Scopes: gate.DeviceScopes(), Allowed: gate.DeviceScopes(), Gates: d.Gates, Events: d.Events,
	}, err
}

func (f *Finder) bearer(q db.Querier, credential string, now time.Time) (*access.Principal, error) {
	b, err := oauth.Authenticate(q, credential, now)
	if err != nil {
		return nil, err
	}
	o, err := f.orgID(q, b.Org)
	if err != nil {
		return nil, err
	}
	p := &access.Principal{
		Org: b.Org, OrgID: o, Kind: access.Service, Credential: string(b.Grant), Scopes: b.Scopes, Allowed: scope.All(), Client: b.Client, GrantNo: b.GrantNo,
		Expires: b.Expires, Proof: b.Thumbprint, Resource: b.Resource,
	}
	if b.UserNo == 0 {
		return p, nil
	}
	u, role, err := org.Standing(q, b.Org, b.UserNo)
	if err != nil {
		return nil, err
	}
	p.Kind = access.Grant
	actsFor(p, u, role)
	return p, nil
}

// orgID is the id of the organisation with a number.
func (f *Finder) orgID(q db.Querier, no int64) (id.Org, error) {
	if known, ok := f.ids.Load(no); ok {
		return known.(id.Org), nil
	}
	o, err := org.ByNumber(q, no)
	if err != nil {
		return "", err
	}
	f.ids.Store(no, o.ID)
	return o.ID, nil
}

// actsFor narrows a principal to what its person may do.
func actsFor(p *access.Principal, u org.User, role org.Role) {
	p.User, p.UserNo, p.Allowed, p.Attendee = u.ID, u.No, role.Allows(), role == ""
	if p.Attendee && !u.VerifiedAt.IsZero() {
		p.Email = strings.ToLower(u.Email)
	}
}

func (c *Core) find(ctx context.Context, credential string) (*access.Principal, error) {
	return c.finder.Find(c.DB.Read(ctx), credential, time.Now())
}

// used notes that credentials have been used, each where its kind is kept.
func (c *Core) used(ctx context.Context, o int64, credentials ...string) error {
	var keys []id.Key
	var tokens []id.Token
	var devices []id.Device
	for _, one := range credentials {
		switch {
		case strings.HasPrefix(one, "key_"):
			keys = append(keys, id.Key(one))
		case strings.HasPrefix(one, "tok_"):
			tokens = append(tokens, id.Token(one))
		case strings.HasPrefix(one, "dev_"):
			devices = append(devices, id.Device(one))
		}
	}
	return c.DB.Write(ctx, "", func(tx *db.Tx) error {
		if err := org.Used(tx, o, keys...); err != nil {
			return err
		}
		if err := org.UsedTokens(tx, o, tokens...); err != nil {
			return err
		}
		return gate.UsedDevices(tx, o, devices...)
	})
}
