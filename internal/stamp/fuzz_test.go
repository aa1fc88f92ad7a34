package stamp_test

import (
	"encoding/base64"
	"regexp"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/stamp"
)

// dangerous are elements that no SVG that was taken has. In XML "<" begins one, but for what besides cuts out.
var (
	dangerous = regexp.MustCompile(`(?i)<\s*([^\s<>/]*:)?(script|style|foreignobject|image|iframe|a|set|animate)\b|<!\s*(doctype|entity)`)
	besides   = regexp.MustCompile(`(?s)<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>`)
)

func FuzzArt(f *testing.F) {
	for _, s := range []string{`<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0"/></svg>`, `<svg xmlns="http://www.w3.org/2000/svg" onload="x"/>`, `<svg:svg xmlns:svg="http://www.w3.org/2000/svg"/>`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if stamp.CheckArt("data:image/svg+xml;base64,"+base64.StdEncoding.EncodeToString(raw)) != nil {
			return
		}
		if found := dangerous.Find(besides.ReplaceAll(raw, nil)); found != nil {
			t.Errorf("art is taken with %q in it: %q", found, raw)
		}
	})
}
