package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/app"
)

type serveCmd struct {
	Listen        string    `help:"Address to serve on; without it, 127.0.0.1:8080. Port 0 picks a free one." default:"127.0.0.1:8080" placeholder:"HOST:PORT" setting:""`
	PublicURL     string    `name:"public-url" help:"How the outside reaches the server, if not at the address it listens on." placeholder:"URL" setting:""`
	AllowTarget   []network `help:"Network that deliveries may go to although it is not public, with plain http and any port; repeat for more." placeholder:"CIDR" setting:""`
	TLSCert       string    `name:"tls-cert" help:"Certificate chain to serve https with, in PEM; read again when it changes." placeholder:"FILE" setting:"" and:"tls"`
	TLSKey        string    `name:"tls-key" help:"The certificate's private key, in PEM." placeholder:"FILE" setting:"" and:"tls"`
	TrustedProxy  []network `help:"Network of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed; repeat for more." placeholder:"CIDR" setting:""`
	MetricsListen string    `help:"Address that serves /metrics, /healthz and /readyz and nothing else; the main one then has no /metrics." placeholder:"HOST:PORT" setting:""`

	RequireHTTPS       bool `name:"require-https" help:"Refuse requests to /v2 and /catalog that did not come by https, here or to a trusted proxy." setting:""`
	OneWebhookPerTopic bool `help:"An owner has one webhook at most for each topic of the format stubhub, Ping excepted." setting:""`

	PullMaxBody   int   `help:"Bytes of a body that a pull endpoint takes." default:"1048576" placeholder:"N" setting:""`
	PullMaxEvents int64 `help:"Events that the pull endpoints of an organisation keep at once; 0 for no limit." default:"0" placeholder:"N" setting:""`
	PullMaxBytes  int64 `help:"Bytes of the bodies that they keep; 0 for no limit." default:"0" placeholder:"N" setting:""`
	PullPerSecond int   `help:"Events a second that a pull endpoint takes on this node in the long run, five times as many at once; 0 for no limit." default:"1000" placeholder:"N" setting:""`

	SMTPURL         string        `name:"smtp-url" help:"Outgoing mail server for invitations and links: smtp://user:password@host:587?from=ADDRESS, or smtps://…." placeholder:"URL" setting:""`
	NoSignUp        bool          `help:"Strangers may not make accounts; people are invited." setting:""`
	AccessLife      time.Duration `name:"oauth-access-life" help:"How long an access token is good." default:"1h" placeholder:"DURATION" setting:""`
	RefreshIdle     time.Duration `name:"oauth-refresh-idle" help:"How long a refresh token waits to be used." default:"720h" placeholder:"DURATION" setting:""`
	RefreshAbsolute time.Duration `name:"oauth-refresh-absolute" help:"How long an authorization can be refreshed in all." default:"4320h" placeholder:"DURATION" setting:""`
	RefreshGrace    time.Duration `name:"oauth-grace" help:"How long a refresh token that was used gives the same answer again." default:"10s" placeholder:"DURATION" setting:""`
	CodeLife        time.Duration `name:"oauth-code-life" help:"How long an authorization code is good." default:"1m" placeholder:"DURATION" setting:"" hidden:""`
	PushLife        time.Duration `name:"oauth-push-life" help:"How long a pushed request is good." default:"90s" placeholder:"DURATION" setting:"" hidden:""`
	DeviceLife      time.Duration `name:"oauth-device-life" help:"How long a device's codes are good." default:"10m" placeholder:"DURATION" setting:"" hidden:""`
	OAuthPerMinute  int           `name:"oauth-per-minute" help:"Requests for tokens in a minute, for each app and each address; 0 for no limit." default:"600" placeholder:"N" setting:""`

	walletFlags
	place
}

// Validate keeps codes and pushed requests as short-lived as the specifications want them (RFC 6749 §4.1.2, RFC 9126 §2.2), and bounds what pull endpoints
// may be told to take.
func (c *serveCmd) Validate() error {
	for _, l := range []struct {
		flag       string
		life, most time.Duration
	}{{"--oauth-code-life", c.CodeLife, time.Minute}, {"--oauth-push-life", c.PushLife, 90 * time.Second}} {
		if l.life < time.Second || l.life > l.most {
			return fmt.Errorf("%s is from 1s to %s", l.flag, l.most)
		}
	}
	if c.PullMaxBody < 1 || c.PullMaxBody > maxPullBody {
		return fmt.Errorf("--pull-max-body is from 1 to %d", maxPullBody)
	}
	if c.PullMaxEvents < 0 || c.PullMaxBytes < 0 || c.PullPerSecond < 0 {
		return errors.New("--pull-max-events, --pull-max-bytes and --pull-per-second are 0 or more")
	}
	return c.check()
}

// maxPullBody is 64 MiB: a body is in memory while it is taken and while it is fetched.
const maxPullBody = 64 << 20

// Run serves until it is asked to end.
func (c *serveCmd) Run(ctx context.Context, p *program) error {
	cfg := c.config(p)
	cfg.Listen, cfg.MetricsListen, cfg.PublicURL = c.Listen, c.MetricsListen, c.PublicURL
	cfg.TLSCert, cfg.TLSKey = c.TLSCert, c.TLSKey
	cfg.RequireHTTPS, cfg.OneWebhookPerTopic = c.RequireHTTPS, c.OneWebhookPerTopic
	cfg.PullMaxBody, cfg.PullMaxEvents, cfg.PullMaxBytes = c.PullMaxBody, c.PullMaxEvents, c.PullMaxBytes
	if cfg.PullPerSecond = c.PullPerSecond; c.PullPerSecond == 0 {
		cfg.PullPerSecond = -1
	}
	cfg.SMTPURL, cfg.NoSignUp, cfg.OAuthPerMinute = c.SMTPURL, c.NoSignUp, c.OAuthPerMinute
	cfg.AccessLife, cfg.RefreshIdle, cfg.RefreshAbsolute, cfg.RefreshGrace = c.AccessLife, c.RefreshIdle, c.RefreshAbsolute, c.RefreshGrace
	cfg.CodeLife, cfg.PushLife, cfg.DeviceLife = c.CodeLife, c.PushLife, c.DeviceLife
	if c.RefreshGrace == 0 {
		cfg.RefreshGrace = -1 // not at all
	}
	cfg.Wallets = c.wallets()
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
