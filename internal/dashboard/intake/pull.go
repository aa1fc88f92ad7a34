package intake

import (
	"context"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/page"
	"github.com/stagedoorhq/stagedoor/internal/provider"
	"github.com/stagedoorhq/stagedoor/internal/pull"
)

// theirs says whose pull endpoints are shown: all of the organisation.
func theirs(v *frame.Visit) pull.Whose { return pull.Whose{Org: v.Org.No} }

type pullsData struct {
	Endpoints []*pull.Endpoint
	Pager     frame.Pager
}

func (r *Room) pulls(v *frame.Visit) error {
	after, _ := strconv.ParseInt(v.Query("after"), 10, 64) // what is no number is the first page
	all, more, err := r.Depot.List(v.Read(), theirs(v), after, frame.PageSize)
	if err != nil {
		return err
	}
	next := ""
	if more {
		next = strconv.FormatInt(all[len(all)-1].No, 10)
	}
	return v.Show(pages, "pulls", http.StatusOK, frame.View{Title: "Pull endpoints", At: "/pull", Data: pullsData{all, v.Pager(next, false)}})
}

// pullForm is the form for a new endpoint, as it was filled in.
type pullForm struct{ Name, Description, Provider, Secret, Days, Code, Networks string }

func (r *Room) newPull(v *frame.Visit) error {
	return showNewPull(v, http.StatusOK, pullForm{Days: strconv.Itoa(pull.DefaultDays), Code: strconv.Itoa(pull.DefaultCode)}, nil)
}

type newPullData struct {
	Form      pullForm
	Providers []page.Option
}

func showNewPull(v *frame.Visit, status int, f pullForm, wrong page.Complaints) error {
	d := newPullData{Form: f, Providers: []page.Option{{Value: "", Text: "Nobody by name: check only the address's secret"}}}
	for _, name := range provider.Names() {
		d.Providers = append(d.Providers, page.Option{Value: name, Text: name})
	}
	return v.Show(pages, "pull-new", status, frame.View{Title: "Make a pull endpoint", At: "/pull", Complaints: wrong, Data: d})
}

// settings are what a form says. A provider stands for all that it publishes about its signature; its secret is all that is needed beside.
func (f pullForm) settings() (s pull.Settings, wrong page.Complaints) {
	s = pull.Settings{Name: f.Name, Description: f.Description}
	var err error
	if s.RetentionDays, err = strconv.Atoi(f.Days); err != nil {
		wrong = append(wrong, page.Complaint{Field: "pull-days", Text: "Days are a number from 1 to 365."})
	}
	if s.ResponseCode, err = strconv.Atoi(f.Code); err != nil {
		wrong = append(wrong, page.Complaint{Field: "pull-code", Text: "The answer's status is a number from 200 to 299."})
	}
	if f.Provider != "" {
		s.Scheme.Provider, s.Scheme.HMAC.Secret, s.Verify.HMAC = f.Provider, f.Secret, true
		s.EventType, s.DedupHeaders = provider.Defaults(f.Provider)
	}
	if cidrs := strings.Fields(f.Networks); len(cidrs) > 0 {
		if s.Scheme.Networks, err = provider.ParseNetworks(cidrs); err != nil {
			wrong = append(wrong, page.Complaint{Field: "pull-networks", Text: err.Error()})
		}
		s.Verify.Networks = true
	}
	return s, wrong
}

func (r *Room) makePull(v *frame.Visit) error {
	f := pullForm{
		Name: v.Value("name"), Description: v.Value("description"), Provider: v.Value("provider"), Secret: v.Value("secret"), Days: v.Value("days"), Code: v.Value("code"),
		Networks: v.Value("networks"),
	}
	s, wrong := f.settings()
	if wrong != nil {
		return showNewPull(v, http.StatusBadRequest, f, wrong)
	}
	err := s.Check()
	var e *pull.Endpoint
	var secret string
	if err == nil {
		err = v.Write(func(tx *db.Tx) (err error) {
			e, secret, err = r.Depot.Create(tx, theirs(v), s, v.By())
			return err
		})
	}
	names := map[string]string{
		"/name": "name", "/description": "description", "/retention_days": "days", "/ingest_response_code": "code", "/hmac_secret": "secret", "/provider": "provider", "/allowed_cidrs": "networks",
	}
	if wrong, status, ok := frame.Wrong(err, "pull-", names); ok {
		return showNewPull(v, status, f, wrong)
	} else if err != nil {
		return err
	}
	return r.showPull(v, e, secret)
}

func (r *Room) thePull(v *frame.Visit) (*pull.Endpoint, error) {
	return r.Depot.Get(v.Read(), theirs(v), id.PullEndpoint(v.R.PathValue("pull")))
}

type pullData struct {
	Endpoint    *pull.Endpoint
	Counts      pull.Counts
	URL, Curl   string // with the address's secret, which was just made; without it else
	New         bool
	Provider    string
	Events      []pull.LogEntry
	Rejections  []pull.Rejection // the latest
	Status      string
	Type        string
	Stream, All string
	Pager       frame.Pager
}

func (r *Room) pull(v *frame.Visit) error {
	e, err := r.thePull(v)
	if err != nil {
		return err
	}
	return r.showPull(v, e, "")
}

