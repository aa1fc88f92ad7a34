package guests

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/page"
	"github.com/stagedoorhq/stagedoor/internal/pass"
)

type passesData struct {
	Passes   []*pass.Pass
	Of       map[int64]event.Event
	Events   []page.Option
	Event    string
	Status   string
	Platform string
	Q        string
	Filtered bool
	Pager    frame.Pager
}

// passes lists wallet passes, the newest first.
func (r *Room) passes(v *frame.Visit) error {
	d := passesData{Event: choice(v, "event"), Status: choice(v, "status"), Platform: choice(v, "platform"), Q: v.Query("q")}
	d.Filtered = d.Event+d.Status+d.Platform+d.Q != ""
	f, err := passFilter(v, d)
	if err != nil {
		return err
	}
	if v.WantsCSV() {
		return passesFile(v, f)
	}
	if d.Passes, err = pass.Find(v.Read(), v.Org.No, f); err != nil {
		return err
	}
	next := ""
	if len(d.Passes) > frame.PageSize {
		d.Passes = d.Passes[:frame.PageSize]
		next = strconv.FormatInt(d.Passes[frame.PageSize-1].No, 10)
	}
	d.Pager = v.Pager(next, len(d.Passes) > 0)
	var nos []int64
	for _, p := range d.Passes {
		if p.EventNo != 0 {
			nos = append(nos, p.EventNo)
		}
	}
	if d.Of, err = event.ByNos(v.Read(), v.Org.No, nos); err != nil {
		return err
	}
	if d.Events, err = events(v, d.Event, anyEvent); err != nil {
		return err
	}
	return v.Show(pages, "passes", http.StatusOK, frame.View{Title: "Wallet passes", At: "/passes", Wide: true, Data: d})
}

func passFilter(v *frame.Visit, d passesData) (pass.Filter, error) {
	f := pass.Filter{Platform: pass.Platform(d.Platform), Limit: frame.PageSize + 1}
	f.Before, _ = strconv.ParseInt(v.Query("after"), 10, 64)
	if d.Status != "" {
		expired := d.Status == "expired"
		f.Expired = &expired
	}
	switch {
	case strings.HasPrefix(d.Q, "tkt_"):
		f.Ticket = id.Ticket(d.Q)
	case strings.HasPrefix(d.Q, "0x"):
		f.Owner = d.Q
	default:
		f.ExternalID = d.Q
	}
	if d.Event == "" {
		return f, nil
	}
	e, err := event.ByID(v.Read(), v.Org.No, id.Event(d.Event))
	f.EventNo = e.No
	return f, err
}

func passesFile(v *frame.Visit, f pass.Filter) error {
	f.Limit = most
	header := []string{"pass", "wallet", "ticket", "event", "external_id", "state", "expire_action", "devices_now", "scans", "last_scanned_at", "created_at", "expired_at"}
	return v.CSV("passes", header, rows(func(after string) (lines [][]string, next string, err error) {
		f.Before, _ = strconv.ParseInt(after, 10, 64)
		some, err := pass.Find(v.Read(), v.Org.No, f)
		for _, p := range some {
			state := "active"
			if !p.Active() {
				state = "expired"
			}
			lines = append(lines, []string{
				string(p.ID), string(p.Platform), string(p.TicketID), string(p.EventID), p.ExternalID, state, string(p.ExpireAction), itoa(p.Open), strconv.FormatInt(p.Scans, 10),
				stamped(p.LastScannedAt), stamped(p.CreatedAt), stamped(p.ExpiredAt),
			})
			next = strconv.FormatInt(p.No, 10)
		}
		if len(some) < most {
			next = ""
		}
		return lines, next, err
	}))
}

type passData struct {
	Pass  *pass.Pass
	Event event.Event // of its ticket; zero for a pass without
	Scans []pass.ScanRecord
	Hook  bool // a webhook is set, and the viewer may see what it was told
	Told  []delivery.Record
	HookID
	Link string // that was just made: shown this once
}

// HookID is where the deliveries of the project's webhook are listed.
type HookID struct{ Webhook id.Webhook }

// passOf finds the pass that the path names.
func passOf(v *frame.Visit) (*pass.Pass, error) {
	return pass.ByID(v.Read(), v.Org.No, id.Pass(v.R.PathValue("pass")))
}

func (r *Room) pass(v *frame.Visit) error {
	p, err := passOf(v)
	if err != nil {
		return err
	}
	return r.showPass(v, passData{Pass: p})
}

