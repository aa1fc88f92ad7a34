package hookbridge_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// event is an event as it is shown.
type event struct {
	ID              string
	EventType       *string `json:"event_type"`
	Status          string
	SizeBytes       int     `json:"size_bytes"`
	ReceivedAt      string  `json:"received_at"`
	FetchedAt       *string `json:"fetched_at"`
	DeliveredAt     *string `json:"delivered_at"`
	ContentType     string  `json:"content_type"`
	Payload         json.RawMessage
	PayloadEncoding string `json:"payload_encoding"`
	Headers         map[string]string
	HeaderLines     [][2]string `json:"header_lines"`
	DeletedAt       *string     `json:"deleted_at"`
	ByUser          *string     `json:"deleted_by_user_id"`
	ByKey           *string     `json:"deleted_by_api_key_id"`
	Timing          map[string]*int
	Claim           struct {
		Token     string
		ExpiresAt time.Time `json:"expires_at"`
	}
}

func (e endpoint) events() string { return e.path() + "/events" }

func (s *site) event(e endpoint, id string) event {
	s.t.Helper()
	return get[event](s, e.events()+"/"+id)
}

type acknowledged struct{ Acknowledged int }

func (s *site) ack(e endpoint, ids ...string) int {
	s.t.Helper()
	return post[acknowledged](s, 200, e.events()+"/ack", map[string]any{"event_ids": ids}).Acknowledged
}

// ids lists the events that a query has, page by page.
func (s *site) ids(path, query string) []string {
	s.t.Helper()
	got, next := []string{}, ""
	for {
		p := read[[]struct {
			ID      string
			EventID string `json:"event_id"`
		}](s, s.must(200, "GET", path+"?"+query+"&cursor="+next, nil))
		for _, e := range p.Data {
			got = append(got, e.ID+e.EventID)
		}
		if next = *p.Meta.NextCursor; next == "" {
			return got
		}
	}
}

func TestEventIsStoredFetchedAndDelivered(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		e := s.make(map[string]any{"event_type_source": "body", "event_type_path": "type"})
		id := s.store(e, `{"type":"invoice.paid", "n": 12345678901234567890}`, "Content-Type", "application/json")
		list := read[[]map[string]json.RawMessage](s, s.must(200, "GET", e.events(), nil))
		if len(list.Data) != 1 || *list.Meta.HasMore || *list.Meta.NextCursor != "" {
			t.Fatalf("the list is %v", list)
		}
		for _, name := range []string{"payload", "headers"} {
			if list.Data[0][name] != nil {
				t.Errorf("the list has %s", name)
			}
		}
		if got := string(list.Data[0]["fetched_at"]); got != "null" {
			t.Errorf("fetched_at is %q in the list, want null", got)
		}
		preview := get[event](s, e.events()+"/"+id+"?preview=true")
		if preview.Status != "stored" || preview.FetchedAt != nil || preview.Payload == nil {
			t.Errorf("a preview: %+v", preview)
		}
		if a := s.call("HEAD", e.events()+"/"+id, nil); a.status != 200 || len(a.raw) > 0 {
			t.Errorf("HEAD = %d %q", a.status, a.raw)
		}
		if n := *get[endpoint](s, e.path()).Counts; n != (counts{Stored: 1, Total: 1}) {
			t.Errorf("counts after a preview and HEAD: %+v", n)
		}
		for range 2 {
			got := s.event(e, id)
			if got.Status != "fetched" || got.FetchedAt == nil || *got.EventType != "invoice.paid" || got.ContentType != "application/json" ||
				string(got.Payload) != `{"type":"invoice.paid","n":12345678901234567890}` || got.PayloadEncoding != "json" || got.SizeBytes != 50 ||
				got.Headers["content-type"] != "application/json" || got.Timing["time_to_fetch_ms"] == nil || got.Timing["time_to_ack_ms"] != nil {
				t.Errorf("fetched: %+v", got)
			}
		}
		if n := s.ack(e, id); n != 1 {
			t.Errorf("acknowledged %d, want 1", n)
		}
		if n := s.ack(e, id, id); n != 0 {
			t.Errorf("acknowledged %d again, want 0", n)
		}
		got := s.event(e, id)
		if got.Status != "delivered" || got.DeliveredAt == nil || got.Timing["time_to_ack_ms"] == nil || got.Timing["total_lifecycle_ms"] == nil || got.Timing["ingest_processing_ms"] == nil {
			t.Errorf("delivered, and read again: %+v", got)
		}
		if n := *get[endpoint](s, e.path()).Counts; n != (counts{Delivered: 1, Total: 1}) {
			t.Errorf("counts: %+v", n)
		}
		for status, want := range map[string]int{"": 0, "stored": 0, "fetched": 0, "delivered": 1} {
			if got := len(s.ids(e.events(), "status="+status)); got != want {
				t.Errorf("%d events are %q, want %d", got, status, want)
			}
		}
		direct := s.store(e, `{}`)
		s.ack(e, direct)
		if got := s.event(e, direct); got.FetchedAt != nil || got.Timing["time_to_ack_ms"] != nil || got.Status != "delivered" || got.EventType != nil {
			t.Errorf("acknowledged without being fetched: %+v", got)
		}
	})
}

