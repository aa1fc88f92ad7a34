package outbound

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/egress"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

type deliveryData struct {
	*endpoint.Endpoint
	Delivery delivery.Record
	Why      delivery.Reason
	Done     bool      // nothing is due
	Rests    string    // when its open circuit lets a delivery through; "" while it is closed
	Attempts []attempt // newest first
	Part     string    // where what changes is fetched anew
}

// attempt is an attempt as the page shows it.
type attempt struct {
	delivery.Attempt
	Why            delivery.Reason
	OK             bool
	Sent, Pretty   string // the body that was sent, and the same with white space, where it is JSON
	Got, GotPretty string // the answer's
	Curl           string
	Phases         []phase
	Rule           []string // what followed from it, in sentences
	Open           bool
}

// Answer says what came back, in a few words.
func (a attempt) Answer() string {
	if a.Status != 0 {
		return strings.TrimSpace(fmt.Sprintf("%d %s", a.Status, http.StatusText(a.Status)))
	}
	return "no answer"
}

// phase is a part of an attempt's time, and where it stands in the bar.
type phase struct {
	Name  string
	Class string
	Took  time.Duration
	X, W  float64
}

// barWidth is how wide the bar of phases is.
const barWidth = 600

// phases are where the time went. What waits in vain is the last.
func phases(a delivery.Attempt) []phase {
	rest := max(0, a.Total-a.DNS-a.Connect-a.TLS-a.FirstByte)
	last, class := "Reading the answer", "p5"
	if a.FirstByte == 0 {
		last, class = "Waiting in vain", "bad"
	}
	all := []phase{
		{Name: "DNS", Class: "p1", Took: a.DNS},
		{Name: "Dial", Class: "p2", Took: a.Connect},
		{Name: "TLS", Class: "p3", Took: a.TLS},
		{Name: "First byte", Class: "p4", Took: a.FirstByte},
		{Name: last, Class: class, Took: rest},
	}
	if a.Total <= 0 {
		return nil
	}
	x := 0.0
	for i := range all {
		all[i].X = x
		all[i].W = float64(all[i].Took) / float64(a.Total) * barWidth
		x += all[i].W
	}
	return all
}

// which is the delivery of the path, with its webhook.
func (r *Room) which(v *frame.Visit, q db.Querier) (*endpoint.Endpoint, id.Delivery, error) {
	d, ok := id.ParseDelivery(v.R.PathValue("delivery"))
	if !ok {
		return nil, d, noDelivery()
	}
	e, err := r.to(v, q, d)
	return e, d, err
}

// to is the webhook of a delivery.
func (r *Room) to(v *frame.Visit, q db.Querier, d id.Delivery) (*endpoint.Endpoint, error) {
	known := r.Engine.Subscriptions.Now().Endpoint(d.Endpoint)
	if known == nil || known.Org != v.Org.No {
		return nil, noDelivery()
	}
	return r.Endpoints.Get(q, whose(v), known.ID)
}

func noDelivery() error {
	return problem.New(problem.NotFound, "delivery_not_found", "There is no such delivery, or its webhook was deleted.")
}

func (r *Room) delivery(v *frame.Visit) error {
	e, which, err := r.which(v, v.Read())
	if err != nil {
		return err
	}
	rec, err := r.Engine.Lookup(v.R.Context(), e, which)
	if err != nil {
		return err
	}
	mark := stand(rec)
	if v.Query("seen") == mark && v.HX() { // what somebody has opened there stays open
		v.W.WriteHeader(http.StatusNoContent)
		return nil
	}
	d := deliveryData{
		Endpoint: e, Delivery: rec, Why: r.Engine.Why(e, rec), Done: rec.State != "pending", Rests: r.rests(v, e),
		Part: v.Path("/deliveries/" + which.String() + "?part=state&seen=" + mark),
	}
	p := r.policy(e)
	for i := len(rec.Attempts) - 1; i >= 0; i-- {
		d.Attempts = append(d.Attempts, shown(e, p, rec, i))
	}
	view := frame.View{Title: "Delivery", At: "/deliveries", Wide: true, Data: d}
	if v.Query("part") == "state" {
		return v.Fragment(pages, "delivery", "state-part", view)
	}
	return v.Show(pages, "delivery", http.StatusOK, view)
}

