package e2e

import (
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // to change databases from outside
	_ "modernc.org/sqlite"             // the same

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// portal's own retries: about 10 s after the first failure, ±20 %.
func TestTheFirstRetryOfPortalIsAfterTenSeconds(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		h := o.hook(t, "portal", func(int, harness.Got) int { return 500 })
		ev := o.event(t)
		o.order(t, ev, "listingId", o.listing(t, ev))
		eventually(t, func() bool {
			d := o.Call(t, 200, "GET", "/api/v1/webhooks/"+h.ID+"/deliveries", nil)
			next, ok := at(t, d.Body, "data.0.nextAttemptAt").(string)
			if !ok || number(t, d.Body, "data.0.attempts.#") != 1 {
				return false
			}
			expect(t, d.Body, "data.0.state", "pending")
			first, err1 := time.Parse(time.RFC3339, at(t, d.Body, "data.0.attempts.0.at").(string))
			second, err2 := time.Parse(time.RFC3339, next)
			if wait := second.Sub(first); errors.Join(err1, err2) != nil || wait < 7900*time.Millisecond || wait > 12500*time.Millisecond {
				t.Errorf("the second attempt is %v after the first", wait)
			}
			return true
		})
	})
}

// A receiver that hangs takes nothing from the others.
func TestAHangingReceiverHoldsUpNobodyElse(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		release := make(chan struct{})
		hanging := harness.Serve(t, func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		})
		t.Cleanup(func() { close(release) })
		o.Call(t, 201, "POST", "/api/v1/webhooks", body{"url": hanging, "events": []string{"*"}, "format": "standard"})
		h := o.hook(t, "standard", nil)
		for range 100 {
			o.Call(t, 202, "POST", "/api/v1/messages", body{"event": "acme.x", "data": body{}})
		}
		h.Await(t, 15*time.Second, func(all []harness.Got) bool { return len(all) == 100 })
	})
}

// Of an endless answer the beginning is read, and its status counts.
func TestAnEndlessAnswerEnds(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		url := harness.Serve(t, func(w http.ResponseWriter, r *http.Request) {
			chunk := []byte(strings.Repeat("x", 32<<10))
			for r.Context().Err() == nil {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		})
		id := text(t, o.Call(t, 201, "POST", "/api/v1/webhooks", body{"url": url, "events": []string{"*"}, "format": "standard"}), "id")
		o.Call(t, 202, "POST", "/api/v1/messages", body{"event": "acme.x", "data": body{}})
		eventually(t, func() bool {
			return at(t, o.Call(t, 200, "GET", "/api/v1/webhooks/"+id+"/deliveries", nil).Body, "data.0.state") == "delivered"
		})
	})
}

func TestAnEndpointsRateLimitIsHeld(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		h := o.hook(t, "standard", nil, "rateLimit", 5)
		var batch []body
		for range 20 {
			batch = append(batch, body{"event": "acme.x", "data": body{}})
		}
		o.Call(t, 202, "POST", "/api/v1/messages", body{"messages": batch})
		all := h.Await(t, soon, func(all []harness.Got) bool { return len(all) == 20 })
		if took := all[19].At.Sub(all[0].At); took < 2*time.Second { // 5 at once, 15 more at 5 a second
			t.Errorf("20 deliveries at 5 a second took %v", took)
		}
	})
}

func TestADeletedEndpointHearsNothingMore(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		h, witness := o.hook(t, "standard", func(int, harness.Got) int { return 500 }, "retry", body{"delays": []int{1, 1, 1, 1}}), o.hook(t, "standard", nil)
		o.Call(t, 202, "POST", "/api/v1/messages", body{"event": "acme.x", "data": body{}})
		h.await(t, "acme.x", 1)
		o.Call(t, 204, "DELETE", "/api/v1/webhooks/"+h.ID, nil)
		n := len(h.All())
		o.Call(t, 202, "POST", "/api/v1/messages", body{"event": "acme.y", "data": body{}})
		witness.await(t, "acme.y", 1)
		time.Sleep(2500 * time.Millisecond)
		if now := len(h.All()); now > n+1 { // one attempt may have been on its way
			t.Errorf("%d deliveries came after the endpoint was deleted", now-n)
		}
	})
}

func TestDeliveriesAreListedPageByPage(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		h := o.hook(t, "standard", nil)
		for range 7 {
			o.Call(t, 202, "POST", "/api/v1/messages", body{"event": "acme.x", "data": body{}})
		}
		o.Call(t, 202, "POST", "/api/v1/messages", body{"event": "acme.y", "data": body{}})
		h.Await(t, soon, func(all []harness.Got) bool { return len(all) == 8 })
		path := "/api/v1/webhooks/" + h.ID + "/deliveries"
		seen, query := map[string]bool{}, "?limit=3"
		for range 3 {
			a := o.Call(t, 200, "GET", path+query, nil)
			for _, id := range column(t, a, "data", "id") {
				seen[id] = true
			}
			if next, ok := at(t, a.Body, "meta.pagination.nextCursor").(string); ok {
				query = "?limit=3&cursor=" + next
			}
		}
		if len(seen) != 8 {
			t.Errorf("three pages of three have %d of 8 deliveries", len(seen))
		}
		expect(t, o.Call(t, 200, "GET", path+"?event=acme.y", nil).Body, "data.#", 1)
		eventually(t, func() bool {
			return number(t, o.Call(t, 200, "GET", path+"?state=delivered", nil).Body, "data.#") == 8
		})
		expect(t, o.Call(t, 200, "GET", path+"?state=failed", nil).Body, "data.#", 0)
	})
}

