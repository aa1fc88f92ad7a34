package outbound

import (
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/page"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/webhook"
)

// maxDebug bounds the form of the debugger, in bytes: a body of a MiB may be three times as long as a form has it.
const maxDebug = 4 << 20

// debugForm is the form of the debugger, as it was filled in, but for the secret, which is not shown again.
type debugForm struct{ Headers, Body, Scheme, Ours, At string }

type debugData struct {
	Form    debugForm
	Schemes []page.Option
	Of      *endpoint.Endpoint // whose secrets are known
	Sent    bool               // what was sent is known, byte for byte
	Found   *webhook.Explanation
	Verdict string
}

// verdicts say what was found, for people.
var verdicts = map[webhook.Verdict]string{
	webhook.Verified: "It is verified", webhook.WrongSecret: "Wrong secret", webhook.ExpiredSecret: "Expired secret", webhook.ChangedBody: "Changed body", webhook.WrongClock: "Clock",
	webhook.WrongFormat: "Wrong format", webhook.WrongSecretOrBody: "Wrong secret or changed body",
}

// schemes are the choices of a way of signing.
func schemes() []page.Option {
	return []page.Option{
		{Value: "auto", Text: "what the headers look like"},
		{Value: string(webhook.Standard), Text: "standard and cloudevents: webhook-signature"},
		{Value: string(webhook.Portal), Text: "portal: X-Webhook-Signature"},
		{Value: string(webhook.Pullup), Text: "pullup: x-pullup-signature"},
		{Value: string(webhook.Static), Text: "stubhub and ethpass: Authorization"},
	}
}

// debugger shows the form; with a delivery of ours in the address, filled in with what was sent.
func (r *Room) debugger(v *frame.Visit) error {
	f := debugForm{Ours: v.Query("ours"), Scheme: "auto"}
	var wrong page.Complaints
	of, sent, err := r.ours(v, f.Ours)
	if p := problem.As(err); p != nil {
		wrong, err = page.Complaints{{Field: "debug-ours", Text: p.Detail}}, nil
	}
	if err != nil {
		return err
	}
	if sent != nil {
		f.Headers, f.Body, f.At = sent.RequestHead, string(sent.RequestBody), sent.At.In(v.Zone).Format("2006-01-02T15:04")
	}
	return r.showDebugger(v, http.StatusOK, debugData{Form: f, Of: of}, wrong)
}

func (r *Room) showDebugger(v *frame.Visit, status int, d debugData, wrong page.Complaints) error {
	d.Schemes = schemes()
	return v.Show(pages, "debugger", status, frame.View{Title: "Signature debugger", At: "/debugger", Complaints: wrong, Data: d})
}

// ours is the webhook of an id, or that of a delivery with its last attempt whose bytes are known; nothing for "".
func (r *Room) ours(v *frame.Visit, which string) (*endpoint.Endpoint, *delivery.Attempt, error) {
	if which == "" {
		return nil, nil, nil
	}
	d, ok := id.ParseDelivery(which)
	if !ok {
		e, err := r.Endpoints.Get(v.Read(), whose(v), id.Webhook(which))
		return e, nil, err
	}
	e, err := r.to(v, v.Read(), d)
	if err != nil {
		return nil, nil, err
	}
	rec, err := r.Engine.Lookup(v.R.Context(), e, d)
	if err != nil {
		return nil, nil, err
	}
	for _, a := range slices.Backward(rec.Attempts) {
		if a.Exact {
			return e, &a, nil
		}
	}
	return e, nil, nil
}

func (r *Room) debug(v *frame.Visit) error {
	if err := v.Spend("debugger", 60); err != nil { // a large body takes a quarter of a second
		return err
	}
	f := debugForm{Headers: v.Form.Get("headers"), Body: v.Form.Get("body"), Scheme: v.Value("scheme"), Ours: v.Value("ours"), At: v.Value("at")}
	d := debugData{Form: f}
	h, err := webhook.ParseHeaders(f.Headers)
	if err != nil {
		text := strings.TrimPrefix(err.Error(), "webhook: ")
		return r.showDebugger(v, http.StatusUnprocessableEntity, d, page.Complaints{{Field: "debug-headers", Text: strings.ToUpper(text[:1]) + text[1:] + "."}})
	}
	in := webhook.Received{Header: h, Body: []byte(unlined(f.Body)), At: v.Now()}
	if f.At != "" {
		if in.At, err = parseLocal(f.At, v.Zone); err != nil {
			return r.showDebugger(v, http.StatusUnprocessableEntity, d, page.Complaints{{Field: "debug-at", Text: "Give the day and the time when it was received, or nothing for now."}})
		}
	}
	of, sent, err := r.ours(v, f.Ours)
	if p := problem.As(err); p != nil {
		return r.showDebugger(v, p.Kind.Status(), d, page.Complaints{{Field: "debug-ours", Text: p.Detail}})
	} else if err != nil {
		return err
	}
	if f.Ours == "" { // the headers may say which it is
		of, sent = r.named(v, h)
	}
	if sent != nil {
		sum := sha256.Sum256(sent.RequestBody)
		in.Sent = sum[:]
		if sha256.Sum256([]byte(f.Body)) == sum { // it has CR LF of its own
			in.Body = []byte(f.Body)
		}
	}
	d.Of, d.Sent = of, sent != nil
	found := webhook.Explain(scheme(f.Scheme, of, h), in, webhook.Key{Text: v.Form.Get("secret")}, candidates(of)...)
	d.Found, d.Verdict = &found, verdicts[found.Verdict]
	return r.showDebugger(v, http.StatusOK, d, nil)
}

// unlined undoes what a form does to the ends of lines: it sends each as CR LF, whatever was pasted.
func unlined(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }

// parseLocal reads an instant as the browser's field gives it, with seconds or without.
func parseLocal(s string, z *time.Location) (time.Time, error) {
	if t, err := time.ParseInLocation("2006-01-02T15:04:05", s, z); err == nil {
		return t, nil
	}
	return time.ParseInLocation("2006-01-02T15:04", s, z)
}

// named is the delivery that the headers name, if it is of this organisation.
func (r *Room) named(v *frame.Visit, h http.Header) (*endpoint.Endpoint, *delivery.Attempt) {
	for _, name := range []string{"X-Webhook-Delivery", "X-Pullup-Delivery"} {
		if which := h.Get(name); which != "" {
			if e, a, err := r.ours(v, which); err == nil {
				return e, a
			}
		}
	}
	return nil, nil
}

// scheme is the way of signing: the chosen one, that of the webhook, or what the headers look like.
func scheme(chosen string, of *endpoint.Endpoint, h http.Header) webhook.Scheme {
	if chosen != "auto" && chosen != "" {
		return webhook.Scheme(chosen)
	}
	if of != nil {
		return formatOf(of.Format).scheme
	}
	if s, ok := webhook.Detect(h); ok {
		return s
	}
	return webhook.Standard
}

// candidates are the secrets of a webhook. They are tried, and not shown.
func candidates(of *endpoint.Endpoint) []webhook.Candidate {
	if of == nil || of.Secret == "" {
		return nil
	}
	all := []webhook.Candidate{{Name: "the webhook's present secret", Key: webhook.Key{Text: of.Secret}}}
	if of.OldSecret != "" {
		all = append(all, webhook.Candidate{Name: "the webhook's former secret", Key: webhook.Key{Text: of.OldSecret, Until: of.OldUntil}})
	}
	return all
}
