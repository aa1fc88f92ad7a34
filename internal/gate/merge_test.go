package gate_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

func (h *hall) upload(device string, scans ...gate.Made) []gate.Uploaded {
	h.t.Helper()
	all, err := h.door.Upload(h.t.Context(), h.db, house, gate.Upload{By: gate.By{ID: "key_1"}, Device: device, Scans: scans})
	if err != nil {
		h.t.Fatalf("Upload: %v", err)
	}
	for _, one := range all {
		if one.Err != nil {
			h.t.Fatalf("Upload of scan %d: %v", one.Seq, one.Err)
		}
	}
	return all
}

func at(minute int) time.Time { return time.Date(2099, 8, 14, 18, minute, 0, 0, time.UTC) }

// state is what all check-ins count for and who is inside, as a text that does not depend on when they arrived.
func (h *hall) state() []string {
	h.t.Helper()
	q := h.db.Read(h.t.Context())
	lines, err := db.All(q, func(r db.Rows) (string, error) {
		var device, tk, result, rival string
		var seq, entry, rivalSeq int64
		var open bool
		err := r.Scan(&device, &seq, &tk, &result, &entry, &open, &rival, &rivalSeq)
		return fmt.Sprintf("%s/%d %s %s entry %d open %v against %s/%d", device, seq, tk, result, entry, open, rival, rivalSeq), err
	}, `SELECT c.device, c.seq, c.ticket_id, c.result, COALESCE(c.entry_no, 0), c.open, COALESCE(w.device, ''), COALESCE(w.seq, 0)
		FROM checkins c LEFT JOIN checkins w ON w.org_id = c.org_id AND w.id = c.against ORDER BY c.device, c.seq`)
	if err != nil {
		h.t.Fatal(err)
	}
	inside, err := db.All(q, db.Value[int64], `SELECT ticket_no FROM tickets WHERE presence = 'inside' ORDER BY ticket_no`)
	if err != nil {
		h.t.Fatal(err)
	}
	return append(lines, fmt.Sprint("inside: ", inside))
}

// meaning is what a reader of all facts knows in the end: of each check-in what its last fact says, but for ids; and how often each ticket was told
// to be admitted.
func meaning(t testing.TB, facts []*fact.Fact, name func(id.Checkin) string) []string {
	t.Helper()
	last := map[string]string{}
	version := map[string]int64{}
	admitted := map[string]int{}
	for _, f := range facts {
		var s gate.Snapshot
		if err := json.Unmarshal(f.Data, &s); err != nil {
			t.Fatal(err)
		}
		if version[f.Subject]++; f.Version != version[f.Subject] {
			t.Errorf("fact %s of %s has version %d, want %d", f.Kind, f.Subject, f.Version, version[f.Subject])
		}
		against := ""
		if s.Against != nil {
			against = fmt.Sprintf("%s %s %s", name(s.Against.CheckinID), s.Against.Gate, s.Against.At)
		}
		last[f.Subject] = fmt.Sprintf("%s %s %s %s %s against %s", name(s.CheckinID), s.TicketID, s.Gate, s.At, s.Result, against)
		if f.Kind == fact.CheckinAdmitted {
			admitted[string(s.TicketID)]++
		}
	}
	var lines []string
	for _, l := range last {
		lines = append(lines, l)
	}
	for tk, n := range admitted {
		lines = append(lines, fmt.Sprintf("%s admitted %d times", tk, n))
	}
	sort.Strings(lines)
	return lines
}

func TestEarlierEntryHoldsItWhicheverComesFirst(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		for _, order := range [][]string{{"a", "b", "c"}, {"c", "b", "a"}, {"b", "c", "a"}, {"b", "a", "c"}} {
			tk := h.ticket()
			scans := map[string]gate.Made{
				"a": {Code: code(tk), Gate: "North", ScannedAt: at(1)}, "b": {Code: code(tk), Gate: "South", ScannedAt: at(2)},
				"c": {Ticket: tk, Gate: "East", ScannedAt: at(3)},
			}
			ids := map[id.Checkin]string{}
			for i, device := range order {
				m := scans[device]
				m.Seq = int64(100 * len(tk)) // any number will do
				m.Seq += int64(i) + time.Now().UnixNano()%1e9
				ids[h.upload(device, m)[0].Checkin.ID] = device
			}
			page, total, err := gate.Clashes(h.db.Read(t.Context()), house, "E", 100, 0)
			if err != nil {
				t.Fatal(err)
			}
			var found []string
			for _, c := range page {
				if c.Other.TicketID == tk {
					found = append(found, fmt.Sprintf("%s %s lost to %s %s", c.Other.Gate, c.Other.At.Format("15:04"), c.Held.Gate, c.Held.At.Format("15:04")))
				}
			}
			if diff := cmp.Diff([]string{"South 18:02 lost to North 18:01", "East 18:03 lost to North 18:01"}, found); diff != "" || total == 0 {
				t.Errorf("%v: conflicts -want +got:\n%s", order, diff)
			}
			got := meaning(t, h.log.take(), func(c id.Checkin) string { return ids[c] })
			if len(got) > 0 && !strings.HasSuffix(got[len(got)-1], "admitted 1 times") {
				t.Errorf("%v: %q, want one checkin.admitted", order, got)
			}
		}
		h.audit()
	})
}

