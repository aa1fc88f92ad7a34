package team

import (
	"encoding/json"
	"iter"
	"net/http"
	"strconv"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/org"
)

type auditData struct {
	Entries                []audit.Entry
	Emails                 map[string]string // of members, by their ids
	Action, Actor, Subject string
	Pager                  frame.Pager
}

// Detail is what else an entry tells, for people.
func (auditData) Detail(e audit.Entry) string {
	if len(e.Detail) == 0 {
		return ""
	}
	b, err := json.Marshal(e.Detail)
	if err != nil {
		return ""
	}
	return string(b)
}

func (r *Room) audit(v *frame.Visit) error {
	d := auditData{Action: v.Query("action"), Actor: v.Query("actor"), Subject: v.Query("subject"), Emails: map[string]string{}}
	f := audit.Filter{Action: d.Action, Actor: d.Actor, Subject: d.Subject, Limit: frame.PageSize + 1}
	if v.WantsCSV() {
		return v.CSV("audit", []string{"at", "action", "actor", "subject", "address", "detail"}, allEntries(v, f))
	}
	f.Before, _ = strconv.ParseInt(v.Query("after"), 10, 64) // what is no number is the first page
	var err error
	if d.Entries, err = audit.List(v.Read(), v.Org.No, f); err != nil {
		return err
	}
	next := ""
	if len(d.Entries) > frame.PageSize {
		d.Entries = d.Entries[:frame.PageSize]
		next = strconv.FormatInt(d.Entries[frame.PageSize-1].No, 10)
	}
	members, err := org.Members(v.Read(), v.Org.No)
	if err != nil {
		return err
	}
	for _, m := range members {
		d.Emails[string(m.User.ID)] = m.User.Email
	}
	d.Pager = v.Pager(next, true)
	return v.Show(pages, "audit", http.StatusOK, frame.View{Title: "Audit log", At: "/audit", Wide: true, Data: d})
}

// allEntries goes through the log, some at a time.
func allEntries(v *frame.Visit, f audit.Filter) iter.Seq2[[]string, error] {
	f.Limit = 1000
	return func(yield func([]string, error) bool) {
		for {
			some, err := audit.List(v.Read(), v.Org.No, f)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, e := range some {
				if !yield([]string{e.At.UTC().Format(time.RFC3339), e.Action, e.Actor, e.Subject, e.Address, auditData{}.Detail(e)}, nil) {
					return
				}
			}
			if len(some) < f.Limit {
				return
			}
			f.Before = some[len(some)-1].No
		}
	}
}
