package crash

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// taken is all that an ingest URL has answered with 2xx, by the ids that it gave.
type taken struct {
	mu     sync.Mutex
	bodies map[string][sha256.Size]byte
	keys   map[string]string // ids by the sender's own, X-Event-Id
	acked  map[string]bool
}

// box is a pull endpoint.
type box struct{ ID, Ingest string }

func makeBox(t *testing.T, c *harness.Client) box {
	t.Helper()
	var made struct {
		Data struct {
			ID     string `json:"id"`
			Ingest string `json:"ingest_url"`
		}
	}
	c.Call(t, 201, "POST", "/v1/pull-endpoints", map[string]any{"name": "Crash", "idempotency_header_names": []string{"X-Event-Id"}}).Decode(t, &made)
	return box{made.Data.ID, made.Data.Ingest[strings.Index(made.Data.Ingest, "/v1/"):]}
}

// post sends a body to the box and returns the id that it was given; "" when it was not answered with 2xx.
func (b box) post(ctx context.Context, client *http.Client, server, key string, body []byte) (id string, status int) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, server+b.Ingest, bytes.NewReader(body))
	if err != nil {
		return "", 0
	}
	r.Header.Set("Content-Type", "application/octet-stream")
	if key != "" {
		r.Header.Set("X-Event-Id", key)
	}
	res, err := client.Do(r)
	if err != nil {
		return "", 0
	}
	defer res.Body.Close()
	var answer struct {
		Data struct {
			ID string `json:"event_id"`
		}
	}
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode/100 != 2 || json.Unmarshal(text, &answer) != nil {
		return "", res.StatusCode
	}
	return answer.Data.ID, res.StatusCode
}

// noise is a body that no JSON is: up to 64 KiB, most of them short.
func noise() []byte { return static(1 + rand.IntN(1<<(4+rand.IntN(13)))) }

// static is a body that no JSON is, of n bytes.
func static(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32()) // #nosec G115 -- any byte
	}
	b[0] = 0xff
	return b
}

// TestWhatAPullEndpointAcknowledgedSurvivesSIGKILL is line 40 of the checklist: every event that got its 2xx is there, byte for byte, and a sender that posts again
// what it had no answer for gets one event for it.
func TestWhatAPullEndpointAcknowledgedSurvivesSIGKILL(t *testing.T) {
	harness.Each(t, true, func(t *testing.T, h *harness.House) {
		_, key := h.Org(t, "Crash Hall")
		p := &taken{bodies: map[string][sha256.Size]byte{}, keys: map[string]string{}, acked: map[string]bool{}}
		var to box
		for round := range rounds() {
			s, err := h.Start()
			if err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
			if round == 0 {
				to = makeBox(t, s.Client(key))
			}
			flood(s, key, to, p, time.Duration(50+rand.IntN(900))*time.Millisecond)
		}
		s := h.Serve(t)
		p.look(t, s.Client(key), to, "")
		if err := s.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
		if out, diag, err := h.Try("audit"); err != nil {
			t.Errorf("audit: %v\n%s%s", err, out, diag)
		}
		t.Logf("%d events were acknowledged and %d acked in %d lives", len(p.bodies), len(p.acked), rounds()+1)
	})
}

// flood makes the server busy and kills it after a while.
func flood(s *harness.Server, key string, to box, p *taken, after time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	defer client.CloseIdleConnections()
	var callers sync.WaitGroup
	for i := range 16 {
		callers.Go(func() {
			for ctx.Err() == nil {
				switch {
				case i == 0:
					consume(ctx, s.Client(key), to, p)
				case i%2 == 1:
					p.send(ctx, client, s.URL, to, "")
				default:
					p.send(ctx, client, s.URL, to, fmt.Sprintf("key-%d", rand.IntN(1<<40)))
				}
			}
		})
	}
	time.Sleep(after)
	s.Kill()
	cancel()
	callers.Wait()
}

// send posts an event, at times twice.
func (p *taken) send(ctx context.Context, client *http.Client, server string, to box, key string) {
	body := noise()
	for range 1 + rand.IntN(2) {
		id, _ := to.post(ctx, client, server, key, body)
		if id == "" {
			continue
		}
		p.mu.Lock()
		p.bodies[id] = sha256.Sum256(body)
		if key != "" {
			p.keys[key+" "+id] = id
		}
		p.mu.Unlock()
	}
}

