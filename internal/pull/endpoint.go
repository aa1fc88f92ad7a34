package pull

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/provider"
)

// Whose says whose endpoints are meant. Others are not there.
type Whose struct {
	Org   int64
	Grant int64 // those that an app made on this grant; 0 for all of the organisation, which apps made too
}

// Bounds of what can be chosen, as the pull endpoints' specification has them where it says any.
const (
	MaxName        = 255 // characters
	MaxDescription = 500 // characters
	MaxRetention   = 365 // days
	DefaultDays    = 30  // days, where an owner says nothing
	DefaultCode    = 202 // where an owner says nothing
)

// Settings are what an owner chooses. The zero Settings take everything in and check nothing but the URL's secret.
type Settings struct {
	Name          string
	Description   string
	RetentionDays int                // 1 to [MaxRetention]; 0 for [DefaultDays]
	EventType     provider.EventType // where an event's type is found; the zero value finds none
	Scheme        provider.Scheme    // how senders prove who they are; see Verify
	Verify        provider.Verify    // what of the scheme is checked
	DedupHeaders  []string           // whose values are an event's key
	ResponseCode  int                // 200 to 299; 0 for [DefaultCode]
	Forward       id.Webhook         // of the format [ForwardFormat], that each event is handed on to; "" for none
}

// Endpoint is a pull endpoint.
type Endpoint struct {
	Whose
	No int64 // inside
	ID id.PullEndpoint
	Settings
	Paused    bool
	Version   int64 // grows with each change
	CreatedAt time.Time
	UpdatedAt time.Time

	forward int64  // the number of Forward, 0 for none
	secret  []byte // SHA-256 of the URL's
	deleted bool
}

// Retention is how long the endpoint keeps events.
func (e *Endpoint) Retention() time.Duration {
	days := e.RetentionDays
	if days == 0 {
		days = DefaultDays
	}
	return time.Duration(days) * 24 * time.Hour
}

// effect is what of the scheme is checked.
func (e *Endpoint) effect() provider.Scheme { return e.Scheme.Only(e.Verify) }

// Code is the status of the answer to a request that was taken.
func (e *Endpoint) Code() int {
	if e.ResponseCode == 0 {
		return DefaultCode
	}
	return e.ResponseCode
}

// HasToken tells whether a static token is known.
func (e *Endpoint) HasToken() bool { return len(e.Scheme.Token.SHA256) > 0 }

// HasSecret tells whether a signing secret is known.
func (e *Endpoint) HasSecret() bool { return e.Scheme.HMAC.Secret != "" }

// Check tells everything that is wrong with settings: Invalid, with pointers that are the fields' names in the pull endpoints' specification.
func (s Settings) Check() error {
	var faults problem.Fields
	if utf8.RuneCountInString(s.Name) > MaxName {
		faults.Add("/name", "too_long", "A name has %d characters at most.", MaxName)
	}
	if utf8.RuneCountInString(s.Description) > MaxDescription {
		faults.Add("/description", "too_long", "A description has %d characters at most.", MaxDescription)
	}
	if s.RetentionDays < 0 || s.RetentionDays > MaxRetention {
		faults.Add("/retention_days", "out_of_range", "Events are kept for 1 to %d days.", MaxRetention)
	}
	if s.ResponseCode != 0 && (s.ResponseCode < 200 || s.ResponseCode > 299) {
		faults.Add("/ingest_response_code", "out_of_range", "What was taken is answered with a status from 200 to 299.")
	}
	for _, err := range []error{s.EventType.Validate(), s.Scheme.Validate(s.Verify), provider.ValidateDedup(s.DedupHeaders)} {
		if p := problem.As(err); p != nil {
			faults = append(faults, p.Fields...)
		} else if err != nil {
			return err
		}
	}
	return faults.Err()
}

// stored are the settings that have no column of their own.
type stored struct {
	EventType    provider.EventType `json:"eventType,omitzero"`
	Provider     string             `json:"provider,omitempty"`
	TokenHeader  string             `json:"tokenHeader,omitempty"`
	TokenQuery   string             `json:"tokenQuery,omitempty"`
	HMACHeader   string             `json:"hmacHeader,omitempty"`
	TimeHeader   string             `json:"timeHeader,omitempty"`
	TTL          time.Duration      `json:"ttl,omitempty"`
	Networks     []netip.Prefix     `json:"networks,omitempty"`
	Verify       provider.Verify    `json:"verify,omitzero"`
	DedupHeaders []string           `json:"dedupHeaders,omitempty"`
	ResponseCode int                `json:"responseCode,omitempty"`
	Forward      id.Webhook         `json:"forward,omitempty"`
	ForwardNo    int64              `json:"forwardNo,omitempty"`
}

