package e2e

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// barcodes is an upload: the values of the first places.
func barcodes(values ...string) body {
	all := make([]body, len(values))
	for i, v := range values {
		all[i] = body{"place": i + 1, "values": []string{v}}
	}
	return body{"barcodes": all}
}

// Barcodes fail and come again, a buyer receives nothing, and each is told once; none is in what is told.
func TestBarcodesFailAreUploadedAgainAndAreNotReceived(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		ev := o.event(t)
		l := o.listing(t, ev)
		order := o.order(t, ev, "listingId", l)
		told, portal := o.hook(t, "standard", nil, "ordered", true), o.hook(t, "portal", nil, "ordered", true)
		o.Call(t, 200, "PUT", "/api/v1/events/"+ev+"/barcode-rule", body{"minLength": 8})
		expect(t, o.Call(t, 200, "GET", "/api/v1/events/"+ev+"/barcode-rule", nil).Body, "minLength", 8)

		upload := "/api/v1/orders/" + order + "/barcodes"
		var values []string
		for place := range o.quantity(t, order) {
			values = append(values, "barcode-"+string(rune('a'+place)))
		}
		expect(t, o.Call(t, 200, "PUT", upload, barcodes("short")).Body, "order.status", "issue", "order.issueCause", "barcodes")
		expect(t, o.Call(t, 200, "PUT", upload, barcodes(values...)).Body, "order.status", "fulfilled", "order.transferMethod", "digital_download")
		expect(t, o.Call(t, 200, "GET", upload, nil).Body, "barcodes.0.values.0", "barcode-a")
		expect(t, o.Call(t, 200, "POST", "/api/v1/orders/"+order+"/not-received", body{"note": "nothing came"}).Body, "order.status", "issue", "order.issueCause", "not_received")
		expect(t, o.Call(t, 200, "PUT", upload, barcodes(values...)).Body, "order.status", "fulfilled")

		a := o.Call(t, 200, "PUT", "/api/v1/inventory/"+l+"/barcodes", barcodes("barcode-z"))
		expect(t, a.Body, "status", "received")
		expect(t, o.Call(t, 200, "GET", "/api/v1/inventory/"+l+"/barcodes", nil).Body, "data.0.status", "received")

		for _, one := range []string{"sale.barcodes_failed", "transfer.failed", "listing.barcodes_received"} {
			told.await(t, one, 1)
		}
		told.await(t, "order.fulfilled", 2)
		portal.await(t, "order.purchase_issues", 2)
		portal.await(t, "order.fulfilled", 2)
		for _, h := range []*hook{told, portal} {
			for _, got := range h.All() {
				if bytes.Contains(got.Body, []byte("barcode-")) || bytes.Contains(got.Body, []byte("nothing came")) {
					t.Errorf("%s tells what it should not: %s", h.Format, got.Body)
				}
			}
		}
	})
}

// quantity is how many places an order has.
func (o *org) quantity(t *testing.T, order string) int {
	t.Helper()
	n, err := at(t, o.Call(t, 200, "GET", "/api/v1/orders/"+order, nil).Body, "quantity").(json.Number).Int64()
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}
