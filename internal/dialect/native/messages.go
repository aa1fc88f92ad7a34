package native

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/form"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/idempotency"
	"github.com/stagedoorhq/stagedoor/internal/message"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

type messageJSON struct {
	Event string         `json:"event" minLength:"3" maxLength:"128" example:"acme.invoice_paid" doc:"2 to 8 dotted segments; the first is none of our nouns."`
	Data  map[string]any `json:"data" doc:"Any JSON object, 256 KiB at most."`
	Key   *string        `json:"key,omitempty" maxLength:"255" doc:"Messages with the same key reach an ordered webhook in order."`
}

type messagesJSON struct {
	Messages []messageJSON `json:"messages" minItems:"1" maxItems:"500" nullable:"false"`
}

type publishedJSON struct {
	ID string `json:"id" example:"evt_50f60000000000002a" doc:"Of the fact; the webhook-id of the standard format."`
}

type publishedListJSON struct {
	Data []publishedJSON `json:"data" nullable:"false" doc:"In the order of the messages."`
}

// messages puts the hot route on the mux, past huma, and describes it.
func (a *API) messages(mux humago.Mux) {
	r := route{
		method: "POST", path: messagesPath, scope: scope.WebhooksManage, id: "publishMessages", tag: "Messages", status: 202,
		summary: "Publish events of your own", detail: "One message, or up to 500 of them. Answered once they are on disk; webhooks subscribe by name.",
	}
	mux.HandleFunc(r.method+" "+r.path, func(w http.ResponseWriter, req *http.Request) { a.publish(w, req, r.need()) })
	op := a.operation(r, reflect.TypeFor[struct{ Body messageJSON }](), reflect.TypeFor[none]())
	op.RequestBody = &huma.RequestBody{Required: true, Content: a.either(reflect.TypeFor[messageJSON](), reflect.TypeFor[messagesJSON]())}
	op.Responses["202"].Content = a.either(reflect.TypeFor[publishedJSON](), reflect.TypeFor[publishedListJSON]())
	delete(op.Responses["202"].Headers, "Location")
	a.huma.OpenAPI().AddOperation(&op)
}

// either is content of two shapes.
func (a *API) either(one, other reflect.Type) map[string]*huma.MediaType {
	shapes := []*huma.Schema{a.schemas().Schema(one, true, ""), a.schemas().Schema(other, true, "")}
	return map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{OneOf: shapes}}}
}

// maxMessages bounds how many messages one request may have.
const maxMessages = 500

// buffers hold bodies while their request lasts. A message's data is copied when its fact is written.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// publish is POST /messages: huma's way without huma. The body is looked at twice, once for its form (by encoding/json) and once for where its
// values begin and end; the data of messages is never decoded.
func (a *API) publish(w http.ResponseWriter, r *http.Request, need access.Need) {
	body := buffers.Get().(*bytes.Buffer)
	made, replayed, err := a.published(w, r, need, body)
	if err != nil {
		a.refuse(w, r, err)
	} else {
		h := w.Header()
		h["Content-Type"] = applicationJSON
		if replayed {
			h.Set("Idempotency-Replayed", "true")
		}
		w.WriteHeader(made.Status)
		_, _ = w.Write(made.Body) // the client may be gone
	}
	if body.Cap() <= 64<<10 {
		body.Reset()
		buffers.Put(body)
	}
}

var applicationJSON = []string{"application/json"} // shared by all answers and never changed

func (a *API) published(
	w http.ResponseWriter, r *http.Request, need access.Need, body *bytes.Buffer,
) (made idempotency.Answer, replayed bool, err error) {
	p, limit, err := a.Door.Enter(r, need)
	limit.Header(w.Header())
	if err != nil {
		return made, false, err
	}
	if err := form.MediaType(r.Header, r.ContentLength); err != nil {
		return made, false, err
	}
	if n := r.ContentLength; n > 0 {
		body.Grow(int(min(n, 1<<20)) + bytes.MinRead)
	}
	if _, err := body.ReadFrom(r.Body); err != nil {
		return made, false, form.Broken(err)
	}
	batch, err := parseMessages(body.Bytes())
	if err != nil {
		return made, false, err
	}
	effect := func(tx *db.Tx) (idempotency.Answer, error) {
		ids, err := message.Publish(tx, a.Ledger, p.Org, batch.messages)
		return idempotency.Answer{Status: http.StatusAccepted, Header: http.Header{}, Body: batch.answer(ids)}, err
	}
	c := call{Principal: p, api: a, request: r, body: body.Bytes()}
	return a.Keep.Do(r.Context(), c.repeatable(), "", effect)
}

