package google

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/pass"
)

// Object updates a pass's object. One that is not there is none to update: nobody has saved the pass, and what it says, its holder's name too, is none of Google's
// business until somebody does. The save link brings it along, or has it made ([Wallet.Link]).
func (w *Wallet) Object(ctx context.Context, f pass.Face) pass.Result {
	if !w.live {
		return unheard
	}
	a, err := w.put(ctx, f)
	if a.status == http.StatusNotFound {
		return pass.Result{Verdict: pass.Sent, Detail: "nobody has saved the pass, so there is nothing to change"}
	}
	return result(a, err)
}

// made updates a pass's object, or makes it, and its class where there is none.
func (w *Wallet) made(ctx context.Context, f pass.Face) pass.Result {
	a, err := w.put(ctx, f)
	if a.status == http.StatusNotFound {
		a, err = w.insert(ctx, kindOf(f), w.classOf(f), w.objectOf(f))
		a.said = hide(a.said, f)
	}
	if a.status == http.StatusConflict { // it was made just now
		a, err = w.put(ctx, f)
	}
	return result(a, err)
}

func (w *Wallet) put(ctx context.Context, f pass.Face) (answer, error) {
	o := w.objectOf(f)
	a, err := w.call(ctx, http.MethodPut, kindOf(f).object+"/"+o.ID, o)
	a.said = hide(a.said, f)
	return a, err
}

// insert makes an object, and its class where there is none. Of a class that is there nothing is changed.
func (w *Wallet) insert(ctx context.Context, k kind, c class, o object) (answer, error) {
	a, err := w.call(ctx, http.MethodPost, k.object, o)
	if a.status != http.StatusNotFound {
		return a, err
	}
	a, err = w.call(ctx, http.MethodPost, k.class, c)
	if err != nil || a.status >= 300 && a.status != http.StatusConflict {
		return a, err
	}
	return w.call(ctx, http.MethodPost, k.object, o)
}

// Class updates the class of an event's passes; one that is not there is none to update.
func (w *Wallet) Class(ctx context.Context, org string, e event.Event) pass.Result {
	if !w.live {
		return unheard
	}
	c := w.eventClass(org, e)
	change, err := c.change()
	if err != nil {
		return pass.Result{Verdict: pass.Never, Detail: "class: " + err.Error()}
	}
	a, err := w.call(ctx, http.MethodPatch, ticketKind.class+"/"+c.ID, change)
	if a.status == http.StatusNotFound {
		return pass.Result{Verdict: pass.Sent, Detail: "nobody has saved a pass of the class"}
	}
	return result(a, err)
}

// unheard is what comes of telling Google something with an account of nobody's.
var unheard = pass.Result{Verdict: pass.Never, Detail: "the service account is a test's, and no API is named"}

// answer is what Google has answered.
type answer struct {
	status int // 0 for no answer
	after  time.Duration
	said   string // what was wrong, in Google's words
	call   string
}

// maxAnswer is how much of an answer is read. Of those that say yes nothing is needed.
const maxAnswer = 64 << 10

// call makes a call of the API. A token that is not taken any more is replaced once.
func (w *Wallet) call(ctx context.Context, method, path string, body any) (answer, error) {
	raw, err := marshal(body)
	if err != nil {
		return answer{}, fmt.Errorf("%s %s: %w", method, path, err)
	}
	a, err := w.try(ctx, method, path, raw)
	if a.status == http.StatusUnauthorized {
		a, err = w.try(ctx, method, path, raw)
	}
	return a, err
}

func (w *Wallet) try(ctx context.Context, method, path string, raw []byte) (answer, error) {
	kind, _, _ := strings.Cut(path, "/")
	a := answer{call: method + " " + kind}
	token, err := w.tokens.get(ctx)
	if err != nil {
		return a, err
	}
	req, err := http.NewRequestWithContext(ctx, method, w.api+"/"+path, bytes.NewReader(raw))
	if err != nil {
		return a, fmt.Errorf("%s: %w", a.call, err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "stagedoor")
	resp, err := w.client.Do(req)
	if err != nil {
		return a, fmt.Errorf("%s: %w", a.call, err)
	}
	defer func() { _ = resp.Body.Close() }()
	said, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return a, fmt.Errorf("%s: %w", a.call, err)
	}
	if resp.StatusCode == http.StatusUnauthorized {
		w.tokens.forget(token)
	}
	a.status, a.after = resp.StatusCode, retryAfter(resp.Header, time.Now())
	if a.status >= 300 {
		a.said = complaint(said)
	}
	return a, nil
}

// result is what an answer comes to.
func result(a answer, err error) pass.Result {
	var r *refused
	if errors.As(err, &r) {
		a, err = answer{status: r.status, after: r.after, said: r.code, call: "token"}, nil
		if a.status == http.StatusBadRequest { // the account is not known, its key is not, or our clock is wrong
			a.status = http.StatusUnauthorized
		}
	}
	if err != nil {
		return pass.Result{Verdict: pass.Later, Detail: cut(err.Error(), 200)}
	}
	p := pass.Result{After: a.after, Detail: strings.TrimSuffix(fmt.Sprintf("%s: %d: %s", a.call, a.status, cut(a.said, 200)), ": ")}
	switch {
	case a.status >= 200 && a.status < 300:
		p.Verdict = pass.Sent
	case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden:
		p.Verdict = pass.Wait
	case a.status == http.StatusTooManyRequests, a.status == http.StatusRequestTimeout, a.status >= 500, a.status == http.StatusNotFound,
		a.status == http.StatusConflict: // the last two: somebody makes or deletes it at the same time
		p.Verdict = pass.Later
	default:
		p.Verdict = pass.Never
	}
	return p
}

// complaint is the message of an error as Google's APIs write it.
func complaint(body []byte) string {
	var e struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	_ = json.Unmarshal(body, &e) // what is no JSON has no message
	return e.Error.Message
}

// cut makes one line of at most so many characters.
func cut(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most-1]) + "…"
	}
	return strings.TrimSpace(s)
}

// hide takes out of what Google says what of a pass must not be in a log, in case that it repeats what it was sent.
func hide(said string, f pass.Face) string {
	private := []string{f.Barcode.Message, f.Barcode.AltText}
	if f.Ticket != nil {
		private = append(private, f.Ticket.Holder)
	}
	if r := f.Barcode.Rotation; r != nil {
		private = append(private, fmt.Sprintf("%x", r.Secret), fmt.Sprintf("%X", r.Secret))
	}
	for _, p := range private {
		if p != "" {
			said = strings.ReplaceAll(said, p, "…")
		}
	}
	return said
}

// retryAfter reads Retry-After (RFC 9110 §10.2.3), at most an hour; 0 for none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	s := h.Get("Retry-After")
	if s == "" {
		return 0
	}
	after := time.Duration(0)
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		after = time.Duration(n) * time.Second
	} else if at, err := http.ParseTime(s); err == nil {
		after = at.Sub(now)
	}
	return min(max(after, 0), time.Hour)
}
