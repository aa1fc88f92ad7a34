package intake

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inbound"
	"github.com/stagedoorhq/stagedoor/internal/page"
)

// mine says whose developer endpoints a person sees: their own.
func mine(v *frame.Visit) inbound.Whose {
	return inbound.Whose{Org: v.Org.No, Account: string(v.User.ID)}
}

func (r *Room) inspectors(v *frame.Visit) error {
	all, err := r.Box.List(v.Read(), mine(v))
	if err != nil {
		return err
	}
	if len(all) == 1 {
		return v.To(v.Path("/inspector/" + string(all[0].ID)))
	}
	return v.Show(pages, "inspectors", http.StatusOK, frame.View{Title: "Inspector", At: "/inspector", Data: all})
}

func (r *Room) makeInspector(v *frame.Visit) error {
	var e *inbound.Endpoint
	err := v.Write(func(tx *db.Tx) (err error) {
		e, err = r.Box.Create(tx, mine(v), inbound.Answer{}, v.By())
		return err
	})
	if err != nil {
		return err
	}
	return r.show(v, e, http.StatusOK, e.Secret, nil)
}

// ours finds the endpoint of the path.
func (r *Room) ours(v *frame.Visit) (*inbound.Endpoint, error) {
	return r.Box.Get(v.Read(), mine(v), id.DevEndpoint(v.R.PathValue("dev")))
}

type inspectorData struct {
	Endpoint *inbound.Endpoint
	URL      string
	Curl     string
	Secret   string // that was just made
	Requests []inbound.Event
	Since    int64 // the number of the newest that is shown
	Verdict  string
	Search   string
	Stream   string
	News     string // where new rows are
	Status   string
	Body     string
	Delay    string
	Pager    frame.Pager
	Filtered bool
}

func (r *Room) inspector(v *frame.Visit) error {
	e, err := r.ours(v)
	if err != nil {
		return err
	}
	if v.Query("since") != "" {
		return r.news(v, e)
	}
	return r.show(v, e, http.StatusOK, "", nil)
}

// show shows an endpoint, with the secret that it was just made with, and what is wrong with the answer that was chosen.
func (r *Room) show(v *frame.Visit, e *inbound.Endpoint, status int, secret string, wrong page.Complaints) error {
	d := inspectorData{Endpoint: e, URL: v.PublicURL + strings.Replace(inbound.DoorPath, "{devId}", string(e.ID), 1), Secret: secret, Verdict: v.Query("verdict"), Search: v.Query("search")}
	d.Curl = "curl " + quoted(d.URL) + " \\\n  -H 'Content-Type: application/json' \\\n  -d '{\"event\":\"hello\",\"data\":{\"to\":\"the world\"}}'"
	d.Filtered = d.Verdict != "" || d.Search != ""
	before, _ := strconv.ParseInt(v.Query("after"), 10, 64) // what is no number is the first page
	var next string
	var err error
	if d.Requests, next, err = r.fitting(v, e, before, d.Verdict, d.Search); err != nil {
		return err
	}
	if d.Since, err = r.newest(v, e); err != nil {
		return err
	}
	path := v.Path("/inspector/" + string(e.ID))
	d.Stream, d.News, d.Pager = path+"/stream", path+"?verdict="+d.Verdict, v.Pager(next, false)
	d.Status, d.Delay = strconv.Itoa(max(e.Answer.Status, 200)), strconv.FormatFloat(e.Answer.Delay.Seconds(), 'g', -1, 64)
	if e.Answer.Body != nil {
		d.Body = *e.Answer.Body
	}
	if wrong != nil {
		d.Status, d.Delay, d.Body = v.Value("status"), v.Value("delay"), v.Form.Get("body")
	}
	return v.Show(pages, "inspector", status, frame.View{Title: "Inspector " + string(e.ID), At: "/inspector", Wide: true, Complaints: wrong, Data: d})
}

// newest is the number of the newest request of an endpoint; 0 for none.
func (r *Room) newest(v *frame.Visit, e *inbound.Endpoint) (int64, error) {
	f, _, err := r.Box.Newest(v.Read(), e)
	return f.Seq, err
}

