package native

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

type bundleJSON struct {
	BundleID  string          `json:"bundleId" doc:"Send it with what was decided by this bundle."`
	IssuedAt  string          `json:"issuedAt" format:"date-time" doc:"On the hour."`
	ExpiresAt string          `json:"expiresAt" format:"date-time" doc:"From then on get a new one before deciding."`
	Event     bundleEventJSON `json:"event"`
	Codes     map[string]any  `json:"codes,omitempty" doc:"What codes are verified with: keys, revocations, and the seed of codes that rotate, for who admits people."`
	Lists     []doorListJSON  `json:"lists" nullable:"false"`
	Gates     []gateJSON      `json:"gates" nullable:"false"`
	Used      []useJSON       `json:"used" nullable:"false" doc:"Tickets that have come in, one for each list."`
}

type bundleEventJSON struct {
	EventID  string `json:"eventId"`
	Name     string `json:"name"`
	StartsAt string `json:"startsAt" format:"date-time"`
	EndsAt   string `json:"endsAt" format:"date-time"`
	Timezone string `json:"timezone" doc:"IANA; of the days that limits are for."`
}

type useJSON struct {
	TicketID string `json:"ticketId"`
	ListID   string `json:"listId,omitempty"`
	Entries  int    `json:"entries"`
	Inside   bool   `json:"inside"`
	At       string `json:"at" format:"date-time" doc:"The last entry."`
	Gate     string `json:"gate,omitempty"`
}

type bundleInput struct {
	EventQuery
	IfNoneMatch string `header:"If-None-Match" doc:"The ETag of the bundle that the device has."`
}

// bundleRoute registers the bundle, whose ETag is made of what it says.
func (a *API) bundleRoute(r route) {
	register[bundleInput, bundleJSON](a, r, func(ctx context.Context, in *bundleInput) (*reply, error) {
		c := callOf(ctx)
		j, err := a.bundle(ctx, c, in)
		if err != nil {
			return nil, err
		}
		said, err := encode(j)
		if err != nil {
			return nil, err
		}
		var version string
		if a.Offline != nil { // signed anew each time, so its bytes say nothing
			admits := c.Kind != access.Grant && c.Kind != access.Service && c.May(scope.CheckinWrite)
			if j.Codes, version, err = a.Offline(ctx, c.Org, in.event(), admits); err != nil {
				return nil, err
			}
		}
		sum := sha256.Sum256(append(said, version...))
		tag := `"` + hex.EncodeToString(sum[:16]) + `"`
		if strings.Contains(in.IfNoneMatch, tag) || strings.TrimSpace(in.IfNoneMatch) == "*" {
			return &reply{Status: http.StatusNotModified, ETag: tag}, nil
		}
		made, err := encodeAnswer(http.StatusOK, answer[bundleJSON]{body: j})
		out := newReply(made, false)
		out.ETag = tag
		return out, err
	})
	responses := a.huma.OpenAPI().Paths[r.path].Get.Responses
	tag := map[string]*huma.Param{"ETag": {Description: "For If-None-Match.", Schema: &huma.Schema{Type: "string"}}}
	responses["200"].Headers = tag
	responses["304"] = &huma.Response{Description: http.StatusText(http.StatusNotModified), Headers: tag}
}

func (a *API) bundle(ctx context.Context, c *call, in *bundleInput) (bundleJSON, error) {
	e, err := in.needed(c)
	if err != nil {
		return bundleJSON{}, err
	}
	b, err := gate.BundleOf(a.DB.Read(ctx), c.Org, e, a.Now())
	if err != nil {
		return bundleJSON{}, err
	}
	j := bundleJSON{
		BundleID: b.ID, IssuedAt: instant(b.IssuedAt), ExpiresAt: instant(b.Until), Lists: []doorListJSON{}, Gates: []gateJSON{}, Used: []useJSON{},
		Event: bundleEventJSON{string(b.Event.ID), b.Event.Name, instant(b.Event.StartsAt), instant(b.Event.EndsAt), b.Event.Timezone},
	}
	for _, l := range b.Lists {
		j.Lists = append(j.Lists, newDoorList(l))
	}
	for _, g := range b.Gates {
		j.Gates = append(j.Gates, newGate(g))
	}
	for _, u := range b.Used {
		j.Used = append(j.Used, useJSON{string(u.TicketID), string(u.ListID), u.Entries, u.Inside, instant(u.LastAt), u.Gate})
	}
	return j, nil
}

