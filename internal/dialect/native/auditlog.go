package native

import (
	"context"
	"strconv"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
)

type entryJSON struct {
	ID      string         `json:"id"`
	At      string         `json:"at" format:"date-time"`
	Action  string         `json:"action" example:"key.created" doc:"What was done, as noun and participle."`
	Actor   *string        `json:"actor" doc:"The id of the person or credential that did it; operator for commands; null when nobody is known."`
	Subject *string        `json:"subject" doc:"The id of what it was done to."`
	Address *string        `json:"address" doc:"The network address that it was done from; null where there was none, or when its person was erased."`
	Detail  map[string]any `json:"detail" doc:"What else there is to know: ids, scopes, reasons. Never a name, an address or a secret."`
}

func newEntry(e audit.Entry) entryJSON {
	return entryJSON{
		ID: strconv.FormatInt(e.No, 10), At: instant(e.At), Action: e.Action, Actor: orNull(e.Actor), Subject: orNull(e.Subject), Address: orNull(e.Address),
		Detail: e.Detail,
	}
}

type auditInput struct {
	Limit   int       `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"How many at most."`
	Cursor  string    `query:"cursor" maxLength:"400" doc:"Goes on where a former page ended: its meta.pagination.nextCursor, with the same filters."`
	Action  string    `query:"action" doc:"Such as key.created."`
	Actor   string    `query:"actor" doc:"The id of a person or a credential."`
	Subject string    `query:"subject" doc:"The id of what something was done to."`
	Since   time.Time `query:"since" doc:"Not older than this."`
	Until   time.Time `query:"until" doc:"Older than this."`
}

type entryListJSON struct {
	Data []entryJSON       `json:"data" nullable:"false" doc:"Newest first."`
	Meta entryListMetaJSON `json:"meta"`
}

type entryListMetaJSON struct {
	Pagination deliveryPaginationJSON `json:"pagination"`
	Filters    entryFiltersJSON       `json:"filters"`
}

type entryFiltersJSON struct {
	Action  *string `json:"action"`
	Actor   *string `json:"actor"`
	Subject *string `json:"subject"`
	Since   *string `json:"since" format:"date-time"`
	Until   *string `json:"until" format:"date-time"`
}

func (a *API) listAudit(ctx context.Context, c *call, in *auditInput) (answer[entryListJSON], error) {
	var out answer[entryListJSON]
	f := audit.Filter{Action: in.Action, Actor: in.Actor, Subject: in.Subject, Since: in.Since, Until: in.Until, Limit: in.Limit + 1}
	at, err := Paging{Cursor: in.Cursor}.place(c, "audit", []any{in.Action, in.Actor, in.Subject, in.Since.UnixNano(), in.Until.UnixNano()})
	if err != nil {
		return out, err
	}
	if at.after != "" {
		if f.Before, err = strconv.ParseInt(at.after, 10, 64); err != nil || f.Before < 1 {
			return out, badCursor()
		}
	}
	all, err := audit.List(a.DB.Read(ctx), c.Org, f)
	if err != nil {
		return out, err
	}
	out.body = entryListJSON{Data: []entryJSON{}, Meta: entryListMetaJSON{Filters: entryFiltersJSON{
		orNull(in.Action), orNull(in.Actor), orNull(in.Subject), orNull(maybe(in.Since)), orNull(maybe(in.Until)),
	}}}
	p := &out.body.Meta.Pagination
	if p.Limit, p.HasMore = in.Limit, len(all) > in.Limit; p.HasMore {
		all = all[:in.Limit]
		cursor := at.cursor(0, strconv.FormatInt(all[in.Limit-1].No, 10))
		p.NextCursor = &cursor
	}
	for _, e := range all {
		out.body.Data = append(out.body.Data, newEntry(e))
	}
	return out, nil
}