func TestAckOfWhatIsNotThere(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		e, other := s.make(nil), s.make(nil)
		mine, theirs := s.store(e, "1"), s.store(other, "2")
		for _, wrong := range []string{nobody, stranger, "x", theirs} {
			s.refused(400, "INVALID_REQUEST", "POST", e.events()+"/ack", map[string]any{"event_ids": []string{mine, wrong}})
		}
		many := slices.Repeat([]string{mine}, 1001)
		for _, body := range []any{`{}`, `{"event_ids":[]}`, `{"event_ids":"x"}`, `{"event_ids":[1]}`, `[]`, map[string]any{"event_ids": many}} {
			s.refused(400, "INVALID_REQUEST", "POST", e.events()+"/ack", body)
		}
		if got := s.ids(e.events(), ""); !slices.Equal(got, []string{mine}) {
			t.Errorf("stored: %v, want that nothing was acknowledged", got)
		}
		if n := s.ack(e, many[:1000]...); n != 1 {
			t.Errorf("acknowledged %d", n)
		}
	})
}

func TestPayloadsAreShownAsTheyAre(t *testing.T) {
	s := lite(t, settings{})
	e := s.make(nil)
	for _, c := range []struct{ body, encoding, payload string }{
		{`{"a": [1.0, "é", "\u2028", 1e400], "a":2}`, "json", `{"a":[1.0,"é","\u2028",1e400],"a":2}`},
		{` 3 `, "json", `3`},
		{`"text <b>"`, "json", `"text <b>"`},
		{"", "base64", `""`},
		{"a=b", "base64", `"YT1i"`},
		{"\"\xff\"", "base64", `"Iv8i"`},
		{"\x00\x01", "base64", `"AAE="`},
	} {
		id := s.store(e, c.body)
		got := s.event(e, id)
		if string(got.Payload) != c.payload || got.PayloadEncoding != c.encoding || got.SizeBytes != len(c.body) {
			t.Errorf("%q is shown as %s (%s), %d bytes", c.body, got.Payload, got.PayloadEncoding, got.SizeBytes)
		}
		exact := get[event](s, e.events()+"/"+id+"?encoding=base64")
		if want := `"` + base64.StdEncoding.EncodeToString([]byte(c.body)) + `"`; string(exact.Payload) != want || exact.PayloadEncoding != "base64" {
			t.Errorf("%q in base64 is %s (%s)", c.body, exact.Payload, exact.PayloadEncoding)
		}
	}
	s.refused(400, "INVALID_REQUEST", "GET", e.events()+"/"+nobody+"?encoding=hex", nil)
	s.refused(400, "INVALID_REQUEST", "GET", e.events()+"/"+nobody+"?preview=maybe", nil)
}

