package picture

import (
	"image"
	"image/color"

	"github.com/srwiley/rasterx"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// canvas takes the lines of one shape after the other and fills them. It looks at what that will cost first: a file of two megabytes can ask for hours of work and
// for all of the memory. One unit of work is a pixel that is filled, or one that a line crosses, and takes some 15 nanoseconds.
//
// It is a [rasterx.Scanner], whose methods cannot fail, so it ends by a panic, which decodeSVG takes for the problem that it is.
type canvas struct {
	out    *image.RGBA
	points []point
	low    fixed.Point26_6
	high   fixed.Point26_6
	source image.Image
	price  int // of a pixel
	work   int
}

type point struct {
	fixed.Point26_6
	begins bool
}

const (
	reach    = 16 // how far outside of the frame lines may go, in its sizes
	gradient = 15 // the price of a pixel whose colour is worked out
	corner   = 20 // that of a point, which is kept until the shape is filled
)

// Start begins an outline.
func (c *canvas) Start(a fixed.Point26_6) { c.add(point{a, true}) }

// Line goes on with it.
func (c *canvas) Line(b fixed.Point26_6) { c.add(point{b, false}) }

func (c *canvas) add(p point) {
	far := fixed.I(reach * svgSide)
	if p.X < -far || p.X > far || p.Y < -far || p.Y > far {
		panic(badSVG("has lines far outside of its frame"))
	}
	if len(c.points) == 0 {
		c.low, c.high = p.Point26_6, p.Point26_6
	} else if last := c.points[len(c.points)-1]; !p.begins {
		c.spend(abs(p.X-last.X).Ceil() + abs(p.Y-last.Y).Ceil())
	}
	c.low = fixed.Point26_6{X: min(c.low.X, p.X), Y: min(c.low.Y, p.Y)}
	c.high = fixed.Point26_6{X: max(c.high.X, p.X), Y: max(c.high.Y, p.Y)}
	c.points = append(c.points, p)
	c.spend(corner)
}

// Draw fills the outlines with the colour.
func (c *canvas) Draw() {
	box := image.Rect(c.low.X.Floor(), c.low.Y.Floor(), c.high.X.Ceil(), c.high.Y.Ceil()).Intersect(c.out.Bounds())
	if len(c.points) == 0 || box.Empty() || c.source == nil {
		return
	}
	c.spend(box.Dx() * box.Dy() * c.price)
	r := vector.NewRasterizer(box.Dx(), box.Dy())
	for _, p := range c.points {
		x, y := float32(p.X)/64-float32(box.Min.X), float32(p.Y)/64-float32(box.Min.Y)
		if p.begins {
			r.MoveTo(x, y)
		} else {
			r.LineTo(x, y)
		}
	}
	r.Draw(c.out, box, c.source, box.Min)
}

func (c *canvas) spend(work int) {
	if c.work += work; c.work > svgWork {
		panic(badSVG("is too complicated"))
	}
}

// SetColor takes a colour or one that depends on the place.
func (c *canvas) SetColor(what any) {
	switch v := what.(type) {
	case color.Color:
		c.source, c.price = image.NewUniform(v), 1
	case rasterx.ColorFunc:
		c.source, c.price = shade{v, c.out.Bounds()}, gradient
	}
}

// GetPathExtent is the box around the outlines.
func (c *canvas) GetPathExtent() fixed.Rectangle26_6 {
	return fixed.Rectangle26_6{Min: c.low, Max: c.high}
}

// Clear forgets the outlines.
func (c *canvas) Clear() {
	c.points, c.low, c.high = c.points[:0], fixed.Point26_6{}, fixed.Point26_6{}
}

// SetBounds is nothing to do: the bounds are the picture's.
func (c *canvas) SetBounds(int, int) {}

// SetWinding is nothing to do: the rasterizer only knows the nonzero rule.
func (c *canvas) SetWinding(bool) {}

// SetClip is nothing to do: nobody calls it.
func (c *canvas) SetClip(image.Rectangle) {}

// shade is a gradient as a picture.
type shade struct {
	at     rasterx.ColorFunc
	bounds image.Rectangle
}

// ColorModel is that of [shade.At].
func (s shade) ColorModel() color.Model { return color.RGBAModel }

// Bounds are the whole picture's.
func (s shade) Bounds() image.Rectangle { return s.bounds }

// At is the colour of a place.
func (s shade) At(x, y int) color.Color { return s.at(x, y) }

func abs(x fixed.Int26_6) fixed.Int26_6 { return max(x, -x) }
