package hookbridge_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/scope"
)

const all = "/v1/pull-endpoints"

// nobody is a UUID of version 7 that nothing has, and stranger one of version 4.
const (
	nobody   = "0197a1c2-5e00-7c31-9a44-1f0b6d2e77aa"
	stranger = "8c5a9b1e-0f5b-4d53-9d3e-2b3f6a1c9d10"
)

func TestEndpointIsMadeReadChangedAndDeleted(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		e := s.make(map[string]any{
			"name": "Box office feed", "description": "what the box office sells", "retention_days": 14, "event_type_source": "body", "event_type_path": "type",
			"verify_static_token": true, "token_header_name": "X-Webhook-Token", "token_value": "secret-token-value",
			"idempotency_header_names": []string{"X-Event-ID"}, "ingest_response_code": 200, "no_such_field": 1,
		})
		if e.Mode != "pull" || !e.Active || e.Paused || e.Name != "Box office feed" || *e.RetentionDays != 14 || e.IngestResponseCode != 200 || e.Counts != nil ||
			len(e.SecretToken) < 40 || e.IngestURL != public+"/v1/webhooks/receive/"+e.ID+"/"+e.SecretToken {
			t.Errorf("made: %+v", e)
		}
		if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(e.ID) {
			t.Errorf("the id %q is no UUID of version 7", e.ID)
		}
		shown := s.must(200, "GET", e.path(), nil)
		got := read[endpoint](s, shown).Data
		if got.SecretToken != "" || got.IngestURL != public+"/v1/webhooks/receive/"+e.ID || got.Counts == nil || *got.Counts != (counts{}) {
			t.Errorf("shown: %s", shown.raw)
		}
		for _, secret := range []string{e.SecretToken, "secret-token-value"} {
			if strings.Contains(string(shown.raw), secret) {
				t.Errorf("shown with the secret %q: %s", secret, shown.raw)
			}
		}
		changed := read[endpoint](s, s.must(200, "PATCH", e.path(), map[string]any{"name": "Renamed", "retention_days": 21})).Data
		if changed.Name != "Renamed" || *changed.RetentionDays != 21 || changed.EventTypePath != "type" || !changed.VerifyStaticToken || changed.SecretToken != "" ||
			!slices.Equal(changed.IdempotencyHeaderNames, []string{"X-Event-ID"}) {
			t.Errorf("changed: %+v", changed)
		}
		if got := read[endpoint](s, s.must(200, "PATCH", e.path(), `{"event_type_source":""}`)).Data; got.EventTypeSource != "" || got.EventTypePath != "" {
			t.Errorf("where the type is found was not taken away: %+v", got)
		}
		s.must(200, "PATCH", e.path(), `{}`)
		for range 2 {
			if got := post[endpoint](s, 200, e.path()+"/pause", nil); got.ID != e.ID || !got.Paused {
				t.Errorf("pause: %+v", got)
			}
		}
		if !get[endpoint](s, e.path()).Paused {
			t.Error("the endpoint is not paused")
		}
		for range 2 {
			if got := post[endpoint](s, 200, e.path()+"/resume", nil); got.ID != e.ID || got.Paused {
				t.Errorf("resume: %+v", got)
			}
		}
		gone := read[struct {
			ID      string
			Deleted bool
		}](s, s.must(200, "DELETE", e.path(), nil)).Data
		if gone.ID != e.ID || !gone.Deleted {
			t.Errorf("deleted: %+v", gone)
		}
		for _, op := range [][2]string{{"GET", ""}, {"PATCH", ""}, {"DELETE", ""}, {"POST", "/pause"}, {"POST", "/resume"}, {"GET", "/events"}, {"GET", "/events/" + nobody}} {
			s.refused(404, "NOT_FOUND", op[0], e.path()+op[1], nil)
		}
	})
}

func TestEndpointOfAnEmptyBody(t *testing.T) {
	s := lite(t, settings{})
	for _, body := range []any{`{}`, nil, ``} {
		e := post[endpoint](s, 201, all, body)
		if e.RetentionDays != nil || e.IngestResponseCode != 202 || e.IdempotencyHeaderNames == nil || e.AllowedCIDRs == nil || e.Provider != "" {
			t.Errorf("an endpoint of %v: %+v", body, e)
		}
	}
}

