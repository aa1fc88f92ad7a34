package frame

import "github.com/stagedoorhq/stagedoor/internal/scope"

// Entry is one line of the navigation.
type Entry struct {
	Path, Text string
	need       Need
}

// Section is a group of entries: what one kind of person works with.
type Section struct {
	Text    string
	Entries []Entry
}

// sections are all there is. Every path is a page of a room.
var sections = []Section{
	{"Organise", []Entry{
		{"/events", "Events", Scope(scope.EventsRead)},
		{"/venues", "Venues", Scope(scope.EventsRead)},
		{"/orders", "Orders", Scope(scope.TicketsRead)},
		{"/tickets", "Tickets", Scope(scope.TicketsRead)},
		{"/transfers", "Transfers", Scope(scope.TicketsRead)},
		{"/attendance", "Attendance", Scope(scope.CheckinRead)},
		{"/stamps", "Stamps", Scope(scope.StampsRead)},
		{"/passes", "Passes", Scope(scope.TicketsRead)},
		{"/imports", "Imports", Scope(scope.EventsWrite)},
		{"/devices", "Door devices", Admin},
	}},
	{"Develop", []Entry{
		{"/webhooks", "Webhooks", Scope(scope.WebhooksManage)},
		{"/deliveries", "Deliveries", Scope(scope.WebhooksManage)},
		{"/charts", "Charts", Scope(scope.WebhooksManage)},
		{"/inspector", "Inspector", Scope(scope.WebhooksManage)},
		{"/pull", "Pull endpoints", Scope(scope.WebhooksManage)},
		{"/debugger", "Signature debugger", Scope(scope.WebhooksManage)},
		{"/reference", "API reference", Member},
	}},
	{"Manage", []Entry{
		{"/members", "Members", Admin},
		{"/keys", "API keys", Admin},
		{"/apps", "Apps", Admin},
		{"/wallets", "Wallet project", Admin},
		{"/audit", "Audit log", Admin},
	}},
}

// Sections are those of the navigation that the viewer may go to.
func (d View) Sections() []Section {
	if d.Who == nil {
		return nil
	}
	var all []Section
	for _, s := range sections {
		mine := Section{Text: s.Text}
		for _, e := range s.Entries {
			if e.need.Met(d.Who) {
				mine.Entries = append(mine.Entries, e)
			}
		}
		if len(mine.Entries) > 0 {
			all = append(all, mine)
		}
	}
	return all
}

// May tells whether the viewer's role allows something, for what a page offers.
func (d View) May(s string) bool {
	one, ok := scope.Named(s)
	return ok && d.Who != nil && d.Who.May(one)
}

// Administrates tells whether the viewer administrates the organisation.
func (d View) Administrates() bool { return d.Who != nil && d.Who.Admin }
