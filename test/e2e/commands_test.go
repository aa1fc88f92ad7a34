package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

func TestCommandsAnswerInJSON(t *testing.T) {
	harness.Each(t, false, func(t *testing.T, h *harness.House) {
		org := h.Run(t, "org", "create", "Théâtre du Châtelet", "--json")
		if diff := cmp.Diff([]string{"id", "name", "slug"}, members(t, org, "")); diff != "" {
			t.Errorf("org create (-want +got):\n%s", diff)
		}
		expect(t, org, "name", "Théâtre du Châtelet")
		id, slug := at(t, org, "id").(string), at(t, org, "slug").(string)
		if !strings.HasPrefix(id, "org_") || strings.Trim(slug, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			t.Errorf("org create wrote %s", org)
		}
		all := h.Run(t, "key", "create", "--org", slug, "--json")
		if diff := cmp.Diff([]string{"id", "key", "scopes"}, members(t, all, "")); diff != "" {
			t.Errorf("key create (-want +got):\n%s", diff)
		}
		if n := number(t, all, "scopes.#"); n < 5 || !strings.HasPrefix(at(t, all, "key").(string), "sd_") {
			t.Errorf("a key without --scope has %d scopes: %s", n, all)
		}
		some := h.Run(t, "key", "create", "--org", slug, "--name", "till", "--scope", "events:read", "--scope", "tickets:write", "--json")
		expect(t, some, "scopes.#", 2, "scopes.0", "events:read", "scopes.1", "tickets:write")
		list := h.Run(t, "key", "list", "--org", slug)
		if !strings.Contains(string(list), "till") || strings.Contains(string(list), at(t, some, "key").(string)) {
			t.Errorf("key list wrote %s", list)
		}
		h.Run(t, "key", "revoke", "--org", slug, at(t, some, "id").(string))
		made := h.Run(t, "endpoint", "create", "--org", slug, "--url", "https://example.com/hooks", "--format", "portal", "--event", "order.accepted", "--event", "order.fulfilled", "--json")
		if diff := cmp.Diff([]string{"id", "secret"}, members(t, made, "")[:2]); diff != "" {
			t.Errorf("endpoint create (-want +got):\n%s", diff)
		}
		expect(t, made, "format", "portal", "url", "https://example.com/hooks", "events.0", "order.accepted", "events.1", "order.fulfilled")

		for _, c := range []struct {
			status int
			args   []string
		}{
			{2, []string{"org", "create"}},
			{2, []string{"nonsense"}},
			{2, []string{"serve", "--nonsense"}},
			{2, []string{"key", "create", "--org", slug, "--scope", "everything"}},
			{2, []string{"endpoint", "create", "--org", slug, "--url", "gopher://x", "--format", "portal"}},
			{2, []string{"endpoint", "create", "--org", slug, "--url", "https://example.com", "--format", "portal", "--event", "ticket.purchased"}},
			{1, []string{"key", "create", "--org", "nobody"}},
			{1, []string{"key", "revoke", "--org", slug, "key_nobody"}},
			{1, []string{"import", "--org", slug, "nofile.csv"}},
		} {
			_, diag, err := h.Try(c.args...)
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != c.status && !(exit.ExitCode() == 2 && c.status == 1) || len(bytes.TrimSpace(diag)) == 0 {
				t.Errorf("stagedoor %v: %v, want status %d and a sentence: %s", c.args, err, c.status, diag)
			}
		}
		h.Run(t, "migrate")
		h.Run(t, "audit")
		if h.Database == "" { // the tests' PostgreSQL runs without fsync, which doctor rightly dislikes
			h.Run(t, "doctor")
		}
		if out, err := exec.CommandContext(t.Context(), harness.Binary(t), "version").Output(); err != nil || !strings.Contains(string(out), "stagedoor") {
			t.Errorf("version: %v: %s", err, out)
		}
	})
}

// An organisation, a key and an endpoint that are made beside a running server are there within seconds.
func TestCommandsWorkBesideARunningServer(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st) // both made beside it
		ev := o.event(t)
		l := o.listing(t, ev)
		o.order(t, ev, "listingId", l) // the server has looked up who wants that by now
		r := harness.Receive(t, nil)
		st.Run(t, "endpoint", "create", "--org", o.slug, "--url", r.URL, "--format", "portal", "--event", "order.confirmed", "--allow-target", "127.0.0.0/8", "--json")
		time.Sleep(2 * time.Second)
		expect(t, o.Call(t, 201, "POST", "/api/v1/orders", newOrder(ev, "listingId", l)).Body, "webhook.sent", true)
		if all := r.Await(t, soon, func(all []harness.Got) bool { return len(all) > 0 }); len(all) != 1 {
			t.Errorf("%d deliveries came, want that of the second order only", len(all))
		}
		file := filepath.Join(t.TempDir(), "one.csv")
		write(t, file, "id,name,start_date,end_date,city,country\nbeside-1,Beside,2031-01-01,2031-01-02,Oslo,Norway\n")
		st.Run(t, "import", "--org", o.slug, file)
		expect(t, o.Call(t, 200, "GET", "/api/v1/events/beside-1", nil).Body, "name", "Beside", "allDay", true, "country", "NO")
	})
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestASecondServeOnTheSameFileIsRefused(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		if st.Database != "" {
			t.Skip("several nodes may share such a database")
		}
		second, err := st.Start()
		if err == nil {
			second.Kill()
			t.Fatal("a second server runs on the same data folder")
		}
		if said := err.Error(); !strings.Contains(said, st.Data) && !strings.Contains(said, "already") && !strings.Contains(said, "another") {
			t.Errorf("the second server does not say why it does not start: %v", err)
		}
		st.Client("").Call(t, 200, "GET", "/readyz", nil)
	})
}

