package inbound

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// MaxBody bounds what is taken, in bytes.
const MaxBody = 256 << 10

// take writes an event down.
func (b *Box) take(ctx context.Context, e *Endpoint, h http.Header, body []byte) (id.Fact, error) {
	name, err := nameOf(body)
	if err != nil {
		return id.Fact{}, err
	}
	headers, err := json.Marshal(kept(h))
	if err != nil {
		return id.Fact{}, err
	}
	s := check(e.Secret, h, body, time.Now())
	touch := b.stale(e)
	var f id.Fact
	err = b.config.DB.Write(ctx, "", func(tx *db.Tx) error {
		seq, err := tx.Numbers(1)
		if err != nil {
			return err
		}
		f = id.Fact{Day: fact.Day(tx.Now()), Seq: seq}
		if touch {
			if err := tx.Later(`UPDATE dev_endpoints SET used_at = $1 WHERE endpoint_no = $2 AND org_id = $3`, tx.Micros(), e.No, e.Org); err != nil {
				return err
			}
		}
		return b.log.Append(tx, []any{
			seq, int64(f.Day), e.Org, e.No, tx.Micros(), name, b.config.Known(name), s.Verdict, s.Scheme, s.Reason, string(headers), body, e.Answer.status(),
		})
	})
	return f, err
}

// stale tells whether it is time to write down that the endpoint is used. It also notes that there is something for the sweep to count.
func (b *Box) stale(e *Endpoint) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.state(e.No)
	s.grown = true
	now := time.Now()
	if now.Sub(e.usedAt) < usedEvery || now.Sub(s.touched) < time.Hour {
		return false
	}
	s.touched = now
	return true
}

const (
	usedEvery = 24 * time.Hour // how often it is written down that an endpoint is used
	maxName   = 128            // bytes of an event's name
)

// nameOf makes sure that a body is one JSON object, and returns what it calls the event.
func nameOf(body []byte) (string, error) {
	if !utf8.Valid(body) || !json.Valid(body) {
		return "", problem.New(problem.Invalid, "invalid_json", "The body is not JSON. Send one JSON object, in UTF-8 and not compressed.")
	}
	if b := bytes.TrimLeft(body, " \t\r\n"); b[0] != '{' {
		return "", problem.New(problem.Invalid, "invalid_json", "The body is JSON, but not an object. Send one JSON object.")
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return "", problem.New(problem.Invalid, "invalid_json", "The body is not a JSON object that can be read.")
	}
	for _, member := range []string{"event", "type"} {
		var name string
		if json.Unmarshal(members[member], &name) == nil && name != "" {
			return clip(plain(name), maxName), nil
		}
	}
	return "", nil
}

// plain is text that every database can store.
func plain(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// clip cuts text to n bytes, between characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// What is kept of headers.
const (
	maxHeaders    = 64
	maxHeader     = 2 << 10
	maxAllHeaders = 16 << 10
	hidden        = "[hidden]"
)

// ours are headers that the way to us has added. They say nothing of the sender's program, and some where its people are.
var ours = []string{"X-Request-Id", "X-Forwarded-For", "X-Real-Ip", "Forwarded"}

// credentials are parts of the names of headers that hold secrets.
var credentials = []string{"authorization", "cookie", "token", "secret", "password", "api-key", "apikey", "dpop"}

// kept are a request's headers as they are kept: without the values of credentials, and as many as there is room for, by their names.
func kept(h http.Header) map[string]string {
	names := make([]string, 0, len(h))
	for name := range h {
		if !slices.Contains(ours, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	out := map[string]string{}
	size := 0
	for _, name := range names {
		value := clip(plain(strings.Join(h[name], ", ")), maxHeader)
		lower := strings.ToLower(name)
		if slices.ContainsFunc(credentials, func(c string) bool { return strings.Contains(lower, c) }) {
			value = hidden
		}
		if size += len(name) + len(value); size > maxAllHeaders || len(out) == maxHeaders {
			break
		}
		out[name] = value
	}
	return out
}