// batch is what a request publishes.
type batch struct {
	messages []message.Message
	single   bool // a message by itself, not a list of one
}

// answer is {"id": …}, or {"data": [{"id": …}, …]} in the order of the messages.
func (b batch) answer(ids []id.Fact) []byte {
	if b.single {
		return append(append([]byte(`{"id":"`), ids[0].String()...), "\"}\n"...)
	}
	out := make([]byte, 0, 16+34*len(ids))
	out = append(out, `{"data":[`...)
	for i, f := range ids {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(append(out, `{"id":"`...), f.String()...), `"}`...)
	}
	return append(out, "]}\n"...)
}

// parseMessages reads {event, data, key?} or {messages: [{event, data, key?}, …]}. Everything that is wrong is said at once.
func parseMessages(body []byte) (batch, error) {
	if err := checkForm(body); err != nil {
		return batch{}, err
	}
	var b batch
	var faults problem.Fields
	list := []byte(nil)
	alone := messageReader{faults: &faults}
	walkObject(body, func(name string, value []byte) {
		if name == "messages" && list == nil {
			list = value
			return
		}
		alone.field(name, value)
	})
	switch {
	case list == nil:
		b.single = true
		b.messages = []message.Message{alone.done()}
	case alone.seen != 0:
		faults.Add("/messages", "ambiguous", "Send one message, or a list of messages, not both.")
	case list[0] != '[':
		faults.Add("/messages", "wrong_type", "Expected array.")
	default:
		b.messages = readList(list, &faults)
	}
	return b, faults.Err()
}

func readList(list []byte, faults *problem.Fields) []message.Message {
	var messages []message.Message
	n := 0
	walkArray(list, func(value []byte) {
		n++
		if n > maxMessages || len(*faults) > 100 {
			return
		}
		m := messageReader{at: "/messages/" + strconv.Itoa(n-1), faults: faults}
		if value[0] != '{' {
			faults.Add(m.at, "wrong_type", "Expected object.")
			return
		}
		walkObject(value, m.field)
		messages = append(messages, m.done())
	})
	if n == 0 || n > maxMessages {
		faults.Add("/messages", "wrong_length", "Send 1 to %d messages at once.", maxMessages)
	}
	return messages
}

// checkForm makes sure that the body is one JSON object in UTF-8.
func checkForm(body []byte) error {
	switch {
	case len(body) == 0:
		return problem.Field("", "required", "Send a message: {\"event\": …, \"data\": {…}}.")
	case !utf8.Valid(body) || bytes.HasPrefix(body, []byte("\xef\xbb\xbf")) || !json.Valid(body) || form.LoneSurrogate(body):
		_, err := form.JSON(body, hidden.Replace) // says it better
		return err
	}
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); trimmed[0] != '{' {
		return problem.Field("", "wrong_type", "Expected object.")
	}
	return nil
}

// messageReader puts a message together from its fields.
type messageReader struct {
	at      string // where the message stands in the body
	message message.Message
	seen    int // the fields that came: 1 event, 2 data, 4 key
	faults  *problem.Fields
}

func (m *messageReader) field(name string, value []byte) {
	bit := map[string]int{"event": 1, "data": 2, "key": 4}[name]
	if bit == 0 {
		m.fault(name, "unknown_field", "There is no field "+quote(name)+" here; leave it out, or correct its name.")
		return
	}
	if m.seen&bit != 0 {
		m.fault(name, "duplicate_name", "The object has this name twice; send it once.")
		return
	}
	m.seen |= bit
	switch {
	case name == "data" && value[0] == '{':
		m.message.Data = value
		if depth(value) > form.MaxDepth {
			m.fault(name, "too_deep", "The data nests deeper than "+strconv.Itoa(form.MaxDepth)+" levels.")
		}
	case name == "data":
		m.fault(name, "wrong_type", "Expected object.")
	case value[0] == '"':
		s := textOf(value)
		if !form.Printable(s) {
			m.fault(name, "invalid_character", "This text has no control characters.")
		}
		if name == "event" {
			m.message.Event = s
		} else {
			m.message.Key = s
		}
	case name == "key" && value[0] == 'n': // null is no key
	default:
		m.fault(name, "wrong_type", "Expected string.")
	}
}

func (m *messageReader) fault(name, code, detail string) {
	m.faults.Add(m.at+form.Pointer(name), code, "%s", detail)
}

// done checks what is there and what is missing.
func (m *messageReader) done() message.Message {
	if m.seen&2 == 0 {
		m.fault("data", "required", "This field is required.")
	}
	if m.seen&1 == 0 {
		m.fault("event", "required", "This field is required.")
		return m.message
	}
	m.message.Check(m.at, m.faults)
	return m.message
}
