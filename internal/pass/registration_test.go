package pass_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// changed are the serials of a device's passes, and the tag to ask by the next time.
func (h *hall) changed(device string, since int64) ([]string, int64) {
	h.t.Helper()
	serials, tag, err := pass.Changed(h.q(), device, since)
	if err != nil {
		h.t.Fatalf("Changed(%s, %d): %v", device, since, err)
	}
	return serials, tag
}

func TestDevicesComeAndGo(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		p := h.plain(pass.Apple)
		h.registered(p, "phone")
		h.registered(p, "watch")
		for range 2 {
			if added, err := h.register(p, "phone", "token-of-phone"); added || err != nil {
				t.Errorf("Register again: %v, %v; want nothing new", added, err)
			}
		}
		if added, err := h.register(p, "phone", "another-token"); added || err != nil {
			t.Errorf("Register with another token: %v, %v; want nothing new", added, err)
		}
		for range 2 {
			if err := h.unregister(p, "phone"); err != nil {
				t.Errorf("Unregister: %v", err)
			}
		}
		if err := h.unregister(p, "tablet"); err != nil {
			t.Errorf("Unregister of a device that never had it: %v", err)
		}
		h.registered(p, "phone") // once more
		h.tells(p, "pass.created 1, registration.added 2, registration.added 3, registration.removed 4, registration.added 5")
		now := h.there(p)
		if n := len(now.Registrations); now.Open != 2 || n != 3 || now.Registrations[0].DeletedAt.IsZero() || !now.Registrations[1].DeletedAt.IsZero() || !now.Registrations[2].DeletedAt.IsZero() {
			t.Errorf("%d open of %+v, want 2 of 3, the first ended", now.Open, now.Registrations)
		}
		refused(t, "Unregister of no pass", h.unregister(&pass.Pass{Serial: "none"}, "phone"), "pass_not_found", problem.NotFound)
		_, err := h.register(&pass.Pass{Serial: "none"}, "phone", "x")
		refused(t, "Register of no pass", err, "pass_not_found", problem.NotFound)
		for _, bad := range [][2]string{{"", "x"}, {string(make([]byte, 256)), "x"}, {"phone", "a token"}, {"phone", "a/b"}} {
			if _, err := h.register(p, bad[0], bad[1]); faults(err) == "" {
				t.Errorf("Register(%.10q, %q): %v, want a fault", bad[0], bad[1], err)
			}
		}
	})
}

func TestOrganisationEndsARegistration(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		p, other := h.plain(pass.Apple), h.plain(pass.Apple)
		h.registered(p, "phone")
		remove := func(p *pass.Pass, r id.Registration) (after *pass.Pass, err error) {
			err = h.try(func(tx *db.Tx) (err error) {
				after, err = h.book.Remove(tx, house, p.ID, r)
				return err
			})
			return after, err
		}
		r := h.there(p).Registrations[0].ID
		_, err := remove(other, r)
		refused(t, "Remove of another pass's", err, "registration_not_found", problem.NotFound)
		for range 2 {
			if after, err := remove(p, r); err != nil || after.Open != 0 || after.Registrations[0].DeletedAt.IsZero() {
				t.Errorf("Remove: %+v, %v", after, err)
			}
		}
		h.tells(p, "pass.created 1, registration.added 2, registration.removed 3")
	})
}

func TestRegistrationsAreBounded(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		p := h.plain(pass.Apple)
		for i := range pass.MaxOpen {
			h.registered(p, fmt.Sprint("phone", i))
		}
		_, err := h.register(p, "one more", "x")
		refused(t, "one device too many", err, "too_many_devices", problem.TooMany)
		if added, err := h.register(p, "phone3", "x"); added || err != nil {
			t.Errorf("a device that has it: %v, %v", added, err)
		}
		for i := pass.MaxOpen; i < pass.MaxRegistered; i++ {
			if err := h.unregister(p, fmt.Sprint("phone", i-1)); err != nil {
				t.Fatal(err)
			}
			h.registered(p, fmt.Sprint("phone", i))
		}
		if err := h.unregister(p, "phone3"); err != nil {
			t.Fatal(err)
		}
		_, err = h.register(p, "one more", "x")
		refused(t, "one registration too many", err, "too_many_devices", problem.TooMany)
		now := h.there(p)
		if n := len(now.Registrations); n != 50 || now.Open != pass.MaxOpen-1 {
			t.Errorf("%d registrations are shown of which %d are open, want the newest 50 and %d", n, now.Open, pass.MaxOpen-1)
		}
		if !slices.IsSortedFunc(now.Registrations, func(a, b pass.Registration) int { return a.CreatedAt.Compare(b.CreatedAt) }) {
			t.Error("registrations do not come the oldest first")
		}
		h.told(p)
	})
}

