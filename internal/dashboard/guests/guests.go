// Package guests is the dashboard's pages about who comes: tickets and their transfers, who is at an event, the scanners at its doors, stamps, wallet passes, and the project of
// those who come from ethpass.
package guests

import (
	"embed"
	"iter"
	"strconv"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/page"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/scope"
	"github.com/stagedoorhq/stagedoor/internal/stamp"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// Config is what the pages stand on.
type Config struct {
	Tickets   *ticket.Roll
	Gates     *gate.Door
	Stamps    *stamp.Album
	Passes    *pass.Book
	Endpoints *endpoint.Book
	Engine    *delivery.Engine
	// Offered tells somebody, by mail, that a ticket of an organisation for an event was offered to them, and does not wait for it; nil where nothing is sent.
	Offered func(x ticket.Transfer, organisation, event string)
}

//go:embed pages/*.html
var files embed.FS

var pages = frame.Pages(files)

// Room has the pages.
type Room struct {
	Config
}

// New puts the pages on a frame. What each needs is what the same needs in the API.
func New(f *frame.Frame, c Config) {
	r := &Room{c}
	see, change := frame.Scope(scope.TicketsRead), frame.Scope(scope.TicketsWrite)

	f.Get("/tickets", see, r.tickets)
	f.Get("/tickets/{ticket}", see, r.ticket)
	f.Post("/tickets/{ticket}/block", change, r.block)
	f.Post("/tickets/{ticket}/unblock", change, r.unblock)
	f.Post("/tickets/{ticket}/cancel", change, r.cancel)
	f.Post("/tickets/{ticket}/holder", change, r.correct)
	f.Post("/tickets/{ticket}/offer", change, r.offer)
	f.Post("/tickets/{ticket}/rotation", frame.Scope(scope.EventsWrite), r.rotation)
	f.Get("/transfers", see, r.transfers)
	f.Post("/transfers/{ticket}/revoke", change, r.revokeOffer)

	watch, setUp := frame.Scope(scope.CheckinRead), frame.Scope(scope.EventsWrite)
	f.Get("/attendance", watch, r.attendance)
	f.Get("/attendance/{event}", watch, r.door)
	f.Get("/attendance/{event}/now", watch, r.doorNow)
	f.Get("/attendance/{event}/stream", watch, r.doorNews)
	f.Get("/attendance/{event}/checkins", watch, r.checkins)
	f.Post("/attendance/{event}/checkins/{checkin}/undo", frame.Scope(scope.CheckinWrite), r.undo)
	f.Get("/attendance/{event}/lists/new", setUp, r.newList)
	f.Post("/attendance/{event}/lists/new", setUp, r.makeList)
	f.Get("/attendance/{event}/lists/{list}", watch, r.list)
	f.Post("/attendance/{event}/lists/{list}", setUp, r.changeList)
	f.Post("/attendance/{event}/lists/{list}/delete", setUp, r.deleteList)
	f.Get("/gates", watch, r.gates)
	f.Post("/gates", setUp, r.makeGate)
	f.Post("/gates/{gate}", setUp, r.renameGate)
	f.Post("/gates/{gate}/delete", setUp, r.deleteGate)
	f.Get("/devices", frame.Admin, r.devices)
	f.Post("/devices", frame.Admin, r.makeDevice)
	f.Post("/devices/{device}/revoke", frame.Admin, r.revokeDevice)

	collect, give := frame.Scope(scope.StampsRead), frame.Scope(scope.StampsWrite)
	f.Get("/stamps", collect, r.stamps)
	f.Get("/stamps/new", give, r.newStamp)
	f.Post("/stamps/new", give, r.makeStamp)
	f.Get("/stamps/{type}", collect, r.stamp)
	f.Post("/stamps/{type}", give, r.changeStamp)
	f.Post("/stamps/{type}/delete", give, r.deleteStamp)
	f.Post("/stamps/{type}/award", give, r.award)
	f.Post("/stamps/{type}/awards/{stamp}/revoke", give, r.takeStamp)

	f.Get("/passes", see, r.passes)
	f.Get("/passes/design", see, r.design)
	f.Post("/passes/design", change, r.changeDesign)
	f.Get("/passes/{pass}", see, r.pass)
	f.Post("/passes/{pass}/expire", change, r.expire)
	f.Post("/passes/{pass}/link", change, r.linkPass)

	f.Get("/wallets", frame.Admin, r.wallets)
	f.Post("/wallets/secret", frame.Admin, r.makeProjectSecret)
	f.Post("/wallets/secret/{key}/revoke", frame.Admin, r.revokeProjectSecret)
	f.Post("/wallets/webhook", frame.Admin, r.setHook)
	f.Post("/wallets/webhook/remove", frame.Admin, r.removeHook)
	f.Post("/wallets/webhook/test", frame.Admin, r.testHook)
}

// rows goes through a list from its first page to its last, for a file. fetch returns the rows of the page that begins after a cursor ("" for the first), and where the next begins.
func rows(fetch func(after string) ([][]string, string, error)) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		for after := ""; ; {
			some, next, err := fetch(after)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, row := range some {
				if !yield(row, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			after = next
		}
	}
}

// most is how many rows of a list are read at once for a file.
const most = 100

// events are the choices of a filter by event: the hundred whose date is the furthest ahead, and the one that is chosen.
func events(v *frame.Visit, chosen string, first ...page.Option) ([]page.Option, error) {
	all, _, err := event.List(v.Read(), v.Org.No, event.Filter{Status: "all", Now: v.Now(), SortOrder: "desc", Limit: 100})
	if err != nil {
		return nil, err
	}
	options, there := first, chosen == ""
	for _, e := range all {
		options = append(options, page.Option{Value: string(e.ID), Text: e.Name + ", " + e.StartLocal[:10]})
		there = there || string(e.ID) == chosen
	}
	if !there {
		if e, err := event.ByID(v.Read(), v.Org.No, id.Event(chosen)); err == nil {
			options = append(options, page.Option{Value: chosen, Text: e.Name + ", " + e.StartLocal[:10]})
		}
	}
	return options, nil
}

// anyEvent is the choice of no event in particular.
var anyEvent = page.Option{Value: "any", Text: "All events"}

// choice is what was chosen in a filter; "" for any.
func choice(v *frame.Visit, name string) string {
	if s := v.Query(name); s != "any" {
		return s
	}
	return ""
}

func itoa(n int) string { return strconv.Itoa(n) }

// stamped is an instant in a file; nothing for none.
func stamped(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
