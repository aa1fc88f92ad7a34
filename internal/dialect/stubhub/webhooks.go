package stubhub

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
	"github.com/stagedoorhq/stagedoor/webhook"
)

// A webhook of StubHub's is an endpoint in its format, whoever made it: its id is the endpoint's number, its name the description, its topics the events,
// and its authorization_header the secret.

// Static is true: what an endpoint's owner gives as authorization_header is sent as it is, and nothing where it is empty.
func (*Dialect) Static() bool { return true }

func (a *API) webhookRoutes(mux *http.ServeMux) {
	r := func(method, path string, status int) route {
		return route{
			method: method, path: path, scope: scope.WebhooksManage, status: status, resource: "webhook",
			names: map[string]string{"/description": "name", "/events": "topics", "/secret": "authorization_header"},
		}
	}
	const all, one = "/v2/webhooks", "/v2/webhooks/{id}"
	get(a, mux, r("GET", all, 200), a.webhooks)
	configure(a, mux, r("POST", all, 201), a.newWebhook, a.makeWebhook)
	get(a, mux, r("GET", one, 200), a.webhook)
	configure(a, mux, r("PATCH", one, 200), a.webhookChange, a.changeWebhook)
	configure(a, mux, r("DELETE", one, 204), atOnce, a.deleteWebhook)
	change(a, mux, r("POST", one+"/ping", 202), atOnce, a.pingWebhook)
}

type webhookJSON struct {
	ID                  int64    `json:"id"`
	Name                *string  `json:"name"`
	CreatedAt           string   `json:"created_at"`
	Topics              []string `json:"topics"`
	URL                 string   `json:"url"`
	AuthorizationHeader *string  `json:"authorization_header"`
	Links               links    `json:"_links"`
}

func (a *API) showWebhook(e *endpoint.Endpoint) webhookJSON {
	at := a.places.webhook(e.Number)
	return webhookJSON{
		ID: e.Number, Name: textOrNil(e.Description), CreatedAt: instant(e.CreatedAt), Topics: a.spelled(e.Events), URL: e.URL,
		AuthorizationHeader: textOrNil(e.Secret),
		Links:               links{"self": at, "webhook:update": at, "webhook:delete": at, "webhook:ping": {Href: at.Href + "/ping"}},
	}
}

// topics are the seven that a webhook can have.
func (a *API) topics() []string {
	v, ok := a.Endpoints.Vocabulary(Format)
	if !ok {
		panic("stubhub: the book of endpoints does not have the format " + Format)
	}
	return v.Events()
}

// spelled are topics without the wildcard, which StubHub does not have.
func (a *API) spelled(events []string) []string {
	if slices.Contains(events, endpoint.Wildcard) {
		return a.topics()
	}
	return events
}

// whose says which webhooks the request is about: an app has its own and knows of no others.
func (c *call) whose() endpoint.Whose { return endpoint.Whose{Org: c.Org, Grant: c.GrantNo} }

// hook finds the webhook that the path names; not_found.
func (a *API) hook(q db.Querier, c *call) (*endpoint.Endpoint, error) {
	no, err := c.int32("id")
	if err != nil {
		return nil, err
	}
	return a.Endpoints.ByNumber(q, c.whose(), Format, no)
}

func (a *API) webhooks(ctx context.Context, c *call) (answer, error) {
	p, err := c.paging("created_at")
	if err != nil {
		return answer{}, err
	}
	which := endpoint.Page{Format: Format, Newest: p.desc, Limit: p.size + 1} // one more tells whether there is a next page
	if p.cursor == nil {
		which.Offset = p.offset()
	} else if which.After, err = strconv.ParseInt(p.cursor[0], 10, 64); err != nil || which.After < 1 {
		return answer{}, badCursor()
	}
	all, total, err := a.Endpoints.Page(a.DB.Read(ctx), c.whose(), which)
	if err != nil {
		return answer{}, err
	}
	next := ""
	if len(all) > p.size {
		all = all[:p.size]
		next = p.closeCursor(strconv.FormatInt(all[p.size-1].Number, 10))
	}
	items := make([]webhookJSON, len(all))
	for i, e := range all {
		items[i] = a.showWebhook(e)
	}
	page := newCollection(a, c.request, p, items, total, next)
	page.Links["webhook:create"] = a.places.webhooks()
	return answer{body: page}, nil
}

func (a *API) webhook(ctx context.Context, c *call) (answer, error) {
	e, err := a.hook(a.DB.Read(ctx), c)
	if err != nil {
		return answer{}, err
	}
	return answer{body: a.showWebhook(e)}, nil
}

// webhookInput is what a body says, checked; nil for what it does not.
type webhookInput struct {
	name, header *string
	url          *endpoint.URL
	topics       *[]string
}

