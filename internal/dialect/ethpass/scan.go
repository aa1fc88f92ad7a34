package ethpass

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

func (a *API) scanRoutes(mux *http.ServeMux) {
	for _, path := range []string{"/scan", "/passes/barcode"} { // the second is its older name
		change(a, mux, route{method: "GET", path: path, scope: scope.CheckinWrite, acts: true, free: true}, a.look, a.scan)
	}
}

// looked is what a barcode was found to be.
type looked struct {
	pass.Scanned
	held []bool // whether the owner holds each asset
	dry  bool   // nothing is to be noted
}

// maxBarcode bounds what a barcode says; none that a wallet can show is nearly as long.
const maxBarcode = 4096

// look finds the pass of a barcode, and asks who holds its assets.
func (a *API) look(ctx context.Context, c *call) (looked, error) {
	values, err := url.ParseQuery(c.request.URL.RawQuery)
	q := &query{values: values}
	data, l := q.text("data"), looked{dry: q.isSet("dryRun")}
	if err != nil || data == "" || len(data) > maxBarcode || !utf8.ValidString(data) || strings.ContainsRune(data, 0) {
		q.fault("data", "Give what the barcode says: 1 to %d bytes of UTF-8, escaped as in all URLs.", maxBarcode)
	}
	if err = q.faults.Err(); err != nil {
		return l, err
	}
	if l.Scanned, err = a.Book.Look(ctx, a.DB.Read(ctx), c.Org, data, a.Now()); err != nil {
		return l, err
	}
	if c.Kind == access.Device && len(c.Events) > 0 && !slices.Contains(c.Events, l.Pass.EventID) {
		return l, errNoPass() // a scanner that is bound to events knows no other passes
	}
	l.held = a.held(ctx, l.Pass)
	if l.Valid && slices.Contains(l.held, false) {
		l.Valid, l.Said = false, "not_owner"
	}
	return l, nil
}

// scanning is how long a chain has to answer while somebody stands at a door.
const scanning = 3 * time.Second

// held asks whether the owner of a pass holds its assets. Where nobody can be asked, or does not answer in time, whoever made the pass is believed.
func (a *API) held(ctx context.Context, p *pass.Pass) []bool {
	if a.Chain == nil || !p.Active() {
		return slices.Repeat([]bool{p.Active()}, len(p.NFTs))
	}
	ctx, cancel := context.WithTimeout(ctx, scanning)
	defer cancel()
	held, err := pass.Held(ctx, a.Chain, p.Network, p.Owner, p.NFTs)
	if err != nil {
		a.Log.WarnContext(ctx, "ask who holds assets", "network", p.Network, "first", err)
	}
	return held
}

// scannedJSON is a pass that was scanned. That it is answered with 200 says nothing about whether it counts.
type scannedJSON struct {
	passJSON
	Message    string     `json:"message"`
	ScanResult resultJSON `json:"scanResult"`
}

type resultJSON struct {
	Valid  bool   `json:"valid"`
	Reason string `json:"reason"` // valid, or why not
}

func (a *API) scan(tx *db.Tx, c *call, l looked) (any, error) {
	if !l.dry {
		p, err := a.Book.Scan(tx, c.Org, l.Scanned)
		if err != nil {
			return nil, err
		}
		l.Pass = p
	}
	j := scannedJSON{showPass(l.Pass), l.Message, resultJSON{l.Valid, l.Said}}
	for i := range j.NFTs {
		if i < len(l.held) {
			j.NFTs[i].Valid = &l.held[i]
		}
	}
	return j, nil
}
