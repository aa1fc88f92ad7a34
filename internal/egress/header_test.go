package egress_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/egress"
)

func TestSecurity21_CustomHeaders(t *testing.T) {
	good := egress.Header{
		{"Authorization", "Bearer abc"}, {"X-Api-Key", "k"}, {"x_under", "a b\tc"}, {"X-Empty", ""}, {"Cookie", "a=b"}, {"User-Agent", "x"},
	}
	if err := egress.CheckHeaders(good); err != nil {
		t.Errorf("CheckHeaders(%v) = %v, want no error", good, err)
	}
	if err := egress.CheckHeaders(nil); err != nil {
		t.Errorf("CheckHeaders(nil) = %v, want no error", err)
	}
	bad := egress.Header{
		{"", "x"},
		{"X Y", "x"},
		{"X:", "x"},
		{"X\r\n", "x"},
		{"X\x00", "x"},
		{"Schlüssel", "x"},
		{"(x)", "x"},
		{"X", "a\r\nHost: internal"},
		{"X", "a\nb"},
		{"X", "a\rb"},
		{"X", "a\x00b"},
		{"X", "ü"},
		{"X", "\x7f"},
		{"X", " a"},
		{"X", "a\t"},
	}
	for _, name := range []string{
		"Host", "HOST", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "TE", "Trailer", "Upgrade", "Expect",
		"Proxy-Authorization", "Proxy-Connection", "proxy-x", "Content-Type", "Content-Encoding", "Accept-Encoding",
		"X-Webhook-Signature", "x-webhook-anything", "x-pullup-signature", "X-Pullup-Event", "webhook-id", "Webhook-Signature",
		"webhook-timestamp", "VGG-Topic", "vgg-deliveryid", "HTTP2-Settings",
	} {
		bad = append(bad, egress.Field{Name: name, Value: "x"})
	}
	for _, f := range bad {
		err := egress.CheckHeaders(egress.Header{f})
		var refused *egress.Refused
		if !errors.As(err, &refused) || refused.Reason != egress.ReasonHeader || refused.Header != f.Name {
			t.Errorf("CheckHeaders(%q) = %v, want it refused", f, err)
		}
	}
	if err := egress.CheckHeaders(egress.Header{{"X-A", "1"}, {"x-a", "2"}}); err == nil {
		t.Error("CheckHeaders with the same name twice: no error")
	}
}

func TestSecurity22_CustomHeadersAreBounded(t *testing.T) {
	many := func(n int) (h egress.Header) {
		for i := range n {
			h = append(h, egress.Field{Name: fmt.Sprintf("X-%d", i), Value: "v"})
		}
		return h
	}
	if err := egress.CheckHeaders(many(egress.MaxHeaders)); err != nil {
		t.Errorf("CheckHeaders with %d headers = %v, want no error", egress.MaxHeaders, err)
	}
	if err := egress.CheckHeaders(many(egress.MaxHeaders + 1)); err == nil {
		t.Errorf("CheckHeaders with %d headers: no error", egress.MaxHeaders+1)
	}
	one := func(size int) egress.Header { return egress.Header{{"X", strings.Repeat("v", size-len("X: \r\n"))}} }
	if err := egress.CheckHeaders(one(egress.MaxHeaderBytes)); err != nil {
		t.Errorf("CheckHeaders with %d bytes = %v, want no error", egress.MaxHeaderBytes, err)
	}
	if err := egress.CheckHeaders(one(egress.MaxHeaderBytes + 1)); err == nil {
		t.Errorf("CheckHeaders with %d bytes: no error", egress.MaxHeaderBytes+1)
	}
}

func TestSecurity30_RetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for value, want := range map[string]struct {
		wait time.Duration
		ok   bool
	}{
		"":                               {0, false},
		"0":                              {0, true},
		"120":                            {2 * time.Minute, true},
		"86400":                          {24 * time.Hour, true},
		"86401":                          {24 * time.Hour, true},
		"4294967296":                     {24 * time.Hour, true},
		"99999999999999999999":           {24 * time.Hour, true},
		strings.Repeat("9", 1000):        {24 * time.Hour, true},
		"-1":                             {0, false},
		"1e300":                          {0, false},
		"1.5":                            {0, false},
		"NaN":                            {0, false},
		"inf":                            {0, false},
		"soon":                           {0, false},
		"Mon, 23 Nov 2026 10:05:00 GMT":  {5 * time.Minute, true},
		"Monday, 23-Nov-26 10:05:00 GMT": {5 * time.Minute, true},
		"Mon Nov 23 10:05:00 2026":       {5 * time.Minute, true},
		"Mon, 23 Nov 2026 09:00:00 GMT":  {0, true},
		"Thu, 01 Jan 1970 00:00:00 GMT":  {0, true},
		"Sat, 01 Jan 0001 00:00:00 GMT":  {0, true},
		"Fri, 31 Dec 9999 23:59:59 GMT":  {24 * time.Hour, true},
	} {
		wait, ok := egress.RetryAfter(egress.Header{{"Retry-After", value}}, now)
		if wait != want.wait || ok != want.ok {
			t.Errorf("RetryAfter(%q) = %v, %v; want %v, %v", value, wait, ok, want.wait, want.ok)
		}
	}
	if wait, ok := egress.RetryAfter(egress.Header{{"retry-after", "5"}, {"Retry-After", "60"}, {"Retry-After", "x"}}, now); wait != time.Minute || !ok {
		t.Errorf("RetryAfter with three fields = %v, %v; want the longest, 1m", wait, ok)
	}
}
