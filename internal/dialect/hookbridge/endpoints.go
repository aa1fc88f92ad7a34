package hookbridge

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/provider"
	"github.com/stagedoorhq/stagedoor/internal/pull"
)

const (
	allEndpoints = "/v1/pull-endpoints"
	oneEndpoint  = allEndpoints + "/{id}"
)

func (a *API) endpointRoutes(mux *http.ServeMux) {
	change(a, mux, route{"POST", allEndpoints, 201}, a.newEndpoint, a.makeEndpoint)
	get(a, mux, route{"GET", allEndpoints, 200}, a.endpoints)
	get(a, mux, route{"GET", oneEndpoint, 200}, a.endpoint)
	change(a, mux, route{"PATCH", oneEndpoint, 200}, a.endpointChange, a.changeEndpoint)
	change(a, mux, route{"DELETE", oneEndpoint, 200}, atOnce, a.deleteEndpoint)
	change(a, mux, route{"POST", oneEndpoint + "/pause", 200}, atOnce, a.pauseEndpoint)
	change(a, mux, route{"POST", oneEndpoint + "/resume", 200}, atOnce, a.resumeEndpoint)
}

type endpointJSON struct {
	ID                     string      `json:"id"`
	Name                   string      `json:"name,omitempty"`
	Description            string      `json:"description,omitempty"`
	Mode                   string      `json:"mode"`
	IngestURL              string      `json:"ingest_url"`
	SecretToken            string      `json:"secret_token,omitempty"` // when it was made
	Active                 bool        `json:"active"`
	Paused                 bool        `json:"paused"`
	RetentionDays          *int        `json:"retention_days"`
	EventTypeSource        string      `json:"event_type_source,omitempty"`
	EventTypePath          string      `json:"event_type_path,omitempty"`
	Counts                 *countsJSON `json:"counts,omitempty"` // of one that was asked for
	Provider               string      `json:"provider,omitempty"`
	VerifyStaticToken      bool        `json:"verify_static_token"`
	TokenHeaderName        string      `json:"token_header_name,omitempty"`
	TokenQueryParam        string      `json:"token_query_param,omitempty"`
	VerifyHMAC             bool        `json:"verify_hmac"`
	HMACHeaderName         string      `json:"hmac_header_name,omitempty"`
	TimestampHeaderName    string      `json:"timestamp_header_name,omitempty"`
	TimestampTTLSeconds    *int        `json:"timestamp_ttl_seconds"`
	VerifyIPAllowlist      bool        `json:"verify_ip_allowlist"`
	AllowedCIDRs           []string    `json:"allowed_cidrs"`
	IngestResponseCode     int         `json:"ingest_response_code"`
	IdempotencyHeaderNames []string    `json:"idempotency_header_names"`
	ForwardTo              string      `json:"forward_to,omitempty"` // the id of a webhook
	CreatedAt              string      `json:"created_at"`
	UpdatedAt              string      `json:"updated_at"`
}

type countsJSON struct {
	Stored    int64 `json:"stored"`
	Fetched   int64 `json:"fetched"`
	Delivered int64 `json:"delivered"`
	Total     int64 `json:"total"`
}

type summaryJSON struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Active    bool   `json:"active"`
	Paused    bool   `json:"paused"`
	IngestURL string `json:"ingest_url"`
	CreatedAt string `json:"created_at"`
}

// IngestURL is where the senders of a pull endpoint post to: on a server at a URL, with the address's secret.
func IngestURL(publicURL string, e id.PullEndpoint, secret string) string {
	return publicURL + ingestBase + string(e) + "/" + secret
}

// ingestURL is where an endpoint takes in, without the secret that belongs behind it.
func (a *API) ingestURL(e *pull.Endpoint) string { return a.PublicURL + ingestBase + string(e.ID) }

func (a *API) show(e *pull.Endpoint) endpointJSON {
	j := endpointJSON{
		ID: string(e.ID), Name: e.Name, Description: e.Description, Mode: "pull", IngestURL: a.ingestURL(e), Active: true, Paused: e.Paused,
		RetentionDays: numberOrNil(e.RetentionDays), EventTypeSource: e.EventType.Source, EventTypePath: e.EventType.Path, Provider: e.Scheme.Provider,
		VerifyStaticToken: e.Verify.Token, TokenHeaderName: e.Scheme.Token.Header, TokenQueryParam: e.Scheme.Token.Query,
		VerifyHMAC: e.Verify.HMAC, HMACHeaderName: e.Scheme.HMAC.Header, TimestampHeaderName: e.Scheme.HMAC.TimestampHeader,
		TimestampTTLSeconds: numberOrNil(int(e.Scheme.HMAC.TTL / time.Second)), VerifyIPAllowlist: e.Verify.Networks, AllowedCIDRs: []string{},
		IngestResponseCode: e.Code(), IdempotencyHeaderNames: append([]string{}, e.DedupHeaders...), ForwardTo: string(e.Forward), CreatedAt: instant(e.CreatedAt), UpdatedAt: instant(e.UpdatedAt),
	}
	for _, n := range e.Scheme.Networks {
		j.AllowedCIDRs = append(j.AllowedCIDRs, n.String())
	}
	return j
}

