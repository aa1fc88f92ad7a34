package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/trigger"
)

type triggerCmd struct {
	Event string   `arg:"" optional:"" help:"The event, such as order.confirmed."`
	Set   []string `help:"Give a field of what is made another value, such as event.name=Gala or order.quantity=2; repeat for more." placeholder:"PATH=VALUE" sep:"none"`
	List  bool     `help:"List the events, and what is done for each."`
	JSON  bool     `name:"json" help:"Answer {\"event\", \"made\": {\"event\": ID, …}}, or with --list {\"events\": […]}."`
	ofServer
}

// Help says what the flags do not.
func (c *triggerCmd) Help() string {
	return `Makes an event really happen on a running server, through its API, so that webhooks and listeners are told of it: for order.confirmed it makes a live
event and a listing, and places an order. All that it makes says "Trigger" in its name, and no money moves. A value is JSON, or else a text.`
}

type triggerJSON struct {
	Event   string   `json:"event"`
	Formats []string `json:"formats"`
	Says    string   `json:"says"`
	Sets    []string `json:"sets"`
}

// Run makes the event happen.
func (c *triggerCmd) Run(ctx context.Context, p *program) error {
	switch {
	case c.List && (c.Event != "" || len(c.Set) > 0):
		return misuse("--list stands alone")
	case c.List:
		return c.list(p)
	case c.Event == "":
		return misuse("name an event, such as order.confirmed; see stagedoor trigger --list")
	}
	e, err := trigger.ByName(c.Event)
	if err != nil {
		return err
	}
	s, err := c.server()
	if err != nil {
		return err
	}
	defer s.Close()
	made := map[string]string{}
	err = e.Do(ctx, s, c.Set, func(m trigger.Made) {
		made[m.What] = m.ID
		if !c.JSON {
			p.printf("%-8s  %s\n", m.What, m.ID)
		}
	})
	if err != nil {
		if len(made) > 0 && c.JSON {
			fmt.Fprintf(p.stderr, "stagedoor: made before it failed: %v\n", made)
		}
		return err
	}
	if c.JSON {
		return p.json(struct {
			Event string            `json:"event"`
			Made  map[string]string `json:"made"`
		}{e.Name, made})
	}
	p.printf("Triggered %s: %s.\n", e.Name, e.Says)
	return nil
}

func (c *triggerCmd) list(p *program) error {
	var list []triggerJSON
	rows := [][]string{{"EVENT", "FORMATS", "WHAT IS DONE"}}
	for _, e := range trigger.Table() {
		list = append(list, triggerJSON{e.Name, e.Formats, e.Says, e.Sets()})
		rows = append(rows, []string{e.Name, strings.Join(e.Formats, ", "), e.Says})
	}
	if c.JSON {
		return p.json(map[string]any{"events": list})
	}
	return p.table(rows, "")
}
