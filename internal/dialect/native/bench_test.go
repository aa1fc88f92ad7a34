package native_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
)

// BenchmarkPublish is POST /messages without sockets, with 1 KiB of data and 32 publishers for each core, on SQLite.
func BenchmarkPublish(b *testing.B) {
	h := newHouse(b, dbtest.Open(b, dbtest.SQLite(b)))
	body := fmt.Sprintf(`{"event":"acme.paid","data":{"text":"%s"}}`, strings.Repeat("x", 1000))
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := httptest.NewRequest("POST", "/api/v1/messages", strings.NewReader(body))
			r.Header.Set("X-API-Key", h.key)
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			h.server.ServeHTTP(w, r)
			if w.Code != http.StatusAccepted {
				b.Fatalf("POST /messages = %d %s", w.Code, w.Body)
			}
		}
	})
}
