package inbound

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/webhook"
)

// Whose says which account of which organisation an endpoint belongs to.
type Whose struct {
	Org     int64
	Account string // the id of a person, a key or a grant
}

// Endpoint is a developer endpoint.
type Endpoint struct {
	Whose
	No        int64 // inside
	ID        id.DevEndpoint
	Secret    string // whsec_…: what signatures are checked with. It is shown only when it was made
	Answer    Answer
	Version   int64
	CreatedAt time.Time
	UpdatedAt time.Time

	usedAt time.Time
}

// Answer is what senders are answered. The zero Answer is the usual one.
type Answer struct {
	Status int           // 0 for 200
	Body   *string       // nil for the usual {"status":"received","id":"evt_…"}
	Delay  time.Duration // before it is given
}

// Bounds of what can be chosen.
const (
	MaxDelay  = 30 * time.Second
	MaxAnswer = 4 << 10 // bytes of an answer's body
	perOrg    = 100     // endpoints of an organisation
	perOwner  = 5       // and of an account; see the table
)

// Check says what is wrong with an answer; pointer is where it stands in the request's body.
func (a Answer) Check(pointer string) error {
	var faults problem.Fields
	if a.Status != 0 && (a.Status < 200 || a.Status > 599) {
		faults.Add(pointer+"/status", "out_of_range", "A status is from 200 to 599.")
	}
	if a.Body != nil && len(*a.Body) > MaxAnswer {
		faults.Add(pointer+"/body", "too_long", "The body of an answer has %d bytes at most.", MaxAnswer)
	}
	if a.Delay < 0 || a.Delay > MaxDelay {
		faults.Add(pointer+"/delayMs", "out_of_range", "An answer is held back for %d ms at most.", MaxDelay.Milliseconds())
	}
	return faults.Err()
}

// status is the answer's, as it is sent.
func (a Answer) status() int {
	if a.Status == 0 {
		return http.StatusOK
	}
	return a.Status
}

const endpointColumns = `endpoint_no, org_id, account, id, secret, answer_status, answer_body, answer_delay, version, created_at, updated_at, used_at`

func (b *Box) scanEndpoint(r db.Rows) (*Endpoint, error) {
	e := &Endpoint{}
	var secret []byte
	var delay, created, updated, used int64
	if err := r.Scan(&e.No, &e.Org, &e.Account, &e.ID, &secret, &e.Answer.Status, &e.Answer.Body, &delay, &e.Version, &created, &updated, &used); err != nil {
		return nil, err
	}
	e.Answer.Delay = time.Duration(delay) * time.Millisecond
	e.CreatedAt, e.UpdatedAt, e.usedAt = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC(), time.UnixMicro(used).UTC()
	plain, err := b.config.Keys.Open(secret, secretContext(e.ID))
	if err != nil {
		return nil, fmt.Errorf("secret of %s: %w", e.ID, err)
	}
	e.Secret = string(plain)
	return e, nil
}

// secretContext is what an endpoint's secret is sealed for.
func secretContext(i id.DevEndpoint) string { return "developer endpoint secret " + string(i) }

func notFound() error {
	return problem.New(problem.NotFound, "dev_endpoint_not_found", "There is no such developer endpoint here.")
}

// Create makes an endpoint. An account that has five gets a Conflict.
func (b *Box) Create(tx *db.Tx, w Whose, a Answer, by audit.By) (*Endpoint, error) {
	if err := a.Check("/answer"); err != nil {
		return nil, err
	}
	e := &Endpoint{Whose: w, Secret: webhook.NewSecret(), Answer: a, Version: 1, CreatedAt: tx.Now(), UpdatedAt: tx.Now(), usedAt: tx.Now()}
	const tries = 32 // with half of the ids taken, one in four thousand million fails
	for range tries {
		slot, err := freeSlot(tx, w)
		if err != nil {
			return nil, err
		}
		e.ID = id.NewDevEndpoint()
		e.No, err = db.One(tx, db.Value[int64], `INSERT INTO dev_endpoints (org_id, account, slot, id, secret, answer_status, answer_body, answer_delay, version,
			created_at, updated_at, used_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9, $9, $9) ON CONFLICT DO NOTHING RETURNING endpoint_no`,
			w.Org, w.Account, slot, e.ID, b.config.Keys.Seal([]byte(e.Secret), secretContext(e.ID)), a.Status, a.Body, a.Delay.Milliseconds(), tx.Micros())
		if err == nil {
			return e, audit.Append(tx, by.Entry(w.Org, "dev_endpoint.created", string(e.ID), nil))
		}
		if !errors.Is(err, db.ErrNoRow) {
			return nil, err
		}
	}
	return nil, problem.New(problem.Unavailable, "no_id_free", "Nearly all ids of developer endpoints are taken. Try again later.")
}

