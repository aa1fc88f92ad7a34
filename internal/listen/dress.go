package listen

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/net/http/httpguts"

	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/webhook"
)

// schemes are how the formats are signed.
var schemes = map[string]webhook.Scheme{
	"cloudevents": webhook.Standard, "portal": webhook.Portal, "pullup": webhook.Pullup, "standard": webhook.Standard,
}

// Formats are the formats that deliveries can be made in.
func Formats() []string {
	all := make([]string, 0, len(schemes))
	for f := range schemes {
		all = append(all, f)
	}
	slices.Sort(all)
	return all
}

// ours are the headers of the request that passed an event on to us: they are about that request and not about this one.
var ours = []string{
	"Accept-Encoding", "Connection", "Content-Length", "Cookie", "Expect", "Forwarded", "Host", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection", "Te",
	"Trailer", "Transfer-Encoding", "Upgrade", "User-Agent", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip",
}

// hidden is what servers show for a credential's value.
const hidden = "[hidden]"

// dresser makes the headers of deliveries.
type dresser struct {
	scheme webhook.Scheme
	signer *webhook.Signer // nil to leave headers as they came
	agent  string
}

func newDresser(format, secret, agent string) (*dresser, error) {
	d := &dresser{agent: agent}
	if format == "" {
		return d, nil
	}
	var ok bool
	if d.scheme, ok = schemes[format]; !ok {
		return nil, problem.New(problem.Invalid, "unknown_format", "There is no format %q; use one of %s.", format, strings.Join(Formats(), ", "))
	}
	var err error
	if d.signer, err = webhook.NewSigner(d.scheme, webhook.Key{Text: secret}); err != nil {
		return nil, problem.New(problem.Invalid, "invalid_secret", "The format %s cannot be signed with this secret: %v.", format, err)
	}
	return d, nil
}

// dress makes the headers of an event's delivery. It fails for what cannot stand in them.
func (d *dresser) dress(it *item, now time.Time) (http.Header, error) {
	h := http.Header{}
	for name, v := range it.Headers {
		name = http.CanonicalHeaderKey(name)
		if !slices.Contains(ours, name) && httpguts.ValidHeaderFieldName(name) && httpguts.ValidHeaderFieldValue(v) && v != hidden {
			h.Set(name, v)
		}
	}
	if it.ContentType != "" {
		h.Set("Content-Type", it.ContentType)
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json")
	}
	h.Set("User-Agent", d.agent)
	if d.signer == nil {
		return h, nil
	}
	for _, scheme := range []webhook.Scheme{webhook.Portal, webhook.Pullup, webhook.Standard, webhook.Static} {
		for _, name := range scheme.Headers() {
			h.Del(name)
		}
	}
	m := webhook.Message{ID: it.ID, Event: it.Event, Time: now, Body: []byte(it.Body)}
	if d.scheme != webhook.Standard {
		m.ID = deliveryID(it.ID)
	}
	return h, d.signer.SetHeaders(h, m)
}

// deliveries is the namespace of delivery ids.
var deliveries = uuid.MustParse("b7b0b4a5-6f1c-4f0b-9a52-3c2d5b0e9d7f")

// deliveryID is a UUID, as the formats want it, that is the same whenever the event is posted.
func deliveryID(event string) string { return uuid.NewSHA1(deliveries, []byte(event)).String() }
