package qrcode_test

import (
	"bytes"
	"encoding/base64"
	"image/png"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/qrcode"
)

// TestPicturesHaveTheirSizeAndTheWhiteAround: version 1 has 21 modules, and four around are white; the first dark one is that of the finder at the corner.
func TestPicturesHaveTheirSizeAndTheWhiteAround(t *testing.T) {
	c, err := qrcode.Ticket("SD1")
	if err != nil {
		t.Fatal(err)
	}
	drawn, err := c.PNG(290)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(drawn))
	if err != nil || picture.Bounds().Dx() != 290 || picture.Bounds().Dy() != 290 {
		t.Fatalf("the picture is %v, %v", picture.Bounds(), err)
	}
	for at, dark := range map[int]bool{0: false, 39: false, 40: true, 49: true, 249: true, 250: false} {
		if r, _, _, _ := picture.At(at, 40).RGBA(); (r == 0) != dark {
			t.Errorf("pixel %d of row 40 is dark: %v, want %v", at, r == 0, dark)
		}
	}
	if _, err := c.PNG(28); !problem.Is(err, "too_small") {
		t.Errorf("PNG(28) = %v, want too_small: there are 29 modules", err)
	}
	svg, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(c.DataURI(290), "data:image/svg+xml;base64,"))
	if err != nil || !bytes.Equal(svg, c.SVG(290)) || !strings.Contains(string(svg), `viewBox="0 0 29 29"`) || !strings.Contains(string(svg), "M4 4h7v1h-7z") {
		t.Errorf("the data: URL has %s, %v", svg, err)
	}
}

func TestAnyTextIsDrawnAsFarAsItFits(t *testing.T) {
	if _, err := qrcode.Text("https://stage.example.com/door#pair=sdd_abc"); err != nil {
		t.Errorf("Text of a link: %v", err)
	}
	if _, err := qrcode.Text(strings.Repeat("é", 2_000)); err == nil {
		t.Error("Text of 4,000 bytes is drawn")
	}
	if _, err := qrcode.Ticket("lower case"); err == nil {
		t.Error("Ticket takes what alphanumeric mode does not have")
	}
}
