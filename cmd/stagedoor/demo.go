package main

import (
	"context"

	"github.com/stagedoorhq/stagedoor/internal/demo"
)

type demoCmd struct {
	Once   bool   `help:"End after the story; the exit status says whether every delivery arrived."`
	Listen string `help:"Address to serve on. Without it 127.0.0.1:8080, or another port if that one is taken." placeholder:"HOST:PORT" setting:""`
	Data   string `help:"Folder for the data; without it, a temporary one that is removed in the end." placeholder:"DIR"`
}

// Run tells the story.
func (c *demoCmd) Run(ctx context.Context, p *program) error {
	return demo.Run(ctx, demo.Config{
		Listen: c.Listen, Data: c.Data, Once: c.Once,
		Out: p.stdout, Color: terminal(p.stdout) && p.getenv("NO_COLOR") == "" && p.getenv("TERM") != "dumb",
		Log: p.log, Getenv: p.getenv,
	})
}
