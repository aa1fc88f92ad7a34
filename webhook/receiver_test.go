package webhook_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/webhook"
)

// A receiverTest is a Receiver that remembers what reached it.
type receiverTest struct {
	webhook.Receiver
	messages []webhook.Message
	bodies   []string // as read from the request
	refused  []error
}

func newReceiver(t *testing.T) *receiverTest {
	rt := new(receiverTest)
	rt.Receiver = webhook.Receiver{
		Verifier: newVerifier(t, webhook.Portal, text(oldSecret)...),
		Handle: func(w http.ResponseWriter, r *http.Request, m webhook.Message) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Errorf("read the verified body: %v", err)
			}
			rt.messages, rt.bodies = append(rt.messages, m), append(rt.bodies, string(body))
		},
		Refused: func(_ *http.Request, err error) { rt.refused = append(rt.refused, err) },
		MaxBody: 100,
		Now:     func() time.Time { return time.Unix(sentAt, 0) },
	}
	return rt
}

func (rt *receiverTest) post(t *testing.T, body io.Reader, signed []byte, change func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/webhooks", body)
	m := aMessage()
	m.Body = signed
	if err := newSigner(t, webhook.Portal, text(oldSecret)...).SetHeaders(r.Header, m); err != nil {
		t.Fatal(err)
	}
	change(r)
	w := httptest.NewRecorder()
	rt.ServeHTTP(w, r)
	return w
}

func asIs(*http.Request) {}

func TestReceiverPassesOnTheRawBytes(t *testing.T) {
	rt := newReceiver(t)
	body := []byte("{\"a\" : \"\xff\\u00e9\"}\r\n")
	if w := rt.post(t, bytes.NewReader(body), body, asIs); w.Code != http.StatusOK {
		t.Fatalf("got %d %s, want 200", w.Code, w.Body)
	}
	if len(rt.messages) != 1 || !bytes.Equal(rt.messages[0].Body, body) || rt.bodies[0] != string(body) {
		t.Errorf("Handle got %q and read %q, want %q", rt.messages, rt.bodies, body)
	}
}

func TestReceiverTakesABodyOfTheLimitAndNotMore(t *testing.T) {
	rt := newReceiver(t)
	for _, size := range []int{100, 101, 5000} {
		body := bytes.Repeat([]byte("x"), size)
		want := http.StatusOK
		if size > 100 {
			want = http.StatusRequestEntityTooLarge
		}
		// io.MultiReader hides the length, as chunked encoding does.
		if w := rt.post(t, io.MultiReader(bytes.NewReader(body)), body, asIs); w.Code != want {
			t.Errorf("%d bytes: got %d %s, want %d", size, w.Code, w.Body, want)
		}
	}
	if len(rt.messages) != 1 || len(rt.refused) != 2 {
		t.Errorf("got %d messages and %d refusals, want 1 and 2", len(rt.messages), len(rt.refused))
	}
}

// What the specification's sample answers with 500 (timingSafeEqual throws on unequal lengths) is 401 here.
func TestReceiverAnswers401ToWhateverIsNotVerified(t *testing.T) {
	body := []byte(aJSON)
	for name, change := range map[string]func(*http.Request){
		"no headers":          func(r *http.Request) { clear(r.Header) },
		"truncated signature": func(r *http.Request) { r.Header.Set("X-Webhook-Signature", "sha256=00") },
		"no signature":        func(r *http.Request) { r.Header.Del("X-Webhook-Signature") },
		"future timestamp":    func(r *http.Request) { r.Header.Set("X-Webhook-Timestamp", "9999999999") },
		"wrong signature": func(r *http.Request) {
			r.Header.Set("X-Webhook-Signature", portalMAC(otherSecret, sentAt, body))
		},
	} {
		rt := newReceiver(t)
		w := rt.post(t, bytes.NewReader(body), body, change)
		if w.Code != http.StatusUnauthorized || !strings.HasPrefix(w.Body.String(), `{"error":"webhook: `) {
			t.Errorf("%s: got %d %s, want 401 with the reason", name, w.Code, w.Body)
		}
		var failure *webhook.Error
		if len(rt.messages) != 0 || len(rt.refused) != 1 || !errors.As(rt.refused[0], &failure) {
			t.Errorf("%s: %d messages were handled, refused %v", name, len(rt.messages), rt.refused)
		}
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestReceiverAnswers400ToHalfABodyAnd405ToOtherMethods(t *testing.T) {
	rt := newReceiver(t)
	half := io.MultiReader(strings.NewReader(`{"a":`), brokenReader{})
	if w := rt.post(t, half, []byte(`{"a":`), asIs); w.Code != http.StatusBadRequest {
		t.Errorf("half a body: got %d %s, want 400", w.Code, w.Body)
	}
	w := rt.post(t, http.NoBody, nil, func(r *http.Request) { r.Method = http.MethodGet })
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
		t.Errorf("GET: got %d, Allow %q, want 405, POST", w.Code, w.Header().Get("Allow"))
	}
	if len(rt.messages) != 0 {
		t.Error("one of them was handled")
	}
}

func TestReceiverHasDefaults(t *testing.T) {
	rt := newReceiver(t)
	rt.MaxBody, rt.Now, rt.Refused = 0, nil, nil
	body := bytes.Repeat([]byte("x"), webhook.DefaultMaxBody)
	sign := func(r *http.Request) {
		m := aMessage()
		m.Time, m.Body = time.Now(), body
		if err := newSigner(t, webhook.Portal, text(oldSecret)...).SetHeaders(r.Header, m); err != nil {
			t.Fatal(err)
		}
	}
	if w := rt.post(t, bytes.NewReader(body), nil, sign); w.Code != http.StatusOK {
		t.Errorf("%d bytes, signed just now: got %d %s, want 200", len(body), w.Code, w.Body)
	}
	if w := rt.post(t, bytes.NewReader(append(body, 'x')), nil, sign); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a byte more: got %d %s, want 413", w.Code, w.Body)
	}
	if w := rt.post(t, bytes.NewReader(body), body, asIs); w.Code != http.StatusUnauthorized {
		t.Errorf("signed in another year: got %d %s, want 401", w.Code, w.Body)
	}
}