func TestFaultyEndpointIsRefusedWithEachFieldNamed(t *testing.T) {
	s := lite(t, settings{})
	keeper := s.make(map[string]any{"name": "keeper"})
	long := strings.Repeat("å", 256)
	for _, c := range []struct {
		body  string
		names string // of fields that are in the message
	}{
		{`{"name":"` + long + `"}`, "name"},
		{`{"description":"` + long + long + `"}`, "description"},
		{`{"name":1,"retention_days":"x"}`, "name retention_days"},
		{`{"retention_days":0}`, "retention_days"},
		{`{"retention_days":366}`, "retention_days"},
		{`{"retention_days":1.5}`, "retention_days"},
		{`{"event_type_source":"query","event_type_path":"x"}`, "event_type_source"},
		{`{"event_type_source":"body"}`, "event_type_path"},
		{`{"event_type_path":"type"}`, "event_type_source"},
		{`{"verify_static_token":true}`, "token_value"},
		{`{"verify_static_token":true,"token_header_name":"X-Token","token_value":"short"}`, "token_value"},
		{`{"verify_static_token":true,"token_value":"0123456789abcdef"}`, "token_header_name"},
		{`{"verify_hmac":true}`, "hmac_header_name hmac_secret"},
		{`{"verify_hmac":true,"hmac_secret":"shhhhhhhhhhhhhhh"}`, "hmac_header_name"},
		{`{"verify_hmac":true,"hmac_header_name":"X-Signature"}`, "hmac_secret"},
		{`{"timestamp_ttl_seconds":0}`, "timestamp_ttl_seconds"},
		{`{"timestamp_ttl_seconds":300}`, "timestamp_header_name"},
		{`{"timestamp_header_name":"X-Timestamp"}`, "timestamp_ttl_seconds"},
		{`{"verify_ip_allowlist":true}`, "allowed_cidrs"},
		{`{"verify_ip_allowlist":true,"allowed_cidrs":["10.0.0.0/33"]}`, "allowed_cidrs"},
		{`{"ingest_response_code":199}`, "ingest_response_code"},
		{`{"ingest_response_code":300}`, "ingest_response_code"},
		{`{"idempotency_header_names":["bad name"]}`, "idempotency_header_names"},
		{`{"idempotency_header_names":"X-Event-ID"}`, "idempotency_header_names"},
		{`{"provider":"nobody"}`, "provider"},
		{`[]`, ""},
		{`{`, ""},
		{`{"name":"a","name":"b"}`, ""},
		{`{"name":"\u0000"}`, ""},
	} {
		for _, at := range [][2]string{{"POST", all}, {"PATCH", keeper.path()}} {
			if at[0] == "PATCH" && c.body == `{"event_type_source":""}` {
				continue
			}
			said := s.refused(400, "INVALID_REQUEST", at[0], at[1], c.body)
			for name := range strings.FieldsSeq(c.names) {
				if !strings.Contains(said, name) {
					t.Errorf("%s %s is told %q, want %s in it", at[0], c.body, said, name)
				}
			}
		}
	}
	if got := get[endpoint](s, keeper.path()); got.Name != "keeper" || got.UpdatedAt != keeper.UpdatedAt {
		t.Errorf("bad input has changed the endpoint: %+v", got)
	}
	if n := len(get[[]endpoint](s, all)); n != 1 {
		t.Errorf("there are %d endpoints, want the one that was made", n)
	}
	s.refused(415, "UNSUPPORTED_MEDIA_TYPE", "POST", all, `name=x`, "Content-Type", "application/x-www-form-urlencoded")
}

