package outbound

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/chart"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
)

// TestACopiedCommandSendsTheSameBytes has a shell read the command, with an echo of its words instead of curl: whatever is in a body or a header, it stays one word and runs nothing.
func TestACopiedCommandSendsTheSameBytes(t *testing.T) {
	for _, text := range []string{`{"a":1}`, `it's "so" $(touch x) ` + "`id`" + ` \ !`, "two\nlines", "''", "", "-n", "Ærlig ☂"} {
		a := delivery.Attempt{RequestHead: "Host: example.com\nX-Tenant: " + strings.ReplaceAll(text, "\n", " ") + "\nAuthorization: [not kept]\nContent-Length: 3\n", RequestBody: []byte(text)}
		command := curl("https://example.com/in?a='b'", a)
		out, err := exec.CommandContext(t.Context(), "sh", "-c", `curl() { for w; do printf '%s\0' "$w"; done; }`+"\n"+command).Output()
		if err != nil {
			t.Fatalf("sh does not read %s: %v", command, err)
		}
		got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
		want := []string{"-i", "-X", "POST", "https://example.com/in?a='b'", "-H", "X-Tenant: " + strings.TrimSpace(strings.ReplaceAll(text, "\n", " ")), "--data-binary", text}
		if strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("the command of %q has the words %q, want %q", text, got, want)
		}
	}
}

func TestPhasesFillTheBar(t *testing.T) {
	all := phases(delivery.Attempt{DNS: time.Millisecond, Connect: 2 * time.Millisecond, TLS: 3 * time.Millisecond, FirstByte: 10 * time.Millisecond, Total: 20 * time.Millisecond})
	end := 0.0
	for _, p := range all {
		if p.X != end {
			t.Errorf("%s begins at %v, want %v", p.Name, p.X, end)
		}
		end = p.X + p.W
	}
	if end < barWidth-.001 || end > barWidth+.001 {
		t.Errorf("the bar ends at %v, want %d", end, barWidth)
	}
	if waits := phases(delivery.Attempt{Connect: time.Millisecond, Total: time.Second}); waits[4].Name != "Waiting in vain" || waits[4].Took != 999*time.Millisecond {
		t.Errorf("an attempt without an answer has the phases %+v, want 999 ms of waiting at the end", waits)
	}
	if none := phases(delivery.Attempt{}); none != nil {
		t.Errorf("an attempt that took no time has the phases %+v, want none", none)
	}
}

func TestAxesEndAtNumbersThatPeopleLike(t *testing.T) {
	for most, want := range map[float64]string{0: "1", 1: "1", 3: "5", 7: "10", 11: "20", 480: "500", 1001: "2k", 6_000_000: "10M"} {
		if got := short(round(most)); got != want {
			t.Errorf("an axis for up to %v ends at %s, want %s", most, got, want)
		}
	}
}

// TestALineIsBrokenWhereThereIsNothing: nobody takes a night without deliveries for one without success.
func TestALineIsBrokenWhereThereIsNothing(t *testing.T) {
	points := []chart.Point{{Attempts: 2, Delivered: 2}, {Attempts: 2, Delivered: 1}, {}, {Attempts: 1, Delivered: 1}}
	d := drawSuccess(points, nil).Lines[0].D
	if n := strings.Count(d, "M"); n != 2 {
		t.Errorf("the line %s has %d parts, want 2", d, n)
	}
	if none := drawSuccess([]chart.Point{{}, {}}, nil); none.Lines[0].D != "" || none.Desc != "There were no attempts." {
		t.Errorf("a chart of nothing is %+v", none)
	}
}

func TestRetriesAreReadAsTheyAreShown(t *testing.T) {
	for text, want := range map[string]string{"": "the format's own", "none": "no retries", "NONE": "no retries", "10 60,300": "10 s, 1 min, 5 min", "7200": "2 h", "90": "90 s"} {
		o, err := hookForm{Retry: text, All: true}.options()
		got := "the format's own"
		if o.Retry != nil {
			got = delays(*o.Retry)
		}
		if err != nil || got != want {
			t.Errorf("retries %q are read as %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"soon", "0", "-1", "1.5", "86401"} {
		if _, err := (hookForm{Retry: text}).options(); err == nil {
			t.Errorf("retries %q are taken", text)
		}
	}
}
