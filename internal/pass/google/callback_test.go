package google_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stagedoorhq/stagedoor/internal/pass/google"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/test/harness"
)

// callback is a callback about the pass of these tests.
func callback() harness.GoogleCallback {
	return harness.GoogleCallback{Class: classID, Object: objectID, Event: "save", Nonce: "n-1", Expires: now.Add(time.Hour), KeyExpires: now.Add(24 * time.Hour)}
}

func verifier(t testing.TB, keys, issuer string, at time.Time) *google.Callbacks {
	t.Helper()
	return google.NewCallbacks(keysOf(t, keys), issuer, func() time.Time { return at })
}

func keysOf(t testing.TB, from string) *google.Keys {
	t.Helper()
	k, err := google.NewKeys(from)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// refused wants a problem of a code.
func refused(t *testing.T, what string, err error, code string) {
	t.Helper()
	if !problem.Is(err, code) {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

func TestCallbackOfGooglesIsTaken(t *testing.T) {
	g := harness.PlayGoogle(t, issuer)
	for _, keys := range []string{g.KeysFile, g.KeysURL} {
		c := verifier(t, keys, issuer, now)
		for _, event := range []string{"save", "del"} {
			in := callback()
			in.Event = event
			got, err := c.Verify(t.Context(), g.Sign(t, in))
			if err != nil {
				t.Fatalf("Verify with keys from %s: %v", keys, err)
			}
			want := google.Callback{Serial: "6b1c6f0e9d5a4a578a2d0f6a2f1f4d11", Save: event == "save", Nonce: "n-1", Until: now.Add(time.Hour)}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Verify (-want +got):\n%s", diff)
			}
		}
	}
}

// A callback that Google sent in 2025, as it is published with the tests of edutap.wallet_google, and the root key that Google has published since 2019: so that
// what is signed is known from somebody else than us. Its object is no pass of ours, which is found out once it is known to be Google's.
func TestCallbackThatGoogleHasSent(t *testing.T) {
	const (
		theirs = "3388000000022141777"
		root   = `{"keys":[{"keyValue":"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEs/J7ghdwu4/b6NvqzQebS+Z80FEP8ZlGdAdWDUjfPeBKaV+YOWW0l6U/4IGXnfY9NrsND1fwxAqRq0unR/LCIg==",` +
			`"protocolVersion":"ECv2SigningOnly","keyExpiration":"1790000000000"}]}`
		body = `{"signature":"MEUCIQC+xKva1ydmNwJJiP2HJJWsteUe02ztTDKExzcWIpmlywIgJwD4HUYvZJg/cr1OL21vVKr0b2ZXt79NblCQ1V18zsc=",` +
			`"intermediateSigningKey":{"signedKey":"{\"keyValue\":\"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEKb256ssDdmf7DokZ7jsMtAvjiTX2HF1ay8QR1sSA+gFpC/ChhRwVdMEVJTaoAP1MIH38QWtqShiQ63zROaKtgQ\\u003d\\u003d\",\"keyExpiration\":\"1759996807000\"}",` +
			`"signatures":["MEUCIDd7rXh7qgJZ7YSlQiXG2zOdZUT5XlMSUPu3RfyV3p2CAiEApxrIwTmRVig93FVJUC6bSWdQXMqata5sHenKsVYreUk="]},"protocolVersion":"ECv2SigningOnly",` +
			`"signedMessage":"{\"classId\":\"3388000000022141777.lib.edutap.eu\",\"objectId\":\"3388000000022141777.6b4cbd15-0de7-4fe8-95f6-995a51b4595e.object\",\"eventType\":\"del\",\"expTimeMillis\":1759331348143,\"count\":1,\"nonce\":\"1a9e3df0-ec10-4a17-8b39-89d2d7f48e3b\"}"}`
	)
	keys := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(keys, []byte(root), 0o600); err != nil {
		t.Fatal(err)
	}
	then := time.Date(2025, 10, 1, 12, 0, 0, 0, time.UTC)
	verify := func(issuer, body string, at time.Time) error {
		_, err := verifier(t, keys, issuer, at).Verify(t.Context(), []byte(body))
		return err
	}
	err := verify(theirs, body, then)
	if p := problem.As(err); p == nil || p.Code != "invalid_request" || !strings.Contains(p.Detail, "not a pass of ours") {
		t.Errorf("Verify of what Google has sent: %v, want that its object is not a pass of ours", err)
	}
	refused(t, "for another issuer", verify(issuer, body, then), "not_signed")
	refused(t, "with a changed message", verify(theirs, strings.Replace(body, `\"count\":1`, `\"count\":2`, 1), then), "not_signed")
	refused(t, "with a changed key", verify(theirs, strings.Replace(body, "1759996807000", "1759996807001", 1), then), "not_signed")
	refused(t, "when the message's time is over", verify(theirs, body, then.Add(6*time.Hour)), "not_signed")
}

func TestCallbackThatIsNotGoogles(t *testing.T) {
	g, other := harness.PlayGoogle(t, issuer), harness.PlayGoogle(t, issuer)
	for what, change := range map[string]func(*harness.GoogleCallback){
		"for another recipient":  func(c *harness.GoogleCallback) { c.Recipient = "3388000000099999999" },
		"from another sender":    func(c *harness.GoogleCallback) { c.Sender = "Google" },
		"when its time is over":  func(c *harness.GoogleCallback) { c.Expires = now },
		"when its key's time is": func(c *harness.GoogleCallback) { c.KeyExpires = now },
		"with a message of no time": func(c *harness.GoogleCallback) {
			c.Message = `{"objectId":"` + objectID + `","eventType":"save","nonce":"n"}`
		},
		"when it was over long ago":  func(c *harness.GoogleCallback) { c.Expires = time.UnixMilli(1) },
		"with a key of 1970, nearly": func(c *harness.GoogleCallback) { c.KeyExpires = time.UnixMilli(1) },
	} {
		in := callback()
		change(&in)
		_, err := verifier(t, g.KeysFile, issuer, now).Verify(t.Context(), g.Sign(t, in))
		refused(t, what, err, "not_signed")
	}
	_, err := verifier(t, g.KeysFile, issuer, now).Verify(t.Context(), other.Sign(t, callback()))
	refused(t, "by another root", err, "not_signed")
}

func TestCallbackWhosePartsDoNotBelongTogether(t *testing.T) {
	g := harness.PlayGoogle(t, issuer)
	c := verifier(t, g.KeysFile, issuer, now)
	one, two := g.Sign(t, callback()), g.Sign(t, callback())
	for _, part := range []string{"signature", "intermediateSigningKey", "signedMessage"} {
		var a, b map[string]json.RawMessage
		if err := json.Unmarshal(one, &a); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(two, &b); err != nil {
			t.Fatal(err)
		}
		a[part] = b[part]
		_, err := c.Verify(t.Context(), asJSON(t, a))
		if part == "signedMessage" { // the same in both
			if err != nil {
				t.Errorf("with the same %s again: %v", part, err)
			}
			a[part] = json.RawMessage(`"{}"`)
			_, err = c.Verify(t.Context(), asJSON(t, a))
		}
		refused(t, "with the other's "+part, err, "not_signed")
		delete(a, part)
		_, err = c.Verify(t.Context(), asJSON(t, a))
		refused(t, "without "+part, err, "not_signed")
	}
}

func TestCallbackThatIsNone(t *testing.T) {
	g := harness.PlayGoogle(t, issuer)
	c := verifier(t, g.KeysFile, issuer, now)
	for what, body := range map[string]string{"nothing": "", "no JSON": "save", "another shape": "[]", "no protocol": "{}"} {
		_, err := c.Verify(t.Context(), []byte(body))
		refused(t, what, err, "invalid_request")
	}
	long := append(bytes.Repeat([]byte(" "), 64<<10), g.Sign(t, callback())...)
	_, err := c.Verify(t.Context(), long)
	refused(t, "a long body", err, "invalid_request")
	for what, change := range map[string]func(*harness.GoogleCallback){
		"another protocol":            func(c *harness.GoogleCallback) { c.Protocol = "ECv1" },
		"another issuer's object":     func(c *harness.GoogleCallback) { c.Object = "1." + objectID },
		"an object of another length": func(c *harness.GoogleCallback) { c.Object += "0" },
		"an object in upper case":     func(c *harness.GoogleCallback) { c.Object = strings.ToUpper(c.Object) },
		"no object":                   func(c *harness.GoogleCallback) { c.Object = "" },
		"another event":               func(c *harness.GoogleCallback) { c.Event = "activate" },
		"a message that is no JSON":   func(c *harness.GoogleCallback) { c.Message = "save" },
		"a message of another shape":  func(c *harness.GoogleCallback) { c.Message = `{"objectId":1}` },
		"a time that is none":         func(c *harness.GoogleCallback) { c.Message = `{"expTimeMillis":"tomorrow"}` },
		"a time that no calendar has": func(c *harness.GoogleCallback) { c.Message = `{"expTimeMillis":9223372036854775807}` },
		"a long nonce":                func(c *harness.GoogleCallback) { c.Nonce = strings.Repeat("n", 201) },
	} {
		in := callback()
		change(&in)
		_, err := c.Verify(t.Context(), g.Sign(t, in))
		refused(t, what, err, "invalid_request")
	}
}

// What else Google says one day, and what it says twice, is no harm.
func TestCallbackMaySayMore(t *testing.T) {
	g := harness.PlayGoogle(t, issuer)
	in := callback()
	in.Message = `{"objectId":"1.2","objectId":"` + objectID + `","eventType":"del","expTimeMillis":"2443006800000","nonce":"n","deviceContext":{"a":[1]}}`
	got, err := verifier(t, g.KeysFile, issuer, now).Verify(t.Context(), g.Sign(t, in))
	if err != nil || got.Save || got.Serial != "6b1c6f0e9d5a4a578a2d0f6a2f1f4d11" || !got.Until.Equal(now.Add(time.Hour)) {
		t.Errorf("Verify = %+v, %v", got, err)
	}
}

// keysAsked counts how often the keys were asked for.
func keysAsked(g *harness.GoogleWallet) (n int) {
	for _, call := range g.Calls() {
		if strings.HasPrefix(call, "GET keys") || strings.HasPrefix(call, "GET /keys") {
			n++
		}
	}
	return n
}

// asking waits until the keys were asked for so many times, which may be done behind a callback's back, and fails if they were asked for more often.
func asking(t *testing.T, g *harness.GoogleWallet, want int, when string) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); keysAsked(g) < want && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if n := keysAsked(g); n != want {
		t.Errorf("%s the keys were asked for %d times, want %d", when, n, want)
	}
}

