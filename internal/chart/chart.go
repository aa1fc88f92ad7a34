// Package chart counts attempts to deliver, so that charts of them are drawn in the same few milliseconds whether there were a thousand or a hundred million.
//
// A [Book] follows the engine's log of attempts, as streams do; delivering itself knows nothing of it. What it reads it adds up by organisation, endpoint and
// time, in the transaction that moves its cursor from where it was: each attempt counts once, whatever crashes and however many nodes count.
//
// An attempt counts for the minute (kept for 25 hours) and the hour (kept for 31 days) in which it began, UTC; once for its endpoint and once for the whole
// organisation. [Book.Series] and [Book.Totals] read a few hundred narrow rows at most. Latencies are kept as a histogram with a bound at each doubling, so a percentile is
// right within a factor of two; it is that of attempts that were answered or timed out, not of those that never came to anybody.
//
// Counting runs a second or so behind; [Book.Newest] says how far it has come. Counts hold nothing about people. Those of endpoints that were deleted go with
// their time, as all do.
package chart

import (
	"log/slog"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
)

// Book has the counts of an installation. It is safe for use by many goroutines.
type Book struct {
	db     *db.DB
	engine *delivery.Engine
	log    *slog.Logger
}

// New returns the book of an engine, which has to keep the log of attempts; see [delivery.Engine.LogTo].
func New(d *db.DB, e *delivery.Engine, log *slog.Logger) *Book {
	return &Book{db: d, engine: e, log: log}
}

// Span is how far back a chart goes.
type Span int

// The spans, with the points that a series of each has.
const (
	Hour  Span = iota // 60 minutes
	Day               // 96 quarters of an hour
	Week              // 168 hours
	Month             // 30 days in 120 parts of six hours
)

// Step is how long a point of the span's series is.
func (s Span) Step() time.Duration { return time.Duration(shapes[s].units) * shapes[s].grain.unit }

// Points is how many points the span's series has.
func (s Span) Points() int { return shapes[s].points }

// grain is a table and what its buckets are.
type grain struct {
	table string
	unit  time.Duration
	keep  time.Duration
}

var (
	minutes = grain{"chart_minutes", time.Minute, 25 * time.Hour}
	hours   = grain{"chart_hours", time.Hour, 31 * 24 * time.Hour}
)

// bucket is the number of the bucket in which an instant lies.
func (g grain) bucket(at time.Time) int64 { return at.Unix() / int64(g.unit/time.Second) }

// start is when a bucket begins.
func (g grain) start(bucket int64) time.Time {
	return time.Unix(bucket*int64(g.unit/time.Second), 0).UTC()
}

// shapes are how the spans are drawn: so many points, each of so many buckets.
var shapes = [...]struct {
	grain  grain
	units  int64
	points int
}{
	Hour:  {minutes, 1, 60},
	Day:   {minutes, 15, 96},
	Week:  {hours, 1, 168},
	Month: {hours, 6, 120},
}

// Point is what happened in a part of a series.
type Point struct {
	At        time.Time // when it begins, UTC
	Attempts  int64     // the sum of the next three
	Delivered int64     // attempts that delivered
	Failed    int64     // attempts after which the delivery was given up
	Retried   int64     // attempts that failed, of deliveries that are tried again
	// Latencies of attempts that were answered or timed out, each right within a factor of two; 0 when there were none.
	P50, P95, P99 time.Duration
}
