package ticket_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
	"github.com/stagedoorhq/stagedoor/ticketcode"
)

// node is another node on the same database.
func (s *shop) node() *ticket.Roll { return ticket.New(s.log, s.db, keyring(s.t)) }

func (s *shop) codes(t ticket.Ticket) ticket.Codes {
	s.t.Helper()
	c, err := s.roll.CodesOf(s.t.Context(), s.db.Read(s.t.Context()), s.byID(s.t, t.ID), time.Now())
	if err != nil {
		s.t.Fatalf("CodesOf(%s): %v", t.ID, err)
	}
	return c
}

func (s *shop) present(code string, at time.Time) ticket.Presented {
	s.t.Helper()
	p, err := s.roll.Present(s.t.Context(), s.db.Read(s.t.Context()), house, code, at)
	if err != nil {
		s.t.Fatalf("Present: %v", err)
	}
	return p
}

func (s *shop) wants(code string, at time.Time, want ticket.Verdict) {
	s.t.Helper()
	if p := s.present(code, at); p.Verdict != want {
		s.t.Errorf("Present(%.12s…) = %s, want %s", code, p.Verdict, want)
	}
}

func (s *shop) keySet(r *ticket.Roll) *ticketcode.KeySet {
	s.t.Helper()
	keys, err := r.KeySet(s.t.Context(), s.db.Read(s.t.Context()), house)
	if err != nil {
		s.t.Fatalf("KeySet: %v", err)
	}
	return keys
}

func (s *shop) listed() []ticket.Key {
	s.t.Helper()
	all, err := ticket.Keys(s.db.Read(s.t.Context()), house)
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

func (s *shop) rotate(retire time.Time) (k ticket.Key, err error) {
	err = s.try(func(tx *db.Tx) (err error) {
		k, err = s.roll.RotateKey(tx, house, retire, audit.By{Actor: "test"})
		return err
	})
	return k, err
}

func (s *shop) retire(key ed25519.PublicKey, at time.Time) (k ticket.Key, err error) {
	err = s.try(func(tx *db.Tx) (err error) {
		k, err = s.roll.RetireKey(tx, house, key, at, audit.By{Actor: "test"})
		return err
	})
	return k, err
}

func TestCodeIsVerifiedByThePublicKeysAlone(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		all := s.bought(2)
		s.exec(`UPDATE tickets SET class = 3, valid_from = 1000000000000000, valid_until = 4000000000000000 WHERE ticket_no = $1`, all[1].No)
		for i, one := range all {
			c := s.codes(one)
			token, err := s.keySet(s.roll).Verify(c.Text, time.Now())
			if err != nil || token.Ticket.String() != string(one.ID) || token.Tag != ticketcode.EventTag(string(s.org), "E") || token.Generation != 1 {
				t.Errorf("Verify of ticket %s: %+v, %v", one.ID, token, err)
			}
			if bounded := token.Class == 3 && token.ValidFrom.Unix() == 1_000_000_000 && token.ValidUntil.Unix() == 4_000_000_000; bounded != (i == 1) {
				t.Errorf("ticket %d has the token %+v", i+1, token)
			}
			if !c.Until.IsZero() || len(c.Text) != ticketcode.TextLen || len(c.Short) != 14 {
				t.Errorf("codes: %+v", c)
			}
			other, err := s.node().CodesOf(t.Context(), d.Read(t.Context()), s.byID(t, one.ID), time.Now())
			if err != nil || other != c || s.codes(one) != c {
				t.Errorf("another node says %+v (%v), and this one says later %+v; want %+v each time", other, err, s.codes(one), c)
			}
		}
		if a, b := s.codes(all[0]), s.codes(all[1]); a.Short == b.Short {
			t.Errorf("two tickets have the short code %s", a.Short)
		}
	})
}

