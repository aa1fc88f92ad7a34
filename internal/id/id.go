// Package id holds the identifiers of Stagedoor: one string type for each kind of thing, so that an order id cannot be passed
// where an event id is wanted, and the functions that make and check them.
//
// Identifiers name things; they are never a proof that the caller may see them. Every query also filters by organisation.
package id

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// The identifiers. Each is the text that appears on the wire.
type (
	// Org is an organisation, "org_" and 26 characters.
	Org string
	// Key is an API key's public name, "key_" and 26 characters; the key itself begins with "sd_".
	Key string
	// Event is a live event: 1 to 64 characters of A-Z a-z 0-9 . _ -, chosen by the caller or made with the prefix "evn_".
	Event string
	// Listing is a listing of an inventory: 24 lower-case hexadecimal digits, as the portal specification prints them.
	Listing string
	// Order is an order: "order_" and decimal digits, as the portal specification prints it.
	Order string
	// OrderNumber is what people read to each other: "TIC-" and 9 upper-case letters or digits.
	OrderNumber string
	// Ticket is a ticket, "tkt_" and 26 characters: the 16 bytes by which its code names it.
	Ticket string
	// Hold keeps units for somebody who has not ordered yet, "hld_" and 26 characters.
	Hold string
	// TicketType is a kind of ticket that an event sells, "tty_" and 26 characters.
	TicketType string
	// Checkin is what one presented code came to at the door, "chk_" and 26 characters.
	Checkin string
	// Gate is a place where people go in or out, "gat_" and 26 characters.
	Gate string
	// CheckinList says who may come in through which gates and how often, "lst_" and 26 characters.
	CheckinList string
	// Device is a scanner, "dev_" and 26 characters.
	Device string
	// StampType is a kind of stamp that can be awarded, "stt_" and 26 characters.
	StampType string
	// Stamp is a stamp in somebody's passport, "stp_" and 26 characters.
	Stamp string
	// DevEndpoint is a developer's own receiver, "DEV-" and 4 upper-case letters or digits.
	DevEndpoint string
	// PullEndpoint takes in webhooks that its owner fetches: a UUID of version 7 (RFC 9562 §5.7).
	PullEndpoint string
	// Pass is a wallet pass: a UUID of version 4 (RFC 9562 §5.4), which nobody guesses.
	Pass string
	// Registration is a device or an account that has a pass in its wallet: a UUID of version 4.
	Registration string
	// Webhook is a webhook endpoint, "wh_" and 26 characters.
	Webhook string
	// User is a person, "usr_" and 26 characters.
	User string
	// Session is a browser that a person is signed in with, "ses_" and 26 characters; the session itself is a cookie.
	Session string
	// Token is a personal token's public name, "tok_" and 26 characters; the token itself begins with "sdp_".
	Token string
	// Link is the public name of an invitation or another one-time link, "lnk_" and 26 characters.
	Link string
	// Client is an app, "oa_" and 26 characters: its client_id.
	Client string
	// Grant is what a person has allowed an app, "gnt_" and 26 characters.
	Grant string
	// Person is somebody of whom no table knows more than an e-mail address: "per_" and the sealed address. The same person has many such ids.
	Person string
)

// lower is Crockford's base32 alphabet in lower case: no i, l, o or u, so that an id survives being read aloud.
var lower = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// sortable is a prefix and a UUIDv7 in base32: ids made later sort later, which keeps B-tree inserts at the end.
func sortable(prefix string) string {
	u := uuid.Must(uuid.NewV7())
	return prefix + lower.EncodeToString(u[:])
}

// NewOrg makes an organisation's id.
func NewOrg() Org { return Org(sortable("org_")) }

// UUID is an organisation's id as partners write it who know UUIDs only: the UUIDv7 inside of it. It is empty for what is no organisation's id.
func (o Org) UUID() string {
	text, ok := strings.CutPrefix(string(o), "org_")
	b, err := lower.DecodeString(text)
	if !ok || err != nil || len(b) != len(uuid.UUID{}) {
		return ""
	}
	return uuid.UUID(b).String()
}

// NewKey makes an API key's public name.
func NewKey() Key { return Key(sortable("key_")) }

// NewEvent makes an event's id.
func NewEvent() Event { return Event(sortable("evn_")) }

// NewWebhook makes a webhook endpoint's id.
func NewWebhook() Webhook { return Webhook(sortable("wh_")) }

// NewHold makes a hold's id.
func NewHold() Hold { return Hold(sortable("hld_")) }

// NewTicketType makes a ticket type's id.
func NewTicketType() TicketType { return TicketType(sortable("tty_")) }

// NewCheckin makes a check-in's id.
func NewCheckin() Checkin { return Checkin(sortable("chk_")) }

// NewGate makes a gate's id.
func NewGate() Gate { return Gate(sortable("gat_")) }

// NewCheckinList makes a check-in list's id.
func NewCheckinList() CheckinList { return CheckinList(sortable("lst_")) }

// NewDevice makes a scanner's id.
func NewDevice() Device { return Device(sortable("dev_")) }