// Two nodes on one PostgreSQL database: each fact is delivered once, and what a killed node had begun the other one ends.
func TestTwoNodesShareADatabase(t *testing.T) {
	harness.Each(t, false, func(t *testing.T, h *harness.House) {
		if h.Database == "" {
			t.Skip("SQLite has one node")
		}
		_, key := h.Org(t, "Nodes")
		sealed, err := os.ReadFile(filepath.Join(h.Data, "master.key"))
		if err != nil {
			t.Fatal(err)
		}
		other := h.Beside(filepath.Join(t.TempDir(), "second"), h.Database)
		other.Env = []string{"STAGEDOOR_MASTER_KEY=" + strings.TrimSpace(string(sealed))}
		one, two := h.Serve(t), other.Serve(t)
		a, b := one.Client(key), two.Client(key)
		r := harness.Receive(t, nil)
		made := a.Call(t, 201, "POST", "/api/v1/webhooks", body{"url": r.URL, "events": []string{"*"}, "format": "standard"})
		r.Verify(t, schemes["standard"], text(t, made, "secret"))
		ids := map[string]int{}
		publish := func(c *harness.Client) {
			ids[text(t, c.Call(t, 202, "POST", "/api/v1/messages", body{"event": "acme.x", "data": body{}}), "id")] = 0
		}
		noticed(t, b, r)
		for range 50 {
			publish(a)
			publish(b)
		}
		count := func(all []harness.Got) bool {
			for id := range ids {
				ids[id] = 0
			}
			for _, g := range all {
				ids[g.Header.Get("Webhook-Id")]++
			}
			for _, n := range ids {
				if n == 0 {
					return false
				}
			}
			return true
		}
		r.Await(t, soon, count)
		for id, n := range ids {
			if n != 1 {
				t.Errorf("%s was delivered %d times", id, n)
			}
		}
		for range 50 {
			publish(a)
		}
		one.Kill()
		for range 10 {
			publish(b)
		}
		r.Await(t, 90*time.Second, count)
		for _, g := range r.All() {
			if g.Bad != nil {
				t.Errorf("a delivery does not verify: %v", g.Bad)
			}
		}
		if err := two.Stop(); err != nil {
			t.Error(err)
		}
		h.Run(t, "audit")
	})
}

// audit says what differs and exits 1.
func TestAuditFindsWhatDoesNotAgree(t *testing.T) {
	for what, spoil := range map[string]string{
		"stock":      `UPDATE pools SET sold = sold - 1`,
		"totals":     `UPDATE orders SET refunded = 1`,
		"deliveries": `DELETE FROM deliveries`,
	} {
		t.Run(what, func(t *testing.T) {
			harness.Each(t, false, func(t *testing.T, h *harness.House) {
				_, key := h.Org(t, "Audited")
				s := h.Serve(t)
				c := s.Client(key)
				r := harness.Receive(t, nil)
				c.Call(t, 201, "POST", "/api/v1/webhooks", body{"url": r.URL, "events": []string{"*"}, "format": "portal"})
				c.Call(t, 201, "POST", "/api/v1/events", newEvent("eventId", "E"))
				c.Call(t, 201, "POST", "/api/v1/inventory", newListing("E"))
				c.Call(t, 201, "POST", "/api/v1/orders", newOrder("E", "section", "101", "row", "A"))
				r.Await(t, soon, func(all []harness.Got) bool { return len(all) == 1 })
				if err := s.Stop(); err != nil {
					t.Fatal(err)
				}
				h.Run(t, "audit")
				execute(t, h, spoil)
				out, diag, err := h.Try("audit")
				var exit *exec.ExitError
				if !errors.As(err, &exit) || exit.ExitCode() != 1 || len(out)+len(diag) < 40 {
					t.Errorf("audit of spoilt %s: %v\n%s%s", what, err, out, diag)
				}
				answer, _, _ := h.Try("audit", "--json")
				if !json.Valid(answer) || at(t, answer, "clean") != false {
					t.Errorf("audit --json wrote %s", answer)
				}
			})
		})
	}
}

// execute changes a database behind the server's back.
func execute(t *testing.T, h *harness.House, statement string) {
	t.Helper()
	driver, dsn := "pgx", h.Database
	if dsn == "" {
		driver, dsn = "sqlite", filepath.Join(h.Data, "stagedoor.db")
	}
	d, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.ExecContext(t.Context(), statement)
	if err := errors.Join(err, d.Close()); err != nil {
		t.Fatal(err)
	}
}
