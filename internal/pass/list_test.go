package pass_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// names are what the passes of a list are called by their external ids.
func (h *hall) names(f pass.Filter) string {
	h.t.Helper()
	all, err := pass.Find(h.q(), house, f)
	if err != nil {
		h.t.Fatalf("Find(%+v): %v", f, err)
	}
	var names []string
	for _, p := range all {
		names = append(names, p.ExternalID)
	}
	return strings.Join(names, " ")
}

func TestListsFindAndSort(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		kari, ola, market := wallet(t, 1).Address().String(), wallet(t, 2).Address().String(), wallet(t, 3).Address().String()
		tk := h.tickets(1)[0]
		for _, in := range []pass.Input{
			{ExternalID: "a", Platform: pass.Apple, Owner: kari, Chain: "evm", Network: "1", NFTs: []pass.NFT{asset(t, 3, "1"), asset(t, 4, "2")}},
			{ExternalID: "b", Platform: pass.Google, Owner: ola, Chain: "evm", Network: "137", NFTs: []pass.NFT{asset(t, 3, "2"), asset(t, 3, "2")}},
			{ExternalID: "c", Platform: pass.Apple, Ticket: tk.ID},
			{ExternalID: "d", Platform: pass.Apple, Owner: kari, Chain: "evm", Network: "137"},
		} {
			in.Barcode = &pass.Barcode{Message: in.ExternalID}
			h.made(in)
		}
		middle := h.now()
		h.made(pass.Input{ExternalID: "e", Platform: pass.Apple, Barcode: &pass.Barcode{Message: "e"}})
		h.scan(h.look("d", time.Now()))
		h.scan(h.look("a", time.Now()))
		for _, name := range []string{"b", "d"} {
			if _, err := h.expire(h.look(name, time.Now()).Pass, pass.AdminRevoke); err != nil {
				t.Fatal(err)
			}
		}
		scanned := h.look("a", time.Now()).Pass.LastScannedAt
		for _, c := range []struct {
			want string
			f    pass.Filter
		}{
			{"e d c b a", pass.Filter{}},
			{"a b c d e", pass.Filter{Ascending: true}},
			{"d c", pass.Filter{Limit: 2, Offset: 1}},
			{"c", pass.Filter{EventNo: tk.EventNo}},
			{"", pass.Filter{EventNo: tk.EventNo + 1}},
			{"c b a", pass.Filter{Before: h.look("d", time.Now()).Pass.No}},
			{"d a", pass.Filter{Owner: kari}},
			{"d a", pass.Filter{Owner: strings.ToLower(kari)}},
			{"", pass.Filter{Owner: "kari"}},
			{"", pass.Filter{Owner: market}},
			{"b a", pass.Filter{Contract: market}},
			{"b a", pass.Filter{TokenID: "2"}},
			{"b", pass.Filter{Contract: market, TokenID: "2"}}, // both in one asset
			{"a", pass.Filter{Contract: market, Owner: kari}},
			{"", pass.Filter{Contract: market, TokenID: "2", Owner: kari}},
			{"d b", pass.Filter{Network: "137"}},
			{"d b a", pass.Filter{Chain: "evm"}},
			{"c", pass.Filter{ExternalID: "c"}},
			{"", pass.Filter{ExternalID: "C"}},
			{"c", pass.Filter{Ticket: tk.ID}},
			{"", pass.Filter{Ticket: "x"}},
			{"b", pass.Filter{Platform: pass.Google}},
			{"d b", pass.Filter{Expired: ptr(true)}},
			{"e c a", pass.Filter{Expired: ptr(false)}},
			{"e", pass.Filter{CreatedFrom: middle}},
			{"d c b a", pass.Filter{CreatedTo: middle}},
			{"a", pass.Filter{ScannedFrom: scanned}},
			{"d", pass.Filter{ScannedTo: scanned}},
			{"a d e c b", pass.Filter{Sort: "lastScannedAt"}},
			{"d a b c e", pass.Filter{Sort: "lastScannedAt", Ascending: true}},
			{"d b e c a", pass.Filter{Sort: "expiredAt"}},
			{"b d a c e", pass.Filter{Sort: "expiredAt", Ascending: true}},
		} {
			if got := h.names(c.f); got != c.want {
				t.Errorf("Find(%+v) = %s, want %s", c.f, got, c.want)
			}
		}
		if got := h.names(pass.Filter{Sort: "ownerAddress"}); !strings.HasSuffix(got, " e c") {
			t.Errorf("by owner the passes without one do not come last: %s", got)
		}
		all, err := pass.Find(h.q(), house, pass.Filter{Sort: "id", Ascending: true})
		if err != nil || len(all) != 5 {
			t.Fatal(err)
		}
		for i, p := range all[1:] {
			if p.ID <= all[i].ID {
				t.Errorf("by id, %s comes behind %s", p.ID, all[i].ID)
			}
		}
		_, err = pass.Find(h.q(), house, pass.Filter{Sort: "colour", Limit: 1001, Offset: -1})
		if got := faults(err); got != "sort invalid, limit invalid, offset invalid" {
			t.Errorf("Find with wrong parameters: %v with the fields %s", err, got)
		}
		if others, err := pass.Find(h.q(), 2, pass.Filter{Contract: market}); err != nil || len(others) != 0 {
			t.Errorf("another organisation finds %d passes, %v", len(others), err)
		}
	})
}

