package frame

import (
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/page"
)

// When shows an instant in the viewer's zone, to the second; a dash for none.
func (d View) When(t time.Time) template.HTML { return d.moment(t, d.Zone, "2 Jan 2006, 15:04:05") }

// WhenIn shows an instant in an event's zone, to the minute, and says the zone; in the viewer's too where that is another.
func (d View) WhenIn(t time.Time, iana string) template.HTML {
	z, err := time.LoadLocation(iana)
	if err != nil || iana == "" {
		z = time.UTC
	}
	there := d.moment(t, z, "Mon 2 Jan 2006, 15:04")
	if t.IsZero() || sameClock(t, z, d.Zone) {
		return there
	}
	return there + ` <span class="quiet">(` + d.moment(t, d.Zone, "15:04 2 Jan") + ` for you)</span>`
}

func sameClock(t time.Time, a, b *time.Location) bool {
	_, x := t.In(a).Zone()
	_, y := t.In(b).Zone()
	return x == y
}

// moment is a time element: for people in a zone that it names, for programs in UTC.
func (d View) moment(t time.Time, z *time.Location, layout string) template.HTML {
	if t.IsZero() {
		return `<span class="quiet">–</span>`
	}
	shown := t.In(z)
	//nolint:gosec // G203: a zone's abbreviation and digits, escaped all the same
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`, t.UTC().Format(time.RFC3339Nano), template.HTMLEscapeString(t.UTC().Format("2006-01-02 15:04:05.000 UTC")),
		template.HTMLEscapeString(shown.Format(layout+" MST"))))
}

// Ago is how long ago an instant was, roughly; in 3 min for one to come.
func (d View) Ago(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	by := d.Now().Sub(t)
	if by < 0 {
		return "in " + rough(-by)
	}
	return rough(by) + " ago"
}

func rough(d time.Duration) string {
	switch {
	case d < time.Second:
		return "less than a second"
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// Took is a duration as people read it: 12 ms, 1.4 s.
func (d View) Took(t time.Duration) string {
	switch {
	case t < time.Millisecond:
		return "< 1 ms"
	case t < time.Second:
		return fmt.Sprintf("%d ms", t.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", t.Seconds())
}

// ZoneName is the name of the viewer's zone.
func (d View) ZoneName() string { return d.Zone.String() }

// Segment is a name that people chose as a part of a path.
func (d View) Segment(name string) string { return url.PathEscape(name) }

// Money is an amount with its currency.
func (d View) Money(a money.Amount) string { return a.String() + " " + string(a.Currency) }

// Count is a whole number with thin spaces between its thousands.
func (d View) Count(n any) string {
	s := fmt.Sprint(n)
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return sign + s
}

// Select makes a field with choices, given as values and texts in turn. Where one of them is "", nothing has to be chosen.
func (d View) Select(id, label, value string, choices ...string) page.Field {
	var all []page.Option
	for i := 0; i+1 < len(choices); i += 2 {
		all = append(all, page.Option{Value: choices[i], Text: choices[i+1]})
	}
	return d.Choose(id, label, value, all)
}

// Choose is Select with choices that were made elsewhere.
func (d View) Choose(id, label, value string, choices []page.Option) page.Field {
	f := d.Field(id, label, "select", "", value, "required")
	for _, o := range choices {
		o.Chosen = o.Value == value
		f.Required = f.Required && o.Value != ""
		f.Options = append(f.Options, o)
	}
	return f
}

// Asset is the path of one of our files, such as "assets/dashboard.css".
func (d View) Asset(name string) string { return d.assets.Path(name) }

// Btn is a form with one button: what it does, what it says, and how it looks (plain, bad, or "").
type Btn struct {
	CSRF, Action, Text, Look string
	Hidden                   []string // names and values in turn
}

// Button makes a form with one button, for the template "button". The path is one below the organisation; names and values of hidden fields may follow.
func (d View) Button(action, text, look string, hidden ...string) Btn {
	return Btn{CSRF: d.CSRF, Action: d.Path(action), Text: text, Look: look, Hidden: hidden}
}

// Pairs are the hidden fields.
func (b Btn) Pairs() []page.Option {
	var all []page.Option
	for i := 0; i+1 < len(b.Hidden); i += 2 {
		all = append(all, page.Option{Value: b.Hidden[i+1], Text: b.Hidden[i]})
	}
	return all
}
