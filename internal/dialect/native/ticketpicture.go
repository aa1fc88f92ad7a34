package native

import (
	"context"
	"net/http"

	"github.com/stagedoorhq/stagedoor/internal/qrcode"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// pictureRoutes show a ticket's code as a QR code.
func (a *API) pictureRoutes(tag, one string) {
	for _, p := range []struct {
		name, id, content string
		draw              func(c qrcode.Code, size int) ([]byte, error)
	}{
		{"qr.svg", "getTicketSVG", "image/svg+xml", func(c qrcode.Code, size int) ([]byte, error) { return c.SVG(size), nil }},
		{"qr.png", "getTicketPNG", "image/png", qrcode.Code.PNG},
	} {
		register[pictureInput, none](a, route{
			method: "GET", path: one + "/" + p.name, scope: scope.TicketsRead, open: true, id: p.id, tag: tag, content: p.content, errors: []int{409},
			summary: "See a ticket's code as a QR code", detail: "For the holder and the organisation. Of an event whose codes rotate, that of this moment.",
		}, func(ctx context.Context, in *pictureInput) (*reply, error) {
			c, err := a.picture(ctx, in)
			if err != nil {
				return nil, err
			}
			b, err := p.draw(c, in.Size)
			return &reply{Status: http.StatusOK, ContentType: p.content, Cache: "private, no-store", Body: b}, err
		})
	}
}

type pictureInput struct {
	TicketPath
	Size int `query:"size" minimum:"100" maximum:"2000" default:"400" doc:"Of each side, in pixels."`
}

func (a *API) picture(ctx context.Context, in *pictureInput) (qrcode.Code, error) {
	c := callOf(ctx)
	q := a.DB.Read(ctx)
	t, err := c.ticket(q, in.TicketID)
	switch {
	case err != nil:
		return qrcode.Code{}, err
	case !c.holds(t):
		return qrcode.Code{}, errNotHolder()
	}
	codes, err := a.Tickets.CodesOf(ctx, q, t, a.Now())
	if err != nil {
		return qrcode.Code{}, err
	}
	return qrcode.Ticket(codes.Text)
}
