package app_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/app"
	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/org"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// each runs f with an installation on SQLite and with one on PostgreSQL.
func each(t *testing.T, f func(t *testing.T, c app.Config)) {
	t.Helper()
	base := func(t *testing.T) app.Config {
		return app.Config{Data: t.TempDir(), Log: slog.New(slog.DiscardHandler), Getenv: func(string) string { return "" }}
	}
	t.Run("sqlite", func(t *testing.T) { f(t, base(t)) })
	t.Run("postgres", func(t *testing.T) {
		c := base(t)
		c.Database = dbtest.PostgreSQL(t).URL
		f(t, c)
	})
}

func open(t *testing.T, c app.Config) *app.Core {
	t.Helper()
	core, err := app.Open(t.Context(), c)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = core.Close() })
	return core
}

func write(t *testing.T, core *app.Core, fn func(tx *db.Tx) error) {
	t.Helper()
	if err := core.DB.Write(t.Context(), "", fn); err != nil {
		t.Errorf("Write: %v", err) // also from goroutines of tests
	}
}

func newOrg(t *testing.T, core *app.Core, slug string) org.Org {
	t.Helper()
	var o org.Org
	write(t, core, func(tx *db.Tx) (err error) {
		o, err = org.Create(tx, org.Input{Name: slug, Slug: slug})
		return err
	})
	return o
}

func newEndpoint(t *testing.T, core *app.Core, o org.Org) {
	t.Helper()
	url, err := core.Endpoints.OperatorURL("https://receiver.invalid/in")
	if err == nil {
		err = core.DB.Configure(t.Context(), func(tx *db.Tx) error {
			_, err := core.Endpoints.Create(tx, o.No, endpoint.Spec{URL: url, Format: "standard", Events: []string{"*"}}, audit.By{})
			return err
		})
	}
	if err != nil {
		t.Fatalf("make an endpoint: %v", err)
	}
}

// sell makes an event with ten places and sells two and three of them.
func sell(t *testing.T, core *app.Core, o org.Org) {
	t.Helper()
	write(t, core, func(tx *db.Tx) error {
		e, err := core.Events.Create(tx, o.No, event.Input{Name: "Night", StartLocal: time.Now().AddDate(0, 1, 0).UTC().Format(event.Layout)})
		if err != nil {
			return err
		}
		l, err := core.Stock.Create(tx, o.No, inventory.Input{Event: e.ID, Section: "A", Row: "1", Quantity: 10, Price: "20.00"})
		if err != nil {
			return err
		}
		for _, n := range []int{2, 3} {
			_, _, err := core.Orders.Place(tx, o.No, order.Input{
				Event: e.ID, Listing: l.ID, Quantity: n,
				Customer: order.Customer{Email: "a@example.com", Phone: order.Phone{Number: "5550100", CountryCode: "+1"}},
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func contains(list []string, part string) bool {
	for _, s := range list {
		if strings.Contains(s, part) {
			return true
		}
	}
	return false
}

// errUndo has a transaction undone.
var errUndo = errors.New("undo")
