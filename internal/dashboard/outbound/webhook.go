package outbound

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/page"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

type webhookData struct {
	hook
	Format  format
	Policy  delivery.Policy
	Retries string
	Success string
	Static  bool
	Key     string    // the public one, where there is one
	Overlap time.Time // until when the secret before this one is used; zero for none
	Rests   string    // when its open circuit lets a delivery through; "" while it is closed
	CanTest bool
	Test    *outcome // of the test that was asked for last
	List    list
	Recover string // as it was typed
}

// outcome is what came of a delivery so far, and what to do about it.
type outcome struct {
	delivery.Record
	Why  delivery.Reason
	Poll bool // nothing came of it yet: it is looked at again
}

// Last is the newest attempt; nil before the first.
func (o outcome) Last() *delivery.Attempt {
	if n := len(o.Attempts); n > 0 {
		return &o.Attempts[n-1]
	}
	return nil
}

func (r *Room) webhook(v *frame.Visit) error {
	e, err := r.found(v, v.Read())
	if err != nil {
		return err
	}
	switch v.Query("part") {
	case "rows":
		return r.rows(v, "webhook", e)
	case "test":
		return r.testPart(v, e)
	}
	return r.showWebhook(v, http.StatusOK, e, webhookData{}, nil)
}

func (r *Room) showWebhook(v *frame.Visit, code int, e *endpoint.Endpoint, d webhookData, wrong page.Complaints) error {
	hooks, err := r.hooks(v, []*endpoint.Endpoint{e})
	if err != nil {
		return err
	}
	d.hook, d.Format, d.Rests = hooks[0], formatOf(e.Format), r.rests(v, e)
	vocabulary, _ := r.Endpoints.Vocabulary(e.Format)
	d.Static = isStatic(vocabulary)
	if vocabulary != nil {
		_, d.CanTest = vocabulary.Name(fact.EndpointPinged)
	}
	if dialect := r.Engine.Dialect(e.Format); dialect != nil {
		d.Policy = dialect.Policy()
	}
	if e.Options.Retry != nil {
		d.Policy.Delays = *e.Options.Retry
	}
	d.Retries, d.Success = delays(d.Policy.Delays), success(d.Policy)
	if e.Options.Signature == "v1a" {
		d.Key = e.Shown()
	}
	if e.OldUntil.After(v.Now()) {
		d.Overlap = e.OldUntil
	}
	if d.Test, err = r.tested(v, e); err != nil {
		return err
	}
	if d.List, err = r.list(v, e); err != nil {
		return err
	}
	return v.Show(pages, "webhook", code, frame.View{Title: "Webhook", At: "/webhooks", Wide: true, Complaints: wrong, Data: d})
}

// rests says when an open circuit lets a delivery through; "" while it is closed.
func (r *Room) rests(v *frame.Visit, e *endpoint.Endpoint) string {
	until := r.Engine.Rests(e.Number)
	switch by := until.Sub(v.Now()); {
	case until.IsZero():
		return ""
	case by <= 0:
		return "now"
	default:
		return "in " + span(by.Truncate(time.Second)+time.Second)
	}
}

// tested is what came of the test delivery that the address names; nil where it names none.
func (r *Room) tested(v *frame.Visit, e *endpoint.Endpoint) (*outcome, error) {
	which, ok := id.ParseDelivery(v.Query("test"))
	if !ok || which.Endpoint != e.Number {
		return nil, nil
	}
	rec, err := r.Engine.Lookup(v.R.Context(), e, which)
	if p := problem.As(err); p != nil && p.Kind == problem.NotFound { // it is not planned yet
		return &outcome{Record: delivery.Record{ID: which, State: "pending"}, Poll: true}, nil
	} else if err != nil {
		return nil, err
	}
	return &outcome{rec, r.Engine.Why(e, rec), rec.State == "pending" && len(rec.Attempts) == 0}, nil
}

func (r *Room) testPart(v *frame.Visit, e *endpoint.Endpoint) error {
	o, err := r.tested(v, e)
	if err != nil {
		return err
	}
	return v.Fragment(pages, "webhook", "test", frame.View{Data: webhookData{hook: hook{Endpoint: e}, Test: o}})
}

