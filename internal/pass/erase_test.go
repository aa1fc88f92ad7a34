package pass_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

func TestErasedPassKnowsNobody(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		mine, others := h.ticket("E"), h.ticket("E")
		make := func(of id.Ticket) *pass.Pass {
			p := h.make(pass.Input{
				Platform: pass.Apple, Ticket: of, ExternalID: "Kari's", Barcode: &pass.Barcode{Message: "Kari, row 4, " + string(of)}, Owner: wallet1, Chain: "evm", Network: "1", NFTs: []pass.NFT{{Contract: wallet3, Interface: "0x80ac58cd", TokenID: "1"}},
				Design: pass.Design{Back: []pass.Field{{Key: "name", Value: "Kari"}}},
			})
			h.put(p, "phone")
			h.put(p, "tablet")
			h.write(func(tx *db.Tx) error {
				if err := h.book.Unregister(tx, p.Serial, "tablet"); err != nil {
					return err
				}
				_, err := h.book.Link(tx, h.org, p.ID)
				return err
			})
			return p
		}
		p, other, g := make(mine), make(others), h.google(mine)
		h.write(func(tx *db.Tx) error {
			_, err := h.book.Register(tx, g.Serial, "google", "")
			return err
		})
		h.follow()
		h.touch()
		tickets := []id.Ticket{mine}
		known, err := pass.Known(h.q(), h.org, tickets)
		if err != nil || known != 6 { // owner, name and design, a barcode, an asset, two devices, a link
			t.Errorf("Known: %d, %v; want 6", known, err)
		}
		of, err := pass.Of(h.q(), h.org, tickets)
		if diff := cmp.Diff([]id.Pass{p.ID, g.ID}, of); diff != "" || err != nil {
			t.Errorf("Of (-want +got), %v:\n%s", err, diff)
		}
		before := h.told(p)
		total := 0
		for n := 1; n > 0; total += n {
			h.write(func(tx *db.Tx) (err error) {
				n, err = h.book.Erase(tx, h.org, tickets, 1)
				return err
			})
		}
		if total != known {
			t.Errorf("%d rows were erased, want %d", total, known)
		}
		if n, err := pass.Known(h.q(), h.org+1, []id.Ticket{others}); n != 0 || err != nil {
			t.Errorf("another organisation knows %d, %v", n, err)
		}
		now := h.now(p)
		if now.ExternalID != "" || string(now.Signature) == string(p.Signature) {
			t.Errorf("the erased pass is still called %q, or its barcode signed as before", now.ExternalID)
		}
		if _, err := h.book.Look(t.Context(), h.q(), h.org, "Kari, row 4, "+string(mine), time.Now()); !problem.Is(err, "pass_not_found") {
			t.Errorf("its barcode still leads to it: %v", err)
		}
		if _, err := h.book.Look(t.Context(), h.q(), h.org, "Kari, row 4, "+string(others), time.Now()); err != nil {
			t.Errorf("the other's barcode: %v", err)
		}
		if now.Owner != "" || len(now.NFTs) != 0 || len(now.Design.Back) != 0 || now.Open != 0 || !now.Active() || now.Version != p.Version+3 {
			t.Errorf("the erased pass: %+v", now)
		}
		if len(now.Registrations) != 2 || now.Registrations[0].DeletedAt.IsZero() {
			t.Errorf("its registrations: %+v", now.Registrations)
		}
		if diff := cmp.Diff(before, h.told(p)); diff != "" {
			t.Errorf("its facts (-want +got):\n%s", diff)
		}
		if serials, _ := h.changed("phone", -1); len(serials) != 1 || serials[0] != other.Serial {
			t.Errorf("the phone still has %v", serials)
		}
		if n := h.count(`pass_registrations WHERE pass_no = $1 AND (device IS NOT NULL OR push_token IS NOT NULL)`, p.No); n != 0 {
			t.Errorf("%d devices are known", n)
		}
		if n := h.count(`pass_links`); n != 1 {
			t.Errorf("there are %d links, want the other's", n)
		}
		if n := h.count(`pass_pushes WHERE pass_no = $1 AND registration_no = 0`, g.No); n != 1 {
			t.Errorf("Google is told %d times of what it has a copy of, want once", n)
		}
		if now := h.now(g); now.Open != 1 {
			t.Errorf("the pass at Google has %d open registrations, want 1", now.Open)
		}
		if now := h.now(other); now.Owner != wallet1 || len(now.NFTs) != 1 || now.Open != 1 {
			t.Errorf("the other pass: %+v", now)
		}
		h.audit()
	})
}

// rows are what columns have in all rows, with bytes in hexadecimal digits.
func (h *tour) rows(texts, bytes []string) string {
	h.t.Helper()
	var all strings.Builder
	look := func(column string, scan func(db.Rows) (string, error)) {
		table, name, _ := strings.Cut(column, ".")
		kept, err := db.All(h.q(), scan, `SELECT `+name+` FROM `+table)
		if err != nil {
			h.t.Fatalf("%s: %v", column, err)
		}
		for _, v := range kept {
			fmt.Fprintf(&all, "%s: %s\n", column, v)
		}
	}
	for _, column := range texts {
		look(column, db.Value[string])
	}
	for _, column := range bytes {
		look(column, func(r db.Rows) (string, error) {
			b, err := db.Value[[]byte](r)
			return hex.EncodeToString(b), err
		})
	}
	return all.String()
}