// TestLine48Lists is about cursors, filters and bounds of all lists of what came.
func TestLine48Lists(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		e := s.make(map[string]any{"event_type_source": "header", "event_type_path": "X-Type"})
		quiet := s.make(nil)
		var want []string
		for i := range 7 {
			want = append(want, s.store(e, fmt.Sprint(i), "X-Type", []string{"even", "odd"}[i%2]))
			s.pass(time.Second)
		}
		page := read[[]event](s, s.must(200, "GET", e.events()+"?limit=3", nil))
		rest := "limit=3&cursor=" + *page.Meta.NextCursor
		if !*page.Meta.HasMore || len(page.Data) != 3 {
			t.Fatalf("the first page: %+v", page)
		}
		if diff := cmp.Diff(want, s.ids(e.events(), "limit=3")); diff != "" {
			t.Errorf("pages (-want +got):\n%s", diff)
		}
		late := s.store(e, "late", "X-Type", "even")
		if got := s.ids(e.events(), "limit=2"); !slices.Equal(got, append(slices.Clone(want), late)) {
			t.Errorf("with one that came meanwhile: %v", got)
		}
		if got := read[[]event](s, s.must(200, "GET", e.events()+"?"+rest, nil)).Data; len(got) != 3 || got[0].ID != want[3] {
			t.Errorf("the second page: %+v", got)
		}
		for _, other := range []string{e.events() + "?event_type=odd&" + rest, quiet.events() + "?" + rest, e.events() + "?status=fetched&" + rest, "/v1/pull-logs?" + rest, all + "?" + rest} {
			s.refused(400, "INVALID_REQUEST", "GET", other, nil)
		}
		since, before := url.QueryEscape(page.Data[1].ReceivedAt), url.QueryEscape(page.Data[2].ReceivedAt)
		for query, want := range map[string][]string{
			"event_type=odd": {want[1], want[3], want[5]}, "event_type=none": {}, "since=" + since + "&before=" + before: {want[1]}, "since=" + since + "&event_type=even&before=2999-01-01T00:00:00Z": {want[2], want[4], want[6], late},
		} {
			if diff := cmp.Diff(want, s.ids(e.events(), query)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", query, diff)
			}
		}
		for _, bad := range []string{"limit=0", "limit=1001", "limit=-1", "status=acked", "status=stored,fetched", "since=yesterday", "before=2027-01-01", "cursor=x", "cursor=" + strings.Repeat("A", 32), "wait=31", "wait=-1", "wait=x"} {
			s.refused(400, "INVALID_REQUEST", "GET", e.events()+"?"+bad, nil)
		}
		for _, list := range []string{"/v1/pull-logs", "/v1/inbound-rejections"} {
			for _, bad := range []string{"limit=0", "limit=501", "start_time=x", "end_time=x", "cursor=x", "pull_endpoint_id=x", "order=up"} {
				s.refused(400, "INVALID_REQUEST", "GET", list+"?"+bad, nil)
			}
			s.refused(400, "ENDPOINT_NOT_FOUND", "GET", list+"?pull_endpoint_id="+nobody, nil)
		}
	})
}

func TestWaitingForAnEvent(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		e := s.make(nil)
		first := s.store(e, "1")
		if got := s.ids(e.events(), "wait=30"); !slices.Equal(got, []string{first}) { // there is one: nobody waits
			t.Errorf("with one that is there: %v", got)
		}
		s.ack(e, first)
		if got := s.ids(e.events(), "wait=1"); len(got) != 0 {
			t.Errorf("when the time is over: %v", got)
		}
		answers := make(chan answer, 5)
		for range cap(answers) {
			go func() { answers <- s.call("GET", e.events()+"?wait=30", nil) }()
		}
		second := s.store(e, "2") // whether they wait already or not
		for range cap(answers) {
			select {
			case a := <-answers:
				if got := read[[]event](s, a).Data; a.status != 200 || len(got) != 1 || got[0].ID != second {
					t.Errorf("what was waited for: %d %s", a.status, a.raw)
				}
			case <-time.After(25 * time.Second):
				t.Fatal("who waits is not told of the event")
			}
		}
		s.ack(e, second)
		go func() { answers <- s.call("GET", e.events()+"?wait=30", nil) }()
		s.stop()
		select {
		case a := <-answers:
			if a.status != 200 || len(read[[]event](s, a).Data) != 0 {
				t.Errorf("when the server stops: %d %s", a.status, a.raw)
			}
		case <-time.After(25 * time.Second):
			t.Fatal("who waits holds up the end of the server")
		}
	})
}

type deletion struct {
	EventID   string  `json:"event_id"`
	DeletedAt *string `json:"deleted_at"`
	Already   bool    `json:"already_deleted"`
	Outcome   string
}