// recentScans is how many scans of a pass are shown.
const recentScans = 20

func (r *Room) showPass(v *frame.Visit, d passData) (err error) {
	if d.Pass.EventNo != 0 {
		if d.Event, err = event.ByNo(v.Read(), v.Org.No, d.Pass.EventNo); err != nil {
			return err
		}
	}
	if d.Pass.Scans > 0 {
		if d.Scans, err = pass.History(v.Read(), v.Org.No, d.Pass, v.Now().Add(-scansSince), time.Time{}); err != nil {
			return err
		}
		d.Scans = d.Scans[max(0, len(d.Scans)-recentScans):]
	}
	if err := r.told(v, &d); err != nil {
		return err
	}
	return v.Show(pages, "pass", http.StatusOK, frame.View{Title: "Wallet pass", At: "/passes", Data: d})
}

// scansSince is how far back scans are shown.
const scansSince = 90 * 24 * time.Hour

// lookedAt is how many of the webhook's newest deliveries are looked through for those about one pass.
const lookedAt = 200

// told finds what the project's webhook was told of a pass lately, for who may see deliveries.
func (r *Room) told(v *frame.Visit, d *passData) error {
	if !r.mayHook(v) {
		return nil
	}
	e, err := r.hook(v)
	if err != nil || e == nil {
		return err
	}
	d.Hook, d.Webhook = true, e.ID
	all, _, err := r.Engine.List(v.R.Context(), e, delivery.Filter{Since: d.Pass.CreatedAt, Limit: lookedAt})
	for _, one := range all {
		if one.Fact != nil && one.Fact.Subject == string(d.Pass.ID) {
			d.Told = append(d.Told, one)
		}
	}
	return err
}

// expire revokes a pass, as a person: its holder's wallet shows it as void, and the webhook is told.
func (r *Room) expire(v *frame.Visit) error {
	path := "/passes/" + v.R.PathValue("pass")
	sure, err := v.Sure("Revoke this pass?", "Wallets that have it show it as void, its barcode is worthless, and the webhook is told pass:expire. It cannot be brought back; its ticket stays as it is.",
		"Revoke the pass", path)
	if !sure {
		return err
	}
	err = v.Write(func(tx *db.Tx) error {
		_, err := r.Passes.Expire(tx, v.Org.No, id.Pass(v.R.PathValue("pass")), pass.UserRevoke)
		return err
	})
	if err != nil {
		return err
	}
	return v.Done(path, "The pass is revoked.")
}

// linkPass makes a link by which the pass gets onto a phone. It is shown this once.
func (r *Room) linkPass(v *frame.Visit) error {
	p, err := passOf(v)
	if err != nil {
		return err
	}
	var link string
	err = v.Write(func(tx *db.Tx) (err error) {
		link, err = r.Passes.Link(tx, v.Org.No, p.ID)
		return err
	})
	if err != nil {
		return err
	}
	return r.showPass(v, passData{Pass: p, Link: strings.TrimSuffix(v.PublicURL, "/") + pass.LinkPath + link})
}

type designData struct{ Design pass.Design }

// design is how passes look that say nothing else.
func (r *Room) design(v *frame.Visit) error {
	d, err := pass.ProjectDesign(v.Read(), v.Org.No)
	if err != nil {
		return err
	}
	return showDesign(v, http.StatusOK, designData{d}, nil)
}

func showDesign(v *frame.Visit, status int, d designData, wrong page.Complaints) error {
	return v.Show(pages, "design", status, frame.View{Title: "Design of passes", At: "/passes", Complaints: wrong, Data: d})
}

// changeDesign changes texts and colours, and leaves what else there is.
func (r *Room) changeDesign(v *frame.Visit) error {
	var d pass.Design
	err := v.Write(func(tx *db.Tx) (err error) {
		if d, err = pass.ProjectDesign(tx, v.Org.No); err != nil {
			return err
		}
		d.Description, d.LogoText = v.Value("description"), v.Value("logoText")
		d.LabelColor, d.BackgroundColor, d.ForegroundColor = v.Value("labelColor"), v.Value("backgroundColor"), v.Value("foregroundColor")
		return r.Passes.SetProjectDesign(tx, v.Org.No, d)
	})
	if wrong, status, ok := frame.Wrong(err, "design-", nil); ok {
		return showDesign(v, status, designData{d}, wrong)
	} else if err != nil {
		return err
	}
	return v.Done("/passes/design", "The design is changed. Wallets are told, and fetch it by themselves.")
}