// stand is how far a delivery has come.
func stand(rec delivery.Record) string { return rec.State + "-" + strconv.Itoa(len(rec.Attempts)) }

// shown is the i'th attempt of a delivery as the page shows it.
func shown(e *endpoint.Endpoint, p delivery.Policy, rec delivery.Record, i int) attempt {
	a := attempt{Attempt: rec.Attempts[i], Open: i == len(rec.Attempts)-1}
	a.Why = a.Reason(p)
	a.OK = a.Why.Name == "delivered"
	a.Sent, a.Pretty = texts(a.RequestBody)
	a.Got, a.GotPretty = texts(a.ResponseBody)
	a.Curl = curl(e.URL, a.Attempt)
	a.Phases = phases(a.Attempt)
	a.Rule = rule(e, p, rec, i, a.OK)
	return a
}

// texts are a body as text, and with white space where it is JSON and has none.
func texts(body []byte) (raw, pretty string) {
	var b bytes.Buffer
	if json.Indent(&b, body, "", "  ") == nil && b.Len() > 0 {
		pretty = strings.ToValidUTF8(b.String(), "\ufffd")
	}
	return strings.ToValidUTF8(string(body), "\ufffd"), pretty
}

// rule says what followed from an attempt, and why.
func rule(e *endpoint.Endpoint, p delivery.Policy, rec delivery.Record, i int, ok bool) []string {
	a := rec.Attempts[i]
	if ok {
		return []string{"Success is " + success(p) + "."}
	}
	var said []string
	head := fields(a.ResponseHead)
	if wait, asked := egress.RetryAfter(head, a.At); asked {
		said = append(said, "The receiver asked to wait "+span(wait.Round(time.Second))+" at least (Retry-After).")
	}
	own := "the format's own retries: "
	waits := p.Delays
	if e.Options.Retry != nil {
		own, waits = "this webhook's own retries: ", *e.Options.Retry
	}
	own += "again after " + delays(waits)
	if len(waits) == 0 {
		own = "this webhook has no retries"
	}
	switch {
	case i+1 < len(rec.Attempts):
		said = append(said, "It was tried again "+span(rec.Attempts[i+1].At.Sub(a.At).Round(time.Millisecond))+" later ("+own+").")
	case rec.State == "pending":
		said = append(said, "It is tried again ("+own+", each varied by up to a fifth).")
	case a.Status == http.StatusGone:
		said = append(said, "It is not tried again: 410 means “send no more”.")
	case strings.EqualFold(head.Get("Webhook-Delivery"), "abort-message"):
		said = append(said, "It is not tried again: the receiver said so (Webhook-Delivery: abort-message).")
	default:
		said = append(said, "It is not tried again by itself ("+own+").")
	}
	return said
}

// fields are the lines of a head.
func fields(head string) egress.Header {
	var h egress.Header
	for line := range strings.Lines(head) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			h = append(h, egress.Field{Name: name, Value: strings.TrimSpace(value)})
		}
	}
	return h
}

// curl is a command that sends the same again. What is a secret and not kept is left out.
func curl(to string, a delivery.Attempt) string {
	var b strings.Builder
	b.WriteString("curl -i -X POST " + quote(to))
	for _, f := range fields(a.RequestHead) {
		if strings.EqualFold(f.Name, "Host") || strings.EqualFold(f.Name, "Content-Length") || f.Value == "[not kept]" {
			continue
		}
		b.WriteString(" \\\n  -H " + quote(f.Name+": "+f.Value))
	}
	if a.RequestBody != nil {
		b.WriteString(" \\\n  --data-binary " + quote(strings.ToValidUTF8(string(a.RequestBody), "\ufffd")))
	}
	return b.String()
}

// quote makes one word of a shell's command (POSIX, 2.2.2).
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func (r *Room) redeliver(v *frame.Visit) error {
	e, which, err := r.which(v, v.Read())
	if err != nil {
		return err
	}
	if err := v.Write(func(tx *db.Tx) error {
		if err := r.Engine.Redeliver(tx, e, which); err != nil {
			return err
		}
		return audit.Append(tx, v.By().Entry(v.Org.No, "delivery.redelivered", which.String(), map[string]any{"webhook": e.ID}))
	}); err != nil {
		return err
	}
	return v.Done("/deliveries/"+which.String(), "The delivery is due again, with the same id and the same bytes.")
}
