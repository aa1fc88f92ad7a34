package stamp_test

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/png"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/stamp"
)

func TestWhatIsWrongWithAStampTypeIsSaidAtOnce(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		for name, tt := range map[string]struct {
			in   stamp.Input
			want []string
		}{
			"nothing":    {stamp.Input{}, []string{"/name required", "/rule/on invalid"}},
			"long":       {stamp.Input{Name: strings.Repeat("é", 201), Rule: stamp.Rule{On: stamp.ByHand}}, []string{"/name too_long"}},
			"two lines":  {stamp.Input{Name: "a\nb", Collection: "\x00", Rule: stamp.Rule{On: stamp.ByHand}}, []string{"/name invalid", "/collection invalid", "/collection invalid"}},
			"art":        {stamp.Input{Name: "a", Art: "javascript:alert(1)", Rule: stamp.Rule{On: stamp.ByHand}}, []string{"/art invalid_art"}},
			"threshold":  {stamp.Input{Name: "a", Rule: stamp.Rule{On: stamp.ByCheckin, Threshold: 2}}, []string{"/rule/threshold not_counted"}},
			"too often":  {stamp.Input{Name: "a", Rule: stamp.Rule{On: stamp.ByCount, Threshold: 10_001}}, []string{"/rule/threshold out_of_range"}},
			"never":      {stamp.Input{Name: "a", Rule: stamp.Rule{On: stamp.ByCount, Threshold: 2, Event: "A", Counts: stamp.CountEvents}}, []string{"/rule/counts never_reached"}},
			"repeated":   {stamp.Input{Name: "a", Rule: stamp.Rule{On: stamp.ByCount, Repeat: stamp.PerEvent}}, []string{"/rule/repeat not_repeated"}},
			"two places": {stamp.Input{Name: "a", Rule: stamp.Rule{On: stamp.ByCheckin, Event: "A", Venue: "Pier"}}, []string{"/rule/venue too_many"}},
			"unfollowed": {stamp.Input{Name: "a", Rule: stamp.Rule{On: stamp.ByHand, RevokeOnUndo: true}}, []string{"/rule/on not_followed"}},
			"words": {stamp.Input{Name: "a", Rule: stamp.Rule{On: stamp.ByCount, Counts: "x", Repeat: "y"}}, []string{
				"/rule/repeat invalid", "/rule/counts invalid",
			}},
		} {
			err := h.try(func(tx *db.Tx) error {
				_, err := h.album.Create(tx, house, tt.in)
				return err
			})
			if diff := cmp.Diff(tt.want, faults(err)); diff != "" {
				t.Errorf("Create of %s (-want +got):\n%s", name, diff)
			}
		}
		refused(t, "Create for an event that is not there", h.try(func(tx *db.Tx) error {
			_, err := h.album.Create(tx, house, stamp.Input{Name: "a", Rule: stamp.Rule{On: stamp.ByCheckin, Event: "X"}})
			return err
		}), "event_not_found")
		if page, total, err := stamp.Types(h.q(), house, stamp.Filter{Status: "all"}); err != nil || total != 0 || len(page) != 0 {
			t.Errorf("Types = %d of %d, %v; want nothing", len(page), total, err)
		}
	})
}

func TestChangesOfAStampType(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		one := h.earned(stamp.Rule{On: stamp.ByCheckin})
		change := func(p stamp.Patch) (got stamp.Type, err error) {
			err = h.try(func(tx *db.Tx) (err error) {
				got, err = h.album.Update(tx, house, one.ID, p)
				return err
			})
			return got, err
		}
		want := one
		want.Name, want.Collection, want.Version, want.Active = "Other", "", 2, false
		want.Rule = stamp.Rule{On: stamp.ByCount, Threshold: 3, Venue: "Barn", Counts: stamp.CountCheckins, Repeat: stamp.Once, RevokeOnUndo: true}
		got, err := change(stamp.Patch{
			Version: 1, Name: ptr(" Other"), Collection: ptr(""), Active: ptr(false),
			Rule: &stamp.Rule{On: stamp.ByCount, Threshold: 3, Venue: "Barn", Counts: stamp.CountCheckins, RevokeOnUndo: true},
		})
		want.UpdatedAt = got.UpdatedAt
		read, readErr := stamp.TypeByID(h.q(), house, one.ID)
		if err != nil || readErr != nil || cmp.Diff(want, got) != "" || cmp.Diff(want, read) != "" {
			t.Errorf("Update = %+v, %v; then read %+v, %v; want %+v", got, err, read, readErr, want)
		}
		if got, err := change(stamp.Patch{Name: ptr("Other")}); err != nil || got.Version != 2 {
			t.Errorf("Update to what it is = version %d, %v; want 2", got.Version, err)
		}
		_, err = change(stamp.Patch{Version: 1, Name: ptr("x")})
		refused(t, "Update of version 1", err, "version_mismatch")
		if _, err := h.award(one.ID, stamp.Award{Email: kari}); err != nil {
			t.Fatal(err)
		}
		_, err = change(stamp.Patch{Rule: &stamp.Rule{On: stamp.ByCheckin}})
		refused(t, "Update to once for each event", err, "stamp_type_awarded")
		if _, err := change(stamp.Patch{Rule: &stamp.Rule{On: stamp.ByCheckin, Repeat: stamp.Once}}); err != nil {
			t.Errorf("Update of the rule: %v", err)
		}
	})
}

