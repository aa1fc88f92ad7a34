package apple_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/pass"
)

// photo is a PNG with something in it.
func photo(t testing.TB, width, height int) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.SetNRGBA(x, y, color.NRGBA{uint8(x), uint8(y), uint8(x * y / 100), 255})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sizes are the pictures of a pass and how large they are.
func sizes(t *testing.T, files bundle) map[string]string {
	t.Helper()
	out := map[string]string{}
	for name, b := range files {
		if !strings.HasSuffix(name, ".png") {
			continue
		}
		img, err := png.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out[name] = img.Bounds().Max.String()
	}
	return out
}

func TestPicturesAreInThreeSizes(t *testing.T) {
	p := press(t)
	all := map[string][]byte{}
	for _, kind := range pass.ImageKinds() {
		all[kind] = photo(t, 1200, 900)
	}
	own := map[string]string{
		"icon.png": "(29,29)", "icon@2x.png": "(58,58)", "icon@3x.png": "(87,87)",
		"logo.png": "(50,50)", "logo@2x.png": "(100,100)", "logo@3x.png": "(150,150)",
	}
	given := map[string]string{
		"icon.png": "(29,29)", "icon@2x.png": "(58,58)", "icon@3x.png": "(87,87)",
		"logo.png": "(67,50)", "logo@2x.png": "(133,100)", "logo@3x.png": "(200,150)",
	}
	strip := map[string]string{"strip.png": "(375,98)", "strip@2x.png": "(750,196)", "strip@3x.png": "(1125,294)"}
	thumbnail := map[string]string{"thumbnail.png": "(90,68)", "thumbnail@2x.png": "(180,135)", "thumbnail@3x.png": "(270,203)"}
	background := map[string]string{"background.png": "(180,220)", "background@2x.png": "(360,440)", "background@3x.png": "(540,660)"}
	without := func(kind string) map[string][]byte {
		out := map[string][]byte{}
		for k, b := range all {
			if k != kind {
				out[k] = b
			}
		}
		return out
	}
	generic := member()
	generic.Images = all
	for name, tt := range map[string]struct {
		face pass.Face
		want []map[string]string
	}{
		"none":                   {concert(), []map[string]string{own}},
		"all":                    {with(func(f *pass.Face, _ *event.Event) { f.Images = all }), []map[string]string{given, strip}},
		"no strip":               {with(func(f *pass.Face, _ *event.Event) { f.Images = without("strip") }), []map[string]string{given, thumbnail, background}},
		"all, but of no ticket":  {generic, []map[string]string{given, thumbnail}},
		"none, and of no ticket": {member(), []map[string]string{own}},
	} {
		want := map[string]string{}
		for _, part := range tt.want {
			for k, v := range part {
				want[k] = v
			}
		}
		if diff := cmp.Diff(want, sizes(t, made(t, p, tt.face))); diff != "" {
			t.Errorf("%s: pictures (-want +got):\n%s", name, diff)
		}
	}
}

func TestOurLogoCanBeSeen(t *testing.T) {
	p := press(t)
	for _, tt := range []struct {
		design pass.Design
		want   color.NRGBA
	}{
		{pass.Design{}, color.NRGBA{255, 255, 255, 255}},
		{pass.Design{BackgroundColor: "rgb(250,240,200)"}, color.NRGBA{0, 0, 0, 255}},
		{pass.Design{BackgroundColor: "rgb(0,0,90)"}, color.NRGBA{255, 255, 255, 255}},
		{pass.Design{BackgroundColor: "rgb(0,0,90)", ForegroundColor: "rgb(200, 30, 40)"}, color.NRGBA{200, 30, 40, 255}},
		{pass.Design{LabelColor: "rgb(0,0,90)"}, color.NRGBA{0, 0, 0, 255}},
	} {
		f := concert()
		f.Design = tt.design
		img, err := png.Decode(bytes.NewReader(made(t, p, f)["logo@3x.png"]))
		if err != nil {
			t.Fatal(err)
		}
		if got := color.NRGBAModel.Convert(img.At(45, 75)); got != tt.want {
			t.Errorf("the logo on %+v is %v, want %v", tt.design, got, tt.want)
		}
		if _, _, _, a := img.At(0, 0).RGBA(); a != 0 {
			t.Errorf("the logo has a ground")
		}
	}
}

// TestPicturesAreKeptWithinBounds goes through more pictures than are kept, and meets the first one again.
func TestPicturesAreKeptWithinBounds(t *testing.T) {
	p := press(t)
	const most = 20_000
	p.Keep(most)
	icon := func(n int) []byte {
		f := concert()
		f.Images = map[string][]byte{"icon": photo(t, 30+n, 30)}
		return made(t, p, f)["icon@3x.png"]
	}
	first := slices.Clone(icon(0))
	for n := range 12 {
		icon(n)
		if kept := p.Kept(); kept > most || n > 5 && kept < most/2 {
			t.Errorf("after %d icons %d bytes are kept, want at most %d", n, kept, most)
		}
	}
	if !bytes.Equal(first, icon(0)) {
		t.Errorf("the picture that was made anew is another one")
	}
}

// TestPassesAreMadeAtOnce: many goroutines meet over the same pictures.
func TestPassesAreMadeAtOnce(t *testing.T) {
	p, logo := press(t), photo(t, 300, 100)
	want := made(t, press(t), with(func(f *pass.Face, _ *event.Event) { f.Images = map[string][]byte{"logo": logo} }))
	var all sync.WaitGroup
	for n := range 16 {
		all.Go(func() {
			f := concert()
			f.Images = map[string][]byte{"logo": logo}
			f.Serial = strconv.Itoa(n)
			got := made(t, p, f)
			if !bytes.Equal(got["logo@2x.png"], want["logo@2x.png"]) || !bytes.Contains(got["pass.json"], []byte(`"serialNumber":"`+f.Serial+`"`)) {
				t.Errorf("pass %d is not the one that was asked for", n)
			}
		})
	}
	all.Wait()
}

func TestAPictureThatIsNoneIsSaid(t *testing.T) {
	f := concert()
	f.Images = map[string][]byte{"logo": []byte("no PNG")}
	if b, err := press(t).Make(f, today); err == nil {
		t.Errorf("Make with a logo that is no picture made %d bytes", len(b))
	}
}