func TestDeletedEvents(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		e := s.make(map[string]any{"idempotency_header_names": []string{"X-Event-ID"}, "event_type_source": "header", "event_type_path": "X-Type"})
		id := s.store(e, `{"a":1}`, "X-Event-ID", "one")
		path := e.events() + "/" + id
		for _, again := range []bool{false, true} {
			if d := read[deletion](s, s.must(200, "DELETE", path, nil)).Data; d.EventID != id || d.DeletedAt == nil || d.Already != again {
				t.Errorf("DELETE, again %v: %+v", again, d)
			}
		}
		s.refused(410, "MESSAGE_DELETED", "GET", path, nil)
		raw := read[map[string]json.RawMessage](s, s.must(200, "GET", path+"?preview=true", nil)).Data
		if string(raw["payload"]) != "null" || string(raw["headers"]) != "null" {
			t.Errorf("a preview of what was deleted: %s, %s", raw["payload"], raw["headers"])
		}
		if got := get[event](s, path+"?preview=true"); got.DeletedAt == nil || got.ByUser != nil || got.ByKey == nil || got.Status != "stored" || got.SizeBytes != 7 {
			t.Errorf("a preview of what was deleted: %+v", got)
		}
		if n := *get[endpoint](s, e.path()).Counts; n != (counts{}) {
			t.Errorf("counts: %+v", n)
		}
		if n := s.ack(e, id); n != 0 {
			t.Errorf("acknowledged %d of what was deleted", n)
		}
		if next := s.store(e, `{"a":1}`, "X-Event-ID", "one"); next == id {
			t.Error("the key was not released")
		}
		s.refused(404, "NOT_FOUND", "DELETE", e.events()+"/"+nobody, nil)

		two := s.store(e, "2")
		batch := post[struct {
			Results []deletion
			Deleted int `json:"deleted_count"`
			Already int `json:"already_deleted_count"`
			Missing int `json:"not_found_count"`
		}](s, 200, e.events()+"/delete-batch", map[string]any{"message_ids": []string{nobody, two, "x", id}})
		got := []string{}
		for _, r := range batch.Results {
			got = append(got, r.EventID+" "+r.Outcome)
			if (r.DeletedAt == nil) != (r.Outcome == "not_found") {
				t.Errorf("deleted_at of %+v", r)
			}
		}
		if diff := cmp.Diff([]string{nobody + " not_found", two + " deleted", "x not_found", id + " already_deleted"}, got); diff != "" || batch.Deleted != 1 || batch.Already != 1 || batch.Missing != 2 {
			t.Errorf("delete-batch: %+v (-want +got):\n%s", batch, diff)
		}
		for _, body := range []any{`{}`, `{"message_ids":[]}`, map[string]any{"message_ids": slices.Repeat([]string{id}, 101)}} {
			s.refused(400, "INVALID_REQUEST", "POST", e.events()+"/delete-batch", body)
		}
	})
}

func TestDeleteAll(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		e := s.make(map[string]any{"event_type_source": "header", "event_type_path": "X-Type"})
		var ids []string
		for i := range 6 {
			ids = append(ids, s.store(e, fmt.Sprint(i), "X-Type", []string{"a", "b"}[i%2]))
			s.pass(time.Second)
		}
		s.ack(e, ids[0])
		s.event(e, ids[1])
		third := get[event](s, e.events()+"/"+ids[2]+"?preview=true").ReceivedAt
		type deleted struct {
			Deleted int
			IDs     []string `json:"deleted_event_ids"`
		}
		for _, c := range []struct {
			query string
			want  []string
		}{
			{"status=delivered,fetched&event_type=b", ids[1:2]},
			{"received_after=" + url.QueryEscape(third) + "&event_type=a&limit=1", ids[2:3]},
			{"received_before=" + url.QueryEscape(third), ids[:1]},
			{"", ids[3:]},
			{"", []string{}},
		} {
			if got := post[deleted](s, 200, e.events()+"/delete-all?"+c.query, nil); got.Deleted != len(c.want) || !slices.Equal(got.IDs, c.want) {
				t.Errorf("delete-all?%s: %+v, want %v", c.query, got, c.want)
			}
		}
		for _, bad := range []string{"status=x", "status=stored,x", "limit=0", "limit=1001", "received_after=x"} {
			s.refused(400, "INVALID_REQUEST", "POST", e.events()+"/delete-all?"+bad, nil)
		}
	})
}