func TestProviderFillsIn(t *testing.T) {
	s := lite(t, settings{})
	e := s.make(map[string]any{"provider": "github", "hmac_secret": "It's a Secret to Everybody"})
	if e.Provider != "github" || !e.VerifyHMAC || e.EventTypeSource != "header" || e.EventTypePath != "X-GitHub-Event" ||
		!slices.Equal(e.IdempotencyHeaderNames, []string{"X-GitHub-Delivery"}) {
		t.Errorf("GitHub's endpoint is %+v", e)
	}
	own := s.make(map[string]any{"provider": "github", "idempotency_header_names": []string{"X-Mine"}, "event_type_source": "body", "event_type_path": "action"})
	if own.VerifyHMAC || own.EventTypePath != "action" || !slices.Equal(own.IdempotencyHeaderNames, []string{"X-Mine"}) {
		t.Errorf("what the body says is not kept: %+v", own)
	}
	// GitHub's own test values.
	const signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
	s.store(e, "Hello, World!", "X-Hub-Signature-256", signature, "X-GitHub-Delivery", "1")
	if a := s.send(e, "Hello, World?", "X-Hub-Signature-256", signature); a.status != 401 || read[any](s, a).Error.Code != "HMAC_FAILED" {
		t.Errorf("another body under the signature: %d %s", a.status, a.raw)
	}
}

func TestEndpointsAreListedInPages(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		var want []string
		for i := range 7 {
			want = append(want, s.make(map[string]any{"name": fmt.Sprint(i)}).ID)
		}
		var got []string
		next := ""
		for {
			p := read[[]endpoint](s, s.must(200, "GET", all+"?limit=3&cursor="+next, nil))
			for _, e := range p.Data {
				got = append(got, e.ID)
				if e.SecretToken != "" || e.IngestURL != public+"/v1/webhooks/receive/"+e.ID || e.Counts != nil || !e.Active {
					t.Errorf("in the list: %+v", e)
				}
			}
			if next = *p.Meta.NextCursor; *p.Meta.HasMore != (next != "") {
				t.Errorf("has_more %v beside the cursor %q", *p.Meta.HasMore, next)
			}
			if next == "" {
				break
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("pages (-want +got):\n%s", diff)
		}
		for _, bad := range []string{"limit=0", "limit=101", "limit=x", "cursor=x", "cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
			s.refused(400, "INVALID_REQUEST", "GET", all+"?"+bad, nil)
		}
	})
}

func TestOthersEndpointsAreNotThere(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		e := s.make(nil)
		event := s.store(e, "{}")
		app := read[endpoint](s, s.must(201, "POST", all, `{}`, "Authorization", "Bearer app-1")).Data
		for who, header := range map[string]string{"another organisation": "Bearer " + s.other(), "an app": "Bearer app-1", "another app": "Bearer app-2"} {
			of := e
			if who == "another app" {
				of = app
			}
			for _, op := range [][3]string{
				{"GET", ""},
				{"PATCH", "", `{}`},
				{"DELETE", ""},
				{"POST", "/pause"},
				{"POST", "/resume"},
				{"GET", "/events"},
				{"GET", "/events/" + event},
				{"GET", "/events/" + event + "?preview=true"},
				{"POST", "/events/ack", `{"event_ids":["` + event + `"]}`},
				{"DELETE", "/events/" + event},
				{"POST", "/events/delete-batch", `{"message_ids":["` + event + `"]}`},
				{"POST", "/events/delete-all"},
				{"POST", "/events/claim", `{}`},
				{"POST", "/claims/extend", `{"token":"x"}`},
				{"POST", "/claims/release", `{"token":"x"}`},
			} {
				var body any
				if op[2] != "" {
					body = op[2]
				}
				if said := s.refused(404, "NOT_FOUND", op[0], of.path()+op[1], body, "Authorization", header); said == "" {
					t.Errorf("%s: nothing is said", who)
				}
			}
			for _, list := range []string{all, "/v1/pull-logs", "/v1/inbound-rejections"} {
				for _, one := range read[[]struct{ ID string }](s, s.must(200, "GET", list, nil, "Authorization", header)).Data {
					if one.ID != app.ID || who != "an app" {
						t.Errorf("%s of %s has %+v", list, who, one)
					}
				}
			}
			for _, list := range []string{"/v1/pull-logs", "/v1/pull-metrics", "/v1/pull-metrics/timeseries", "/v1/inbound-rejections"} {
				s.refused(400, "ENDPOINT_NOT_FOUND", "GET", list+"?pull_endpoint_id="+of.ID, nil, "Authorization", header)
			}
		}
		if got := get[endpoint](s, e.path()); got.Paused || *got.Counts != (counts{Stored: 1, Total: 1}) {
			t.Errorf("after all that: %+v", got)
		}
		if n := len(get[[]endpoint](s, all)); n != 2 {
			t.Errorf("the organisation's key sees %d endpoints, want its own and the app's", n)
		}
	})
}