// row is what the settings are stored as.
type row struct {
	settings    string
	token, hmac []byte
	retention   int64
}

func (d *Depot) row(e *Endpoint) (row, error) {
	text, err := json.Marshal(stored{
		e.EventType, e.Scheme.Provider, e.Scheme.Token.Header, e.Scheme.Token.Query, e.Scheme.HMAC.Header, e.Scheme.HMAC.TimestampHeader, e.Scheme.HMAC.TTL,
		e.Scheme.Networks, e.Verify, e.DedupHeaders, e.ResponseCode, e.Forward, e.forward,
	})
	r := row{settings: string(text), token: e.Scheme.Token.SHA256, retention: e.Retention().Microseconds()}
	if e.HasSecret() {
		r.hmac = d.config.Keys.Seal([]byte(e.Scheme.HMAC.Secret), secretContext(e.ID))
	}
	return r, err
}

// secretContext is what an endpoint's signing secret is sealed for.
func secretContext(i id.PullEndpoint) string { return "pull endpoint secret " + string(i) }

const endpointColumns = `endpoint_no, org_id, grant_no, id, secret, name, description, days, settings, token, hmac, paused, version, created_at, updated_at, deleted_at`

func (d *Depot) scanEndpoint(r db.Rows) (*Endpoint, error) {
	e := &Endpoint{}
	var settings string
	var token, hmac []byte
	var created, updated int64
	var deleted *int64
	err := r.Scan(&e.No, &e.Org, &e.Grant, &e.ID, &e.secret, &e.Name, &e.Description, &e.RetentionDays, &settings, &token, &hmac, &e.Paused, &e.Version, &created,
		&updated, &deleted)
	if err != nil {
		return nil, err
	}
	e.CreatedAt, e.UpdatedAt, e.deleted = instant(created), instant(updated), deleted != nil
	var s stored
	if err := json.Unmarshal([]byte(settings), &s); err != nil {
		return nil, fmt.Errorf("settings of pull endpoint %s: %w", e.ID, err)
	}
	e.EventType, e.Verify, e.DedupHeaders, e.ResponseCode = s.EventType, s.Verify, s.DedupHeaders, s.ResponseCode
	e.Forward, e.forward = s.Forward, s.ForwardNo
	e.Scheme = provider.Scheme{
		Provider: s.Provider, Networks: s.Networks, Token: provider.Token{Header: s.TokenHeader, Query: s.TokenQuery, SHA256: token},
		HMAC: provider.HMAC{Header: s.HMACHeader, TimestampHeader: s.TimeHeader, TTL: s.TTL},
	}
	if hmac != nil {
		plain, err := d.config.Keys.Open(hmac, secretContext(e.ID))
		if err != nil {
			return nil, fmt.Errorf("secret of pull endpoint %s: %w", e.ID, err)
		}
		e.Scheme.HMAC.Secret = string(plain)
	}
	return e, nil
}

