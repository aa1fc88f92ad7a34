package harness

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// StreamEvent is one event of a stream, as it came.
type StreamEvent struct {
	ID, Type string
	Data     []byte
}

// Decode reads the event's data as JSON.
func (e StreamEvent) Decode(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(e.Data, v); err != nil {
		t.Fatalf("the data of event %s %s is not JSON: %v\n%s", e.ID, e.Type, err, e.Data)
	}
}

// Stream is a stream of Server-Sent Events that is being read.
type Stream struct {
	LastID string // as a browser keeps it

	close func()
	lines *bufio.Reader
}

// OpenStream opens a stream. header is names and values.
func OpenStream(ctx context.Context, client *http.Client, url string, header ...string) (*Stream, error) {
	ctx, cancel := context.WithCancel(ctx)
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		cancel()
		return nil, err
	}
	req.Header.Set("Accept", "text/event-stream")
	for i := 0; i+1 < len(header); i += 2 {
		if header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	resp, err := client.Do(req)
	if err != nil {
		cancel()
		return nil, err
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		cancel()
		return nil, fmt.Errorf("GET %s = %d %s", url, resp.StatusCode, b)
	}
	return &Stream{lines: bufio.NewReader(resp.Body), close: func() { cancel(); resp.Body.Close() }}, nil
}

// Close ends the stream from the reader's side.
func (s *Stream) Close() { s.close() }

// Next returns the next event that has data, or is named; the error is io.EOF when the server has ended the stream.
func (s *Stream) Next() (StreamEvent, error) {
	var e StreamEvent
	data := false
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return e, err
		}
		line = strings.TrimRight(line, "\r\n")
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "" && data:
			e.ID = s.LastID
			return e, nil
		case line == "":
			e = StreamEvent{}
		case name == "id":
			s.LastID = value
		case name == "event":
			e.Type = value
		case name == "data":
			if data {
				e.Data = append(e.Data, '\n')
			}
			e.Data, data = append(e.Data, value...), true
		}
	}
}

// Stream opens a stream of the client's server with its key.
func (c *Client) Stream(t testing.TB, path string, header ...string) *Stream {
	t.Helper()
	s, err := OpenStream(context.Background(), &http.Client{Transport: c.HTTP.Transport}, c.URL+path, append([]string{"X-API-Key", c.Key}, header...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// Must returns the next event.
func (s *Stream) Must(t testing.TB) StreamEvent {
	t.Helper()
	e, err := s.Next()
	if err != nil {
		t.Fatalf("the stream after %s: %v", s.LastID, err)
	}
	return e
}
