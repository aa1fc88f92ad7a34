package native

import (
	"context"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

type limitsJSON struct {
	PerDay     count `json:"perDay,omitempty" minimum:"0" maximum:"100000" doc:"Entries of a ticket on a day of the event's place; 0 for no limit."`
	PerGate    count `json:"perGate,omitempty" minimum:"0" maximum:"100000" doc:"Entries of a ticket through one gate; 0 for no limit."`
	MinMinutes count `json:"minMinutes,omitempty" minimum:"0" maximum:"100000" doc:"Between two entries of a ticket; 0 for no limit."`
}

type doorListJSON struct {
	ID        string     `json:"id,omitempty" doc:"Left out for an event's default that was never made."`
	EventID   string     `json:"eventId"`
	Name      string     `json:"name"`
	Default   bool       `json:"default" doc:"Used where no list is named."`
	Policy    string     `json:"policy" enum:"single,reentry" doc:"reentry lets people in again after they left."`
	Classes   []int      `json:"classes" nullable:"false" doc:"Kinds of tickets that are admitted, as codes name them; empty for all."`
	Sections  []string   `json:"sections" nullable:"false" doc:"Sections that are admitted, of which a ticket type's name is one; empty for all."`
	Gates     []string   `json:"gates" nullable:"false" doc:"Ids of gates through which people come; empty for all."`
	Limits    limitsJSON `json:"limits"`
	OpensAt   *string    `json:"opensAt" format:"date-time" doc:"null: nothing is too early."`
	ClosesAt  *string    `json:"closesAt" format:"date-time" doc:"null: nothing is too late."`
	Display   []string   `json:"display" nullable:"false" enum:"name,email,section,row,seat,orderId" doc:"What of a ticket is shown at the door."`
	Version   int64      `json:"version" doc:"Grows with every change; the ETag."`
	CreatedAt string     `json:"createdAt,omitempty" format:"date-time"`
	UpdatedAt string     `json:"updatedAt,omitempty" format:"date-time"`
}

func newDoorList(l gate.List) doorListJSON {
	r := l.Rules
	return doorListJSON{
		ID: string(l.ID), EventID: string(l.Event), Name: l.Name, Default: l.Standard, Policy: string(l.Policy), Classes: append([]int{}, r.Classes...),
		Sections: append([]string{}, r.Sections...), Gates: texts(r.Gates), Limits: limitsJSON{count(r.PerDay), count(r.PerGate), count(r.MinMinutes)},
		OpensAt: orNull(maybe(l.OpensAt)), ClosesAt: orNull(maybe(l.ClosesAt)), Display: append([]string{}, r.Display...), Version: l.Version,
		CreatedAt: maybe(l.CreatedAt), UpdatedAt: maybe(l.UpdatedAt),
	}
}

func showList(l gate.List) answer[doorListJSON] {
	return answer[doorListJSON]{body: newDoorList(l), version: l.Version}
}

type doorListsInput struct {
	Paging
	EventQuery
}

func (a *API) listLists(ctx context.Context, c *call, in *doorListsInput) (answer[list[doorListJSON, noFilters]], error) {
	if err := c.mayEvent(in.event()); err != nil {
		return answer[list[doorListJSON, noFilters]]{}, err
	}
	all, err := gate.Lists(a.DB.Read(ctx), c.Org, in.event())
	if err != nil {
		return answer[list[doorListJSON, noFilters]]{}, err
	}
	return pageOf(c, in.Paging, "checkin-lists "+string(in.event()), all, newDoorList)
}

type doorListInputJSON struct {
	EventID  string      `json:"eventId"`
	Name     string      `json:"name"`
	Default  bool        `json:"default,omitempty"`
	Policy   string      `json:"policy,omitempty" enum:"single,reentry" doc:"single when left out."`
	Classes  []int       `json:"classes,omitempty" nullable:"false"`
	Sections []string    `json:"sections,omitempty" nullable:"false"`
	Gates    []string    `json:"gates,omitempty" nullable:"false"`
	Limits   *limitsJSON `json:"limits,omitempty" nullable:"false"`
	OpensAt  time.Time   `json:"opensAt,omitzero"`
	ClosesAt time.Time   `json:"closesAt,omitzero"`
	Display  *[]string   `json:"display,omitempty" nullable:"false" enum:"name,email,section,row,seat,orderId" doc:"section, row, seat and orderId when left out."`
}

type doorListInput struct {
	Body doorListInputJSON
}

func gateIDs(list []string) []id.Gate {
	all := make([]id.Gate, len(list))
	for i, g := range list {
		all[i] = id.Gate(g)
	}
	return all
}

func (a *API) createList(tx *db.Tx, c *call, in *doorListInput) (answer[doorListJSON], error) {
	b := in.Body
	to := gate.Input{
		Event: id.Event(b.EventID), Name: b.Name, Standard: b.Default, Policy: gate.Policy(b.Policy), OpensAt: b.OpensAt, ClosesAt: b.ClosesAt,
		Rules: gate.Rules{Classes: b.Classes, Sections: b.Sections, Gates: gateIDs(b.Gates)},
	}
	limit(&to.Rules, b.Limits)
	if b.Display != nil {
		to.Rules.Display = append([]string{}, *b.Display...)
	}
	l, err := gate.CreateList(tx, c.Org, to)
	if err != nil {
		return answer[doorListJSON]{}, err
	}
	out := showList(l)
	out.location = listsPath + "/" + string(l.ID)
	return out, nil
}

func limit(r *gate.Rules, l *limitsJSON) {
	if l != nil {
		r.PerDay, r.PerGate, r.MinMinutes = int(l.PerDay), int(l.PerGate), int(l.MinMinutes)
	}
}

// ListPath names a check-in list.
type ListPath struct {
	ListID string `path:"listId"`
}

func (a *API) checkinList(ctx context.Context, c *call, in *ListPath) (answer[doorListJSON], error) {
	l, err := gate.ListByID(a.DB.Read(ctx), c.Org, id.CheckinList(in.ListID))
	if err == nil {
		err = c.mayEvent(l.Event)
	}
	if err != nil {
		return answer[doorListJSON]{}, err
	}
	return showList(l), nil
}

type doorListPatchJSON struct {
	Name     *string     `json:"name,omitempty" nullable:"false"`
	Default  *bool       `json:"default,omitempty" nullable:"false"`
	Policy   *string     `json:"policy,omitempty" enum:"single,reentry" nullable:"false"`
	Classes  *[]int      `json:"classes,omitempty" nullable:"false"`
	Sections *[]string   `json:"sections,omitempty" nullable:"false"`
	Gates    *[]string   `json:"gates,omitempty" nullable:"false"`
	Limits   *limitsJSON `json:"limits,omitempty" nullable:"false" doc:"All of them anew."`
	OpensAt  moment      `json:"opensAt,omitempty" doc:"null: nothing is too early."`
	ClosesAt moment      `json:"closesAt,omitempty" doc:"null: nothing is too late."`
	Display  *[]string   `json:"display,omitempty" nullable:"false" enum:"name,email,section,row,seat,orderId"`
}

type doorListPatch struct {
	ListPath
	IfMatch string `header:"If-Match" doc:"The ETag of what the change is made for; 412 when it has changed since."`
	Body    doorListPatchJSON
}

func (a *API) changeList(tx *db.Tx, c *call, in *doorListPatch) (answer[doorListJSON], error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return answer[doorListJSON]{}, err
	}
	b := in.Body
	var f problem.Fields
	opens, closes := b.OpensAt.time(&f, "/opensAt"), b.ClosesAt.time(&f, "/closesAt")
	if err := f.Err(); err != nil {
		return answer[doorListJSON]{}, err
	}
	l, err := gate.UpdateList(tx, c.Org, id.CheckinList(in.ListID), gate.ListChange{Version: version, Apply: func(to *gate.Input) {
		replace(&to.Name, b.Name)
		replace(&to.Standard, b.Default)
		replace(&to.Policy, (*gate.Policy)(b.Policy))
		replace(&to.Rules.Classes, b.Classes)
		replace(&to.Rules.Sections, b.Sections)
		replace(&to.Rules.Display, b.Display)
		replace(&to.OpensAt, opens)
		replace(&to.ClosesAt, closes)
		if b.Gates != nil {
			to.Rules.Gates = gateIDs(*b.Gates)
		}
		limit(&to.Rules, b.Limits)
	}})
	if err != nil {
		return answer[doorListJSON]{}, err
	}
	return showList(l), nil
}