type uploadJSON struct {
	DeviceID string            `json:"deviceId,omitempty" maxLength:"100" doc:"Whose scans they are; the credential's own when left out. A device brings its own only."`
	BundleID string            `json:"bundleId,omitempty" doc:"The bundle that they were decided by. Instants outside of its time count as its beginning or end."`
	Scans    []offlineScanJSON `json:"scans" minItems:"1" maxItems:"5000" nullable:"false"`
}

type offlineScanJSON struct {
	Seq           int64     `json:"seq" minimum:"1" maximum:"9007199254740991" doc:"The device's own number, the same however often the scan is sent."`
	Nonce         string    `json:"nonce,omitempty" maxLength:"100" doc:"That of a scan that was tried online first."`
	Code          string    `json:"code,omitempty" maxLength:"1024" doc:"This,"`
	TicketID      string    `json:"ticketId,omitempty" doc:"or this."`
	ListID        string    `json:"listId,omitempty" doc:"The event's default when left out."`
	Gate          string    `json:"gate,omitempty" maxLength:"100" doc:"Its id or its name."`
	Direction     string    `json:"direction,omitempty" enum:"entry,exit" doc:"entry when left out."`
	ScannedAt     time.Time `json:"scannedAt"`
	OfflineResult string    `json:"offlineResult,omitempty" enum:"checked_in,checked_out,already_checked_in,invalid,wrong_event,wrong_list,cancelled,blocked,unpaid,not_yet,too_late,limit,refused" doc:"What the device told people; that it let them through when left out."`
}

type uploadInput struct {
	Body uploadJSON
}

type uploadedJSON struct {
	Data []uploadedScanJSON `json:"data" nullable:"false" doc:"In the order of the scans."`
}

type uploadedScanJSON struct {
	Seq       int64  `json:"seq"`
	Status    string `json:"status" enum:"checked_in,checked_out,already_checked_in,invalid,wrong_event,wrong_list,cancelled,blocked,unpaid,not_yet,too_late,limit,refused,conflict,undone,rejected" doc:"What it counts for; rejected where it was not taken."`
	CheckinID string `json:"checkinId,omitempty"`
	Known     bool   `json:"known" doc:"It was uploaded before."`
	Against   string `json:"against,omitempty" doc:"Of a conflict: the check-in that holds the entry."`
	Code      string `json:"code,omitempty" doc:"Why it was rejected, for programs."`
	Detail    string `json:"detail,omitempty" doc:"Why it was rejected."`
}

// uploadRoute registers the upload. It goes in many short transactions and can be repeated by its nature, so all of it is done before the one that keeps the answer.
func (a *API) uploadRoute(r route) {
	change(a, r, a.upload, func(_ *db.Tx, _ *call, _ *uploadInput, done uploadedJSON) (answer[uploadedJSON], error) {
		return answer[uploadedJSON]{body: done}, nil
	}, a.Keep.Do)
}

func (a *API) upload(ctx context.Context, c *call, in *uploadInput) (uploadedJSON, error) {
	u := gate.Upload{By: c.scanner(), Device: in.Body.DeviceID, Bundle: in.Body.BundleID, Scans: make([]gate.Made, len(in.Body.Scans))}
	for i, s := range in.Body.Scans {
		u.Scans[i] = gate.Made{
			Seq: s.Seq, Nonce: s.Nonce, Code: s.Code, Ticket: id.Ticket(s.TicketID), List: id.CheckinList(s.ListID), Gate: s.Gate,
			Direction: gate.Direction(s.Direction), ScannedAt: s.ScannedAt, Result: gate.Status(s.OfflineResult),
		}
	}
	all, err := a.Gates.Upload(ctx, a.DB, c.Org, u)
	if err != nil {
		return uploadedJSON{}, err
	}
	j := uploadedJSON{Data: make([]uploadedScanJSON, len(all))}
	for i, one := range all {
		j.Data[i] = uploadedScanJSON{Seq: one.Seq, Status: "rejected", Known: one.Known}
		if p := problem.As(one.Err); p != nil {
			j.Data[i].Code, j.Data[i].Detail = p.Code, p.Error()
			continue
		}
		j.Data[i].Status, j.Data[i].CheckinID, j.Data[i].Against = string(one.Checkin.Status()), string(one.Checkin.ID), string(one.Checkin.Against)
	}
	return j, nil
}
