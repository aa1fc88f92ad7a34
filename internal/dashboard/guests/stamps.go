package guests

import (
	"html/template"
	"net/http"
	"strconv"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/page"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/stamp"
)

type stampsData struct {
	Types  []stampRow
	Status string
	Pager  frame.Pager
}

// stampRow is a stamp type with its picture, as far as a page may show it: one from elsewhere is not loaded.
type stampRow struct {
	stamp.Type
	Picture template.URL
}

func pictured(t stamp.Type) stampRow {
	if strings.HasPrefix(t.Art, "data:image/") {
		return stampRow{t, template.URL(t.Art)} //nolint:gosec // G203: a picture that was checked when it was taken
	}
	return stampRow{Type: t}
}

// stamps lists what can be earned, the oldest first.
func (r *Room) stamps(v *frame.Visit) error {
	d := stampsData{Status: choice(v, "status")}
	offset, _ := strconv.Atoi(v.Query("after"))
	offset = min(max(offset, 0), stamp.MaxTypes*10)
	types, total, err := stamp.Types(v.Read(), v.Org.No, stamp.Filter{Status: d.Status, Limit: frame.PageSize, Offset: offset})
	if err != nil {
		return err
	}
	for _, t := range types {
		d.Types = append(d.Types, pictured(t))
	}
	next := ""
	if offset += len(types); offset < total {
		next = itoa(offset)
	}
	d.Pager = v.Pager(next, false)
	return v.Show(pages, "stamps", http.StatusOK, frame.View{Title: "Stamps", At: "/stamps", Data: d})
}

// stampForm is the form of a stamp type, as it was filled in.
type stampForm struct {
	Name, Description, Art, Collection, On, Event, Venue, Threshold, Counts, Repeat, Undone, Active string
}

type stampData struct {
	Type   stampRow // whose ID is empty for a new one
	Form   stampForm
	Events []page.Option // where a rule may be bound to
	Places []page.Option // where it may have been earned
	Given  []givenRow
	Pager  frame.Pager
	To     awardForm
}

// givenRow is a stamp that somebody has.
type givenRow struct {
	stamp.Stamp
	Email string // whose it is; empty once erased
}

// awardForm says whom a stamp is given to.
type awardForm struct{ Email, Ticket, Event, Note string }

func stampFormOf(t stamp.Type) stampForm {
	f := stampForm{
		Name: t.Name, Description: t.Description, Art: t.Art, Collection: t.Collection, On: string(t.Rule.On), Event: string(t.Rule.Event), Venue: t.Rule.Venue,
		Counts: string(t.Rule.Counts), Repeat: string(t.Rule.Repeat), Undone: "keep", Active: "no",
	}
	if t.Rule.On == stamp.ByCount {
		f.Threshold = itoa(t.Rule.Threshold)
	}
	if t.Rule.RevokeOnUndo {
		f.Undone = "revoke"
	}
	if t.Active {
		f.Active = "yes"
	}
	return f
}

// stampInput reads the form. What a rule of its kind does not know is left out.
func stampInput(v *frame.Visit) (f stampForm, in stamp.Input, err error) {
	f = stampForm{
		Name: v.Value("name"), Description: v.Value("description"), Art: v.Value("art"), Collection: v.Value("collection"), On: v.Value("on"), Event: v.Value("event"),
		Venue: v.Value("venue"), Threshold: v.Value("threshold"), Counts: v.Value("counts"), Repeat: v.Value("repeat"), Undone: v.Value("undone"), Active: v.Value("active"),
	}
	if f.Event == "any" {
		f.Event = ""
	}
	rule := stamp.Rule{On: stamp.Reason(f.On), Event: id.Event(f.Event), Venue: f.Venue, Repeat: stamp.Repeat(f.Repeat), RevokeOnUndo: f.Undone == "revoke"}
	var wrong problem.Fields
	if f.Threshold != "" {
		if rule.Threshold, err = strconv.Atoi(f.Threshold); err != nil || rule.Threshold < 1 {
			wrong.Add("/rule/threshold", "invalid", "Give a whole number from 1 on.")
		}
	}
	if rule.On == stamp.ByCount {
		rule.Counts = stamp.Counts(f.Counts)
	}
	in = stamp.Input{Name: f.Name, Description: f.Description, Art: f.Art, Collection: f.Collection, Rule: rule, Inactive: f.Active == "no"}
	return f, in, wrong.Err()
}

