package guests

import (
	"net/http"

	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

type transfersData struct {
	Transfers []ticket.Transfer
	State     string
	Pager     frame.Pager
}

// transfers lists what was offered, the newest first.
func (r *Room) transfers(v *frame.Visit) error {
	d := transfersData{State: choice(v, "state")}
	f := ticket.TransferFilter{State: ticket.TransferState(d.State), After: v.Query("after"), Limit: frame.PageSize}
	if v.WantsCSV() {
		return transfersFile(v, f)
	}
	var next string
	var err error
	if d.Transfers, next, err = ticket.Transfers(v.Read(), v.Org.No, f); err != nil {
		return err
	}
	d.Pager = v.Pager(next, len(d.Transfers) > 0)
	return v.Show(pages, "transfers", http.StatusOK, frame.View{Title: "Transfers", At: "/transfers", Data: d})
}

func transfersFile(v *frame.Visit, f ticket.TransferFilter) error {
	f.Limit = most
	return v.CSV("transfers", []string{"ticket", "n", "state", "from", "to", "offered_at", "expires_at", "ended_at"}, rows(func(after string) (lines [][]string, next string, err error) {
		f.After = after
		some, next, err := ticket.Transfers(v.Read(), v.Org.No, f)
		for _, x := range some {
			lines = append(lines, []string{string(x.Ticket), itoa(x.N), string(x.State), x.From, x.To, stamped(x.CreatedAt), stamped(x.ExpiresAt), stamped(x.EndedAt)})
		}
		return lines, next, err
	}))
}

// revokeOffer takes back what is offered of a ticket, and goes back to where that was asked for.
func (r *Room) revokeOffer(v *frame.Visit) error {
	t := id.Ticket(v.R.PathValue("ticket"))
	err := v.Write(func(tx *db.Tx) error {
		_, _, err := r.Tickets.Revoke(tx, v.Org.No, t, "")
		return err
	})
	if err != nil {
		return err
	}
	back := "/transfers"
	if v.Value("back") == "ticket" {
		back = "/tickets/" + string(t)
	}
	return v.Done(back, "The offer is taken back: nobody can accept it any more.")
}
