package google_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/pass/google"
	"github.com/stagedoorhq/stagedoor/test/harness"
)

const (
	classID  = issuer + ".event-17-evn_harbor"
	objectID = issuer + ".6b1c6f0e9d5a4a578a2d0f6a2f1f4d11"
)

// played is a configuration with a double of Google.
func played(t *testing.T, g *harness.GoogleWallet) google.Config {
	t.Helper()
	file, err := os.ReadFile(g.Account)
	if err != nil {
		t.Fatal(err)
	}
	a, err := google.ReadAccount(file)
	if err != nil {
		t.Fatal(err)
	}
	if a.Test {
		t.Fatal("the double's account is taken for one of nobody's")
	}
	return google.Config{Account: a, API: g.API, SaveURL: g.SaveURL}
}

func asJSON(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func want(t *testing.T, what string, got pass.Result, verdict pass.Verdict) {
	t.Helper()
	if got.Verdict != verdict {
		t.Errorf("%s came to %+v, want verdict %d", what, got, verdict)
	}
}

func called(t *testing.T, g *harness.GoogleWallet, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, g.Calls()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// makes has a pass's object made: somebody follows its link, which says so much that Google is told before.
func makes(t *testing.T, w *google.Wallet, f pass.Face) {
	t.Helper()
	f.Design.Back = append(slices.Clip(f.Design.Back), pass.Field{Key: "more", Label: "More", Value: strings.Repeat("more ", 300)})
	if _, err := w.Link(t.Context(), f); err != nil {
		t.Errorf("Link: %v", err)
	}
}

func TestObjectIsMadeWithItsClassAndThenUpdated(t *testing.T) {
	g := harness.PlayGoogle(t, issuer)
	c := played(t, g)
	c.Callback = "http://127.0.0.1:1/callback"
	w := wallet(t, c)
	makes(t, w, ticketFace())
	f := ticketFace()
	f.Ticket.Seat, f.Void = "13", true
	want(t, "updating", w.Object(t.Context(), f), pass.Sent)
	called(t, g, "POST token 200",
		"PUT eventTicketObject 404", "POST eventTicketObject 404", "POST eventTicketClass 200", "POST eventTicketObject 200",
		"PUT eventTicketObject 200")
	golden(t, "class", asJSON(t, g.Thing(classID)))
	golden(t, "object_expired", asJSON(t, g.Thing(objectID)))
}

func TestGenericObjectIsMadeWithItsClass(t *testing.T) {
	g := harness.PlayGoogle(t, issuer)
	w := wallet(t, played(t, g))
	makes(t, w, genericFace())
	f := genericFace()
	f.Serial = "00000000000000000000000000000002"
	makes(t, w, f)
	called(t, g, "POST token 200",
		"PUT genericObject 404", "POST genericObject 404", "POST genericClass 200", "POST genericObject 200",
		"PUT genericObject 404", "POST genericObject 200")
}

// Between being told that there is none and making it, somebody else can have made it.
func TestObjectAndClassThatSomebodyElseMadeAreFine(t *testing.T) {
	g := harness.PlayGoogle(t, issuer)
	w := wallet(t, played(t, g))
	makes(t, w, ticketFace())
	var calls atomic.Int32
	g.Fail(func(r *http.Request) int {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "Object") || r.Method == http.MethodPut {
			if calls.Add(1) <= 2 {
				return http.StatusNotFound
			}
		}
		return 0
	})
	makes(t, w, ticketFace())
	got := g.Calls()[5:]
	if diff := cmp.Diff([]string{
		"PUT eventTicketObject 404", "POST eventTicketObject 404", "POST eventTicketClass 409", "POST eventTicketObject 409", "PUT eventTicketObject 200",
	}, got); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// What a pass says is for Google once somebody saves it, and not before.
func TestPassThatNobodyHasSavedIsNotMade(t *testing.T) {
	g := harness.PlayGoogle(t, issuer)
	w, void := wallet(t, played(t, g)), ticketFace()
	void.Void = true
	want(t, "one", w.Object(t.Context(), ticketFace()), pass.Sent)
	want(t, "an expired one", w.Object(t.Context(), void), pass.Sent)
	called(t, g, "POST token 200", "PUT eventTicketObject 404", "PUT eventTicketObject 404")
	if thing := g.Thing(objectID); thing != nil {
		t.Errorf("Google knows of a pass that nobody has saved: %v", thing)
	}
}

func TestClassOfNoSavedPassIsNoneToUpdate(t *testing.T) {
	g := harness.PlayGoogle(t, issuer)
	w := wallet(t, played(t, g))
	want(t, "a class that is not there", w.Class(t.Context(), "Harbor Concerts", harborJazz()), pass.Sent)
	called(t, g, "POST token 200", "PATCH eventTicketClass 404")
}

// What an event loses, its class loses too; what else is on the class stays.
func TestClassFollowsItsEvent(t *testing.T) {
	g := harness.PlayGoogle(t, issuer)
	w := wallet(t, played(t, g))
	makes(t, w, designedFace())
	for _, step := range []struct {
		name   string
		change func(*event.Event)
	}{
		{"class_postponed", func(e *event.Event) { e.Status = event.Postponed }},
		{"class_cancelled", func(e *event.Event) { e.Status = event.Cancelled }},
		{"class_moved", func(e *event.Event) {
			e.Venue, e.URL, e.Timezone = event.Venue{City: "Oslo", Country: "NO"}, "", "Europe/Oslo"
			e.StartLocal, e.EndLocal, e.AllDay = "2047-09-01T00:00:00", "2047-09-02T00:00:00", true
			e.StartsAt, e.EndsAt = time.Date(2047, 8, 31, 22, 0, 0, 0, time.UTC), time.Date(2047, 9, 2, 22, 0, 0, 0, time.UTC)
		}},
		{"class_online", func(e *event.Event) { e.Venue, e.Online, e.EndLocal = event.Venue{}, true, "" }},
	} {
		e := harborJazz()
		step.change(&e)
		want(t, step.name, w.Class(t.Context(), "Harbor Concerts", e), pass.Sent)
		golden(t, step.name, asJSON(t, g.Thing(classID)))
	}
}

func TestVerdicts(t *testing.T) {
	g := harness.PlayGoogle(t, issuer)
	w := wallet(t, played(t, g))
	for status, verdict := range map[int]pass.Verdict{
		200: pass.Sent, 302: pass.Never, 400: pass.Never, 401: pass.Wait, 403: pass.Wait, 408: pass.Later, 409: pass.Later, 412: pass.Never,
		413: pass.Never, 429: pass.Later, 500: pass.Later, 502: pass.Later, 503: pass.Later,
	} {
		g.Fail(func(r *http.Request) int {
			if r.URL.Path == "/token" {
				return 0
			}
			return status
		})
		r := w.Object(t.Context(), ticketFace())
		want(t, http.StatusText(status), r, verdict)
		if status >= 400 && (!strings.Contains(r.Detail, http.StatusText(status)) && !strings.Contains(r.Detail, "as the test wants it") || r.After != 7*time.Second) {
			t.Errorf("%d came to %+v, want Google's words and 7 seconds", status, r)
		}
	}
}

func TestVerdictsOfTheTokenEndpoint(t *testing.T) {
	g := harness.PlayGoogle(t, issuer)
	for status, verdict := range map[int]pass.Verdict{400: pass.Wait, 401: pass.Wait, 403: pass.Wait, 429: pass.Later, 500: pass.Later, 503: pass.Later} {
		w, before := wallet(t, played(t, g)), len(g.Calls())
		g.Fail(func(*http.Request) int { return status })
		for range 3 { // asked once, and then not for a while
			want(t, "a token: "+http.StatusText(status), w.Object(t.Context(), ticketFace()), verdict)
		}
		if n := len(g.Calls()) - before; n != 1 {
			t.Errorf("after %d the token endpoint was asked %d times, want 1", status, n)
		}
	}
}

func TestRevokedTokenIsReplaced(t *testing.T) {
	g := harness.PlayGoogle(t, issuer)
	w := wallet(t, played(t, g))
	makes(t, w, ticketFace())
	g.Revoke()
	want(t, "with a revoked token", w.Object(t.Context(), ticketFace()), pass.Sent)
	called(t, g, "POST token 200", "PUT eventTicketObject 404", "POST eventTicketObject 404", "POST eventTicketClass 200", "POST eventTicketObject 200",
		"PUT eventTicketObject 401", "POST token 200", "PUT eventTicketObject 200")
}

func TestAccountOfNobodysAsksForItsTokenAtTheAPI(t *testing.T) {
	g := harness.PlayGoogle(t, issuer)
	w := wallet(t, google.Config{API: g.API})
	want(t, "making", w.Object(t.Context(), ticketFace()), pass.Sent)
}

func TestAccountOfNobodysTellsGoogleNothing(t *testing.T) {
	w := wallet(t, google.Config{})
	want(t, "an object", w.Object(t.Context(), ticketFace()), pass.Never)
	want(t, "a class", w.Class(t.Context(), "Harbor Concerts", harborJazz()), pass.Never)
	link, err := w.Link(t.Context(), rotatingFace())
	if err != nil || !strings.HasPrefix(link, "https://pay.google.com/gp/v/save/") {
		t.Errorf("Link = %s, %v; want one all the same", link, err)
	}
}

func TestUnreachableGoogleIsTriedLater(t *testing.T) {
	g := harness.PlayGoogle(t, issuer)
	c := played(t, g)
	c.API = "http://127.0.0.1:1/walletobjects/v1"
	want(t, "a refused connection", wallet(t, c).Object(t.Context(), ticketFace()), pass.Later)
}

func TestManyAtOnceShareOneToken(t *testing.T) {
	g := harness.PlayGoogle(t, issuer)
	w := wallet(t, played(t, g))
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			f := ticketFace()
			f.Serial = fmt.Sprintf("%032x", i)
			want(t, "one of many", w.Object(t.Context(), f), pass.Sent)
		})
	}
	all.Wait()
	asked := 0
	for _, call := range g.Calls() {
		if strings.HasPrefix(call, "POST token") {
			asked++
		}
	}
	if asked != 1 {
		t.Errorf("the token endpoint was asked %d times, want 1", asked)
	}
}

