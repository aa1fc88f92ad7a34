package sales

import (
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

type ordersData struct {
	Rows                            []order.Order
	Pager                           frame.Pager
	Status, Event, Text, From, Till string
	Filtered                        bool
}

// search reads the filters of the address; none tells that nothing can be found by them.
func search(v *frame.Visit) (s order.Search, none bool, err error) {
	s = order.Search{Status: order.Status(choice(v, "status")), Text: v.Query("text"), From: day(v, "from", 0), Until: day(v, "till", 1), Limit: frame.PageSize}
	if c := cursor(v, 1); c != nil {
		s.Before = c[0]
	}
	if ev := v.Query("event"); ev != "" {
		e, err := event.ByID(v.Read(), v.Org.No, id.Event(ev))
		if problem.Is(err, "event_not_found") {
			return s, true, nil
		}
		if err != nil {
			return s, false, err
		}
		s.EventNo = e.No
	}
	return s, false, nil
}

func (r *Room) orders(v *frame.Visit) error {
	s, none, err := search(v)
	if err != nil {
		return err
	}
	if v.WantsCSV() {
		header := []string{"order", "number", "placed_at_utc", "status", "event", "event_name", "section", "row", "seats", "quantity", "unit_price", "total", "refunded", "currency", "email"}
		return v.CSV("orders", header, orderRows(v, s, none))
	}
	d := ordersData{Status: choice(v, "status"), Event: v.Query("event"), Text: v.Query("text"), From: v.Query("from"), Till: v.Query("till")}
	d.Filtered = d.Status+d.Event+d.Text+d.From+d.Till != ""
	next := ""
	if !none {
		s.Limit++
		if d.Rows, err = order.Page(v.Read(), v.Org.No, s); err != nil {
			return err
		}
	}
	if len(d.Rows) > frame.PageSize {
		d.Rows = d.Rows[:frame.PageSize]
		next = strconv.FormatInt(d.Rows[frame.PageSize-1].No, 10)
	}
	d.Pager = v.Pager(next, true)
	return v.Show(pages, "orders", http.StatusOK, frame.View{Title: "Orders", At: "/orders", Wide: true, Data: d})
}

func orderRows(v *frame.Visit, s order.Search, none bool) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		s.Before, s.Limit = 0, 500
		for !none {
			rows, err := order.Page(v.Read(), v.Org.No, s)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, o := range rows {
				if !yield([]string{
					string(o.ID), string(o.Number), o.CreatedAt.Format(time.RFC3339), string(o.Status), string(o.EventID), o.EventName, o.Section, o.Row, strings.Join(o.Seats, " "),
					strconv.Itoa(o.Quantity), o.UnitPrice.String(), o.Total.String(), o.Refunded.String(), string(o.Total.Currency), o.People.Customer.Email,
				}, nil) {
					return
				}
				s.Before = o.No
			}
			if len(rows) < s.Limit {
				return
			}
		}
	}
}
