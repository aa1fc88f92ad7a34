package apple

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"

	"github.com/stagedoorhq/stagedoor/internal/pass"
)

// The colours of passes that say nothing about theirs.
const (
	paperColour = "rgb(38,33,53)"
	inkColour   = "rgb(255,255,255)"
	labelColour = "rgb(232,190,120)"
)

// colours are a design's. Ours come all together or not at all: one of them beside somebody else's might be unreadable.
func colours(d pass.Design) (foreground, background, label string) {
	if d.ForegroundColor == "" && d.BackgroundColor == "" && d.LabelColor == "" {
		return inkColour, paperColour, labelColour
	}
	return d.ForegroundColor, d.BackgroundColor, d.LabelColor
}

// ink is the colour that can be seen on a pass: the foreground's, else black or white, whichever is farther from the background.
func ink(d pass.Design) string {
	foreground, background, _ := colours(d)
	if foreground != "" || background == "" {
		return or(foreground, "rgb(0,0,0)")
	}
	if c := rgb(background); int(c.R)*299+int(c.G)*587+int(c.B)*114 > 128_000 {
		return "rgb(0,0,0)"
	}
	return inkColour
}

// rgb reads a colour as pass.json has it; black where it is none.
func rgb(text string) color.NRGBA {
	c := color.NRGBA{A: 255}
	_, _ = fmt.Sscanf(text, "rgb(%d,%d,%d)", &c.R, &c.G, &c.B) // what was not read stays black
	return c
}

// art draws our own pictures, which are square: a ticket, upright with a door in it. The icon is white on a ground; the logo has the pass's ink and no ground.
func art(kind string, size int, foreground string) ([]byte, error) {
	paper, front := color.NRGBA{}, rgb(foreground)
	if kind == "icon" {
		paper, front = rgb(paperColour), rgb(labelColour)
	}
	img := image.NewNRGBA(image.Rect(0, 0, size, size))
	for y := range size {
		for x := range size {
			img.SetNRGBA(x, y, mixed(paper, front, covered(x, y, size)))
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return nil, fmt.Errorf("draw the %s: %w", kind, err)
	}
	return b.Bytes(), nil
}

// covered is how much of a pixel the ticket covers, from 0 to 1.
func covered(x, y, size int) float64 {
	const fine = 4 // points a pixel, each way
	n := 0
	for i := range fine * fine {
		px := (float64(x) + (float64(i%fine)+0.5)/fine) / float64(size)
		py := (float64(y) + (float64(i/fine)+0.5)/fine) / float64(size)
		if onTicket(px, py) {
			n++
		}
	}
	return float64(n) / (fine * fine)
}

// onTicket tells whether a point of the unit square is on the ticket: a sheet with round corners, a bite out of each side, and a doorway with a knob's worth of light.
func onTicket(x, y float64) bool {
	const left, right, top, bottom, round = 0.22, 0.78, 0.12, 0.88, 0.07
	dx := max(left+round-x, x-(right-round), 0)
	dy := max(top+round-y, y-(bottom-round), 0)
	sheet := x >= left && x <= right && y >= top && y <= bottom && math.Hypot(dx, dy) <= round
	bite := math.Hypot(x-left, y-0.5) < 0.075 || math.Hypot(x-right, y-0.5) < 0.075
	arch := y >= 0.36 && math.Abs(x-0.5) <= 0.12 || math.Hypot(x-0.5, y-0.36) <= 0.12
	door := arch && y <= 0.74
	knob := math.Hypot(x-0.56, y-0.54) <= 0.028
	return sheet && !bite && (!door || knob)
}

// mixed lays a share of one colour over another.
func mixed(under, over color.NRGBA, share float64) color.NRGBA {
	if under.A == 0 {
		over.A = uint8(math.Round(share * 255))
		return over
	}
	mix := func(a, b uint8) uint8 { return uint8(math.Round(float64(a) + (float64(b)-float64(a))*share)) }
	return color.NRGBA{mix(under.R, over.R), mix(under.G, over.G), mix(under.B, over.B), 255}
}