func TestWhoStopsWaitingIsNotKept(t *testing.T) {
	g := harness.PlayGoogle(t, issuer)
	ctx, cancel := context.WithCancel(t.Context())
	g.Fail(func(r *http.Request) int {
		if r.URL.Path != "/token" {
			_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice
			cancel()
			<-r.Context().Done() // until the client has gone
		}
		return 0
	})
	want(t, "a call that was given up", wallet(t, played(t, g)).Object(ctx, ticketFace()), pass.Later)
}

// The token is for Google alone.
func TestRedirectIsNotFollowed(t *testing.T) {
	g := harness.PlayGoogle(t, issuer)
	var came atomic.Int32
	elsewhere := harness.Serve(t, func(http.ResponseWriter, *http.Request) { came.Add(1) })
	c := played(t, g)
	c.API = harness.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", elsewhere)
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	want(t, "a redirect", wallet(t, c).Object(t.Context(), ticketFace()), pass.Never)
	if came.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

// Google repeats parts of what it does not like, and says much.
func TestDetailsHoldNothingPrivate(t *testing.T) {
	g := harness.PlayGoogle(t, issuer)
	f := rotatingFace()
	f.Ticket.Holder = strings.Repeat("Ada ", 80)
	double := harness.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
			"message": "Invalid value\n" + f.Ticket.Holder + f.Barcode.Message + " 303132333435363738396162636465666768696A " + strings.Repeat("x", 500),
		}})
	})
	c := played(t, g)
	c.API = double
	r := wallet(t, c).Object(t.Context(), f)
	want(t, "a bad request", r, pass.Never)
	if len([]rune(r.Detail)) > 250 || strings.Contains(r.Detail, "Ada") || strings.Contains(r.Detail, "SD1") || strings.Contains(r.Detail, "3031") ||
		strings.Contains(r.Detail, "\n") || !strings.Contains(r.Detail, "Invalid value") {
		t.Errorf("the detail is %q", r.Detail)
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	a := nobody(t)
	for name, c := range map[string]google.Config{
		"no account":          {Issuer: issuer},
		"no issuer":           {Account: a},
		"issuer of letters":   {Account: a, Issuer: "12a"},
		"API without TLS":     {Account: a, Issuer: issuer, API: "http://wallet.example/v1"},
		"API with a password": {Account: a, Issuer: issuer, API: "https://me:secret@wallet.example/v1"},
		"save URL of nothing": {Account: a, Issuer: issuer, SaveURL: "save"},
	} {
		if _, err := google.New(c); err == nil {
			t.Errorf("New with %s succeeded", name)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("New with %s tells the password: %v", name, err)
		}
	}
}
