package main

import (
	"context"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/app"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

type clientCmd struct {
	Create clientCreateCmd `cmd:"" help:"Register an app, which people may then allow to act for them."`
	List   clientListCmd   `cmd:"" help:"List an organisation's apps."`
	Rotate clientRotateCmd `cmd:"" name:"rotate-secret" help:"Give an app a new secret; the one before is good for the overlap."`
	Delete clientDeleteCmd `cmd:"" help:"End an app with all that it was allowed."`
}

type clientCreateCmd struct {
	Name        string   `arg:"" help:"Its name, as people are shown it."`
	Redirect    []string `help:"URI that answers may go to; repeat for more." placeholder:"URI"`
	Scope       []string `help:"What it may ask for, such as events:read; repeat for more." required:"" placeholder:"SCOPE"`
	Public      bool     `help:"It cannot keep a secret: an app on a phone or in a browser."`
	AuthMethod  string   `help:"How it shows who it is: client_secret_basic, client_secret_post or none." default:"client_secret_basic" placeholder:"METHOD"`
	GrantType   []string `help:"Way to a token: authorization_code, refresh_token, client_credentials or device_code; repeat for more. Without any, the first two." placeholder:"TYPE"`
	RequirePAR  bool     `name:"require-par" help:"It must push its requests (RFC 9126)."`
	RequireDPoP bool     `name:"require-dpop" help:"Its tokens are bound to keys (RFC 9449)."`
	JSON        bool     `name:"json" help:"Answer {\"clientId\", \"clientSecret\", \"scopes\"}."`
	ofOrg
}

func (c *clientCreateCmd) input() (oauth.ClientInput, error) {
	may, err := parseScopes(c.Scope)
	in := oauth.ClientInput{
		Name: c.Name, AuthMethod: oauth.AuthMethod(c.AuthMethod), Redirects: c.Redirect, Scopes: may, RequirePAR: c.RequirePAR, RequireDPoP: c.RequireDPoP,
	}
	if c.Public {
		in.AuthMethod = oauth.Public
	}
	for _, g := range c.GrantType {
		if g == "device_code" {
			g = string(oauth.DeviceCode)
		}
		in.GrantTypes = append(in.GrantTypes, oauth.GrantType(g))
	}
	return in, err
}

// Run registers the app.
func (c *clientCreateCmd) Run(ctx context.Context, p *program) error {
	return c.within(ctx, p, func(core *app.Core, o org.Org) error {
		in, err := c.input()
		if err != nil {
			return err
		}
		var made oauth.Client
		var secret string
		err = core.DB.Write(ctx, "", func(tx *db.Tx) (err error) {
			made, secret, err = core.Apps.CreateClient(tx, o.No, in, operator)
			return err
		})
		if err != nil {
			return err
		}
		return sayClient(p, c.JSON, made, secret)
	})
}

func sayClient(p *program, asJSON bool, c oauth.Client, secret string) error {
	if asJSON {
		return p.json(struct {
			ID     id.Client     `json:"clientId"`
			Secret string        `json:"clientSecret,omitempty"`
			Scopes []scope.Scope `json:"scopes"`
		}{c.ID, secret, c.Scopes.List()})
	}
	p.printf("client_id      %s\n", c.ID)
	if secret != "" {
		p.printf("client_secret  %s\n\nThe secret is not shown again.\n", secret)
	}
	return nil
}

type clientListCmd struct {
	JSON bool `name:"json" help:"Answer {\"clients\": […]}."`
	ofOrg
}

type clientJSON struct {
	ID        id.Client         `json:"clientId"`
	Name      string            `json:"name"`
	Method    oauth.AuthMethod  `json:"authMethod"`
	Redirects []string          `json:"redirectUris"`
	Scopes    []scope.Scope     `json:"scopes"`
	Grants    []oauth.GrantType `json:"grantTypes"`
	CreatedAt instant           `json:"createdAt"`
}

// Run lists the apps.
func (c *clientListCmd) Run(ctx context.Context, p *program) error {
	return c.within(ctx, p, func(core *app.Core, o org.Org) error {
		all, err := oauth.Clients(core.DB.Read(ctx), o.No)
		if err != nil {
			return err
		}
		list := make([]clientJSON, len(all))
		rows := [][]string{{"CLIENT ID", "NAME", "METHOD", "SCOPES"}}
		for i, a := range all {
			list[i] = clientJSON{a.ID, a.Name, a.AuthMethod, a.Redirects, a.Scopes.List(), a.GrantTypes, at(a.CreatedAt)}
			rows = append(rows, []string{string(a.ID), a.Name, string(a.AuthMethod), strings.ReplaceAll(a.Scopes.String(), " ", ", ")})
		}
		if c.JSON {
			return p.json(map[string]any{"clients": list})
		}
		return p.table(rows, o.Name+" has no app yet; register one with: stagedoor client create NAME --org "+o.Slug)
	})
}

type clientRotateCmd struct {
	ID      string        `arg:"" name:"id" help:"Its client_id, oa_…."`
	Overlap time.Duration `help:"How long the secret before stays good; at most 168h." default:"24h" placeholder:"DURATION"`
	JSON    bool          `name:"json" help:"Answer {\"clientId\", \"clientSecret\", \"scopes\"}."`
	ofOrg
}

// Run replaces the secret.
func (c *clientRotateCmd) Run(ctx context.Context, p *program) error {
	return c.within(ctx, p, func(core *app.Core, o org.Org) error {
		var changed oauth.Client
		var secret string
		err := core.DB.Write(ctx, "", func(tx *db.Tx) (err error) {
			changed, secret, err = core.Apps.RotateSecret(tx, o.No, id.Client(c.ID), c.Overlap, operator)
			return err
		})
		if err != nil {
			return err
		}
		return sayClient(p, c.JSON, changed, secret)
	})
}

type clientDeleteCmd struct {
	ID string `arg:"" name:"id" help:"Its client_id, oa_…."`
	ofOrg
}

// Run ends the app.
func (c *clientDeleteCmd) Run(ctx context.Context, p *program) error {
	return c.within(ctx, p, func(core *app.Core, o org.Org) error {
		if err := core.DB.Configure(ctx, func(tx *db.Tx) error { return core.Apps.DeleteClient(tx, o.No, id.Client(c.ID), 0, operator) }); err != nil {
			return err
		}
		p.printf("Ended %s. Its tokens are refused within a second.\n", c.ID)
		return nil
	})
}
