package app_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/app"
	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/message"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/person"
)

// failing is a context that ends when it has been asked a number of times.
type failing struct {
	context.Context
	left atomic.Int64
	done chan struct{}
}

func (f *failing) Err() error {
	switch n := f.left.Add(-1); {
	case n > 0:
		return nil
	case n == 0:
		close(f.done)
	}
	return context.Canceled
}

func (f *failing) Done() <-chan struct{} { return f.done }

// An erasure that is interrupted anywhere is finished by repeating it.
func TestAnInterruptedErasureCanBeRepeated(t *testing.T) {
	each(t, func(t *testing.T, c app.Config) {
		core := open(t, c)
		o := newOrg(t, core, "hall")
		newEndpoint(t, core, o)
		sell(t, core, o)
		reward(t, core, o)
		a := person.Of("A@example.com")
		by := audit.By{Actor: audit.Operator}
		write(t, core, func(tx *db.Tx) error {
			_, err := message.Publish(tx, core.Ledger, o.No, []message.Message{{Event: "acme.mail", Data: []byte(`{"to":"a@example.com"}`), Key: "a@example.com"}})
			return err
		})
		if err := core.DB.Configure(t.Context(), func(tx *db.Tx) error {
			u, err := core.People.Create(tx, org.UserInput{Email: "a@example.com"}, by)
			if err != nil {
				return err
			}
			_, _, invited := core.People.Invite(tx, o.No, "a@example.com", org.Member, by)
			return errors.Join(core.People.SetRole(tx, o.No, u.No, org.Owner, by), invited)
		}); err != nil {
			t.Fatal(err)
		}
		tries := 0
		for ; ; tries++ {
			ctx := &failing{Context: context.Background(), done: make(chan struct{})}
			ctx.left.Store(int64(tries + 1))
			_, err := core.Erase(ctx, o.No, a, by)
			if err == nil {
				break
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("Erase after %d questions: %v", tries, err)
			}
		}
		if tries < 5 {
			t.Errorf("it was interrupted %d times, which shows little", tries)
		}
		if _, err := org.UserByEmail(core.DB.Read(t.Context()), "a@example.com"); err == nil {
			t.Error("the account is there still")
		}
		if orders, err := order.Of(core.DB.Read(t.Context()), o.No, a); err != nil || len(orders) > 0 {
			t.Errorf("%d orders are theirs still, %v", len(orders), err)
		}
		left, err := db.One(core.DB.Read(t.Context()), db.Value[int], `SELECT (SELECT count(*) FROM fact_private WHERE data IS NOT NULL) + (SELECT count(*) FROM links)
			+ (SELECT count(*) FROM facts WHERE private AND key <> '') + (SELECT count(*) FROM members)
			+ (SELECT count(*) FROM stamps WHERE person <> '' OR note <> '') + (SELECT count(*) FROM stamp_visits)`)
		if err != nil || left != 0 {
			t.Errorf("%d rows of theirs are left, %v", left, err)
		}
		marks, err := db.One(core.DB.Read(t.Context()), db.Value[int], `SELECT count(*) FROM envelopes WHERE variant = '' AND body IS NULL`)
		if err != nil || marks != 9 {
			t.Errorf("%d facts are marked as erased, %v; want those of two orders, of their five tickets, a stamp, and a message", marks, err)
		}
		log, err := audit.List(core.DB.Read(t.Context()), o.No, audit.Filter{Action: "person.erased", Limit: 10})
		if err != nil || len(log) != 1 || !strings.HasPrefix(log[0].Subject, "usr_") {
			t.Errorf("the audit log has %+v, %v; want one entry person.erased", log, err)
		}
		if found, err := core.Audit(t.Context()); err != nil || len(found.Differences) > 0 {
			t.Errorf("Audit finds %v, %v", found.Differences, err)
		}
	})
}

// Thousands of orders go in steps.
func TestErasingManyOrders(t *testing.T) {
	each(t, func(t *testing.T, c app.Config) {
		core := open(t, c)
		o := newOrg(t, core, "hall")
		sell(t, core, o)
		write(t, core, func(tx *db.Tx) error {
			_, err := tx.Exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
				INSERT INTO order_people (order_no, org_id, email, email_lower, phone, phone_country, transfer_note, issue_reason, refund_reason)
				SELECT i, $1, 'A@example.com', 'a@example.com', '1', '+1', '', '', '' FROM n`, o.No)
			return err
		})
		done, err := core.Erase(t.Context(), 0, person.Of("a@example.com"), audit.By{Actor: audit.Operator})
		if err != nil || done.Orders != 1202 {
			t.Errorf("Erase = %+v, %v; want 1202 orders", done, err)
		}
		again, err := core.Erase(t.Context(), 0, person.Of("a@example.com"), audit.By{Actor: audit.Operator})
		if err != nil || again != (app.Erased{}) {
			t.Errorf("Erase again = %+v, %v; want nothing", again, err)
		}
	})
}
