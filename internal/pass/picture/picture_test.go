package picture_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"golang.org/x/image/tiff"

	"github.com/stagedoorhq/stagedoor/internal/pass/picture"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// red is a picture of one colour.
func red(width, height int) image.Image {
	img := image.NewPaletted(image.Rect(0, 0, width, height), color.Palette{color.NRGBA{200, 30, 40, 255}})
	return img
}

func encoded(t testing.TB, encode func(b *bytes.Buffer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func redPNG(t testing.TB, width, height int) []byte {
	return encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, red(width, height)) })
}

// redWebP is a red picture, which nothing of ours can write: lossless (VP8L), without transforms, each of its codes of one symbol, so that no pixel takes a bit.
func redWebP(width, height int) []byte {
	var bits []byte // one each, the lowest first
	put := func(value, n int) {
		for i := range n {
			bits = append(bits, byte(value>>i&1))
		}
	}
	put(width-1, 14)
	put(height-1, 14)
	put(0, 1+3)                                      // no alpha, version 0
	put(0, 1+1+1)                                    // no transform, no cache of colours, one set of codes
	for _, symbol := range []int{30, 200, 40, 255} { // green, red, blue, alpha
		put(1, 1) // a simple code
		put(0, 1) // of one symbol
		put(1, 1) // of eight bits
		put(symbol, 8)
	}
	put(1, 4) // and of distances, which there are none of
	body := []byte{0x2f}
	for len(bits)%8 > 0 {
		bits = append(bits, 0)
	}
	for i := 0; i < len(bits); i += 8 {
		var b byte
		for n, bit := range bits[i : i+8] {
			b |= bit << n
		}
		body = append(body, b)
	}
	if len(body)%2 == 1 {
		body = append(body, 0)
	}
	out := append([]byte("RIFF"), binary.LittleEndian.AppendUint32(nil, uint32(12+len(body)))...)
	out = append(out, "WEBPVP8L"...)
	return append(binary.LittleEndian.AppendUint32(out, uint32(len(body))), body...)
}

// read reads a picture and returns what became of it.
func read(t testing.TB, raw []byte) image.Image {
	t.Helper()
	out, err := picture.Read(raw)
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	img, err := png.Decode(bytes.NewReader(out))
	if err != nil {
		t.Fatalf("Read returned no PNG: %v", err)
	}
	return img
}

// near tells whether a pixel is about of a colour: JPEG is not exact.
func near(a, b color.Color) bool {
	ar, ag, ab, aa := a.RGBA()
	br, bg, bb, ba := b.RGBA()
	for _, d := range []int{int(ar) - int(br), int(ag) - int(bg), int(ab) - int(bb), int(aa) - int(ba)} {
		if d > 4000 || d < -4000 {
			return false
		}
	}
	return true
}

func TestPicturesOfAllKindsBecomePNG(t *testing.T) {
	for name, raw := range map[string][]byte{
		"PNG":  redPNG(t, 8, 4),
		"JPEG": encoded(t, func(b *bytes.Buffer) error { return jpeg.Encode(b, red(8, 4), nil) }),
		"GIF":  encoded(t, func(b *bytes.Buffer) error { return gif.Encode(b, red(8, 4), nil) }),
		"TIFF": encoded(t, func(b *bytes.Buffer) error { return tiff.Encode(b, red(8, 4), nil) }),
		"WebP": redWebP(8, 4),
	} {
		t.Run(name, func(t *testing.T) {
			img := read(t, raw)
			if got := img.Bounds(); got != image.Rect(0, 0, 8, 4) {
				t.Errorf("bounds %v, want 8 × 4", got)
			}
			if got := img.At(5, 2); !near(got, color.NRGBA{200, 30, 40, 255}) {
				t.Errorf("the colour is %v, want red", got)
			}
		})
	}
}

func TestLargePicturesAreMadeSmaller(t *testing.T) {
	if got := read(t, redPNG(t, 4000, 1000)).Bounds(); got != image.Rect(0, 0, 1600, 400) {
		t.Errorf("4000 × 1000 became %v, want 1600 × 400", got)
	}
	if got := read(t, redPNG(t, 1, 3000)).Bounds(); got != image.Rect(0, 0, 1, 1600) {
		t.Errorf("1 × 3000 became %v, want 1 × 1600", got)
	}
}

// TestWhatIsInAFileBesidesItsPixelsIsGone: where it was taken, who took it, and what a decoder on a phone might stumble over.
func TestWhatIsInAFileBesidesItsPixelsIsGone(t *testing.T) {
	raw := redPNG(t, 8, 4)
	secret := []byte("eXIfGPS 59.9127 N")
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(secret)-4))
	chunk = append(chunk, secret...)
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(secret))
	const afterHeader = 8 + 25
	raw = append(append(append([]byte{}, raw[:afterHeader]...), chunk...), append(raw[afterHeader:], "trailer"...)...)
	out, err := picture.Read(raw)
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	if bytes.Contains(out, []byte("GPS")) || bytes.Contains(out, []byte("trailer")) {
		t.Errorf("Read kept what was beside the pixels: %q", out)
	}
}

// claiming is a PNG whose header says a size, and that has no pixels.
func claiming(width, height uint32) []byte { return claimingDepth(width, height, 8) }

