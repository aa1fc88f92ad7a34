package main

import (
	"context"
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/app"
)

type doctorCmd struct {
	URL         string    `arg:"" name:"url" optional:"" help:"A receiver's URL: whether deliveries can reach it."`
	AllowTarget []network `help:"Network that deliveries may go to although it is not public; as given to serve." placeholder:"CIDR" setting:""`
	JSON        bool      `name:"json" help:"Answer {\"ok\", \"checks\": [{\"check\", \"ok\", \"says\", \"remedy\"}]}."`
	appleFlags
	place
}

type findingJSON struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Says   string `json:"says"`
	Remedy string `json:"remedy,omitempty"`
}

// Run looks for what is wrong.
func (c *doctorCmd) Run(ctx context.Context, p *program) error {
	cfg := c.config(p)
	cfg.AllowTargets, cfg.Wallets = prefixes(c.AllowTarget), c.wallets()
	var list []findingJSON
	problems := 0
	for _, f := range app.Examine(ctx, cfg, c.URL) {
		list = append(list, findingJSON(f))
		if !f.OK {
			problems++
		}
	}
	if c.JSON {
		err := p.json(struct {
			OK     bool          `json:"ok"`
			Checks []findingJSON `json:"checks"`
		}{problems == 0, list})
		if err != nil {
			return err
		}
	} else {
		c.say(p, list, problems)
	}
	if problems > 0 {
		return errSaid
	}
	return nil
}

func (c *doctorCmd) say(p *program, list []findingJSON, problems int) {
	width := 0
	for _, f := range list {
		width = max(width, len(f.Check))
	}
	for _, f := range list {
		word := "ok"
		if !f.OK {
			word = "problem"
		}
		p.printf("%-7s  %-*s  %s\n", word, width, f.Check, f.Says)
		if f.Remedy != "" {
			p.printf("%-7s  %-*s  → %s\n", "", width, "", f.Remedy)
		}
	}
	verdict := "All is well."
	if problems > 0 {
		verdict = fmt.Sprintf("%s to put right.", count(int64(problems), "problem", "problems"))
	}
	p.printf("\n%s\n", verdict)
}
