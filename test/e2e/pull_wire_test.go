package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// wire is a connection to a box's server, for what no client library would send.
type wire struct {
	net.Conn
	in   *bufio.Reader
	path string // of the ingest URL
}

func (b *box) dial(t *testing.T) *wire {
	t.Helper()
	u, err := url.Parse(b.ingest)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(soon))
	return &wire{c, bufio.NewReader(c), u.Path}
}

// begin writes the head of a request.
func (w *wire) begin(t *testing.T, lines ...string) {
	t.Helper()
	head := "POST " + w.path + " HTTP/1.1\r\nHost: hooks.example.com\r\n" + strings.Join(append(lines, "", ""), "\r\n")
	if _, err := io.WriteString(w, head); err != nil {
		t.Fatal(err)
	}
}

// chunks writes a body in pieces, and what follows the last.
func (w *wire) chunks(t *testing.T, end string, pieces ...[]byte) {
	t.Helper()
	for _, p := range pieces {
		if _, err := fmt.Fprintf(w, "%x\r\n%s\r\n", len(p), p); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.WriteString(w, "0\r\n"+end+"\r\n"); err != nil {
		t.Fatal(err)
	}
}

// answer reads the next answer.
func (w *wire) answer(t *testing.T) harness.Answer {
	t.Helper()
	resp, err := http.ReadResponse(w.in, nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("half an answer: %v", err)
	}
	return harness.Answer{Status: resp.StatusCode, Header: resp.Header, Body: text}
}

// left checks that the connection ends, with an answer or without; 2xx is none.
func (w *wire) left(t *testing.T, what string) {
	t.Helper()
	rest, err := io.ReadAll(w.in)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%s keeps the connection", what)
	}
	if bytes.HasPrefix(rest, []byte("HTTP/1.1 2")) {
		t.Errorf("%s is answered with %s", what, rest)
	}
}

// holds checks how many events the box has, and returns their page.
func (b *box) holds(t *testing.T, n int) harness.Answer {
	t.Helper()
	expect(t, b.Call(t, 200, "GET", b.path, nil).Body, "data.counts.total", n)
	page := b.Call(t, 200, "GET", b.path+"/events", nil)
	expect(t, page.Body, "data.#", n)
	return page
}

// bytes are those of an event's payload, which is shown in base64.
func (b *box) bytes(t *testing.T, id string) []byte {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(text(t, b.Call(t, 200, "GET", b.path+"/events/"+id, nil), "data.payload"))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Security checklist, line 35: who asks whether to go on is told so, and who would send too much is told that instead.
func TestAPullEndpointSaysWhetherToGoOn(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		b := open(t, st).box(t)
		w := b.dial(t)
		w.begin(t, "Content-Length: 2", "Expect: 100-continue")
		if a := w.answer(t); a.Status != 100 {
			t.Fatalf("asked whether to go on, the server says %d %s", a.Status, a.Body)
		}
		_, _ = io.WriteString(w, "{}")
		if a := w.answer(t); a.Status != 202 {
			t.Errorf("the body that was waited for is answered with %d %s", a.Status, a.Body)
		}
		for _, length := range []string{"1048577", "99999999999999"} {
			w := b.dial(t)
			w.begin(t, "Content-Length: "+length, "Expect: 100-continue")
			a := w.answer(t)
			if a.Status != 413 {
				t.Errorf("%s bytes: the server says %d %s before any came", length, a.Status, a.Body)
			}
			expect(t, a.Body, "error.code", "PAYLOAD_TOO_LARGE")
		}
		b.holds(t, 1)
	})
}

