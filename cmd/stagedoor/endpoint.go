package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/app"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/egress"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/org"
)

type endpointCmd struct {
	Create endpointCreateCmd `cmd:"" help:"Make a webhook endpoint. Its secret is shown once."`
	List   endpointListCmd   `cmd:"" help:"List an organisation's endpoints, without their secrets."`
	Delete endpointDeleteCmd `cmd:"" help:"Delete an endpoint; what was still to be sent to it is not sent."`
}

type endpointCreateCmd struct {
	URL         string            `name:"url" help:"Where deliveries are posted to." required:"" placeholder:"URL"`
	Format      string            `help:"Vocabulary of the deliveries: pullup, portal, standard or cloudevents." default:"pullup" placeholder:"FORMAT"`
	Event       []string          `help:"Event to send, as the format calls it, such as order.accepted; repeat for more. Without any, all that the format carries." placeholder:"EVENT"`
	Secret      string            `help:"Signing secret, instead of one that is made." placeholder:"SECRET"`
	Description string            `help:"What it is for." placeholder:"TEXT"`
	Retry       []int             `help:"Seconds before the second, third, … attempt, instead of the format's own." placeholder:"10,60"`
	Redact      bool              `help:"Leave personal data out of the deliveries."`
	Ordered     bool              `help:"Send deliveries about the same thing one after another."`
	RateLimit   int               `help:"Deliveries in a second, at most; 0 for no limit." default:"0" placeholder:"N"`
	Signature   string            `help:"Signature of the format standard: v1 or v1a." placeholder:"v1"`
	Header      map[string]string `help:"Header to send with each delivery; repeat for more." placeholder:"NAME=VALUE" mapsep:"none"`
	AllowTarget []network         `help:"Network that the server may deliver to, if it is not public; as given to serve." placeholder:"CIDR" setting:""`
	JSON        bool              `name:"json" help:"Answer {\"id\", \"secret\", …}."`
	ofOrg
}

type endpointJSON struct {
	ID          id.Webhook `json:"id"`
	Secret      string     `json:"secret,omitempty"`
	URL         string     `json:"url"`
	Format      string     `json:"format"`
	Events      []string   `json:"events"`
	Description string     `json:"description,omitempty"`
	Status      string     `json:"status"`
	CreatedAt   instant    `json:"createdAt"`
}

func endpointAnswer(e *endpoint.Endpoint) endpointJSON {
	return endpointJSON{ID: e.ID, URL: e.URL, Format: e.Format, Events: e.Events, Description: e.Description, Status: status(e), CreatedAt: at(e.CreatedAt)}
}

// status is how an endpoint does, in a word.
func status(e *endpoint.Endpoint) string {
	switch {
	case e.Disabled != "":
		return "disabled"
	case !e.Active:
		return "inactive"
	case !e.FailingSince.IsZero():
		return "failing"
	}
	return "active"
}

// Run makes the endpoint.
func (c *endpointCreateCmd) Run(ctx context.Context, p *program) error {
	return c.within(ctx, p, func(core *app.Core, o org.Org) error {
		url, err := core.Endpoints.OperatorURL(c.URL)
		if err != nil {
			return err
		}
		var made *endpoint.Endpoint
		err = core.DB.Configure(ctx, func(tx *db.Tx) (err error) {
			made, err = core.Endpoints.Create(tx, o.No, c.spec(url), operator)
			return err
		})
		if err != nil {
			return err
		}
		c.warn(ctx, p)
		if c.JSON {
			answer := endpointAnswer(made)
			answer.Secret = made.Shown()
			return p.json(answer)
		}
		p.printf("%s\n\nThis is the secret that deliveries to %s are signed with. It is not shown again.\nThe endpoint is %s, format %s, events: %s.\n",
			made.Shown(), made.URL, made.ID, made.Format, strings.Join(made.Events, ", "))
		return nil
	})
}

func (c *endpointCreateCmd) spec(url endpoint.URL) endpoint.Spec {
	s := endpoint.Spec{
		URL: url, Format: c.Format, Events: c.Event, Description: c.Description, Secret: c.Secret,
		Options: endpoint.Options{Redact: c.Redact, Headers: c.Header, RateLimit: c.RateLimit, Signature: c.Signature, Ordered: c.Ordered},
	}
	if len(s.Events) == 0 {
		s.Events = []string{endpoint.Wildcard}
	}
	if c.Retry != nil {
		delays := make([]time.Duration, len(c.Retry))
		for i, seconds := range c.Retry {
			delays[i] = time.Duration(seconds) * time.Second
		}
		s.Options.Retry = &delays
	}
	return s
}

// warn says if a server that was started with these flags would not deliver to the endpoint. It is made all the same: this command need not
// know of the networks that the server was told to open.
func (c *endpointCreateCmd) warn(ctx context.Context, p *program) {
	_, err := egress.NewPolicy(egress.Config{Allow: prefixes(c.AllowTarget)}).CheckURL(ctx, c.URL)
	if err != nil {
		fmt.Fprintln(p.stderr, "stagedoor: warning: a server delivers to this address only if it runs with an --allow-target that contains it")
	}
}

type endpointListCmd struct {
	JSON bool `name:"json" help:"Answer {\"endpoints\": […]}."`
	ofOrg
}

// Run lists the endpoints.
func (c *endpointListCmd) Run(ctx context.Context, p *program) error {
	return c.within(ctx, p, func(core *app.Core, o org.Org) error {
		all, _, err := core.Endpoints.List(core.DB.Read(ctx), endpoint.Whose{Org: o.No}, endpoint.MaxEndpoints, 0)
		if err != nil {
			return err
		}
		list := make([]endpointJSON, len(all))
		rows := [][]string{{"ID", "STATUS", "FORMAT", "URL", "EVENTS"}}
		for i, e := range all {
			list[i] = endpointAnswer(e)
			rows = append(rows, []string{string(e.ID), status(e), e.Format, e.URL, strings.Join(e.Events, ", ")})
		}
		if c.JSON {
			return p.json(map[string]any{"endpoints": list})
		}
		return p.table(rows, fmt.Sprintf("%s has no endpoint yet; make one with: stagedoor endpoint create --org %s --url URL", o.Name, o.Slug))
	})
}

type endpointDeleteCmd struct {
	ID   string `arg:"" name:"id" help:"The endpoint's id, wh_…"`
	JSON bool   `name:"json" help:"Answer {\"id\", \"deleted\"}."`
	ofOrg
}

// Run deletes the endpoint.
func (c *endpointDeleteCmd) Run(ctx context.Context, p *program) error {
	return c.within(ctx, p, func(core *app.Core, o org.Org) error {
		err := core.DB.Configure(ctx, func(tx *db.Tx) error {
			return core.Endpoints.Delete(tx, endpoint.Whose{Org: o.No}, id.Webhook(c.ID), 0, operator)
		})
		if err != nil {
			return err
		}
		if c.JSON {
			return p.json(struct {
				ID      string `json:"id"`
				Deleted bool   `json:"deleted"`
			}{c.ID, true})
		}
		p.printf("Deleted %s. A running server sends nothing more to it within a second.\n", c.ID)
		return nil
	})
}
