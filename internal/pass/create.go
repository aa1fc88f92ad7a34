package pass

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/evm"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// Input is what a pass is made from. Of Ticket and Barcode one is needed.
type Input struct {
	Platform   Platform
	Ticket     id.Ticket      // whose code, event and seat it shows; "" for none
	Holder     person.Address // not empty: the ticket has to be this person's, else ticket_not_found
	ExternalID string         // at most 200 characters
	Owner      string         // a wallet's address (EIP-55); "" for none
	Chain      string         // "evm", with Owner or NFTs
	Network    string         // the chain's number in decimal, with Owner or NFTs
	NFTs       []NFT          // at most 50
	Verified   bool           // the owner signed for it
	Once       []Once         // what this uses up
	Barcode    *Barcode       // nil for the ticket's own code; its Rotation is not read
	Design     Design
	ExpiresAt  time.Time // zero for no date of its own
}

// Bounds of what is given.
const (
	maxNFTs     = 50
	maxExternal = 200
	maxMessage  = 2_000 // bytes; what a QR code holds, and a little less
)

// Create makes a pass and appends pass.created. It fails with field errors, ticket_not_found, ticket_without_code, rotating_codes (409) for Apple where the event's
// codes rotate, too_many_passes (429) where the ticket has [MaxOfTicket] already, and already_used.
func (b *Book) Create(tx *db.Tx, org int64, in Input) (*Pass, error) {
	p := &Pass{
		ID: id.NewPass(), Org: org, Platform: in.Platform, Style: Generic, Serial: newSerial(), Verified: in.Verified, Version: 1,
		CreatedAt: tx.Now(), UpdatedAt: tx.Now(), ModifiedAt: tx.Now().Truncate(time.Second),
	}
	if err := p.fill(tx, in); err != nil {
		return nil, err
	}
	code := ""
	if in.Ticket != "" {
		var err error
		if code, err = b.ofTicket(tx, p, in); err != nil {
			return nil, err
		}
	}
	for _, o := range in.Once {
		if err := b.Use(tx, org, o); err != nil {
			return nil, err
		}
	}
	var mac []byte
	if in.Barcode != nil {
		var err error
		if mac, err = b.setBarcode(p, *in.Barcode); err != nil {
			return nil, err
		}
		code = in.Barcode.Message
	}
	if err := b.sign(tx, p, code); err != nil {
		return nil, err
	}
	p.token = b.keys.Seal([]byte(newToken()), sealedToken(p.ID))
	if err := insert(tx, p, mac); err != nil {
		return nil, err
	}
	return p, b.tell(tx, fact.PassCreated, "", p)
}

// fill checks the input and puts what it says into the pass, but for ticket and barcode.
func (p *Pass) fill(tx *db.Tx, in Input) error {
	var f problem.Fields
	if p.Platform != Apple && p.Platform != Google {
		f.Add("/platform", "invalid", "Use apple or google.")
	}
	if in.Ticket == "" && in.Barcode == nil {
		f.Add("/barcode", "required", "Give a ticket, or say what the barcode is to say.")
	}
	if in.Barcode != nil {
		in.Barcode.check(&f, "/barcode")
	}
	p.ExternalID = external(&f, in.ExternalID)
	p.fillHolding(&f, in)
	p.Design = in.Design
	p.Design.check(&f, "/design")
	p.ExpiresAt = date(&f, in.ExpiresAt, p.CreatedAt)
	if err := f.Err(); err != nil {
		return err
	}
	return p.Design.checkImages(tx, p.Org, "/design")
}

var (
	networkForm   = regexp.MustCompile(`^[1-9][0-9]{0,19}$`)
	interfaceForm = regexp.MustCompile(`^0x[0-9a-f]{8}$`)
	tokenForm     = regexp.MustCompile(`^(0|[1-9][0-9]{0,77})$`)
)