func TestExpiredPassTakesNoDevice(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		p := h.plain(pass.Apple)
		h.registered(p, "phone")
		if _, err := h.expire(p, pass.AdminRevoke); err != nil {
			t.Fatal(err)
		}
		for _, device := range []string{"phone", "tablet"} {
			if added, err := h.register(p, device, "x"); added || err != nil {
				t.Errorf("Register of %s: %v, %v; want nothing new", device, added, err)
			}
		}
		if err := h.unregister(p, "phone"); err != nil {
			t.Error(err)
		}
		h.tells(p, "pass.created 1, registration.added 2, pass.expired 3, registration.removed 4")
	})
}

func TestAuthorizedByTokenOnly(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		p := h.plain(pass.Apple)
		token := h.face(p).Token
		if got, err := h.book.Authorized(h.q(), pass.Apple, p.Serial, token); err != nil || got.ID != p.ID {
			t.Errorf("Authorized: %v", err)
		}
		for _, c := range []struct {
			platform      pass.Platform
			serial, token string
		}{
			{pass.Apple, p.Serial, ""},
			{pass.Apple, p.Serial, token[:31]},
			{pass.Apple, p.Serial, token + "x"},
			{pass.Google, p.Serial, token},
			{pass.Apple, "none", token},
			{pass.Apple, p.Serial, h.face(h.plain(pass.Apple)).Token},
		} {
			_, err := h.book.Authorized(h.q(), c.platform, c.serial, c.token)
			refused(t, fmt.Sprintf("Authorized(%s, %s, …)", c.platform, c.serial), err, "pass_not_found", problem.NotFound)
		}
		if got, err := pass.BySerial(h.q(), pass.Apple, p.Serial); err != nil || got.ID != p.ID {
			t.Errorf("BySerial: %v", err)
		}
	})
}

func TestDeviceHearsOfEachChangeOnce(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		a, b, c := h.plain(pass.Apple), h.plain(pass.Apple), h.plain(pass.Apple)
		for _, p := range []*pass.Pass{a, b} {
			h.registered(p, "phone")
		}
		h.registered(c, "tablet")
		if serials, tag := h.changed("phone", 0); serials != nil || tag != 0 {
			t.Errorf("before any change: %v, %d", serials, tag)
		}
		if serials, _ := h.changed("phone", -1); len(serials) != 2 {
			t.Errorf("all passes: %v, want 2", serials)
		}
		h.redesign(b, "1")
		h.redesign(c, "1")
		serials, tag := h.changed("phone", 0)
		if diff := cmp.Diff([]string{b.Serial}, serials); diff != "" {
			t.Errorf("after one change (-want +got):\n%s", diff)
		}
		if again, _ := h.changed("phone", tag); again != nil {
			t.Errorf("since then: %v", again)
		}
		h.redesign(a, "1")
		h.redesign(b, "2")
		h.redesign(a, "2")
		serials, next := h.changed("phone", tag)
		if diff := cmp.Diff([]string{b.Serial, a.Serial}, serials); diff != "" || next <= tag {
			t.Errorf("after more changes, tag %d after %d (-want +got):\n%s", next, tag, diff)
		}
		for _, nobody := range []string{"", "nobody", "apple\x00phone"} {
			if serials, tag := h.changed(nobody, -1); serials != nil || tag != 0 {
				t.Errorf("Changed(%q): %v, %d", nobody, serials, tag)
			}
		}
	})
}

// TestDeviceThatComesLateHearsOfTheChangeBefore is a device that downloads a pass, which then changes before the device has registered.
func TestDeviceThatComesLateHearsOfTheChangeBefore(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		p, other := h.plain(pass.Apple), h.plain(pass.Apple)
		h.redesign(p, "1")
		h.redesign(other, "1")
		h.registered(other, "phone")
		_, tag := h.changed("phone", 0) // has all that there is
		h.registered(p, "phone")
		if devices, _ := h.pushes(p); devices != 1 {
			t.Errorf("%d devices are to be told, want 1", devices)
		}
		if serials, _ := h.changed("phone", tag); !slices.Equal(serials, []string{p.Serial}) {
			t.Errorf("the device hears of %v, want %s", serials, p.Serial)
		}
	})
}

