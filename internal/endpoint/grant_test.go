package endpoint_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// app makes an endpoint on a grant.
func (h *house) app(grant int64, sees ...scope.Scope) *endpoint.Endpoint {
	h.t.Helper()
	s := h.spec()
	s.Grant, s.Sees = grant, scope.Of(sees...)
	return h.create(org, s)
}

// hears tells which of some facts an endpoint is wanting now.
func (h *house) hears(e *endpoint.Endpoint) (kinds []fact.Kind) {
	h.t.Helper()
	if err := h.subs.Refresh(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	for _, f := range []*fact.Fact{
		{Org: e.Org, Kind: fact.OrderAccepted},
		{Org: e.Org, Kind: fact.EndpointFailing},
		{Org: e.Org, Kind: "acme.happened"},
		{Org: e.Org, Kind: fact.EndpointPinged, Only: e.Number},
	} {
		if slices.ContainsFunc(h.subs.Now().Wanting(f), func(w *endpoint.Endpoint) bool { return w.Number == e.Number }) {
			kinds = append(kinds, f.Kind)
		}
	}
	return kinds
}

func TestAppIsToldOnlyWhatItsScopesLetItSee(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		for _, c := range []struct {
			sees []scope.Scope
			want []fact.Kind
		}{
			{[]scope.Scope{scope.WebhooksManage, scope.TicketsRead}, []fact.Kind{fact.OrderAccepted, "acme.happened", fact.EndpointPinged}},
			{[]scope.Scope{scope.WebhooksManage, scope.EventsRead}, []fact.Kind{"acme.happened", fact.EndpointPinged}},
			{[]scope.Scope{scope.TicketsRead}, []fact.Kind{fact.OrderAccepted, fact.EndpointPinged}},
			{scope.All().List(), []fact.Kind{fact.OrderAccepted, "acme.happened", fact.EndpointPinged}}, // what is the organisation's own business stays so
		} {
			e := h.app(5, c.sees...)
			if diff := cmp.Diff(c.want, h.hears(e)); diff != "" {
				t.Errorf("an app with %v is told of (-want +got):\n%s", c.sees, diff)
			}
			if got := h.get(e); got.Grant != 5 || got.Sees != scope.Of(c.sees...) {
				t.Errorf("Get: grant %d, sees %s; want 5 and %v", got.Grant, got.Sees, c.sees)
			}
		}
		all := []fact.Kind{fact.OrderAccepted, fact.EndpointFailing, "acme.happened", fact.EndpointPinged}
		if diff := cmp.Diff(all, h.hears(h.create(org, h.spec()))); diff != "" {
			t.Errorf("the organisation itself is told of (-want +got):\n%s", diff)
		}
		lone := h.spec()
		lone.Grant, lone.Sees = 5, scope.Of(scope.EventsRead)
		h.hears(h.create(another, lone))
		if h.subs.Now().Wants("broad", &fact.Fact{Org: another, Kind: fact.OrderAccepted}) {
			t.Error("Wants counts an endpoint that may not be told of it")
		}
	})
}

func TestAppTouchesNoEndpointsButItsOwn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		own, fellow, house := h.app(5, scope.WebhooksManage), h.app(6, scope.WebhooksManage), h.create(org, h.spec())
		app := endpoint.Whose{Org: org, Grant: 5}
		text := "mine now"
		for _, e := range []*endpoint.Endpoint{fellow, house} {
			_, get := h.book.Get(d.Read(t.Context()), app, e.ID)
			for what, err := range map[string]error{
				"Get": get,
				"Update": h.configure(func(tx *db.Tx) error {
					_, err := h.book.Update(tx, app, e.ID, endpoint.Change{Description: &text}, 0, audit.By{})
					return err
				}),
				"Rotate": h.configure(func(tx *db.Tx) error { _, err := h.book.Rotate(tx, app, e.ID, 0, audit.By{}); return err }),
				"Delete": h.configure(func(tx *db.Tx) error { return h.book.Delete(tx, app, e.ID, 0, audit.By{}) }),
				"Ping":   h.configure(func(tx *db.Tx) error { _, err := h.book.Ping(tx, app, e.ID); return err }),
			} {
				if !problem.Is(err, "webhook_not_found") {
					t.Errorf("%s of an endpoint that is not the app's: %v, want webhook_not_found", what, err)
				}
			}
			if diff := cmp.Diff(e, h.get(e)); diff != "" {
				t.Errorf("the endpoint has changed (-made +got):\n%s", diff)
			}
		}
		for whose, want := range map[endpoint.Whose]int{app: 1, ours: 3, {Org: another, Grant: 5}: 0} {
			if page, total, err := h.book.List(d.Read(t.Context()), whose, 10, 0); err != nil || total != want || len(page) != want {
				t.Errorf("List(%+v) = %d of %d, %v; want %d", whose, len(page), total, err, want)
			}
		}
		if err := h.configure(func(tx *db.Tx) error {
			_, err := h.book.Update(tx, app, own.ID, endpoint.Change{Description: &text}, 0, audit.By{})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if got := h.get(own); got.Description != text || got.Grant != 5 || got.Sees != own.Sees {
			t.Errorf("after Update: %q, grant %d, sees %s; want another description and nothing else", got.Description, got.Grant, got.Sees)
		}
	})
}

