package native

import (
	"context"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
	"github.com/stagedoorhq/stagedoor/internal/stamp"
)

const stampsPath = "/api/v1/stamps"

// stampRoutes are about what can be earned, and who has it. /api/v1/stamps are the stamp types.
func (a *API) stampRoutes() {
	const stamps = "Stamps"
	read(a, route{
		method: "GET", path: stampsPath, scope: scope.StampsRead, open: true, id: "listStampTypes", tag: stamps, summary: "List what can be earned, oldest first",
	}, a.listStampTypes)
	write(a, route{
		method: "POST", path: stampsPath, scope: scope.StampsWrite, id: "createStampType", tag: stamps, status: 201, summary: "Create a stamp type", errors: []int{404},
		detail: "A rule on `checkin` or `count` follows the door; check-ins from before it count once somebody comes in again.",
	}, a.createStampType)
	read(a, route{
		method: "GET", path: stampsPath + "/{stampTypeId}", scope: scope.StampsRead, open: true, id: "getStampType", tag: stamps, summary: "Read a stamp type",
	}, a.stampType)
	write(a, route{
		method: "PATCH", path: stampsPath + "/{stampTypeId}", scope: scope.StampsWrite, id: "changeStampType", tag: stamps, summary: "Change a stamp type",
		detail: "What is left out stays; `rule` is replaced as a whole. What was awarded stays awarded.", errors: []int{409},
	}, a.changeStampType)
	write(a, route{
		method: "DELETE", path: stampsPath + "/{stampTypeId}", scope: scope.StampsWrite, id: "deleteStampType", tag: stamps, status: 204, summary: "Delete a stamp type",
		detail: "One that was ever awarded is retired: it stays in passports, and is awarded no more.",
	}, a.deleteStampType)
	write(a, route{
		method: "POST", path: stampsPath + "/{stampTypeId}/award", scope: scope.StampsWrite, id: "awardStamp", tag: stamps, summary: "Award a stamp by hand",
		detail: "To one of `user`, `email` and the holder of `ticketId`. Who has it already, keeps it, and nothing is told.",
	}, a.awardStamp)
	read(a, route{
		method: "GET", path: stampsPath + "/{stampTypeId}/awards", scope: scope.StampsRead, id: "listStampAwards", tag: stamps,
		summary: "List who has a stamp, newest first",
	}, a.listStampAwards)
	write(a, route{
		method: "DELETE", path: stampsPath + "/awarded/{stampId}", scope: scope.StampsWrite, id: "revokeStamp", tag: stamps, status: 204, summary: "Take a stamp away",
		detail: "No rule gives it back; it can be awarded by hand again.",
	}, a.revokeStamp)
	read(a, route{
		method: "GET", path: "/api/v1/collections", scope: scope.StampsRead, open: true, id: "listCollections", tag: stamps, summary: "List collections of stamps by name",
	}, a.listCollections)
	read(a, route{
		method: "GET", path: "/api/v1/passport/{user}", scope: scope.StampsRead, open: true, id: "getPassport", tag: stamps, summary: "Read a passport",
		detail: "`me` is the person of the credential. Others are named by their `usr_…` or `per_…`, see findPeople; attendees have their own only.",
	}, a.passport)
}

type stampRuleJSON struct {
	On           string `json:"on" enum:"checkin,count,manual" doc:"By coming in, by coming in so often, or by hand only. By hand each can be awarded."`
	EventID      string `json:"eventId,omitempty" doc:"Only there. Not with venue."`
	Venue        string `json:"venue,omitempty" maxLength:"1000" doc:"Only at the venue with this name; upper and lower case are alike."`
	Threshold    count  `json:"threshold,omitempty" minimum:"1" maximum:"10000" doc:"With count: how many. 1 when left out."`
	Counts       string `json:"counts,omitempty" enum:"events,checkins" doc:"With count: events when left out, with eventId checkins."`
	Repeat       string `json:"repeat,omitempty" enum:"once,event" doc:"How often a person can have it: once, or once for each event. When left out: event with checkin, else once."`
	RevokeOnUndo bool   `json:"revokeOnUndo,omitempty" doc:"Take it away when a check-in is undone without which it would not have been earned."`
}

