package bench

import (
	"fmt"
	"slices"
)

// Aim is one thing that the figures must show.
type Aim struct {
	What string  `json:"what"`
	Arm  string  `json:"arm"`
	Want string  `json:"want"`
	Got  float64 `json:"got"`
	Unit string  `json:"unit"`
	Met  bool    `json:"met"`
}

// aims judges what was measured. What was not measured is left out.
func aims(r *Report) []Aim {
	var all []Aim
	for _, arm := range []string{sqlite, postgres} {
		all = slices.Concat(all, throughputAims(r, arm), latencyAims(r, arm), fairnessAims(r, arm), tokenAims(r, arm), saleAims(r, arm), doorAims(r, arm), streamAims(r, arm), ingestAims(r, arm), pushAims(r, arm), pageAims(r, arm), oldAims(r, arm), restartAims(r, arm),
			overallAims(r, arm))
	}
	return all
}

func atLeast(what, arm string, got, want float64, unit string) Aim {
	return Aim{What: what, Arm: arm, Want: fmt.Sprintf("≥ %v", want), Got: got, Unit: unit, Met: got >= want}
}

func atMost(what, arm string, got, want float64, unit string) Aim {
	text := "none"
	if want > 0 {
		text = fmt.Sprintf("≤ %v", want)
	}
	return Aim{What: what, Arm: arm, Want: text, Got: got, Unit: unit, Met: got <= want}
}

func throughputAims(r *Report, arm string) (a []Aim) {
	ofFloor, cpu := 0.7, 0.12
	if arm == postgres {
		ofFloor, cpu = 0.5, 0.18
	}
	if x := r.find(partThroughput, "", arm); x != nil {
		if x.OfFloor > 0 {
			a = append(a, atLeast("messages, of the durable floor", arm, x.OfFloor, ofFloor, "×"))
		}
		if x.CPUMillis > 0 {
			a = append(a, atMost("CPU per delivery at saturation", arm, x.CPUMillis, cpu, "ms"))
		}
	}
	if x := r.find(partTen, "", arm); x != nil && arm == sqlite {
		a = append(a, atLeast("deliveries to ten endpoints", arm, x.DeliveredPerSecond, 25_000, "/s"))
	}
	if x := r.find(partOrders, "", arm); x != nil && arm == sqlite {
		a = append(a,
			atLeast("orders", arm, x.AcceptedPerSecond, 3_000, "/s"),
			atMost("orders delivered as they come: backlog at the end", arm, x.DrainSeconds, 0.5, "s"))
	}
	return a
}

func latencyAims(r *Report, arm string) (a []Aim) {
	for _, want := range []struct {
		rate     string
		p50, p99 float64 // 0 for none
	}{{"50/s", 3, 8}, {"1000/s", 0, 50}} {
		x := r.find(partRates, want.rate, arm)
		if x == nil || x.SendToArrival == nil {
			continue
		}
		if want.p50 > 0 {
			a = append(a, atMost("send-to-arrival at "+want.rate+", p50", arm, x.SendToArrival.P50, want.p50, "ms"))
		}
		a = append(a, atMost("send-to-arrival at "+want.rate+", p99", arm, x.SendToArrival.P99, want.p99, "ms"))
	}
	return a
}

// fairnessAims: the others' p99 moves by less than 10 %, or 5 ms.
func fairnessAims(r *Report, arm string) (a []Aim) {
	well := r.find(partHanging, allWell, arm)
	for _, kind := range []string{oneHangs, oneHangsOneFails} {
		x := r.find(partHanging, kind, arm)
		if well == nil || x == nil || well.SendToArrival == nil || x.SendToArrival == nil {
			continue
		}
		more := max(well.SendToArrival.P99*0.10, 5)
		a = append(a, atMost(kind+": the others' p99 moves by", arm, round(x.SendToArrival.P99-well.SendToArrival.P99, 2), round(more, 2), "ms"))
	}
	return a
}

// tokenAims: a check costs less than a quarter of the request.
func tokenAims(r *Report, arm string) (a []Aim) {
	for _, x := range r.Results {
		if x.Part == partTokens && x.Arm == arm && x.Check != nil {
			a = append(a, atMost(x.Case+": check, of the request", arm, x.Check.OfRequest, 0.25, "×"))
		}
	}
	return a
}

