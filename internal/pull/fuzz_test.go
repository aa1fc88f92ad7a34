package pull_test

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/provider"
	"github.com/stagedoorhq/stagedoor/internal/pull"
)

// FuzzReceive sends whatever there is: what is taken comes back as it was, and what is refused is kept in a form that can be read.
func FuzzReceive(f *testing.F) {
	h := open(f, dbtest.Open(f, dbtest.SQLite(f)), pull.Config{PerSecond: 1e9, Burst: 1e9, Refusals: 1e9, RefusalsOf: 1e9})
	body := h.make(me, pull.Settings{EventType: provider.EventType{Source: "body", Path: "a.b"}, DedupHeaders: []string{"X-Id"}})
	checked := h.checked()
	f.Add([]byte(`{"a":{"b":"c"}}`), "X: y\r\n", "1", "POST")
	f.Add([]byte("\x00\xff"), "", "", "GET")
	f.Add([]byte(`{"a":{"b":"\u0000\ud800"}}`), "no colon\r\n: \r\n\x00:\xff", "\x00\xff", "P\x00ST")
	f.Fuzz(func(t *testing.T, text []byte, head, value, method string) {
		in := body.to("")
		in.Body, in.Head, in.Header = text, []byte(head), http.Header{"X-Id": {value}, value: {value}, "Content-Type": {value}, "User-Agent": {value}}
		got, err := h.send(in)
		if err != nil {
			t.Fatalf("Receive: %v", err)
		}
		_, p, err := h.fetch(body, got.Event)
		if err != nil || !got.Duplicate && (!bytes.Equal(p.Body, text) || string(p.Head) != head) {
			t.Errorf("%q with the head %q came back as %q, %q, %v", text, head, p.Body, p.Head, err)
		}
		_ = p.Fields()
		in.Endpoint, in.Secret, in.Method = string(checked.ID), checked.secret, method
		if _, err := h.send(in); err == nil {
			t.Error("a request that proves nothing was let in")
		}
		if err := h.depot.Flush(t.Context()); err != nil {
			t.Errorf("Flush: %v", err)
		}
	})
}
