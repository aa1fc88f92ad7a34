package main

import (
	"context"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/app"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/person"
)

type eraseCmd struct {
	Email string `help:"The person's e-mail address." required:"" placeholder:"ADDRESS"`
	Org   string `help:"Only from this organisation; the account goes when it is that one's alone." placeholder:"SLUG"`
	JSON  bool   `name:"json" help:"Answer {\"orders\", \"messages\", \"traces\", \"answers\", \"member\", \"account\"}."`
	place
}

// Help implements [kong.HelpProvider].
func (eraseCmd) Help() string {
	return "Without --org, from all organisations, and the account. It runs beside a server, reads the whole ledger, and can be repeated: also when it was " +
		"interrupted. What was sold stays, without the people. Backups that were made before still have them."
}

// Run erases.
func (c *eraseCmd) Run(ctx context.Context, p *program) error {
	if !org.ValidEmail(c.Email) {
		return misuse("--email is not an e-mail address such as kari@example.com")
	}
	cfg := c.config(p)
	if err := cfg.Exists(); err != nil {
		return err
	}
	var done app.Erased
	err := with(ctx, cfg.Unhurried(), func(core *app.Core) (err error) {
		var o org.Org
		if c.Org != "" {
			if o, err = org.BySlug(core.DB.Read(ctx), c.Org); err != nil {
				return err
			}
		}
		done, err = core.Erase(ctx, o.No, person.Of(c.Email), operator)
		return err
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return p.json(struct {
			Orders   int  `json:"orders"`
			Tickets  int  `json:"tickets"`
			Passes   int  `json:"passes"`
			Stamps   int  `json:"stamps"`
			Messages int  `json:"messages"`
			Traces   int  `json:"traces"`
			Answers  int  `json:"answers"`
			Member   bool `json:"member"`
			Account  bool `json:"account"`
		}(done))
	}
	p.printf("%s\n", said(done))
	return nil
}

// said is what was erased, in a sentence.
func said(e app.Erased) string {
	var parts []string
	add := func(n int, one, many string) {
		if n > 0 {
			parts = append(parts, count(int64(n), one, many))
		}
	}
	add(e.Orders, "order's people", "orders' people")
	add(e.Tickets, "holder or transfer of a ticket", "holders or transfers of tickets")
	add(e.Passes, "trace in passes of tickets", "traces in passes of tickets")
	add(e.Stamps, "stamp or check-in", "stamps or check-ins")
	add(e.Messages, "message", "messages")
	add(e.Traces, "trace in deliveries and notes", "traces in deliveries and notes")
	add(e.Answers, "kept answer", "kept answers")
	if e.Member {
		parts = append(parts, "what they were and had allowed")
	}
	if e.Account {
		parts = append(parts, "the account")
	}
	if len(parts) == 0 {
		return "Nothing was found."
	}
	return "Erased: " + strings.Join(parts, ", ") + "."
}
