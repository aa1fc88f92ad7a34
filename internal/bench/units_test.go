package bench_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/bench"
)

func TestQuantilesAreRightToWithinOnePercent(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2)) // #nosec G404 -- a test
	for _, top := range []int64{100, 5_000, 3_000_000, 60_000_000_000} {
		var h bench.Histogram
		var all []time.Duration
		for range 10_000 {
			d := time.Duration(rnd.Int64N(top))
			h.Add(d)
			all = append(all, d)
		}
		slices.Sort(all)
		for _, q := range []float64{0.001, 0.5, 0.9, 0.99, 0.999, 1} {
			want := all[min(int(q*10_000), 9_999)-min(int(q*10_000), 1)]
			if got := h.Quantile(q); (got - want).Abs() > want/100+1 {
				t.Errorf("Quantile(%v) of durations below %d = %d, want %d", q, top, got, want)
			}
		}
	}
}

func TestHistogramTakesWhatIsOutOfRange(t *testing.T) {
	var h bench.Histogram
	h.Add(-time.Second)
	if got := h.Quantile(1); got != 0 {
		t.Errorf("Quantile(1) after a negative duration = %v, want 0", got)
	}
	h.Add(1000 * time.Hour)
	if got := h.Quantile(1); got < time.Hour {
		t.Errorf("Quantile(1) after a very long duration = %v, want the upper bound of the range", got)
	}
	if got := new(bench.Histogram).Quantile(0.5); got != 0 {
		t.Errorf("Quantile(0.5) of nothing = %v, want 0", got)
	}
}

func TestMessagesAreReadAsTheyAreFramed(t *testing.T) {
	const chunkedBody = "5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nTrailer: a\r\n\r\n"
	for name, c := range map[string]struct{ in, head, body string }{
		"length": {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhellorest", "HTTP/1.1 200 OK\r\nContent-Length: 5", "hello"},
		"case":   {"POST /e/1 HTTP/1.1\r\ncONTENT-lENGTH:2\r\n\r\nhi", "POST /e/1 HTTP/1.1\r\ncONTENT-lENGTH:2", "hi"},
		"none":   {"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 204 No Content", ""},
		"chunks": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunkedBody, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", chunkedBody},
		"large":  {"X\r\nContent-Length: 300000\r\n\r\n" + strings.Repeat("a", 300000), "X\r\nContent-Length: 300000", strings.Repeat("a", 300000)},
	} {
		head, body, err := bench.ReadMessage([]byte(c.in))
		if err != nil || string(head) != c.head || string(body) != c.body {
			t.Errorf("%s: ReadMessage = %.80q, %.80q, %v, want %.80q, %.80q", name, head, body, err, c.head, c.body)
		}
	}
}

func TestBrokenMessagesAreErrors(t *testing.T) {
	for name, in := range map[string]string{
		"cut in the head":       "HTTP/1.1 200 OK\r\n",
		"cut in the body":       "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
		"negative length":       "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
		"length beyond bounds":  "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
		"endless head":          strings.Repeat("a", 1<<20),
		"chunk without its end": "X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello",
		"chunk of nonsense":     "X\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
	} {
		if head, body, err := bench.ReadMessage([]byte(in)); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: ReadMessage = %.40q, %.40q, %v, want an error that is not io.EOF", name, head, body, err)
		}
	}
	if _, _, err := bench.ReadMessage(nil); !errors.Is(err, io.EOF) {
		t.Errorf("ReadMessage of nothing = %v, want io.EOF", err)
	}
}

func TestDeliveryIsRecognisedInEitherEnvelope(t *testing.T) {
	type delivery struct {
		Endpoint int
		N        int64
		At       time.Time
		OK       bool
	}
	at := time.Date(2026, 11, 23, 10, 0, 0, 123456000, time.UTC)
	for body, want := range map[string]delivery{
		`{"type":"bench.sent","timestamp":"2026-11-23T10:00:00.123456Z","data":{"n":"bench-n000000000042"}}`:        {3, 42, at, true},
		`{"order":{"customer":{"email":"bench-n000000000007@example.com"}},"timestamp":"2026-11-23T10:00:00.123Z"}`: {3, 7, at.Truncate(time.Millisecond), true},
		`{"n":"bench-n000000000042"}`:               {3, 42, time.Time{}, true},
		`{"n":"bench-n00000000004"}`:                {3, 0, time.Time{}, false},
		`{"timestamp":"yesterday"}`:                 {3, 0, time.Time{}, false},
		`{"timestamp":"2026-11-23T10:00:00.123456Z`: {3, 0, time.Time{}, false},
	} {
		var got delivery
		got.Endpoint, got.N, got.At, got.OK = bench.ReadDelivery([]byte("POST /e/3 HTTP/1.1\r\nHost: x"), []byte(body))
		if !want.OK {
			got.N = 0
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("ReadDelivery(%s) (-want +got):\n%s", body, diff)
		}
	}
	for _, head := range []string{"", "GET / HTTP/1.1", "POST /e/x HTTP/1.1", "POST /e/-1 HTTP/1.1", "POST /e/30 HTTP/1.1", "POST /e/1"} {
		if i, _, _, ok := bench.ReadDelivery([]byte(head), []byte("bench-n000000000042")); ok {
			t.Errorf("ReadDelivery found the endpoint %d in %q, want none", i, head)
		}
	}
}

func FuzzReadMessage(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"))
	f.Add([]byte("POST /e/3 HTTP/1.1\r\nContent-Length: 21\r\n\r\n\"bench-n000000000042\""))
	f.Fuzz(func(t *testing.T, in []byte) {
		head, body, err := bench.ReadMessage(in)
		if err != nil {
			return
		}
		if !bytes.HasPrefix(in, head) || !bytes.Contains(in, body) {
			t.Errorf("ReadMessage(%q) = %q, %q, which is not part of it", in, head, body)
		}
		bench.ReadDelivery(head, body)
	})
}
