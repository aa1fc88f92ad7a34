package app_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/app"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/eventfile"
	"github.com/stagedoorhq/stagedoor/internal/id"
)

func read(t *testing.T, rows ...string) *eventfile.Reader {
	t.Helper()
	text := "id,name,start_date,url,status,topics\n" + strings.Join(rows, "\n")
	r, err := eventfile.Open("season.csv", strings.NewReader(text), eventfile.Options{Timezone: "Europe/Oslo"})
	if err != nil {
		t.Fatalf("eventfile.Open: %v", err)
	}
	return r
}

func TestImportTellsOfBadRowsInTheFilesOrder(t *testing.T) {
	each(t, func(t *testing.T, c app.Config) {
		core := open(t, c)
		o := newOrg(t, core, "hall")
		rows := []string{
			"a,First,2027-01-01,,,music",
			"b,Long way,2027-01-02,https://example.com/" + strings.Repeat("x", 3000) + ",,", // the calendar refuses it
			"c,No day,soon,,,", // the file's reader refuses it
			"d,Called off,2027-01-04,,cancelled,",
			"e,Later,2027-01-05,,postponed,",
		}
		var lines []int
		done := 0
		sum, err := core.Import(t.Context(), o.No, read(t, rows...), app.ImportListener{
			Refused: func(row eventfile.RowError) { lines = append(lines, row.Line) },
			Done:    func(n int) { done = n },
		})
		if err != nil {
			t.Fatalf("Import: %v", err)
		}
		if diff := cmp.Diff(app.Import{Added: 3, Refused: 2}, sum); diff != "" {
			t.Errorf("Import (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]int{3, 4}, lines); diff != "" {
			t.Errorf("lines of refused rows (-want +got):\n%s", diff)
		}
		if done != len(rows) {
			t.Errorf("Done was told %d rows, want %d", done, len(rows))
		}
		for eventID, want := range map[id.Event]event.Status{"a": event.Published, "d": event.Cancelled, "e": event.Postponed} {
			e, err := event.ByID(core.DB.Read(t.Context()), o.No, eventID)
			if err != nil || e.Status != want || e.Timezone != "Europe/Oslo" || !e.AllDay {
				t.Errorf("event %s is %s in %s, all day %t (%v), want %s", eventID, e.Status, e.Timezone, e.AllDay, err, want)
			}
		}
	})
}

func TestImportTwiceChangesNothingAndTellsNobody(t *testing.T) {
	each(t, func(t *testing.T, c app.Config) {
		core := open(t, c)
		o := newOrg(t, core, "hall")
		rows := make([]string, 450) // more than two batches
		for i := range rows {
			rows[i] = fmt.Sprintf("e-%d,Night %d,2027-01-01,,,", i, i)
		}
		for _, want := range []app.Import{{Added: len(rows)}, {Unchanged: len(rows)}} {
			sum, err := core.Import(t.Context(), o.No, read(t, rows...), app.ImportListener{})
			if err != nil || sum != want {
				t.Errorf("Import = %+v, %v, want %+v", sum, err, want)
			}
		}
		a, err := core.Audit(t.Context())
		if err != nil || a.Facts != int64(len(rows)) {
			t.Errorf("there are %d facts (%v), want one for each of %d events", a.Facts, err, len(rows))
		}
	})
}

func TestImportStopsBetweenBatches(t *testing.T) {
	each(t, func(t *testing.T, c app.Config) {
		core := open(t, c)
		o := newOrg(t, core, "hall")
		rows := make([]string, 450)
		for i := range rows {
			rows[i] = fmt.Sprintf("e-%d,Night %d,2027-01-01,,,", i, i)
		}
		ctx, cancel := context.WithCancel(t.Context())
		sum, err := core.Import(ctx, o.No, read(t, rows...), app.ImportListener{Done: func(int) { cancel() }})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Import = %v, want the context's error", err)
		}
		_, total, err := event.List(core.DB.Read(t.Context()), o.No, event.Filter{Status: "all"})
		if err != nil || total != sum.Added || total == 0 || total == len(rows) {
			t.Errorf("Import counted %d as added and %d are in (%v), want the same, and neither none nor all", sum.Added, total, err)
		}
	})
}

func TestPreviewSaysWhatAnImportWouldDoAndChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, c app.Config) {
		core := open(t, c)
		o := newOrg(t, core, "hall")
		if _, err := core.Import(t.Context(), o.No, read(t, "a,First,2027-01-01,,,", "b,Second,2027-01-02,,,"), app.ImportListener{}); err != nil {
			t.Fatal(err)
		}
		before, err := core.Audit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		rows := []string{"a,First,2027-01-01,,,", "b,Another,2027-01-02,,,", "c,Third,2027-01-03,,,", "d,No day,soon,,,"}
		taken := map[string]event.Outcome{}
		want := event.Loaded{Added: 1, Changed: 1, Unchanged: 1, Refused: 1}
		sum, err := core.Events.Preview(t.Context(), core.DB, o.No, read(t, rows...), event.LoadListener{Taken: func(row eventfile.Event, what event.Outcome) { taken[row.EventID] = what }})
		if err != nil || sum != want {
			t.Errorf("Preview = %+v, %v; want %+v", sum, err, want)
		}
		if diff := cmp.Diff(map[string]event.Outcome{"a": event.Unchanged, "b": event.Changed, "c": event.Added}, taken); diff != "" {
			t.Errorf("what Preview told (-want +got):\n%s", diff)
		}
		after, err := core.Audit(t.Context())
		if err != nil || after.Facts != before.Facts {
			t.Errorf("after the preview there are %d facts (%v), before %d", after.Facts, err, before.Facts)
		}
		if e, err := event.ByID(core.DB.Read(t.Context()), o.No, "b"); err != nil || e.Name != "Second" || e.Version != 1 {
			t.Errorf("after the preview b is %q, version %d (%v); want it as it was", e.Name, e.Version, err)
		}
		if sum, err := core.Import(t.Context(), o.No, read(t, rows...), app.ImportListener{}); err != nil || sum != want {
			t.Errorf("Import after the preview = %+v, %v; want what it said, %+v", sum, err, want)
		}
	})
}