// NewStampType makes a stamp type's id.
func NewStampType() StampType { return StampType(sortable("stt_")) }

// NewStamp makes a stamp's id.
func NewStamp() Stamp { return Stamp(sortable("stp_")) }

// NewPass makes a wallet pass's id.
func NewPass() Pass { return Pass(uuid.NewString()) }

// NewRegistration makes a registration's id.
func NewRegistration() Registration { return Registration(uuid.NewString()) }

// NewUser makes a person's id.
func NewUser() User { return User(sortable("usr_")) }

// NewSession makes a session's id.
func NewSession() Session { return Session(sortable("ses_")) }

// NewToken makes a personal token's public name.
func NewToken() Token { return Token(sortable("tok_")) }

const personPrefix = "per_"

// NewPerson makes the id of a person whose address was sealed.
func NewPerson(sealed []byte) Person { return Person(personPrefix + lower.EncodeToString(sealed)) }

// ParsePerson returns the sealed address in an id. It reports false for what is none.
func ParsePerson(s string) (sealed []byte, ok bool) {
	text, ok := strings.CutPrefix(s, personPrefix)
	if !ok {
		return nil, false
	}
	sealed, err := lower.DecodeString(text)
	return sealed, err == nil
}

// NewLink makes a one-time link's public name.
func NewLink() Link { return Link(sortable("lnk_")) }

// NewClient makes an app's client_id.
func NewClient() Client { return Client(sortable("oa_")) }

// NewGrant makes a grant's id.
func NewGrant() Grant { return Grant(sortable("gnt_")) }

// NewListing makes a listing's id: four bytes of time and eight of chance, in the shape that portal's clients know.
func NewListing(now time.Time) Listing {
	var b [12]byte
	_, _ = rand.Read(b[4:]) // never fails, crypto/rand aborts the process instead
	sec := uint32(now.Unix())
	b[0], b[1], b[2], b[3] = byte(sec>>24), byte(sec>>16), byte(sec>>8), byte(sec)
	return Listing(hex.EncodeToString(b[:]))
}

// NewOrder makes an order's id from the instant of its transaction and a number that no other order of the same millisecond
// has: "order_", the Unix time in milliseconds, and the number's last five digits.
func NewOrder(now time.Time, n int64) Order {
	const width = 100_000
	return Order("order_" + strconv.FormatInt(now.UnixMilli()*width+n%width, 10))
}

const ticketPrefix = "tkt_"

// NewTicket makes a ticket's id of its 16 bytes.
func NewTicket(raw [16]byte) Ticket { return Ticket(ticketPrefix + lower.EncodeToString(raw[:])) }

// Bytes returns the 16 bytes of a ticket's id. It reports false for what is none; each ticket has one spelling.
func (t Ticket) Bytes() (raw [16]byte, ok bool) {
	text, ok := strings.CutPrefix(string(t), ticketPrefix)
	b, err := lower.DecodeString(text)
	if !ok || err != nil || len(b) != len(raw) {
		return raw, false
	}
	copy(raw[:], b)
	return raw, NewTicket(raw) == t
}

// upper is the alphabet of order numbers, without the pairs that are easily taken for each other (0 and O, 1 and I).
const upper = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"

// NewOrderNumber makes an order number. Two of one organisation collide with a chance of one in 35 million million.
func NewOrderNumber() OrderNumber {
	var b [9]byte
	_, _ = rand.Read(b[:])
	for i := range b {
		b[i] = upper[int(b[i])%len(upper)] // 256 is a multiple of 32: no bias
	}
	return OrderNumber("TIC-" + string(b[:]))
}

// ValidEvent tells whether s can be an event's id: 1 to 64 characters of A-Z a-z 0-9 . _ -.
func ValidEvent(s string) bool {
	if len(s) < 1 || len(s) > 64 {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return s != "." && s != ".." // they would vanish from a URL's path
}

// ValidListing tells whether s has the shape of a listing's id.
func ValidListing(s string) bool {
	return len(s) == 24 && strings.Trim(s, "0123456789abcdef") == ""
}

// Secret returns prefix and 32 random bytes in base32: 256 bits that only the caller will know.
func Secret(prefix string) string {
	var b [32]byte
	_, _ = rand.Read(b[:])
	return prefix + lower.EncodeToString(b[:])
}

const devPrefix = "DEV-"

// NewDevEndpoint makes a developer endpoint's id. There are a million of them: two collide, and whoever makes one tries again.
func NewDevEndpoint() DevEndpoint {
	var b [4]byte
	_, _ = rand.Read(b[:])
	for i := range b {
		b[i] = upper[int(b[i])%len(upper)]
	}
	return DevEndpoint(devPrefix + string(b[:]))
}

// ValidDevEndpoint tells whether s has the shape of a developer endpoint's id.
func ValidDevEndpoint(s string) bool {
	text, ok := strings.CutPrefix(s, devPrefix)
	return ok && len(text) == 4 && strings.Trim(text, upper) == ""
}
