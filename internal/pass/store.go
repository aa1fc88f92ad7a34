package pass

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

const (
	columns = `p.org_id, p.pass_no, p.id, p.platform, p.style, p.serial, p.token, p.ticket_no, p.ticket_id, p.generation, p.event_no, p.event_id, p.external_id,
		p.owner, p.chain, p.network, p.nfts, p.verified, p.barcode, p.signature, p.design, p.modified_at, p.opened, p.registered, p.scans, p.last_scan_at,
		p.expires_at, p.over_at, p.expired_at, p.expire_action, p.checked_at, p.version, p.created_at, p.updated_at`
	selectPass = `SELECT ` + columns + ` FROM passes p `
	forUpdate  = ` /*for update*/`
)

// shownRegistrations is how many registrations of a pass are shown, the newest.
const shownRegistrations = 50

// scan reads a pass without its registrations.
func scan(r db.Rows) (*Pass, error) {
	p := &Pass{}
	var nfts, design string
	var modified, created, updated int64
	var scanned, expires, over, expired, checked *int64
	err := r.Scan(&p.Org, &p.No, &p.ID, &p.Platform, &p.Style, &p.Serial, &p.token, &p.TicketNo, &p.TicketID, &p.Generation, &p.EventNo, &p.EventID, &p.ExternalID,
		&p.Owner, &p.Chain, &p.Network, &nfts, &p.Verified, &p.barcode, &p.Signature, &design, &modified, &p.Open, &p.ever, &p.Scans, &scanned,
		&expires, &over, &expired, &p.ExpireAction, &checked, &p.Version, &created, &updated)
	if err != nil {
		return nil, err
	}
	p.ModifiedAt, p.CreatedAt, p.UpdatedAt = moment(modified), moment(created), moment(updated)
	p.LastScannedAt, p.ExpiresAt, p.ExpiredAt, p.checked, p.overAt = maybe(scanned), maybe(expires), maybe(expired), maybe(checked), maybe(over)
	if err := json.Unmarshal([]byte(nfts), &p.NFTs); err != nil {
		return nil, fmt.Errorf("assets of pass %s: %w", p.ID, err)
	}
	if err := json.Unmarshal([]byte(design), &p.Design); err != nil {
		return nil, fmt.Errorf("design of pass %s: %w", p.ID, err)
	}
	return p, nil
}