// fillHolding checks whose pass it is and what that wallet has to hold.
func (p *Pass) fillHolding(f *problem.Fields, in Input) {
	p.NFTs = []NFT{}
	if in.Owner == "" && len(in.NFTs) == 0 {
		return
	}
	if in.Chain != "evm" {
		f.Add("/chain", "invalid", "Use evm; other chains are not known here.")
	}
	if !networkForm.MatchString(in.Network) {
		f.Add("/network", "invalid", "Give the chain's number in decimal, such as 1 for Ethereum.")
	}
	p.Chain, p.Network = in.Chain, in.Network
	if in.Owner != "" {
		p.Owner = address(f, "/owner", in.Owner)
	}
	if len(in.NFTs) > maxNFTs {
		f.Add("/nfts", "too_many", "A pass is for %d assets at most.", maxNFTs)
		return
	}
	for i, n := range in.NFTs {
		at := fmt.Sprintf("/nfts/%d", i)
		n.Contract = address(f, at+"/contractAddress", n.Contract)
		if n.Interface = strings.ToLower(n.Interface); !interfaceForm.MatchString(n.Interface) {
			f.Add(at+"/contractInterface", "invalid", "Give an interface's id (ERC-165): 0x and 8 hexadecimal digits, such as 0x80ac58cd for ERC-721.")
		}
		if token, ok := new(big.Int).SetString(n.TokenID, 10); !tokenForm.MatchString(n.TokenID) || !ok || token.BitLen() > 256 {
			f.Add(at+"/tokenId", "invalid", "Give a whole number below 2^256 in decimal, as text.")
		}
		p.NFTs = append(p.NFTs, n)
	}
	if p.Owner != "" && len(p.NFTs) > 0 {
		p.checked = p.CreatedAt // whoever makes the pass has asked, or trusts
	}
}

// address is an address with its checksum.
func address(f *problem.Fields, at, text string) string {
	a, err := evm.ParseAddress(text)
	if err != nil {
		f.Add(at, "invalid", "Give an address: 0x and 40 hexadecimal digits, in one case or with its checksum (EIP-55).")
		return ""
	}
	return a.String()
}

// external checks an organisation's own name for a pass.
func external(f *problem.Fields, name string) string {
	if !isLine(name, maxExternal) {
		f.Add("/externalId", "invalid", "Give at most %d characters on one line.", maxExternal)
	}
	return name
}

// date checks when a pass is to expire; zero for never.
func date(f *problem.Fields, at, now time.Time) time.Time {
	at = at.UTC().Truncate(time.Microsecond)
	if !at.IsZero() && (!at.After(now) || at.Year() > 9999) {
		f.Add("/expiresAt", "out_of_range", "Give a date that is still to come; a pass that is to end now is expired.")
	}
	return at
}

// isLine tells whether a text is at most so many characters on one line.
func isLine(s string, most int) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= most && !strings.ContainsFunc(s, unicode.IsControl)
}

// ofTicket makes the pass that of a ticket, which others do not change until the transaction ends, and returns the ticket's code.
func (b *Book) ofTicket(tx *db.Tx, p *Pass, in Input) (code string, err error) {
	found, err := ticket.Lock(tx, p.Org, in.Ticket)
	if err != nil {
		return "", err
	}
	if len(found) == 0 || in.Holder != "" && !in.Holder.Is(found[0].Holder.Email) {
		return "", problem.New(problem.NotFound, "ticket_not_found", "There is no such ticket here.")
	}
	t := found[0]
	if err := room(tx, t, p.Platform); err != nil {
		return "", err
	}
	is, err := b.tickets.WalletCode(context.Background(), tx, t) // in the transaction, which waits for nobody
	if err != nil {
		return "", err
	}
	if is.Step > 0 && p.Platform == Apple && in.Barcode == nil {
		return "", problem.New(problem.Conflict, "rotating_codes",
			"The codes of this event change as time goes by, which Apple's wallet cannot show; make a pass for Google's wallet, or stop the rotation.")
	}
	e, err := event.ByID(tx, p.Org, t.EventID)
	if err != nil {
		return "", err
	}
	p.Style, p.TicketNo, p.TicketID, p.Generation, p.EventNo, p.EventID, p.overAt = EventTicket, t.No, t.ID, t.Generation, t.EventNo, t.EventID, overAt(e)
	return is.Static, nil
}

// room fails with too_many_passes where a ticket, which the transaction has locked, has all the passes that it may have. Those of holders before do not count: they
// are about to expire.
func room(tx *db.Tx, t ticket.Ticket, platform Platform) error {
	n, err := db.One(tx, db.Value[int], countOfTicket, t.No, platform, t.Generation)
	if err != nil {
		return fmt.Errorf("count passes of ticket %s: %w", t.ID, err)
	}
	if n >= MaxOfTicket {
		return problem.New(problem.TooMany, "too_many_passes", "The ticket has %d passes for this wallet, which is the most; use one of them, or expire one first.", n)
	}
	return nil
}

