package main

import (
	"context"

	"github.com/stagedoorhq/stagedoor/internal/app"
)

type serveCmd struct {
	Listen        string    `help:"Address to serve on; without it, 127.0.0.1:8080. Port 0 picks a free one." default:"127.0.0.1:8080" placeholder:"HOST:PORT" setting:""`
	PublicURL     string    `name:"public-url" help:"How the outside reaches the server, if not at the address it listens on." placeholder:"URL" setting:""`
	AllowTarget   []network `help:"Network that deliveries may go to although it is not public, with plain http and any port; repeat for more." placeholder:"CIDR" setting:""`
	TLSCert       string    `name:"tls-cert" help:"Certificate chain to serve https with, in PEM; read again when it changes." placeholder:"FILE" setting:"" and:"tls"`
	TLSKey        string    `name:"tls-key" help:"The certificate's private key, in PEM." placeholder:"FILE" setting:"" and:"tls"`
	TrustedProxy  []network `help:"Network of proxies whose X-Forwarded-For is believed; repeat for more." placeholder:"CIDR" setting:""`
	MetricsListen string    `help:"Address that serves /metrics, /healthz and /readyz and nothing else; the main one then has no /metrics." placeholder:"HOST:PORT" setting:""`
	place
}

// Run serves until it is asked to end.
func (c *serveCmd) Run(ctx context.Context, p *program) error {
	cfg := c.config(p)
	cfg.Listen, cfg.MetricsListen, cfg.PublicURL = c.Listen, c.MetricsListen, c.PublicURL
	cfg.TLSCert, cfg.TLSKey = c.TLSCert, c.TLSKey
	cfg.AllowTargets, cfg.TrustedProxies = prefixes(c.AllowTarget), prefixes(c.TrustedProxy)
	return with(ctx, cfg, func(core *app.Core) error {
		return core.Serve(ctx, func(s app.Served) {
			p.printf("listening on %s\n", s.URL)
			if s.Metrics != "" {
				p.printf("metrics on %s\n", s.Metrics)
			}
		})
	})
}
