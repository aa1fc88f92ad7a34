// Package picture takes in pictures that people upload for their passes, and has them in the sizes that wallets want. Whatever comes in (PNG, JPEG, WebP, GIF, TIFF or
// SVG, at most 2 MiB and 25 million pixels) is decoded and written anew as PNG, so nothing of a stranger's file reaches a phone.
//
// SVGs are drawn as far as shapes, colours and gradients go. One that has more (text, pictures, masks, dashed lines, references) is refused, and nothing that it names is
// fetched.
package picture

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	_ "image/gif" // decodes what people upload
	_ "image/jpeg"
	"image/png"
	"math"
	"sync"

	"golang.org/x/image/draw"
	_ "golang.org/x/image/tiff" // the same
	_ "golang.org/x/image/webp"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Bounds of what comes in, and of what is made of it.
const (
	MaxBytes  = 2 << 20    // of a picture that comes in
	maxPixels = 25_000_000 // of it, once it is decoded; half of that where a pixel takes eight bytes
	maxLength = 30_000     // of its sides
	maxSide   = 1600       // of what is stored, either way
)

// reading is held while a stranger's picture is decoded. A large one takes 350 MB for a moment, so there is one at a time.
var reading sync.Mutex

// Read decodes a picture and returns it as PNG, no larger than 1,600 pixels either way, and upright. Its errors are field-less problems of kind Invalid: not_a_picture,
// picture_too_large.
func Read(raw []byte) ([]byte, error) {
	if len(raw) > MaxBytes {
		return nil, problem.New(problem.Invalid, "picture_too_large", "The picture has %d bytes; send one of at most %d.", len(raw), MaxBytes)
	}
	reading.Lock()
	defer reading.Unlock()
	img, err := decode(raw)
	if err != nil {
		return nil, err
	}
	return encode(upright(within(img, maxSide, maxSide), orientation(raw)))
}

// Fit returns a PNG scaled down to fit into a size in pixels. Where fill is set it has exactly that size: it is scaled, up as well, until it covers all of it, and what
// sticks out is cut off evenly.
func Fit(png []byte, width, height int, fill bool) ([]byte, error) {
	img, err := decode(png)
	if err != nil {
		return nil, err
	}
	if fill {
		return encode(cover(img, width, height))
	}
	return encode(within(img, width, height))
}

// decode reads a picture after a look at how large it says it is.
func decode(raw []byte) (image.Image, error) {
	if looksLikeSVG(raw) {
		return decodeSVG(raw)
	}
	head, _, err := image.DecodeConfig(bytes.NewReader(raw))
	if err != nil {
		return nil, notAPicture()
	}
	if err := checkSize(head.Width, head.Height, head.ColorModel); err != nil {
		return nil, err
	}
	img, _, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		return nil, notAPicture()
	}
	b := img.Bounds()
	return img, checkSize(b.Dx(), b.Dy(), img.ColorModel()) // a header that lied is no reason to go on
}

func checkSize(width, height int, m color.Model) error {
	most := maxPixels
	if m == color.NRGBA64Model || m == color.RGBA64Model {
		most /= 2
	}
	switch {
	case width <= 0 || height <= 0:
		return notAPicture()
	case width > maxLength || height > maxLength || width > most/height:
		return problem.New(problem.Invalid, "picture_too_large", "The picture has %d × %d pixels; send one of at most %d million, and of at most %d each way.",
			width, height, most/1_000_000, maxLength)
	}
	return nil
}

func notAPicture() error {
	return problem.New(problem.Invalid, "not_a_picture", "That is no picture that can be read; send PNG, JPEG, WebP, GIF, TIFF or SVG.")
}

// within scales a picture down until it fits; one that does is left as it is.
func within(img image.Image, width, height int) image.Image {
	b := img.Bounds()
	scale := min(float64(width)/float64(b.Dx()), float64(height)/float64(b.Dy()))
	if scale >= 1 {
		return img
	}
	return scaled(img, b, max(1, int(math.Round(float64(b.Dx())*scale))), max(1, int(math.Round(float64(b.Dy())*scale))))
}

// cover scales the middle of a picture to a size.
func cover(img image.Image, width, height int) image.Image {
	b := img.Bounds()
	scale := max(float64(width)/float64(b.Dx()), float64(height)/float64(b.Dy()))
	w, h := min(b.Dx(), max(1, int(math.Round(float64(width)/scale)))), min(b.Dy(), max(1, int(math.Round(float64(height)/scale))))
	corner := b.Min.Add(image.Pt((b.Dx()-w)/2, (b.Dy()-h)/2))
	return scaled(img, image.Rectangle{Min: corner, Max: corner.Add(image.Pt(w, h))}, width, height)
}

func scaled(img image.Image, part image.Rectangle, width, height int) image.Image {
	out := image.NewNRGBA(image.Rect(0, 0, width, height))
	draw.CatmullRom.Scale(out, out.Bounds(), img, part, draw.Src, nil)
	return out
}

func encode(img image.Image) ([]byte, error) {
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return nil, fmt.Errorf("write PNG: %w", err)
	}
	return b.Bytes(), nil
}