type doorListDelete struct {
	ListPath
	IfMatch string `header:"If-Match" doc:"The ETag of what is to be deleted; 412 when it has changed since."`
}

func (a *API) deleteList(tx *db.Tx, c *call, in *doorListDelete) (answer[none], error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return answer[none]{}, err
	}
	return answer[none]{}, gate.DeleteList(tx, c.Org, id.CheckinList(in.ListID), version)
}

type gateJSON struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Version   int64  `json:"version" doc:"Grows with every change; the ETag."`
	CreatedAt string `json:"createdAt" format:"date-time"`
	UpdatedAt string `json:"updatedAt" format:"date-time"`
}

func newGate(g gate.Gate) gateJSON {
	return gateJSON{string(g.ID), g.Name, g.Version, instant(g.CreatedAt), instant(g.UpdatedAt)}
}

func showGate(g gate.Gate) answer[gateJSON] {
	return answer[gateJSON]{body: newGate(g), version: g.Version}
}

func (a *API) listGates(ctx context.Context, c *call, in *pagingInput) (answer[list[gateJSON, noFilters]], error) {
	all, err := gate.Gates(a.DB.Read(ctx), c.Org)
	if err != nil {
		return answer[list[gateJSON, noFilters]]{}, err
	}
	return pageOf(c, in.Paging, "gates", all, newGate)
}