// Security checklist, line 35: bytes are kept as they came, header lines in their order and case, and trailers belong to neither.
func TestAPullEndpointKeepsWhatCame(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		b := open(t, st).box(t)
		whole := make([]byte, 200_000)
		_, _ = rand.Read(whole)
		whole[0] = 0xff // no JSON
		w := b.dial(t)
		w.begin(t, "x-lower: 1", "X-MiXeD-Case: a, b", "X-Twice: first", "Content-Type: application/octet-stream", "x-twice: second", "X-Empty:", "Transfer-Encoding: chunked", "Trailer: X-Late")
		w.chunks(t, "X-Late: trailer\r\n", whole[:1], whole[1:7], whole[7:150_000], whole[150_000:])
		a := w.answer(t)
		if a.Status != 202 {
			t.Fatalf("the request is answered with %d %s", a.Status, a.Body)
		}
		id := text(t, a, "data.event_id")
		if got := b.bytes(t, id); sha256.Sum256(got) != sha256.Sum256(whole) {
			t.Errorf("%d bytes came, and %d others are kept", len(whole), len(got))
		}
		e := b.Call(t, 200, "GET", b.path+"/events/"+id, nil)
		var got struct {
			Data struct {
				Headers     map[string]string
				HeaderLines [][2]string `json:"header_lines"`
			}
		}
		e.Decode(t, &got)
		want := [][2]string{
			{"Host", "hooks.example.com"},
			{"x-lower", "1"},
			{"X-MiXeD-Case", "a, b"},
			{"X-Twice", "first"},
			{"Content-Type", "application/octet-stream"},
			{"x-twice", "second"},
			{"X-Empty", ""},
			{"Transfer-Encoding", "chunked"},
			{"Trailer", "X-Late"},
		}
		if diff := cmp.Diff(want, got.Data.HeaderLines); diff != "" {
			t.Errorf("header lines (-sent +kept):\n%s", diff)
		}
		if h := got.Data.Headers; h["x-lower"] != "1" || h["x-twice"] != "first, second" || h["x-late"] != "" {
			t.Errorf("headers are %v", h)
		}
	})
}

// Security checklist, line 34: what says that it is encoded is kept as it is, and nothing is unpacked.
func TestAPullEndpointUnpacksNothing(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		b := open(t, st).box(t, "event_type_source", "body", "event_type_path", "type")
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		_, _ = z.Write(bytes.Repeat([]byte(`{"type":"bomb"}`), 1<<20))
		_ = z.Close()
		id := b.take(t, packed.String(), map[string]string{"Content-Type": "application/json", "Content-Encoding": "gzip"})
		expect(t, b.holds(t, 1).Body, "data.0.size_bytes", packed.Len(), "data.0.event_type", nil)
		if got := b.bytes(t, id); !bytes.Equal(got, packed.Bytes()) {
			t.Errorf("%d bytes came, and %d others are kept", packed.Len(), len(got))
		}
	})
}

// Security checklist, line 34: what is endless is cut off, and who lies about a length has nothing stored but what it said.
func TestAPullEndpointIsNotLiedTo(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		b := open(t, st).box(t)
		b.endless(t)

		short := b.dial(t)
		short.begin(t, "Content-Length: 1000")
		_, _ = io.WriteString(short, `{"half":`)
		_ = short.Conn.(*net.TCPConn).CloseWrite()
		short.left(t, "less than was announced")

		long := b.dial(t)
		long.begin(t, "Content-Length: 2")
		_, _ = io.WriteString(long, "{}and more that nobody announced\r\n\r\n")
		if a := long.answer(t); a.Status != 202 {
			t.Errorf("what was announced is answered with %d %s", a.Status, a.Body)
		}
		long.left(t, "more than was announced")
		expect(t, b.holds(t, 1).Body, "data.0.size_bytes", 2)

		for _, lines := range [][]string{
			{"Content-Length: 2", "Content-Length: 3"},
			{"Content-Length: -1"},
			{"Content-Length: +2"},
			{"Content-Length: 2, 3"},
			{"Content-Length: 0x2"},
			{"Transfer-Encoding: gzip"},
			{"Transfer-Encoding: chunked", "Transfer-Encoding: chunked"},
		} {
			w := b.dial(t)
			w.begin(t, lines...) // and no body: a server that hangs up on what it has not read resets the connection, and the answer may be lost
			if a := w.answer(t); a.Status/100 != 4 && a.Status != 501 {
				t.Errorf("%v is answered with %d %s", lines, a.Status, a.Body)
			}
		}
		for _, piece := range []string{"zz\r\n{}\r\n0\r\n\r\n", "2\r\n{}and more\r\n0\r\n\r\n", "-2\r\n{}\r\n0\r\n\r\n", "ffffffffffffffffff\r\n{}"} {
			w := b.dial(t)
			w.begin(t, "Transfer-Encoding: chunked")
			_, _ = io.WriteString(w, piece)
			_ = w.Conn.(*net.TCPConn).CloseWrite()
			w.left(t, fmt.Sprintf("%q", piece))
		}
		b.holds(t, 1)
	})
}