func (r *Room) testWebhook(v *frame.Visit) error {
	e, err := r.found(v, v.Read())
	if err != nil {
		return err
	}
	var f *fact.Fact
	if err := v.Write(func(tx *db.Tx) (err error) {
		f, err = r.Endpoints.Ping(tx, whose(v), e.ID)
		return err
	}); err != nil {
		return err
	}
	d := id.Delivery{Day: f.ID.Day, Seq: f.ID.Seq, Endpoint: e.Number}
	return v.To(v.Path("/webhooks/" + string(e.ID) + "?test=" + d.String()))
}

// switchWebhook pauses a webhook, or turns it on again, also where we have disabled it.
func (r *Room) switchWebhook(v *frame.Visit) error {
	e, err := r.found(v, v.Read())
	if err != nil {
		return err
	}
	on := v.Value("to") == "on"
	said := "The webhook is on. What was skipped while it was off comes when you recover it."
	if !on {
		said = "The webhook is paused. What happens meanwhile is skipped, and can be recovered."
	}
	if err := v.Configure(func(tx *db.Tx) error {
		_, err := r.Endpoints.Update(tx, whose(v), e.ID, endpoint.Change{Active: &on}, 0, v.By())
		return err
	}); err != nil {
		return err
	}
	return v.Done("/webhooks/"+string(e.ID), said)
}

func (r *Room) rotateSecret(v *frame.Visit) error {
	e, err := r.found(v, v.Read())
	if err != nil {
		return err
	}
	hours, err := strconv.Atoi(v.Value("hours"))
	overlap := time.Duration(hours) * time.Hour
	if err != nil || hours < 0 || overlap > endpoint.MaxOverlap {
		wrong := page.Complaints{{Field: "rotate-hours", Text: fmt.Sprintf("The overlap is a number of hours from 0 to %d.", int(endpoint.MaxOverlap/time.Hour))}}
		return r.showWebhook(v, http.StatusUnprocessableEntity, e, webhookData{}, wrong)
	}
	var changed *endpoint.Endpoint
	err = v.Configure(func(tx *db.Tx) (err error) {
		changed, err = r.Endpoints.RotateTo(tx, whose(v), e.ID, v.Value("secret"), overlap, v.By())
		return err
	})
	if wrong, code, ok := frame.Wrong(err, "rotate-", nil); ok {
		return r.showWebhook(v, code, e, webhookData{}, wrong)
	} else if err != nil {
		return err
	}
	return r.showSecret(v, changed, "The secret is rotated")
}

// recoverWebhook makes everything due again that failed or was skipped since an instant.
func (r *Room) recoverWebhook(v *frame.Visit) error {
	e, err := r.found(v, v.Read())
	if err != nil {
		return err
	}
	typed := v.Value("since")
	since, err := time.ParseInLocation("2006-01-02T15:04", typed, v.Zone)
	if err != nil {
		wrong := page.Complaints{{Field: "recover-since", Text: "Give the day and the time since when deliveries shall be sent again."}}
		return r.showWebhook(v, http.StatusUnprocessableEntity, e, webhookData{Recover: typed}, wrong)
	}
	n := 0
	if err := v.Write(func(tx *db.Tx) (err error) {
		if n, err = r.Engine.Recover(tx, e, since); err != nil {
			return err
		}
		detail := map[string]any{"since": since.UTC().Format(time.RFC3339), "recovered": n}
		return audit.Append(tx, v.By().Entry(v.Org.No, "webhook.recovered", string(e.ID), detail))
	}); err != nil {
		return err
	}
	return v.Done("/webhooks/"+string(e.ID), counted(n, "delivery is", "deliveries are")+" due again.")
}

// counted is a number with what it is of.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

func (r *Room) deleteWebhook(v *frame.Visit) error {
	e, err := r.found(v, v.Read())
	if err != nil {
		return err
	}
	sure, err := v.Sure("Delete the webhook to "+e.URL+"?", "Nothing more is sent to it, what is due neither, and its secret is gone. It cannot be brought back.", "Delete the webhook",
		"/webhooks/"+string(e.ID))
	if !sure {
		return err
	}
	if err := v.Configure(func(tx *db.Tx) error { return r.Endpoints.Delete(tx, whose(v), e.ID, 0, v.By()) }); err != nil {
		return err
	}
	return v.Done("/webhooks", "The webhook is deleted.")
}
