package pass_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/pass"
)

// model is what a pass on some devices has to be.
type model struct {
	p        *pass.Pass
	open     map[string]bool
	ever     int
	tag      int64 // up to which the device "0" has heard
	news     bool  // it has something to hear of
	changed  bool  // the pass ever changed
	expired  bool
	versions int64
	text     int
}

// TestAnyLifeOfAPass does what may happen to a pass in any order. Each step that changes something has one fact, and no other step has any.
func TestAnyLifeOfAPass(t *testing.T) {
	h := open(t, dbtest.Open(t, dbtest.SQLite(t)))
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{p: h.plain(pass.Apple), open: map[string]bool{}, versions: 1}
		device := rapid.Map(rapid.IntRange(0, 3), func(n int) string { return fmt.Sprintf("%s %d", m.p.ID, n) })
		first := fmt.Sprintf("%s 0", m.p.ID)
		rt.Repeat(map[string]func(*rapid.T){
			"register": func(rt *rapid.T) {
				d := device.Draw(rt, "device")
				added, err := h.register(m.p, d, "token")
				want := !m.open[d] && !m.expired
				if err != nil || added != want {
					rt.Fatalf("Register(%s): %v, %v; want %v", d, added, err, want)
				}
				if want {
					m.open[d] = true
					m.ever++
					m.versions++
					m.news = m.news || d == first && m.changed
				}
			},
			"unregister": func(rt *rapid.T) {
				d := device.Draw(rt, "device")
				if err := h.unregister(m.p, d); err != nil {
					rt.Fatal(err)
				}
				if m.open[d] {
					delete(m.open, d)
					m.versions++
				}
			},
			"change": func(rt *rapid.T) {
				m.text++
				_, err := h.update(m.p, pass.Change{Design: &pass.Design{LogoText: fmt.Sprint(m.text)}})
				if (err != nil) != m.expired {
					rt.Fatalf("Update: %v, expired %v", err, m.expired)
				}
				if !m.expired {
					m.versions++
					m.news, m.changed = true, true
				}
			},
			"expire": func(rt *rapid.T) {
				if _, err := h.expire(m.p, pass.AdminRevoke); err != nil {
					rt.Fatal(err)
				}
				if !m.expired {
					m.expired, m.news, m.changed = true, true, true
					m.versions++
				}
			},
			"scan": func(rt *rapid.T) {
				h.scan(pass.Scanned{Pass: m.p, Said: "valid"})
				m.versions++
			},
			"ask": func(rt *rapid.T) {
				serials, tag := h.changed(first, m.tag)
				if want := m.news && m.open[first]; (len(serials) == 1) != want {
					rt.Fatalf("the device hears of %v, want news: %v", serials, want)
				}
				if len(serials) > 0 {
					m.tag, m.news = tag, false
				}
			},
			"": func(rt *rapid.T) {
				is := h.there(m.p)
				opened := 0
				for _, r := range is.Registrations {
					if r.DeletedAt.IsZero() {
						opened++
					}
				}
				if is.Version != m.versions || is.Open != len(m.open) || opened != len(m.open) || len(is.Registrations) != m.ever || is.Active() == m.expired {
					rt.Fatalf("the pass is %+v, want version %d, %d of %d open, expired %v", is, m.versions, len(m.open), m.ever, m.expired)
				}
				h.told(m.p)
			},
		})
	})
}