// fitting returns a page of the requests that fit, newest first, and the cursor of the next. An endpoint keeps a thousand, so a search goes through them.
func (r *Room) fitting(v *frame.Visit, e *inbound.Endpoint, before int64, verdict, search string) (all []inbound.Event, next string, err error) {
	for {
		some, more, err := r.Box.Events(v.Read(), e, before, 100)
		if err != nil {
			return nil, "", err
		}
		for _, one := range some {
			if !fits(one, verdict, search) {
				continue
			}
			if len(all) == frame.PageSize {
				return all, strconv.FormatInt(all[len(all)-1].ID.Seq, 10), nil
			}
			all = append(all, one)
		}
		if !more || len(some) == 0 {
			return all, "", nil
		}
		before = some[len(some)-1].ID.Seq
	}
}

// fits tells whether a request has a verdict, "" for any, and a text in its event's name, its headers or its body.
func fits(e inbound.Event, verdict, search string) bool {
	if verdict != "" && e.Signature.Verdict != verdict {
		return false
	}
	if search == "" || strings.Contains(e.Name, search) || strings.Contains(string(e.Body), search) {
		return true
	}
	for name, value := range e.Headers {
		if strings.Contains(strings.ToLower(name), strings.ToLower(search)) || strings.Contains(value, search) {
			return true
		}
	}
	return false
}

// news answers htmx with the requests that came since one.
func (r *Room) news(v *frame.Visit, e *inbound.Endpoint) error {
	since, _ := strconv.ParseInt(v.Query("since"), 10, 64) // what is no number is before all of them
	d := inspectorData{Endpoint: e, Since: since, Verdict: v.Query("verdict"), Search: v.Query("search")}
	some, _, err := r.Box.Events(v.Read(), e, 0, 100)
	if err != nil {
		return err
	}
	for _, one := range some {
		if one.ID.Seq <= since {
			break
		}
		d.Since = max(d.Since, one.ID.Seq)
		if fits(one, d.Verdict, d.Search) {
			d.Requests = append(d.Requests, one)
		}
	}
	return v.Fragment(pages, "inspector", "news", frame.View{Data: d})
}

func (r *Room) inspectorStream(v *frame.Visit) error {
	e, err := r.ours(v)
	if err != nil {
		return err
	}
	return v.Streams.Inbound(v.W, v.R, v.Who, e, func(ctx context.Context) (*access.Principal, error) {
		p, err := v.Still(ctx)
		if err == nil {
			_, err = r.Box.Get(v.DB.Read(ctx), mine(v), e.ID) // it may have been deleted
		}
		return p, err
	})
}

func (r *Room) chooseAnswer(v *frame.Visit) error {
	e, err := r.ours(v)
	if err != nil {
		return err
	}
	a := inbound.Answer{}
	var wrong page.Complaints
	if a.Status, err = strconv.Atoi(v.Value("status")); err != nil {
		wrong = append(wrong, page.Complaint{Field: "answer-status", Text: "A status is a number from 200 to 599."})
	}
	seconds, err := strconv.ParseFloat("0"+v.Value("delay"), 64)
	if err != nil || seconds > inbound.MaxDelay.Seconds() {
		wrong = append(wrong, page.Complaint{Field: "answer-delay", Text: "An answer can be held back for 30 seconds at most."})
	}
	a.Delay = time.Duration(min(seconds, 1e6) * float64(time.Second))
	if b := v.Form.Get("body"); b != "" {
		a.Body = &b
	}
	if wrong != nil {
		return r.show(v, e, http.StatusBadRequest, "", wrong)
	}
	err = v.Write(func(tx *db.Tx) error {
		_, err := r.Box.Change(tx, mine(v), e.ID, &a, 0)
		return err
	})
	if wrong, status, ok := frame.Wrong(err, "answer-", map[string]string{"/answer/status": "status", "/answer/body": "body", "/answer/delayMs": "delay"}); ok {
		return r.show(v, e, status, "", wrong)
	} else if err != nil {
		return err
	}
	return v.Done("/inspector/"+string(e.ID), "Senders get this answer from now on.")
}

func (r *Room) deleteInspector(v *frame.Visit) error {
	e, err := r.ours(v)
	if err != nil {
		return err
	}
	sure, err := v.Sure("Delete "+string(e.ID)+"?", "Its address takes nothing any more, and what it has taken is gone.", "Delete it", "/inspector/"+string(e.ID))
	if !sure {
		return err
	}
	if err := v.Write(func(tx *db.Tx) error { return r.Box.Delete(tx, mine(v), e.ID, 0, v.By()) }); err != nil {
		return err
	}
	return v.Done("/inspector", "The developer endpoint is deleted.")
}