func numberOrNil(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}

// instant writes a time with as many digits as it needs, so that it can be given back in since.
func instant(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// id reads the endpoint's id of the path. What is a UUID and no endpoint's is not found; what is none is not understood.
func (c *call) id() (id.PullEndpoint, error) {
	return endpointID(c.request.PathValue("id"), "path", "id")
}

func endpointID(s, in, name string) (id.PullEndpoint, error) {
	if i, ok := id.ParsePullEndpoint(s); ok {
		return i, nil
	}
	return "", noUUID(s, in, name, problem.New(problem.NotFound, "pull_endpoint_not_found", "There is no such pull endpoint here."))
}

// noUUID returns an error for a text that is no id: unknown when it is a UUID all the same.
func noUUID(s, in, name string, unknown error) error {
	if _, err := uuid.Parse(s); err == nil && len(s) == 36 {
		return unknown
	}
	p := problem.Field(name, "invalid", "An id is a UUID.")
	p.Fields[0].In = in
	return p
}

// find finds the endpoint that the path names.
func (a *API) find(q db.Querier, c *call) (*pull.Endpoint, error) {
	i, err := c.id()
	if err != nil {
		return nil, err
	}
	return a.Depot.Get(q, c.whose(), i)
}

func (a *API) endpoints(ctx context.Context, c *call) (answer, error) {
	q := c.query()
	limit := q.number("limit", 50, 1, 100)
	after := q.cursor(allEndpoints)
	if err := q.faults.Err(); err != nil {
		return answer{}, err
	}
	all, more, err := a.Depot.List(a.DB.Read(ctx), c.whose(), after.no, limit)
	if err != nil {
		return answer{}, err
	}
	list := make([]summaryJSON, len(all))
	for i, e := range all {
		list[i] = summaryJSON{string(e.ID), e.Name, true, e.Paused, a.ingestURL(e), instant(e.CreatedAt)}
		after.no = e.No
	}
	return answer{data: list, page: q.after(allEndpoints, after, more)}, nil
}

func (a *API) endpoint(ctx context.Context, c *call) (answer, error) {
	q := a.DB.Read(ctx)
	e, err := a.find(q, c)
	if err != nil {
		return answer{}, err
	}
	n, err := a.Depot.Counts(q, e)
	if err != nil {
		return answer{}, err
	}
	j := a.show(e)
	j.Counts = &countsJSON{n.Stored, n.Fetched, n.Delivered, n.Total()}
	return answer{data: j}, nil
}

// input is what a body says about an endpoint, applied to its settings.
type input func(*pull.Settings)

// put sets a field if the body has it.
func put[T any](field *T, v *T) {
	if v != nil {
		*field = *v
	}
}

// input reads and checks a body as far as it can be without the settings that are there already.
func (c *call) input() (*object, input, error) {
	o, err := c.object()
	if err != nil {
		return nil, nil, err
	}
	name, description, days := o.text("name"), o.text("description"), o.within("retention_days", 1, pull.MaxRetention)
	source, path := o.text("event_type_source"), o.text("event_type_path")
	known := o.text("provider")
	verifyToken, verifyHMAC, verifyNetworks := o.flag("verify_static_token"), o.flag("verify_hmac"), o.flag("verify_ip_allowlist")
	tokenHeader, tokenQuery, token := o.text("token_header_name"), o.text("token_query_param"), o.text("token_value")
	hmacHeader, secret, timeHeader := o.text("hmac_header_name"), o.text("hmac_secret"), o.text("timestamp_header_name")
	ttl := o.seconds("timestamp_ttl_seconds", provider.MaxTTL)
	cidrs, names, code := o.texts("allowed_cidrs"), o.texts("idempotency_header_names"), o.within("ingest_response_code", 200, 299)
	forward := o.text("forward_to")
	hashed, err := o.hashed(token)
	if err != nil {
		return nil, nil, err
	}
	networks, err := o.networks(cidrs)
	if err != nil {
		return nil, nil, err
	}
	return o, func(s *pull.Settings) {
		put(&s.Name, name)
		put(&s.Description, description)
		put(&s.RetentionDays, days)
		put(&s.EventType.Source, source)
		put(&s.EventType.Path, path)
		if source != nil && *source == "" && path == nil {
			s.EventType = provider.EventType{}
		}
		put(&s.Scheme.Provider, known)
		put(&s.Scheme.Token.Header, tokenHeader)
		put(&s.Scheme.Token.Query, tokenQuery)
		put(&s.Scheme.HMAC.Header, hmacHeader)
		put(&s.Scheme.HMAC.Secret, secret)
		put(&s.Scheme.HMAC.TimestampHeader, timeHeader)
		put(&s.Scheme.HMAC.TTL, ttl)
		if timeHeader != nil && *timeHeader == "" && ttl == nil {
			s.Scheme.HMAC.TTL = 0 // they go together
		}
		if token != nil {
			s.Scheme.Token.SHA256 = hashed
		}
		if cidrs != nil {
			s.Scheme.Networks = networks
		}
		put(&s.DedupHeaders, names)
		put(&s.ResponseCode, code)
		if forward != nil {
			s.Forward = id.Webhook(*forward)
		}
		put(&s.Verify.Token, verifyToken)
		put(&s.Verify.HMAC, verifyHMAC)
		put(&s.Verify.Networks, verifyNetworks)
		if known != nil && *known != "" {
			usual(s, source == nil && path == nil, names == nil, verifyHMAC == nil)
		}
	}, nil
}

// usual fills in what a provider's name says about its requests, as far as the body says nothing and nothing was said before.
func usual(s *pull.Settings, eventType, names, verify bool) {
	from, headers := provider.Defaults(s.Scheme.Provider)
	if eventType && s.EventType == (provider.EventType{}) {
		s.EventType = from
	}
	if names && len(s.DedupHeaders) == 0 {
		s.DedupHeaders = headers
	}
	if verify && s.Scheme.HMAC.Secret != "" {
		s.Verify.HMAC = true
	}
}

// hashed is what is kept of a token; nil takes it away.
func (o *object) hashed(token *string) ([]byte, error) {
	if token == nil || *token == "" {
		return nil, nil
	}
	sum, err := provider.HashToken(*token)
	return sum, o.note(err)
}

func (o *object) networks(cidrs *[]string) (networks []netip.Prefix, err error) {
	if cidrs == nil {
		return nil, nil
	}
	networks, err = provider.ParseNetworks(*cidrs)
	return networks, o.note(err)
}

func (a *API) newEndpoint(_ context.Context, c *call) (s pull.Settings, err error) {
	o, in, err := c.input()
	if err != nil {
		return s, err
	}
	in(&s)
	if err := o.note(s.Check()); err != nil {
		return s, err
	}
	if err := o.note(timed(s)); err != nil {
		return s, err
	}
	return s, o.faults.Err()
}

// timed holds the header of a timestamp and how long it is good against one another: the specification's clients say both, or neither. Where a provider is named
// it is known what is usual.
func timed(s pull.Settings) error {
	if h := s.Scheme.HMAC; s.Scheme.Provider == "" && h.TimestampHeader != "" && h.TTL == 0 {
		return problem.Field("/timestamp_ttl_seconds", "required", "Say for how many seconds a timestamp is good, such as 300.")
	}
	return nil
}

func (a *API) makeEndpoint(tx *db.Tx, c *call, s pull.Settings) (answer, error) {
	e, secret, err := a.Depot.Create(tx, c.whose(), s, c.by(a))
	if err != nil {
		return answer{}, err
	}
	j := a.show(e)
	j.SecretToken = secret
	j.IngestURL += "/" + secret
	return answer{data: j}, nil
}

func (a *API) endpointChange(_ context.Context, c *call) (input, error) {
	o, in, err := c.input()
	if err != nil {
		return nil, err
	}
	return in, o.faults.Err()
}

func (a *API) changeEndpoint(tx *db.Tx, c *call, in input) (answer, error) {
	i, err := c.id()
	if err != nil {
		return answer{}, err
	}
	e, err := a.Depot.Update(tx, c.whose(), i, func(s *pull.Settings) error { in(s); return timed(*s) }, 0, c.by(a))
	if err != nil {
		return answer{}, err
	}
	return answer{data: a.show(e)}, nil
}

type deletedJSON struct {
	ID      string `json:"id"`
	Deleted bool   `json:"deleted"`
}

func (a *API) deleteEndpoint(tx *db.Tx, c *call, _ none) (answer, error) {
	i, err := c.id()
	if err != nil {
		return answer{}, err
	}
	return answer{data: deletedJSON{string(i), true}}, a.Depot.Delete(tx, c.whose(), i, 0, c.by(a))
}

type pausedJSON struct {
	ID     string `json:"id"`
	Paused bool   `json:"paused"`
}

func (a *API) pauseEndpoint(tx *db.Tx, c *call, _ none) (answer, error) {
	return a.pause(tx, c, a.Depot.Pause)
}

func (a *API) resumeEndpoint(tx *db.Tx, c *call, _ none) (answer, error) {
	return a.pause(tx, c, a.Depot.Resume)
}

func (a *API) pause(tx *db.Tx, c *call, do func(*db.Tx, pull.Whose, id.PullEndpoint, audit.By) (*pull.Endpoint, error)) (answer, error) {
	i, err := c.id()
	if err != nil {
		return answer{}, err
	}
	e, err := do(tx, c.whose(), i, c.by(a))
	if err != nil {
		return answer{}, err
	}
	return answer{data: pausedJSON{string(e.ID), e.Paused}}, nil
}