// wrongStamp is what a problem says of the form of a stamp type.
func wrongStamp(err error) (page.Complaints, int, bool) {
	p := problem.As(err)
	if p == nil {
		return nil, 0, false
	}
	named := map[string]string{}
	for _, f := range p.Fields {
		named[f.Pointer] = strings.TrimPrefix(strings.TrimPrefix(f.Pointer, "/"), "rule/")
	}
	return frame.Wrong(err, "stamp-", named)
}

func (r *Room) newStamp(v *frame.Visit) error {
	return showStampForm(v, http.StatusOK, stampData{Form: stampForm{On: "checkin", Repeat: "event", Counts: "events", Undone: "keep", Active: "yes"}}, nil)
}

func showStampForm(v *frame.Visit, status int, d stampData, wrong page.Complaints) (err error) {
	if d.Events, err = events(v, d.Form.Event, anyEvent); err != nil {
		return err
	}
	return v.Show(pages, "newstamp", status, frame.View{Title: "New stamp", At: "/stamps", Complaints: wrong, Data: d})
}

func (r *Room) makeStamp(v *frame.Visit) error {
	form, in, err := stampInput(v)
	var made stamp.Type
	if err == nil {
		err = v.Write(func(tx *db.Tx) (err error) {
			made, err = r.Stamps.Create(tx, v.Org.No, in)
			return err
		})
	}
	if wrong, status, ok := wrongStamp(err); ok {
		return showStampForm(v, status, stampData{Form: form}, wrong)
	} else if err != nil {
		return err
	}
	return v.Done("/stamps/"+string(made.ID), "The stamp can be earned.")
}

// stampOf finds the stamp type that the path names.
func stampOf(v *frame.Visit) (stamp.Type, error) {
	return stamp.TypeByID(v.Read(), v.Org.No, id.StampType(v.R.PathValue("type")))
}

func (r *Room) stamp(v *frame.Visit) error {
	t, err := stampOf(v)
	if err != nil {
		return err
	}
	if v.WantsCSV() {
		return awardsFile(v, t)
	}
	return showStamp(v, http.StatusOK, t, stampData{Form: stampFormOf(t)}, nil)
}

func showStamp(v *frame.Visit, status int, t stamp.Type, d stampData, wrong page.Complaints) (err error) {
	d.Type = pictured(t)
	if d.Events, err = events(v, d.Form.Event, anyEvent); err != nil {
		return err
	}
	before, _ := strconv.ParseInt(v.Query("after"), 10, 64)
	if d.Places, err = events(v, d.To.Event, page.Option{Value: "any", Text: "At the ticket's event, or none"}); err != nil {
		return err
	}
	given, err := stamp.Given(v.Read(), t, before, frame.PageSize+1)
	if err != nil {
		return err
	}
	next := ""
	if len(given) > frame.PageSize {
		given = given[:frame.PageSize]
		next = strconv.FormatInt(given[frame.PageSize-1].No, 10)
	}
	for _, s := range given {
		d.Given = append(d.Given, givenRow{s, string(s.Person)})
	}
	d.Pager = v.Pager(next, len(d.Given) > 0)
	return v.Show(pages, "stamp", status, frame.View{Title: t.Name, At: "/stamps", Complaints: wrong, Data: d})
}

