package pass_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

func TestDesignIsChecked(t *testing.T) {
	full := pass.Design{
		Description: "Ticket", LogoText: strings.Repeat("é", 200), LabelColor: "rgb(0,0,0)", BackgroundColor: "rgb(255, 128, 0)", ForegroundColor: "rgb(1,2,3)",
		Header: []pass.Field{{Key: "gate", Label: "Gate", Value: "North", TextAlignment: "PKTextAlignmentNatural", ChangeMessage: "Gate is now %@"}},
		Back:   slices.Repeat([]pass.Field{{Value: "line\nline"}}, 20), Messages: []pass.Message{{ID: "1", Header: "Hello", Body: "World"}},
		RelevantAt: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), Locations: slices.Repeat([]pass.Location{{Latitude: -90, Longitude: 180}}, 10),
	}
	for i := range full.Back {
		full.Back[i].Key = fmt.Sprint(i)
	}
	if err := pass.CheckDesign(full); err != nil {
		t.Errorf("a design that uses all there is: %v", err)
	}
	if err := pass.CheckDesign(pass.Design{}); err != nil {
		t.Errorf("no design: %v", err)
	}
	long := strings.Repeat("x", 201)
	for want, d := range map[string]pass.Design{
		"/description too_long, /logoText too_long": {Description: long, LogoText: "a\nb"},
		"/logoText too_long":                        {LogoText: "\xff"},
		"/labelColor invalid":                       {LabelColor: "rgb(256,0,0)"},
		"/backgroundColor invalid":                  {BackgroundColor: "rgb(-1,0,0)"},
		"/foregroundColor invalid":                  {ForegroundColor: "rgb(1,2)"},
		"/headerFields too_many":                    {Header: make([]pass.Field, 21)},
		"/primaryFields/0/key invalid":              {Primary: []pass.Field{{Key: strings.Repeat("k", 65)}}},
		"/secondaryFields/0/label too_long, /auxiliaryFields/0/key duplicate": {Secondary: []pass.Field{{Key: "a", Label: long}}, Auxiliary: []pass.Field{{Key: "a"}}},
		"/backFields/0/value too_long, /backFields/0/textAlignment invalid, /backFields/0/changeMessage too_long": {
			Back: []pass.Field{{Key: "a", Value: strings.Repeat("x", 2001), TextAlignment: "left", ChangeMessage: long}},
		},
		"/messages too_many": {Messages: make([]pass.Message, 11)},
		"/messages/0/header too_long, /messages/0/body out_of_range, /messages/1/id invalid": {Messages: []pass.Message{{ID: "a", Header: long}, {ID: "a", Body: "x"}}},
		"/relevantDate out_of_range": {RelevantAt: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
		"/locations too_many":        {Locations: make([]pass.Location, 11)},
		"/locations/0/latitude out_of_range, /locations/0/longitude out_of_range, /locations/0/relevantText too_long": {
			Locations: []pass.Location{{Latitude: math.NaN(), Longitude: 180.1, Text: long}},
		},
	} {
		if err := pass.CheckDesign(d); faults(err) != want {
			t.Errorf("%v with the fields %s; want %s", err, faults(err), want)
		}
	}
	for i := range full.Back {
		full.Back[i].Value = strings.Repeat("é", 2000)
	}
	if err := pass.CheckDesign(full); faults(err) != " too_long" {
		t.Errorf("a design of 80,000 bytes: %v with the fields %s", err, faults(err))
	}
}

func (h *hall) put(png string) (hash string) {
	h.t.Helper()
	h.write(func(tx *db.Tx) (err error) {
		hash, err = h.book.PutImage(tx, house, []byte(png))
		return err
	})
	return hash
}

func (h *hall) project(d pass.Design) error {
	return h.try(func(tx *db.Tx) error { return h.book.SetProjectDesign(tx, house, d) })
}

