package endpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

const columns = `e.endpoint_id, e.org_id, e.id, e.url, e.format, e.events, e.description, e.active, e.disabled_reason, e.disabled_at, e.options,
	e.secret, e.old_secret, e.old_until, e.revision, e.version, e.created_at, e.updated_at, e.deleted_at, h.failing_since, h.last_error`

const from = ` FROM endpoints e LEFT JOIN endpoint_health h ON h.endpoint_id = e.endpoint_id`

// scan reads an endpoint and opens its secrets. deleted tells whether it is there any more.
func (b *Book) scan(r db.Rows) (e *Endpoint, deleted bool, err error) {
	e = &Endpoint{}
	var events, options string
	var secret, old []byte
	var disabledAt, oldUntil, deletedAt, failing *int64
	var lastError *string
	var created, updated int64
	if err := r.Scan(&e.Number, &e.Org, &e.ID, &e.URL, &e.Format, &events, &e.Description, &e.Active, &e.Disabled, &disabledAt, &options,
		&secret, &old, &oldUntil, &e.Revision, &e.Version, &created, &updated, &deletedAt, &failing, &lastError); err != nil {
		return nil, false, err
	}
	if err := errors.Join(json.Unmarshal([]byte(events), &e.Events), json.Unmarshal([]byte(options), &e.Options)); err != nil {
		return nil, false, fmt.Errorf("endpoint %s: %w", e.ID, err)
	}
	plain, err := b.keys.Open(secret, secretContext(e.ID))
	if err != nil {
		return nil, false, fmt.Errorf("endpoint %s: %w", e.ID, err)
	}
	e.Secret = string(plain)
	if old != nil {
		if plain, err = b.keys.Open(old, secretContext(e.ID)); err != nil {
			return nil, false, fmt.Errorf("endpoint %s: %w", e.ID, err)
		}
		e.OldSecret = string(plain)
	}
	e.DisabledAt, e.OldUntil, e.FailingSince = instant(disabledAt), instant(oldUntil), instant(failing)
	e.CreatedAt, e.UpdatedAt = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	if lastError != nil {
		e.LastError = *lastError
	}
	return e, deletedAt != nil, nil
}

func instant(micros *int64) time.Time {
	if micros == nil {
		return time.Time{}
	}
	return time.UnixMicro(*micros).UTC()
}

func (b *Book) scanLive(r db.Rows) (*Endpoint, error) {
	e, _, err := b.scan(r)
	return e, err
}

// Get returns an organisation's endpoint, or a NotFound problem.
func (b *Book) Get(q db.Querier, org int64, i id.Webhook) (*Endpoint, error) {
	e, err := db.One(q, b.scanLive, "SELECT "+columns+from+" WHERE e.org_id = $1 AND e.id = $2 AND e.deleted_at IS NULL", org, i)
	if errors.Is(err, db.ErrNoRow) {
		return nil, problem.New(problem.NotFound, "webhook_not_found", "There is no webhook %s.", clip(string(i)))
	}
	return e, err
}

func (b *Book) byNumber(q db.Querier, number int64) (*Endpoint, error) {
	return db.One(q, b.scanLive, "SELECT "+columns+from+" WHERE e.endpoint_id = $1 AND e.deleted_at IS NULL", number)
}

// List returns an organisation's endpoints, oldest first, and how many there are in all.
func (b *Book) List(q db.Querier, org int64, limit, offset int) ([]*Endpoint, int, error) {
	total, err := db.One(q, db.Value[int], "SELECT count(*) FROM endpoints WHERE org_id = $1 AND deleted_at IS NULL", org)
	if err != nil {
		return nil, 0, err
	}
	all, err := db.All(q, b.scanLive, "SELECT "+columns+from+" WHERE e.org_id = $1 AND e.deleted_at IS NULL ORDER BY e.endpoint_id LIMIT $2 OFFSET $3",
		org, limit, offset)
	return all, total, err
}

// NoteFailure writes down that an endpoint has given nothing but failures since an instant, and tells its owner with a fact when that has gone on
// for longer than patience.
func (b *Book) NoteFailure(tx *db.Tx, e *Endpoint, since time.Time, lastError string, patience time.Duration) error {
	told, err := db.One(tx, db.Value[bool], `INSERT INTO endpoint_health (endpoint_id, org_id, failing_since, last_error, told) VALUES ($1, $2, $3, $4, FALSE)
		ON CONFLICT (endpoint_id) DO UPDATE SET last_error = excluded.last_error RETURNING told`, e.Number, e.Org, since.UnixMicro(), lastError)
	if err != nil || told || tx.Now().Sub(since) < patience {
		return err
	}
	if _, err := tx.Exec("UPDATE endpoint_health SET told = TRUE WHERE endpoint_id = $1", e.Number); err != nil {
		return err
	}
	failing := *e
	failing.LastError = lastError
	return b.tell(tx, &failing, fact.EndpointFailing, since)
}

// NoteRecovery forgets the failures, and tells the owner if the failures had been told.
func (b *Book) NoteRecovery(tx *db.Tx, e *Endpoint) error {
	told, err := db.One(tx, db.Value[bool], "DELETE FROM endpoint_health WHERE endpoint_id = $1 RETURNING told", e.Number)
	if errors.Is(err, db.ErrNoRow) || err == nil && !told {
		return nil
	}
	if err != nil {
		return err
	}
	return b.tell(tx, e, fact.EndpointRecovered, tx.Now())
}