func awardsFile(v *frame.Visit, t stamp.Type) error {
	return v.CSV("awards", []string{"stamp", "email", "event", "ticket", "reason", "awarded_at", "awarded_by", "note"}, rows(func(after string) (lines [][]string, next string, err error) {
		before, _ := strconv.ParseInt(after, 10, 64)
		some, err := stamp.Given(v.Read(), t, before, most)
		for _, s := range some {
			lines = append(lines, []string{string(s.ID), string(s.Person), string(s.EventID), string(s.TicketID), string(s.Reason), stamped(s.AwardedAt), s.Actor, s.Note})
			next = strconv.FormatInt(s.No, 10)
		}
		if len(some) < most {
			next = ""
		}
		return lines, next, err
	}))
}

func (r *Room) changeStamp(v *frame.Visit) error {
	t, err := stampOf(v)
	if err != nil {
		return err
	}
	form, in, err := stampInput(v)
	active := !in.Inactive
	if err == nil {
		err = v.Write(func(tx *db.Tx) error {
			_, err := r.Stamps.Update(tx, v.Org.No, t.ID, stamp.Patch{
				Name: &in.Name, Description: &in.Description, Art: &in.Art, Collection: &in.Collection, Rule: &in.Rule, Active: &active,
			})
			return err
		})
	}
	if wrong, status, ok := wrongStamp(err); ok {
		return showStamp(v, status, t, stampData{Form: form}, wrong)
	} else if err != nil {
		return err
	}
	return v.Done("/stamps/"+string(t.ID), "The stamp is changed. What was awarded stays awarded.")
}

func (r *Room) deleteStamp(v *frame.Visit) error {
	path := "/stamps/" + v.R.PathValue("type")
	sure, err := v.Sure("Delete this stamp?", "Nobody can earn it any more. Who has it, keeps it in their passport.", "Delete the stamp", path)
	if !sure {
		return err
	}
	if err := v.Write(func(tx *db.Tx) error { return r.Stamps.Delete(tx, v.Org.No, id.StampType(v.R.PathValue("type")), 0) }); err != nil {
		return err
	}
	return v.Done("/stamps", "The stamp is deleted.")
}

// award gives a stamp by hand.
func (r *Room) award(v *frame.Visit) error {
	t, err := stampOf(v)
	if err != nil {
		return err
	}
	to := awardForm{v.Value("email"), v.Value("ticketId"), v.Value("event"), v.Value("note")}
	if to.Event == "any" {
		to.Event = ""
	}
	var told bool
	err = v.Write(func(tx *db.Tx) error {
		_, f, err := r.Stamps.Award(tx, v.Org.No, t.ID, stamp.Award{
			Email: to.Email, Ticket: id.Ticket(to.Ticket), Event: id.Event(to.Event), Note: to.Note, Actor: string(v.User.ID),
		})
		told = f != nil
		return err
	})
	named := map[string]string{"/email": "email", "/eventId": "event", "/note": "note"}
	if wrong, status, ok := frame.Wrong(err, "award-", named); ok {
		return showStamp(v, status, t, stampData{Form: stampFormOf(t), To: to}, wrong)
	} else if err != nil {
		return err
	}
	if !told {
		return v.Done("/stamps/"+string(t.ID), "They have this stamp already: nothing is changed.")
	}
	return v.Done("/stamps/"+string(t.ID), "The stamp is awarded.")
}

func (r *Room) takeStamp(v *frame.Visit) error {
	path := "/stamps/" + v.R.PathValue("type")
	sure, err := v.Sure("Take this stamp away?", "It goes out of the passport, and no rule gives it back. You can award it by hand again.", "Take it away", path)
	if !sure {
		return err
	}
	err = v.Write(func(tx *db.Tx) error {
		_, _, err := r.Stamps.Revoke(tx, v.Org.No, id.Stamp(v.R.PathValue("stamp")))
		return err
	})
	if err != nil {
		return err
	}
	return v.Done(path, "The stamp is taken away.")
}
