package main

import (
	"context"

	"github.com/stagedoorhq/stagedoor/internal/app"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/org"
)

type orgCmd struct {
	Create orgCreateCmd `cmd:"" help:"Make an organisation."`
	List   orgListCmd   `cmd:"" help:"List the organisations."`
}

type orgCreateCmd struct {
	Name     string `arg:"" help:"Its name, 1 to 200 characters."`
	Slug     string `help:"Its short name in commands: a-z, 0-9 and -. Without it, one is made from the name." placeholder:"SLUG"`
	Currency string `help:"Currency of events that name none, by ISO 4217." default:"USD" placeholder:"USD"`
	Timezone string `help:"Time zone of events that name none, by its IANA name." default:"UTC" placeholder:"Europe/Oslo"`
	JSON     bool   `name:"json" help:"Answer {\"id\", \"name\", \"slug\"}."`
	place
}

// Run makes the organisation.
func (c *orgCreateCmd) Run(ctx context.Context, p *program) error {
	return c.with(ctx, p, func(core *app.Core) error {
		var made org.Org
		err := core.DB.Write(ctx, "", func(tx *db.Tx) (err error) {
			made, err = org.Create(tx, org.Input{Name: c.Name, Slug: c.Slug, Currency: money.Currency(c.Currency), Timezone: c.Timezone})
			return err
		})
		if err != nil {
			return err
		}
		if c.JSON {
			return p.json(struct {
				ID   id.Org `json:"id"`
				Name string `json:"name"`
				Slug string `json:"slug"`
			}{made.ID, made.Name, made.Slug})
		}
		p.printf("Made the organisation %s (%s), its slug is %s.\nNext, make a key for it: stagedoor key create --org %s\n", made.Name, made.ID, made.Slug, made.Slug)
		return nil
	})
}

type orgListCmd struct {
	JSON bool `name:"json" help:"Answer {\"organisations\": […]}."`
	place
}

type orgJSON struct {
	ID        id.Org         `json:"id"`
	Name      string         `json:"name"`
	Slug      string         `json:"slug"`
	Currency  money.Currency `json:"currency"`
	Timezone  string         `json:"timezone"`
	CreatedAt instant        `json:"createdAt"`
}

// Run lists the organisations.
func (c *orgListCmd) Run(ctx context.Context, p *program) error {
	return c.within(ctx, p, func(core *app.Core) error {
		all, err := org.All(core.DB.Read(ctx))
		if err != nil {
			return err
		}
		list := make([]orgJSON, len(all))
		rows := [][]string{{"SLUG", "NAME", "ID", "CURRENCY", "TIME ZONE"}}
		for i, o := range all {
			list[i] = orgJSON{o.ID, o.Name, o.Slug, o.Currency, o.Timezone, at(o.CreatedAt)}
			rows = append(rows, []string{o.Slug, o.Name, string(o.ID), string(o.Currency), o.Timezone})
		}
		if c.JSON {
			return p.json(map[string]any{"organisations": list})
		}
		return p.table(rows, "There is no organisation yet; make one with: stagedoor org create NAME")
	})
}