func TestGooglesAccountsAreNoDevicesOfApples(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		p := h.plain(pass.Google)
		if added, err := h.register(p, "google", ""); !added || err != nil {
			t.Fatalf("Register: %v, %v", added, err)
		}
		h.redesign(p, "1")
		if serials, _ := h.changed("google", -1); serials != nil {
			t.Errorf("whoever says that it is Google hears of %v", serials)
		}
		if devices, object := h.pushes(p); devices != 0 || object != 1 {
			t.Errorf("%d devices and %d objects are to be told, want Google's object", devices, object)
		}
		h.exec(`DELETE FROM pass_pushes`)
		if err := h.unregister(p, "google"); err != nil {
			t.Fatal(err)
		}
		if added, err := h.register(p, "google", ""); !added || err != nil {
			t.Fatalf("Register: %v, %v", added, err)
		}
		if _, object := h.pushes(p); object != 1 {
			t.Error("Google's object, which may have been saved before the change, is not to be told")
		}
	})
}

func TestPushesOfAPassAreFew(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		p := h.plain(pass.Apple)
		h.registered(p, "phone")
		h.registered(p, "watch")
		if added, err := h.register(p, "made up", ""); !added || err != nil {
			t.Fatalf("Register without a push token: %v, %v", added, err)
		}
		if devices, _ := h.pushes(p); devices != 0 {
			t.Errorf("%d pushes before any change", devices)
		}
		for i := range 3 {
			h.redesign(p, fmt.Sprint(i))
		}
		if devices, object := h.pushes(p); devices != 2 || object != 0 {
			t.Errorf("after three changes %d devices and %d objects are to be told, want 2 and none", devices, object)
		}
		again, err := db.All(h.q(), db.Value[int64], `SELECT again FROM pass_pushes ORDER BY push_no`)
		if diff := cmp.Diff([]int64{2, 2}, again); err != nil || diff != "" {
			t.Errorf("how often there was something new (-want +got): %v\n%s", err, diff)
		}
		if err := h.unregister(p, "phone"); err != nil {
			t.Fatal(err)
		}
		if devices, _ := h.pushes(p); devices != 1 {
			t.Errorf("after one of them is gone, %d are to be told", devices)
		}
	})
}

// TestPushThatWaitsForAnotherTryIsDueByAChange leaves those alone that somebody tells just now.
func TestPushThatWaitsForAnotherTryIsDueByAChange(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		p := h.plain(pass.Apple)
		h.registered(p, "phone")
		h.registered(p, "watch")
		h.redesign(p, "1")
		told, retried := h.now().Add(20*time.Second).UnixMicro(), h.now().Add(time.Hour).UnixMicro()
		h.exec(`UPDATE pass_pushes SET due_at = CASE WHEN push_no = (SELECT min(push_no) FROM pass_pushes) THEN CAST($1 AS BIGINT) ELSE $2 END, attempts = 5`, told, retried)
		h.redesign(p, "2")
		due, err := db.All(h.q(), db.Value[int64], `SELECT due_at FROM pass_pushes WHERE attempts = 0 ORDER BY push_no`)
		if err != nil || len(due) != 2 || due[0] != told || due[1] > told {
			t.Errorf("due at %v (%v), want %d and now", due, err, told)
		}
	})
}

// TestNobodySeesATagBeforeALowerOne has many transactions change passes at once, while a device asks again and again by the tag that it got before.
func TestNobodySeesATagBeforeALowerOne(t *testing.T) {
	for name, config := range map[string]func(testing.TB) db.Config{"sqlite": dbtest.SQLite, "postgres": dbtest.PostgreSQL} {
		t.Run(name, func(t *testing.T) {
			h := open(t, dbtest.Open(t, config(t)))
			const passes, rounds = 6, 10
			heard := map[string]string{}
			var all []*pass.Pass
			for range passes {
				p := h.plain(pass.Apple)
				h.registered(p, "phone")
				all = append(all, p)
			}
			var writers sync.WaitGroup
			for _, p := range all {
				writers.Go(func() {
					for i := range rounds { // each in a transaction of its own, which other transactions overlap
						if err := h.db.WriteAlone(t.Context(), func(tx *db.Tx) error {
							_, err := h.book.Update(tx, house, p.ID, pass.Change{Design: &pass.Design{LogoText: fmt.Sprint(i)}})
							return err
						}); err != nil {
							t.Errorf("Update: %v", err)
						}
					}
				})
			}
			done := make(chan struct{})
			go func() {
				writers.Wait()
				close(done)
			}()
			tag := int64(0)
			for ended := false; ; {
				select {
				case <-done:
					ended = true
				default:
				}
				serials, next := h.changed("phone", tag)
				for _, s := range serials {
					p, err := pass.BySerial(h.q(), pass.Apple, s)
					if err != nil {
						t.Fatal(err)
					}
					heard[s] = p.Design.LogoText
				}
				if serials != nil {
					tag = next
				}
				if ended && serials == nil {
					break
				}
			}
			for _, p := range all {
				if got, want := heard[p.Serial], fmt.Sprint(rounds-1); got != want {
					t.Errorf("of pass %d the device has heard of %q, want %q", p.No, got, want)
				}
			}
		})
	}
}