func TestCredentialsAndIDs(t *testing.T) {
	s := lite(t, settings{})
	e := s.make(nil)
	for _, h := range []string{"", "Bearer hb_live_x", "Bearer sd_x"} {
		a := s.must(401, "GET", all, nil, "Authorization", h)
		f := read[any](s, a).Error
		if f.Code != "UNAUTHORIZED" || !strings.HasPrefix(f.Message, "Invalid or missing API key") || !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer ") {
			t.Errorf("Authorization %q: %s, WWW-Authenticate %q", h, a.raw, a.header.Get("WWW-Authenticate"))
		}
	}
	a := s.must(403, "GET", all, nil, "Authorization", "Bearer "+s.newKey(scope.EventsRead))
	if f := read[any](s, a).Error; f.Code != "INSUFFICIENT_SCOPE" || !strings.Contains(a.header.Get("WWW-Authenticate"), `scope="webhooks:manage"`) {
		t.Errorf("a key without the scope: %s, %q", a.raw, a.header.Get("WWW-Authenticate"))
	}
	for _, id := range []string{nobody, stranger, strings.ToUpper(nobody)} {
		s.refused(404, "NOT_FOUND", "GET", all+"/"+id, nil)
		s.refused(404, "NOT_FOUND", "GET", e.path()+"/events/"+id, nil)
	}
	if got := get[endpoint](s, all+"/"+strings.ToUpper(e.ID)); got.ID != e.ID {
		t.Errorf("the id in capitals finds %+v", got)
	}
	for _, id := range []string{"x", "1", "ep_1", strings.ReplaceAll(nobody, "-", ""), "{" + nobody + "}"} {
		s.refused(400, "INVALID_REQUEST", "GET", all+"/"+id, nil)
		s.refused(400, "INVALID_REQUEST", "GET", e.path()+"/events/"+id, nil)
	}
	for path, allow := range map[string]string{all: "GET, HEAD, POST", e.path(): "DELETE, GET, HEAD, PATCH", e.path() + "/events/ack": "POST", e.path() + "/events": "GET, HEAD"} {
		if a := s.must(405, "PUT", path, `{}`); a.header.Get("Allow") != allow {
			t.Errorf("PUT %s: Allow %q, want %q", path, a.header.Get("Allow"), allow)
		}
	}
	s.refused(404, "NOT_FOUND", "GET", "/v1/nothing", nil)
	s.refused(404, "NOT_FOUND", "POST", "/v1/webhooks/receive/"+e.ID, nil)
}

func TestRepeatedPostIsAnsweredAgain(t *testing.T) {
	s := lite(t, settings{})
	first := s.must(201, "POST", all, `{"name":"once"}`, "Idempotency-Key", "k1")
	again := s.must(201, "POST", all, `{"name":"once"}`, "Idempotency-Key", "k1")
	a, b := read[endpoint](s, first), read[endpoint](s, again)
	if a.Data.ID != b.Data.ID || a.Data.SecretToken != b.Data.SecretToken || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("again: %s, first %s", again.raw, first.raw)
	}
	if a.Meta.RequestID == b.Meta.RequestID {
		t.Error("both have the same request_id")
	}
	s.refused(409, "IDEMPOTENCY_MISMATCH", "POST", all, `{"name":"another"}`, "Idempotency-Key", "k1")
	if n := len(get[[]endpoint](s, all)); n != 1 {
		t.Errorf("%d endpoints", n)
	}
}