func TestWhatWasAwardedIsRetiredAndTheRestDeleted(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		never, awarded := h.earned(stamp.Rule{On: stamp.ByHand}), h.earned(stamp.Rule{On: stamp.ByHand})
		if _, err := h.award(awarded.ID, stamp.Award{Email: kari}); err != nil {
			t.Fatal(err)
		}
		remove := func(one id.StampType, version int64) error {
			return h.try(func(tx *db.Tx) error { return h.album.Delete(tx, house, one, version) })
		}
		refused(t, "Delete of another version", remove(awarded.ID, 7), "version_mismatch")
		for range 2 {
			if err := remove(awarded.ID, 0); err != nil {
				t.Errorf("Delete: %v", err)
			}
		}
		if err := remove(never.ID, 1); err != nil {
			t.Errorf("Delete: %v", err)
		}
		refused(t, "Delete again", remove(never.ID, 0), "stamp_type_not_found")
		for status, want := range map[string]int{"": 0, "active": 0, "inactive": 0, "retired": 1, "all": 1} {
			if _, total, err := stamp.Types(h.q(), house, stamp.Filter{Status: status}); err != nil || total != want {
				t.Errorf("Types(%q) counts %d, %v; want %d", status, total, err, want)
			}
		}
		_, err := h.award(awarded.ID, stamp.Award{Email: ola})
		refused(t, "Award of a retired type", err, "stamp_type_retired")
		refused(t, "Update of a retired type", h.try(func(tx *db.Tx) error {
			_, err := h.album.Update(tx, house, awarded.ID, stamp.Patch{Name: ptr("x")})
			return err
		}), "stamp_type_retired")
		h.has(kari, 1)
		if c := h.passport(kari).Collections; len(c) != 1 || len(c[0].Types) != 1 || !c[0].Types[0].Has {
			t.Errorf("Kari's collections are %+v, want one with what she has", c)
		}
		for who, code := range map[string]string{kari: "", ola: "stamp_type_not_found", "": "stamp_type_not_found"} {
			if _, err := stamp.PublicTypeByID(h.q(), house, awarded.ID, person.Of(who)); code == "" && err != nil {
				t.Errorf("PublicTypeByID for %s: %v", who, err)
			} else if code != "" {
				refused(t, "PublicTypeByID for "+who, err, code)
			}
		}
	})
}

func picture(side int) string {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, side, side))); err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

func svg(inner string) string {
	return "data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString([]byte(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">`+inner+`</svg>`))
}

func TestArtIsAPictureAndNothingElse(t *testing.T) {
	h := open(t, dbtest.Open(t, dbtest.SQLite(t)))
	good := []string{
		"", "https://cdn.example.com/a.svg?x=1#y", "data:image/png;base64," + picture(3), svg(`<circle r="3" fill="url(#a)"/>`),
		svg(`<defs><linearGradient id="a"><stop offset="0" stop-color="#fff"/></linearGradient></defs><use href="#b"/><text x="1">A &amp; b</text>`),
		"data:image/svg+xml,%3Csvg%20xmlns=%22http://www.w3.org/2000/svg%22/%3E",
		"data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString([]byte(`<?xml version="1.0"?><!-- a --><svg xmlns="http://www.w3.org/2000/svg"/>`)),
	}
	bad := []string{
		"http://example.com/a.png", "https://", "https://u:p@example.com/", "//example.com/a", "/a.png", "javascript:alert(1)", "https://example.com/a\nb",
		`https://example.com/"onload=`, "https://example.com/" + strings.Repeat("a", 2000), "data:text/html,<p>", "data:text/html;base64,PHA+", "data:image/png", "data:image/png,abc",
		"data:image/png;base64,AAAA", "data:image/png;base64," + picture(2049), "data:image/gif;base64,R0lGODlhAQABAAAAACw=", "data:image/svg+xml;charset=x,a",
		"data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>", "data:image/svg+xml;base64,!!", "data:image/svg+xml;base64," + strings.Repeat("A", 16_384),
		svg(`<script>alert(1)</script>`), svg(`<circle onclick="a()"/>`), svg(`<circle ONLOAD="a()"/>`), svg(`<foreignObject/>`), svg(`<image href="https://example.com/a"/>`),
		svg(`<use href="https://example.com/a#b"/>`), svg(`<use xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="data:x"/>`), svg(`<circle fill="url(https://example.com/a)"/>`),
		svg(`<circle fill="u\72l(//x)"/>`), svg(`<circle style="fill:red"/>`), svg(`<style>*{}</style>`), svg(`<a href="#b"/>`), svg(`<set attributeName="href" to="x"/>`),
		svg(`<circle xmlns="http://www.w3.org/1999/xhtml"/>`), svg(`<g fill="url( &#x2F;&#x2F;x)"/>`), svg(`<svg/>`), svg(`<g>`), svg(strings.Repeat("<g>", 40) + strings.Repeat("</g>", 40)),
		"data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString([]byte(`<!DOCTYPE svg [<!ENTITY a "b">]><svg xmlns="http://www.w3.org/2000/svg">&a;</svg>`)),
		"data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString([]byte(`<?xml-stylesheet href="x"?><svg xmlns="http://www.w3.org/2000/svg"/>`)),
		"data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString([]byte(`<html/>`)), "data:image/svg+xml;base64,",
	}
	check := func(art string) []string {
		return faults(h.try(func(tx *db.Tx) error {
			_, err := h.album.Create(tx, house, stamp.Input{Name: "a", Art: art, Rule: stamp.Rule{On: stamp.ByHand}})
			return err
		}))
	}
	for _, art := range good {
		if got := check(art); got != nil {
			t.Errorf("Create with art %.200q: %q, want success", art, got)
		}
	}
	for _, art := range bad {
		if got := check(art); cmp.Diff([]string{"/art invalid_art"}, got) != "" {
			t.Errorf("Create with art %.200q: %q, want invalid_art", art, got)
		}
	}
}