type gateInputJSON struct {
	Name string `json:"name" doc:"No two gates have the same."`
}

type gateInput struct {
	Body gateInputJSON
}

func (a *API) createGate(tx *db.Tx, c *call, in *gateInput) (answer[gateJSON], error) {
	g, err := gate.CreateGate(tx, c.Org, in.Body.Name)
	if err != nil {
		return answer[gateJSON]{}, err
	}
	out := showGate(g)
	out.location = gatesPath + "/" + string(g.ID)
	return out, nil
}

// GatePath names a gate.
type GatePath struct {
	GateID string `path:"gateId"`
}

func (a *API) gate(ctx context.Context, c *call, in *GatePath) (answer[gateJSON], error) {
	g, err := gate.GateByID(a.DB.Read(ctx), c.Org, id.Gate(in.GateID))
	if err != nil {
		return answer[gateJSON]{}, err
	}
	return showGate(g), nil
}

type gatePatch struct {
	GatePath
	IfMatch string `header:"If-Match" doc:"The ETag of what the change is made for; 412 when it has changed since."`
	Body    gateInputJSON
}

func (a *API) renameGate(tx *db.Tx, c *call, in *gatePatch) (answer[gateJSON], error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return answer[gateJSON]{}, err
	}
	g, err := gate.RenameGate(tx, c.Org, id.Gate(in.GateID), in.Body.Name, version)
	if err != nil {
		return answer[gateJSON]{}, err
	}
	return showGate(g), nil
}

type gateDelete struct {
	GatePath
	IfMatch string `header:"If-Match" doc:"The ETag of what is to be deleted; 412 when it has changed since."`
}

func (a *API) deleteGate(tx *db.Tx, c *call, in *gateDelete) (answer[none], error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return answer[none]{}, err
	}
	return answer[none]{}, gate.DeleteGate(tx, c.Org, id.Gate(in.GateID), version)
}
