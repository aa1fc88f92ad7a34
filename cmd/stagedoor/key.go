package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/app"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

type keyCmd struct {
	Create keyCreateCmd `cmd:"" help:"Make an API key. It is shown once."`
	List   keyListCmd   `cmd:"" help:"List an organisation's keys, without the keys themselves."`
	Revoke keyRevokeCmd `cmd:"" help:"End a key, within a second on a running server."`
}

type keyCreateCmd struct {
	Name      string   `help:"What it is for." placeholder:"NAME"`
	Scope     []string `help:"What it may do, such as events:read; repeat for more. Without any, everything." placeholder:"SCOPE"`
	PerMinute int      `help:"Requests that it may make in a minute; 0 for no limit." default:"0" placeholder:"N"`
	JSON      bool     `name:"json" help:"Answer {\"id\", \"key\", \"scopes\"}."`
	ofOrg
}

// Run makes the key.
func (c *keyCreateCmd) Run(ctx context.Context, p *program) error {
	return c.within(ctx, p, func(core *app.Core, o org.Org) error {
		may, err := parseScopes(c.Scope)
		if err != nil {
			return err
		}
		in := org.KeyInput{Name: c.Name, Scopes: may, PerMinute: c.PerMinute}
		var made org.Key
		var secret string
		err = core.DB.Write(ctx, "", func(tx *db.Tx) (err error) {
			made, secret, err = org.CreateKey(tx, o.No, in, operator)
			return err
		})
		if err != nil {
			return err
		}
		if c.JSON {
			return p.json(struct {
				ID     id.Key        `json:"id"`
				Key    string        `json:"key"`
				Scopes []scope.Scope `json:"scopes"`
			}{made.ID, secret, made.Scopes.List()})
		}
		p.printf("%s\n\nThis is the key %s of %s. It is not shown again; send it as X-API-Key.\nIt may do: %s.\n", secret, made.ID, o.Name, scopes(made.Scopes))
		return nil
	})
}

type keyListCmd struct {
	JSON bool `name:"json" help:"Answer {\"keys\": […]}."`
	ofOrg
}

type keyJSON struct {
	ID         id.Key        `json:"id"`
	Name       string        `json:"name"`
	Scopes     []scope.Scope `json:"scopes"`
	PerMinute  int           `json:"perMinute"`
	CreatedAt  instant       `json:"createdAt"`
	LastUsedAt *instant      `json:"lastUsedAt"`
	RevokedAt  *instant      `json:"revokedAt"`
}

// Run lists the keys.
func (c *keyListCmd) Run(ctx context.Context, p *program) error {
	return c.within(ctx, p, func(core *app.Core, o org.Org) error {
		all, err := org.Keys(core.DB.Read(ctx), o.No)
		if err != nil {
			return err
		}
		list := make([]keyJSON, len(all))
		rows := [][]string{{"ID", "NAME", "STATE", "PER MINUTE", "LAST USED", "SCOPES"}}
		for i, k := range all {
			list[i] = keyJSON{k.ID, k.Name, k.Scopes.List(), k.PerMinute, at(k.CreatedAt), maybe(k.LastUsedAt), maybe(k.RevokedAt)}
			state := "good"
			if !k.RevokedAt.IsZero() {
				state = "revoked"
			}
			rows = append(rows, []string{string(k.ID), k.Name, state, limit(k.PerMinute), moment(k.LastUsedAt, "never"), scopes(k.Scopes)})
		}
		if c.JSON {
			return p.json(map[string]any{"keys": list})
		}
		return p.table(rows, fmt.Sprintf("%s has no key yet; make one with: stagedoor key create --org %s", o.Name, o.Slug))
	})
}

type keyRevokeCmd struct {
	ID   string `arg:"" name:"id" help:"The key's id, key_…; never the key itself."`
	Org  string `help:"The organisation's slug, to be sure; the id alone says whose key it is." placeholder:"SLUG"`
	JSON bool   `name:"json" help:"Answer {\"id\", \"revoked\"}."`
	place
}

// Run ends the key.
func (c *keyRevokeCmd) Run(ctx context.Context, p *program) error {
	return c.within(ctx, p, func(core *app.Core) error {
		owner, err := c.owner(core.DB.Read(ctx))
		if err != nil {
			return err
		}
		if err := core.DB.Write(ctx, "", func(tx *db.Tx) error { return org.RevokeKey(tx, owner, id.Key(c.ID), operator) }); err != nil {
			return err
		}
		if c.JSON {
			return p.json(struct {
				ID      string `json:"id"`
				Revoked bool   `json:"revoked"`
			}{c.ID, true})
		}
		p.printf("Revoked %s. A running server refuses it within a second.\n", c.ID)
		return nil
	})
}

// owner finds the organisation whose key it is; 0, which has no keys, when there is none.
func (c *keyRevokeCmd) owner(q db.Querier) (int64, error) {
	if c.Org != "" {
		o, err := org.BySlug(q, c.Org)
		return o.No, err
	}
	all, err := org.All(q)
	if err != nil {
		return 0, err
	}
	for _, o := range all {
		keys, err := org.Keys(q, o.No)
		if err != nil {
			return 0, err
		}
		if slices.ContainsFunc(keys, func(k org.Key) bool { return k.ID == id.Key(c.ID) }) {
			return o.No, nil
		}
	}
	return 0, nil
}

// scopes lists what a key may do in as few words as say it.
func scopes(of scope.Set) string {
	if of == scope.All() {
		return "everything"
	}
	return strings.ReplaceAll(of.String(), " ", ", ")
}

// parseScopes reads the values of --scope.
func parseScopes(names []string) (scope.Set, error) {
	var f problem.Fields
	var set scope.Set
	for i, name := range names {
		one, err := scope.Parse(name)
		if err != nil || one == 0 {
			f.Add(fmt.Sprintf("/scopes/%d", i), "unknown_scope", "%q is not a scope; the scopes are %s.", name, strings.ReplaceAll(scope.All().String(), " ", ", "))
		}
		set |= one
	}
	return set, f.Err()
}

func limit(n int) string {
	if n == 0 {
		return "no limit"
	}
	return strconv.Itoa(n)
}