const shared = "../../../shared/data"

// The same 377 real events come out of each of the three files, and importing twice changes nothing.
func TestTheThreeFilesHoldTheSameEvents(t *testing.T) {
	if _, err := os.Stat(shared); err != nil {
		t.Skipf("the real calendars are not here: %v", err)
	}
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		var first []any
		for _, ext := range []string{"jsonld", "csv", "ics"} {
			o := open(t, st)
			h := o.hook(t, "pullup", nil)
			file := filepath.Join(shared, "conferences-2026."+ext)
			st.Run(t, "import", "--org", o.slug, "--timezone", "Europe/Oslo", file)
			events := o.everything(t)
			if len(events) != 377 {
				t.Fatalf("%s: %d events, want 377", ext, len(events))
			}
			if first == nil {
				first = events
			} else if diff := cmp.Diff(first, events); diff != "" {
				t.Errorf("the events of %s differ from those of the first file:\n%.3000s", ext, diff)
			}
			h.Await(t, soon, func(all []harness.Got) bool { return len(all) >= 377 })
			before := o.Call(t, 200, "GET", "/api/v1/events?status=all&sortBy=lastUpdated&sortOrder=desc", nil)
			expect(t, st.Run(t, "import", "--org", o.slug, "--timezone", "Europe/Oslo", "--json", file), "added", 0, "changed", 0)
			after := o.Call(t, 200, "GET", "/api/v1/events?status=all&sortBy=lastUpdated&sortOrder=desc", nil)
			if string(before.Body) != string(after.Body) {
				t.Errorf("%s: the second import changed something", ext)
			}
			if names := h.quiet(t, o); len(names) != 377 {
				t.Errorf("%s: %d facts were told after two imports, want 377", ext, len(names))
			}
		}
	})
}

// everything is all events of an organisation, without what is of the row and not of the event.
func (o *org) everything(t *testing.T) []any {
	t.Helper()
	var all []any
	for offset := 0; ; offset += 100 {
		a := o.Call(t, 200, "GET", fmt.Sprintf("/api/v1/events?status=all&limit=100&sortBy=name&offset=%d", offset), nil)
		page, _ := at(t, a.Body, "data").([]any)
		for _, e := range page {
			object, _ := e.(map[string]any)
			delete(object, "createdAt")
			delete(object, "updatedAt")
		}
		if all = append(all, page...); len(page) < 100 {
			return all
		}
	}
}

func TestABadRowIsReportedAndTheRestComesIn(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		file := filepath.Join(t.TempDir(), "some.csv")
		write(t, file, "id,name,url,start_date,end_date,city,country,online,topics\n"+
			"a,First,https://example.com,2031-01-01,2031-01-02,Oslo,Norway,false,x\n"+
			"b,Second,https://example.com,2031-13-01,2031-01-02,Oslo,Norway,false,x\n"+
			"c,Third,https://example.com,2031-03-01,2031-03-02,Bergen,Norway,false,x\n")
		_, diag, _ := st.Try("import", "--org", o.slug, file)
		if !strings.Contains(string(diag), "3") || !strings.Contains(string(diag), "2031-13-01") && !strings.Contains(string(diag), "start_date") {
			t.Errorf("the bad row is reported as %s", diag)
		}
		if got := strings.Join(column(t, o.Call(t, 200, "GET", "/api/v1/events", nil), "data", "eventId"), " "); got != "a c" {
			t.Errorf("the events %q came in, want a c", got)
		}
		help, _, _ := st.Try("import", "--help")
		for _, columnName := range []string{"name", "start_date"} {
			if !strings.Contains(string(help), columnName) {
				t.Errorf("import --help does not show the CSV's column %s", columnName)
			}
		}
	})
}

