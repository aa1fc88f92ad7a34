package gate

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Gate is a place where people go in or out.
type Gate struct {
	No        int64
	ID        id.Gate
	Name      string // no two of an organisation have the same, upper and lower case alike
	Version   int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

const selectGate = `SELECT gate_no, id, name, version, created_at, updated_at FROM gates `

func scanGate(r db.Rows) (Gate, error) {
	var g Gate
	var created, updated int64
	err := r.Scan(&g.No, &g.ID, &g.Name, &g.Version, &created, &updated)
	g.CreatedAt, g.UpdatedAt = moment(created), moment(updated)
	return g, err
}

// Gates lists the gates of an organisation, the oldest first.
func Gates(q db.Querier, org int64) ([]Gate, error) {
	all, err := db.All(q, scanGate, selectGate+`WHERE org_id = $1 AND deleted_at IS NULL ORDER BY gate_no`, org)
	if err != nil {
		return nil, fmt.Errorf("gates: %w", err)
	}
	return all, nil
}

// GateByID finds a gate; gate_not_found.
func GateByID(q db.Querier, org int64, gate id.Gate) (Gate, error) {
	g, err := db.One(q, scanGate, selectGate+`WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL`, org, gate)
	if errors.Is(err, db.ErrNoRow) {
		return Gate{}, problem.New(problem.NotFound, "gate_not_found", "There is no such gate here.")
	}
	if err != nil {
		return Gate{}, fmt.Errorf("load gate: %w", err)
	}
	return g, nil
}

// named finds the gate that a scan names, by its id or its name. A name that no gate has is taken as it is; an id that none has is a field error.
func named(q db.Querier, org int64, text string) (Gate, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return Gate{}, nil
	case !line(text, 100):
		return Gate{}, problem.Field("/gate", "invalid", "Give a gate's id, or a name of at most 100 characters on one line, without @.")
	case strings.HasPrefix(text, "gat_"):
		g, err := GateByID(q, org, id.Gate(text))
		if problem.Is(err, "gate_not_found") {
			err = problem.Field("/gate", "unknown_gate", "There is no gate with this id.")
		}
		return g, err
	}
	g, err := db.One(q, scanGate, selectGate+`WHERE org_id = $1 AND name_lower = $2 AND deleted_at IS NULL`, org, strings.ToLower(text))
	if errors.Is(err, db.ErrNoRow) {
		return Gate{Name: text}, nil
	}
	return g, err
}

// checkGates notes ids that no gate has.
func checkGates(q db.Querier, org int64, f *problem.Fields, gates []id.Gate) error {
	if len(gates) == 0 {
		return nil
	}
	all, err := Gates(q, org)
	if err != nil {
		return err
	}
	known := make(map[id.Gate]bool, len(all))
	for _, g := range all {
		known[g.ID] = true
	}
	for i, g := range gates {
		if !known[g] {
			f.Add(fmt.Sprintf("/gates/%d", i), "unknown_gate", "There is no gate with this id.")
		}
	}
	return nil
}

func checkName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" || strings.HasPrefix(name, "gat_") || !line(name, 100) {
		return "", problem.Field("/name", "invalid", "Give a name of 1 to 100 characters on one line, without @.")
	}
	return name, nil
}

// free fails with gate_exists for a name that another gate has.
func free(q db.Querier, org int64, name string, but int64) error {
	n, err := db.One(q, db.Value[int], `SELECT count(*) FROM gates WHERE org_id = $1 AND name_lower = $2 AND deleted_at IS NULL AND gate_no <> $3`,
		org, strings.ToLower(name), but)
	if err == nil && n > 0 {
		err = problem.New(problem.Conflict, "gate_exists", "Another gate has this name.")
	}
	return err
}

// CreateGate makes a gate; gate_exists (409).
func CreateGate(tx *db.Tx, org int64, name string) (Gate, error) {
	name, err := checkName(name)
	if err != nil {
		return Gate{}, err
	}
	if err := free(tx, org, name, 0); err != nil {
		return Gate{}, err
	}
	g := Gate{ID: id.NewGate(), Name: name, Version: 1, CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
	_, err = tx.Exec(`INSERT INTO gates (org_id, id, name, name_lower, version, created_at, updated_at) VALUES ($1, $2, $3, $4, 1, $5, $5)`,
		org, g.ID, name, strings.ToLower(name), tx.Micros())
	if err != nil {
		return Gate{}, fmt.Errorf("create gate: %w", err)
	}
	return g, nil
}

// RenameGate gives a gate another name. What has come through it keeps the old one. It fails with gate_not_found, version_mismatch and gate_exists.
func RenameGate(tx *db.Tx, org int64, gate id.Gate, name string, version int64) (Gate, error) {
	g, err := GateByID(tx, org, gate)
	if err == nil {
		err = fresh("gate", g.Version, version)
	}
	if err == nil {
		name, err = checkName(name)
	}
	if err == nil {
		err = free(tx, org, name, g.No)
	}
	if err != nil {
		return Gate{}, err
	}
	g.Name, g.UpdatedAt = name, tx.Now()
	g.Version++
	_, err = tx.Exec(`UPDATE gates SET name = $1, name_lower = $2, version = $3, updated_at = $4 WHERE gate_no = $5 AND org_id = $6`,
		name, strings.ToLower(name), g.Version, tx.Micros(), g.No, org)
	return g, err
}

// DeleteGate ends a gate; lists and devices that name it admit nobody through it any more. It fails with gate_not_found and version_mismatch.
func DeleteGate(tx *db.Tx, org int64, gate id.Gate, version int64) error {
	g, err := GateByID(tx, org, gate)
	if err == nil {
		err = fresh("gate", g.Version, version)
	}
	if err != nil {
		return err
	}
	_, err = tx.Exec(`UPDATE gates SET deleted_at = $1 WHERE gate_no = $2 AND org_id = $3`, tx.Micros(), g.No, org)
	return err
}
