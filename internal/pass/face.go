package pass

import (
	"context"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// Face is what a pass shows, whichever wallet shows it, as of one moment.
type Face struct {
	ID         id.Pass
	Serial     string
	Token      string // what devices prove to have the pass with (Apple's authenticationToken)
	Style      Style
	Org        string // its name
	OrgNo      int64
	Event      *event.Event // nil where the pass is of no ticket
	Ticket     *TicketFace  // the same
	Owner      string
	NFTs       []NFT
	Barcode    Barcode           // zero where there is none to show: the pass is void, or the code changes and the wallet cannot show it
	Design     Design            // the project's where the pass says nothing
	Images     map[string][]byte // PNG, by the names of [ImageKinds]; none where the wallet's own default is to be used
	ImageURLs  map[string]string // where the same pictures are to be had, for wallets that fetch them
	ExpiresAt  time.Time         // when it is over by date, the event's end included; zero for never
	Void       bool              // expired, or about to: its ticket is void or another's, or its event was deleted
	ModifiedAt time.Time
}

// Face puts together what a pass shows. baseURL is how the outside reaches the server, for the addresses of pictures.
func (b *Book) Face(ctx context.Context, q db.Querier, p *Pass, baseURL string, now time.Time) (Face, error) {
	f := Face{
		ID: p.ID, Serial: p.Serial, Style: p.Style, OrgNo: p.Org, Owner: p.Owner, NFTs: p.NFTs, ExpiresAt: p.ExpiresAt, Void: p.over(now), ModifiedAt: p.ModifiedAt,
	}
	o, err := org.ByNumber(q, p.Org)
	if err != nil {
		return Face{}, err
	}
	f.Org = o.Name
	if f.Token, err = b.token(p); err != nil {
		return Face{}, err
	}
	if err := f.dress(q, p, baseURL); err != nil {
		return Face{}, err
	}
	if f.Barcode, err = b.ownBarcode(p); err != nil {
		return Face{}, err
	}
	if p.TicketNo != 0 {
		if err := b.faceOfTicket(ctx, q, p, &f); err != nil {
			return Face{}, err
		}
	}
	if f.Void {
		f.Barcode = Barcode{}
	}
	return f, nil
}

// dress looks up how a pass looks.
func (f *Face) dress(q db.Querier, p *Pass, baseURL string) error {
	project, err := ProjectDesign(q, p.Org)
	if err != nil {
		return err
	}
	f.Design = p.Design.over(project)
	f.Images, f.ImageURLs = map[string][]byte{}, map[string]string{}
	for kind, hash := range f.Design.Images {
		png, err := ImageByHash(q, hash)
		if problem.Is(err, "image_not_found") {
			continue
		}
		if err != nil {
			return err
		}
		f.Images[kind], f.ImageURLs[kind] = png, baseURL+"/v0/images/"+hash
	}
	return nil
}

// faceOfTicket looks up what a pass shows of its ticket and event. To whoever had the ticket before, nothing is shown of whoever has it now.
func (b *Book) faceOfTicket(ctx context.Context, q db.Querier, p *Pass, f *Face) error {
	e, err := event.ByNo(q, p.Org, p.EventNo)
	if err != nil {
		return err
	}
	f.Event = &e
	if over := overAt(e); !over.IsZero() && (f.ExpiresAt.IsZero() || over.Before(f.ExpiresAt)) {
		f.ExpiresAt = over
	}
	t, err := ticket.ByID(q, p.Org, p.TicketID)
	if err != nil {
		return err
	}
	theirs := t.Generation == p.Generation
	f.Void = f.Void || !theirs || t.Validity == ticket.Void || e.Deleted()
	f.Ticket = &TicketFace{ID: t.ID, Section: t.Section, Row: t.Row, Seat: t.Seat, Place: t.Place, Places: t.Places}
	if theirs {
		f.Ticket.Holder = t.Holder.Name
		o, err := order.ByID(q, p.Org, t.OrderID)
		if err != nil {
			return err
		}
		f.Ticket.Order = o.Number
	}
	if f.Void || p.barcode != nil {
		return nil
	}
	f.Barcode, err = b.codeOf(ctx, q, p, t)
	return err
}

// codeOf is a ticket's code as the pass's wallet shows it; none where it changes and the wallet cannot show that, or the ticket has none yet.
func (b *Book) codeOf(ctx context.Context, q db.Querier, p *Pass, t ticket.Ticket) (Barcode, error) {
	code, err := b.tickets.WalletCode(ctx, q, t)
	if problem.Is(err, "ticket_without_code") {
		return Barcode{}, nil
	}
	if err != nil {
		return Barcode{}, err
	}
	c := Barcode{Format: QR, Message: code.Static, AltText: code.Short}
	if code.Step == 0 {
		return c, nil
	}
	if p.Platform == Apple {
		return Barcode{}, nil
	}
	c.Rotation = &Rotation{Secret: code.Secret, Step: code.Step}
	return c, nil
}

// TicketFace is what a pass shows of its ticket.
type TicketFace struct {
	ID      id.Ticket
	Section string
	Row     string
	Seat    string
	Holder  string // a name; may be empty
	Order   id.OrderNumber
	Place   int // of Places of the order
	Places  int
}

// Format is what a barcode looks like.
type Format string

// The formats that both wallets know.
const (
	QR     Format = "qr"
	PDF417 Format = "pdf417"
	Aztec  Format = "aztec"
)

// Barcode is what is scanned.
type Barcode struct {
	Format  Format
	Message string // what it says; Latin-1 is safe everywhere
	AltText string // what stands below it; may be empty
	// Rotation is set where the code changes as time goes by, which Google's wallet can show and Apple's cannot: Message is then the part that stays, and a
	// scanner sees Message, "-", the Unix time, "-" and the password (RFC 6238, SHA-1, 8 digits).
	Rotation *Rotation
}

// Rotation is how a code changes.
type Rotation struct {
	Secret []byte
	Step   time.Duration
}

// ImageKinds are the pictures that a pass can have.
func ImageKinds() []string { return []string{"icon", "logo", "strip", "thumbnail", "background"} }

// Design is how a pass looks. What is empty is as the project's design says, and then as the wallet's default. Its JSON is what is stored and what ethpass's
// clients send as "pass" for Apple.
type Design struct {
	Description     string            `json:"description,omitempty"`
	LogoText        string            `json:"logoText,omitempty"`
	LabelColor      string            `json:"labelColor,omitempty"` // rgb(r,g,b), 0 to 255 each
	BackgroundColor string            `json:"backgroundColor,omitempty"`
	ForegroundColor string            `json:"foregroundColor,omitempty"`
	Header          []Field           `json:"headerFields,omitempty"`
	Primary         []Field           `json:"primaryFields,omitempty"`
	Secondary       []Field           `json:"secondaryFields,omitempty"`
	Auxiliary       []Field           `json:"auxiliaryFields,omitempty"`
	Back            []Field           `json:"backFields,omitempty"`
	Messages        []Message         `json:"messages,omitempty"` // Google's
	RelevantAt      time.Time         `json:"relevantDate,omitzero"`
	Locations       []Location        `json:"locations,omitempty"` // at most 10
	Images          map[string]string `json:"images,omitempty"`    // the SHA-256 of pictures that were uploaded, by the names of [ImageKinds]
}

// Field is a label and a value on a pass.
type Field struct {
	Key           string `json:"key"`
	Label         string `json:"label,omitempty"`
	Value         string `json:"value"`
	TextAlignment string `json:"textAlignment,omitempty"` // PKTextAlignmentLeft, …Center, …Right, …Natural
	ChangeMessage string `json:"changeMessage,omitempty"` // shown when the value changes; %@ is the new one
}

// Message is a text that Google's wallet shows with a pass.
type Message struct {
	ID     string `json:"id,omitempty"`
	Header string `json:"header,omitempty"`
	Body   string `json:"body"`
}

// Location is where a pass becomes relevant, in degrees.
type Location struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
	Text      string  `json:"relevantText,omitempty"`
}