func newStampRule(r stamp.Rule) stampRuleJSON {
	j := stampRuleJSON{On: string(r.On), EventID: string(r.Event), Venue: r.Venue, Repeat: string(r.Repeat), RevokeOnUndo: r.RevokeOnUndo}
	if r.On == stamp.ByCount {
		j.Threshold, j.Counts = count(r.Threshold), string(r.Counts)
	}
	return j
}

func (j stampRuleJSON) rule() stamp.Rule {
	return stamp.Rule{
		On: stamp.Reason(j.On), Event: id.Event(j.EventID), Venue: j.Venue, Threshold: int(j.Threshold), Counts: stamp.Counts(j.Counts), Repeat: stamp.Repeat(j.Repeat),
		RevokeOnUndo: j.RevokeOnUndo,
	}
}

type stampTypeJSON struct {
	ID          string        `json:"id" example:"stt_06fvnz7c6wyr1c2k2y0gqk4w3g"`
	Name        string        `json:"name"`
	Description string        `json:"description,omitempty"`
	Art         string        `json:"art,omitempty" doc:"An https URL, or a data: URL with a PNG or an SVG without scripts."`
	Collection  string        `json:"collection,omitempty" doc:"The name of what it belongs to."`
	Rule        stampRuleJSON `json:"rule"`
	Active      bool          `json:"active" doc:"Its rule awards it."`
	Retired     bool          `json:"retired" doc:"It was deleted after it had been awarded."`
	Version     int64         `json:"version" doc:"Grows with every change; the ETag."`
	CreatedAt   string        `json:"createdAt" format:"date-time"`
	UpdatedAt   string        `json:"updatedAt" format:"date-time"`
}

func newStampType(t stamp.Type) stampTypeJSON {
	return stampTypeJSON{
		ID: string(t.ID), Name: t.Name, Description: t.Description, Art: t.Art, Collection: t.Collection, Rule: newStampRule(t.Rule), Active: t.Active,
		Retired: t.Retired(), Version: t.Version, CreatedAt: instant(t.CreatedAt), UpdatedAt: instant(t.UpdatedAt),
	}
}

type stampTypeListInput struct {
	Paging
	Collection string `query:"collection" doc:"Only those of this collection."`
	Status     string `query:"status" enum:"active,inactive,retired,all" doc:"All but the retired when left out."`
}

type stampTypeFiltersJSON struct {
	Collection *string `json:"collection"`
	Status     *string `json:"status"`
}

func (a *API) listStampTypes(ctx context.Context, c *call, in *stampTypeListInput) (answer[list[stampTypeJSON, stampTypeFiltersJSON]], error) {
	var out answer[list[stampTypeJSON, stampTypeFiltersJSON]]
	at, err := in.place(c, "stamps", []string{in.Collection, in.Status})
	if err != nil {
		return out, err
	}
	page, total, err := stamp.Types(a.DB.Read(ctx), c.Org, stamp.Filter{
		Public: c.Attendee, Collection: orNull(in.Collection), Status: in.Status, Limit: in.Limit, Offset: at.offset,
	})
	if err != nil {
		return out, err
	}
	data := make([]stampTypeJSON, len(page))
	for i, t := range page {
		data[i] = newStampType(t)
	}
	out.body = newList(in.Paging, at, data, total, stampTypeFiltersJSON{orNull(in.Collection), orNull(in.Status)}, "")
	return out, nil
}

type stampTypeInputJSON struct {
	Name        string        `json:"name" minLength:"1" maxLength:"200"`
	Description string        `json:"description,omitempty" maxLength:"2000"`
	Art         string        `json:"art,omitempty" maxLength:"16384" doc:"An https URL, or a data: URL with an image/png or image/svg+xml."`
	Collection  string        `json:"collection,omitempty" maxLength:"200"`
	Rule        stampRuleJSON `json:"rule"`
	Active      *bool         `json:"active,omitempty" nullable:"false" doc:"true when left out."`
}

