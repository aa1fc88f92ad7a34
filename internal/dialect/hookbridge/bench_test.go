package hookbridge_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/pull"
)

// BenchmarkIngest is what it costs to take 1 KiB, from the socket to the disk and back, with 64 senders at once. The bench command measures it against a server
// that does nothing but append and sync.
func BenchmarkIngest(b *testing.B) {
	s := lite(b, settings{pull: pull.Config{PerSecond: 1e9, Burst: 1 << 30}})
	e := s.make(map[string]any{"event_type_source": "body", "event_type_path": "type"})
	body := `{"type":"ticket.sold","note":"` + strings.Repeat("x", 1000) + `"}`
	request := []byte(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nUser-Agent: bench\r\nContent-Length: %d\r\n\r\n%s", e.ingest(), len(body), body))
	b.ReportAllocs()
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			b.Error(err)
			return
		}
		defer c.Close()
		answers := bufio.NewReader(c)
		for p.Next() {
			if _, err := c.Write(request); err != nil {
				b.Error(err)
				return
			}
			resp, err := http.ReadResponse(answers, nil)
			if err != nil || resp.StatusCode != 202 {
				b.Errorf("%v, %v", resp, err)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	})
}
