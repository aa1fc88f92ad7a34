// Package cloudevents tells everything, as CloudEvents 1.0 in the structured JSON form, signed with the headers of Standard Webhooks.
//
// A [Dialect] carries every native fact by its native name and an organisation's own messages by theirs:
//
//	specversion      "1.0"
//	id               the fact's id, "evt_…", which is also webhook-id and what publishing a message answered
//	source           the installation, as given to [New]; ids are unique within it
//	type             the name
//	subject          the id of what it happened to; absent for messages
//	time             the fact's instant, with microseconds
//	subjectversion   extension (Integer): the subject's version after it, absent where it has none. The documented extension "sequence" is not
//	                 used, because it orders all events of a source, and by text
//	datacontenttype  "application/json"
//	data             the fact's data
//
// What is in the data, package house says.
package cloudevents

import (
	"context"
	"strconv"

	"github.com/stagedoorhq/stagedoor/internal/dialect/house"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
)

// Dialect is the vocabulary of the house in this envelope. It is a delivery.Dialect and safe for use by many goroutines.
type Dialect struct {
	house.Vocabulary
	source string // as it stands in JSON, quotes included
}

// New makes the dialect. source is a URI reference that names this installation, such as its public URL; "urn:stagedoor" when empty.
func New(people house.People, source string) *Dialect {
	if source == "" {
		source = "urn:stagedoor"
	}
	return &Dialect{house.New("cloudevents", people), string(appendString(nil, source))}
}

// ContentType is that of the structured JSON form (CloudEvents HTTP Protocol Binding 1.0, §3.2.1).
func (*Dialect) ContentType() string { return "application/cloudevents+json; charset=utf-8" }

// room is more than what surrounds the parts of an envelope whose lengths vary.
const room = 256

// Render makes the envelope of any fact. It fails for a message whose data was erased.
//
// The envelope is put together from bytes, so that a message's data is copied once and never parsed. Names of facts and their ids need no
// escapes (see [fact.ValidName]).
func (d *Dialect) Render(ctx context.Context, f *fact.Fact, e *endpoint.Endpoint) ([]byte, error) {
	data, err := d.Data(ctx, f, e)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, room+len(d.source)+len(f.Kind)+len(f.Subject)+len(data))
	b = append(b, `{"specversion":"1.0","id":"`...)
	b = append(b, f.ID.String()...)
	b = append(b, `","source":`...)
	b = append(b, d.source...)
	b = append(b, `,"type":"`...)
	b = append(b, f.Kind...)
	if f.Subject != "" {
		b = append(b, `","subject":`...)
		b = appendString(b, f.Subject)
		b = append(b, `,"time":"`...)
	} else {
		b = append(b, `","time":"`...)
	}
	b = f.At.UTC().AppendFormat(b, house.Layout)
	b = append(b, '"')
	if f.Version != 0 {
		b = append(b, `,"subjectversion":`...)
		b = strconv.AppendInt(b, f.Version, 10)
	}
	b = append(b, `,"datacontenttype":"application/json","data":`...)
	b = append(b, data...)
	return append(b, '}'), nil
}

// appendString appends s as a JSON string.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, err := house.Encode(s)
			if err != nil {
				panic("cloudevents: " + err.Error()) // cannot be: every string has a JSON form
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