// freeSlot finds which of its endpoints the account does not have yet.
func freeSlot(tx *db.Tx, w Whose) (int64, error) {
	taken, err := db.All(tx, db.Value[int64], `SELECT slot FROM dev_endpoints WHERE org_id = $1 AND account = $2`, w.Org, w.Account)
	if err != nil {
		return 0, err
	}
	if len(taken) >= perOwner {
		return 0, problem.New(problem.Conflict, "too_many_dev_endpoints", "You have %d developer endpoints, which is all that one account can have; delete one first.", perOwner)
	}
	all, err := db.One(tx, db.Value[int], `SELECT count(*) FROM dev_endpoints WHERE org_id = $1`, w.Org)
	if err != nil {
		return 0, err
	}
	if all >= perOrg {
		return 0, problem.New(problem.Conflict, "too_many_dev_endpoints", "The organisation has %d developer endpoints, which is all that it can have; delete one first.", perOrg)
	}
	slot := int64(1)
	for slices.Contains(taken, slot) {
		slot++
	}
	return slot, nil
}

// List returns an account's endpoints, oldest first.
func (b *Box) List(q db.Querier, w Whose) ([]*Endpoint, error) {
	return db.All(q, b.scanEndpoint, `SELECT `+endpointColumns+` FROM dev_endpoints WHERE org_id = $1 AND account = $2 ORDER BY endpoint_no`, w.Org, w.Account)
}

// Get returns an endpoint of the account, or a NotFound problem.
func (b *Box) Get(q db.Querier, w Whose, i id.DevEndpoint) (*Endpoint, error) {
	e, err := db.One(q, b.scanEndpoint, `SELECT `+endpointColumns+` FROM dev_endpoints WHERE id = $1 AND org_id = $2 AND account = $3`, i, w.Org, w.Account)
	if errors.Is(err, db.ErrNoRow) {
		return nil, notFound()
	}
	return e, err
}

// at is Get if the endpoint is at the version that the caller saw, or that is 0.
func (b *Box) at(tx *db.Tx, w Whose, i id.DevEndpoint, ifVersion int64) (*Endpoint, error) {
	e, err := b.Get(tx, w, i)
	if err == nil && ifVersion != 0 && ifVersion != e.Version {
		return nil, problem.New(problem.Precondition, "version_mismatch", "The developer endpoint is at version %d; read it again and repeat.", e.Version)
	}
	return e, err
}

// Change changes what senders are answered from now on; nil leaves it as it is. ifVersion is the version that the caller saw, or 0.
func (b *Box) Change(tx *db.Tx, w Whose, i id.DevEndpoint, a *Answer, ifVersion int64) (*Endpoint, error) {
	e, err := b.at(tx, w, i, ifVersion)
	if err != nil || a == nil {
		return e, err
	}
	if err := a.Check("/answer"); err != nil {
		return nil, err
	}
	e.Answer, e.UpdatedAt = *a, tx.Now()
	e.Version++
	_, err = tx.Exec(`UPDATE dev_endpoints SET answer_status = $1, answer_body = $2, answer_delay = $3, version = $4, updated_at = $5, used_at = $5
		WHERE endpoint_no = $6 AND org_id = $7`, a.Status, a.Body, a.Delay.Milliseconds(), e.Version, tx.Micros(), e.No, e.Org)
	return e, err
}

// Delete ends an endpoint, with all that it has taken.
func (b *Box) Delete(tx *db.Tx, w Whose, i id.DevEndpoint, ifVersion int64, by audit.By) error {
	e, err := b.at(tx, w, i, ifVersion)
	if err != nil {
		return err
	}
	return remove(tx, e.Org, e.No, e.ID, by, nil)
}

func remove(tx *db.Tx, org, no int64, i id.DevEndpoint, by audit.By, detail map[string]any) error {
	for _, sql := range []string{
		`DELETE FROM inbound_events WHERE endpoint_no = $1 AND org_id = $2`,
		`DELETE FROM dev_endpoints WHERE endpoint_no = $1 AND org_id = $2`,
	} {
		if _, err := tx.Exec(sql, no, org); err != nil {
			return err
		}
	}
	return audit.Append(tx, by.Entry(org, "dev_endpoint.deleted", string(i), detail))
}

// byID finds the endpoint that somebody sends to.
func (b *Box) byID(q db.Querier, i string) (*Endpoint, error) {
	if !id.ValidDevEndpoint(i) {
		return nil, notFound()
	}
	e, err := db.One(q, b.scanEndpoint, `SELECT `+endpointColumns+` FROM dev_endpoints WHERE id = $1`, i)
	if errors.Is(err, db.ErrNoRow) {
		return nil, notFound()
	}
	return e, err
}
