package outbound

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/chart"
	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/page"
)

// spans are how far back charts go.
var spans = []struct {
	name, text string
	span       chart.Span
}{{"1h", "the last hour", chart.Hour}, {"24h", "24 hours", chart.Day}, {"7d", "7 days", chart.Week}, {"30d", "30 days", chart.Month}}

type chartsData struct {
	Span     string
	Spans    []page.Option
	Words    string // of the span
	Step     string
	Webhook  string // as it was typed
	Of       *endpoint.Endpoint
	Several  []*endpoint.Endpoint
	None     bool
	Total    chart.Point
	Share    string
	Points   []chart.Point // newest first, those in which there was something
	Attempts drawing
	Success  drawing
	Latency  drawing
}

// drawing is a chart as the page draws it: everything is computed, and the page has the shapes.
type drawing struct {
	Title, Desc string
	Bars        []bar
	Lines       []path
	Grid        []tickmark // along the left
	Times       []tickmark // along the bottom
}

type bar struct {
	Class      string
	X, Y, W, H float64
	Text       string // what it stands for
}

type path struct{ Class, D string }

type tickmark struct {
	At   float64
	Text string
}

// The chart's box, in its own units.
const (
	chartLeft, chartTop     = 56.0, 10.0
	chartRight, chartBottom = 890.0, 170.0
)

func (r *Room) charts(v *frame.Visit) (err error) {
	d := chartsData{Span: v.Query("span"), Webhook: v.Query("webhook")}
	which := spans[1]
	for _, s := range spans {
		d.Spans = append(d.Spans, page.Option{Value: s.name, Text: s.text})
		if s.name == d.Span {
			which = s
		}
	}
	d.Span, d.Words, d.Step = which.name, which.text, span(which.span.Step())
	number := int64(0)
	if d.Webhook != "" {
		if d.Of, d.Several, err = r.meant(v, d.Webhook); err != nil {
			return err
		}
		if d.None = d.Of == nil && len(d.Several) == 0; d.Of != nil {
			number = d.Of.Number
		}
	}
	now := v.Now()
	points, err := r.Charts.Series(v.Read(), v.Org.No, number, which.span, now)
	if err != nil {
		return err
	}
	if d.Total, err = r.Charts.Totals(v.Read(), v.Org.No, number, which.span, now); err != nil {
		return err
	}
	d.Share = hook{Day: d.Total}.Share()
	for i := len(points) - 1; i >= 0; i-- {
		if points[i].Attempts > 0 {
			d.Points = append(d.Points, points[i])
		}
	}
	times := timesOf(points, which.span, v.Zone)
	d.Attempts, d.Success, d.Latency = drawAttempts(points, times, v.Zone), drawSuccess(points, times), drawLatency(points, times)
	return v.Show(pages, "charts", http.StatusOK, frame.View{Title: "Charts", At: "/charts", Wide: true, Data: d})
}

// across is where the i'th of n points begins.
func across(i, n int) float64 { return chartLeft + (chartRight-chartLeft)*float64(i)/float64(n) }

// up is where a share of the height is.
func up(share float64) float64 { return chartBottom - (chartBottom-chartTop)*share }

// timesOf are some instants along the bottom.
func timesOf(points []chart.Point, s chart.Span, z *time.Location) []tickmark {
	layout := "15:04"
	if s == chart.Week || s == chart.Month {
		layout = "2 Jan"
	}
	const marks = 6
	all := make([]tickmark, 0, marks)
	for i := range marks {
		n := i * len(points) / marks
		all = append(all, tickmark{across(n, len(points)), points[n].At.In(z).Format(layout)})
	}
	return all
}

// round is a number at least as large that people like at the end of an axis: 1, 2 or 5 with noughts.
func round(most float64) float64 {
	if most <= 0 {
		return 1
	}
	step := math.Pow(10, math.Floor(math.Log10(most)))
	for _, f := range []float64{1, 2, 5, 10} {
		if most <= f*step*1.0000001 {
			return f * step
		}
	}
	return 10 * step
}