func TestKeysAreKeptAsLongAsTheirAnswerSays(t *testing.T) {
	for _, tt := range []struct{ says, lasts time.Duration }{{0, 5 * time.Minute}, {time.Hour, time.Hour}, {72 * time.Hour, 24 * time.Hour}} {
		g := harness.PlayGoogle(t, issuer)
		g.Keep(tt.says)
		at := now
		c := google.NewCallbacks(keysOf(t, g.KeysURL), issuer, func() time.Time { return at })
		in := callback()
		in.Expires, in.KeyExpires = now.Add(100*time.Hour), now.Add(100*time.Hour)
		body := g.Sign(t, in)
		for _, step := range []struct {
			at    time.Duration
			asked int
		}{{0, 1}, {time.Minute, 1}, {tt.lasts - 1, 1}, {tt.lasts, 2}, {tt.lasts + time.Second, 2}} {
			at = now.Add(step.at)
			if _, err := c.Verify(t.Context(), body); err != nil {
				t.Fatal(err)
			}
			asking(t, g, step.asked, fmt.Sprintf("where they may be kept for %v, after %v", tt.says, step.at))
		}
	}
}

func TestKeysStayWhileTheyCannotBeAskedFor(t *testing.T) {
	g := harness.PlayGoogle(t, issuer)
	at := now
	c := google.NewCallbacks(keysOf(t, g.KeysURL), issuer, func() time.Time { return at })
	body := g.Sign(t, callback())
	if _, err := c.Verify(t.Context(), body); err != nil {
		t.Fatal(err)
	}
	at = now.Add(59 * time.Minute)
	in := callback()
	in.Expires = now.Add(5 * time.Hour)
	body = g.Sign(t, in)
	at = now.Add(2 * time.Hour)
	g.Fail(func(*http.Request) int { return http.StatusServiceUnavailable })
	for range 3 {
		if _, err := c.Verify(t.Context(), body); err != nil {
			t.Errorf("with the keys that there are: %v", err)
		}
	}
	asking(t, g, 2, "once more, and then not for a minute:")
	at = time.UnixMilli(2545000000000) // when the root key's own time is over
	_, err := c.Verify(t.Context(), body)
	refused(t, "with a root key whose time is over", err, "wallet_keys_unavailable")
}

