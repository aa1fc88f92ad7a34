package org_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/org"
)

func TestSweepForgetsWhatIsOver(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u := h.user("kari@example.com")
		_, cookie := h.session(u, in("", ""))
		link := h.link(org.Reset, u)
		_ = h.attempt(in("nobody@example.com", "not the password"))
		count := func() (n [3]int64) {
			for i, table := range []string{"sessions", "links", "sign_in_failures"} {
				var err error
				if n[i], err = db.One(h.q(), db.Value[int64], `SELECT count(*) FROM `+table); err != nil {
					t.Fatal(err)
				}
			}
			return n
		}
		keep := count()
		h.must("what is over", func(tx *db.Tx) error {
			over := tx.Micros()
			for i := range 2500 { // more than one step takes
				name := fmt.Sprintf("old%d", i)
				for _, sql := range []string{
					`INSERT INTO sessions (id, hash, user_no, agent, address, created_at, seen_at, expires_at) VALUES ($1, $2, 1, '', '', 0, 0, $3)`,
					`INSERT INTO links (id, hash, kind, org_id, user_no, email, role, created_at, expires_at) VALUES ($1, $2, 'reset', 0, 1, '', '', 0, $3)`,
				} {
					if err := tx.Later(sql, name, []byte(name), over); err != nil {
						return err
					}
				}
				if err := tx.Later(`INSERT INTO sign_in_failures (name, failures, until, forget) VALUES ($1, 1, 0, $2)`, []byte(name), over); err != nil {
					return err
				}
			}
			return nil
		})
		if err := h.Sweep(h.ctx()); err != nil {
			t.Fatalf("Sweep: %v", err)
		}
		if left := count(); left != keep {
			t.Errorf("Sweep left %v, want %v", left, keep)
		}
		if _, _, err := h.SessionOf(h.ctx(), cookie, time.Now()); err != nil {
			t.Errorf("Sweep ended a session: %v", err)
		}
		if _, err := h.use(org.Reset, link.secret); err != nil {
			t.Errorf("Sweep ended a link: %v", err)
		}
	})
}