// drawAttempts draws how many there were: what delivered below, then what is tried again, then what failed.
func drawAttempts(points []chart.Point, times []tickmark, z *time.Location) drawing {
	most := int64(1)
	var delivered, retried, failed int64
	for _, p := range points {
		most = max(most, p.Attempts)
		delivered, retried, failed = delivered+p.Delivered, retried+p.Retried, failed+p.Failed
	}
	end := round(float64(most))
	d := drawing{
		Title: "Attempts", Times: times, Grid: []tickmark{{up(0), "0"}, {up(1), short(end)}},
		Desc: fmt.Sprintf("%d delivered, %d to be tried again, %d failed; at most %d in one part of the time.", delivered, retried, failed, most),
	}
	if math.Mod(end, 2) == 0 {
		d.Grid = append(d.Grid, tickmark{up(.5), short(end / 2)})
	}
	for i, p := range points {
		base := 0.0
		for _, part := range []struct {
			class, word string
			n           int64
		}{{"good", "delivered", p.Delivered}, {"retried", "to be tried again", p.Retried}, {"bad", "failed", p.Failed}} {
			if part.n == 0 {
				continue
			}
			top := base + float64(part.n)/end
			x, w := across(i, len(points)), (chartRight-chartLeft)/float64(len(points))
			d.Bars = append(d.Bars, bar{part.class, x + .1*w, up(top), .8 * w, up(base) - up(top), fmt.Sprintf("%s: %d %s", p.At.In(z).Format("2 Jan 15:04"), part.n, part.word)})
			base = top
		}
	}
	return d
}

// short is a number as an axis has it: 500, 2k, 10M.
func short(n float64) string {
	switch {
	case n >= 1e6:
		return fmt.Sprintf("%gM", n/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%gk", n/1e3)
	}
	return fmt.Sprintf("%g", n)
}

// drawSuccess draws the share of attempts that delivered.
func drawSuccess(points []chart.Point, times []tickmark) drawing {
	d := drawing{Title: "Success", Times: times, Grid: []tickmark{{up(0), "0 %"}, {up(.5), "50 %"}, {up(1), "100 %"}}}
	lowest := 1.0
	d.Lines = []path{{"line", through(points, func(p chart.Point) (float64, bool) {
		if p.Attempts == 0 {
			return 0, false
		}
		share := float64(p.Delivered) / float64(p.Attempts)
		lowest = min(lowest, share)
		return share, true
	})}}
	d.Desc = fmt.Sprintf("The share of attempts that delivered, at worst %.0f %%.", math.Floor(lowest*100))
	if d.Lines[0].D == "" {
		d.Desc = "There were no attempts."
	}
	return d
}

// drawLatency draws how long receivers took: the half that is slower than the middle line, and the slowest of twenty above.
func drawLatency(points []chart.Point, times []tickmark) drawing {
	var most time.Duration
	for _, p := range points {
		most = max(most, p.P95)
	}
	end := time.Duration(round(float64(most.Milliseconds()))) * time.Millisecond
	d := drawing{
		Title: "Latency", Times: times, Grid: []tickmark{{up(0), "0"}, {up(.5), milli(end / 2)}, {up(1), milli(end)}},
		Desc: "How long it took until an answer was read: half of the attempts were quicker than the one line, 95 of 100 than the other, which is at most " + milli(most) + ".",
	}
	of := func(which func(chart.Point) time.Duration) string {
		return through(points, func(p chart.Point) (float64, bool) { return float64(which(p)) / float64(end), which(p) > 0 })
	}
	d.Lines = []path{{"line", of(func(p chart.Point) time.Duration { return p.P50 })}, {"line second", of(func(p chart.Point) time.Duration { return p.P95 })}}
	if most == 0 {
		d.Desc = "Nothing was answered."
	}
	return d
}

func milli(d time.Duration) string {
	if d >= time.Second {
		return fmt.Sprintf("%g s", math.Round(d.Seconds()*10)/10)
	}
	return fmt.Sprintf("%g ms", float64(d.Microseconds())/1000)
}

// through is a line through the middles of the points that have a value, a share of the height. One that stands alone is a short stroke.
func through(points []chart.Point, value func(chart.Point) (float64, bool)) string {
	var b strings.Builder
	w := (chartRight - chartLeft) / float64(len(points))
	before := false
	for i, p := range points {
		share, ok := value(p)
		x, y := across(i, len(points)), up(min(share, 1))
		switch {
		case ok && before:
			fmt.Fprintf(&b, "L%.1f %.1f", x+w, y)
		case ok:
			fmt.Fprintf(&b, "M%.1f %.1fL%.1f %.1f", x, y, x+w, y)
		}
		before = ok
	}
	return b.String()
}