func TestGrantTakesItsEndpointsAlong(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		one, two := h.app(5, scope.All().List()...), h.app(5, scope.WebhooksManage, scope.TicketsRead)
		fellow, house := h.app(6, scope.All().List()...), h.create(org, h.spec())
		limit := func(o, grant int64, sees scope.Set, bumps int64) {
			t.Helper()
			before, err := d.Revision(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := h.configure(func(tx *db.Tx) error { return h.book.Limit(tx, o, grant, sees) }); err != nil {
				t.Fatalf("Limit(%d, %d, %s): %v", o, grant, sees, err)
			}
			if now, err := d.Revision(t.Context()); err != nil || now-before != bumps {
				t.Errorf("Limit(%d, %d, %s) raised the revision by %d, %v; want %d", o, grant, sees, now-before, err, bumps)
			}
		}
		less := scope.Of(scope.WebhooksManage, scope.EventsRead)
		limit(org, 5, less, 1)
		limit(org, 5, less, 0) // as it is already
		for _, e := range []*endpoint.Endpoint{one, two} {
			if got := h.get(e); got.Sees != less || got.Version != e.Version {
				t.Errorf("sees %s at version %d, want %s at %d", got.Sees, got.Version, less, e.Version)
			}
			if diff := cmp.Diff([]fact.Kind{"acme.happened", fact.EndpointPinged}, h.hears(e)); diff != "" {
				t.Errorf("told of (-want +got):\n%s", diff)
			}
		}
		limit(org, 0, 0, 0)     // the organisation's own have no grant
		limit(another, 5, 0, 0) // which is not there
		limit(org, 7, 0, 0)     // nor this
		limit(org, 5, 0, 1)
		for _, e := range []*endpoint.Endpoint{one, two} {
			if _, err := h.book.Get(d.Read(t.Context()), ours, e.ID); !problem.Is(err, "webhook_not_found") {
				t.Errorf("Get of an endpoint whose grant has ended: %v, want webhook_not_found", err)
			}
			if got := h.hears(e); got != nil {
				t.Errorf("an endpoint whose grant has ended is told of %v", got)
			}
		}
		for _, e := range []*endpoint.Endpoint{fellow, house} {
			if diff := cmp.Diff(e, h.get(e)); diff != "" {
				t.Errorf("another's endpoint has changed (-made +got):\n%s", diff)
			}
		}
		entries, err := audit.List(d.Read(t.Context()), org, audit.Filter{Action: "webhook.deleted", Limit: 10})
		if err != nil || len(entries) != 2 || entries[1].Subject != string(one.ID) || entries[0].Detail["reason"] != "grant_ended" {
			t.Errorf("the audit log has %+v, %v; want an entry for each endpoint, with the reason", entries, err)
		}
	})
}

func TestWhoDidItIsInTheAuditLog(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		by := audit.By{Actor: "usr_1", Address: "192.0.2.7"}
		var e *endpoint.Endpoint
		for _, step := range []func(tx *db.Tx) error{
			func(tx *db.Tx) (err error) { e, err = h.book.Create(tx, org, h.spec(), by); return err },
			func(tx *db.Tx) error { _, err := h.book.Rotate(tx, ours, e.ID, 0, by); return err },
			func(tx *db.Tx) error { return h.book.Delete(tx, ours, e.ID, 0, by) },
			func(tx *db.Tx) error { _, err := h.book.Create(tx, org, endpoint.Spec{}, by); return err }, // fails, and leaves no entry
		} {
			if err := h.configure(step); err != nil && problem.As(err) == nil {
				t.Fatal(err)
			}
		}
		entries, err := audit.List(d.Read(t.Context()), org, audit.Filter{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, en := range entries {
			got = append(got, en.Action+" "+en.Actor+" "+en.Address+" "+en.Subject)
		}
		slices.Reverse(got)
		var want []string
		for _, action := range []string{"created", "secret_rotated", "deleted"} {
			want = append(want, "webhook."+action+" usr_1 192.0.2.7 "+string(e.ID))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the audit log (-want +got):\n%s", diff)
		}
	})
}