// TestTagsAreInTheOrderOfTheirTransactions holds a transaction that has a tag open while another wants one.
func TestTagsAreInTheOrderOfTheirTransactions(t *testing.T) {
	h := open(t, dbtest.Open(t, dbtest.PostgreSQL(t)))
	a, b := h.plain(pass.Apple), h.plain(pass.Apple)
	h.registered(a, "phone")
	h.registered(b, "phone")
	change := func(tx *db.Tx, p *pass.Pass) error {
		_, err := h.book.Update(tx, house, p.ID, pass.Change{Design: &pass.Design{LogoText: "x"}})
		return err
	}
	has, goOn := make(chan struct{}), make(chan struct{})
	keeper, first, second := make(chan error, 1), make(chan error, 1), make(chan error, 1)
	const hold = `SELECT pg_advisory_xact_lock(7)`
	go func() {
		keeper <- h.db.WriteAlone(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(hold)
			close(has)
			<-goOn
			return err
		})
	}()
	waiting := func(want int) {
		t.Helper()
		for begun := time.Now(); ; time.Sleep(time.Millisecond) {
			waits, err := db.One(h.q(), db.Value[int], `SELECT CAST(count(*) AS BIGINT) FROM pg_locks WHERE NOT granted`)
			if err != nil {
				t.Fatal(err)
			}
			if waits >= want {
				return
			}
			if time.Since(begun) > time.Minute {
				close(goOn)
				t.Fatalf("%d transactions wait, want %d", waits, want)
			}
		}
	}
	<-has
	go func() { // takes its tag, and then cannot commit
		first <- h.db.WriteAlone(t.Context(), func(tx *db.Tx) error { return errors.Join(change(tx, a), tx.Last(hold)) })
	}()
	waiting(1)
	go func() { second <- h.db.WriteAlone(t.Context(), func(tx *db.Tx) error { return change(tx, b) }) }()
	waiting(2) // for the first
	if serials, _ := h.changed("phone", 0); serials != nil {
		t.Errorf("before the first has committed, the device hears of %v", serials)
	}
	close(goOn)
	if err := errors.Join(<-keeper, <-first, <-second); err != nil {
		t.Fatal(err)
	}
	if serials, _ := h.changed("phone", 0); !slices.Equal(serials, []string{a.Serial, b.Serial}) {
		t.Errorf("the device hears of %v, want %s and %s", serials, a.Serial, b.Serial)
	}
}

// TestManyAtOnce is more devices than a pass takes, and some that end it, in transactions that overlap.
func TestManyAtOnce(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		p := h.plain(pass.Apple)
		var all sync.WaitGroup
		var mu sync.Mutex // guards added and refusals
		added, refusals := 0, 0
		for i := range pass.MaxOpen + 10 {
			all.Go(func() {
				is := false
				err := h.db.WriteAlone(t.Context(), func(tx *db.Tx) (err error) {
					is, err = h.book.Register(tx, p.Serial, fmt.Sprint("phone", i), "x")
					return err
				})
				mu.Lock()
				defer mu.Unlock()
				switch {
				case problem.Is(err, "too_many_devices"):
					refusals++
				case err != nil || !is:
					t.Errorf("Register: %v, %v", is, err)
				default:
					added++
				}
			})
		}
		all.Wait()
		if now := h.there(p); added != pass.MaxOpen || refusals != 10 || now.Open != pass.MaxOpen {
			t.Errorf("%d devices were taken and %d refused, %d are open; want 20, 10 and 20", added, refusals, now.Open)
		}
		for range 5 {
			all.Go(func() {
				if err := h.db.WriteAlone(t.Context(), func(tx *db.Tx) error {
					_, err := h.book.Expire(tx, house, p.ID, pass.UserRevoke)
					return err
				}); err != nil {
					t.Errorf("Expire: %v", err)
				}
			})
		}
		all.Wait()
		if want := int64(1 + pass.MaxOpen + 1); h.there(p).Version != want {
			t.Errorf("version %d, want %d: created, registered 20 times, and expired once", h.there(p).Version, want)
		}
		h.told(p)
	})
}