const countOfTicket = `SELECT count(*) FROM passes p WHERE p.ticket_no = $1 AND p.ticket_no <> 0 AND p.expired_at IS NULL AND p.platform = $2 AND p.generation = $3`

// check notes what is wrong with a barcode.
func (c *Barcode) check(f *problem.Fields, at string) {
	if c.Format != "" && c.Format != QR && c.Format != PDF417 && c.Format != Aztec {
		f.Add(at+"/format", "invalid", "Use qr, pdf417 or aztec.")
	}
	if c.Message == "" || len(c.Message) > maxMessage || !utf8.ValidString(c.Message) {
		f.Add(at+"/message", "out_of_range", "Give 1 to %d bytes of UTF-8.", maxMessage)
	}
	if strings.TrimSpace(c.Message) != c.Message {
		f.Add(at+"/message", "invalid", "Give a message without white space or line ends around it: scanners send their own line end behind what they read, which is left out.")
	}
	if !isLine(c.AltText, maxLine) {
		f.Add(at+"/altText", "too_long", "Give at most %d characters on one line.", maxLine)
	}
}

// keptBarcode is what is sealed of a barcode.
type keptBarcode struct {
	Format  Format `json:"format"`
	Message string `json:"message"`
	AltText string `json:"altText,omitempty"`
}

// setBarcode gives a pass a barcode of its own, and returns what a scan finds it by.
func (b *Book) setBarcode(p *Pass, c Barcode) (mac []byte, err error) {
	if c.Format == "" {
		c.Format = QR
	}
	plain, err := json.Marshal(keptBarcode{c.Format, c.Message, c.AltText})
	if err != nil {
		return nil, err
	}
	p.barcode = b.keys.Seal(plain, sealedBarcode(p.ID))
	return b.barcodeMAC(p.Org, c.Message), nil
}

// ownBarcode is the barcode that a pass was given, and none where it shows its ticket's code.
func (b *Book) ownBarcode(p *Pass) (Barcode, error) {
	if p.barcode == nil {
		return Barcode{}, nil
	}
	plain, err := b.keys.Open(p.barcode, sealedBarcode(p.ID))
	if err != nil {
		return Barcode{}, fmt.Errorf("barcode of pass %s: %w", p.ID, err)
	}
	var c keptBarcode
	err = json.Unmarshal(plain, &c)
	return Barcode{Format: c.Format, Message: c.Message, AltText: c.AltText}, err
}

// barcodeMAC is what the barcodes of an organisation are found by: whoever reads the table cannot guess what they say.
func (b *Book) barcodeMAC(org int64, message string) []byte {
	return b.keys.MAC(fmt.Appendf(nil, "pass barcode %d\x00%s", org, message))
}

// Once is something that counts once: using it again is the problem already_used (409).
type Once struct {
	What  string    // proof, signature or callback
	Value []byte    // kept as a keyed hash: who owns what cannot be guessed from it
	Until time.Time // from then on it need not be remembered
}

// Use notes something that counts once, by itself; already_used (409).
func (b *Book) Use(tx *db.Tx, org int64, o Once) error {
	n, err := tx.Exec(`INSERT INTO pass_once (org_id, what, hash, until) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`, org, o.What,
		b.keys.MAC(fmt.Appendf(nil, "pass once %s\x00%s", o.What, o.Value)), o.Until.UnixMicro())
	if err != nil {
		return fmt.Errorf("note what counts once: %w", err)
	}
	if n == 0 {
		return problem.New(problem.Conflict, "already_used", "This %s was used before and counts once; make a new one.", o.What)
	}
	return nil
}

// newSerial is 32 hexadecimal digits, which are random.
func newSerial() string {
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // never fails, crypto/rand aborts the process instead
	return hex.EncodeToString(raw[:])
}

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// newToken is 32 characters of 0-9 A-Z a-z, which have 190 random bits.
func newToken() string {
	token := make([]byte, 0, 32)
	for len(token) < cap(token) {
		var some [48]byte
		_, _ = rand.Read(some[:])
		for _, b := range some {
			if n := int(b & 63); n < len(alphabet) && len(token) < cap(token) {
				token = append(token, alphabet[n])
			}
		}
	}
	return string(token)
}
