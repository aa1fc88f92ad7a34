package endpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// What an endpoint's secrets are sealed for: a sealed value does not open in another place.
func secretContext(i id.Webhook) string { return "endpoint secret " + string(i) }
func headerContext(i id.Webhook) string { return "endpoint headers " + string(i) }

// stored is what of an endpoint is encoded or sealed.
type stored struct {
	events, options      string
	headers, secret, old []byte // nil for none
}

// encode encodes and seals. Headers are sealed because they often hold somebody's token.
func (b *Book) encode(e *Endpoint) (s stored, err error) {
	events, err := json.Marshal(e.Events)
	if err != nil {
		return s, err
	}
	options, err := json.Marshal(e.Options)
	if err != nil {
		return s, err
	}
	s = stored{events: string(events), options: string(options), secret: b.keys.Seal([]byte(e.Secret), secretContext(e.ID))}
	if len(e.Options.Headers) > 0 {
		headers, err := json.Marshal(e.Options.Headers)
		if err != nil {
			return s, err
		}
		s.headers = b.keys.Seal(headers, headerContext(e.ID))
	}
	if e.OldSecret != "" {
		s.old = b.keys.Seal([]byte(e.OldSecret), secretContext(e.ID))
	}
	return s, nil
}

// open is encode the other way.
func (b *Book) open(e *Endpoint, s stored) error {
	if err := errors.Join(json.Unmarshal([]byte(s.events), &e.Events), json.Unmarshal([]byte(s.options), &e.Options)); err != nil {
		return err
	}
	if s.headers != nil {
		plain, err := b.keys.Open(s.headers, headerContext(e.ID))
		if err != nil {
			return err
		}
		if err := json.Unmarshal(plain, &e.Options.Headers); err != nil {
			return err
		}
	}
	if s.old != nil {
		plain, err := b.keys.Open(s.old, secretContext(e.ID))
		if err != nil {
			return err
		}
		e.OldSecret = string(plain)
	}
	plain, err := b.keys.Open(s.secret, secretContext(e.ID))
	e.Secret = string(plain)
	return err
}

// insert writes a new endpoint and raises the configuration's revision.
func (b *Book) insert(tx *db.Tx, e *Endpoint) error {
	revision, err := tx.Bump()
	if err != nil {
		return err
	}
	e.Revision, e.Version, e.UpdatedAt = revision, 1, e.CreatedAt
	s, err := b.encode(e)
	if err != nil {
		return err
	}
	e.Number, err = db.One(tx, db.Value[int64], `INSERT INTO endpoints (org_id, id, url, format, events, description, active, disabled_reason, options,
		headers, secret, revision, version, created_at, updated_at, grant_no, sees) VALUES ($1, $2, $3, $4, $5, $6, $7, '', $8, $9, $10, $11, 1, $12, $12, $13, $14)
		RETURNING endpoint_id`,
		e.Org, e.ID, e.URL, e.Format, s.events, e.Description, e.Active, s.options, s.headers, s.secret, revision, tx.Micros(),
		e.Grant, e.Sees.String())
	return err
}

// store writes a changed endpoint and raises the configuration's revision. An old secret whose time is over goes.
func (b *Book) store(tx *db.Tx, e *Endpoint) error {
	revision, err := tx.Bump()
	if err != nil {
		return err
	}
	if !e.OldUntil.IsZero() && !tx.Now().Before(e.OldUntil) {
		e.OldSecret, e.OldUntil = "", time.Time{}
	}
	e.Revision, e.UpdatedAt = revision, tx.Now()
	e.Version++
	s, err := b.encode(e)
	if err != nil {
		return err
	}
	n, err := tx.Exec(`UPDATE endpoints SET url = $1, events = $2, description = $3, active = $4, disabled_reason = $5, disabled_at = $6, options = $7,
		secret = $8, old_secret = $9, old_until = $10, revision = $11, version = $12, updated_at = $13, format = $16, headers = $17
		WHERE org_id = $14 AND id = $15 AND version = $12 - 1 AND deleted_at IS NULL`,
		e.URL, s.events, e.Description, e.Active, string(e.Disabled), microsOrNil(e.DisabledAt), s.options,
		s.secret, s.old, microsOrNil(e.OldUntil), revision, e.Version, tx.Micros(), e.Org, e.ID, e.Format, s.headers)
	if err == nil && n == 0 {
		return problem.New(problem.Conflict, "changed_meanwhile", "Somebody else has changed the webhook just now; read it again and repeat.")
	}
	return err
}

func microsOrNil(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

const columns = `e.endpoint_id, e.org_id, e.id, e.url, e.format, e.events, e.description, e.active, e.disabled_reason, e.disabled_at, e.options,
	e.headers, e.secret, e.old_secret, e.old_until, e.revision, e.version, e.created_at, e.updated_at, e.deleted_at, e.grant_no, e.sees, h.failing_since, h.last_error`

const from = ` FROM endpoints e LEFT JOIN endpoint_health h ON h.endpoint_id = e.endpoint_id`

// scan reads an endpoint and opens its secrets. deleted tells whether it is there any more; such a one has no secrets left. damaged says why the
// secrets could not be opened.
func (b *Book) scan(r db.Rows) (e *Endpoint, deleted bool, damaged, err error) {
	e = &Endpoint{}
	var s stored
	var disabledAt, oldUntil, deletedAt, failing *int64
	var lastError *string
	var sees string
	var created, updated int64
	if err := r.Scan(&e.Number, &e.Org, &e.ID, &e.URL, &e.Format, &s.events, &e.Description, &e.Active, &e.Disabled, &disabledAt, &s.options,
		&s.headers, &s.secret, &s.old, &oldUntil, &e.Revision, &e.Version, &created, &updated, &deletedAt, &e.Grant, &sees, &failing, &lastError); err != nil {
		return nil, false, nil, err
	}
	e.DisabledAt, e.OldUntil, e.FailingSince = instant(disabledAt), instant(oldUntil), instant(failing)
	e.CreatedAt, e.UpdatedAt = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	if lastError != nil {
		e.LastError = *lastError
	}
	if e.Sees, err = scope.Parse(sees); err != nil {
		return nil, false, nil, err
	}
	if deletedAt != nil {
		return e, true, nil, nil
	}
	if err := b.open(e, s); err != nil {
		return e, false, fmt.Errorf("endpoint %s: %w", e.ID, err), nil
	}
	return e, false, nil, nil
}

func instant(micros *int64) time.Time {
	if micros == nil {
		return time.Time{}
	}
	return time.UnixMicro(*micros).UTC()
}
