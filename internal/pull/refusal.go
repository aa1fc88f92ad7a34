package pull

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
)

const (
	keepRejections = 30 * 24 * time.Hour
	maxWaiting     = 2000 // refusals that wait to be written down; more are not kept

	maxHeaders = 64 // what is kept of a refused request's headers
	maxHeader  = 256
	masked     = "***"
)

// refusals are those that wait to be written down, and how many there were in this hour. Strangers make them, so there is a bound to everything.
type refusals struct {
	mu      sync.Mutex // guards the rest
	waiting []refusal
	hour    int64
	spent   map[int64]int // by endpoint, or the organisation's number made negative; 0 for requests to no endpoint
}

type refusal struct {
	org, endpoint, at             int64
	reason, detail, peer, headers string
}

// refuse notes that a request is refused, and returns the error for it. detail is for the sender, exact for the owner, "" for the same.
func (d *Depot) refuse(in Inbound, e *Endpoint, reason string, status int, detail, exact string) error {
	if exact == "" {
		exact = detail
	}
	r := refusal{at: d.now(nil).UnixMicro(), reason: reason, detail: clip(plain(exact), 500)}
	if in.Peer.IsValid() {
		r.peer = in.Peer.Unmap().WithZone("").String()
	}
	if e != nil {
		r.org, r.endpoint = e.Org, e.No
	}
	d.note(in.Header, r)
	return &Refused{Reason: reason, Status: status, Detail: detail}
}

// strangers is added to the numbers under which allowances are counted, for what strangers bring about.
const strangers = 1 << 40

// note keeps a refusal, if this hour still has room for it.
func (d *Depot) note(h http.Header, r refusal) {
	q := &d.refusals
	q.mu.Lock()
	defer q.mu.Unlock()
	if hour := r.at / time.Hour.Microseconds(); hour != q.hour {
		q.hour = hour
		clear(q.spent)
	}
	of, all, share := r.endpoint, -r.org, 1
	if r.reason == InvalidSecret || r.reason == InvalidMethod || r.reason == EndpointDeleted { // what strangers can bring about, who know the id alone, has an allowance of its own
		of, all, share = r.endpoint+strangers, -r.org-strangers, 4
	}
	if len(q.waiting) >= maxWaiting || q.spent[all] >= d.config.Refusals/share || r.endpoint != 0 && q.spent[of] >= d.config.RefusalsOf/share {
		return
	}
	q.spent[all]++
	if r.endpoint != 0 {
		q.spent[of]++
	}
	r.headers = redacted(h)
	q.waiting = append(q.waiting, r)
}

// harmless are the headers whose values are shown.
var harmless = []string{"Content-Type", "Content-Length", "Content-Encoding", "Accept", "User-Agent"}

// redacted is a JSON object of headers, with the values masked.
func redacted(h http.Header) string {
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	kept := map[string]string{}
	for _, name := range names[:min(len(names), maxHeaders)] {
		value := masked
		if slices.Contains(harmless, name) && len(h[name]) > 0 {
			value = clip(plain(h[name][0]), maxHeader)
		}
		kept[clip(plain(name), maxHeader)] = value
	}
	text, _ := json.Marshal(kept) // strings always can
	return string(text)
}

var insertRejection = db.BulkInsert("pull_rejections", "", "seq bigint", "day bigint", "org_id bigint", "endpoint_no bigint", "at bigint", "reason text",
	"detail text", "peer text", "headers text")

// Flush writes refusals down that wait for it. [Depot.Run] does so every second.
func (d *Depot) Flush(ctx context.Context) error {
	q := &d.refusals
	q.mu.Lock()
	waiting := q.waiting
	q.waiting = nil
	q.mu.Unlock()
	if len(waiting) == 0 {
		return nil
	}
	err := d.config.DB.Write(ctx, "", func(tx *db.Tx) error {
		first, err := tx.Numbers(len(waiting))
		if err != nil {
			return err
		}
		rows := make([][]any, len(waiting))
		for i, r := range waiting {
			rows[i] = []any{first + int64(i), int64(fact.Day(instant(r.at))), r.org, r.endpoint, r.at, r.reason, r.detail, r.peer, r.headers}
		}
		return tx.Bulk(insertRejection, rows)
	})
	if err != nil { // another time, if there is room for them then
		q.mu.Lock()
		defer q.mu.Unlock()
		q.waiting = append(waiting, q.waiting...)
		q.waiting = q.waiting[:min(len(q.waiting), maxWaiting)]
	}
	return err
}