func TestPresentTellsWhatACodeIsWorth(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		now := time.Now()
		s.wants("7K2M-Q9XD-4TQ5", now, ticket.Unknown) // before there is any key
		all := s.bought(6)
		plain, given, void, blocked, windowed, gone := all[0], all[1], all[2], all[3], all[4], all[5]

		c := s.codes(plain)
		for _, typed := range []string{c.Text, c.Text + "\r\n", c.Short, strings.ToLower(c.Short), strings.ReplaceAll(c.Short, "-", ""), " " + strings.ReplaceAll(c.Short, "-", " ")} {
			if p := s.present(typed, now); p.Verdict != ticket.Genuine || p.Ticket.ID != plain.ID || p.Ticket.Holder.Email != kari {
				t.Errorf("Present(%q) = %s of %s, want genuine of %s", typed, p.Verdict, p.Ticket.ID, plain.ID)
			}
		}

		old := s.codes(given)
		if _, err := s.offer(given.ID, kari, ola); err != nil {
			t.Fatal(err)
		}
		s.wants(old.Text, now, ticket.Genuine) // until it is accepted
		if _, err := s.accept(given.ID, ola, ""); err != nil {
			t.Fatal(err)
		}
		fresh := s.codes(given)
		if fresh.Text == old.Text || fresh.Short == old.Short {
			t.Errorf("the new holder has a code of the old one: %+v", fresh)
		}
		for _, code := range []string{old.Text, old.Short} {
			if p := s.present(code, now); p.Verdict != ticket.Outdated || p.Ticket.ID != given.ID {
				t.Errorf("the former holder's code is %s of %s, want revoked_generation of %s", p.Verdict, p.Ticket.ID, given.ID)
			}
		}
		s.wants(fresh.Text, now, ticket.Genuine)
		s.wants(fresh.Short, now, ticket.Genuine)

		// What a ticket's validity is, the door reads from the ticket.
		ofVoid, ofBlocked := s.codes(void), s.codes(blocked)
		if _, err := s.cancel(void.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := s.block(blocked.ID); err != nil {
			t.Fatal(err)
		}
		for code, want := range map[string]ticket.Validity{ofVoid.Text: ticket.Void, ofVoid.Short: ticket.Void, ofBlocked.Text: ticket.Blocked} {
			if p := s.present(code, now); p.Verdict != ticket.Genuine || p.Ticket.Validity != want {
				t.Errorf("the code of a ticket that is %s is %s of one that is %s", want, p.Verdict, p.Ticket.Validity)
			}
		}
		if _, err := s.roll.CodesOf(t.Context(), d.Read(t.Context()), s.byID(t, void.ID), now); !problem.Is(err, "ticket_without_code") {
			t.Errorf("CodesOf a void ticket: %v, want ticket_without_code", err)
		}

		// The window is the ticket's of now, not the code's.
		w := s.codes(windowed)
		s.exec(`UPDATE tickets SET valid_from = $1, valid_until = $2, class = 7 WHERE ticket_no = $3`, now.Add(-time.Hour).UnixMicro(), now.Add(time.Hour).UnixMicro(), windowed.No)
		for _, code := range []string{w.Text, s.codes(windowed).Text, w.Short} {
			s.wants(code, now.Add(-2*time.Hour), ticket.NotYet)
			s.wants(code, now.Add(2*time.Hour), ticket.TooLate)
			if p := s.present(code, now); p.Verdict != ticket.Genuine || p.Class != 7 {
				t.Errorf("inside of the window the code is %s of class %d, want genuine of class 7", p.Verdict, p.Class)
			}
		}

		of := s.codes(gone)
		s.exec(`DELETE FROM tickets WHERE ticket_no = $1`, gone.No)
		s.wants(of.Text, now, ticket.Unknown)
		s.wants(of.Short, now, ticket.Unknown)

		_, private, _ := ed25519.GenerateKey(rand.Reader)
		for _, id := range []byte{1, 200} {
			forger, err := ticketcode.NewSigner(id, private)
			if err != nil {
				t.Fatal(err)
			}
			token, _ := ticketcode.ParseUnverified(c.Text)
			forged, _ := forger.Sign(token)
			s.wants(forged, now, ticket.BadSignature)
		}
		swapped := []byte(c.Text)
		swapped[150] ^= 1
		for _, code := range []string{"", "hello", "SD1:", c.Text[:100], c.Text + "X", "sd1:" + c.Text[4:], "0000-0000-0001", "0000-0000-0000", strings.Repeat("x", 100_000), "SD1:\x00"} {
			s.wants(code, now, ticket.Unknown)
		}
		if p := s.present(string(swapped), now); p.Verdict == ticket.Genuine || p.Ticket.ID != "" {
			t.Errorf("a changed code is %s of %s", p.Verdict, p.Ticket.ID)
		}
		if p, err := s.roll.Present(t.Context(), d.Read(t.Context()), 2, c.Text, now); err != nil || p.Verdict != ticket.Unknown {
			t.Errorf("at another organisation's door the code is %s, %v; want unknown", p.Verdict, err)
		}
	})
}

