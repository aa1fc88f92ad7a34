package event_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
)

func TestPagesOfASeasonHaveEachEventOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		for name, start := range map[id.Event]string{"a": "2099-01-01", "b": "2099-01-02", "c": "2099-01-03", "gone": "2099-01-01", "draft": "2099-01-04"} {
			in := event.Input{ID: name, Name: "Night 100%_" + string(name), StartLocal: start + "T20:00:00"}
			if name == "draft" {
				in.Status = event.Draft
			}
			h.mustCreate(in)
		}
		if err := h.delete("gone", 0); err != nil {
			t.Fatal(err)
		}
		other := h.org
		h.org = h.organisation("Another")
		h.mustCreate(event.Input{ID: "theirs", Name: "Night", StartLocal: "2099-01-01T20:00:00"})
		h.org = other
		for _, c := range []struct {
			story string
			s     event.Season
			want  string
		}{
			{"all", event.Season{}, "a b c draft"},
			{"all backwards", event.Season{Descending: true}, "draft c b a"},
			{"drafts", event.Season{Status: event.Draft}, "draft"},
			{"a part of the name", event.Season{Text: "100%_B"}, "b"},
			{"signs that mean something to the database", event.Season{Text: "%a"}, ""},
			{"from the second", event.Season{From: time.Date(2099, 1, 2, 12, 0, 0, 0, time.UTC)}, "b c draft"},
			{"until the second", event.Season{Until: time.Date(2099, 1, 2, 12, 0, 0, 0, time.UTC)}, "a"},
		} {
			var got []string
			for c.s.Limit = 1; ; {
				page, err := event.Page(d.Read(t.Context()), h.org, c.s)
				if err != nil {
					t.Fatalf("%s: %v", c.story, err)
				}
				if len(page) == 0 {
					break
				}
				got = append(got, string(page[0].ID))
				c.s.After = &event.Ending{EndsAt: page[0].EndsAt, No: page[0].No}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%s: pages of 1 have %v; want %s", c.story, got, c.want)
			}
		}
	})
}