func TestClaims(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		e := s.make(map[string]any{"event_type_source": "header", "event_type_path": "X-Type"})
		var ids []string
		for i := range 5 {
			ids = append(ids, s.store(e, fmt.Sprintf(`{"n":%d}`, i), "X-Type", []string{"a", "b"}[i%2]))
		}
		claim := func(body string) []event {
			t.Helper()
			return post[[]event](s, 200, e.events()+"/claim", body)
		}
		one := claim(`{"lease_seconds":60}`)
		if len(one) != 1 || one[0].ID != ids[0] || one[0].Status != "fetched" || string(one[0].Payload) != `{"n":0}` || one[0].Claim.Token == "" || !one[0].Claim.ExpiresAt.After(s.now()) {
			t.Fatalf("claimed: %+v", one)
		}
		if got := claim(`{"event_type":"b","limit":100}`); len(got) != 2 || got[0].ID != ids[1] || got[1].ID != ids[3] {
			t.Errorf("claimed of a type: %+v", got)
		}
		if got := claim(`{"limit":100}`); len(got) != 2 || got[0].ID != ids[2] || got[1].ID != ids[4] {
			t.Errorf("claimed the rest: %+v", got)
		}
		if got := claim(`{"limit":100}`); len(got) != 0 {
			t.Errorf("claimed what is claimed: %+v", got)
		}
		token := map[string]any{"token": one[0].Claim.Token, "lease_seconds": 600}
		longer := post[struct {
			Token     string
			ExpiresAt time.Time `json:"expires_at"`
		}](s, 200, e.path()+"/claims/extend", token)
		if longer.ExpiresAt.Before(s.now().Add(9 * time.Minute)) {
			t.Errorf("extended: %+v", longer)
		}
		post[struct{ Released bool }](s, 200, e.path()+"/claims/release", token)
		if got := claim(`{"limit":100}`); len(got) != 1 || got[0].ID != ids[0] || got[0].Claim.Token == one[0].Claim.Token {
			t.Errorf("claimed what was released: %+v", got)
		}
		for _, op := range []string{"extend", "release"} {
			s.refused(409, "LEASE_LOST", "POST", e.path()+"/claims/"+op, token)
			s.refused(400, "INVALID_REQUEST", "POST", e.path()+"/claims/"+op, `{}`)
		}
		s.ack(e, ids[1])
		s.pass(2 * time.Minute)
		got := []string{}
		for _, v := range claim(`{"limit":100}`) {
			got = append(got, v.ID)
		}
		slices.Sort(got)
		if want := slices.DeleteFunc(slices.Clone(ids), func(i string) bool { return i == ids[1] }); !slices.Equal(got, want) {
			t.Errorf("when the leases are over: %v, want all that are not acknowledged, %v", got, want)
		}
		for _, body := range []string{`{"limit":0}`, `{"limit":101}`, `{"lease_seconds":0}`, `{"lease_seconds":43201}`, `{"encoding":"hex"}`, `{"event_type":1}`, `[]`} {
			s.refused(400, "INVALID_REQUEST", "POST", e.events()+"/claim", body)
		}
	})
}

func TestNoTwoConsumersGetTheSame(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		e := s.make(nil)
		const n = 40
		for i := range n {
			s.store(e, fmt.Sprint(i))
		}
		var mu sync.Mutex
		seen := map[string]int{}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for {
					a := s.call("POST", e.events()+"/claim", `{"limit":3}`)
					got := read[[]event](s, a).Data
					if len(got) == 0 {
						return
					}
					mu.Lock()
					for _, v := range got {
						seen[v.ID]++
					}
					mu.Unlock()
				}
			})
		}
		all.Wait()
		for id, times := range seen {
			if times != 1 {
				t.Errorf("%s was handed out %d times", id, times)
			}
		}
		if len(seen) != n {
			t.Errorf("%d events were handed out, want %d", len(seen), n)
		}
	})
}

