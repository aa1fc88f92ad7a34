package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	// messageKind is the event name of the messages that are published.
	messageKind = "bench.sent"
	// messageBytes is the length of a message's data, as JSON.
	messageBytes = 1024

	// mark stands before the number in every message and order, so that a receiver finds it whatever the envelope is. In an
	// order it is the customer's e-mail address, which the portal envelope shows.
	mark   = "bench-n"
	digits = 12
)

// request is the bytes of an HTTP request with a place for the number of the message in it.
type request struct {
	bytes []byte
	at    int // of the first digit
}

// numberless is a number's text before it is filled in.
var numberless = mark + strings.Repeat("0", digits)

// newRequest makes a POST of body, which holds numberless once.
func newRequest(host, path, key string, body []byte) request {
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nX-API-Key: %s\r\nContent-Length: %d\r\n\r\n",
		path, host, key, len(body))
	r := request{bytes: append([]byte(head), body...)}
	r.at = bytes.Index(r.bytes, []byte(numberless)) + len(mark)
	return r
}

// clone is the same request for another connection to write its numbers into.
func (r request) clone() request { return request{bytes: bytes.Clone(r.bytes), at: r.at} }

// number writes the number n into the request.
func (r request) number(n int64) {
	for i := r.at + digits - 1; i >= r.at; i-- {
		r.bytes[i] = byte('0' + n%10)
		n /= 10
	}
}

// messageBody is the body of POST /api/v1/messages with 1 KiB of data.
func messageBody() []byte {
	const words = "curtain house lights stage door row seat usher encore matinee gallery balcony "
	data := fmt.Sprintf(`{"n":%q,"text":"`, numberless)
	pad := messageBytes - len(data) - len(`"}`)
	data += strings.Repeat(words, pad/len(words)+1)[:pad] + `"}`
	return []byte(fmt.Sprintf(`{"event":%q,"data":%s}`, messageKind, data))
}

// orderBody is the body of POST /api/v1/orders for one ticket of a listing.
func orderBody(event, listing string) []byte {
	body, err := json.Marshal(map[string]any{
		"eventId": event, "listingId": listing, "quantity": 1,
		"customer": map[string]any{
			"email": numberless + "@example.com",
			"phone": map[string]any{"number": "5551234567", "countryCode": "+1"},
		},
	})
	if err != nil {
		panic(err) // plain strings and numbers
	}
	return body
}

// readNumber finds a message's number in the body that arrived.
func readNumber(body []byte) (n int64, ok bool) {
	i := bytes.Index(body, []byte(mark))
	if i < 0 || len(body) < i+len(mark)+digits {
		return 0, false
	}
	for _, c := range body[i+len(mark) : i+len(mark)+digits] {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// readInstant finds the instant of the fact in an envelope, the field "timestamp" of the formats standard and portal. It is
// zero where there is none.
func readInstant(body []byte) time.Time { return instantIn(body, `"timestamp":"`) }

// instantIn finds the instant after a field's name and colon and quotation mark; zero where there is none.
func instantIn(body []byte, field string) time.Time {
	i := bytes.Index(body, []byte(field))
	if i < 0 {
		return time.Time{}
	}
	text := body[i+len(field):]
	end := bytes.IndexByte(text, '"')
	if end < 0 || end > len("2006-01-02T15:04:05.999999999+07:00") {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, string(text[:end]))
	if err != nil {
		return time.Time{}
	}
	return at
}

// endpointPath is the path of endpoint i at the receiver.
func endpointPath(i int) string { return "/e/" + strconv.Itoa(i) }

// readEndpoint finds the endpoint in the head of a request.
func readEndpoint(head []byte) (i int, ok bool) {
	_, rest, ok := bytes.Cut(head[:min(len(head), 200)], []byte(" /e/"))
	if !ok {
		return 0, false
	}
	text, _, ok := bytes.Cut(rest, []byte(" "))
	if !ok {
		return 0, false
	}
	i, err := strconv.Atoi(string(text))
	return i, err == nil && i >= 0 && i < maxEndpoints
}