func TestOnlineEntryLosesToAnEarlierOneThatComesToLight(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		tk := h.ticket()
		o := h.scan(gate.Scan{Code: code(tk), Gate: "North"})
		up := h.upload("b", gate.Made{Seq: 1, Code: code(tk), Gate: "South", ScannedAt: time.Now().Add(-time.Hour)})
		if got := up[0].Checkin.Status(); got != gate.CheckedIn {
			t.Errorf("the earlier entry is %s, want checked_in", got)
		}
		was, err := gate.ByID(h.db.Read(t.Context()), house, o.Checkin.ID)
		if err != nil || was.Status() != gate.Conflict || was.Against != up[0].Checkin.ID {
			t.Errorf("the online entry is %s against %s (%v), want a conflict with %s", was.Status(), was.Against, err, up[0].Checkin.ID)
		}
		if k := h.log.kinds(); k != "admitted readmitted conflict_offline" {
			t.Errorf("facts: %s, want one admitted", k)
		}
		if err := h.try(func(tx *db.Tx) error { return h.door.Undo(tx, house, up[0].Checkin.ID) }); err != nil {
			t.Fatal(err)
		}
		if k := h.log.kinds(); k != "undone readmitted" || !h.inside(tk) {
			t.Errorf("facts of the undoing: %s, inside %v; want the other entry to hold again", k, h.inside(tk))
		}
		h.audit()
	})
}

func TestUploadTwiceCountsOnce(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		tk, other := h.ticket(), h.ticket()
		scans := []gate.Made{
			{Seq: 1, Code: code(tk), ScannedAt: at(1)}, {Seq: 2, Code: "CODE nobody", ScannedAt: at(2)}, {Seq: 3, Code: code(tk), ScannedAt: at(3), Result: gate.Already},
		}
		first := h.upload("a", scans...)
		again := h.upload("a", scans...)
		for i := range first {
			if again[i].Checkin.ID != first[i].Checkin.ID || !again[i].Known || first[i].Known {
				t.Errorf("scan %d: %s known %v, then %s known %v", i+1, first[i].Checkin.ID, first[i].Known, again[i].Checkin.ID, again[i].Known)
			}
		}
		if k := h.log.kinds(); k != "admitted denied denied" {
			t.Errorf("facts: %s", k)
		}
		all, err := h.door.Upload(t.Context(), h.db, house, gate.Upload{By: gate.By{ID: "key_1"}, Device: "a", Scans: []gate.Made{{Seq: 1, Code: code(other), ScannedAt: at(1)}}})
		if err != nil || !problem.Is(all[0].Err, "seq_reused") {
			t.Errorf("another scan with the same number = %+v, %v; want seq_reused", all, err)
		}
		// A scan that was tried online, whose answer was lost, and that was then uploaded.
		o := h.scan(gate.Scan{Code: code(other), By: gate.By{ID: "dev_1"}, Nonce: "n"})
		lost, err := h.door.Upload(t.Context(), h.db, house, gate.Upload{By: gate.By{ID: "dev_1"}, Scans: []gate.Made{{Seq: 9, Nonce: "n", Code: code(other), ScannedAt: at(1)}}})
		if err != nil || lost[0].Err != nil || lost[0].Checkin.ID != o.Checkin.ID || !lost[0].Known {
			t.Errorf("the upload of an online scan = %+v, %v; want %s", lost, err, o.Checkin.ID)
		}
		h.audit()
	})
}