// endless sends a body without an end, until the server has enough.
func (b *box) endless(t *testing.T) {
	t.Helper()
	w := b.dial(t)
	w.begin(t, "Transfer-Encoding: chunked")
	const most = 64 << 20
	piece := bytes.Repeat([]byte("x"), 64<<10)
	written := make(chan int, 1)
	go func() {
		n := 0
		for n < most {
			if _, err := fmt.Fprintf(w, "%x\r\n%s\r\n", len(piece), piece); err != nil {
				break
			}
			n += len(piece)
		}
		written <- n
	}()
	a := w.answer(t)
	if a.Status != 413 {
		t.Errorf("a body without an end is answered with %d %s", a.Status, a.Body)
	}
	w.Close()
	if n := <-written; n >= most {
		t.Errorf("the server read %d bytes of a body without an end", n)
	}
}

// Security checklist, line 34: who sends its head or its body slowly is let go.
func TestSlowSendersAreLetGo(t *testing.T) {
	if !harness.Long() {
		t.Skip("takes half a minute; STAGEDOOR_LONG=1 runs it")
	}
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		b := open(t, st).box(t)
		head, slow := b.dial(t), b.dial(t)
		_, _ = io.WriteString(head, "POST "+head.path+" HTTP/1.1\r\nHost: ho")
		slow.begin(t, "Content-Length: 100000")
		stop := make(chan struct{})
		defer close(stop)
		for _, w := range []*wire{head, slow} {
			go func() {
				for tick := time.NewTicker(time.Second); ; {
					select {
					case <-stop:
						tick.Stop()
						return
					case <-tick.C:
						if _, err := io.WriteString(w, "x"); err != nil {
							return
						}
					}
				}
			}()
		}
		head.left(t, "a head that comes slowly")
		slow.left(t, "a body that comes slowly")
		b.holds(t, 0)
	})
}

// Security checklist, line 38: the allow-list is about who is really there, in each spelling of an address, and nobody is believed who says where it comes from.
func TestAnAllowListIsAboutTheRealSender(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		says := map[string]string{"X-Forwarded-For": "203.0.113.7", "X-Real-Ip": "203.0.113.7", "Forwarded": "for=203.0.113.7"}
		for _, here := range []string{"127.0.0.1/32", "127.0.0.0/8", "::ffff:127.0.0.0/104"} {
			b := o.box(t, "verify_ip_allowlist", true, "allowed_cidrs", []string{"2001:db8::/32", here})
			b.take(t, "{}", nil)
			b.take(t, "{}", says)
		}
		b := o.box(t, "verify_ip_allowlist", true, "allowed_cidrs", []string{"203.0.113.0/24", "::/0"})
		for _, headers := range []map[string]string{nil, says} {
			if a := b.post(t, "POST", "", []byte("{}"), headers); a.Status != 403 {
				t.Errorf("who says %v is answered with %d %s", headers, a.Status, a.Body)
			}
		}
		for _, from := range column(t, b.rejections(t, 2), "data", "source_ip") {
			if from != "127.0.0.1" {
				t.Errorf("the sender is written down as %s", from)
			}
		}
		b.holds(t, 0)
	})
}