// On a stage of its own: a backup that is served sends what was still to be sent when it was taken, also to the receivers of other tests.
func TestABackupIsTakenWhileTheServerRunsAndServes(t *testing.T) {
	harness.OnStagesWith(t, "backup", nil, func(t *testing.T, st *harness.Stage) {
		file := filepath.Join(t.TempDir(), "copy.db")
		if st.Database != "" {
			if _, diag, err := st.Try("backup", file); err == nil || !strings.Contains(string(diag), "pg_dump") {
				t.Errorf("backup on PostgreSQL: %v\n%s", err, diag)
			}
			return
		}
		o := open(t, st)
		h := o.hook(t, "portal", nil)
		ev := o.event(t)
		l := o.listing(t, ev, "quantity", 1000)
		o.order(t, ev, "listingId", l)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for ctx.Err() == nil {
				_, _ = o.Do(ctx, "POST", "/api/v1/orders", newOrder(ev, "listingId", l, "quantity", 1))
			}
		}()
		st.Run(t, "backup", file)
		stop()
		<-done

		data := t.TempDir()
		for from, to := range map[string]string{file: "stagedoor.db", filepath.Join(st.Data, "master.key"): "master.key"} {
			content, err := os.ReadFile(from)
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(data, to), string(content))
		}
		restored := st.Beside(data, "")
		s := restored.Serve(t)
		c := s.Client(o.Key)
		orders := c.Call(t, 200, "GET", "/api/v1/orders", nil)
		if n := number(t, orders.Body, "meta.pagination.total"); n < 1 {
			t.Errorf("the backup has %d orders", n)
		}
		before := len(h.All())
		c.Call(t, 201, "POST", "/api/v1/orders", newOrder(ev, "listingId", l, "quantity", 1)) // its secrets can be read
		h.Receiver.Await(t, soon, func(all []harness.Got) bool { return len(all) > before && all[len(all)-1].Bad == nil })
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		restored.Run(t, "audit")
	})
}

func TestAnotherMasterKeyIsRefused(t *testing.T) {
	harness.Each(t, false, func(t *testing.T, h *harness.House) {
		h.Org(t, "Sealed")
		h.Env = []string{"STAGEDOOR_MASTER_KEY=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}
		refusesToStart(t, h, "key")
		h.Env = []string{"STAGEDOOR_MASTER_KEY=short"}
		refusesToStart(t, h, "STAGEDOOR_MASTER_KEY")
		h.Env = nil
		h.Serve(t)
	})
}

func refusesToStart(t *testing.T, h *harness.House, word string) {
	t.Helper()
	s, err := h.Start()
	if err == nil {
		s.Kill()
		t.Fatal("the server starts")
	}
	if said := err.Error(); !strings.Contains(said, word) || strings.Contains(said, "goroutine") {
		t.Errorf("the server does not start, and says %v", err)
	}
}

func TestANewerSchemaIsRefused(t *testing.T) {
	harness.Each(t, false, func(t *testing.T, h *harness.House) {
		h.Org(t, "Newer")
		execute(t, h, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, TRUE)`)
		refusesToStart(t, h, "newer")
		for _, command := range []string{"migrate", "audit"} {
			if out, diag, err := h.Try(command); err == nil || !strings.Contains(string(diag), "newer") {
				t.Errorf("%s on a newer schema: %v\n%s%s", command, err, out, diag)
			}
		}
	})
}

// The demo tells its story and ends well when every delivery arrived verified.
func TestTheDemoTellsItsStory(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, harness.Binary(t), "demo", "--once", "--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "demo"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("demo --once: %v\n%s", err, out)
	}
	for _, word := range []string{"order.confirmed", "order.accepted", "order.fulfilled", "order.cancelled", "attempt 3", "http://127.0.0.1:"} {
		if !strings.Contains(string(out), word) {
			t.Errorf("the demo does not say %q:\n%s", word, out)
		}
	}
	if strings.Contains(string(out), "\x1b[") {
		t.Error("the demo paints although nobody looks")
	}
}

// Without --once it stays up with a curl line that works, until Ctrl-C.
func TestTheDemoStaysUpToBeTried(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skipf("no curl to try the demo with: %v", err)
	}
	file := filepath.Join(t.TempDir(), "said")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.CommandContext(t.Context(), harness.Binary(t), "demo", "--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "demo"))
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var lines []string
	eventually(t, func() bool {
		said, _ := os.ReadFile(file)
		lines = curls(string(said))
		return strings.Contains(string(said), "Ctrl-C") && len(lines) > 0
	})
	for _, line := range lines {
		answer, err := exec.CommandContext(t.Context(), "sh", "-c", line).Output()
		if err != nil || !strings.Contains(string(answer), `"order`) && !strings.Contains(string(answer), `"event`) || strings.Contains(string(answer), `"status":4`) {
			t.Errorf("%s: %v\n%s", line, err, answer)
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		said, _ := os.ReadFile(file)
		t.Errorf("the demo ended with %v\n%s", err, said)
	}
}

// curls are the curl commands in what was printed.
func curls(said string) []string {
	var all []string
	said = strings.ReplaceAll(said, "\\\n", " ")
	for line := range strings.Lines(said) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "curl ") {
			all = append(all, line)
		}
	}
	return all
}

// What the commands print is for people and programs: JSON goes to standard output alone.
func TestJSONStandsAloneOnStandardOutput(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		for _, args := range [][]string{{"audit", "--json"}, {"org", "list", "--json"}, {"migrate", "--json"}} {
			out, diag, err := st.Try(args...)
			if err != nil || !json.Valid(out) {
				t.Errorf("stagedoor %v: %v\n%s%s", args, err, out, diag)
			}
		}
	})
}
