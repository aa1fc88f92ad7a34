package stubhub

import (
	"context"
	"math"
	"math/big"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/dialect/house"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/webhook"
)

// Format is "stubhub".
const Format = "stubhub"

// The topics of the specification.
const (
	sales           = "Sales"
	provisionalSale = "ProvisionalSale"
	cancelledSale   = "CancelProvisionalSale"
	saleUpdates     = "SaleUpdates"
	listingUpdates  = "SellerListingUpdates"
	ping            = "Ping"
	reTransfer      = "ReTransferTicket"
)

// Lookups find what an envelope shows beside its fact.
type Lookups struct {
	// Venue finds a venue by its number; the zero Venue where there is none.
	Venue func(ctx context.Context, org, venue int64) (event.Venue, error)
	// Barcodes finds the sets of some places of a listing that counted at an instant, by ordinal; nil ordinals for all.
	Barcodes func(ctx context.Context, org, listingNo int64, ordinals []int, at time.Time) ([]inventory.BarcodeSet, error)
}

// Dialect is StubHub's vocabulary on its way out. It is a [delivery.Dialect] and safe for use by many goroutines.
type Dialect struct {
	lookups Lookups
	places  atomic.Pointer[places]
}

// NewDialect makes the dialect. url is how the outside reaches the server, where that is known already; see [Dialect.At].
func NewDialect(url string, l Lookups) *Dialect {
	d := &Dialect{lookups: l}
	d.At(url)
	return d
}

// At says how the outside reaches the server, without a slash at its end: the links of envelopes begin with it.
func (d *Dialect) At(url string) {
	p := places(url)
	d.places.Store(&p)
}

// Format is "stubhub".
func (*Dialect) Format() string { return Format }

// Name returns the topic of a fact; StubHub's are silent about everything but sales, listings and pings.
func (*Dialect) Name(k fact.Kind) (string, bool) {
	t, ok := topics[k]
	return t.topic, ok
}

// told is what StubHub calls a fact.
type told struct{ topic, action string }

var topics = map[fact.Kind]told{
	fact.HoldPlaced:                   {provisionalSale, "Created"},
	fact.HoldExpired:                  {cancelledSale, "Cancelled"},
	fact.HoldReleased:                 {cancelledSale, "Cancelled"},
	fact.OrderConfirmed:               {sales, "Created"},
	fact.OrderAccepted:                {sales, "Accepted"},
	fact.OrderFulfilled:               {sales, "Fulfilled"},
	fact.OrderCancelled:               {sales, "Cancelled"},
	fact.SaleBarcodesFailed:           {saleUpdates, "FailedBarcodeValidation"},
	fact.TransferFailed:               {reTransfer, "Created"},
	fact.ListingBarcodesFailed:        {listingUpdates, "FailedBarcodeValidation"},
	fact.ListingDeliverabilityExpired: {listingUpdates, "ListingDeliverabilityExpired"},
	fact.EndpointPinged:               {ping, "Created"},
}

// Events lists the seven topics.
func (*Dialect) Events() []string {
	return []string{sales, provisionalSale, cancelledSale, saleUpdates, listingUpdates, ping, reTransfer}
}

// OwnMessages is false.
func (*Dialect) OwnMessages() bool { return false }

// Signatures is empty: nothing is signed.
func (*Dialect) Signatures() []string { return nil }

// Variant is the endpoint's own, because an envelope shows the webhook that it is for.
func (*Dialect) Variant(e *endpoint.Endpoint) string {
	return Format + "/" + strconv.FormatInt(e.Number, 10)
}

// agent is how deliveries' User-Agent begins; the version is the specification's.
const agent = "Viagogo-Webhooks/2.249.0.0"

// Signer sends the endpoint's secret as Authorization, and StubHub's headers.
func (*Dialect) Signer(e *endpoint.Endpoint) (delivery.Signer, error) {
	return house.Static(e, func(dst []webhook.Header, m webhook.Message) []webhook.Header {
		return append(dst, webhook.Header{Name: "User-Agent", Value: agent}, webhook.Header{Name: "VGG-Topic", Value: m.Event}, webhook.Header{Name: "VGG-DeliveryId", Value: m.ID})
	})
}

// MessageID is VGG-DeliveryId: a decimal number that no two deliveries share, the same on every attempt. It is Cantor's number of the pair of the fact's number
// and the endpoint's.
func (*Dialect) MessageID(_ *fact.Fact, d id.Delivery) string {
	if sum := uint64(d.Seq) + uint64(d.Endpoint); sum < math.MaxUint32 {
		return strconv.FormatUint(sum*(sum+1)/2+uint64(d.Endpoint), 10)
	}
	sum := new(big.Int).Add(big.NewInt(d.Seq), big.NewInt(d.Endpoint))
	n := new(big.Int).Mul(sum, new(big.Int).Add(sum, big.NewInt(1)))
	return n.Add(n.Rsh(n, 1), big.NewInt(d.Endpoint)).String()
}

// ContentType is JSON, as the specification says; older versions of StubHub's had HAL's.
func (*Dialect) ContentType() string { return "application/json" }

// Policy is the usual one: the specification is silent.
func (*Dialect) Policy() delivery.Policy { return delivery.Usual() }

// Sequence is the sale's number, so that what happens to a hold and to the order that it becomes arrives in order.
func (*Dialect) Sequence(f *fact.Fact) string {
	if t, ok := topics[f.Kind]; !ok || t.topic == listingUpdates || t.topic == ping {
		return f.Subject
	}
	s, err := saleIn(f)
	if err != nil || s.Sale.ID == 0 {
		return f.Subject
	}
	return "sale/" + strconv.FormatInt(s.Sale.ID, 10)
}
