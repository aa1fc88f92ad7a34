package sales

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/page"
)

// chapter is one thing that happened to an order.
type chapter struct {
	*fact.Fact
	Text string
}

type orderData struct {
	order.Order
	Left    money.Amount // what can be refunded
	Steps   []step       // that need nothing but a yes
	Fulfil  bool
	Issue   bool
	Lost    bool // that the buyer did not receive the tickets can be noted
	Refunds bool
	History []chapter
	By      string // how the tickets went, in words; empty before they did
	Typed   map[string]string
}

// told is how facts are said to people.
var told = map[fact.Kind]string{
	fact.OrderConfirmed: "Placed and confirmed", fact.OrderAccepted: "Accepted", fact.OrderIssueRaised: "An issue was raised", fact.OrderFulfilled: "Fulfilled",
	fact.OrderCancelled: "Cancelled", fact.RefundCompleted: "Refunded", fact.SaleBarcodesFailed: "Barcodes failed validation", fact.SaleBarcodesReceived: "Barcodes received",
	fact.TransferFailed: "The buyer did not receive the tickets",
}

// orderSteps are what buttons say of where an order may go by a yes alone.
var orderSteps = map[order.Status]step{
	order.Confirmed: {"confirmed", "Confirm", "plain"}, order.Accepted: {"accepted", "Accept", ""}, order.Cancelled: {"cancelled", "Cancel the order", "bad"},
}

func (r *Room) order(v *frame.Visit) error { return r.showOrder(v, http.StatusOK, nil) }

func (r *Room) showOrder(v *frame.Visit, status int, wrong page.Complaints) error {
	o, err := order.ByID(v.Read(), v.Org.No, id.Order(v.R.PathValue("order")))
	if err != nil {
		return err
	}
	d := orderData{Order: o, Left: money.Amount{Minor: o.Captured.Minor - o.Refunded.Minor, Currency: o.Total.Currency}, Typed: map[string]string{}}
	for name := range v.Form {
		d.Typed[name] = v.Value(name)
	}
	allowed := order.Allowed(o.Status)
	for _, to := range allowed {
		if s, ok := orderSteps[to]; ok {
			d.Steps = append(d.Steps, s)
		}
	}
	d.Fulfil, d.Issue = slices.Contains(allowed, order.Fulfilled), slices.Contains(allowed, order.Issue)
	d.By = methods[o.TransferMethod]
	d.Lost = o.Status == order.Fulfilled
	d.Refunds = d.Left.Minor > 0
	facts, err := ledger.OfOrder(v.Read(), v.Org.No, string(o.ID), 200)
	if err != nil {
		return err
	}
	for _, f := range facts {
		d.History = append(d.History, chapter{f, saidOf(f)})
	}
	return v.Show(pages, "order", status, frame.View{Title: "Order " + string(o.Number), At: "/orders", Complaints: wrong, Data: d})
}

// saidOf says in words what happened.
func saidOf(f *fact.Fact) string {
	text := told[f.Kind]
	if text == "" {
		text = string(f.Kind)
	}
	var s order.Snapshot
	if json.Unmarshal(f.Data, &s) != nil {
		return text
	}
	switch f.Kind {
	case fact.OrderFulfilled:
		text += " by " + methods[s.TransferMethod]
	case fact.RefundCompleted:
		a := money.Amount{Minor: s.RefundMinor, Currency: s.Currency}
		text += ": " + a.String() + " " + string(s.Currency)
	}
	return text
}

var methods = map[order.TransferMethod]string{
	order.MobileTransfer: "mobile transfer", order.DigitalDownload: "digital download", order.Email: "e-mail", order.Pickup: "pickup",
}

// step makes a step of the order of the path, and says what was done; what is wrong with a form is said beside it.
func (r *Room) step(v *frame.Visit, prefix, said string, do func(tx *db.Tx, o id.Order) (*fact.Fact, error)) error {
	o := id.Order(v.R.PathValue("order"))
	var f *fact.Fact
	err := v.Write(func(tx *db.Tx) (err error) {
		f, err = do(tx, o)
		return err
	})
	if wrong, status, ok := frame.Wrong(stale(err, "order"), prefix, nil); ok {
		return r.showOrder(v, status, wrong)
	} else if err != nil {
		return err
	}
	if f == nil {
		said = "Nothing had to be told: this was so already."
	}
	return v.Done("/orders/"+string(o), said)
}

func (r *Room) moveOrder(v *frame.Visit) error {
	to := order.Status(v.Value("to"))
	if to == order.Cancelled {
		sure, err := v.Sure("Cancel this order?", "It cannot be taken back: its tickets are void, and its places are for sale again. No money is moved.", "Cancel the order", "/orders/"+v.R.PathValue("order"))
		if !sure {
			return err
		}
	}
	return r.step(v, "fulfil-", "The order is "+string(to)+".", func(tx *db.Tx, o id.Order) (*fact.Fact, error) {
		_, f, err := r.Orders.SetStatus(tx, v.Org.No, o, order.Change{
			Version: version(v), Status: to, TransferMethod: order.TransferMethod(v.Value("transferMethod")), TransferNote: v.Value("transferNote"),
		})
		return f, err
	})
}

func (r *Room) raiseIssue(v *frame.Visit) error {
	return r.step(v, "issue-", "The order has an open issue.", func(tx *db.Tx, o id.Order) (*fact.Fact, error) {
		_, f, err := r.Orders.RaiseIssue(tx, v.Org.No, o, v.Value("reason"), version(v))
		return f, err
	})
}

func (r *Room) notReceived(v *frame.Visit) error {
	return r.step(v, "lost-", "It is noted that the buyer did not receive the tickets.", func(tx *db.Tx, o id.Order) (*fact.Fact, error) {
		_, f, err := r.Orders.NotReceived(tx, v.Org.No, o, v.Value("note"), version(v))
		return f, err
	})
}

func (r *Room) refund(v *frame.Visit) error {
	amount := "all that is left"
	if v.Value("amount") != "" {
		amount = v.Value("amount")
	}
	sure, err := v.Sure("Note a refund of "+amount+"?", "It cannot be taken back. Stagedoor moves no money: refund it where it was paid. When all is refunded, the tickets are void.", "Note the refund",
		"/orders/"+v.R.PathValue("order"))
	if !sure {
		return err
	}
	return r.step(v, "refund-", "The refund is noted.", func(tx *db.Tx, o id.Order) (*fact.Fact, error) {
		_, f, err := r.Orders.Refund(tx, v.Org.No, o, order.RefundInput{Version: version(v), Amount: money.Decimal(v.Value("amount")), Reason: v.Value("reason")})
		return f, err
	})
}
