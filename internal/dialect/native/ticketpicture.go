package native

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"strings"

	"github.com/boombuler/barcode/qr"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// pictureRoutes show a ticket's code as a QR code.
func (a *API) pictureRoutes(tag, one string) {
	for _, p := range []struct {
		name, id, content string
		draw              func(m modules, size int) ([]byte, error)
	}{
		{"qr.svg", "getTicketSVG", "image/svg+xml", modules.svg},
		{"qr.png", "getTicketPNG", "image/png", modules.png},
	} {
		register[pictureInput, none](a, route{
			method: "GET", path: one + "/" + p.name, scope: scope.TicketsRead, open: true, id: p.id, tag: tag, content: p.content, errors: []int{409},
			summary: "See a ticket's code as a QR code", detail: "For the holder and the organisation. Of an event whose codes rotate, that of this moment.",
		}, func(ctx context.Context, in *pictureInput) (*reply, error) {
			m, err := a.picture(ctx, in)
			if err != nil {
				return nil, err
			}
			b, err := p.draw(m, in.Size)
			return &reply{Status: http.StatusOK, ContentType: p.content, Cache: "private, no-store", Body: b}, err
		})
	}
}

type pictureInput struct {
	TicketPath
	Size int `query:"size" minimum:"100" maximum:"2000" default:"400" doc:"Of each side, in pixels."`
}

func (a *API) picture(ctx context.Context, in *pictureInput) (modules, error) {
	c := callOf(ctx)
	q := a.DB.Read(ctx)
	t, err := c.ticket(q, in.TicketID)
	switch {
	case err != nil:
		return modules{}, err
	case !c.holds(t):
		return modules{}, errNotHolder()
	}
	codes, err := a.Tickets.CodesOf(ctx, q, t, a.Now())
	if err != nil {
		return modules{}, err
	}
	// Version 6 for a static code, 7 for a rotating one: both fit just so in alphanumeric mode.
	drawn, err := qr.Encode(codes.Text, qr.M, qr.AlphaNumeric)
	if err != nil {
		return modules{}, fmt.Errorf("QR code of ticket %s: %w", t.ID, err)
	}
	return modules{drawn}, nil
}

// modules are a QR code, a pixel for each module.
type modules struct{ image.Image }

// quiet is how many modules around a QR code stay white (ISO/IEC 18004 §9.1).
const quiet = 4

func (m modules) n() int { return m.Bounds().Dx() }

func (m modules) dark(x, y int) bool {
	r, _, _, _ := m.At(x, y).RGBA()
	return r == 0
}

// svg draws with one path, a run of dark modules after the other.
func (m modules) svg(size int) ([]byte, error) {
	var path strings.Builder
	for y := range m.n() {
		for x := 0; x < m.n(); x++ {
			run := 0
			for x+run < m.n() && m.dark(x+run, y) {
				run++
			}
			if run > 0 {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", x+quiet, y+quiet, run, run)
				x += run
			}
		}
	}
	side := m.n() + 2*quiet
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" shape-rendering="crispEdges">`+
		`<path fill="#fff" d="M0 0h%dv%dH0z"/><path d="%s"/></svg>`, size, size, side, side, side, side, path.String()), nil
}

// png draws each module as the largest square of whole pixels that leaves room for the white around, in the middle.
func (m modules) png(size int) ([]byte, error) {
	pixels := size / (m.n() + 2*quiet)
	if pixels < 1 {
		return nil, problem.New(problem.Invalid, "too_small", "The QR code needs %d pixels on each side.", m.n()+2*quiet)
	}
	out := image.NewPaletted(image.Rect(0, 0, size, size), color.Palette{color.White, color.Black})
	margin := (size - m.n()*pixels) / 2
	for y := range m.n() * pixels {
		for x := range m.n() * pixels {
			if m.dark(x/pixels, y/pixels) {
				out.SetColorIndex(margin+x, margin+y, 1)
			}
		}
	}
	var b bytes.Buffer
	err := png.Encode(&b, out)
	return b.Bytes(), err
}