func TestKeysOverlapWhenTheyRotate(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		one := s.bought(1)[0]
		elsewhere := s.node()
		before := s.codes(one)
		if n := len(s.keySet(elsewhere).Keys()); n != 1 {
			t.Fatalf("another node has %d keys, want 1", n)
		}
		made, err := s.rotate(time.Time{})
		if err != nil || made.ID != 2 || !made.Signs {
			t.Fatalf("RotateKey: %+v, %v", made, err)
		}
		after := s.codes(one)
		if token, err := s.keySet(s.roll).Verify(after.Text, time.Now()); err != nil || token.KeyID != 2 {
			t.Errorf("the code after the rotation is by key %d, %v; want 2", token.KeyID, err)
		}
		if after.Short != before.Short {
			t.Errorf("the short code became another with the key: %s, was %s", after.Short, before.Short)
		}
		s.wants(before.Text, time.Now(), ticket.Genuine)
		s.wants(after.Text, time.Now(), ticket.Genuine)
		for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) { // the other node hears of it
			if len(s.keySet(elsewhere).Keys()) == 2 {
				break
			}
			if time.Since(begun) > time.Minute {
				t.Fatal("another node does not hear of the new key")
			}
		}

		first := s.listed()[1]
		if _, err := s.retire(made.Public, time.Time{}); !problem.Is(err, "key_signs") {
			t.Errorf("RetireKey of the one that signs: %v, want key_signs", err)
		}
		if _, err := s.retire(make([]byte, 32), time.Time{}); !problem.Is(err, "ticket_key_not_found") {
			t.Errorf("RetireKey of none: %v, want ticket_key_not_found", err)
		}
		end := time.Now().Add(time.Hour)
		if k, err := s.retire(first.Public, end); err != nil || k.RetiresAt.Unix() != end.Unix() {
			t.Fatalf("RetireKey: %+v, %v", k, err)
		}
		s.wants(before.Text, time.Now(), ticket.Genuine)
		s.wants(before.Text, end.Add(time.Minute), ticket.BadSignature)
		if _, err := s.retire(first.Public, time.Time{}); err != nil {
			t.Fatal(err)
		}
		s.wants(before.Text, time.Now().Add(time.Second), ticket.BadSignature)
		s.wants(after.Text, time.Now().Add(time.Second), ticket.Genuine)
		if k, err := s.retire(first.Public, end); err != nil || !k.RetiresAt.Before(end) {
			t.Errorf("RetireKey of a retired key for later: %+v, %v; want it to stay so", k, err)
		}
		if k, err := s.rotate(time.Now()); err != nil || k.ID != 3 {
			t.Fatalf("RotateKey: %+v, %v", k, err)
		}
		s.wants(after.Text, time.Now().Add(time.Second), ticket.BadSignature)

		told, err := audit.List(d.Read(t.Context()), house, audit.Filter{Limit: 100})
		var actions []string
		for _, e := range told {
			if strings.HasPrefix(e.Action, "ticket_key.") {
				actions = append(actions, strings.TrimPrefix(e.Action, "ticket_key.")+" "+e.Subject)
			}
		}
		if got := strings.Join(actions, ", "); err != nil || got != "rotated 3.3, retired 1.1, retired 1.1, rotated 2.2" {
			t.Errorf("the audit log tells %s (%v)", got, err)
		}
	})
}

func TestPrivateKeysAreSealed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		one := s.bought(1)[0]
		c := s.codes(one)
		rows, err := db.All(d.Read(t.Context()), db.Value[[]byte], `SELECT private FROM ticket_keys UNION ALL SELECT secret FROM ticket_codebooks`)
		if err != nil || len(rows) != 2 {
			t.Fatalf("%d secrets, %v", len(rows), err)
		}
		for _, sealed := range rows {
			if len(sealed) == 32 || bytes.Contains(sealed, []byte(c.Short)) {
				t.Errorf("a secret of %d bytes is not sealed", len(sealed))
			}
		}
	})
}

func TestKeyIDsComeAgainWhenTheirKeyIsRetired(t *testing.T) {
	s := open(t, dbtest.Open(t, dbtest.SQLite(t)))
	for n := 2; n <= 255; n++ { // the first was made with the codebook
		if k, err := s.rotate(time.Time{}); err != nil || k.ID != n {
			t.Fatalf("RotateKey: %d, %v; want %d", k.ID, err, n)
		}
	}
	if _, err := s.rotate(time.Time{}); !problem.Is(err, "too_many_keys") {
		t.Fatalf("RotateKey with 255 keys: %v, want too_many_keys", err)
	}
	if _, err := s.retire(s.listed()[254].Public, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if k, err := s.rotate(time.Time{}); err != nil || k.ID != 1 || len(s.listed()) != 255 {
		t.Errorf("RotateKey: %d, %v, of %d; want 1 of 255", k.ID, err, len(s.listed()))
	}
}

func TestNodesThatStartTogetherMakeOneKey(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		one := s.bought(1)[0]
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if _, err := s.node().CodesOf(t.Context(), d.Read(t.Context()), one, time.Now()); err != nil {
					t.Errorf("CodesOf: %v", err)
				}
			})
		}
		all.Wait()
		if n := len(s.listed()); n != 1 {
			t.Errorf("%d keys, want 1", n)
		}
		before := len(s.listed())
		for range 4 {
			all.Go(func() {
				if _, err := s.rotate(time.Time{}); err != nil {
					t.Errorf("RotateKey: %v", err)
				}
			})
		}
		all.Wait()
		if n := len(s.listed()); n != before+4 {
			t.Errorf("%d keys after 4 rotations at once, want %d", n, before+4)
		}
	})
}

