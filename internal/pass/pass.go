// Package pass keeps wallet passes: what people carry in Apple's and Google's wallets.
//
// A [Book] makes and changes passes. A [Pass] is for one platform. It is of a ticket, and then shows the ticket's code, seat and event as they are; or of none, and
// then shows what it was made with. It is
//
//	active → expired, which is the end
//
// and [Action] says why it expired. A pass is installed while it has an open [Registration]: a device, or with Google an account, that has it.
//
// What devices show is a [Face]. It is put together when a wallet asks for it, so a changed event costs no row for each pass; but devices have to be told that
// there is something new. The pass's tag grows with each change, and each of its registrations gets a push, which a [Sender] sends. A change of an event goes
// through the event's passes as a wave, some in each transaction, which the Sender carries on; what changed by itself is told before what waves have queued. Tags are
// given one after the other: whoever has seen one ([Changed]) has seen all lower ones. A change is also another second of the pass's modification, so that no device
// misses one that asks by that (If-Modified-Since).
//
// Passes follow the ledger ([Book.Follow]): of a ticket that is void, was transferred or has got a holder with another address, the passes expire; a check-in with
// the code that a pass shows is a scan of the pass; an event that changed is a wave.
//
// Each step appends exactly one fact, whose subject is the pass, and asking for what is so already is a success that changes nothing. A pass's version is the number
// of its facts. What of it is personal (the owner's address and assets, the holder's name, devices) is in no fact.
//
// A pass shows nothing of its ticket to whoever it was transferred from, and no code once it has expired, whether or not that has been written down. After a
// correction of the holder's address, which keeps the ticket's generation, it is so from when the follower comes by.
//
// What is kept of people is no more than is needed. When a ticket becomes somebody else's, owner, assets, design and download links of the passes before are removed.
// Which devices had a pass is forgotten a week after it expired, by when they have learned of it; no fact tells of that.
//
// Barcodes, tokens and push tokens are sealed; links and device names are kept as hashes. What a barcode says is signed by the installation ([Book.Signer]). Who owns a
// wallet shows it by a [Challenge], which counts once.
package pass

import (
	"sync"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/seal"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// Platform is whose wallet a pass is for.
type Platform string

// The platforms.
const (
	Apple  Platform = "apple"
	Google Platform = "google"
)

// Style is what kind of pass it is.
type Style string

// The styles.
const (
	EventTicket Style = "event"   // of a ticket: Apple's eventTicket, Google's eventTicketObject
	Generic     Style = "generic" // of none
)

// Action says why a pass expired. Who reads it has to expect others.
type Action string

// The actions. The first is the specification's own; the others are ours.
const (
	UserRevoke        Action = "USER_REVOKE"        // by a person: its holder, or somebody of the organisation
	AdminRevoke       Action = "ADMIN_REVOKE"       // by a program of the organisation's
	OwnershipTransfer Action = "OWNERSHIP_TRANSFER" // the owner does not hold the assets any more
	ExpirationDate    Action = "EXPIRATION_DATE"
	TicketVoid        Action = "TICKET_VOID"
	Transferred       Action = "TRANSFERRED" // the ticket was given to somebody else, or its holder has another address
	EventEnded        Action = "EVENT_ENDED"
)

// Bounds.
const (
	MaxOfTicket   = 20             // active passes of a ticket, for each platform and holder
	MaxOpen       = 20             // registrations of a pass that are open at once
	MaxRegistered = 200            // that it ever has
	LinkLasts     = 48 * time.Hour // after its first use
)

// ERC721 is the id of the interface of assets that have one owner each (ERC-165, ERC-721).
const ERC721 = "0x80ac58cd"

// NFT is an asset that a pass's owner has to hold.
type NFT struct {
	Contract  string `json:"contractAddress"`   // EIP-55
	Interface string `json:"contractInterface"` // an interface's id (ERC-165), 0x80ac58cd for ERC-721
	TokenID   string `json:"tokenId"`           // a whole number in decimal
}

// Registration is a device, or an account, that has a pass.
type Registration struct {
	ID        id.Registration
	CreatedAt time.Time
	DeletedAt time.Time // zero while it is open
}

// Pass is a wallet pass.
type Pass struct {
	No            int64 // the number that other tables carry
	ID            id.Pass
	Org           int64
	Platform      Platform
	Style         Style
	Serial        string    // what Apple and Google call it: 32 hexadecimal digits
	TicketNo      int64     // 0 for none, and the two after it empty
	TicketID      id.Ticket //
	EventNo       int64     //
	EventID       id.Event  //
	Generation    int       // of the ticket; 0 for none
	ExternalID    string    // the organisation's own name for it; may be empty
	Owner         string    // a wallet's address (EIP-55); empty for none, and once erased
	Chain         string    // "evm"; empty for none
	Network       string    // the chain's number in decimal; empty for none
	NFTs          []NFT     // none once erased
	Verified      bool      // the owner signed for it
	Signature     []byte    // 65 bytes, see [Book.Signer]
	Design        Design
	Registrations []Registration // the newest 50, the oldest first
	Open          int            // how many registrations are open
	Scans         int64
	LastScannedAt time.Time // zero for never
	ExpiresAt     time.Time // zero for no date of its own
	ExpiredAt     time.Time // zero while it is active
	ExpireAction  Action    // empty while it is active
	ModifiedAt    time.Time // whole seconds; another one after each change that devices have to fetch
	Version       int64     // how many facts it has
	CreatedAt     time.Time
	UpdatedAt     time.Time

	token   []byte // sealed
	barcode []byte // sealed; nil for the ticket's own code
	ever    int    // registrations that there ever were
	checked time.Time
	overAt  time.Time // when it expires because its event is over
}

// Active tells whether the pass has not expired.
func (p *Pass) Active() bool { return p.ExpiredAt.IsZero() }

// Holding is what of a pass is looked up when an envelope is made: empty once it was erased.
type Holding struct {
	Owner string
	NFTs  []NFT
}

// Ledger is where facts are written down.
type Ledger interface {
	Append(tx *db.Tx, facts ...*fact.Fact) error
}

// Book makes and changes passes. It is safe for use by many goroutines.
type Book struct {
	ledger  Ledger
	db      *db.DB
	keys    *seal.Keyring
	tickets *ticket.Roll
	decoy   []byte      // a sealed token of no pass
	bell    ledger.Bell // rings when there may be something to tell wallets

	mu      sync.Mutex // guards secrets
	secrets map[string][]byte
}

// Config is what a book needs. All of it.
type Config struct {
	DB      *db.DB
	Ledger  Ledger
	Keys    *seal.Keyring
	Tickets *ticket.Roll
}

// New makes a book.
func New(c Config) *Book {
	return &Book{
		ledger: c.Ledger, db: c.DB, keys: c.Keys, tickets: c.Tickets, decoy: c.Keys.Seal([]byte(newToken()), sealedToken(decoy)), secrets: map[string][]byte{},
	}
}