func TestClocksThatAreFarOffDoNotWin(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		tk := h.ticket()
		b, err := gate.BundleOf(h.db.Read(t.Context()), house, "E", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		all, err := h.door.Upload(t.Context(), h.db, house, gate.Upload{By: gate.By{ID: "dev_1"}, Bundle: b.ID, Scans: []gate.Made{
			{Seq: 1, Code: code(tk), ScannedAt: time.Unix(0, 0)}, {Seq: 2, Code: code(tk), ScannedAt: at(0)},
		}})
		if err != nil {
			t.Fatal(err)
		}
		if got := all[0].Checkin.At; !got.Equal(b.IssuedAt) {
			t.Errorf("a scan of 1970 took the place of %s, want the bundle's %s", got, b.IssuedAt)
		}
		if got := all[1].Checkin.At; !got.Equal(b.Until) {
			t.Errorf("a scan of 2099 took the place of %s, want the bundle's end %s", got, b.Until)
		}
	})
}

func TestUploadIsRefusedWhole(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		tk := h.ticket()
		good := gate.Made{Seq: 1, Ticket: tk, ScannedAt: at(1)}
		for name, u := range map[string]gate.Upload{
			"two with one number": {Scans: []gate.Made{good, good}},
			"no number":           {Scans: []gate.Made{{Ticket: tk, ScannedAt: at(1)}}},
			"no instant":          {Scans: []gate.Made{{Seq: 1, Ticket: tk}}},
			"code and ticket":     {Scans: []gate.Made{{Seq: 1, Ticket: tk, Code: "x", ScannedAt: at(1)}}},
			"too many":            {Scans: make([]gate.Made, gate.MaxUpload+1)},
			"no bundle":           {Bundle: "bnd_x", Scans: []gate.Made{good}},
		} {
			u.By.ID = "key_1"
			if _, err := h.door.Upload(t.Context(), h.db, house, u); !problem.Is(err, "validation_failed") {
				t.Errorf("%s: %v, want field errors", name, err)
			}
		}
		_, err := h.door.Upload(t.Context(), h.db, house, gate.Upload{By: gate.By{ID: "dev_1"}, Device: "dev_2", Scans: []gate.Made{good}})
		if !problem.Is(err, "validation_failed") {
			t.Errorf("another device's scans: %v, want a field error", err)
		}
		if k := h.log.kinds(); k != "" {
			t.Errorf("facts: %s, want none", k)
		}
	})
}

// TestTenGatesOfflineEndTheSameInEveryOrder: ten gates are without a network for half an hour, and bring what they scanned in random orders, in pieces, some of them
// twice. Every double entry is a conflict that names the entry it lost to.
func TestTenGatesOfflineEndTheSameInEveryOrder(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		const gates, orders = 10, 20
		scans := long(100_000, 2000)
		people := h.buy("E", "B", scans*9/10)
		var want []string
		for round := range orders {
			made, doubles := halfHour(people, gates, scans)
			if round > 0 {
				h.forget()
			}
			rng := rand.New(rand.NewPCG(uint64(round), 7))
			names := map[id.Checkin]string{}
			var pieces []piece
			for g, all := range made {
				for rest := all; len(rest) > 0; {
					n := min(1+rng.IntN(400), len(rest))
					pieces = append(pieces, piece{fmt.Sprintf("gate-%d", g), rest[:n]})
					rest = rest[n:]
				}
			}
			rng.Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })
			for i, p := range pieces {
				for _, u := range h.upload(p.device, p.scans...) {
					names[u.Checkin.ID] = fmt.Sprintf("%s/%d", p.device, u.Seq)
				}
				if i%7 == 0 {
					h.upload(p.device, p.scans...)
				}
			}
			got := append(h.state(), meaning(t, h.log.take(), func(c id.Checkin) string { return names[c] })...)
			if want == nil {
				want = got
			} else if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("order %d ends differently from the first:\n%.4000s", round, diff)
			}
			if _, total, err := gate.Clashes(h.db.Read(t.Context()), house, "E", 1, 0); err != nil || total != doubles {
				t.Fatalf("order %d: %d conflicts (%v), want one for each of %d double entries", round, total, err, doubles)
			}
			h.audit()
		}
	})
}

type piece struct {
	device string
	scans  []gate.Made
}

