// Package audit keeps the log of what matters to whoever answers for an organisation: who signed in, who made and ended keys, apps and grants, which
// secrets were shown or replaced, what was sent again and what was deleted.
//
// An [Entry] is written by [Append] in the transaction that does what it tells of, so one is there exactly when the other is. It holds ids and never a
// name, an e-mail address or a secret. The only thing about a person in it is the network address, which goes with the person: see [Erase].
//
// The log is for people who ask afterwards. Programs that want to hear of things as they happen subscribe to facts.
package audit

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

// Operator is the actor of commands.
const Operator = "operator"

// Entry is one thing that was done.
type Entry struct {
	No      int64 // given by the log; later entries have higher ones
	Org     int64 // 0 where it concerns no organisation
	At      time.Time
	Action  string         // noun and participle: "key.created"
	Actor   string         // the id of a person or credential, [Operator], or "" for nobody who is known
	Subject string         // the id of what it was done to
	Address string         // the client's network address, "" for none
	Detail  map[string]any // what else there is to know: ids, names of scopes, reasons
}

// By says who did something, and from where.
type By struct {
	Actor   string // as in [Entry]
	Address string
}

// Entry is the entry of something that was done by them.
func (b By) Entry(org int64, action, subject string, detail map[string]any) Entry {
	return Entry{Org: org, Action: action, Actor: b.Actor, Subject: subject, Address: b.Address, Detail: detail}
}

// Append writes entries. Their numbers and instants are the transaction's.
func Append(tx *db.Tx, entries ...Entry) error {
	for _, e := range entries {
		if e.Detail == nil {
			e.Detail = map[string]any{}
		}
		detail, err := json.Marshal(e.Detail)
		if err != nil {
			return fmt.Errorf("audit entry %s: %w", e.Action, err)
		}
		err = tx.Later(`INSERT INTO audit_entries (org_id, at, action, actor, subject, address, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			e.Org, tx.Micros(), e.Action, e.Actor, e.Subject, e.Address, string(detail))
		if err != nil {
			return fmt.Errorf("audit entry %s: %w", e.Action, err)
		}
	}
	return nil
}

// Filter says which entries of an organisation are wanted. The zero value of a field means all.
type Filter struct {
	Action  string
	Actor   string
	Subject string
	Since   time.Time // at or after
	Until   time.Time // before
	Before  int64     // entries with lower numbers
	Limit   int       // at least 1
}

// List returns entries, newest first.
func List(q db.Querier, org int64, f Filter) ([]Entry, error) {
	until := int64(1<<62 - 1)
	if !f.Until.IsZero() {
		until = f.Until.UnixMicro()
	}
	since := int64(0)
	if !f.Since.IsZero() {
		since = f.Since.UnixMicro()
	}
	before := f.Before
	if before == 0 {
		before = 1<<62 - 1
	}
	from, before, err := between(q, f, before)
	if err != nil {
		return nil, err
	}
	sql, args := selectEntries, []any{org, before, since, until, f.Limit}
	if from > 0 {
		sql, args = sql+` AND entry_no >= $6`, append(args, from)
	}
	for _, c := range []struct{ column, value string }{{"action", f.Action}, {"actor", f.Actor}, {"subject", f.Subject}} {
		if c.value != "" { // each has an index, which a condition that may be off does not get
			args = append(args, c.value)
			sql += fmt.Sprintf(" AND %s = $%d", c.column, len(args))
		}
	}
	return db.All(q, scan, sql+` ORDER BY entry_no DESC LIMIT $5`, args...)
}

// between returns numbers between which all entries of the filter's time have theirs, so that what is outside is not looked at. Entries are a little out of order.
func between(q db.Querier, f Filter, before int64) (from, to int64, err error) {
	if f.Since.IsZero() && f.Until.IsZero() {
		return 0, before, nil
	}
	newest, err := db.One(q, db.Value[*int64], `SELECT max(entry_no) FROM audit_entries`)
	if err != nil || newest == nil {
		return 0, before, err
	}
	const first = `SELECT entry_no, at FROM audit_entries WHERE entry_no >= $1 ORDER BY entry_no LIMIT 1`
	if !f.Since.IsZero() {
		if from, _, err = db.Bisect(q, *newest, f.Since.Add(-time.Hour).UnixMicro(), first); err != nil {
			return 0, 0, err
		}
	}
	if !f.Until.IsZero() {
		_, to, err = db.Bisect(q, *newest, f.Until.Add(time.Hour).UnixMicro(), first)
		before = min(before, to)
	}
	return from, before, err
}

const selectEntries = `SELECT entry_no, org_id, at, action, actor, subject, address, detail FROM audit_entries
	WHERE org_id = $1 AND entry_no < $2 AND at >= $3 AND at < $4`

func scan(r db.Rows) (Entry, error) {
	var e Entry
	var at int64
	var detail string
	if err := r.Scan(&e.No, &e.Org, &at, &e.Action, &e.Actor, &e.Subject, &e.Address, &detail); err != nil {
		return Entry{}, err
	}
	e.At = time.UnixMicro(at).UTC()
	return e, json.Unmarshal([]byte(detail), &e.Detail)
}

// Erase blanks the network addresses in up to limit entries that tell of what a person did, or of somebody who tried to sign in as them, and returns in how
// many. org is 0 for all organisations.
func Erase(tx *db.Tx, org int64, person string, limit int) (int, error) {
	if person == "" {
		return 0, nil
	}
	n, err := tx.Exec(`UPDATE audit_entries SET address = '' WHERE entry_no IN (SELECT entry_no FROM audit_entries
		WHERE (actor = $1 OR actor = '' AND subject = $1) AND address <> '' AND (org_id = $2 OR $2 = 0) LIMIT $3)`, person, org, limit)
	if err != nil {
		return 0, fmt.Errorf("erase addresses in the audit log: %w", err)
	}
	return int(n), nil
}

// About lists the newest entries of an organisation that a person did or that are about them.
func About(q db.Querier, org int64, person string, limit int) ([]Entry, error) {
	return db.All(q, scan, `SELECT entry_no, org_id, at, action, actor, subject, address, detail FROM audit_entries
		WHERE org_id = $1 AND (actor = $2 OR subject = $2) ORDER BY entry_no DESC LIMIT $3`, org, person, limit)
}