func TestPassLooksAsTheProjectWhereItSaysNothing(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		logo, icon := h.put("logo"), h.put("icon")
		if again := h.put("logo"); again != logo || len(logo) != 64 {
			t.Errorf("the same picture is called %s and %s", logo, again)
		}
		if png, err := pass.ImageByHash(h.q(), logo); err != nil || string(png) != "logo" {
			t.Errorf("ImageByHash: %q, %v", png, err)
		}
		_, err := pass.ImageByHash(h.q(), "00")
		refused(t, "no picture", err, "image_not_found", problem.NotFound)

		p := h.made(pass.Input{Platform: pass.Apple, Barcode: &pass.Barcode{Message: "x"}, Design: pass.Design{
			LogoText: "Pass", Header: []pass.Field{{Key: "gate", Value: "North"}}, Images: map[string]string{"icon": icon},
		}})
		if err := h.project(pass.Design{
			LogoText: "Project", LabelColor: "rgb(1,2,3)", Header: []pass.Field{{Key: "x", Value: "1"}}, Back: []pass.Field{{Key: "gate", Value: "2"}, {Key: "terms", Value: "3"}},
			Images: map[string]string{"icon": logo, "logo": logo},
		}); err != nil {
			t.Fatalf("SetProjectDesign: %v", err)
		}
		f := h.face(p)
		want := pass.Design{
			LogoText: "Pass", LabelColor: "rgb(1,2,3)", Header: []pass.Field{{Key: "gate", Value: "North"}}, Back: []pass.Field{{Key: "terms", Value: "3"}},
			Images: map[string]string{"icon": icon, "logo": logo},
		}
		if diff := cmp.Diff(want, f.Design); diff != "" {
			t.Errorf("the pass looks otherwise (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(map[string][]byte{"icon": []byte("icon"), "logo": []byte("logo")}, f.Images); diff != "" {
			t.Errorf("its pictures (-want +got):\n%s", diff)
		}
		if got, want := f.ImageURLs["logo"], "https://tickets.example.test/v0/images/"+logo; got != want {
			t.Errorf("its logo is at %s, want %s", got, want)
		}
		if other, err := pass.ProjectDesign(h.q(), 2); err != nil || other.LogoText != "" {
			t.Errorf("another organisation's design: %+v, %v", other, err)
		}
		if got := faults(h.project(pass.Design{LabelColor: "red", Images: map[string]string{"logo": "00"}})); got != "/labelColor invalid" {
			t.Errorf("SetProjectDesign: the fields %s", got)
		}
		err = h.try(func(tx *db.Tx) error {
			return h.book.SetProjectDesign(tx, 2, pass.Design{Images: map[string]string{"logo": logo}})
		})
		if got := faults(err); got != "/images/logo image_not_found" {
			t.Errorf("another organisation uses the picture: %v with the fields %s", err, got)
		}
	})
}

func TestDevicesHearOfTheProjectsDesign(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		p, gone, ticketed := h.plain(pass.Apple), h.plain(pass.Apple), h.of(h.tickets(1)[0], pass.Apple)
		for _, one := range []*pass.Pass{p, gone, ticketed} {
			h.registered(one, "phone")
		}
		if _, err := h.expire(gone, pass.UserRevoke); err != nil {
			t.Fatal(err)
		}
		_, tag := h.changed("phone", 0)
		for range 2 {
			if err := h.project(pass.Design{LogoText: "x"}); err != nil {
				t.Fatal(err)
			}
		}
		if n := h.carry(0); n != 1 {
			t.Errorf("the devices were told in %d steps, want 1", n)
		}
		serials, tag := h.changed("phone", tag)
		if !slices.Equal(serials, []string{p.Serial, ticketed.Serial}) {
			t.Errorf("the device hears of %v, want of both passes that have not expired", serials)
		}
		if err := h.project(pass.Design{LogoText: "x"}); err != nil {
			t.Fatal(err)
		}
		if n := h.carry(0); n != 0 {
			t.Errorf("no change was told in %d steps", n)
		}
		if serials, _ := h.changed("phone", tag); serials != nil {
			t.Errorf("after no change the device hears of %v", serials)
		}
	})
}

// carry takes the wave through an event's passes, or all of the house's, to its end, and returns how many steps that were.
func (h *hall) carry(eventNo int64) (steps int) {
	h.t.Helper()
	for moved := true; moved; {
		h.write(func(tx *db.Tx) (err error) {
			moved, err = h.book.Carry(tx, house, eventNo)
			return err
		})
		if moved {
			steps++
		}
	}
	return steps
}

func FuzzDesign(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"description":"Ticket","labelColor":"rgb(0,0,0)"}`, `{"headerFields":[{"key":"a","value":"b","textAlignment":"PKTextAlignmentLeft"}],"relevantDate":"2030-01-01T00:00:00Z"}`,
		`{"locations":[{"latitude":59.9,"longitude":10.7}],"messages":[{"body":"x"}],"images":{"logo":"00"}}`, `{"labelColor":"rgb(999,0,0)"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var d pass.Design
		if json.Unmarshal(raw, &d) != nil || pass.CheckDesign(d) != nil {
			return
		}
		stored, err := json.Marshal(d)
		if err != nil {
			t.Fatalf("a design that is taken cannot be stored: %v", err)
		}
		var back pass.Design
		if err := json.Unmarshal(stored, &back); err != nil {
			t.Fatalf("a design that is stored cannot be read: %v: %s", err, stored)
		}
		again, err := json.Marshal(back)
		if err != nil || !bytes.Equal(stored, again) {
			t.Errorf("%s became %s, %v", stored, again, err)
		}
		for _, color := range []string{d.LabelColor, d.BackgroundColor, d.ForegroundColor} {
			if color != "" && strings.Trim(color, "rgb(0123456789, )") != "" {
				t.Errorf("the colour %q is taken", color)
			}
		}
	})
}