// halfHour is what gates scanned: everybody once, some twice or more. It is the same for each call.
func halfHour(people []id.Ticket, gates, scans int) (made [][]gate.Made, doubles int) {
	rng := rand.New(rand.NewPCG(11, 13))
	made = make([][]gate.Made, gates)
	used := map[id.Ticket]bool{}
	for i := range scans {
		tk := people[rng.IntN(len(people))]
		if i < len(people)/2 {
			tk = people[i]
		}
		if used[tk] {
			doubles++
		}
		used[tk] = true
		g := rng.IntN(gates)
		made[g] = append(made[g], gate.Made{
			Seq: int64(len(made[g]) + 1), Code: code(tk), Gate: fmt.Sprintf("Gate %d", g), ScannedAt: at(0).Add(time.Duration(rng.IntN(1800)) * time.Second),
		})
	}
	return made, doubles
}

// forget takes all check-ins away.
func (h *hall) forget() {
	h.t.Helper()
	h.write(func(tx *db.Tx) error {
		sql := `DELETE FROM checkins`
		if h.db.Engine() == db.PostgreSQL {
			sql = `TRUNCATE checkins` // else all later looks pass the dead rows
		}
		_, err := tx.Exec(sql)
		if err == nil {
			_, err = tx.Exec(`UPDATE tickets SET presence = 'outside'`)
		}
		return err
	})
}

// TestMergeAgreesWithItsModel brings random entries and exits of one ticket, in random orders, some refused, and compares with a model that knows them all from
// the beginning.
func TestMergeAgreesWithItsModel(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		lists := map[gate.Policy]gate.List{gate.Single: h.list(gate.Input{}), gate.Reentry: h.list(gate.Input{Policy: gate.Reentry})}
		round := 0
		rapid.Check(t, func(t *rapid.T) {
			round++
			tk := h.ticket()
			policy := rapid.SampledFrom([]gate.Policy{gate.Single, gate.Reentry}).Draw(t, "policy")
			n := rapid.IntRange(1, 8).Draw(t, "scans")
			type event struct {
				device string
				made   gate.Made
			}
			var all []event
			for i := range n {
				all = append(all, event{fmt.Sprintf("%c%d", 'a'+rapid.IntRange(0, 2).Draw(t, "device"), round), gate.Made{
					Seq: int64(i + 1), Ticket: tk, List: lists[policy].ID, ScannedAt: at(rapid.IntRange(0, 4).Draw(t, "minute")),
					Direction: rapid.SampledFrom([]gate.Direction{gate.Entry, gate.Entry, gate.Exit}).Draw(t, "direction"),
				}})
			}
			arrival := rapid.Permutation(all).Draw(t, "arrival")
			names := map[id.Checkin]string{}
			for _, e := range arrival {
				names[h.upload(e.device, e.made)[0].Checkin.ID] = fmt.Sprintf("%s/%d", e.device, e.made.Seq)
			}
			slices.SortFunc(all, func(x, y event) int {
				if c := x.made.ScannedAt.Compare(y.made.ScannedAt); c != 0 {
					return c
				}
				if c := strings.Compare(x.device, y.device); c != 0 {
					return c
				}
				return int(x.made.Seq - y.made.Seq)
			})
			var want []string
			inside, entries, holder := false, 0, ""
			for _, e := range all {
				name := fmt.Sprintf("%s/%d", e.device, e.made.Seq)
				switch {
				case e.made.Direction == gate.Exit:
					inside = false
					want = append(want, name+" checked_out 0 ")
				case inside, entries > 0 && policy == gate.Single:
					want = append(want, name+" conflict 0 "+holder)
				default:
					inside, holder = true, name
					entries++
					want = append(want, fmt.Sprintf("%s checked_in %d ", name, entries))
				}
			}
			page, _, err := gate.Find(h.db.Read(h.t.Context()), house, gate.Filter{Ticket: tk, Limit: 100})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range page {
				got = append(got, fmt.Sprintf("%s %s %d %s", names[c.ID], c.Status(), c.Entry, names[c.Against]))
			}
			sort.Strings(got)
			sort.Strings(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("-want +got:\n%s", diff)
			}
			if h.inside(tk) != inside {
				t.Fatalf("inside is %v, want %v", !inside, inside)
			}
			told := 0
			for _, line := range meaning(h.t, h.log.take(), func(c id.Checkin) string { return names[c] }) {
				if strings.HasSuffix(line, "admitted 1 times") {
					told++
				} else if strings.Contains(line, "times") {
					t.Fatalf("told: %s", line)
				}
			}
			if (told == 1) != (entries > 0) {
				t.Fatalf("checkin.admitted was told %d times for %d entries", told, entries)
			}
		})
		h.audit()
	})
}