type stampTypeInput struct {
	Body stampTypeInputJSON
}

func (a *API) createStampType(tx *db.Tx, c *call, in *stampTypeInput) (answer[stampTypeJSON], error) {
	b := in.Body
	t, err := a.Stamps.Create(tx, c.Org, stamp.Input{
		Name: b.Name, Description: b.Description, Art: b.Art, Collection: b.Collection, Rule: b.Rule.rule(), Inactive: b.Active != nil && !*b.Active,
	})
	return answer[stampTypeJSON]{body: newStampType(t), version: t.Version, location: stampsPath + "/" + string(t.ID)}, err
}

// StampTypePath names a stamp type.
type StampTypePath struct {
	StampTypeID string `path:"stampTypeId"`
}

func (a *API) stampType(ctx context.Context, c *call, in *StampTypePath) (answer[stampTypeJSON], error) {
	q := a.DB.Read(ctx)
	var t stamp.Type
	var err error
	if c.Attendee {
		t, err = stamp.PublicTypeByID(q, c.Org, id.StampType(in.StampTypeID), person.Of(c.Email))
	} else {
		t, err = stamp.TypeByID(q, c.Org, id.StampType(in.StampTypeID))
	}
	return answer[stampTypeJSON]{body: newStampType(t), version: t.Version}, err
}

type stampTypePatchJSON struct {
	Name        *string        `json:"name,omitempty" minLength:"1" maxLength:"200" nullable:"false"`
	Description text           `json:"description,omitempty" maxLength:"2000" doc:"null clears it, and so with the texts below."`
	Art         text           `json:"art,omitempty" maxLength:"16384"`
	Collection  text           `json:"collection,omitempty" maxLength:"200"`
	Rule        *stampRuleJSON `json:"rule,omitempty" nullable:"false"`
	Active      *bool          `json:"active,omitempty" nullable:"false"`
}

type stampTypePatch struct {
	StampTypePath
	IfMatch string `header:"If-Match" doc:"The ETag of what the change is made for; 412 when it has changed since."`
	Body    stampTypePatchJSON
}

func (a *API) changeStampType(tx *db.Tx, c *call, in *stampTypePatch) (answer[stampTypeJSON], error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return answer[stampTypeJSON]{}, err
	}
	b := in.Body
	p := stamp.Patch{Version: version, Name: b.Name, Description: b.Description.to, Art: b.Art.to, Collection: b.Collection.to, Active: b.Active}
	if b.Rule != nil {
		r := b.Rule.rule()
		p.Rule = &r
	}
	t, err := a.Stamps.Update(tx, c.Org, id.StampType(in.StampTypeID), p)
	return answer[stampTypeJSON]{body: newStampType(t), version: t.Version}, err
}

type stampTypeDelete struct {
	StampTypePath
	IfMatch string `header:"If-Match" doc:"The ETag of what is to be deleted; 412 when it has changed since."`
}

func (a *API) deleteStampType(tx *db.Tx, c *call, in *stampTypeDelete) (answer[none], error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return answer[none]{}, err
	}
	return answer[none]{}, a.Stamps.Delete(tx, c.Org, id.StampType(in.StampTypeID), version)
}