// consume acknowledges some of what is there.
func consume(ctx context.Context, c *harness.Client, to box, p *taken) {
	var page struct{ Data []struct{ ID string } }
	a, err := c.Do(ctx, "GET", "/v1/pull-endpoints/"+to.ID+"/events?limit=20", nil)
	if err != nil || a.Status != 200 || json.Unmarshal(a.Body, &page) != nil || len(page.Data) == 0 {
		return
	}
	ids := make([]string, len(page.Data))
	for i, e := range page.Data {
		ids[i] = e.ID
	}
	if a, err = c.Do(ctx, "POST", "/v1/pull-endpoints/"+to.ID+"/events/ack", map[string]any{"event_ids": ids}); err != nil || a.Status != 200 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		p.acked[id] = true
	}
}

// look reads all that was promised, with a query.
func (p *taken) look(t *testing.T, c *harness.Client, to box, query string) {
	t.Helper()
	missing := 0
	for id, sum := range p.bodies {
		var got struct {
			Data struct {
				Status  string
				Payload string
				Type    string `json:"content_type"`
			}
		}
		a, err := c.Do(t.Context(), "GET", "/v1/pull-endpoints/"+to.ID+"/events/"+id+query, nil)
		if err != nil || a.Status != 200 {
			if missing++; missing < 5 {
				t.Errorf("event %s, which was acknowledged: %d %s, %v", id, a.Status, a.Body, err)
			}
			continue
		}
		a.Decode(t, &got)
		body, err := base64.StdEncoding.DecodeString(got.Data.Payload)
		if err != nil || sha256.Sum256(body) != sum || got.Data.Type != "application/octet-stream" {
			t.Errorf("event %s has other bytes than were sent, or another type: %d bytes, %q, %v", id, len(body), got.Data.Type, err)
		}
		if p.acked[id] && got.Data.Status != "delivered" {
			t.Errorf("event %s is %s, and its ack was acknowledged", id, got.Data.Status)
		}
	}
	if missing > 0 {
		t.Errorf("%d of %d acknowledged events are missing", missing, len(p.bodies))
	}
	ids := map[string]string{}
	for both, id := range p.keys {
		key, _, _ := strings.Cut(both, " ")
		if was := ids[key]; was != "" && was != id {
			t.Errorf("%s was stored as %s and as %s", key, was, id)
		}
		ids[key] = id
	}
}

// TestAFullDiskAcknowledgesNothing is line 40 of the checklist: on a small disk of their own, server and database answer 507 or 503 when it is full, never 2xx, and
// take in again when there is room.
func TestAFullDiskAcknowledgesNothing(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			disk := smallDisk(t)
			h := harness.OnDisk(t, engine, disk)
			_, key := h.Org(t, "Small Hall")
			s := h.Serve(t)
			c := s.Client(key)
			to := makeBox(t, c)
			p := &taken{bodies: map[string][sha256.Size]byte{}}
			fill := func() (refused int) {
				for n := range 4000 {
					body := static(15_000) // which nothing compresses
					id, status := to.post(t.Context(), http.DefaultClient, s.URL, "", body)
					switch {
					case id != "":
						p.bodies[id] = sha256.Sum256(body)
						continue
					case status != 507 && status != 503:
						t.Fatalf("event %d on a full disk was answered with %d; want 507 or 503", n, status)
					}
					if refused++; refused == 20 {
						break
					}
				}
				return refused
			}
			ballast := filepath.Join(disk, "ballast")
			if err := os.WriteFile(ballast, make([]byte, 8<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			if fill() == 0 {
				t.Fatal("the disk did not fill up")
			}
			many := len(p.bodies)
			p.look(t, c, to, "?preview=true")
			if a, err := c.Do(t.Context(), "POST", "/v1/pull-endpoints", `{}`); err != nil || a.Status != 507 && a.Status != 201 {
				t.Errorf("a pull endpoint made on a full disk = %d %s, %v; want 507, or 201 where there was room for that little", a.Status, a.Body, err)
			}
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			for end := time.Now().Add(time.Minute); len(p.bodies) == many; time.Sleep(100 * time.Millisecond) {
				body := noise()
				if id, status := to.post(t.Context(), http.DefaultClient, s.URL, "", body); id != "" {
					p.bodies[id] = sha256.Sum256(body)
				} else if time.Now().After(end) {
					t.Fatalf("with room again, an event is still answered with %d", status)
				}
			}
			p.look(t, c, to, "")
			if err := s.Stop(); err != nil {
				t.Errorf("stop: %v", err)
			}
		})
	}
}

// smallDisk mounts a file system of 64 MiB in memory.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "stagedoor-disk-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(dir) })
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=64m,mode=0755", "tmpfs", dir).CombinedOutput(); err != nil {
		harness.Unavailable(t, fmt.Sprintf("a small disk cannot be mounted here (%v: %s)", err, bytes.TrimSpace(out)))
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("umount %s: %v: %s", dir, err, out)
		}
	})
	return dir
}
