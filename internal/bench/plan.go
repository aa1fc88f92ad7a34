package bench

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The parts of a run, in their order.
const (
	partThroughput = "throughput" // 1 KiB messages to one endpoint, as fast as 32 publishers get answers
	partRates      = "rates"      // the same at fixed rates
	partTen        = "ten"        // ten endpoints want each message
	partHanging    = "hanging"    // one of them hangs, and one more fails
	partOrders     = "orders"     // orders instead of messages
	partOld        = "old"        // with many old deliveries in the tables
	partTokens     = "tokens"     // reading with access tokens
	partHot        = "hot"        // orders for one event, and nothing else
	partOnSale     = "onsale"     // holds and orders, as they came at a real on-sale, and many more of them
	partStream     = "stream"     // messages at a fixed rate, and a hundred who listen
	partDoor       = "door"       // ten gates scan codes
	partIngest     = "ingest"     // a pull endpoint takes events in
	partKept       = "kept"       // listing and fetching what it keeps
	partPasses     = "passes"     // an event changes, and those who have it in their wallets are pushed
	partPages      = "pages"      // what people look at, with a month's past in the tables
	partRestart    = "restart"    // SIGKILL and start again
)

// The arms, in the order of their turns; the floors' names stand in floor.go.
const (
	sqlite   = "sqlite"
	postgres = "postgres"
)

func allParts() []string {
	return []string{partThroughput, partRates, partTen, partHanging, partOrders, partHot, partOnSale, partTokens, partDoor, partStream, partIngest, partKept, partPasses, partPages, partOld, partRestart}
}

func allArms() []string { return []string{plain, durable, sqlite, postgres} }

// plan is how long and how often a run measures.
type plan struct {
	publishers int
	rounds     int           // of the throughput, in turns
	warm       time.Duration // of load before each trial, not measured
	closed     time.Duration // the length of closed loops
	rates      []load
	hanging    load
	reading    load
	streams    load
	door       load
	ingest     load
	fewKept    int           // events that a pull endpoint keeps
	kept       int           // the same, and many
	tokens     int           // access tokens in turns
	passes     int           // each on a device of its own
	pushing    time.Duration // the longest wait for the last push
	past       Past          // of the part pages
	asked      int           // how often each page is asked for
	old        int           // deliveries to put into the tables
	stock      int64         // tickets of the sales that sell out
	curve      []int         // reservations in each second of the on-sale
	hurry      int           // how many seconds of the curve go by in one
	crowd      int           // connections of the on-sale
	hold       time.Duration // how long the receiver is silent before the server is killed
	settle     time.Duration // after the last arrival, for the outcomes to be written down
	drain      time.Duration // the longest wait for a backlog
}

func fullPlan() plan {
	return plan{
		publishers: 32, rounds: 3, warm: time.Second, closed: 5 * time.Second,
		rates: []load{openLoad(50, 15*time.Second), openLoad(500, 8*time.Second), openLoad(1000, 6*time.Second)},
		stock: 20_000, curve: times(rushCurve, 100), hurry: 1, crowd: 256, old: 1_000_000,
		hanging: openLoad(500, 8*time.Second), reading: openLoad(500, 8*time.Second), door: doorLoad(50, 8*time.Second), streams: openLoad(50, 10*time.Second), tokens: 10_000,
		ingest: openLoad(500, 8*time.Second), fewKept: 10_000, kept: 2_000_000, passes: 100_000, pushing: 5 * time.Minute,
		past: Past{Endpoints: 10_000, Deliveries: 1_000_000, Orders: 50_000, Entries: 100_000}, asked: 200,
		hold: 500 * time.Millisecond, settle: 200 * time.Millisecond, drain: time.Minute,
	}
}

func quickPlan() plan {
	p := fullPlan()
	p.rounds, p.warm, p.closed = 1, 500*time.Millisecond, 2*time.Second
	p.rates = []load{openLoad(50, 4*time.Second), openLoad(500, 2*time.Second), openLoad(1000, 2*time.Second)}
	p.hanging, p.reading, p.streams = openLoad(200, 2*time.Second), openLoad(500, 2*time.Second), openLoad(50, 4*time.Second)
	p.door = doorLoad(50, 2*time.Second)
	p.old, p.fewKept, p.kept, p.passes = 50_000, 1_000, 20_000, 1_000
	p.ingest = openLoad(500, 2*time.Second)
	p.past, p.asked = Past{Endpoints: 1_000, Deliveries: 50_000, Orders: 1_000, Entries: 5_000}, 50
	p.stock, p.curve, p.hurry = 2_000, times(rushCurve, 10), 4
	return p
}

// times makes a curve n times as high.
func times(curve []int, n int) []int {
	higher := make([]int, len(curve))
	for i, v := range curve {
		higher[i] = v * n
	}
	return higher
}

// load is what publishers do: as many requests as are answered, or so many a second, whether or not they are.
type load struct {
	perSecond  int // 0 for a closed loop
	publishers int // connections; in an open loop more are not used than are needed
	length     time.Duration
}

func openLoad(perSecond int, length time.Duration) load {
	return load{perSecond: perSecond, publishers: 64, length: length}
}

// doorLoad is that of scanners which see so many people a second each.
func doorLoad(each int, length time.Duration) load {
	return load{perSecond: gates * each, publishers: gates, length: length}
}

// closedLoad is as fast as the plan's publishers get answers.
func (p plan) closedLoad() load { return load{publishers: p.publishers, length: p.closed} }

func (l load) open() bool { return l.perSecond > 0 }

// String names the load in results.
func (l load) String() string {
	if l.open() {
		return fmt.Sprintf("%d/s", l.perSecond)
	}
	return fmt.Sprintf("%d publishers", l.publishers)
}

// selected checks names given by the user against those that there are; none means all.
func selected(what string, given, all []string) ([]string, error) {
	if len(given) == 0 {
		return all, nil
	}
	for _, name := range given {
		if !slices.Contains(all, name) {
			return nil, fmt.Errorf("there is no %s %q to measure; there are %s", what, name, strings.Join(all, ", "))
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(name string) bool { return !slices.Contains(given, name) }), nil
}
