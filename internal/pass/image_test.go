package pass_test

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// picture stores a picture.
func (h *tour) picture(png string) (hash string) {
	h.t.Helper()
	h.write(func(tx *db.Tx) (err error) {
		hash, err = h.book.PutImage(tx, h.org, []byte(png))
		return err
	})
	return hash
}

// A picture stays while an active pass or the project's design names it, and for a day after somebody brought or named it.
func TestPicturesThatNothingNamesGo(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		looks := func(names ...string) pass.Design {
			d := pass.Design{Images: map[string]string{}}
			for i, name := range names {
				d.Images[pass.ImageKinds()[i]] = h.picture(name)
			}
			return d
		}
		paint := func(names ...string) {
			d := looks(names...)
			h.write(func(tx *db.Tx) error { return h.book.SetProjectDesign(tx, h.org, d) })
		}
		of, erased := h.ticket("E"), h.ticket("E")
		h.make(pass.Input{Platform: pass.Apple, Ticket: of, Design: looks("shared", "named")})
		over := h.make(pass.Input{Platform: pass.Apple, Ticket: of, Design: looks("shared", "of a pass that expired")})
		other := h.make(pass.Input{Platform: pass.Google, Ticket: of, Design: looks("of a pass that changed")})
		h.make(pass.Input{Platform: pass.Google, Ticket: erased, Design: looks("of nobody any more")})
		paint("of the project before")
		paint("of the project")
		now := looks("of a pass now")
		h.write(func(tx *db.Tx) error {
			if _, err := h.book.Update(tx, h.org, other.ID, pass.Change{Design: &now}); err != nil {
				return err
			}
			if _, err := h.book.Expire(tx, h.org, over.ID, pass.AdminRevoke); err != nil {
				return err
			}
			_, err := h.book.Erase(tx, h.org, []id.Ticket{erased}, 100)
			return err
		})
		for _, name := range []string{"nothing", "brought again", "named again"} {
			h.picture(name)
		}
		h.audit()
		h.exec(`UPDATE pass_images SET at = at - 86400000000`)
		h.picture("brought again")
		h.picture("just brought")
		h.make(pass.Input{Platform: pass.Google, Ticket: of, Design: pass.Design{Images: map[string]string{"logo": sum("named again")}}, Barcode: &pass.Barcode{Message: "x"}})
		stay := map[string]bool{
			"shared": true, "named": true, "of the project": true, "of a pass now": true, "brought again": true, "just brought": true, "named again": true,
			"of a pass that expired": false, "of a pass that changed": false, "of nobody any more": false, "of the project before": false, "nothing": false,
		}
		h.run(pass.SenderConfig{})
		h.await("pictures to go", func() bool { return h.count(`pass_images`) <= 7 })
		there := map[string]bool{}
		for name := range stay {
			_, err := pass.ImageByHash(h.q(), sum(name))
			if there[name] = err == nil; err != nil && !problem.Is(err, "image_not_found") {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(stay, there); diff != "" {
			t.Errorf("the pictures that are there (-want +got):\n%s", diff)
		}
		h.audit()
	})
}

// The bound is the organisation's own, and who meets it reads what to do.
func TestPicturesAreBounded(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		h.exec(`INSERT INTO pass_images (org_id, hash, type, at, body)
			WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT 1, CAST(i AS TEXT), 'image/png', 0, 'x' FROM n`)
		err := h.try(func(tx *db.Tx) error {
			_, err := h.book.PutImage(tx, h.org, []byte("one more"))
			return err
		})
		if !problem.Is(err, "too_many_images") || h.count(`pass_images`) != pass.MaxImages {
			t.Errorf("a picture too many: %v, and there are %d", err, h.count(`pass_images`))
		}
		h.write(func(tx *db.Tx) error {
			_, err := h.book.PutImage(tx, h.org+1, []byte("one more"))
			return err
		})
	})
}

// sum is what a picture is called.
func sum(png string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(png))) }
