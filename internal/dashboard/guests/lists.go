package guests

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/page"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// listForm is the form of a check-in list, as it was filled in.
type listForm struct {
	Name, Default, Policy, Classes, Sections, PerDay, PerGate, MinMinutes, OpensAt, ClosesAt string
	Gates, Display                                                                           []string // what is ticked
}

type listData struct {
	Event event.Event
	List  gate.List // whose ID is empty for a new one
	Form  listForm
	Gates []tick
	Show  []tick
}

// tick is something that can be ticked.
type tick struct {
	Value, Text string
	Checked     bool
}

// wall is how browsers write a clock on the wall.
const wall = "2006-01-02T15:04"

func wallOf(t time.Time, zone string) string {
	if t.IsZero() {
		return ""
	}
	return t.In(zoned(zone)).Format(wall)
}

func formOf(l gate.List, zone string) listForm {
	f := listForm{
		Name: l.Name, Default: "no", Policy: string(l.Policy), Sections: strings.Join(l.Rules.Sections, "\n"), PerDay: limitText(l.Rules.PerDay), PerGate: limitText(l.Rules.PerGate),
		MinMinutes: limitText(l.Rules.MinMinutes), OpensAt: wallOf(l.OpensAt, zone), ClosesAt: wallOf(l.ClosesAt, zone), Display: l.Rules.Display,
	}
	if l.Standard {
		f.Default = "yes"
	}
	var classes []string
	for _, c := range l.Rules.Classes {
		classes = append(classes, itoa(c))
	}
	f.Classes = strings.Join(classes, ", ")
	for _, g := range l.Rules.Gates {
		f.Gates = append(f.Gates, string(g))
	}
	return f
}

func limitText(n int) string {
	if n == 0 {
		return ""
	}
	return itoa(n)
}

// listInput reads the form of a list. Instants are in the event's zone.
func listInput(v *frame.Visit, e event.Event) (f listForm, in gate.Input, err error) {
	f = listForm{
		Name: v.Value("name"), Default: v.Value("default"), Policy: v.Value("policy"), Classes: v.Value("classes"), Sections: v.Value("sections"), PerDay: v.Value("perDay"),
		PerGate: v.Value("perGate"), MinMinutes: v.Value("minMinutes"), OpensAt: v.Value("opensAt"), ClosesAt: v.Value("closesAt"), Gates: v.Form["gate"], Display: v.Form["tick"],
	}
	in = gate.Input{Event: e.ID, Name: f.Name, Standard: f.Default == "yes", Policy: gate.Policy(f.Policy)}
	in.Rules.Display = append([]string{}, f.Display...)
	var wrong problem.Fields
	for _, g := range f.Gates {
		in.Rules.Gates = append(in.Rules.Gates, id.Gate(g))
	}
	for line := range strings.Lines(f.Sections) {
		if line = strings.TrimSpace(line); line != "" {
			in.Rules.Sections = append(in.Rules.Sections, line)
		}
	}
	for _, text := range strings.FieldsFunc(f.Classes, func(r rune) bool { return r == ',' || r == ' ' }) {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			wrong.Add("/classes", "invalid", "Classes are whole numbers with commas between, such as 1, 2.")
			break
		}
		in.Rules.Classes = append(in.Rules.Classes, n)
	}
	in.Rules.PerDay, in.Rules.PerGate = limitOf(&wrong, "/perDay", f.PerDay), limitOf(&wrong, "/perGate", f.PerGate)
	in.Rules.MinMinutes = limitOf(&wrong, "/minMinutes", f.MinMinutes)
	in.OpensAt, in.ClosesAt = instantOf(&wrong, "/opensAt", f.OpensAt, e.Timezone), instantOf(&wrong, "/closesAt", f.ClosesAt, e.Timezone)
	return f, in, wrong.Err()
}

func limitOf(wrong *problem.Fields, pointer, text string) int {
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		wrong.Add(pointer, "invalid", "Give a whole number, or nothing for no limit.")
	}
	return n
}

func instantOf(wrong *problem.Fields, pointer, text, zone string) time.Time {
	if text == "" {
		return time.Time{}
	}
	t, err := time.ParseInLocation(wall, text[:min(len(text), len(wall))], zoned(zone))
	if err != nil {
		wrong.Add(pointer, "invalid", "Give a date and a time, such as 2031-08-14T18:30.")
	}
	return t
}

