package native

import (
	"context"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// barcodeRoutes are the routes about barcodes, and about tickets that did not reach their buyer.
func (a *API) barcodeRoutes() {
	const tag = "Barcodes"
	const upload = "A value that breaks the event's rule, or that another place of the event has, is taken in as well: its place has the status `failed_validation` then, and a webhook tells. " +
		"What a place had before is replaced. Uploading the same again changes nothing."

	write(a, route{
		method: "PUT", path: inventoryPath + "/{listingId}/barcodes", scope: scope.EventsWrite, id: "uploadListingBarcodes", tag: tag, summary: "Upload barcodes for places of a listing",
		detail: upload, errors: []int{409},
	}, a.uploadListingBarcodes)
	read(a, route{
		method: "GET", path: inventoryPath + "/{listingId}/barcodes", scope: scope.EventsRead, id: "listListingBarcodes", tag: tag,
		summary: "See which places of a listing have barcodes", detail: "By place. The values are shown as hashes only.",
	}, a.listingBarcodes)
	write(a, route{
		method: "PUT", path: ordersPath + "/{orderId}/barcodes", scope: scope.TicketsWrite, id: "uploadOrderBarcodes", tag: tag, summary: "Upload barcodes for places of an order",
		detail: upload + " When one fails, the order has an issue; when each place has received its own, the order is fulfilled by `digital_download`.", errors: []int{409},
	}, a.uploadOrderBarcodes)
	read(a, route{
		method: "GET", path: ordersPath + "/{orderId}/barcodes", scope: scope.TicketsRead, id: "listOrderBarcodes", tag: tag, summary: "Read the barcodes of an order",
		detail: "The values themselves: who has one may come in. Of an order that was cancelled or wholly refunded there are none.",
	}, a.orderBarcodes)
	write(a, route{
		method: "POST", path: ordersPath + "/{orderId}/not-received", scope: scope.TicketsWrite, id: "reportNotReceived", tag: tag,
		summary: "Note that the buyer did not receive the tickets", detail: "The order has an issue then, until it is fulfilled again.",
	}, a.notReceived)
	read(a, route{
		method: "GET", path: eventsPath + "/{eventId}/barcode-rule", scope: scope.EventsRead, id: "getBarcodeRule", tag: tag, summary: "Read what an event's barcodes must look like",
	}, a.barcodeRule)
	write(a, route{
		method: "PUT", path: eventsPath + "/{eventId}/barcode-rule", scope: scope.EventsWrite, id: "setBarcodeRule", tag: tag, summary: "Say what an event's barcodes must look like",
		detail: "From then on. What is left out is no bound; `{}` takes the rule away.",
	}, a.setBarcodeRule)
}

type placeBarcodesJSON struct {
	Place  count    `json:"place" doc:"1, 2, … of the listing or of the order."`
	Values []string `json:"values" nullable:"false" doc:"1 to 10 barcodes, each of 1 to 200 visible ASCII characters."`
}

type barcodesInputJSON struct {
	Barcodes []placeBarcodesJSON `json:"barcodes" nullable:"false" doc:"For 1 to 1,000 places."`
}

type listingBarcodesInput struct {
	ListingPath
	Body barcodesInputJSON
}

// listingBarcodesJSON is what became of an upload.
type listingBarcodesJSON struct {
	ListingID string            `json:"listingId"`
	Status    string            `json:"status" enum:"received,failed_validation" doc:"failed_validation when a place of the upload has failed."`
	Changed   bool              `json:"changed" doc:"false when all was there already."`
	Barcodes  []placeHashesJSON `json:"barcodes" nullable:"false" doc:"Of the places of the upload."`
}

type placeHashesJSON struct {
	Place      int      `json:"place"`
	Row        string   `json:"row"`
	Seat       string   `json:"seat,omitempty" doc:"Where places are numbered."`
	Status     string   `json:"status" enum:"received,failed_validation"`
	Hashes     []string `json:"hashes" nullable:"false" doc:"The SHA-256 of each value, in hexadecimal digits."`
	ReceivedAt string   `json:"receivedAt" format:"date-time"`
}

func newPlaceHashes(all []inventory.BarcodeSet) []placeHashesJSON {
	data := make([]placeHashesJSON, len(all))
	for i, b := range all {
		data[i] = placeHashesJSON{
			Place: b.Ordinal + 1, Row: b.Row, Seat: b.Seat, Status: string(b.Status), Hashes: b.Hashes(), ReceivedAt: instant(b.ReceivedAt),
		}
	}
	return data
}

func (a *API) uploadListingBarcodes(tx *db.Tx, c *call, in *listingBarcodesInput) (answer[listingBarcodesJSON], error) {
	uploads := make([]inventory.BarcodeUpload, len(in.Body.Barcodes))
	for i, p := range in.Body.Barcodes {
		uploads[i] = inventory.BarcodeUpload{Ordinal: int(p.Place) - 1, Values: p.Values}
	}
	r, err := a.Stock.ReceiveBarcodes(tx, c.Org, id.Listing(in.ListingID), uploads)
	if err != nil {
		return answer[listingBarcodesJSON]{}, err
	}
	out := answer[listingBarcodesJSON]{version: r.Listing.Version, body: listingBarcodesJSON{
		ListingID: in.ListingID, Status: string(inventory.BarcodesReceived), Changed: r.Changed, Barcodes: newPlaceHashes(r.Sets),
	}}
	if r.Failed {
		out.body.Status = string(inventory.BarcodesFailed)
	}
	return out, nil
}

type listingBarcodesListInput struct {
	ListingPath
	Paging
}

func (a *API) listingBarcodes(ctx context.Context, c *call, in *listingBarcodesListInput) (answer[list[placeHashesJSON, noFilters]], error) {
	var out answer[list[placeHashesJSON, noFilters]]
	at, err := in.place(c, "barcodes", in.ListingID)
	if err != nil {
		return out, err
	}
	q := a.DB.Read(ctx)
	l, err := inventory.ByID(q, c.Org, id.Listing(in.ListingID))
	if err != nil {
		return out, err
	}
	page, total, err := a.Stock.BarcodePage(q, c.Org, l.No, in.Limit, at.offset)
	if err != nil {
		return out, err
	}
	out.body = newList(in.Paging, at, newPlaceHashes(page), total, noFilters{}, "")
	return out, nil
}

type orderBarcodesInput struct {
	OrderPath
	IfMatch string `header:"If-Match" doc:"The order's ETag; 412 when it has changed since."`
	Body    barcodesInputJSON
}

func (a *API) uploadOrderBarcodes(tx *db.Tx, c *call, in *orderBarcodesInput) (answer[orderDoneJSON], error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return answer[orderDoneJSON]{}, err
	}
	uploads := make([]order.BarcodeUpload, len(in.Body.Barcodes))
	for i, p := range in.Body.Barcodes {
		uploads[i] = order.BarcodeUpload{Place: int(p.Place), Values: p.Values}
	}
	o, f, err := a.Book.ReceiveBarcodes(tx, c.Org, id.Order(in.OrderID), uploads, version)
	if err != nil {
		return answer[orderDoneJSON]{}, err
	}
	return a.orderDone(tx, c, o, f, uploaded(f))
}