// A key that was not there when the keys were asked for is found, but nobody can have us ask all the time.
func TestNewRootKeyIsFound(t *testing.T) {
	g := harness.PlayGoogle(t, issuer)
	at := now
	c := google.NewCallbacks(keysOf(t, g.KeysURL), issuer, func() time.Time { return at })
	if _, err := c.Verify(t.Context(), g.Sign(t, callback())); err != nil {
		t.Fatal(err)
	}
	g.NewRoot(t)
	body := g.Sign(t, callback())
	for range 3 {
		_, err := c.Verify(t.Context(), body)
		refused(t, "at once", err, "not_signed")
	}
	at = now.Add(time.Minute)
	if _, err := c.Verify(t.Context(), body); err != nil {
		t.Errorf("a minute later: %v", err)
	}
	if n := keysAsked(g); n != 2 {
		t.Errorf("the keys were asked for %d times, want 2", n)
	}
}

func TestKeysThatCannotBeHad(t *testing.T) {
	g := harness.PlayGoogle(t, issuer)
	body := g.Sign(t, callback())
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	_, key := known(t)
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	rsa := `{"keys":[{"protocolVersion":"ECv2SigningOnly","keyValue":"` + base64.StdEncoding.EncodeToString(der) + `"}]}`
	for what, from := range map[string]string{
		"no file": filepath.Join(dir, "none"), "no JSON": file("a", "keys"), "no keys": file("b", `{"keys":[]}`), "an RSA key": file("c", rsa),
		"no TLS": "http://keys.example/keys", "no host": "https:///keys", "another scheme": "ftp://keys.example/keys",
	} {
		if k, err := google.NewKeys(from); k != nil || err == nil {
			t.Errorf("%s: NewKeys of %s = %v, %v, want an error", what, from, k, err)
		}
	}
	good, err := os.ReadFile(g.KeysFile)
	if err != nil {
		t.Fatal(err)
	}
	gone := file("d", string(good))
	for what, from := range map[string]string{"a file that has gone": gone, "nobody there": "http://127.0.0.1:1/keys", "no keys there": g.API + "/keys"} {
		c := verifier(t, from, issuer, now)
		if from == gone { // once it was looked at
			if err := os.Remove(gone); err != nil {
				t.Fatal(err)
			}
		}
		_, err := c.Verify(t.Context(), body)
		refused(t, what, err, "wallet_keys_unavailable")
	}
}