func (r *Room) newList(v *frame.Visit) error {
	e, err := eventOf(v)
	if err != nil {
		return err
	}
	form := listForm{Policy: string(gate.Single), Default: "no", Display: []string{gate.ShowSection, gate.ShowRow, gate.ShowSeat, gate.ShowOrder}}
	return showList(v, http.StatusOK, listData{Event: e, Form: form}, nil)
}

func showList(v *frame.Visit, status int, d listData, wrong page.Complaints) error {
	all, err := gate.Gates(v.Read(), v.Org.No)
	if err != nil {
		return err
	}
	for _, g := range all {
		d.Gates = append(d.Gates, tick{string(g.ID), g.Name, slices.Contains(d.Form.Gates, string(g.ID))})
	}
	for _, s := range gate.Shown() {
		d.Show = append(d.Show, tick{s, shownWords[s], slices.Contains(d.Form.Display, s)})
	}
	title := "New check-in list"
	if d.List.ID != "" {
		title = "Check-in list " + d.List.Name
	}
	return v.Show(pages, "list", status, frame.View{Title: title, At: "/attendance", Complaints: wrong, Data: d})
}

var shownWords = map[string]string{
	gate.ShowName: "The holder's name", gate.ShowEmail: "The holder's e-mail address", gate.ShowSection: "Section", gate.ShowRow: "Row", gate.ShowSeat: "Seat", gate.ShowOrder: "Order",
}

// wrongList is what a problem says of the form of a list.
func wrongList(err error) (page.Complaints, int, bool) {
	p := problem.As(err)
	if p == nil {
		return nil, 0, false
	}
	named := map[string]string{}
	for _, f := range p.Fields {
		parts := strings.Split(strings.TrimPrefix(f.Pointer, "/"), "/")
		named[f.Pointer] = parts[0]
		if parts[0] == "limits" && len(parts) > 1 {
			named[f.Pointer] = parts[1]
		}
	}
	return frame.Wrong(err, "list-", named)
}

func (r *Room) makeList(v *frame.Visit) error {
	e, err := eventOf(v)
	if err != nil {
		return err
	}
	form, in, err := listInput(v, e)
	if err == nil {
		err = v.Write(func(tx *db.Tx) error {
			_, err := gate.CreateList(tx, v.Org.No, in)
			return err
		})
	}
	if wrong, status, ok := wrongList(err); ok {
		return showList(v, status, listData{Event: e, Form: form}, wrong)
	} else if err != nil {
		return err
	}
	return v.Done("/attendance/"+string(e.ID), "The check-in list is made.")
}

// listOf finds the event and the list that the path names.
func listOf(v *frame.Visit) (e event.Event, l gate.List, err error) {
	if e, err = eventOf(v); err != nil {
		return e, l, err
	}
	l, err = gate.ListByID(v.Read(), v.Org.No, id.CheckinList(v.R.PathValue("list")))
	if err == nil && l.EventNo != e.No {
		err = problem.New(problem.NotFound, "list_not_found", "There is no such check-in list at this event.")
	}
	return e, l, err
}

func (r *Room) list(v *frame.Visit) error {
	e, l, err := listOf(v)
	if err != nil {
		return err
	}
	return showList(v, http.StatusOK, listData{Event: e, List: l, Form: formOf(l, e.Timezone)}, nil)
}

func (r *Room) changeList(v *frame.Visit) error {
	e, l, err := listOf(v)
	if err != nil {
		return err
	}
	form, in, err := listInput(v, e)
	if err == nil {
		err = v.Write(func(tx *db.Tx) error {
			_, err := gate.UpdateList(tx, v.Org.No, l.ID, gate.ListChange{Apply: func(to *gate.Input) { *to = in }})
			return err
		})
	}
	if wrong, status, ok := wrongList(err); ok {
		return showList(v, status, listData{Event: e, List: l, Form: form}, wrong)
	} else if err != nil {
		return err
	}
	return v.Done("/attendance/"+string(e.ID), "The check-in list is changed.")
}

func (r *Room) deleteList(v *frame.Visit) error {
	e, l, err := listOf(v)
	if err != nil {
		return err
	}
	sure, err := v.Sure("Delete this check-in list?", "Devices that scan by it are told that there is none.", "Delete the list", "/attendance/"+string(e.ID))
	if !sure {
		return err
	}
	if err := v.Write(func(tx *db.Tx) error { return gate.DeleteList(tx, v.Org.No, l.ID, 0) }); err != nil {
		return err
	}
	return v.Done("/attendance/"+string(e.ID), "The check-in list is deleted.")
}