func (r *Room) showPull(v *frame.Visit, e *pull.Endpoint, secret string) (err error) {
	d := pullData{Endpoint: e, New: secret != "", Provider: e.Scheme.Provider, Status: v.Query("status"), Type: v.Query("type")}
	if d.New {
		d.URL = r.IngestURL(e.ID, secret)
		d.Curl = "curl " + quoted(d.URL) + " \\\n  -H 'Content-Type: application/json' \\\n  -d '{\"type\":\"hello\"}'"
	}
	q := v.Read()
	if d.Counts, err = r.Depot.Counts(q, e); err != nil {
		return err
	}
	f := pull.LogFilter{Endpoint: e.ID, Newest: true, Filter: pull.Filter{Type: d.Type}}
	if s, ok := pull.ParseStatus(d.Status); ok {
		f.Status = []pull.Status{s}
	}
	var more bool
	if d.Events, more, err = r.Depot.Logs(q, theirs(v), f, cursor(v.Query("after")), frame.PageSize); err != nil {
		return err
	}
	next := ""
	if more {
		next = written(d.Events[len(d.Events)-1].Cursor())
	}
	if d.Rejections, _, err = r.Depot.Rejections(q, theirs(v), pull.RejectionFilter{Endpoint: e.ID, Newest: true}, pull.Cursor{}, 5); err != nil {
		return err
	}
	path := v.Path("/pull/" + string(e.ID))
	d.Stream, d.All, d.Pager = path+"/stream", path, v.Pager(next, false)
	view := frame.View{Title: "Pull endpoint " + e.Name, At: "/pull", Wide: true, Data: d}
	if v.HX() {
		return v.Fragment(pages, "pull", "rows", view)
	}
	return v.Show(pages, "pull", http.StatusOK, view)
}

// cursor reads what written has written; what is none is the first page.
func cursor(s string) (c pull.Cursor) {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	at, no, ok := strings.Cut(string(raw), ".")
	if err != nil || !ok {
		return c
	}
	micros, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return c
	}
	if c.No, err = strconv.ParseInt(no, 10, 64); err != nil {
		return pull.Cursor{}
	}
	c.At = time.UnixMicro(micros).UTC()
	return c
}

func written(c pull.Cursor) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(c.At.UnixMicro(), 10) + "." + strconv.FormatInt(c.No, 10)))
}

func (r *Room) pullStream(v *frame.Visit) error {
	e, err := r.thePull(v)
	if err != nil {
		return err
	}
	return v.Streams.Pull(v.W, v.R, v.Who, e, "", func(ctx context.Context) (*access.Principal, *pull.Endpoint, error) {
		p, err := v.Still(ctx)
		if err != nil {
			return nil, nil, err
		}
		now, err := r.Depot.Get(v.DB.Read(ctx), theirs(v), e.ID)
		return p, now, err
	})
}

func (r *Room) pausePull(v *frame.Visit) error {
	err := v.Write(func(tx *db.Tx) error {
		_, err := r.Depot.Pause(tx, theirs(v), id.PullEndpoint(v.R.PathValue("pull")), v.By())
		return err
	})
	if err != nil {
		return err
	}
	return v.Done("/pull/"+v.R.PathValue("pull"), "The endpoint refuses what is sent to it until it is resumed.")
}

func (r *Room) resumePull(v *frame.Visit) error {
	err := v.Write(func(tx *db.Tx) error {
		_, err := r.Depot.Resume(tx, theirs(v), id.PullEndpoint(v.R.PathValue("pull")), v.By())
		return err
	})
	if err != nil {
		return err
	}
	return v.Done("/pull/"+v.R.PathValue("pull"), "The endpoint takes events again.")
}

func (r *Room) deletePull(v *frame.Visit) error {
	e, err := r.thePull(v)
	if err != nil {
		return err
	}
	sure, err := v.Sure("Delete the pull endpoint "+e.Name+"?", "Its address takes nothing any more, and the events that it keeps are gone at once.", "Delete it", "/pull/"+string(e.ID))
	if !sure {
		return err
	}
	if err := v.Write(func(tx *db.Tx) error { return r.Depot.Delete(tx, theirs(v), e.ID, 0, v.By()) }); err != nil {
		return err
	}
	return v.Done("/pull", "The pull endpoint is deleted.")
}

type rejectionsData struct {
	Endpoint   *pull.Endpoint
	Rejections []pull.Rejection
	Pager      frame.Pager
}

func (r *Room) rejections(v *frame.Visit) error {
	e, err := r.thePull(v)
	if err != nil {
		return err
	}
	all, more, err := r.Depot.Rejections(v.Read(), theirs(v), pull.RejectionFilter{Endpoint: e.ID, Newest: true}, cursor(v.Query("after")), frame.PageSize)
	if err != nil {
		return err
	}
	next := ""
	if more {
		next = written(all[len(all)-1].Cursor())
	}
	return v.Show(pages, "rejections", http.StatusOK, frame.View{Title: "What " + e.Name + " refused", At: "/pull", Wide: true, Data: rejectionsData{e, all, v.Pager(next, false)}})
}
