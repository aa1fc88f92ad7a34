package bench

import (
	"math"
	"strings"
	"time"
)

// Report is what one run has measured, as "stagedoor bench --json" prints it. Durations are in the unit that a field's name says,
// milliseconds in Quantiles.
type Report struct {
	Started  time.Time `json:"started"`
	Seconds  float64   `json:"seconds"` // the whole run
	Quick    bool      `json:"quick"`
	Machine  Machine   `json:"machine"`
	Results  []*Result `json:"results"`
	Aims     []Aim     `json:"aims"`
	Skipped  []string  `json:"skipped,omitempty"`  // what was not measured, and why
	Failures []string  `json:"failures,omitempty"` // what could not be measured, and why
}

// Machine says what the figures were taken on.
type Machine struct {
	OS   string `json:"os"`
	Arch string `json:"arch"`
	CPUs int    `json:"cpus"`
	CPU  string `json:"cpu,omitempty"` // the processor's name, where it is known
	Go   string `json:"go"`

	// SyncMillis is how long one append of 4 KiB with fdatasync takes in the directory of the data (median of 64). Below some
	// hundredths of a millisecond that directory is in memory, and the figures are of no use.
	SyncMillis float64 `json:"syncMillis"`
}

// Result is one trial: one arm under one load.
type Result struct {
	Part      string `json:"part"`
	Case      string `json:"case,omitempty"` // where a part has several
	Arm       string `json:"arm"`
	Load      string `json:"load"` // "32 publishers", or "500/s"
	Endpoints int    `json:"endpoints"`
	Round     int    `json:"round"` // from 1

	Accepted   int64 `json:"accepted"`
	Refused    int64 `json:"refused"`
	Delivered  int64 `json:"delivered"`
	Duplicates int64 `json:"duplicates"`
	Lost       int64 `json:"lost"`
	Strays     int64 `json:"strays"` // arrivals that are no message of ours

	AcceptedPerSecond  float64 `json:"acceptedPerSecond"`
	DeliveredPerSecond float64 `json:"deliveredPerSecond"`
	DrainSeconds       float64 `json:"drainSeconds"` // from the last answer to the last arrival

	Publish       *Quantiles `json:"publish,omitempty"`
	SendToArrival *Quantiles `json:"sendToArrival,omitempty"`
	FactToArrival *Quantiles `json:"factToArrival,omitempty"`

	CPUMillis         float64 `json:"cpuMillisPerDelivery"`          // of server and database; 0 where it is unknown
	DatabaseCPUMillis float64 `json:"databaseCpuMillisPerDelivery"`  // the part of it that is PostgreSQL's
	GeneratorMillis   float64 `json:"generatorCpuMillisPerDelivery"` // of the bench itself
	PeakMemory        int64   `json:"peakMemoryBytes"`               // of the server process since its start; 0 where it is unknown

	// OfFloor is AcceptedPerSecond over that of the durable floor under the same load; 0 where that was not measured.
	OfFloor float64 `json:"ofDurableFloor,omitempty"`
	// OfPlain is the same over a plain server that appends and syncs for each event, in the part ingest.
	OfPlain float64 `json:"ofPlainServer,omitempty"`

	Check   *Check     `json:"check,omitempty"`
	Pushes  *Pushes    `json:"pushes,omitempty"`
	Page    *PageTimes `json:"page,omitempty"`
	Sale    *Sale      `json:"sale,omitempty"`
	Restart *Restart   `json:"restart,omitempty"`
}

// Restart is what came after a SIGKILL. Seconds count from the start of the new process.
type Restart struct {
	Backlog             int64   `json:"backlog"` // accepted and not arrived when the server was killed
	ReadySeconds        float64 `json:"readySeconds"`
	LastDeliverySeconds float64 `json:"lastDeliverySeconds"`
}

// Quantiles are durations in milliseconds.
type Quantiles struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

// find is the middle result of the rounds of one case, by what was accepted per second; nil where it was not measured.
func (r *Report) find(part, kind, arm string) *Result {
	var found []*Result
	for _, x := range r.Results {
		if x.Part == part && x.Case == kind && x.Arm == arm {
			found = append(found, x)
		}
	}
	return median(found)
}

// ratios fills in OfFloor of the closed loops. The measure is the middle of the durable floor's rounds with as many endpoints; for
// orders, which no floor takes, it is that for messages.
func (r *Report) ratios() {
	for _, x := range r.Results {
		if strings.HasSuffix(x.Load, "/s") || x.Part == partRestart || x.Part == partKept || x.Part == partTokens || x.Part == partDoor || x.Part == partPasses || x.Part == partPages || x.Sale != nil {
			continue
		}
		part := partThroughput
		if x.Part == partTen {
			part = partTen
		}
		kind := ""
		if x.Part == partIngest {
			part, kind = partIngest, x.Case
		}
		if plain := r.find(part, kind, single); plain != nil && plain.AcceptedPerSecond > 0 {
			x.OfPlain = round(x.AcceptedPerSecond/plain.AcceptedPerSecond, 3)
		}
		if floor := r.find(part, kind, durable); floor != nil && floor.AcceptedPerSecond > 0 {
			x.OfFloor = round(x.AcceptedPerSecond/floor.AcceptedPerSecond, 3)
		}
	}
}

func round(v float64, digits int) float64 {
	p := math.Pow10(digits)
	return math.Round(v*p) / p
}
