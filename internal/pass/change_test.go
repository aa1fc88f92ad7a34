package pass_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

func TestChangedPassIsToldOnce(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		p := h.plain(pass.Apple)
		until := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
		for _, c := range []pass.Change{
			{Barcode: &pass.Barcode{Message: "other"}}, {Design: &pass.Design{LogoText: "x"}}, {ExternalID: ptr("7")}, {ExpiresAt: &until}, {ExpiresAt: &time.Time{}},
		} {
			was := h.there(p)
			for range 2 { // the second time there is nothing to change
				if _, err := h.update(p, c); err != nil {
					t.Fatalf("Update(%+v): %v", c, err)
				}
			}
			if now := h.there(p); now.Version != was.Version+1 || now.ModifiedAt.After(was.ModifiedAt) != (c.ExternalID == nil) {
				t.Errorf("Update(%+v): version %d after %d, modified at %v after %v", c, now.Version, was.Version, now.ModifiedAt, was.ModifiedAt)
			}
		}
		h.tells(p, "pass.created 1, pass.updated 2, pass.updated 3, pass.updated 4, pass.updated 5, pass.updated 6")
		f := h.face(p)
		if f.Barcode.Message != "other" || f.Design.LogoText != "x" || h.there(p).ExternalID != "7" || !f.ExpiresAt.IsZero() {
			t.Errorf("after all changes: %+v", f)
		}
		signed(t, h, h.there(p), "other")
		if s, err := h.book.Look(t.Context(), h.q(), house, "hello", time.Now()); !problem.Is(err, "pass_not_found") {
			t.Errorf("by the code before, there is %v, %v", s.Pass, err)
		}
	})
}

func TestChangeIsMadeForAVersion(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		p := h.plain(pass.Apple)
		if _, err := h.update(p, pass.Change{Version: 1, ExternalID: ptr("a")}); err != nil {
			t.Fatal(err)
		}
		_, err := h.update(p, pass.Change{Version: 1, ExternalID: ptr("b")})
		refused(t, "Update of an older version", err, "version_mismatch", problem.Precondition)
		_, err = h.update(&pass.Pass{ID: "none"}, pass.Change{})
		refused(t, "Update of no pass", err, "pass_not_found", problem.NotFound)
		past := time.Now().Add(-time.Hour)
		for want, c := range map[string]pass.Change{
			"/barcode/message out_of_range":       {Barcode: &pass.Barcode{}},
			"/externalId invalid":                 {ExternalID: ptr("a\x00b")},
			"/expiresAt out_of_range":             {ExpiresAt: &past},
			"/design/backgroundColor invalid":     {Design: &pass.Design{BackgroundColor: "red"}},
			"/design/images/logo image_not_found": {Design: &pass.Design{Images: map[string]string{"logo": "00"}}},
		} {
			if _, err := h.update(p, c); faults(err) != want {
				t.Errorf("Update(%+v): %v with the fields %s; want %s", c, err, faults(err), want)
			}
		}
		h.tells(p, "pass.created 1, pass.updated 2")
	})
}

func TestExpiredIsTheEnd(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		p := h.of(h.tickets(1)[0], pass.Apple)
		h.registered(p, "phone")
		_, before := h.changed("phone", 0)
		for _, bad := range []pass.Action{"", "user revoke", "É"} {
			if _, err := h.expire(p, bad); faults(err) != "/expireAction invalid" {
				t.Errorf("Expire as %q: %v", bad, err)
			}
		}
		first, err := h.expire(p, "HOUSE_RULES")
		if err != nil || first.Active() || first.ExpireAction != "HOUSE_RULES" {
			t.Fatalf("Expire: %+v, %v", first, err)
		}
		again, err := h.expire(p, pass.UserRevoke)
		if err != nil || again.ExpireAction != "HOUSE_RULES" || !again.ExpiredAt.Equal(first.ExpiredAt) || again.Version != first.Version {
			t.Errorf("Expire again: %+v, %v; want it as it was", again, err)
		}
		h.tells(p, "pass.created 1, registration.added 2, pass.expired 3")
		_, err = h.update(p, pass.Change{ExternalID: ptr("x")})
		refused(t, "Update of an expired pass", err, "pass_expired", problem.Conflict)
		if serials, _ := h.changed("phone", before); len(serials) != 1 {
			t.Errorf("the device hears of %v, want of the expired pass", serials)
		}
		if f := h.face(p); !f.Void || f.Barcode.Message != "" {
			t.Errorf("an expired pass shows %+v, void %v", f.Barcode, f.Void)
		}
		_, err = h.expire(&pass.Pass{ID: "none"}, pass.UserRevoke)
		refused(t, "Expire of no pass", err, "pass_not_found", problem.NotFound)
	})
}

func TestPassIsOverByItsDateBeforeThatIsWrittenDown(t *testing.T) {
	h := clocked(t)
	p := h.made(pass.Input{Platform: pass.Apple, Barcode: &pass.Barcode{Message: "x"}, ExpiresAt: h.now().Add(time.Hour)})
	link := h.link(p)
	h.clock(time.Hour - time.Microsecond)
	if s := h.look("x", h.now()); !s.Valid {
		t.Errorf("just before its date it is %s", s.Said)
	}
	h.clock(time.Microsecond)
	if s := h.look("x", h.now()); s.Valid || s.Said != "expired" {
		t.Errorf("at its date it is %s, want expired", s.Said)
	}
	if f, err := h.book.Face(t.Context(), h.q(), h.there(p), "", h.now()); err != nil || !f.Void {
		t.Errorf("at its date it shows void %v, %v", f.Void, err)
	}
	if added, err := h.register(p, "phone", "x"); added || err != nil {
		t.Errorf("at its date a device takes it: %v, %v", added, err)
	}
	_, err := h.update(p, pass.Change{ExpiresAt: &time.Time{}})
	refused(t, "Update at its date", err, "pass_expired", problem.Conflict)
	_, err = h.open(link)
	refused(t, "its link at its date", err, "link_expired", problem.Gone)
	if done, err := h.expire(p, pass.UserRevoke); err != nil || done.ExpireAction != pass.ExpirationDate {
		t.Errorf("Expire after its date: %s, %v; want EXPIRATION_DATE", done.ExpireAction, err)
	}
	h.tells(p, "pass.created 1, pass.expired 2")
}

// TestEveryChangeIsAnotherSecond is what If-Modified-Since rests on, which knows whole seconds only.
func TestEveryChangeIsAnotherSecond(t *testing.T) {
	h := clocked(t)
	p := h.plain(pass.Apple)
	last := h.there(p).ModifiedAt
	if want := time.Date(2030, 5, 1, 10, 0, 0, 0, time.UTC); !last.Equal(want) {
		t.Errorf("made at %v, want %v", last, want)
	}
	for i := range 5 { // all in the same second
		returned := h.redesign(p, fmt.Sprint(i))
		now := h.there(p).ModifiedAt
		if !now.Equal(last.Add(time.Second)) || !returned.ModifiedAt.Equal(now) {
			t.Errorf("change %d: modified at %v (returned %v) after %v, want the next second", i, now, returned.ModifiedAt, last)
		}
		last = now
	}
	h.clock(time.Minute)
	if got, want := h.redesign(p, "later").ModifiedAt, time.Date(2030, 5, 1, 10, 1, 0, 0, time.UTC); !got.Equal(want) || !h.there(p).ModifiedAt.Equal(want) {
		t.Errorf("a minute later: modified at %v, want %v", got, want)
	}
}