func instant(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

func notFound() error {
	return problem.New(problem.NotFound, "pull_endpoint_not_found", "There is no such pull endpoint here.")
}

// theirs is the condition that goes with [Whose]: $1 is the organisation, $2 the grant.
const theirs = `org_id = $1 AND (grant_no = $2 OR $2 = 0) AND deleted_at IS NULL`

// Create makes an endpoint. secretToken is the secret of its URL, which is not shown again. An organisation that has as many as it may gets a Conflict.
func (d *Depot) Create(tx *db.Tx, w Whose, s Settings, by audit.By) (e *Endpoint, secretToken string, err error) {
	if err := s.Check(); err != nil {
		return nil, "", err
	}
	n, err := db.One(tx, db.Value[int], `SELECT count(*) FROM pull_endpoints WHERE org_id = $1 AND deleted_at IS NULL`, w.Org)
	if err != nil {
		return nil, "", err
	}
	if n >= d.config.MaxEndpoints {
		return nil, "", problem.New(problem.Conflict, "too_many_pull_endpoints", "The organisation has %d pull endpoints, which is the most; delete one first.", n)
	}
	secretToken = id.Secret("sdi_")
	now := d.now(tx)
	e = &Endpoint{Whose: w, ID: id.NewPullEndpoint(), Settings: s, Version: 1, CreatedAt: now, UpdatedAt: now, secret: hash(secretToken)}
	if err := d.aim(tx, e); err != nil {
		return nil, "", err
	}
	r, err := d.row(e)
	if err != nil {
		return nil, "", err
	}
	e.No, err = db.One(tx, db.Value[int64], `INSERT INTO pull_endpoints (org_id, grant_no, id, secret, name, description, days, retention, settings, token, hmac, paused,
		version, created_at, updated_at, cleared) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, FALSE, 1, $12, $12, FALSE) RETURNING endpoint_no`,
		w.Org, w.Grant, e.ID, e.secret, s.Name, s.Description, s.RetentionDays, r.retention, r.settings, r.token, r.hmac, now.UnixMicro())
	if err != nil {
		return nil, "", err
	}
	d.forget(tx, e.ID)
	return e, secretToken, audit.Append(tx, by.Entry(w.Org, "pull_endpoint.created", string(e.ID), nil))
}

// Get returns an endpoint, or a NotFound problem.
func (d *Depot) Get(q db.Querier, w Whose, i id.PullEndpoint) (*Endpoint, error) {
	return d.get(q, w, i, "")
}

func (d *Depot) get(q db.Querier, w Whose, i id.PullEndpoint, lock string) (*Endpoint, error) {
	e, err := db.One(q, d.scanEndpoint, `SELECT `+endpointColumns+` FROM pull_endpoints WHERE `+theirs+` AND id = $3 `+lock, w.Org, w.Grant, i)
	if errors.Is(err, db.ErrNoRow) {
		return nil, notFound()
	}
	return e, err
}

// List returns up to limit endpoints, oldest first, and whether there are more. after is the No of the last of the page before, 0 for the first page.
func (d *Depot) List(q db.Querier, w Whose, after int64, limit int) (page []*Endpoint, more bool, err error) {
	page, err = db.All(q, d.scanEndpoint, `SELECT `+endpointColumns+` FROM pull_endpoints WHERE `+theirs+` AND endpoint_no > $3 ORDER BY endpoint_no LIMIT $4`,
		w.Org, w.Grant, after, limit+1)
	return cut(page, limit, err)
}

// cut takes what was read beyond a page off it.
func cut[T any](page []T, limit int, err error) ([]T, bool, error) {
	if err != nil {
		return nil, false, err
	}
	if len(page) > limit {
		return page[:limit], true, nil
	}
	return page, false, nil
}

// at is Get for a change, if the endpoint is at the version that the caller saw, or that is 0.
func (d *Depot) at(tx *db.Tx, w Whose, i id.PullEndpoint, ifVersion int64) (*Endpoint, error) {
	e, err := d.get(tx, w, i, "/*for update*/")
	if err == nil && ifVersion != 0 && ifVersion != e.Version {
		return nil, problem.New(problem.Precondition, "version_mismatch", "The pull endpoint is at version %d; read it again and repeat.", e.Version)
	}
	return e, err
}

// Update has change alter an endpoint's settings. They hold the token's hash and the secret that are known; what change leaves alone stays. ifVersion is the
// version that the caller saw, or 0. The version grows with changes only.
func (d *Depot) Update(tx *db.Tx, w Whose, i id.PullEndpoint, change func(*Settings) error, ifVersion int64, by audit.By) (*Endpoint, error) {
	e, err := d.at(tx, w, i, ifVersion)
	if err != nil {
		return nil, err
	}
	was := e.Settings
	e.DedupHeaders, e.Scheme.Networks = slices.Clone(e.DedupHeaders), slices.Clone(e.Scheme.Networks)
	if err := change(&e.Settings); err != nil {
		return nil, err
	}
	if err := e.Check(); err != nil {
		return nil, err
	}
	if reflect.DeepEqual(was, e.Settings) {
		return e, nil
	}
	if was.Forward != e.Forward {
		if err := d.aim(tx, e); err != nil {
			return nil, err
		}
	}
	e.Version++
	e.UpdatedAt = d.now(tx)
	r, err := d.row(e)
	if err != nil {
		return nil, err
	}
	if _, err := tx.Exec(`UPDATE pull_endpoints SET name = $1, description = $2, days = $3, retention = $4, settings = $5, token = $6, hmac = $7, version = $8, updated_at = $9
		WHERE endpoint_no = $10 AND org_id = $11`, e.Name, e.Description, e.RetentionDays, r.retention, r.settings, r.token, r.hmac, e.Version, e.UpdatedAt.UnixMicro(),
		e.No, e.Org); err != nil {
		return nil, err
	}
	d.forget(tx, e.ID)
	return e, audit.Append(tx, by.Entry(e.Org, "pull_endpoint.changed", string(e.ID), map[string]any{"changed": changed(was, e.Settings)}))
}

// changed names what is different about settings, and not what it is now.
func changed(was, is Settings) []string {
	var names []string
	for _, c := range []struct {
		name string
		is   bool
	}{
		{"name", was.Name != is.Name},
		{"description", was.Description != is.Description},
		{"retention", was.RetentionDays != is.RetentionDays},
		{"event type", was.EventType != is.EventType},
		{"verification", !reflect.DeepEqual(was.Scheme, is.Scheme) || was.Verify != is.Verify},
		{"dedup headers", !slices.Equal(was.DedupHeaders, is.DedupHeaders)},
		{"response code", was.ResponseCode != is.ResponseCode},
		{"forward", was.Forward != is.Forward},
	} {
		if c.is {
			names = append(names, c.name)
		}
	}
	return names
}

// Pause has an endpoint refuse what is sent to it; what it keeps stays. Pausing twice is fine.
func (d *Depot) Pause(tx *db.Tx, w Whose, i id.PullEndpoint, by audit.By) (*Endpoint, error) {
	return d.pause(tx, w, i, true, by)
}

// Resume ends what Pause began.
func (d *Depot) Resume(tx *db.Tx, w Whose, i id.PullEndpoint, by audit.By) (*Endpoint, error) {
	return d.pause(tx, w, i, false, by)
}

func (d *Depot) pause(tx *db.Tx, w Whose, i id.PullEndpoint, to bool, by audit.By) (*Endpoint, error) {
	e, err := d.at(tx, w, i, 0)
	if err != nil || e.Paused == to {
		return e, err
	}
	e.Paused, e.UpdatedAt = to, d.now(tx)
	e.Version++
	if _, err := tx.Exec(`UPDATE pull_endpoints SET paused = $1, version = $2, updated_at = $3 WHERE endpoint_no = $4 AND org_id = $5`,
		to, e.Version, e.UpdatedAt.UnixMicro(), e.No, e.Org); err != nil {
		return nil, err
	}
	d.forget(tx, e.ID)
	action := "pull_endpoint.resumed"
	if to {
		action = "pull_endpoint.paused"
	}
	return e, audit.Append(tx, by.Entry(e.Org, action, string(e.ID), nil))
}

// Delete ends an endpoint: it takes nothing any more, and what it keeps is out of reach at once. [Depot.Run] removes that.
func (d *Depot) Delete(tx *db.Tx, w Whose, i id.PullEndpoint, ifVersion int64, by audit.By) error {
	e, err := d.at(tx, w, i, ifVersion)
	if err != nil {
		return err
	}
	return d.end(tx, e.Org, e.No, e.ID, by, nil)
}

func (d *Depot) end(tx *db.Tx, org, no int64, i id.PullEndpoint, by audit.By, detail map[string]any) error {
	if _, err := tx.Exec(`UPDATE pull_endpoints SET deleted_at = $1, secret = NULL, token = NULL, hmac = NULL, settings = '{}', name = '', description = ''
		WHERE endpoint_no = $2 AND org_id = $3`, d.now(tx).UnixMicro(), no, org); err != nil {
		return err
	}
	d.forget(tx, i)
	tx.OnCommit(d.sweepSoon)
	return audit.Append(tx, by.Entry(org, "pull_endpoint.deleted", string(i), detail))
}

// EndGrant ends the endpoints that an app made on a grant, with all that they keep.
func (d *Depot) EndGrant(tx *db.Tx, org, grant int64, by audit.By) error {
	if grant == 0 {
		return nil
	}
	type owned struct {
		no int64
		id id.PullEndpoint
	}
	all, err := db.All(tx, func(r db.Rows) (o owned, err error) { return o, r.Scan(&o.no, &o.id) },
		`SELECT endpoint_no, id FROM pull_endpoints WHERE org_id = $1 AND grant_no = $2 AND grant_no <> 0 AND deleted_at IS NULL`, org, grant)
	if err != nil {
		return err
	}
	for _, o := range all {
		if err := d.end(tx, org, o.no, o.id, by, map[string]any{"reason": "grant_ended"}); err != nil {
			return err
		}
	}
	return nil
}