// Security checklist, line 43: what strangers sent is never shown as a page.
func TestWhatCameIsNeverAPage(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		b := open(t, st).box(t)
		page := "<!doctype html><script>alert(document.domain)</script>"
		id := b.take(t, page, map[string]string{"Content-Type": "text/html; charset=utf-8", "X-Name": "<script>alert(1)</script>"})
		harmless := func(what string, a harness.Answer) {
			t.Helper()
			if ct := a.Header.Get("Content-Type"); !strings.HasPrefix(ct, "application/json") || a.Header.Get("X-Content-Type-Options") != "nosniff" || !json.Valid(a.Body) {
				t.Errorf("%s is of the type %q, and may be sniffed: %q", what, ct, a.Header.Get("X-Content-Type-Options"))
			}
		}
		for _, path := range []string{"/events", "/events/" + id, "/events/" + id + "?preview=true", "/events/%3Cscript%3E"} {
			harmless(path, try(t, b.Client, "GET", b.path+path, nil))
		}
		b.post(t, "GET", "", nil, map[string]string{"X-Name": "<script>"})
		b.rejections(t, 1)
		harmless("the refusals", b.Call(t, 200, "GET", "/v1/inbound-rejections", nil))
		nobody := &box{org: b.org, ingest: st.URL + "/v1/webhooks/receive/%3Cscript%3E/%3Cscript%3E"}
		a := nobody.post(t, "POST", "", []byte(page), nil)
		harmless("an unknown address", a)
		if bytes.Contains(a.Body, []byte("<script")) {
			t.Errorf("an unknown address is given back: %s", a.Body)
		}
	})
}

// Security checklist, lines 36 and 44: an id is no authority, the secret is needed whole, and a token in the query is in no log.
func TestAnIDAloneOpensNothing(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		token := "query-token-4711-0123456789"
		harness.Secret(token)
		b := open(t, st).box(t, "verify_static_token", true, "token_query_param", "key", "token_value", token)
		base, secret := b.ingest[:strings.LastIndexByte(b.ingest, '/')], b.ingest[strings.LastIndexByte(b.ingest, '/')+1:]
		for _, rest := range []string{"", "/", "/x", "/" + secret[:len(secret)-1], "/" + strings.ToUpper(secret), "/" + secret + "/x", "/" + secret + "%20"} {
			wrong := &box{org: b.org, ingest: base + rest}
			if a := wrong.post(t, "POST", "key="+token, []byte("{}"), nil); a.Status != 401 && a.Status != 404 {
				t.Errorf("%q instead of the secret is answered with %d %s", rest, a.Status, a.Body)
			}
		}
		if a := b.post(t, "POST", "key=wrong-token-4711-01234567", []byte("{}"), nil); a.Status != 401 {
			t.Errorf("a wrong token is answered with %d", a.Status)
		}
		b.holds(t, 0)
		if a := b.post(t, "POST", "key="+token, []byte("{}"), nil); a.Status != 202 {
			t.Errorf("the right token is answered with %d %s", a.Status, a.Body)
		}
		b.holds(t, 1)
	})
}

// The bounds that the operator chooses are those that hold, and there is room again after a deletion.
func TestPullEndpointsKeepToTheOperatorsBounds(t *testing.T) {
	flags := []string{"--pull-max-body", "2500000", "--pull-max-events", "3", "--pull-max-bytes", "4000000"}
	harness.OnStagesWith(t, "bounded", flags, func(t *testing.T, st *harness.Stage) {
		b := open(t, st).box(t)
		most := b.take(t, strings.Repeat("x", 2_500_000), nil)
		w := b.dial(t)
		w.begin(t, "Content-Length: 2500001", "Expect: 100-continue")
		if a := w.answer(t); a.Status != 413 {
			t.Errorf("a byte too many is answered with %d %s", a.Status, a.Body)
		}
		full := func(what, sent string) {
			t.Helper()
			a := b.post(t, "POST", "", []byte(sent), nil)
			if a.Status != 507 {
				t.Errorf("%s: %d %s", what, a.Status, a.Body)
			}
			expect(t, a.Body, "error.code", filled, "error.message", filled, "meta.request_id", filled)
		}
		full("too many bytes", strings.Repeat("x", 2_000_000))
		b.take(t, "{}", nil)
		b.take(t, "{}", nil)
		full("too many events", "{}")
		b.holds(t, 3)
		b.Call(t, 200, "DELETE", b.path+"/events/"+most, nil)
		eventually(t, func() bool { return b.post(t, "POST", "", bytes.Repeat([]byte("x"), 2_000_000), nil).Status == 202 })
	})
}
