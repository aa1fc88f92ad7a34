package delivery

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/egress"
	"github.com/stagedoorhq/stagedoor/internal/fact"
)

// Codes of attempts that failed on our side, beside those of package egress. They say nothing about the receiver.
const (
	codeErased      = "erased"       // the data is gone, so nothing is sent any more
	codeInternal    = "internal"     // the envelope or its signature could not be made
	codeBadEndpoint = "bad_endpoint" // the endpoint's settings do not allow sending
)

// attempt makes one attempt.
func (e *Engine) attempt(l *lane, it *item, s settings) {
	name, carried := e.Subscriptions.Now().EventName(s.to.Format, it.fact)
	if !carried || !s.to.May(it.fact) { // it has another format since this was planned, or its app may see less
		e.settler.add(&outcome{item: it, state: skipped})
		return
	}
	o := &outcome{item: it, state: pending, at: time.Now(), webhook: s.to.ID, event: name}
	if s.bad != nil {
		o.code, o.detail = codeBadEndpoint, "The endpoint's settings do not allow sending: "+s.bad.Error()
	} else if env, err := e.envelope(it, s); errors.Is(err, ErrErased) {
		o.state, o.code, o.detail = failed, codeErased, "The data has been erased; it is not sent again."
	} else if err != nil {
		e.Log.Error("render envelope", "fact", it.fact.ID.String(), "format", s.to.Format, "err", err)
		o.code, o.detail = codeInternal, "The envelope could not be made."
	} else {
		e.send(o, s, env, name)
	}
	if o.code == string(egress.CodeCancelled) { // as if it had not been begun
		pause := time.Second
		if e.stopped.Load() {
			pause = 0
		}
		e.settler.giveBack(it, pause)
		return
	}
	e.judge(l, o, s)
	if o.state != delivered && o.env != nil && !s.lasting() {
		o.keep = o.env.toKeep(e.Keys, it.id.Seq)
	}
	e.settler.add(o)
}

// ErrErased says that a fact's data is gone. A dialect's Render returns it, or wraps it, for what it has to look up and is not there any more; the delivery
// then ends with the code "erased".
var ErrErased = errors.New("erased")

// envelope returns the bytes of a delivery: kept ones where an attempt has failed before, else made now, once for all that share them.
func (e *Engine) envelope(it *item, s settings) (*envelope, error) {
	if gone, err := e.isErased(it); err != nil {
		return nil, err
	} else if gone {
		return nil, ErrErased
	}
	v := it.envelope(s.dialect.Variant(s.to), it.attempt > 0)
	v.made.Do(func() {
		v.body, v.err = e.body(it, s, v)
		v.hash = sha256.Sum256(v.body)
	})
	return v, v.err
}

// body makes an envelope's bytes, or finds those that were kept.
func (e *Engine) body(it *item, s settings, v *envelope) ([]byte, error) {
	if v.again && !s.lasting() {
		if body, err := e.kept(e.DB.Read(context.Background()), it.id.Seq, v.variant); body != nil || err != nil {
			return body, err
		}
	}
	return s.render(context.Background(), it.fact)
}

// render has the dialect make an envelope. One that panics over a fact must not end the server, which would meet the same fact again when it
// starts.
func (s settings) render(ctx context.Context, f *fact.Fact) (body []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return s.dialect.Render(ctx, f, s.to)
}

// send posts the envelope and fills in what came of it.
func (e *Engine) send(o *outcome, s settings, env *envelope, name string) {
	o.env, o.hash = env, env.hash
	r, err := s.request(o.item, env.body, name, o.at)
	if err != nil {
		o.code, o.detail = codeInternal, "The request could not be signed."
		e.Log.Error("sign request", "endpoint", string(s.to.ID), "err", err)
		return
	}
	out := e.Client.Do(context.Background(), r)
	o.out, o.code, o.detail, o.status = out, string(out.Code), out.Detail, out.Status
	o.head = func() string { return headText(r, s.own) }
}

// UserAgent is what deliveries say they come from. The client that sends them is made with it.
const UserAgent = "Stagedoor-Webhooks/1"

// notKept stands for the value of a header that may be a secret.
const notKept = "[not kept]"

// headText is a request's head as it is kept: its header, with what the client writes. The values of hidden fields, which may be somebody's
// token, and of every Authorization, which is a secret of either side, are not kept.
func headText(r *egress.Request, hidden egress.Header) string {
	var b strings.Builder
	if u, err := url.Parse(r.Target.String()); err == nil {
		b.WriteString("Host: " + u.Host + "\n")
	}
	if r.Header.Get("User-Agent") == "" {
		b.WriteString("User-Agent: " + UserAgent + "\n")
	}
	h := append(r.Header[:len(r.Header):len(r.Header)], egress.Field{Name: "Content-Length", Value: strconv.Itoa(len(r.Body))})
	for _, f := range h {
		v := f.Value
		if strings.EqualFold(f.Name, "Authorization") || hidden.Get(f.Name) != "" {
			v = notKept
		}
		b.WriteString(f.Name + ": " + v + "\n")
	}
	return b.String()
}

// fillIn puts the endpoint's own headers back into a head that was kept.
func fillIn(head string, own egress.Header) string {
	if !strings.Contains(head, notKept) {
		return head
	}
	var b strings.Builder
	for line := range strings.Lines(head) {
		name, v, _ := strings.Cut(line, ": ")
		if mine := own.Get(name); v == notKept+"\n" && mine != "" && !strings.EqualFold(name, "Authorization") {
			line = name + ": " + mine + "\n"
		}
		b.WriteString(line)
	}
	return b.String()
}
