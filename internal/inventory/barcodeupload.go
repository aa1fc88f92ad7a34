package inventory

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// BarcodeUpload is what one place is to get.
type BarcodeUpload struct {
	Ordinal int // of the place among those that are uploaded for, from 0
	Values  []string
}

// CheckBarcodes checks the form of an upload for so many places. What is wrong is told without the values. Pointers name the place, which counts from 1.
func CheckBarcodes(uploads []BarcodeUpload, places int) error {
	var f problem.Fields
	switch {
	case len(uploads) == 0:
		f.Add("/barcodes", "required", "Give the barcodes of at least one place.")
	case len(uploads) > MaxBarcodePlaces:
		f.Add("/barcodes", "too_many", "Upload for at most %d places at once.", MaxBarcodePlaces)
		return f.Err()
	}
	named, seen := map[int]bool{}, map[string]bool{}
	for i, u := range uploads {
		pointer := fmt.Sprintf("/barcodes/%d", i)
		switch {
		case u.Ordinal < 0 || u.Ordinal >= places:
			f.Add(pointer+"/place", "unknown_place", "There are the places 1 to %d here.", places)
		case named[u.Ordinal]:
			f.Add(pointer+"/place", "repeated", "This place stands in the upload twice.")
		}
		named[u.Ordinal] = true
		checkValues(&f, pointer+"/values", u.Values, seen)
	}
	return f.Err()
}

// checkValues checks the values of one place; seen are those of the upload so far.
func checkValues(f *problem.Fields, pointer string, values []string, seen map[string]bool) {
	switch {
	case len(values) == 0:
		f.Add(pointer, "required", "Give at least one barcode for the place.")
	case len(values) > MaxBarcodes:
		f.Add(pointer, "too_many", "A place has at most %d barcodes.", MaxBarcodes)
		return
	}
	for i, v := range values {
		at := fmt.Sprintf("%s/%d", pointer, i)
		switch {
		case len(v) < 1 || len(v) > MaxBarcodeLength || strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r > '~' }):
			f.Add(at, "invalid", "A barcode has 1 to %d visible ASCII characters, without spaces.", MaxBarcodeLength)
		case seen[v]:
			f.Add(at, "repeated", "This barcode stands in the upload twice.")
		}
		seen[v] = true
	}
}

// Receipt is what came of an upload.
type Receipt struct {
	Listing Listing
	Sets    []BarcodeSet // that count now, of the places that were asked about and those that were uploaded for, by ordinal
	Changed bool         // false when all that was uploaded was there already, with the same status
	Failed  bool         // of what was uploaded, something has failed validation
}

// ReceiveBarcodes takes barcodes in for places of a listing, and appends listing.barcodes_failed, which tells of all that failed, or else
// listing.barcodes_received. What a place had before is replaced, also by what fails. An upload that changes nothing is a success without a fact. It
// fails with listing_not_found, with invalid_transition when the listing has come to its end, and with field errors ([CheckBarcodes]); then nothing has
// changed.
//
// A place's barcodes stay its own when it is sold, and can be replaced after that: the order is then told of nothing.
func (s *Stock) ReceiveBarcodes(tx *db.Tx, org int64, listing id.Listing, uploads []BarcodeUpload) (Receipt, error) {
	ev, l, err := lock(tx, org, listing)
	if err != nil {
		return Receipt{}, err
	}
	if err := CheckBarcodes(uploads, l.Total); err != nil {
		return Receipt{}, err
	}
	if l = l.AsOf(tx.Now()); finished(l.Status) {
		return Receipt{}, problem.New(problem.Conflict, "invalid_transition", "The listing is %s, which is final; upload for the orders that it has.", l.Status)
	}
	r, err := s.Receive(tx, org, ev, l.No, nil, uploads)
	if err != nil || !r.Changed {
		return r, err
	}
	named := make([]int, len(uploads))
	for i, u := range uploads {
		named[i] = u.Ordinal
	}
	slices.Sort(named)
	kind := fact.ListingBarcodesReceived
	if r.Failed {
		kind = fact.ListingBarcodesFailed
	}
	return r, s.tellBarcodes(tx, org, ev, kind, r.Listing, named)
}

