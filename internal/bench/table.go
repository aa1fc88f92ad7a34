package bench

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// write prints the report as Markdown tables, which read as well on a terminal.
func (r *Report) write(w io.Writer) error {
	var out strings.Builder
	kind := "full"
	if r.Quick {
		kind = "quick"
	}
	fmt.Fprintf(&out, "Stagedoor bench, %s run of %s, %.0f s\n", kind, r.Started.Format("2006-01-02 15:04 MST"), r.Seconds)
	m := r.Machine
	fmt.Fprintf(&out, "%s/%s, %d × %s, %s; one append with fdatasync %.3f ms\n", m.OS, m.Arch, m.CPUs, or(m.CPU, "CPU"), m.Go, m.SyncMillis)
	fmt.Fprintf(&out, "Times in milliseconds, p50 / p99. Of several rounds, the middle one.\n")
	for _, part := range allParts() {
		r.part(&out, part)
	}
	r.judgement(&out)
	for _, s := range r.Skipped {
		fmt.Fprintf(&out, "\nskipped: %s\n", s)
	}
	for _, s := range r.Failures {
		fmt.Fprintf(&out, "\nFAILED: %s\n", s)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

var titles = map[string]string{
	partThroughput: "Messages of 1 KiB, one endpoint",
	partRates:      "Messages of 1 KiB at fixed rates, one endpoint",
	partTen:        "Messages of 1 KiB, ten endpoints",
	partHanging:    "Ten endpoints, of which some are sick; the figures are of the eight others",
	partOrders:     "Orders, one portal endpoint",
	partHot:        "Orders for one event, no endpoint",
	partOnSale:     "An on-sale: holds that become orders",
	partOld:        "With old deliveries in the tables",
	partTokens:     "GET /api/v1/events with an access token",
	partStream:     "Messages of 1 KiB at a fixed rate, and 100 who listen to the stream; a delivery is one message at one of them",
	partDoor:       "POST /api/v1/checkin/scan: ten gates",
	partIngest:     "Events for a pull endpoint; single appends and syncs each, durable all that wait, and neither does more",
	partKept:       "Listing and fetching what a pull endpoint keeps",
	partPasses:     "An event changes, and each device that has a pass for it is pushed",
	partPages:      "What people look at, one request at a time, with a month's past in the tables",
	partRestart:    "SIGKILL and restart",
}

// part prints one part's table, or nothing where it was not measured.
func (r *Report) part(out *strings.Builder, part string) {
	var rows [][]string
	for _, x := range r.shown(part) {
		switch part {
		case partRestart:
			rows = append(rows, x.restartRow())
		case partPasses:
			rows = append(rows, x.passesRow())
		case partPages:
			rows = append(rows, x.pageRow())
		case partIngest:
			rows = append(rows, x.ingestRow())
		case partTokens, partDoor, partKept:
			rows = append(rows, x.tokensRow())
		case partHot, partOnSale:
			rows = append(rows, x.saleRow())
		default:
			rows = append(rows, x.row())
		}
	}
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(out, "\n## %s\n\n", titles[part])
	if part == partRestart {
		table(out, []string{"arm", "accepted", "backlog", "ready s", "last delivery s", "dup", "lost"}, rows)
		return
	}
	if part == partHot || part == partOnSale {
		table(out, []string{
			"arm", "load", "orders/s", "ordered", "stock", "sold out", "429", "failed", "hold", "order", "CPU ms/order", "of it database", "oversold",
		}, rows)
		return
	}
	if part == partPasses {
		table(out, []string{
			"arm", "load", "pushes/s", "first push ms", "last push s", "CPU ms/push", "of it database", "generator", "MiB", "twice", "lost", "passes signed/s", "seeded/min",
		}, rows)
		return
	}
	if part == partPages {
		table(out, []string{"arm", "page", "p50", "p95", "p99", "max", "KiB", "CPU ms/request", "of it database"}, rows)
		return
	}
	if part == partIngest {
		table(out, []string{"arm", "load", "body", "accepted/s", "÷ single", "÷ durable", "answer", "CPU ms/event", "of it database", "MiB"}, rows)
		return
	}
	if part == partTokens || part == partDoor || part == partKept {
		table(out, []string{"arm", "load", "requests/s", "answer", "CPU ms/request", "of it database", "check µs", "checks/s in turn", "check ÷ request"}, rows)
		return
	}
	table(out, []string{
		"arm", "load", "accepted/s", "÷ durable", "delivered/s", "publish", "send to arrival", "fact to arrival",
		"CPU ms/delivery", "of it database", "generator", "MiB", "dup", "lost",
	}, rows)
}

// shown are the results of a part that the tables show, one for each case and arm.
func (r *Report) shown(part string) (shown []*Result) {
	seen := map[[2]string]bool{}
	for _, x := range r.Results {
		if key := [2]string{x.Case, x.Arm}; x.Part == part && !seen[key] {
			seen[key] = true
			shown = append(shown, r.find(part, x.Case, x.Arm))
		}
	}
	return shown
}

func (r *Result) row() []string {
	what := r.Load
	if r.Case != "" && r.Case != r.Load {
		what += ", " + r.Case
	}
	return []string{
		r.Arm, what, number(r.AcceptedPerSecond, 0), number(r.OfFloor, 2), number(r.DeliveredPerSecond, 0),
		r.Publish.String(), r.SendToArrival.String(), r.FactToArrival.String(),
		number(r.CPUMillis, 3), number(r.DatabaseCPUMillis, 3), number(r.GeneratorMillis, 3), number(float64(r.PeakMemory)/(1<<20), 0),
		fmt.Sprint(r.Duplicates), fmt.Sprint(r.Lost),
	}
}

func (r *Result) ingestRow() []string {
	return []string{
		r.Arm, r.Load, r.Case, number(r.AcceptedPerSecond, 0), number(r.OfPlain, 2), number(r.OfFloor, 2), r.Publish.String(), number(r.CPUMillis, 3), number(r.DatabaseCPUMillis, 3),
		number(float64(r.PeakMemory)/(1<<20), 0),
	}
}

func (r *Result) tokensRow() []string {
	row := []string{
		r.Arm, r.Case, number(r.AcceptedPerSecond, 0), r.Publish.String(), number(r.CPUMillis, 3), number(r.DatabaseCPUMillis, 3), "", "", "",
	}
	if c := r.Check; c != nil {
		row[6], row[7], row[8] = number(c.Micros, 1), number(c.PerSecond, 0), number(c.OfRequest, 3)
	}
	return row
}

func (r *Result) passesRow() []string {
	p := r.Pushes
	return []string{
		r.Arm, r.Load, number(p.PerSecond, 0), number(p.FirstMillis, 1), number(p.LastSeconds, 2), number(r.CPUMillis, 3), number(r.DatabaseCPUMillis, 3), number(r.GeneratorMillis, 3),
		number(float64(r.PeakMemory)/(1<<20), 0), fmt.Sprint(p.Twice), fmt.Sprint(r.Lost), number(p.MadePerSecond, 0), number(p.SeededMinutely, 0),
	}
}

func (r *Result) restartRow() []string {
	return []string{
		r.Arm, fmt.Sprint(r.Accepted), fmt.Sprint(r.Restart.Backlog), fmt.Sprintf("%.2f", r.Restart.ReadySeconds),
		fmt.Sprintf("%.2f", r.Restart.LastDeliverySeconds), fmt.Sprint(r.Duplicates), fmt.Sprint(r.Lost),
	}
}

// String is "p50 / p99", "" of nil.
func (q *Quantiles) String() string {
	if q == nil {
		return ""
	}
	return fmt.Sprintf("%.2f / %.2f", q.P50, q.P99)
}

// number is empty for 0, which in every column means that it was not measured.
func number(v float64, decimals int) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf("%.*f", decimals, v)
}

func (r *Report) judgement(out *strings.Builder) {
	if len(r.Aims) == 0 {
		return
	}
	var rows [][]string
	for _, a := range r.Aims {
		met := "yes"
		if !a.Met {
			met = "NO"
		}
		rows = append(rows, []string{a.Arm, a.What, a.Want, strings.TrimSpace(fmt.Sprintf("%v %s", a.Got, a.Unit)), met})
	}
	out.WriteString("\n## Aims\n\n")
	table(out, []string{"arm", "what", "aim", "measured", "met"}, rows)
}

// table prints a Markdown table with its columns aligned and without those that are empty.
func table(out *strings.Builder, head []string, rows [][]string) {
	all := append([][]string{head}, rows...)
	widths := make([]int, len(head)) // 0 for a column that is left out
	for i := range head {
		if !slices.ContainsFunc(rows, func(row []string) bool { return row[i] != "" }) {
			continue
		}
		for _, row := range all {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]), 3)
		}
	}
	for n, row := range all {
		for i, cell := range row {
			if widths[i] > 0 {
				out.WriteString("| " + cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+1))
			}
		}
		out.WriteString("|\n")
		if n == 0 {
			rule(out, widths)
		}
	}
}

// rule is the line below a table's head.
func rule(out *strings.Builder, widths []int) {
	for _, w := range widths {
		if w > 0 {
			out.WriteString("|" + strings.Repeat("-", w+2))
		}
	}
	out.WriteString("|\n")
}
