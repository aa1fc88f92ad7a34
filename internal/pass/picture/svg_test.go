package picture_test

import (
	"fmt"
	"image"
	"image/color"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/pass/picture"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// svgs are pictures that are drawn. Each is red where the test looks: a little right of the middle.
var svgs = map[string]string{
	"rect":      `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 20"><rect x="10" width="20" height="20" fill="#c81e28"/></svg>`,
	"declared":  "\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- drawn by hand -->\n" + `<svg width="40px" height="20px"><circle cx="20" cy="10" r="8" fill="rgb(200,30,40)"/></svg>`,
	"path":      `<svg viewBox="0 0 40 20"><title>A logo</title><g transform="translate(2,0)"><path d="M0 0h36v20H0z" style="fill:#c81e28;stroke:none"/></g></svg>`,
	"stroke":    `<svg viewBox="0 0 40 20"><line x1="0" y1="10" x2="40" y2="10" stroke="#c81e28" stroke-width="10" stroke-linecap="round" stroke-dasharray="none"/></svg>`,
	"gradient":  `<svg viewBox="0 0 40 20"><defs><linearGradient id="g"><stop offset="0" stop-color="#c81e28"/><stop offset="1" stop-color="#c81e28"/></linearGradient></defs><rect width="40" height="20" fill="url(#g)"/></svg>`,
	"class":     `<svg viewBox="0 0 40 20"><defs><style>.a{fill:#c81e28;stroke-dasharray: none}</style></defs><rect class="a" width="40" height="20"/></svg>`,
	"editor's":  `<svg xmlns="http://www.w3.org/2000/svg" xmlns:e="urn:editor" viewBox="0 0 40 20"><metadata/><e:namedview e:zoom="2"/><polygon points="0,0 40,0 40,20 0,20" fill="#c81e28"/></svg>`,
	"clipped":   `<svg viewBox="0 0 40 20"><g clip-path="url(#c)"><rect width="40" height="20" fill="#c81e28"/></g><defs><clipPath id="c"><rect width="40" height="20" fill="white"/></clipPath></defs></svg>`,
	"half-seen": `<svg viewBox="0 0 40 20"><ellipse cx="20" cy="10" rx="300" ry="200" fill="#c81e28" opacity="1"/></svg>`,
}

func TestSVGsAreDrawn(t *testing.T) {
	for name, s := range svgs {
		t.Run(name, func(t *testing.T) {
			img := read(t, []byte(s))
			if got := img.Bounds(); got != image.Rect(0, 0, 1200, 600) {
				t.Errorf("bounds %v, want 1200 × 600", got)
			}
			if got := img.At(650, 300); !near(got, color.NRGBA{200, 30, 40, 255}) {
				t.Errorf("the colour is %v, want red", got)
			}
		})
	}
}

func TestSVGsKeepWhatIsNotDrawnClear(t *testing.T) {
	img := read(t, []byte(svgs["rect"]))
	for _, at := range []image.Point{{0, 0}, {1199, 599}, {290, 300}, {910, 300}} {
		if _, _, _, a := img.At(at.X, at.Y).RGBA(); a != 0 {
			t.Errorf("the picture has something at %v", at)
		}
	}
}

// badSVGs are refused, with a word of why.
var badSVGs = map[string]string{
	`<svg`:                                           "no picture",
	`<svg/>`:                                         "size",
	`<svg viewBox="0 0 0 0"/>`:                       "size",
	`<svg viewBox="0 0 NaN 5"/>`:                     "",
	`<svg width="NaN" height="4"/>`:                  "size",
	`<svg width="Inf" height="4"/>`:                  "size",
	`<svg width="1" height="500"/>`:                  "size",
	`<svg viewBox="0 0 4"/>`:                         "",
	`<html viewBox="0 0 4 4"></html>`:                "no picture",
	`<svg viewBox="0 0 4 4"><text>Logo</text></svg>`: "<text>",
	`<svg viewBox="0 0 4 4"><image href="https://example.org/a.png"/></svg>`:                              "<image>",
	`<svg viewBox="0 0 4 4"><script>alert(1)</script></svg>`:                                              "<script>",
	`<svg viewBox="0 0 4 4"><foreignObject/></svg>`:                                                       "<foreignObject>",
	`<svg viewBox="0 0 4 4"><defs><use id="a" href="#a"/></defs><use href="#a"/></svg>`:                   "<use>",
	`<svg viewBox="0 0 4 4" xmlns:e="urn:x"><e:use href="#a"/></svg>`:                                     "<use>",
	`<svg viewBox="0 0 4 4"><defs><defs/></defs></svg>`:                                                   "within",
	`<svg viewBox="0 0 4 4"><clipPath><rect width="4" height="4"/></clipPath></svg>`:                      "<clipPath>",
	`<svg viewBox="0 0 4 4"><path d="M0 0h4" stroke-dasharray="1 2"/></svg>`:                              "dashed",
	`<svg viewBox="0 0 4 4"><path d="M0 0h4" style="STROKE-DASHARRAY:1"/></svg>`:                          "dashed",
	`<svg viewBox="0 0 4 4"><style>.a{stroke-dasharray:none;stroke-dasharray:0.01}</style></svg>`:         "dashed",
	`<svg viewBox="0 0 4 4"><path d="M0 0L1e9 1e9" stroke="red"/></svg>`:                                  "outside",
	`<svg viewBox="0 0 4 4"><rect x="1e300" y="NaN" width="1e300" height="Inf"/></svg>`:                   "",
	`<!DOCTYPE svg [<!ENTITY a "x"><!ENTITY b "&a;&a;">]><svg viewBox="0 0 4 4"><title>&b;</title></svg>`: "no picture",
	`<svg viewBox="0 0 4 4">` + strings.Repeat("<g>", 200) + strings.Repeat("</g>", 200) + `</svg>`:       "complicated",
	`<svg viewBox="0 0 4 4">` + strings.Repeat("<g/>", 20_000) + `</svg>`:                                 "complicated",
	`<svg viewBox="0 0 4 4"><style>` + strings.Repeat(".a{fill:red}", 2_000) + `</style></svg>`:           "complicated",
	`<svg viewBox="0 0 4 4">` + strings.Repeat(`<stop/>`, 500) + `</svg>`:                                 "complicated",
	`<svg viewBox="0 0 4 4">` + strings.Repeat(`<rect width="4" height="4"/>`, 2_000) + `</svg>`:          "complicated",
}

// TestSVGsThatAreNotDrawnAreRefusedSoon: also those that are made to keep the server busy.
func TestSVGsThatAreNotDrawnAreRefusedSoon(t *testing.T) {
	for s, says := range badSVGs {
		began := time.Now()
		out, err := picture.Read([]byte(s))
		if !problem.Is(err, "not_a_picture") || !strings.Contains(err.Error(), says) {
			t.Errorf("Read(%.120s) = %d bytes, %v, want not_a_picture that says %q", s, len(out), err, says)
		}
		if took := time.Since(began); took > 20*time.Second { // a second or so on a quiet machine
			t.Errorf("Read(%.120s) took %v", s, took)
		}
	}
}

// TestManySmallShapesAreDrawn: what counts is the area, not the number.
func TestManySmallShapesAreDrawn(t *testing.T) {
	var b strings.Builder
	b.WriteString(`<svg viewBox="0 0 400 200"><rect width="400" height="200" fill="#c81e28"/>`)
	for n := range 5000 {
		fmt.Fprintf(&b, `<circle cx="%d" cy="%d" r="1" fill="#c81e28" stroke="#c81e28"/>`, n%400, n/400)
	}
	b.WriteString(`</svg>`)
	if got := read(t, []byte(b.String())).At(650, 300); !near(got, color.NRGBA{200, 30, 40, 255}) {
		t.Errorf("the colour is %v, want red", got)
	}
}