// uploaded says what came of an upload.
func uploaded(f *fact.Fact) string {
	switch {
	case f == nil:
		return "Order %s has these barcodes already"
	case f.Kind == fact.SaleBarcodesFailed:
		return "Order %s: barcodes have failed validation; upload others"
	case f.Kind == fact.OrderFulfilled:
		return "Order %s has all its barcodes and is fulfilled"
	}
	return "Order %s: barcodes received"
}

// orderBarcodesJSON are credentials.
type orderBarcodesJSON struct {
	OrderID  string            `json:"orderId"`
	Barcodes []placeValuesJSON `json:"barcodes" nullable:"false" doc:"Of the places that have some."`
}

type placeValuesJSON struct {
	Place      int      `json:"place"`
	Row        string   `json:"row"`
	Seat       string   `json:"seat,omitempty" doc:"Where places are numbered."`
	Status     string   `json:"status" enum:"received,failed_validation"`
	Values     []string `json:"values" nullable:"false"`
	ReceivedAt string   `json:"receivedAt" format:"date-time"`
}

func (a *API) orderBarcodes(ctx context.Context, c *call, in *OrderPath) (answer[orderBarcodesJSON], error) {
	q := a.DB.Read(ctx)
	o, err := order.ByID(q, c.Org, id.Order(in.OrderID))
	if err != nil {
		return answer[orderBarcodesJSON]{}, err
	}
	sets, err := a.Book.Barcodes(q, c.Org, o)
	if err != nil {
		return answer[orderBarcodesJSON]{}, err
	}
	out := answer[orderBarcodesJSON]{version: o.Version, body: orderBarcodesJSON{OrderID: in.OrderID, Barcodes: make([]placeValuesJSON, len(sets))}}
	for i, b := range sets {
		out.body.Barcodes[i] = placeValuesJSON{
			Place: b.Place, Row: b.Row, Seat: b.Seat, Status: string(b.Status), Values: b.Values, ReceivedAt: instant(b.ReceivedAt),
		}
	}
	return out, nil
}

