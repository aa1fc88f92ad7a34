package main

import (
	"context"

	"github.com/stagedoorhq/stagedoor/internal/app"
)

type migrateCmd struct {
	JSON bool `name:"json" help:"Answer {\"from\", \"to\"}, the versions of the schema."`
	place
}

// Run brings the schema up to date.
func (c *migrateCmd) Run(ctx context.Context, p *program) error {
	from, to, err := app.Migrate(ctx, c.config(p))
	if err != nil {
		return err
	}
	switch {
	case c.JSON:
		return p.json(struct {
			From int64 `json:"from"`
			To   int64 `json:"to"`
		}{from, to})
	case from == to:
		p.printf("The schema is up to date, at version %d.\n", to)
	default:
		p.printf("Migrated the schema from version %d to %d.\n", from, to)
	}
	return nil
}
