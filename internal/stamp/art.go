package stamp

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What art has at most.
const (
	maxArtURL   = 2_000  // bytes of an https URL
	maxArtData  = 16_384 // bytes of a data: URL, as it is written
	maxArtSide  = 2_048  // pixels of a PNG
	maxArtDepth = 32     // elements within elements of an SVG
)

var errArt = errors.New("art is an https URL of at most 2,000 bytes, or a data: URL with an image/png or image/svg+xml of at most 16,384 bytes")

// checkArt tells what is wrong with art. It is shown by others, in pages of theirs, so a picture is a picture: an SVG has shapes, colours and text,
// and neither scripts, nor styles, nor anything that is fetched from elsewhere.
func checkArt(art string) error {
	switch {
	case art == "":
		return nil
	case strings.HasPrefix(art, "data:"):
		return checkData(art)
	}
	u, err := url.Parse(art)
	if err != nil || len(art) > maxArtURL || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || !utf8.ValidString(art) ||
		strings.ContainsFunc(art, func(r rune) bool {
			return unicode.IsControl(r) || unicode.IsSpace(r) || strings.ContainsRune(`"'<>\`, r)
		}) {
		return errArt
	}
	return nil
}

func checkData(art string) error {
	if len(art) > maxArtData {
		return errArt
	}
	head, body, ok := strings.Cut(strings.TrimPrefix(art, "data:"), ",")
	if !ok {
		return errArt
	}
	kind, coding, _ := strings.Cut(head, ";")
	var raw []byte
	var err error
	switch coding {
	case "base64":
		raw, err = base64.StdEncoding.Strict().DecodeString(body)
	case "", "utf8", "charset=utf-8":
		var text string
		text, err = url.PathUnescape(body)
		raw = []byte(text)
		if strings.ContainsFunc(body, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"'<>\`, r) }) {
			return errors.New("art that is not in base64 is percent-encoded: write < as %3C, and so on")
		}
	default:
		return errArt
	}
	switch {
	case err != nil:
		return errors.New("art is a data: URL whose data cannot be decoded")
	case kind == "image/png" && coding == "base64":
		return checkPNG(raw)
	case kind == "image/svg+xml":
		return checkSVG(raw)
	}
	return errArt
}

func checkPNG(raw []byte) error {
	c, err := png.DecodeConfig(bytes.NewReader(raw))
	if err != nil {
		return errors.New("art is no PNG")
	}
	if c.Width > maxArtSide || c.Height > maxArtSide {
		return errors.New("art has 2,048 pixels on each side at most")
	}
	return nil
}

// shapes are the elements that an SVG may have.
var shapes = map[string]bool{
	"svg": true, "g": true, "defs": true, "symbol": true, "use": true, "title": true, "desc": true, "path": true, "rect": true, "circle": true, "ellipse": true,
	"line": true, "polyline": true, "polygon": true, "text": true, "tspan": true, "linearGradient": true, "radialGradient": true, "stop": true,
	"clipPath": true, "mask": true, "pattern": true, "marker": true,
}

func checkSVG(raw []byte) error {
	if !utf8.Valid(raw) || bytes.IndexByte(raw, 0) >= 0 {
		return errors.New("art is no SVG in UTF-8")
	}
	d := xml.NewDecoder(bytes.NewReader(raw))
	depth, roots := 0, 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && roots == 1 {
			return nil
		}
		if err != nil {
			return errors.New("art is no SVG: it is not well-formed XML")
		}
		switch t := token.(type) {
		case xml.Directive:
			return errors.New("art is an SVG without DOCTYPE and entities")
		case xml.ProcInst:
			if t.Target != "xml" {
				return errors.New("art is an SVG without processing instructions")
			}
		case xml.StartElement:
			if depth == 0 {
				roots++
			}
			if depth++; depth > maxArtDepth || roots > 1 {
				return errors.New("art is one SVG with elements at most 32 deep")
			}
			if (depth == 1) != (t.Name.Local == "svg") {
				return errors.New("art is an SVG: it begins with svg, and has none within")
			}
			if err := checkElement(t); err != nil {
				return err
			}
		case xml.EndElement:
			depth--
		}
	}
}

const svgSpace = "http://www.w3.org/2000/svg"

func checkElement(e xml.StartElement) error {
	if e.Name.Space != svgSpace || !shapes[e.Name.Local] {
		return errors.New("art is an SVG of shapes, gradients and text in the namespace of SVG; the element " + name(e.Name) + " is not taken")
	}
	for _, a := range e.Attr {
		value := strings.ToLower(strings.Join(strings.Fields(a.Value), ""))
		lower := strings.ToLower(a.Name.Local)
		switch {
		case strings.HasPrefix(lower, "on"), lower == "style", lower == "base", strings.Contains(value, "script:"), strings.Contains(value, `\`):
			return errors.New("art is an SVG without styles and scripts; the attribute " + name(a.Name) + " is not taken")
		case lower == "href" && !strings.HasPrefix(value, "#"), strings.Count(value, "url(") != strings.Count(value, "url(#"):
			return errors.New("art is an SVG that refers to nothing but itself; the attribute " + name(a.Name) + " is not taken")
		}
	}
	return nil
}

// name is what something is called, as far as it is repeated.
func name(n xml.Name) string {
	const most = 40
	return strings.ToValidUTF8(n.Local[:min(len(n.Local), most)], "")
}