func TestShortCodeThatIsAnothersIsNotGivenTwice(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		all := s.bought(2)
		was := s.codes(all[0]).Short
		s.exec(`UPDATE ticket_short_codes SET ticket_no = $1`, all[1].No) // as if the other's had come out the same
		now := s.codes(all[0]).Short
		if now == was || s.codes(all[0]).Short != now {
			t.Errorf("the short code is %s, then %s; want one that is not %s", now, s.codes(all[0]).Short, was)
		}
		if p := s.present(now, time.Now()); p.Ticket.ID != all[0].ID {
			t.Errorf("%s is of %s, want %s", now, p.Ticket.ID, all[0].ID)
		}
		if p := s.present(was, time.Now()); p.Ticket.ID != all[1].ID {
			t.Errorf("%s is of %s, want %s", was, p.Ticket.ID, all[1].ID)
		}
	})
}

func TestRotatingCodesAreGoodForAMoment(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		one := s.bought(1)[0]
		static := s.codes(one)
		err := s.try(func(tx *db.Tx) error { return s.roll.Rotate(tx, house, "E", 40*time.Second) })
		if p := problem.As(err); p == nil || len(p.Fields) != 1 || p.Fields[0].Pointer != "/stepSeconds" {
			t.Errorf("Rotate every 40 s: %v, want a fault at /stepSeconds", err)
		}
		if err := s.try(func(tx *db.Tx) error { return s.roll.Rotate(tx, house, "none", 0) }); !problem.Is(err, "event_not_found") {
			t.Errorf("Rotate of no event: %v", err)
		}
		s.write(t, func(tx *db.Tx) error { return s.roll.Rotate(tx, house, "E", 15*time.Second) })

		shown := s.codes(one)
		if len(shown.Text) != ticketcode.RotatingLen || !strings.HasPrefix(shown.Text, static.Text) || shown.Until.Unix()%15 != 0 || shown.Short != static.Short {
			t.Errorf("codes: %+v", shown)
		}
		is, rotates, err := s.roll.RotationOf(d.Read(t.Context()), house, one.EventNo)
		if err != nil || !rotates || is.Step != 15*time.Second || len(is.Seed) != 32 {
			t.Fatalf("RotationOf: %v %v, %v", is.Step, rotates, err)
		}
		at := shown.Until.Add(-time.Second)
		s.wants(shown.Text, at, ticket.Genuine)
		s.wants(shown.Text, at.Add(time.Minute), ticket.NotCurrent)
		s.wants(static.Text, at, ticket.NotCurrent)
		s.wants(shown.Short, at, ticket.Genuine) // typed by staff
		if p := s.present(static.Text, at); p.Ticket.ID != one.ID {
			t.Errorf("a picture of the code is of %q, want %s: staff see whose it is", p.Ticket.ID, one.ID)
		}
		// A gate without network comes to the same, by the keys and the seed.
		gate, err := ticketcode.NewRotation(is.Seed, is.Step, is.Algorithm)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := gate.Verify(s.keySet(s.roll), shown.Text, at); err != nil {
			t.Errorf("a gate refuses the code: %v", err)
		}
		if _, err := gate.Verify(s.keySet(s.roll), shown.Text, at.Add(time.Minute)); !errors.Is(err, ticketcode.NotCurrent) {
			t.Errorf("a gate takes a code of a minute ago: %v", err)
		}

		s.write(t, func(tx *db.Tx) error { return s.roll.Rotate(tx, house, "E", 20*time.Second) })
		if again, _, _ := s.roll.RotationOf(d.Read(t.Context()), house, one.EventNo); !bytes.Equal(again.Seed, is.Seed) || again.Step != 20*time.Second {
			t.Errorf("another step changed the seed, or did not change the step: %v", again.Step)
		}
		s.write(t, func(tx *db.Tx) error { return s.roll.StopRotating(tx, house, "E") })
		if s.codes(one) != static {
			t.Errorf("the codes do not rotate any more, and are %+v, want %+v", s.codes(one), static)
		}
		s.wants(static.Text, at, ticket.Genuine)
		s.wants(shown.Text, at, ticket.Genuine) // what a wallet still shows
	})
}

