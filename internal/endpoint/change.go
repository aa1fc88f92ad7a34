package endpoint

import (
	"reflect"
	"slices"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Change is what is to be different about an endpoint; nil leaves a thing as it is.
type Change struct {
	URL         *URL
	Events      *[]string
	Description *string
	Active      *bool   // true also lifts what the engine disabled
	Revive      bool    // lifts what the engine disabled, and leaves alone what its owner paused
	Secret      *string // where the format is [Static]: at once, without an overlap; "" sends none
	Format      *string // with another format, the secret stays
	Signature   *string // another scheme needs another key: refused
	Retry       **[]time.Duration
	Redact      *bool
	Headers     *map[string]string
	RateLimit   *int
	Ordered     *bool
}

// Update changes an endpoint. ifVersion is the version that the caller saw, or 0.
func (b *Book) Update(tx *db.Tx, whose Whose, i id.Webhook, c Change, ifVersion int64, by audit.By) (*Endpoint, error) {
	e, err := b.at(tx, whose, i, ifVersion)
	if err != nil {
		return nil, err
	}
	if err := b.changeable(e, c); err != nil {
		return nil, err
	}
	was := *e
	b.apply(e, c)
	if err := b.validate(e, c.Secret != nil); err != nil {
		return nil, err
	}
	if reflect.DeepEqual(*e, was) {
		return e, nil // the version grows with changes only
	}
	if e.Format != was.Format || !slices.Equal(e.Events, was.Events) {
		if err := b.unshared(tx, e); err != nil {
			return nil, err
		}
	}
	if e.Enabled() && !was.Enabled() || e.URL != was.URL {
		// What failed before says nothing about what is sent from now on; without this, the next failure would disable it again.
		if err := forgetHealth(tx, e); err != nil {
			return nil, err
		}
	}
	if err := b.store(tx, e); err != nil {
		return nil, err
	}
	return e, audit.Append(tx, by.Entry(e.Org, "webhook.changed", string(e.ID), map[string]any{"changed": changed(&was, e)}))
}

// changed names what is different about an endpoint, and not what it is now: URLs and headers may hold secrets.
func changed(was, e *Endpoint) []string {
	var names []string
	for _, c := range []struct {
		name string
		is   bool
	}{
		{"url", e.URL != was.URL},
		{"format", e.Format != was.Format},
		{"events", !slices.Equal(e.Events, was.Events)},
		{"description", e.Description != was.Description},
		{"active", e.Enabled() != was.Enabled()},
		{"secret", e.Secret != was.Secret},
		{"options", !reflect.DeepEqual(e.Options, was.Options)},
	} {
		if c.is {
			names = append(names, c.name)
		}
	}
	return names
}

// at returns an endpoint if it is at the version that the caller saw.
func (b *Book) at(tx *db.Tx, whose Whose, i id.Webhook, ifVersion int64) (*Endpoint, error) {
	e, err := b.Get(tx, whose, i)
	if err == nil && ifVersion != 0 && ifVersion != e.Version {
		return nil, problem.New(problem.Precondition, "version_mismatch", "The webhook is at version %d; read it again and repeat.", e.Version)
	}
	return e, err
}

// changeable refuses what would need another key.
func (b *Book) changeable(e *Endpoint, c Change) error {
	v := b.vocabularies[e.Format]
	if c.Signature != nil && chosen(v, *c.Signature) != chosen(v, e.Options.Signature) {
		return problem.Field("/signature", "not_changeable", "Another signature needs another key; make a new webhook with it, then delete this one.")
	}
	if c.Format != nil && e.Options.Signature == v1a && *c.Format != e.Format {
		return problem.Field("/format", "not_changeable", "This webhook signs with a key pair, which %s may not; make a new webhook.", clip(*c.Format))
	}
	if to, known := b.vocabularies[orElse(c.Format, e.Format)]; known && isStatic(to) != isStatic(v) {
		return problem.Field("/format", "not_changeable", "The secret of this webhook serves another purpose in the format %s; make a new webhook.", clip(*c.Format))
	}
	if c.Secret != nil && !isStatic(v) {
		return problem.Field("/secret", "not_changeable", "A webhook in the format %s gets a new secret by rotating it.", e.Format)
	}
	return nil
}

func orElse[T any](v *T, usual T) T {
	if v == nil {
		return usual
	}
	return *v
}

func (b *Book) apply(e *Endpoint, c Change) {
	if c.URL != nil {
		e.URL = c.URL.text
	}
	if c.Format != nil && *c.Format != e.Format {
		e.Format, e.Options.Signature = *c.Format, "" // the new format's first, which the key fits or not: see validate
	}
	set(&e.Events, c.Events)
	set(&e.Description, c.Description)
	set(&e.Options.Retry, c.Retry)
	set(&e.Options.Redact, c.Redact)
	set(&e.Options.Headers, c.Headers)
	set(&e.Options.RateLimit, c.RateLimit)
	set(&e.Options.Ordered, c.Ordered)
	if c.Secret != nil && *c.Secret != e.Secret {
		e.Secret, e.OldSecret, e.OldUntil = *c.Secret, "", time.Time{}
	}
	if c.Revive {
		e.Disabled, e.DisabledAt = "", time.Time{}
	}
	if c.Active != nil {
		e.Active = *c.Active
		if e.Active {
			e.Disabled, e.DisabledAt = "", time.Time{}
		}
	}
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// Rotate gives the endpoint a new secret that is made for it; the old one keeps signing beside it for the overlap, 0 to [MaxOverlap]. Where the format is
// [Static], it fails with a field error: see [Book.RotateTo].
func (b *Book) Rotate(tx *db.Tx, whose Whose, i id.Webhook, overlap time.Duration, by audit.By) (*Endpoint, error) {
	return b.RotateTo(tx, whose, i, "", overlap, by)
}

// RotateTo is Rotate to a secret that is given, where the format is [Static]: a value that nobody has agreed on would be refused by the receiver. Then the old one
// is sent until the end of the overlap, and the new one from there on; where none was sent, the new one is at once. For other formats the secret is empty,
// and is made. What cannot be the secret is a field error of /secret.
func (b *Book) RotateTo(tx *db.Tx, whose Whose, i id.Webhook, secret string, overlap time.Duration, by audit.By) (*Endpoint, error) {
	if overlap < 0 || overlap > MaxOverlap {
		return nil, problem.Field("/overlapSeconds", "out_of_range", "An overlap has 0 to %d seconds.", MaxOverlap/time.Second)
	}
	e, err := b.Get(tx, whose, i)
	if err != nil {
		return nil, err
	}
	was := e.Secret
	old := b.sent(e, tx.Now())
	if err := b.renew(e, secret); err != nil {
		return nil, err
	}
	if secret == was && secret != "" {
		return e, nil
	}
	e.OldSecret, e.OldUntil = "", time.Time{}
	if overlap > 0 && old != "" {
		e.OldSecret, e.OldUntil = old, tx.Now().Add(overlap)
	}
	if err := b.store(tx, e); err != nil {
		return nil, err
	}
	return e, audit.Append(tx, by.Entry(e.Org, "webhook.secret_rotated", string(e.ID), map[string]any{"overlapSeconds": int64(overlap / time.Second)}))
}

// sent is the secret that a rotation replaces: where the format is static and an overlap is under way, the one that the receiver expects still.
func (b *Book) sent(e *Endpoint, now time.Time) string {
	if isStatic(b.vocabularies[e.Format]) && e.OldSecret != "" && now.Before(e.OldUntil) {
		return e.OldSecret
	}
	return e.Secret
}

// renew gives the endpoint a secret: the given one where the format is static, else one that is made.
func (b *Book) renew(e *Endpoint, secret string) error {
	v := b.vocabularies[e.Format]
	switch {
	case !isStatic(v) && secret == "":
		e.Secret = b.newSecret(e)
		return nil
	case !isStatic(v):
		return problem.Field("/secret", "not_allowed", "A new secret is made for a webhook in the format %s; leave this out.", e.Format)
	case secret == "":
		return problem.Field("/secret", "required", "A webhook in the format %s sends a value that its receiver knows; agree on a new one, and give it here.", e.Format)
	}
	var faults problem.Fields
	e.Secret = secret
	validateSecret(v, e, true, &faults)
	return faults.Err()
}

// Delete removes an endpoint and its secrets. What was to be delivered to it is not sent any more. The row stays, for the numbers in its
// deliveries' ids.
func (b *Book) Delete(tx *db.Tx, whose Whose, i id.Webhook, ifVersion int64, by audit.By) error {
	e, err := b.at(tx, whose, i, ifVersion)
	if err != nil {
		return err
	}
	revision, err := tx.Bump()
	if err != nil {
		return err
	}
	return remove(tx, e, revision, by, nil)
}

// remove takes an endpoint out, as of a revision of the configuration.
func remove(tx *db.Tx, e *Endpoint, revision int64, by audit.By, detail map[string]any) error {
	if err := forgetHealth(tx, e); err != nil {
		return err
	}
	_, err := tx.Exec(`UPDATE endpoints SET deleted_at = $1, active = FALSE, options = '{}', headers = NULL, secret = NULL, old_secret = NULL, old_until = NULL,
		revision = $2 WHERE org_id = $3 AND id = $4`, tx.Micros(), revision, e.Org, e.ID)
	if err != nil {
		return err
	}
	return audit.Append(tx, by.Entry(e.Org, "webhook.deleted", string(e.ID), detail))
}
