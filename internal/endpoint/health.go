package endpoint

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// An endpoint that gives nothing but failures has a row in endpoint_health, which is what all nodes go by: it says since when, and a
// success that any of them sees takes it away.

// NoteFailure writes down that an attempt failed, and tells the endpoint's owner with a fact once nothing but failures has gone on for longer
// than patience. It returns how long that is now.
func (b *Book) NoteFailure(tx *db.Tx, e *Endpoint, lastError string, patience time.Duration) (failing time.Duration, err error) {
	type row struct {
		since int64
		told  bool
	}
	was, err := db.One(tx, func(r db.Rows) (v row, err error) { return v, r.Scan(&v.since, &v.told) },
		`INSERT INTO endpoint_health (endpoint_id, org_id, failing_since, last_error, told)
			SELECT endpoint_id, org_id, $2, $3, FALSE FROM endpoints WHERE endpoint_id = $1 AND deleted_at IS NULL
			ON CONFLICT (endpoint_id) DO UPDATE SET last_error = excluded.last_error RETURNING failing_since, told`,
		e.Number, tx.Micros(), lastError)
	if errors.Is(err, db.ErrNoRow) {
		return 0, nil // it has been deleted
	}
	if err != nil {
		return 0, err
	}
	since := time.UnixMicro(was.since).UTC()
	failing = tx.Now().Sub(since)
	if was.told || failing < patience {
		return failing, nil
	}
	if _, err := tx.Exec("UPDATE endpoint_health SET told = TRUE WHERE endpoint_id = $1", e.Number); err != nil {
		return 0, err
	}
	now := *e
	now.LastError = lastError
	return failing, b.tell(tx, &now, fact.EndpointFailing, since)
}

// Failing tells whether failures have been noted since the last success.
func (b *Book) Failing(q db.Querier, number int64) (bool, error) {
	_, err := db.One(q, db.Value[int64], "SELECT endpoint_id FROM endpoint_health WHERE endpoint_id = $1", number)
	if errors.Is(err, db.ErrNoRow) {
		return false, nil
	}
	return err == nil, err
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

// forgetHealth begins anew without telling anybody.
func forgetHealth(tx *db.Tx, e *Endpoint) error {
	e.FailingSince, e.LastError = time.Time{}, ""
	_, err := tx.Exec("DELETE FROM endpoint_health WHERE endpoint_id = $1", e.Number)
	return err
}

// GiveUp disables an endpoint that has given nothing but failures for so long. It does nothing for one that has recovered meanwhile.
func (b *Book) GiveUp(tx *db.Tx, number int64, after time.Duration) error {
	e, err := b.byNumber(tx, number)
	if errors.Is(err, db.ErrNoRow) || err == nil && (e.FailingSince.IsZero() || tx.Now().Sub(e.FailingSince) < after) {
		return nil
	}
	if err != nil {
		return err
	}
	return b.disable(tx, e, Failing)
}

// Disable turns an endpoint off for the engine's own reasons and tells so with a fact. It does nothing for one that is off already.
func (b *Book) Disable(tx *db.Tx, number int64, why Reason) error {
	e, err := b.byNumber(tx, number)
	if errors.Is(err, db.ErrNoRow) {
		return nil
	}
	if err != nil {
		return err
	}
	return b.disable(tx, e, why)
}

func (b *Book) disable(tx *db.Tx, e *Endpoint, why Reason) error {
	if !e.Enabled() {
		return nil
	}
	e.Disabled, e.DisabledAt = why, tx.Now()
	if err := b.store(tx, e); err != nil {
		return err
	}
	return b.tell(tx, e, fact.EndpointDisabled, e.DisabledAt)
}

// tell appends a fact about an endpoint.
func (b *Book) tell(tx *db.Tx, e *Endpoint, k fact.Kind, at time.Time) error {
	data, err := json.Marshal(struct {
		WebhookID string `json:"webhookId"`
		URL       string `json:"url"`
		Format    string `json:"format"`
		Reason    string `json:"reason,omitempty"`
		Since     string `json:"since"`
		LastError string `json:"lastError,omitempty"`
	}{string(e.ID), e.URL, e.Format, string(e.Disabled), at.Format(time.RFC3339Nano), e.LastError})
	if err != nil {
		return err
	}
	return b.ledger.Append(tx, &fact.Fact{Org: e.Org, Kind: k, Subject: string(e.ID), Version: e.Version, Data: data})
}

// Ping appends the fact that has a test delivery sent to the endpoint, whatever it subscribed to. It fails with webhook_inactive and, where the format has no name for
// it, with no_test_delivery (409).
func (b *Book) Ping(tx *db.Tx, whose Whose, i id.Webhook) (*fact.Fact, error) {
	e, err := b.Get(tx, whose, i)
	if err != nil {
		return nil, err
	}
	if !e.Enabled() {
		return nil, problem.New(problem.Conflict, "webhook_inactive", "The webhook is not active; set active to true before testing it.")
	}
	if v := b.vocabularies[e.Format]; v != nil {
		if _, ok := v.Name(fact.EndpointPinged); !ok {
			return nil, problem.New(problem.Conflict, "no_test_delivery", "The format %s has no test deliveries; have one of its events happen: %s.", e.Format, strings.Join(v.Events(), ", "))
		}
	}
	data, err := json.Marshal(map[string]any{"webhookId": e.ID, "test": true, "message": "A test delivery, asked for by the endpoint's owner."})
	if err != nil {
		return nil, err
	}
	f := &fact.Fact{Org: e.Org, Kind: fact.EndpointPinged, Subject: string(e.ID), Version: e.Version, Data: data, Only: e.Number}
	return f, b.ledger.Append(tx, f)
}
