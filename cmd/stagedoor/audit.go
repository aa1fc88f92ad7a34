package main

import (
	"context"
	"slices"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/app"
)

type auditCmd struct {
	JSON bool `name:"json" help:"Answer {\"clean\", \"facts\", \"deliveries\", \"differences\": [{\"part\", \"what\"}]}."`
	place
}

// Help implements [kong.HelpProvider].
func (auditCmd) Help() string {
	return "Reads while a server runs. What seems to differ is looked at again with all writers held up for that time. " +
		"The exit status is 1 when something differs."
}

type differenceJSON struct {
	Part string `json:"part"`
	What string `json:"what"`
}

// Run audits.
func (c *auditCmd) Run(ctx context.Context, p *program) error {
	cfg := c.config(p)
	if err := cfg.Exists(); err != nil {
		return err
	}
	var a app.Audit
	err := with(ctx, cfg.Unhurried(), func(core *app.Core) (err error) {
		a, err = core.Audit(ctx)
		return err
	})
	if err != nil {
		return err
	}
	differences := make([]differenceJSON, len(a.Differences))
	for i, d := range a.Differences {
		differences[i] = differenceJSON(d)
	}
	if c.JSON {
		err = p.json(struct {
			Clean       bool             `json:"clean"`
			Facts       int64            `json:"facts"`
			Deliveries  map[string]int64 `json:"deliveries"`
			Differences []differenceJSON `json:"differences"`
		}{len(differences) == 0, a.Facts, a.Deliveries, differences})
	} else {
		err = c.say(p, a)
	}
	if err == nil && len(differences) > 0 {
		err = errSaid
	}
	return err
}

func (c *auditCmd) say(p *program, a app.Audit) error {
	states := make([]string, 0, len(a.Deliveries))
	for state := range a.Deliveries {
		states = append(states, state)
	}
	slices.Sort(states)
	var n int64
	for i, state := range states {
		n += a.Deliveries[state]
		states[i] = count(a.Deliveries[state], state, state)
	}
	p.printf("%s, %s", count(a.Facts, "fact", "facts"), count(n, "delivery", "deliveries"))
	if n > 0 {
		p.printf(" (%s)", strings.Join(states, ", "))
	}
	if len(a.Differences) == 0 {
		p.printf(".\nStock, totals and deliveries agree.\n")
		return nil
	}
	p.printf(".\nThese do not agree:\n\n")
	rows := [][]string{{"PART", "WHAT DIFFERS"}}
	for _, d := range a.Differences {
		rows = append(rows, []string{d.Part, d.What})
	}
	return p.table(rows, "")
}