// TestCodesInATransaction: whoever buys is shown the codes in the transaction that makes the tickets, keys and all.
func TestCodesInATransaction(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		one := s.bought(1)[0]
		var inside ticket.Codes
		undone := errors.New("undone")
		err := s.try(func(tx *db.Tx) error {
			if _, err := s.roll.CodesOf(t.Context(), tx, one, tx.Now()); err != nil {
				return err
			}
			return undone
		})
		if !errors.Is(err, undone) || len(s.listed()) != 0 {
			t.Fatalf("%v; %d keys of a transaction that was undone", err, len(s.listed()))
		}
		s.write(t, func(tx *db.Tx) (err error) {
			if inside, err = s.roll.CodesOf(t.Context(), tx, one, tx.Now()); err != nil {
				return err
			}
			p, err := s.roll.Present(t.Context(), tx, house, inside.Short, tx.Now())
			if err == nil && p.Verdict != ticket.Genuine {
				t.Errorf("in its own transaction the short code is %s", p.Verdict)
			}
			return err
		})
		if outside := s.codes(one); outside != inside {
			t.Errorf("codes: %+v after the transaction, %+v in it", outside, inside)
		}
	})
}

// counting counts the queries.
type counting struct {
	db.Querier
	n int
}

func (c *counting) Query(sql string, args ...any) (db.Rows, error) {
	c.n++
	return c.Querier.Query(sql, args...)
}

// TestPresentReadsOneRow: and none for what nobody has signed. Once in a second the codebook is looked at too, so the best of some tries counts.
func TestPresentReadsOneRow(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		c := s.codes(s.bought(1)[0])
		forged := []byte(c.Text)
		copy(forged[140:], "0000")
		for code, want := range map[string]int{c.Text: 1, c.Short: 1, string(forged): 0, "hello": 0} {
			best := 100
			for range 20 {
				q := &counting{Querier: d.Read(t.Context())}
				if _, err := s.roll.Present(t.Context(), q, house, code, time.Now()); err != nil {
					t.Fatal(err)
				}
				best = min(best, q.n)
			}
			if best != want {
				t.Errorf("Present(%.12s…) takes %d queries, want %d", code, best, want)
			}
		}
	})
}

func TestWalletsMakeTheCodesThatTheDoorTakes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		one := s.bought(1)[0]
		wallet := func() ticket.WalletCode {
			t.Helper()
			c, err := s.roll.WalletCode(t.Context(), d.Read(t.Context()), s.byID(t, one.ID))
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		c, shown := wallet(), s.codes(one)
		if c.Static != shown.Text || c.Short != shown.Short || c.Step != 0 || c.Secret != nil {
			t.Errorf("WalletCode = %+v, want what CodesOf says, %+v", c, shown)
		}
		s.write(t, func(tx *db.Tx) error { return s.roll.Rotate(tx, house, "E", 20*time.Second) })
		c = wallet()
		if c.Static != shown.Text || c.Step != 20*time.Second || len(c.Secret) != 20 {
			t.Fatalf("WalletCode where codes rotate: %d characters, step %v, a secret of %d bytes", len(c.Static), c.Step, len(c.Secret))
		}
		at := time.Unix(1_800_000_007, 0) // what follows is the wallet's own work (RFC 6238)
		s.wants(fmt.Sprintf("%s-%d-%s", c.Static, at.Unix(), totp(c.Secret, at.Unix()/20)), at, ticket.Genuine)
		s.wants(fmt.Sprintf("%s-%d-%s", c.Static, at.Unix(), totp(c.Secret, at.Unix()/20+1)), at, ticket.NotCurrent)

		if _, err := s.cancel(one.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := s.roll.WalletCode(t.Context(), d.Read(t.Context()), s.byID(t, one.ID)); !problem.Is(err, "ticket_without_code") {
			t.Errorf("WalletCode of a void ticket: %v, want ticket_without_code", err)
		}
	})
}

// totp is the password of a time step (RFC 4226 §5.3, with 8 digits).
func totp(secret []byte, step int64) string {
	m := hmac.New(sha1.New, secret)
	m.Write(binary.BigEndian.AppendUint64(nil, uint64(step)))
	sum := m.Sum(nil)
	at := sum[len(sum)-1] & 15
	return fmt.Sprintf("%08d", binary.BigEndian.Uint32(sum[at:])&0x7fffffff%100_000_000)
}