// Whose ticket it was before is erased without that anybody knows of their passes: nothing of theirs may be left.
func TestNothingIsLeftOfAFormerHolder(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		one := h.ticket("E")
		made := func(device string) *pass.Pass {
			p := h.make(pass.Input{
				Platform: pass.Apple, Ticket: one, Owner: wallet1, Chain: "evm", Network: "1", NFTs: []pass.NFT{{Contract: wallet3, Interface: "0x80ac58cd", TokenID: "1"}},
				Design: pass.Design{Back: []pass.Field{{Key: "name", Value: "Kari"}}},
			})
			h.put(p, device)
			h.write(func(tx *db.Tx) error {
				_, err := h.book.Link(tx, h.org, p.ID)
				return err
			})
			return p
		}
		p, revoked := made("phone"), made("tablet")
		h.write(func(tx *db.Tx) error {
			if _, err := h.book.Expire(tx, h.org, revoked.ID, pass.UserRevoke); err != nil {
				return err
			}
			return h.book.Unregister(tx, revoked.Serial, "tablet")
		})
		h.transfer(one)
		young := h.apple(one)
		h.put(young, "newphone")
		h.follow()
		all := func() string {
			return h.rows([]string{"passes.owner", "passes.nfts", "passes.design", "pass_assets.contract", "facts.data"},
				[]string{"pass_links.link", "pass_registrations.device", "pass_registrations.push_token"})
		}
		hash := func(device string) string {
			sum := sha256.Sum256([]byte("apple\x00" + device))
			return hex.EncodeToString(sum[:])
		}
		for _, what := range []string{wallet1, wallet3, "Kari", "pass_links.link"} {
			if s := all(); strings.Contains(s, what) {
				t.Errorf("after the transfer there is %s in\n%s", what, s)
			}
		}
		service := &apns{}
		stop := h.run(pass.SenderConfig{Pusher: service})
		h.await("the phone to be told", func() bool { return h.count(`pass_pushes`) == 0 })
		stop()
		if serials, _ := h.changed("phone", 0); len(serials) != 1 || service.of("phone") != 1 {
			t.Errorf("the phone was told %d times that its pass has expired, and finds %v", service.of("phone"), serials)
		}
		h.exec(`UPDATE passes SET forget_at = forget_at - $1`, (7*24*time.Hour - time.Hour).Microseconds())
		h.exec(`UPDATE passes SET forget_at = forget_at - $1 WHERE pass_no = $2`, time.Hour.Microseconds(), revoked.No)
		stop = h.run(pass.SenderConfig{})
		h.await("a device to be forgotten", func() bool { return h.count(`passes WHERE forget_at IS NOT NULL`) == 1 })
		stop()
		if now := h.now(p); now.Open != 1 {
			t.Errorf("the phone was forgotten early: %+v", now)
		}
		h.exec(`UPDATE passes SET forget_at = forget_at - $1`, time.Hour.Microseconds())
		before := h.told(p)
		h.run(pass.SenderConfig{})
		h.await("devices to be forgotten", func() bool { return h.count(`passes WHERE forget_at IS NOT NULL`) == 0 })
		for _, device := range []string{"phone", "tablet"} {
			if s := all(); strings.Contains(s, hash(device)) {
				t.Errorf("the %s is not forgotten:\n%s", device, s)
			}
		}
		if s := all(); !strings.Contains(s, hash("newphone")) {
			t.Errorf("the phone of the holder of now was forgotten:\n%s", s)
		}
		if now := h.now(p); now.Open != 0 || len(now.Registrations) != 1 || now.Registrations[0].DeletedAt.IsZero() {
			t.Errorf("the pass of before: %+v", now)
		}
		if diff := cmp.Diff(before, h.told(p)); diff != "" {
			t.Errorf("its facts (-want +got):\n%s", diff)
		}
		h.audit()
	})
}

func TestAuditSaysWhatIsWrong(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		p := h.google(h.ticket("E"))
		h.put(p, "phone")
		h.follow()
		h.audit()
		for _, broken := range []struct{ what, sql, mend string }{
			{"another count of registrations", `UPDATE passes SET opened = 0`, `UPDATE passes SET opened = 1`},
			{"a registration of an expired pass", `UPDATE passes SET expired_at = 1, expire_action = 'X'`, `UPDATE passes SET expired_at = NULL, expire_action = ''`},
			{"a scan too many", `UPDATE passes SET scans = 1`, `UPDATE passes SET scans = 0`},
			{"a scan of no time", `UPDATE passes SET last_scan_at = 1`, `UPDATE passes SET last_scan_at = NULL`},
			{"a tag of nobody", `UPDATE passes SET tag = 9`, `UPDATE passes SET tag = 0`},
			{"a picture that is not there", `INSERT INTO pass_pictures (org_id, hash, pass_no) VALUES (1, 'x', 0)`, `DELETE FROM pass_pictures`},
			{"a link of nothing", `INSERT INTO pass_links (link, org_id, pass_no, made_at) VALUES ('x', 1, 99, 1)`, `DELETE FROM pass_links`},
			{
				"a push to nobody", `INSERT INTO pass_pushes (org_id, pass_no, registration_no, event_no, again, attempts, due_at, made_at) VALUES (1, 99, 0, 0, 0, 0, 0, 0)`,
				`DELETE FROM pass_pushes`,
			},
			{"a wave of nothing", `INSERT INTO pass_waves (org_id, event_no, after_no, upto_no, objects, at) VALUES (1, 99, 0, 0, FALSE, 0)`, `DELETE FROM pass_waves`},
		} {
			h.exec(broken.sql)
			if found, err := pass.Audit(h.q()); len(found) != 1 || err != nil {
				t.Errorf("%s: Audit says %q, %v; want one sentence", broken.what, found, err)
			}
			h.exec(broken.mend)
		}
		h.audit()
	})
}
