package consume

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/remote"
)

// Event is an event as the server hands it out, and as it is written down.
type Event struct {
	ID          string            `json:"id"`
	Type        *string           `json:"event_type"` // nil where there is none
	ContentType string            `json:"content_type"`
	Size        int64             `json:"size_bytes"`
	ReceivedAt  string            `json:"received_at"`
	Payload     json.RawMessage   `json:"payload"`                    // null when it was erased
	Encoding    string            `json:"payload_encoding,omitempty"` // "json" or "base64"
	Headers     map[string]string `json:"headers"`
	Lines       [][2]string       `json:"header_lines,omitempty"`
	Lease       *Lease            `json:"claim,omitempty"`
}

// Lease is what keeps an event from others.
type Lease struct {
	Token string `json:"token"`
	Until string `json:"expires_at"`
}

// bytes is the payload as it came; nil when it was erased.
func (e *Event) bytes() ([]byte, error) {
	if len(e.Payload) == 0 || string(e.Payload) == "null" && e.Encoding == "" {
		return nil, nil
	}
	if e.Encoding != "base64" {
		return nil, fmt.Errorf("the server sends payloads as %q, want base64", e.Encoding)
	}
	var text string
	if err := json.Unmarshal(e.Payload, &text); err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if b == nil && err == nil {
		b = []byte{}
	}
	return b, err
}

// api are the calls about one pull endpoint.
type api struct {
	server *remote.Server
	path   string
}

type claimInput struct {
	Limit    int    `json:"limit"`
	Lease    int    `json:"lease_seconds"`
	Type     string `json:"event_type,omitempty"`
	Wait     int    `json:"wait"`
	Encoding string `json:"encoding,omitempty"`
}

const grace = 30 * time.Second // for the answer of a call, beside what the server was asked to wait

func (a api) claim(ctx context.Context, in claimInput) ([]Event, error) {
	var said struct{ Data []Event }
	within := time.Duration(in.Wait)*time.Second + grace
	if err := a.server.CallWithin(ctx, within, "POST", a.path+"/events/claim", in, &said); err != nil {
		return nil, err
	}
	for _, e := range said.Data {
		if e.ID == "" || e.Lease == nil || e.Lease.Token == "" {
			return nil, errNotUnderstood
		}
	}
	return said.Data, nil
}

var errNotUnderstood = errors.New("the server's claim is not understood")

func (a api) extend(ctx context.Context, token string, lease time.Duration) error {
	return a.server.Call(ctx, "POST", a.path+"/claims/extend", map[string]any{"token": token, "lease_seconds": int(lease / time.Second)}, nil)
}

func (a api) release(ctx context.Context, token string) error {
	return a.server.Call(ctx, "POST", a.path+"/claims/release", map[string]any{"token": token}, nil)
}

func (a api) ack(ctx context.Context, ids ...string) error {
	return a.server.Call(ctx, "POST", a.path+"/events/ack", map[string]any{"event_ids": ids}, nil)
}
