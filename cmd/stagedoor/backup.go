package main

import (
	"context"

	"github.com/stagedoorhq/stagedoor/internal/app"
	"github.com/stagedoorhq/stagedoor/internal/seal"
)

type backupCmd struct {
	File string `arg:"" name:"file" help:"File to write; it must not exist yet."`
	JSON bool   `name:"json" help:"Answer {\"file\", \"bytes\", \"masterKey\"}."`
	place
}

// Run makes the backup.
func (c *backupCmd) Run(ctx context.Context, p *program) error {
	cfg := c.config(p)
	if err := cfg.Exists(); err != nil {
		return err
	}
	b, err := app.WriteBackup(ctx, cfg, c.File)
	if err != nil {
		return err
	}
	if c.JSON {
		return p.json(struct {
			File      string `json:"file"`
			Bytes     int64  `json:"bytes"`
			MasterKey string `json:"masterKey"`
		}{b.File, b.Bytes, b.MasterKey})
	}
	key := b.MasterKey
	if key == seal.EnvVar {
		key = "in the environment variable " + key
	}
	p.printf("Wrote %s (%s).\nThe secrets in it are sealed with the master key, which is not in it: %s\nKeep the key too, in another place than the backup.\n"+
		"A server that is started on it sends what was still to be sent at that moment: do not start one while the original runs.\n",
		b.File, size(b.Bytes), key)
	return nil
}