type notReceivedJSON struct {
	Note string `json:"note,omitempty" maxLength:"1000" doc:"What the buyer says. It is kept as the issue's reason."`
}

type notReceivedInput struct {
	OrderPath
	IfMatch string `header:"If-Match" doc:"The order's ETag; 412 when it has changed since."`
	Body    *notReceivedJSON
}

func (a *API) notReceived(tx *db.Tx, c *call, in *notReceivedInput) (answer[orderDoneJSON], error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return answer[orderDoneJSON]{}, err
	}
	note := ""
	if in.Body != nil {
		note = in.Body.Note
	}
	o, f, err := a.Book.NotReceived(tx, c.Org, id.Order(in.OrderID), note, version)
	if err != nil {
		return answer[orderDoneJSON]{}, err
	}
	return a.orderDone(tx, c, o, f, "Order %s was not received")
}

type barcodeRuleJSON struct {
	Pattern   string `json:"pattern,omitempty" doc:"A regular expression (RE2) that each whole value matches, of at most 200 characters." example:"[0-9]{12}"`
	MinLength count  `json:"minLength,omitempty" minimum:"0" maximum:"200" doc:"In characters."`
	MaxLength count  `json:"maxLength,omitempty" minimum:"0" maximum:"200" doc:"In characters; 0 is no bound."`
}

type barcodeRuleInput struct {
	EventPath
	Body barcodeRuleJSON
}

func (a *API) barcodeRule(ctx context.Context, c *call, in *EventPath) (answer[barcodeRuleJSON], error) {
	r, err := inventory.BarcodeRuleOf(a.DB.Read(ctx), c.Org, id.Event(in.EventID))
	return answer[barcodeRuleJSON]{body: barcodeRuleJSON{Pattern: r.Pattern, MinLength: count(r.MinLength), MaxLength: count(r.MaxLength)}}, err
}

func (a *API) setBarcodeRule(tx *db.Tx, c *call, in *barcodeRuleInput) (answer[barcodeRuleJSON], error) {
	b := in.Body
	err := a.Stock.SetBarcodeRule(tx, c.Org, id.Event(in.EventID), inventory.BarcodeRule{Pattern: b.Pattern, MinLength: int(b.MinLength), MaxLength: int(b.MaxLength)})
	return answer[barcodeRuleJSON]{body: b}, err
}
