// Package qrcode draws QR codes: of tickets, and of links that a phone is to open.
package qrcode

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strings"

	"github.com/boombuler/barcode/qr"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Code is a QR code.
type Code struct {
	modules image.Image // a pixel for each module
}

// Ticket makes the code of a ticket's code, which has the characters of alphanumeric mode only: version 6 for a static one, 7 for a rotating one, which both fit just so.
func Ticket(text string) (Code, error) { return encode(text, qr.AlphaNumeric) }

// Text makes the code of any text, such as a link. It fails for one of more than 2,331 bytes (ISO/IEC 18004, version 40-M).
func Text(text string) (Code, error) { return encode(text, qr.Auto) }

func encode(text string, mode qr.Encoding) (Code, error) {
	drawn, err := qr.Encode(text, qr.M, mode)
	if err != nil {
		return Code{}, fmt.Errorf("QR code: %w", err)
	}
	return Code{drawn}, nil
}

// quiet is how many modules around a QR code stay white (ISO/IEC 18004 §9.1).
const quiet = 4

func (c Code) n() int { return c.modules.Bounds().Dx() }

func (c Code) dark(x, y int) bool {
	r, _, _, _ := c.modules.At(x, y).RGBA()
	return r == 0
}

// SVG draws with one path, a run of dark modules after the other. The size is that of each side, in pixels.
func (c Code) SVG(size int) []byte {
	var path strings.Builder
	for y := range c.n() {
		for x := 0; x < c.n(); x++ {
			run := 0
			for x+run < c.n() && c.dark(x+run, y) {
				run++
			}
			if run > 0 {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", x+quiet, y+quiet, run, run)
				x += run
			}
		}
	}
	side := c.n() + 2*quiet
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" shape-rendering="crispEdges">`+
		`<path fill="#fff" d="M0 0h%dv%dH0z"/><path d="%s"/></svg>`, size, size, side, side, side, side, path.String())
}

// PNG draws each module as the largest square of whole pixels that leaves room for the white around, in the middle. It fails with too_small where there are fewer pixels than
// modules.
func (c Code) PNG(size int) ([]byte, error) {
	pixels := size / (c.n() + 2*quiet)
	if pixels < 1 {
		return nil, problem.New(problem.Invalid, "too_small", "The QR code needs %d pixels on each side.", c.n()+2*quiet)
	}
	out := image.NewPaletted(image.Rect(0, 0, size, size), color.Palette{color.White, color.Black})
	margin := (size - c.n()*pixels) / 2
	for y := range c.n() * pixels {
		for x := range c.n() * pixels {
			if c.dark(x/pixels, y/pixels) {
				out.SetColorIndex(margin+x, margin+y, 1)
			}
		}
	}
	var b bytes.Buffer
	err := png.Encode(&b, out)
	return b.Bytes(), err
}

// DataURI is the picture as a data: URL, for the src of an img.
func (c Code) DataURI(size int) string {
	return "data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(c.SVG(size))
}
