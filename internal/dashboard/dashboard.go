// Package dashboard is the pages for the people who run an organisation: the developer who integrates, the organiser who sells, and who manages members and access.
//
// It puts the rooms together, each of which brings the pages of one subject: outbound (webhooks and deliveries), reference (what the API is), intake (developer endpoints and pull endpoints), sales
// (events, inventory, orders), guests (tickets, attendance, stamps, passes), team (members, keys, apps, audit). What they stand in is package frame. The pages are at /o/{org}/…;
// "/" leads there.
package dashboard

import (
	"embed"
	"net/http"

	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/dashboard/guests"
	"github.com/stagedoorhq/stagedoor/internal/dashboard/intake"
	"github.com/stagedoorhq/stagedoor/internal/dashboard/outbound"
	"github.com/stagedoorhq/stagedoor/internal/dashboard/reference"
	"github.com/stagedoorhq/stagedoor/internal/dashboard/sales"
	"github.com/stagedoorhq/stagedoor/internal/dashboard/team"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Config is what the rooms stand on.
type Config struct {
	Frame     frame.Config
	Outbound  outbound.Config
	Reference reference.Config
	Intake    intake.Config
	Sales     sales.Config
	Guests    guests.Config
	Team      team.Config
}

//go:embed pages/*.html
var files embed.FS

var pages = frame.Pages(files)

// New puts all pages on the mux, and returns the frame that they stand in.
func New(mux *http.ServeMux, c Config) *frame.Frame {
	f := frame.New(mux, c.Frame)
	f.Anywhere("GET /{$}", start)
	f.Anywhere("GET /organisations", organisations)
	f.Anywhere("GET /o/", nowhere)
	outbound.New(f, c.Outbound)
	reference.New(f, c.Reference)
	intake.New(f, c.Intake)
	sales.New(f, c.Sales)
	guests.New(f, c.Guests)
	team.New(f, c.Team)
	return f
}

// start leads to the organisation of somebody who belongs to one, and to their account who belongs to none.
func start(v *frame.Visit) error {
	var mine []string
	for _, m := range v.In {
		if m.Role != "" {
			mine = append(mine, "/o/"+string(m.Org.ID))
		}
	}
	switch len(mine) {
	case 0: // an attendee, whose tickets' account is all there is
		return v.To("/account")
	case 1:
		return v.To(mine[0])
	}
	return organisations(v)
}

// organisations lets somebody choose, or says what to do where there is nothing to choose from.
func organisations(v *frame.Visit) error {
	return v.Show(pages, "organisations", http.StatusOK, frame.View{Title: "Your organisations"})
}

// nowhere answers for pages that do not exist.
func nowhere(*frame.Visit) error {
	return problem.New(problem.NotFound, "no_such_page", "There is no such page. It may have been moved; the menu leads to all there are.")
}