// streamAims: the specification promises less than 50 ms. The fact's instant, which the figure counts from, lies before the commit.
func streamAims(r *Report, arm string) (a []Aim) {
	if x := r.find(partStream, "", arm); x != nil && x.FactToArrival != nil {
		a = append(a, atMost("fact to the reader of a stream, p99", arm, x.FactToArrival.P99, 50, "ms"))
	}
	return a
}

// doorAims: people do not wait, and all are asked.
func doorAims(r *Report, arm string) (a []Aim) {
	x := r.find(partDoor, "", arm)
	if x == nil || x.Publish == nil || arm != sqlite {
		return nil
	}
	return []Aim{
		atLeast("scans at ten gates", arm, x.AcceptedPerSecond, 490, "/s"),
		atMost("scans at ten gates, p99", arm, x.Publish.P99, 10, "ms"),
	}
}

// pushAims: a hall of people hears of a change within a minute, and the first of them at once.
func pushAims(r *Report, arm string) (a []Aim) {
	x := r.find(partPasses, "", arm)
	if x == nil || x.Pushes == nil {
		return nil
	}
	return []Aim{
		atMost("a changed event to the first device", arm, x.Pushes.FirstMillis, 1000, "ms"),
		atMost("a changed event to the last device", arm, x.Pushes.LastSeconds, 60, "s"),
	}
}

// ingestAims: a plain server that appends and syncs is not much faster (how it is next to one that syncs for all that wait stands in the table), and what is kept is found as fast however much there is.
func ingestAims(r *Report, arm string) (a []Aim) {
	ofFloor := 0.8
	if arm == postgres {
		ofFloor = 0.5
	}
	if x := r.find(partIngest, ingestSizes[0].kind, arm); x != nil && x.OfPlain > 0 {
		a = append(a, atLeast("events of 1 KiB taken in, of a server that appends and syncs", arm, x.OfPlain, ofFloor, "×"))
	}
	for _, verb := range []string{"list", "fetch"} {
		few, many := r.find(partKept, verb+", "+fewKept, arm), r.find(partKept, verb+", "+manyKept, arm)
		if few != nil && many != nil && few.AcceptedPerSecond > 0 {
			a = append(a, atLeast(verb+" with many kept events, of that with few", arm, round(many.AcceptedPerSecond/few.AcceptedPerSecond, 3), 0.95, "×"))
		}
	}
	return a
}

// oldAims: no slower, to within what two runs of the same differ by.
func oldAims(r *Report, arm string) (a []Aim) {
	before, after := r.find(partOld, fewOld, arm), r.find(partOld, manyOld, arm)
	if before != nil && after != nil && before.AcceptedPerSecond > 0 {
		a = append(a, atLeast("messages with old deliveries, of those without", arm, round(after.AcceptedPerSecond/before.AcceptedPerSecond, 3), 0.95, "×"))
	}
	return a
}

func restartAims(r *Report, arm string) (a []Aim) {
	if x := r.find(partRestart, "", arm); x != nil && x.Restart != nil {
		a = append(a, atMost("last delivery after a restart", arm, x.Restart.LastDeliverySeconds, 3, "s"))
	}
	return a
}

// overallAims look at all trials of an arm, whatever was measured. After a crash a delivery may come twice.
func overallAims(r *Report, arm string) []Aim {
	var lost, duplicates, trials int64
	var memory float64
	for _, x := range r.Results {
		if x.Arm != arm {
			continue
		}
		trials++
		lost += x.Lost
		if x.Part != partIngest && x.Part != partPages { // where bodies of 1 MiB are in memory while they are taken, and the caches of all of SQLite's readers are full
			memory = max(memory, float64(x.PeakMemory)/(1<<20))
		}
		if x.Restart == nil {
			duplicates += x.Duplicates
		}
	}
	if trials == 0 {
		return nil
	}
	a := []Aim{
		atMost("lost, in all trials", arm, float64(lost), 0, ""),
		atMost("duplicates, but for the restart", arm, float64(duplicates), 0, ""),
	}
	if memory > 0 && arm == sqlite {
		a = append(a, atMost("peak memory, but for ingest and pages", arm, round(memory, 0), 200, "MiB"))
	}
	return a
}

// median is the middle one by what was accepted per second, nil of none.
func median(all []*Result) *Result {
	if len(all) == 0 {
		return nil
	}
	slices.SortStableFunc(all, func(a, b *Result) int {
		switch {
		case a.AcceptedPerSecond < b.AcceptedPerSecond:
			return -1
		case a.AcceptedPerSecond > b.AcceptedPerSecond:
			return 1
		}
		return 0
	})
	return all[len(all)/2]
}
