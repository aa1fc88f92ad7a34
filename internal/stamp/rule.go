package stamp

import (
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Rule says how a stamp is earned.
type Rule struct {
	On     Reason   // ByCheckin, ByCount or ByHand
	Event  id.Event // only there; empty for everywhere
	Venue  string   // only at the venue of this name, upper and lower case alike; empty for everywhere. Not with Event
	Counts Counts   // what ByCount counts; CountEvents when empty, with Event CountCheckins
	// Threshold is how many are needed for ByCount: 1 to 10,000. It is 1 for the others, and when 0.
	Threshold int
	// Repeat is how often a person can have the stamp. When empty it is PerEvent for ByCheckin, Once for the others; ByCount knows no other.
	Repeat Repeat
	// RevokeOnUndo takes the stamp away when a check-in is undone without which the rule would not have awarded it.
	RevokeOnUndo bool
}

// Counts is what a rule counts.
type Counts string

// What can be counted. A check-in that was undone does not count.
const (
	CountEvents   Counts = "events"   // different ones
	CountCheckins Counts = "checkins" // every admission, also again to the same event
)

// Repeat is how often a person can have a stamp of a type.
type Repeat string

// The ways to repeat.
const (
	Once     Repeat = "once"
	PerEvent Repeat = "event" // once for each event
)

// maxThreshold bounds what a rule counts up to.
const maxThreshold = 10_000

// fill puts in what was left out and checks the rest.
func (r *Rule) fill(f *problem.Fields) {
	r.Venue = line(f, "/rule/venue", r.Venue, 1_000)
	if r.Repeat == "" {
		r.Repeat = Once
		if r.On == ByCheckin {
			r.Repeat = PerEvent
		}
	}
	if r.Threshold == 0 {
		r.Threshold = 1
	}
	if r.Counts == "" {
		r.Counts = CountEvents
		if r.Event != "" {
			r.Counts = CountCheckins
		}
	}
	switch r.On {
	case ByCheckin, ByCount, ByHand:
	default:
		f.Add("/rule/on", "invalid", "Use checkin, count or manual.")
	}
	if r.Repeat != Once && r.Repeat != PerEvent {
		f.Add("/rule/repeat", "invalid", "Use once or event.")
	}
	if r.Counts != CountEvents && r.Counts != CountCheckins {
		f.Add("/rule/counts", "invalid", "Use events or checkins.")
	}
	if r.Threshold < 1 || r.Threshold > maxThreshold {
		f.Add("/rule/threshold", "out_of_range", "Use 1 to %d.", maxThreshold)
	}
	if r.Event != "" && r.Venue != "" {
		f.Add("/rule/venue", "too_many", "An event has one venue: give one of eventId and venue.")
	}
	if r.On == ByCount {
		r.fillCount(f)
	} else if r.Threshold > 1 {
		f.Add("/rule/threshold", "not_counted", "Only a rule on count has a threshold.")
	}
	if r.On == ByHand && (r.Event != "" || r.Venue != "" || r.RevokeOnUndo) {
		f.Add("/rule/on", "not_followed", "What is awarded by hand only has no eventId, venue or revokeOnUndo: no check-in leads to it.")
	}
}

func (r *Rule) fillCount(f *problem.Fields) {
	if r.Repeat == PerEvent {
		f.Add("/rule/repeat", "not_repeated", "A stamp for a count is had once.")
	}
	if r.Event != "" && r.Counts == CountEvents && r.Threshold > 1 {
		f.Add("/rule/counts", "never_reached", "There is one event with that eventId: count checkins.")
	}
}

// takes tells whether a check-in at an event is of those that the rule looks at. venue is the event's, in lower case.
func (r Rule) takes(event id.Event, venue string) bool {
	return r.On != ByHand && (r.Event == "" || r.Event == event) && (r.Venue == "" || strings.ToLower(r.Venue) == venue)
}

// onceIn is the event that a stamp is unique in.
func (r Rule) onceIn(event id.Event) id.Event {
	if r.Repeat == PerEvent {
		return event
	}
	return ""
}
