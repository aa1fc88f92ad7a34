package picture_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"testing"
)

// quarters is a JPEG of four colours, with an Exif that says how it is to be turned.
func quarters(t testing.TB, orientation uint16, order binary.AppendByteOrder) []byte {
	img := image.NewNRGBA(image.Rect(0, 0, 64, 32))
	for y := range 32 {
		for x := range 64 {
			img.Set(x, y, colours[y/16*2+x/32])
		}
	}
	raw := encoded(t, func(b *bytes.Buffer) error { return jpeg.Encode(b, img, &jpeg.Options{Quality: 95}) })
	tiff := []byte("MM")
	if order == binary.AppendByteOrder(binary.LittleEndian) {
		tiff = []byte("II")
	}
	tiff = order.AppendUint32(order.AppendUint16(tiff, 42), 8)
	tiff = order.AppendUint16(tiff, 2)
	for _, entry := range [][2]uint16{{256, 64}, {274, orientation}} {
		tiff = order.AppendUint32(order.AppendUint16(order.AppendUint16(tiff, entry[0]), 3), 1)
		tiff = append(order.AppendUint16(tiff, entry[1]), 0, 0)
	}
	exif := append([]byte("Exif\x00\x00"), tiff...)
	out := append([]byte{0xff, 0xd8, 0xff, 0xe1}, binary.BigEndian.AppendUint16(nil, uint16(2+len(exif)))...)
	return append(append(out, exif...), raw[2:]...)
}

// colours are those of the quarters: left and right above, then below.
var colours = []color.NRGBA{{200, 0, 0, 255}, {0, 160, 0, 255}, {0, 0, 200, 255}, {240, 240, 240, 255}}

func TestPhotosStandUpright(t *testing.T) {
	const a, b, c, d = 0, 1, 2, 3 // above left, above right, below left, below right
	for orientation, want := range map[uint16][4]int{
		0: {a, b, c, d}, 1: {a, b, c, d}, 2: {b, a, d, c}, 3: {d, c, b, a}, 4: {c, d, a, b},
		5: {a, c, b, d}, 6: {c, a, d, b}, 7: {d, b, c, a}, 8: {b, d, a, c}, 9: {a, b, c, d},
	} {
		for _, order := range []binary.AppendByteOrder{binary.BigEndian, binary.LittleEndian} {
			img := read(t, quarters(t, orientation, order))
			size := image.Pt(64, 32)
			if orientation >= 5 && orientation <= 8 {
				size = image.Pt(32, 64)
			}
			if img.Bounds().Max != size {
				t.Errorf("orientation %d: %v, want %v", orientation, img.Bounds().Max, size)
			}
			for n, colour := range want {
				x, y := size.X/4+n%2*size.X/2, size.Y/4+n/2*size.Y/2
				if got := img.At(x, y); !near(got, colours[colour]) {
					t.Errorf("orientation %d, %v: quarter %d is %v, want %v", orientation, order, n, got, colours[colour])
				}
			}
		}
	}
}