func TestListsShowRegistrations(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		a, b, c := h.plain(pass.Apple), h.plain(pass.Apple), h.plain(pass.Apple)
		for i := range 3 {
			h.registered(a, fmt.Sprint(i))
		}
		h.registered(c, "1")
		all, err := pass.Find(h.q(), house, pass.Filter{Ascending: true})
		if err != nil || len(all) != 3 {
			t.Fatalf("Find: %d, %v", len(all), err)
		}
		for i, p := range []*pass.Pass{a, b, c} {
			if diff := cmp.Diff(h.there(p).Registrations, all[i].Registrations); diff != "" {
				t.Errorf("pass %d (-by its id +in the list):\n%s", i, diff)
			}
		}
		if len(all[0].Registrations) != 3 || len(all[1].Registrations) != 0 || len(all[2].Registrations) != 1 {
			t.Error("the list shows registrations of other passes")
		}
	})
}

func TestPassesHaveNames(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		in := pass.Input{Platform: pass.Apple, ExternalID: "guest", Barcode: &pass.Barcode{Message: "x"}}
		first, second, none := h.made(in), h.made(in), h.plain(pass.Apple)
		for name, want := range map[string]id.Pass{"guest": second.ID, string(first.ID): first.ID, string(none.ID): none.ID} {
			if p, err := pass.ByName(h.q(), house, name); err != nil || p.ID != want {
				t.Errorf("ByName(%q): %v, want %s", name, err, want)
			}
		}
		for _, name := range []string{"", "Guest", "x"} {
			_, err := pass.ByName(h.q(), house, name)
			refused(t, fmt.Sprintf("ByName(%q)", name), err, "pass_not_found", problem.NotFound)
		}
		_, err := pass.ByName(h.q(), 2, "guest")
		refused(t, "ByName by another organisation", err, "pass_not_found", problem.NotFound)
	})
}

func TestHoldingsAreLookedUp(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		owner := wallet(t, 1).Address().String()
		p := h.made(pass.Input{Platform: pass.Apple, Owner: owner, Chain: "evm", Network: "1", NFTs: []pass.NFT{asset(t, 2, "0")}, Barcode: &pass.Barcode{Message: "x"}})
		got, err := pass.HoldingOf(h.q(), house, p.ID)
		if diff := cmp.Diff(pass.Holding{Owner: owner, NFTs: []pass.NFT{asset(t, 2, "0")}}, got); err != nil || diff != "" {
			t.Errorf("HoldingOf (-want +got): %v\n%s", err, diff)
		}
		if got, err := pass.HoldingOf(h.q(), house, h.plain(pass.Apple).ID); err != nil || got.Owner != "" || len(got.NFTs) != 0 {
			t.Errorf("HoldingOf a pass without an owner: %+v, %v", got, err)
		}
		if got, err := pass.HoldingOf(h.q(), 2, p.ID); err != nil || got.Owner != "" || got.NFTs != nil {
			t.Errorf("HoldingOf another organisation's pass: %+v, %v", got, err)
		}
	})
}

func TestPassesAreCounted(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		empty, err := pass.StatsOf(h.q(), house)
		if diff := cmp.Diff(map[pass.Platform]pass.Count{pass.Apple: {}, pass.Google: {}}, empty.Platforms); err != nil || diff != "" || empty.Scans != 0 || empty.Recent != nil {
			t.Errorf("StatsOf no passes: %+v, %v", empty, err)
		}
		a, b := h.plain(pass.Apple), h.plain(pass.Apple)
		for range 10 {
			h.plain(pass.Google)
		}
		h.registered(a, "phone")
		h.registered(a, "watch")
		if _, err := h.expire(b, pass.UserRevoke); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			h.scan(pass.Scanned{Pass: a, Said: "valid"})
		}
		s, err := pass.StatsOf(h.q(), house)
		want := map[pass.Platform]pass.Count{pass.Apple: {Total: 2, Registered: 1, Expired: 1}, pass.Google: {Total: 10}}
		if diff := cmp.Diff(want, s.Platforms); err != nil || diff != "" || s.Scans != 3 {
			t.Errorf("StatsOf: %d scans, %v (-want +got):\n%s", s.Scans, err, diff)
		}
		if len(s.Recent) != 10 || s.Recent[0].ID != a.ID || s.Recent[1].ID != b.ID {
			t.Errorf("of %d recent passes the first are not those that changed last", len(s.Recent))
		}
	})
}