type stampJSON struct {
	ID          string `json:"id" example:"stp_06fvnz7c6wyr1c2k2y0gqk4w3g"`
	StampTypeID string `json:"stampTypeId"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Art         string `json:"art,omitempty"`
	Collection  string `json:"collection,omitempty"`
	EventID     string `json:"eventId,omitempty"`
	TicketID    string `json:"ticketId,omitempty"`
	CheckinID   string `json:"checkinId,omitempty"`
	Reason      string `json:"reason" enum:"checkin,count,manual" doc:"What it was awarded for."`
	AwardedAt   string `json:"awardedAt" format:"date-time"`
	RevokedAt   string `json:"revokedAt,omitempty" format:"date-time" doc:"Left out while it is held."`
	Email       string `json:"email,omitempty" doc:"Whose it is, where the organisation looks through awards; left out once they were erased."`
	Actor       string `json:"actor,omitempty" doc:"Who awarded it by hand; there too."`
	Note        string `json:"note,omitempty" doc:"What they wrote; there too."`
}

func newStamp(s stamp.Stamp) stampJSON {
	return stampJSON{
		ID: string(s.ID), StampTypeID: string(s.Type.ID), Name: s.Type.Name, Description: s.Type.Description, Art: s.Type.Art, Collection: s.Type.Collection,
		EventID: string(s.EventID), TicketID: string(s.TicketID), CheckinID: string(s.CheckinID), Reason: string(s.Reason), AwardedAt: instant(s.AwardedAt),
		RevokedAt: maybe(s.RevokedAt),
	}
}

type stampAwardInputJSON struct {
	User     string `json:"user,omitempty" maxLength:"1000" doc:"usr_… or per_…, see findPeople."`
	Email    string `json:"email,omitempty" maxLength:"254" doc:"Also of somebody without an account."`
	TicketID string `json:"ticketId,omitempty" doc:"Its holder."`
	EventID  string `json:"eventId,omitempty" doc:"Where it was earned; the ticket's event when left out. Needed where the stamp is had once for each event."`
	Note     string `json:"note,omitempty" maxLength:"1000" doc:"For the organisation only."`
}

type stampAwardInput struct {
	StampTypePath
	Body stampAwardInputJSON
}

func (a *API) awardStamp(tx *db.Tx, c *call, in *stampAwardInput) (answer[stampJSON], error) {
	b := in.Body
	award := stamp.Award{Email: b.Email, Ticket: id.Ticket(b.TicketID), Event: id.Event(b.EventID), Note: b.Note, Actor: c.Actor()}
	if b.User != "" && (b.Email != "" || b.TicketID != "") {
		return answer[stampJSON]{}, problem.Field("/user", "one_of", "Say to whom: one of user, email and ticketId.")
	}
	if b.User != "" {
		s, err := a.someone(tx, c.Org, b.User)
		if err == nil && s.erased {
			err = personNotFound()
		}
		if err != nil {
			return answer[stampJSON]{}, err
		}
		award.Email = s.email
	}
	s, _, err := a.Stamps.Award(tx, c.Org, id.StampType(in.StampTypeID), award)
	return answer[stampJSON]{body: newStamp(s)}, err
}

// newStampAward is newStamp for the organisation's own eyes.
func newStampAward(s stamp.Stamp) stampJSON {
	j := newStamp(s)
	j.Email, j.Actor, j.Note = string(s.Person), s.Actor, s.Note
	return j
}

type stampAwardListInput struct {
	StampTypePath
	Paging
}

func (a *API) listStampAwards(ctx context.Context, c *call, in *stampAwardListInput) (answer[list[stampJSON, noFilters]], error) {
	var out answer[list[stampJSON, noFilters]]
	q := a.DB.Read(ctx)
	t, err := stamp.TypeByID(q, c.Org, id.StampType(in.StampTypeID))
	if err != nil {
		return out, err
	}
	at, err := in.place(c, "awards", in.StampTypeID)
	if err != nil {
		return out, err
	}
	page, total, err := stamp.Awards(q, t, stamp.Page{Limit: in.Limit, Offset: at.offset})
	if err != nil {
		return out, err
	}
	data := make([]stampJSON, len(page))
	for i, s := range page {
		data[i] = newStampAward(s)
	}
	out.body = newList(in.Paging, at, data, total, noFilters{}, "")
	return out, nil
}

type stampPath struct {
	StampID string `path:"stampId"`
}

func (a *API) revokeStamp(tx *db.Tx, c *call, in *stampPath) (answer[none], error) {
	_, _, err := a.Stamps.Revoke(tx, c.Org, id.Stamp(in.StampID))
	return answer[none]{}, err
}
