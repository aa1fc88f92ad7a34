package pass_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

func (h *hall) link(p *pass.Pass) (link string) {
	h.t.Helper()
	h.write(func(tx *db.Tx) (err error) {
		link, err = h.book.Link(tx, house, p.ID)
		return err
	})
	return link
}

func (h *hall) open(link string) (p *pass.Pass, err error) {
	err = h.try(func(tx *db.Tx) (err error) {
		p, err = h.book.Open(tx, link)
		return err
	})
	return p, err
}

func TestNewerLinkTakesThePlaceOfTheOlder(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		p := h.plain(pass.Apple)
		first := h.link(p)
		if !regexp.MustCompile(`^[0-9A-Za-z]{32}$`).MatchString(first) {
			t.Errorf("link %q, want 32 letters and digits", first)
		}
		if got, err := h.open(first); err != nil || got.ID != p.ID {
			t.Fatalf("Open: %v", err)
		}
		second := h.link(p)
		_, err := h.open(first)
		refused(t, "the older link", err, "link_not_found", problem.NotFound)
		if got, err := h.open(second); err != nil || got.ID != p.ID {
			t.Errorf("Open of the newer link: %v", err)
		}
		other := h.plain(pass.Apple)
		h.link(other)
		if _, err := h.open(second); err != nil {
			t.Errorf("after another pass got a link: %v", err)
		}
		for _, no := range []string{"", "x", "\x00", second + "x"} {
			_, err := h.book.Linked(h.q(), no, time.Now())
			refused(t, "no link", err, "link_not_found", problem.NotFound)
		}
	})
}

func TestLinkEndsTwoDaysAfterItsFirstUse(t *testing.T) {
	h := clocked(t)
	p := h.plain(pass.Apple)
	link := h.link(p)
	h.clock(1000 * time.Hour)
	if _, err := h.book.Linked(h.q(), link, h.now()); err != nil { // as for HEAD, which is no use of it
		t.Fatalf("Linked: %v", err)
	}
	h.clock(time.Hour)
	if _, err := h.open(link); err != nil {
		t.Fatalf("Open: %v", err)
	}
	h.clock(47 * time.Hour)
	if _, err := h.open(link); err != nil {
		t.Errorf("Open after 47 hours: %v", err)
	}
	h.clock(time.Hour - time.Microsecond)
	if _, err := h.open(link); err != nil {
		t.Errorf("Open a moment before 48 hours: %v", err)
	}
	h.clock(time.Microsecond)
	_, err := h.open(link)
	refused(t, "Open after 48 hours", err, "link_expired", problem.Gone)
	_, err = h.book.Linked(h.q(), link, h.now())
	refused(t, "Linked after 48 hours", err, "link_expired", problem.Gone)
}

func TestLinksEndWithTheirPass(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		p := h.plain(pass.Apple)
		link := h.link(p)
		if _, err := h.expire(p, pass.AdminRevoke); err != nil {
			t.Fatal(err)
		}
		_, err := h.open(link)
		refused(t, "the link of an expired pass", err, "link_expired", problem.Gone)
		err = h.try(func(tx *db.Tx) error {
			_, err := h.book.Link(tx, house, p.ID)
			return err
		})
		refused(t, "Link of an expired pass", err, "pass_expired", problem.Conflict)
		err = h.try(func(tx *db.Tx) error {
			_, err := h.book.Link(tx, 2, p.ID)
			return err
		})
		refused(t, "Link by another organisation", err, "pass_not_found", problem.NotFound)
	})
}