func moment(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// maybe is a moment that may be missing.
func maybe(micros *int64) time.Time {
	if micros == nil {
		return time.Time{}
	}
	return moment(*micros)
}

// micros is the reverse of maybe.
func micros(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	m := t.UnixMicro()
	return &m
}

// list is numbers as ints($1) takes them.
func list(numbers []int64) string {
	text, err := json.Marshal(numbers)
	if err != nil {
		panic(err) // numbers have JSON
	}
	return string(text)
}

// insert writes a new pass and gives it its number.
func insert(tx *db.Tx, p *Pass, mac []byte) error {
	nfts, err := json.Marshal(p.NFTs)
	if err != nil {
		return err
	}
	design, err := json.Marshal(p.Design)
	if err != nil {
		return err
	}
	p.No, err = db.One(tx, db.Value[int64], `INSERT INTO passes (org_id, id, platform, style, serial, token, ticket_no, ticket_id, generation, event_no, event_id,
			external_id, owner, chain, network, nfts, verified, barcode, barcode_mac, signature, design, tag, modified_at, opened, registered, scans, expires_at,
			expire_action, checked_at, version, created_at, updated_at, over_at, blanked)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, 0, $22, 0, 0, 0, $23, '', $24, $25, $26, $26, $27, FALSE)
		RETURNING pass_no`,
		p.Org, p.ID, p.Platform, p.Style, p.Serial, p.token, p.TicketNo, p.TicketID, p.Generation, p.EventNo, p.EventID, p.ExternalID, p.Owner, p.Chain,
		p.Network, string(nfts), p.Verified, blob(p.barcode), blob(mac), p.Signature, string(design), p.ModifiedAt.UnixMicro(), micros(p.ExpiresAt),
		micros(p.checked), p.Version, p.CreatedAt.UnixMicro(), micros(p.overAt))
	if err != nil {
		return fmt.Errorf("insert pass: %w", err)
	}
	for _, n := range p.NFTs {
		if err := tx.Later(`INSERT INTO pass_assets (org_id, pass_no, contract, token_id) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
			p.Org, p.No, n.Contract, n.TokenID); err != nil {
			return fmt.Errorf("insert asset of pass: %w", err)
		}
	}
	return nameImages(tx, p.Org, p.No, p.Design, false)
}

// blob is NULL for none.
func blob(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

// save writes what changes of a pass but for its barcode, design and external id, with or without a fact.
func save(tx *db.Tx, p *Pass) error {
	p.UpdatedAt = tx.Now()
	_, err := tx.Exec(`UPDATE passes SET opened = $1, registered = $2, scans = $3, last_scan_at = $4, expired_at = $5, expire_action = $6, checked_at = $7,
			version = $8, updated_at = $9 WHERE pass_no = $10 AND org_id = $11`,
		p.Open, p.ever, p.Scans, micros(p.LastScannedAt), micros(p.ExpiredAt), p.ExpireAction, micros(p.checked), p.Version, tx.Micros(), p.No, p.Org)
	if err != nil {
		return fmt.Errorf("save pass: %w", err)
	}
	return nil
}

// find returns the passes of a query, with their registrations.
func find(q db.Querier, where string, args ...any) ([]*Pass, error) {
	all, err := db.All(q, scan, selectPass+where, args...)
	if err != nil {
		return nil, fmt.Errorf("load passes: %w", err)
	}
	return all, withRegistrations(q, all)
}

// one is find for the first pass; pass_not_found.
func one(q db.Querier, where string, args ...any) (*Pass, error) {
	all, err := find(q, where+` LIMIT 1`, args...)
	if err == nil && len(all) == 0 {
		err = errNotFound()
	}
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// locked is one, and keeps others from changing the pass until the transaction ends.
func locked(tx *db.Tx, where string, args ...any) (*Pass, error) {
	all, err := find(tx, where+forUpdate, args...)
	if err == nil && len(all) == 0 {
		err = errNotFound()
	}
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// lock is ByID, and keeps others from changing the pass until the transaction ends.
func lock(tx *db.Tx, org int64, pass id.Pass) (*Pass, error) {
	return locked(tx, `WHERE p.id = $1 AND p.org_id = $2`, pass, org)
}

// lockNo is lock by the pass's number.
func lockNo(tx *db.Tx, org, passNo int64) (*Pass, error) {
	return locked(tx, `WHERE p.pass_no = $1 AND p.org_id = $2`, passNo, org)
}

// lockAll keeps others from changing passes until the transaction ends, in the order of their numbers.
func lockAll(tx *db.Tx, numbers []int64) error {
	if len(numbers) < 2 { // whoever takes but one takes it when it comes to it
		return nil
	}
	if _, err := db.All(tx, db.Value[int64], `SELECT p.pass_no FROM passes p WHERE p.pass_no IN ints($1) ORDER BY p.pass_no`+forUpdate, list(numbers)); err != nil {
		return fmt.Errorf("lock passes: %w", err)
	}
	return nil
}

// withRegistrations loads what passes show of their registrations.
func withRegistrations(q db.Querier, all []*Pass) error {
	of := map[int64]*Pass{}
	var numbers []int64
	for _, p := range all {
		if p.ever > 0 {
			of[p.No], numbers = p, append(numbers, p.No)
		}
	}
	if len(numbers) == 0 {
		return nil
	}
	slices.Sort(numbers)
	_, err := db.All(q, func(r db.Rows) (struct{}, error) {
		var no, created int64
		var deleted *int64
		var one Registration
		err := r.Scan(&no, &one.ID, &created, &deleted)
		one.CreatedAt, one.DeletedAt = moment(created), maybe(deleted)
		if p := of[no]; p != nil {
			p.Registrations = append(p.Registrations, one)
		}
		return struct{}{}, err
	}, `SELECT pass_no, id, created_at, deleted_at FROM (
			SELECT pass_no, registration_no, id, created_at, deleted_at, row_number() OVER (PARTITION BY pass_no ORDER BY registration_no DESC) AS n
			FROM pass_registrations WHERE pass_no IN ints($1)) r
		WHERE n <= $2 ORDER BY pass_no, registration_no`, list(numbers), shownRegistrations)
	if err != nil {
		return fmt.Errorf("load registrations of passes: %w", err)
	}
	return nil
}

// ByID finds a pass; pass_not_found.
func ByID(q db.Querier, org int64, pass id.Pass) (*Pass, error) {
	return one(q, `WHERE p.id = $1 AND p.org_id = $2`, pass, org)
}

// ByName finds a pass by its id, or the newest with an external id; pass_not_found.
func ByName(q db.Querier, org int64, name string) (*Pass, error) {
	p, err := ByID(q, org, id.Pass(name))
	if name == "" || !problem.Is(err, "pass_not_found") {
		return p, err
	}
	return one(q, `WHERE p.org_id = $1 AND p.external_id = $2 AND p.external_id <> '' ORDER BY p.pass_no DESC`, org, name)
}

// HoldingOf looks up what facts do not say; empty where it was erased.
func HoldingOf(q db.Querier, org int64, pass id.Pass) (Holding, error) {
	h, err := db.One(q, func(r db.Rows) (h Holding, err error) {
		var nfts string
		if err := r.Scan(&h.Owner, &nfts); err != nil {
			return h, err
		}
		return h, json.Unmarshal([]byte(nfts), &h.NFTs)
	}, `SELECT owner, nfts FROM passes WHERE id = $1 AND org_id = $2`, pass, org)
	if errors.Is(err, db.ErrNoRow) {
		return Holding{}, nil
	}
	if err != nil {
		return Holding{}, fmt.Errorf("holding of pass: %w", err)
	}
	return h, nil
}

// told is a step of the pass, which has been saved, as a fact. checkin is that of a scan at the door.
func (p *Pass) told(kind fact.Kind, checkin id.Checkin) (*fact.Fact, error) {
	s := p.Snapshot()
	s.CheckinID = checkin
	data, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	return &fact.Fact{Org: p.Org, Kind: kind, Subject: string(p.ID), Version: p.Version, Key: string(p.ID), Data: data}, nil
}

// tell appends a fact of one kind for each of some passes, whose versions and state are already those after the step.
func (b *Book) tell(tx *db.Tx, kind fact.Kind, checkin id.Checkin, all ...*Pass) error {
	facts := make([]*fact.Fact, len(all))
	for i, p := range all {
		var err error
		if facts[i], err = p.told(kind, checkin); err != nil {
			return err
		}
	}
	if len(facts) == 0 {
		return nil
	}
	if err := b.ledger.Append(tx, facts...); err != nil {
		return fmt.Errorf("append facts of passes: %w", err)
	}
	tx.OnCommit(b.bell.Ring)
	return nil
}

func errNotFound() error {
	return problem.New(problem.NotFound, "pass_not_found", "There is no such pass here.")
}