func TestLogsAndMetrics(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		e, other := s.make(map[string]any{"name": "Feed"}), s.make(nil)
		var ids []string
		for i := range 4 {
			ids = append(ids, s.store(e, fmt.Sprint(i)))
			s.pass(time.Second)
		}
		elsewhere := s.store(other, "x")
		s.event(e, ids[1])
		s.ack(e, ids[2])
		s.must(200, "DELETE", e.events()+"/"+ids[3], nil)
		every := append(slices.Clone(ids), elsewhere)
		for query, want := range map[string][]string{
			"": every, "limit=2": every, "order=desc": reversed(every), "order=desc&limit=2": reversed(every), "pull_endpoint_id=" + e.ID: ids,
			"status=fetched": ids[1:2], "status=delivered": ids[2:3], "end_time=1990-01-01T00:00:00Z": {},
		} {
			if diff := cmp.Diff(want, s.ids("/v1/pull-logs", query)); diff != "" {
				t.Errorf("logs?%s (-want +got):\n%s", query, diff)
			}
		}
		rows := get[[]map[string]json.RawMessage](s, "/v1/pull-logs?pull_endpoint_id="+e.ID)
		if string(rows[0]["endpoint_name"]) != `"Feed"` || string(rows[0]["pull_endpoint_id"]) != `"`+e.ID+`"` || rows[0]["deleted_at"] != nil || rows[3]["deleted_at"] == nil || rows[0]["timing"] == nil {
			t.Errorf("rows: %s", rows)
		}
		type metrics struct {
			Window                     string
			Total                      int `json:"total_messages"`
			Succeeded, Failed, Retries int
			SuccessRate                float64 `json:"success_rate"`
			AvgLatency                 *int    `json:"avg_latency_ms"`
			Buckets                    []struct {
				Timestamp                         time.Time
				Succeeded, Stored, Fetched, Total int
			}
		}
		m := get[metrics](s, "/v1/pull-metrics?window=1h&pull_endpoint_id="+e.ID)
		if m.Window != "1h" || m.Total != 4 || m.Succeeded != 1 || m.Failed != 0 || m.Retries != 0 || m.SuccessRate != 0.25 || m.AvgLatency == nil {
			t.Errorf("metrics: %+v", m)
		}
		if m := get[metrics](s, "/v1/pull-metrics"); m.Window != "24h" || m.Total != 5 {
			t.Errorf("metrics of all: %+v", m)
		}
		for window, step := range map[string]time.Duration{"1h": time.Minute, "24h": 15 * time.Minute, "7d": time.Hour, "30d": 24 * time.Hour} {
			m := get[metrics](s, "/v1/pull-metrics/timeseries?window="+window)
			total, done := 0, 0
			for i, b := range m.Buckets {
				total, done = total+b.Total, done+b.Succeeded
				if i > 0 && b.Timestamp.Sub(m.Buckets[i-1].Timestamp) != step {
					t.Errorf("%s: a step from %s to %s", window, m.Buckets[i-1].Timestamp, b.Timestamp)
				}
			}
			if m.Window != window || total != 5 || done != 1 {
				t.Errorf("series of %s: %d in all, %d acknowledged", window, total, done)
			}
		}
		for _, path := range []string{"/v1/pull-metrics", "/v1/pull-metrics/timeseries"} {
			s.refused(400, "INVALID_REQUEST", "GET", path+"?window=2h", nil)
			s.refused(400, "INVALID_REQUEST", "GET", path+"?pull_endpoint_id=x", nil)
			s.refused(400, "ENDPOINT_NOT_FOUND", "GET", path+"?pull_endpoint_id="+nobody, nil)
		}
	})
}

func reversed(s []string) []string {
	s = slices.Clone(s)
	slices.Reverse(s)
	return s
}

func TestRetentionEndsOnTime(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		e := s.make(map[string]any{"retention_days": 1})
		id := s.store(e, "1")
		s.pass(24*time.Hour - time.Minute)
		s.event(e, id)
		s.pass(time.Minute)
		s.refused(404, "NOT_FOUND", "GET", e.events()+"/"+id, nil)
		s.refused(404, "NOT_FOUND", "GET", e.events()+"/"+id+"?preview=true", nil)
		if n := *get[endpoint](s, e.path()).Counts; n != (counts{}) {
			t.Errorf("counts: %+v", n)
		}
	})
}

// FuzzCursor: whatever stands where a cursor belongs, the answer is a page of the endpoint's own or 400, and a cursor goes on in no other list.
func FuzzCursor(f *testing.F) {
	s := lite(f, settings{})
	e, other := s.make(nil), s.make(nil)
	for i := range 3 {
		s.store(e, fmt.Sprint(i))
	}
	s.store(other, "of another")
	first := s.must(200, "GET", e.events()+"?limit=1", nil)
	given := *read[[]event](s, first).Meta.NextCursor
	f.Add(given, "")
	f.Add(given, "fetched")
	f.Add(strings.Repeat("A", 32), "")
	f.Add(given[:len(given)-1], "stored")
	f.Add("%00", "\xff")
	f.Fuzz(func(t *testing.T, cursor, status string) {
		s.t = t
		query := "?limit=1&cursor=" + url.QueryEscape(cursor) + "&status=" + url.QueryEscape(status)
		a := s.call("GET", e.events()+query, nil)
		if a.status != 200 && a.status != 400 {
			t.Errorf("cursor %q, status %q: %d %s", cursor, status, a.status, a.raw)
		}
		if b := s.call("GET", other.events()+query, nil); a.status == 200 && cursor != "" && b.status != 400 {
			t.Errorf("cursor %q of one endpoint goes on in another: %d %s", cursor, b.status, b.raw)
		}
	})
}