// Receive takes barcodes in for places of a listing, for who knows which of them may be uploaded for, and has checked the upload's form. Ordinals are the
// listing's. Nothing is told but that the listing can be delivered again. also are further places that the receipt tells of. The event must be locked by this
// transaction.
func (s *Stock) Receive(tx *db.Tx, org int64, ev event.Event, listingNo int64, also []int, uploads []BarcodeUpload) (Receipt, error) {
	p, err := byNo(tx, org, listingNo)
	if err != nil {
		return Receipt{}, err
	}
	r := Receipt{Listing: p.Listing}
	named := make([]int, len(uploads))
	for i, u := range uploads {
		named[i] = u.Ordinal
	}
	has, err := s.Barcodes(tx, org, listingNo, slices.Concat(named, also))
	if err != nil {
		return Receipt{}, err
	}
	digests := s.digests(p.Listing.EventNo, uploads)
	judge, err := judging(tx, org, p.Listing, named, digests)
	if err != nil {
		return Receipt{}, err
	}
	counts := map[int]BarcodeSet{}
	for _, b := range has {
		counts[b.Ordinal] = b
	}
	var fresh []BarcodeSet
	barcoded := p.Listing.Barcoded
	for _, u := range uploads {
		b := BarcodeSet{Ordinal: u.Ordinal, Row: p.Listing.Row, Seat: p.Listing.seat(u.Ordinal), Status: judge(u.Values), Values: u.Values, ReceivedAt: tx.Now()}
		r.Failed = r.Failed || b.Status == BarcodesFailed
		was := counts[u.Ordinal]
		if was.Status == b.Status && slices.Equal(was.Values, b.Values) {
			continue
		}
		barcoded += received(b) - received(was)
		counts[u.Ordinal] = b
		fresh = append(fresh, b)
	}
	for _, o := range slices.Sorted(maps.Keys(counts)) {
		r.Sets = append(r.Sets, counts[o])
	}
	if len(fresh) == 0 {
		return r, nil
	}
	r.Changed = true
	if err := s.writeSets(tx, org, p.Listing, fresh, digests); err != nil {
		return Receipt{}, err
	}
	r.Listing, err = s.covered(tx, org, ev, p, barcoded)
	return r, err
}

// seat is the label of a place, empty where places are not numbered.
func (l Listing) seat(ordinal int) string {
	if ordinal < len(l.Seats) {
		return l.Seats[ordinal]
	}
	return ""
}

// received is 1 for a set that was.
func received(b BarcodeSet) int {
	if b.Status == BarcodesReceived {
		return 1
	}
	return 0
}

// judging returns what judges a place's values, by the event's rule and by what other places have. What the named places have had is up for replacement
// and stands in nobody's way.
func judging(tx *db.Tx, org int64, l Listing, named []int, digests map[string]string) (func(values []string) BarcodeStatus, error) {
	rule, err := ruleOf(tx, org, l.EventNo)
	if err != nil {
		return nil, err
	}
	fits, err := rule.compile()
	if err != nil {
		return nil, fmt.Errorf("barcode rule of event %s: %w", l.EventID, err)
	}
	others, err := db.All(tx, db.Value[string], `SELECT digest FROM barcode_values WHERE event_no = $1 AND org_id = $2 AND digest IN texts($3)
		AND NOT (listing_no = $4 AND ordinal IN ints($5))`, l.EventNo, org, jsonList(slices.Collect(maps.Values(digests))), l.No, jsonList(named))
	if err != nil {
		return nil, fmt.Errorf("look for barcodes of other places: %w", err)
	}
	taken := map[string]bool{}
	for _, d := range others {
		taken[d] = true
	}
	return func(values []string) BarcodeStatus {
		for _, v := range values {
			if !fits(v) || taken[digests[v]] {
				return BarcodesFailed
			}
		}
		return BarcodesReceived
	}, nil
}

// tellBarcodes appends a fact about barcodes of a listing.
func (s *Stock) tellBarcodes(tx *db.Tx, org int64, ev event.Event, kind fact.Kind, l Listing, named []int) error {
	snapshot, brief := l.Snapshot(), BriefOf(ev)
	snapshot.Event, snapshot.Ordinals = &brief, named
	data, err := json.Marshal(snapshot)
	if err != nil {
		return err
	}
	if err := s.ledger.Append(tx, &fact.Fact{Org: org, Kind: kind, Subject: string(l.ID), Version: l.Version, Data: data}); err != nil {
		return fmt.Errorf("append %s: %w", kind, err)
	}
	return nil
}
