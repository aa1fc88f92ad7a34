package picture

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/srwiley/oksvg"
	"github.com/srwiley/rasterx"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Bounds of an SVG. It has no pixels of its own, so it is drawn as large as wallets want anything.
const (
	svgSide     = 1200        // of the longer side, in pixels
	svgElements = 10_000      //
	svgDepth    = 100         // elements within elements
	svgStops    = 200         // of gradients, all together
	svgStyle    = 16_000      // bytes of style sheets
	svgAspect   = 100         // the longer side to the shorter
	svgWork     = 100_000_000 // see canvas
)

// drawn are the elements that the library draws, or that need no drawing. Of the others it draws nothing or something else, and a picture that lacks a part is worse
// than one that is refused. A use could name itself, which the library would follow until the stack ends.
var drawn = strings.Fields("svg g path rect circle ellipse line polyline polygon defs linearGradient radialGradient stop style title desc metadata")

// solid is a style without dashes, of which the library would draw as many as there are points on a line.
var solid = regexp.MustCompile(`(?i)stroke-dasharray\s*:\s*none`)

func looksLikeSVG(raw []byte) bool {
	return bytes.HasPrefix(bytes.TrimSpace(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))), []byte("<"))
}

// decodeSVG draws an SVG. Nothing that it names is fetched.
func decodeSVG(raw []byte) (img image.Image, err error) {
	if err := checkSVG(raw); err != nil {
		return nil, err
	}
	defer func() { // the library indexes what it was given without a look
		if r := recover(); r != nil {
			img, err = nil, notAPicture()
			if p, ok := r.(error); ok && problem.As(p) != nil {
				err = p
			}
		}
	}()
	icon, err := oksvg.ReadIconStream(bytes.NewReader(raw))
	if err != nil {
		return nil, notAPicture()
	}
	width, height, err := svgSize(icon.ViewBox.W, icon.ViewBox.H)
	if err != nil {
		return nil, err
	}
	icon.SetTarget(0, 0, float64(width), float64(height))
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	icon.Draw(rasterx.NewDasher(width, height, &canvas{out: out}), 1)
	return out, nil
}

func svgSize(w, h float64) (width, height int, err error) {
	if !(w > 0 && h > 0 && w < math.MaxInt32 && h < math.MaxInt32 && w/h <= svgAspect && h/w <= svgAspect) { // NaN is neither
		return 0, 0, badSVG("says no size, neither as viewBox nor as width and height")
	}
	scale := svgSide / max(w, h)
	return max(1, int(math.Round(w*scale))), max(1, int(math.Round(h*scale))), nil
}

// checkSVG goes through an SVG before the library does, which knows no bounds.
func checkSVG(raw []byte) error {
	d := xml.NewDecoder(bytes.NewReader(raw))
	var s sheet
	for {
		t, err := d.Token()
		switch {
		case errors.Is(err, io.EOF) && s.elements > 0:
			return nil
		case err != nil:
			return notAPicture()
		}
		switch t := t.(type) {
		case xml.StartElement:
			err = s.start(t)
		case xml.EndElement:
			s.end()
		case xml.CharData:
			err = s.text(string(t))
		}
		if err != nil {
			return err
		}
	}
}

// sheet is what checkSVG has seen so far.
type sheet struct {
	elements, stops, style int
	open                   []string
}

func (s *sheet) start(t xml.StartElement) error {
	name := t.Name.Local
	switch {
	case s.elements == 0 && name != "svg":
		return notAPicture()
	case name == "clipPath" && slices.Contains(s.open, "defs"): // kept and never drawn: in most files it only repeats the frame
	case !slices.Contains(drawn, name) && !s.foreign(t.Name):
		return badSVG("has a <%.40s>, which is not drawn here", name)
	case name == "defs" && slices.Contains(s.open, "defs"):
		return badSVG("has <defs> within <defs>")
	}
	s.elements++
	s.open = append(s.open, name)
	if name == "stop" {
		s.stops++
	}
	for _, a := range t.Attr {
		dashes := strings.EqualFold(a.Name.Local, "stroke-dasharray") && strings.TrimSpace(a.Value) != "none"
		if dashes || hasDashes(a.Value) {
			return badSVG("has dashed lines, which are not drawn here")
		}
	}
	if s.elements > svgElements || s.stops > svgStops || len(s.open) > svgDepth {
		return badSVG("is too complicated")
	}
	return nil
}

// foreign tells whether an element is of another vocabulary, such as what an editor notes for itself.
func (s *sheet) foreign(n xml.Name) bool {
	return n.Space != "" && n.Space != "http://www.w3.org/2000/svg" && n.Local != "use"
}

func (s *sheet) end() { s.open = s.open[:len(s.open)-1] }

func (s *sheet) text(t string) error {
	if len(s.open) == 0 || s.open[len(s.open)-1] != "style" {
		return nil
	}
	s.style += len(t)
	switch {
	case hasDashes(t):
		return badSVG("has dashed lines, which are not drawn here")
	case s.style > svgStyle:
		return badSVG("is too complicated")
	}
	return nil
}

func hasDashes(style string) bool {
	return strings.Contains(strings.ToLower(solid.ReplaceAllString(style, "")), "stroke-dasharray")
}

func badSVG(what string, args ...any) error {
	return problem.New(problem.Invalid, "not_a_picture", "The SVG "+what+"; save it as PNG and send that.", args...)
}