// claimingDepth is claiming with as many bits for each part of a colour.
func claimingDepth(width, height uint32, depth byte) []byte {
	head := []byte("IHDR")
	head = binary.BigEndian.AppendUint32(head, width)
	head = binary.BigEndian.AppendUint32(head, height)
	head = append(head, depth, 6, 0, 0, 0)
	out := append([]byte("\x89PNG\r\n\x1a\n"), 0, 0, 0, 13)
	return binary.BigEndian.AppendUint32(append(out, head...), crc32.ChecksumIEEE(head))
}

func TestPicturesThatAreNoneOrTooLargeAreRefused(t *testing.T) {
	whole := redPNG(t, 800, 400)
	for _, tt := range []struct {
		name, code string
		raw        []byte
	}{
		{"nothing", "not_a_picture", nil},
		{"text", "not_a_picture", []byte("hello")},
		{"HTML", "not_a_picture", []byte("<!doctype html><html><body>x</body></html>")},
		{"half a picture", "not_a_picture", whole[:len(whole)/2]},
		{"many bytes", "picture_too_large", make([]byte, picture.MaxBytes+1)},
		{"many pixels", "picture_too_large", claiming(5001, 5000)},
		{"many pixels of many bits", "picture_too_large", claimingDepth(5000, 5000, 16)},
		{"one long line", "picture_too_large", claiming(1, 30_001)},
		{"very many pixels", "picture_too_large", claiming(1<<20, 1<<20)},
		{"as many as are allowed, but not there", "not_a_picture", claiming(5000, 5000)},
	} {
		out, err := picture.Read(tt.raw)
		if !problem.Is(err, tt.code) || problem.As(err).Kind != problem.Invalid || out != nil {
			t.Errorf("%s: Read = %d bytes, %v, want %s", tt.name, len(out), err, tt.code)
		}
	}
}

func TestFit(t *testing.T) {
	half := image.NewNRGBA(image.Rect(0, 0, 400, 100)) // green, and red in the middle
	for x := range 400 {
		for y := range 100 {
			half.SetNRGBA(x, y, color.NRGBA{0, 160, 0, 255})
			if x >= 100 && x < 300 {
				half.SetNRGBA(x, y, color.NRGBA{200, 0, 0, 255})
			}
		}
	}
	raw := encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, half) })
	for _, tt := range []struct {
		width, height int
		fill          bool
		want          image.Point
		corner        color.NRGBA
	}{
		{200, 200, false, image.Pt(200, 50), color.NRGBA{0, 160, 0, 255}},
		{800, 800, false, image.Pt(400, 100), color.NRGBA{0, 160, 0, 255}}, // it does not grow
		{100, 50, true, image.Pt(100, 50), color.NRGBA{200, 0, 0, 255}},    // the middle
		{400, 200, true, image.Pt(400, 200), color.NRGBA{200, 0, 0, 255}},  // it does
		{87, 3, true, image.Pt(87, 3), color.NRGBA{0, 160, 0, 255}},
		{1, 1, false, image.Pt(1, 1), color.NRGBA{100, 80, 0, 255}},
	} {
		name := fmt.Sprintf("Fit(%d, %d, %v)", tt.width, tt.height, tt.fill)
		out, err := picture.Fit(raw, tt.width, tt.height, tt.fill)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		img, err := png.Decode(bytes.NewReader(out))
		if err != nil {
			t.Errorf("%s returned no PNG: %v", name, err)
			continue
		}
		if img.Bounds().Max != tt.want || !near(img.At(0, 0), tt.corner) {
			t.Errorf("%s is %v with %v in its corner, want %v with %v", name, img.Bounds().Max, img.At(0, 0), tt.want, tt.corner)
		}
	}
	if _, err := picture.Fit([]byte("no PNG"), 10, 10, false); err == nil {
		t.Error("Fit took what is no PNG")
	}
}

// FuzzRead: whatever comes in, a PNG within bounds or a problem comes out.
func FuzzRead(f *testing.F) {
	f.Add(redPNG(f, 3, 2))
	f.Add(encoded(f, func(b *bytes.Buffer) error { return jpeg.Encode(b, red(8, 4), nil) }))
	f.Add(encoded(f, func(b *bytes.Buffer) error { return gif.Encode(b, red(8, 4), nil) }))
	f.Add(encoded(f, func(b *bytes.Buffer) error { return tiff.Encode(b, red(8, 4), nil) }))
	f.Add(claiming(4000, 4000))
	f.Add(redWebP(8, 4))
	f.Add(quarters(f, 6, binary.LittleEndian))
	for _, s := range svgs {
		f.Add([]byte(s))
	}
	for s := range badSVGs {
		if len(s) < 200 { // the others keep it busy
			f.Add([]byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		out, err := picture.Read(raw)
		if err != nil {
			if p := problem.As(err); p == nil || p.Kind != problem.Invalid || strings.Contains(p.Detail, "%!") {
				t.Errorf("Read: %v, want a problem", err)
			}
			return
		}
		head, err := png.DecodeConfig(bytes.NewReader(out))
		if err != nil || head.Width < 1 || head.Height < 1 || head.Width > 1600 || head.Height > 1600 {
			t.Errorf("Read returned %+v, %v", head, err)
		}
	})
}