// webhookInput reads and checks a body. required has it say name, url and topics.
func (a *API) webhookInput(ctx context.Context, c *call, required bool) (in webhookInput, err error) {
	o, err := c.object()
	if err != nil {
		return in, err
	}
	if required {
		o.require("name", "Give the webhook a name.")
		o.require("url", "Give the URL that payloads are posted to.")
		o.require("topics", "Name at least one topic.")
	}
	in.name, in.header, in.topics = o.text("name"), o.text("authorization_header"), o.texts("topics")
	url := o.text("url")
	if in.name != nil && (!line(*in.name) || utf8.RuneCountInString(*in.name) > endpoint.MaxDescription) {
		o.fault("name", "invalid", "A name is one line of 1 to %d characters.", endpoint.MaxDescription)
	}
	if in.header != nil && *in.header != "" {
		if _, err := webhook.NewSigner(webhook.Static, webhook.Key{Text: *in.header}); err != nil {
			o.fault("authorization_header", "invalid", "The value of a header is up to 4,096 printable ASCII characters, without spaces around it.")
		}
	}
	if in.topics != nil {
		a.checkTopics(o, *in.topics)
	}
	if url != nil {
		checked, err := a.Endpoints.CheckURL(ctx, *url)
		if err := o.note(err); err != nil {
			return in, err
		}
		in.url = &checked
	}
	return in, o.err()
}

// checkTopics notes what is wrong with topics. A list that is too long is not looked through.
func (a *API) checkTopics(o *object, topics []string) {
	known := a.topics()
	switch {
	case len(topics) == 0:
		o.fault("topics", "required", "Name at least one topic.")
	case len(topics) > endpoint.MaxEvents:
		o.fault("topics", "too_many", "There are %d topics; name each once at most.", len(known))
		return
	}
	for i, t := range topics {
		switch {
		case !slices.Contains(known, t):
			o.fault("topics", "unknown", "There is no topic %.64q; the topics are %s.", t, strings.Join(known, ", "))
		case slices.Contains(topics[:i], t):
			o.fault("topics", "duplicate", "%q is named twice.", t)
		}
	}
}

func (a *API) newWebhook(ctx context.Context, c *call) (endpoint.Spec, string, error) {
	in, err := a.webhookInput(ctx, c, true)
	if err != nil {
		return endpoint.Spec{}, "", err
	}
	// What happens to a sale is told in order.
	s := endpoint.Spec{
		URL: *in.url, Format: Format, Events: *in.topics, Description: *in.name, NoSecret: true, Options: endpoint.Options{Ordered: true}, Grant: c.GrantNo,
	}
	if in.header != nil {
		s.Secret = *in.header
	}
	return s, "", nil
}

func (a *API) makeWebhook(tx *db.Tx, c *call, s endpoint.Spec) (answer, error) {
	var err error
	if s.Grant != 0 {
		if s.Sees, err = oauth.Sees(tx, c.Principal, org.Allowed); err != nil {
			return answer{}, err
		}
	}
	e, err := a.Endpoints.Create(tx, c.Org, s, c.by(a))
	if err != nil {
		return answer{}, err
	}
	return answer{body: a.showWebhook(e), location: a.places.webhook(e.Number).Href}, nil
}

func (a *API) webhookChange(ctx context.Context, c *call) (endpoint.Change, string, error) {
	in, err := a.webhookInput(ctx, c, false)
	// StubHub's webhooks cannot be switched off: one that we disabled because it failed goes on when its owner changes it.
	return endpoint.Change{URL: in.url, Events: in.topics, Description: in.name, Secret: in.header, Revive: true}, "", err
}

func (a *API) changeWebhook(tx *db.Tx, c *call, change endpoint.Change) (answer, error) {
	e, err := a.hook(tx, c)
	if err != nil {
		return answer{}, err
	}
	if e, err = a.Endpoints.Update(tx, c.whose(), e.ID, change, 0, c.by(a)); err != nil {
		return answer{}, err
	}
	return answer{body: a.showWebhook(e)}, nil
}

func (a *API) deleteWebhook(tx *db.Tx, c *call, _ none) (answer, error) {
	e, err := a.hook(tx, c)
	if err != nil {
		return answer{}, err
	}
	return answer{}, a.Endpoints.Delete(tx, c.whose(), e.ID, 0, c.by(a))
}

func (a *API) pingWebhook(tx *db.Tx, c *call, _ none) (answer, error) {
	e, err := a.hook(tx, c)
	if err != nil {
		return answer{}, err
	}
	if _, err := a.Endpoints.Ping(tx, c.whose(), e.ID); problem.Is(err, "webhook_inactive") {
		return answer{}, problem.Field("", "inactive", "The webhook is not active: it was paused, or disabled because it failed. A PATCH lifts the latter.")
	} else if err != nil {
		return answer{}, err
	}
	return answer{body: a.showWebhook(e)}, nil
}
