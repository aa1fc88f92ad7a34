package outbound

import (
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/chart"
	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/page"
)

// whose are all webhooks of the organisation: its own and those of its apps.
func whose(v *frame.Visit) endpoint.Whose { return endpoint.Whose{Org: v.Org.No} }

type webhooksData struct {
	Webhooks            []hook
	Text, Format, State string // as they were chosen
	Formats             []page.Option
	Tally               endpoint.Tally
	Filtered            bool
	Pager               frame.Pager
}

// hook is a webhook as pages show it.
type hook struct {
	*endpoint.Endpoint
	Last delivery.Summary // zero before the first
	Day  chart.Point      // of the last 24 hours
}

// Status is how it stands, in a word.
func (h hook) Status() string { return status(h.Endpoint) }

func status(e *endpoint.Endpoint) string {
	switch {
	case e.Disabled != "":
		return "disabled"
	case !e.Active:
		return "paused"
	case !e.FailingSince.IsZero():
		return "failing"
	}
	return "active"
}

// Share is how many of the attempts delivered.
func (h hook) Share() string {
	if h.Day.Attempts == 0 {
		return ""
	}
	share := float64(h.Day.Delivered) * 100 / float64(h.Day.Attempts)
	if share > 99.9 && share < 100 { // not all
		share = 99.9
	}
	return strings.TrimSuffix(strconv.FormatFloat(share, 'f', 1, 64), ".0") + " %"
}

// Tells are the events in a few words.
func (h hook) Tells() string {
	const most = 3
	if len(h.Events) > most {
		return strings.Join(h.Events[:most], ", ") + " and " + strconv.Itoa(len(h.Events)-most) + " more"
	}
	if len(h.Events) == 1 && h.Events[0] == endpoint.Wildcard {
		return "all events"
	}
	return strings.Join(h.Events, ", ")
}

func (r *Room) webhooks(v *frame.Visit) error {
	d := webhooksData{Text: v.Query("text"), Format: chosen(v, "kind"), State: chosen(v, "state"), Formats: r.formatChoices()}
	d.Filtered = d.Text != "" || d.Format != "" || d.State != ""
	s := endpoint.Search{Text: d.Text, Format: d.Format, Disabled: d.State == "off", Failing: d.State == "failing", Limit: frame.PageSize}
	if v.WantsCSV() {
		return v.CSV("webhooks", []string{"id", "url", "format", "events", "status", "description", "createdAt"}, r.allWebhooks(v, s))
	}
	s.Before, _ = strconv.ParseInt(v.Query("after"), 10, 64) // what is no number is the first page
	page, more, err := r.Endpoints.Find(v.Read(), whose(v), s)
	if err != nil {
		return err
	}
	if d.Webhooks, err = r.hooks(v, page); err != nil {
		return err
	}
	if d.Tally, err = r.Endpoints.Count(v.Read(), whose(v)); err != nil {
		return err
	}
	next := ""
	if more {
		next = strconv.FormatInt(page[len(page)-1].Number, 10)
	}
	d.Pager = v.Pager(next, len(page) > 0)
	return v.Show(pages, "webhooks", http.StatusOK, frame.View{Title: "Webhooks", At: "/webhooks", Wide: true, Data: d})
}

// hooks are endpoints with what was last delivered to them.
func (r *Room) hooks(v *frame.Visit, page []*endpoint.Endpoint) ([]hook, error) {
	numbers := make([]int64, len(page))
	for i, e := range page {
		numbers[i] = e.Number
	}
	last, err := r.Engine.Latest(v.R.Context(), v.Org.No, numbers)
	if err != nil {
		return nil, err
	}
	day, err := r.Charts.TotalsOf(v.Read(), v.Org.No, numbers, chart.Day, v.Now())
	if err != nil {
		return nil, err
	}
	all := make([]hook, len(page))
	for i, e := range page {
		all[i] = hook{e, last[e.Number], day[e.Number]}
	}
	return all, nil
}

// allWebhooks goes through all that fit, some at a time.
func (r *Room) allWebhooks(v *frame.Visit, s endpoint.Search) iter.Seq2[[]string, error] {
	s.Limit = 500
	return func(yield func([]string, error) bool) {
		for more := true; more; {
			var some []*endpoint.Endpoint
			var err error
			if some, more, err = r.Endpoints.Find(v.Read(), whose(v), s); err != nil {
				yield(nil, err)
				return
			}
			for _, e := range some {
				s.Before = e.Number
				if !yield([]string{string(e.ID), e.URL, e.Format, strings.Join(e.Events, " "), status(e), e.Description, e.CreatedAt.Format(time.RFC3339)}, nil) {
					return
				}
			}
		}
	}
}