// It costs nothing to forge a callback, and then fresh keys are asked for: those that Google has signed do not wait for them.
func TestForgedCallbackHoldsNobodyUp(t *testing.T) {
	g := harness.PlayGoogle(t, issuer)
	at := now
	c := google.NewCallbacks(keysOf(t, g.KeysURL), issuer, func() time.Time { return at })
	genuine, forged := g.Sign(t, callback()), harness.PlayGoogle(t, issuer).Sign(t, callback())
	if _, err := c.Verify(t.Context(), genuine); err != nil {
		t.Fatal(err)
	}
	came, answer, said := make(chan struct{}, 1), make(chan struct{}), make(chan error, 1)
	g.Fail(func(*http.Request) int {
		came <- struct{}{}
		<-answer
		return 0
	})
	at = now.Add(2 * time.Minute)
	go func() {
		_, err := c.Verify(t.Context(), forged)
		said <- err
	}()
	<-came
	waits, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := c.Verify(waits, genuine); err != nil {
		t.Errorf("while keys are asked for: %v", err)
	}
	close(answer)
	refused(t, "forged", <-said, "not_signed")
}

func FuzzVerify(f *testing.F) {
	g := harness.PlayGoogle(f, issuer)
	c := verifier(f, g.KeysFile, issuer, now)
	f.Add(g.Sign(f, callback()))
	f.Add([]byte(`{"protocolVersion":"ECv2SigningOnly","intermediateSigningKey":{"signatures":[""]}}`))
	f.Add([]byte(`{"protocolVersion":"ECv2SigningOnly","signedMessage":null,"intermediateSigningKey":{"signedKey":"{\"keyExpiration\":\"-1\"}","signatures":null}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := c.Verify(t.Context(), body)
		if err == nil && (len(got.Serial) != 32 || got.Nonce != "n-1" || !got.Until.Equal(now.Add(time.Hour))) {
			t.Errorf("Verify of %q = %+v, which nobody has signed", body, got)
		}
		if err != nil && problem.As(err) == nil {
			t.Errorf("Verify of %q: %v, which is no problem", body, err)
		}
	})
}
