package org

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// User is a person who can sign in.
type User struct {
	No          int64 // the number that other tables carry
	ID          id.User
	Email       string // as they write it; "" once erased
	Name        string // may be empty
	HasPassword bool
	VerifiedAt  time.Time // when the address was shown to be theirs; zero before
	Version     int64
	CreatedAt   time.Time
	UpdatedAt   time.Time
	ErasedAt    time.Time // zero while there is somebody
}

// UserInput is what a person is made from.
type UserInput struct {
	Email    string
	Name     string // at most 200 characters on one line
	Password Password
	Verified bool // the address is known to be theirs
}

func (in *UserInput) check() error {
	var f problem.Fields
	in.Email, in.Name = strings.TrimSpace(in.Email), strings.TrimSpace(in.Name)
	if !ValidEmail(in.Email) {
		f.Add("/email", "invalid", "Give an e-mail address such as kari@example.com.")
	}
	checkName(in.Name, &f)
	return f.Err()
}

func checkName(name string, f *problem.Fields) {
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > 200 || strings.ContainsFunc(name, unicode.IsControl) {
		f.Add("/name", "invalid", "A name has at most 200 characters on one line.")
	}
}

// Create makes a person. email_taken (409) when there is somebody with the address. by may lack an actor: then people make themselves.
func (p *People) Create(tx *db.Tx, in UserInput, by audit.By) (User, error) {
	if err := in.check(); err != nil {
		return User{}, err
	}
	u := User{
		ID: id.NewUser(), Email: in.Email, Name: in.Name, HasPassword: in.Password.phc != "", Version: 1, CreatedAt: tx.Now(), UpdatedAt: tx.Now(),
	}
	var verified any
	if in.Verified {
		u.VerifiedAt, verified = tx.Now(), tx.Micros()
	}
	var err error
	u.No, err = db.One(tx, db.Value[int64], `INSERT INTO users (id, email, email_lower, name, password, verified_at, version, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $7) ON CONFLICT (email_lower) DO NOTHING RETURNING user_no`,
		u.ID, u.Email, lowered(u.Email), u.Name, in.Password.phc, verified, tx.Micros())
	if errors.Is(err, db.ErrNoRow) {
		return User{}, problem.New(problem.Conflict, "email_taken", "There is somebody with this e-mail address already.")
	}
	if err != nil {
		return User{}, fmt.Errorf("create user: %w", err)
	}
	if by.Actor == "" {
		by.Actor = string(u.ID)
	}
	return u, audit.Append(tx, by.Entry(0, "user.created", string(u.ID), nil))
}

const userColumns = `u.user_no, u.id, u.email, u.name, u.password <> '', u.verified_at, u.version, u.created_at, u.updated_at, u.erased_at`

func scanUser(r db.Rows) (User, error) {
	var u User
	err := scanUserAnd(r, &u)
	return u, err
}

// scanUserAnd scans a user's columns and those that follow them.
func scanUserAnd(r db.Rows, u *User, more ...any) error {
	var row struct {
		email            *string
		verified, erased *int64
		created, updated int64
	}
	if err := r.Scan(append([]any{
		&u.No, &u.ID, &row.email, &u.Name, &u.HasPassword, &row.verified, &u.Version, &row.created, &row.updated, &row.erased,
	}, more...)...); err != nil {
		return err
	}
	if row.email != nil {
		u.Email = *row.email
	}
	u.VerifiedAt, u.ErasedAt = moment(row.verified), moment(row.erased)
	u.CreatedAt, u.UpdatedAt = time.UnixMicro(row.created).UTC(), time.UnixMicro(row.updated).UTC()
	return nil
}

func userBy(q db.Querier, where string, arg any) (User, error) {
	u, err := db.One(q, scanUser, `SELECT `+userColumns+` FROM users u WHERE u.`+where+` = $1`, arg)
	if errors.Is(err, db.ErrNoRow) {
		return User{}, nobodyThere()
	}
	return u, err
}

func nobodyThere() error {
	return problem.New(problem.NotFound, "user_not_found", "There is no such person.")
}

// living finds a person who was not erased; user_not_found.
func living(q db.Querier, no int64) (User, error) {
	u, err := UserByNumber(q, no)
	if err == nil && !u.ErasedAt.IsZero() {
		return User{}, nobodyThere()
	}
	return u, err
}

// UserByID finds a person; user_not_found.
func UserByID(q db.Querier, u id.User) (User, error) { return userBy(q, "id", u) }

// UserByNumber finds a person by number; user_not_found.
func UserByNumber(q db.Querier, no int64) (User, error) { return userBy(q, "user_no", no) }

// UserByEmail finds a person by address, upper and lower case alike; user_not_found.
func UserByEmail(q db.Querier, email string) (User, error) {
	if strings.Contains(email, "\x00") {
		return User{}, nobodyThere() // the database would refuse the question
	}
	return userBy(q, "email_lower", lowered(email))
}

// Users lists all people with an account, the oldest first, without the erased ones.
func Users(q db.Querier) ([]User, error) {
	return db.All(q, scanUser, `SELECT `+userColumns+` FROM users u WHERE u.erased_at IS NULL ORDER BY u.user_no`)
}

// Rename changes a person's name. version is the one that the caller saw, 0 for any; version_mismatch (412).
func (p *People) Rename(tx *db.Tx, user int64, name string, version int64) (User, error) {
	u, err := living(tx, user)
	if err != nil {
		return User{}, err
	}
	if version != 0 && version != u.Version {
		return User{}, mismatch(u.Version)
	}
	name = strings.TrimSpace(name)
	var f problem.Fields
	if checkName(name, &f); len(f) > 0 {
		return User{}, f.Err()
	}
	if name == u.Name {
		return u, nil // the version grows with changes only
	}
	n, err := tx.Exec(`UPDATE users SET name = $1, version = version + 1, updated_at = $2 WHERE user_no = $3 AND version = $4`, name, tx.Micros(), user, u.Version)
	if err != nil {
		return User{}, fmt.Errorf("rename: %w", err)
	}
	if n == 0 { // another node was faster
		return User{}, mismatch(u.Version + 1)
	}
	u.Name, u.UpdatedAt, u.Version = name, tx.Now(), u.Version+1
	return u, nil
}

func mismatch(version int64) error {
	return problem.New(problem.Precondition, "version_mismatch", "The profile is at version %d; read it again and repeat.", version)
}

// SetPassword replaces a person's password: all their sessions but the one kept (0 for none) end, and so do all tokens of apps and reset links.
// What was counted against the account is forgotten.
func (p *People) SetPassword(tx *db.Tx, user int64, password Password, keep int64, by audit.By) error {
	u, err := living(tx, user)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(`UPDATE users SET password = $1, version = version + 1, updated_at = $2 WHERE user_no = $3`, password.phc, tx.Micros(), user); err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	if err := forget(tx, p.accountName(u.Email)); err != nil {
		return err
	}
	if err := endSessions(tx, user, keep); err != nil {
		return err
	}
	if err := voidLinks(tx, user, Reset); err != nil {
		return err
	}
	if p.Apps != nil {
		if err := p.Apps.SignOut(tx, user, "password_changed"); err != nil {
			return err
		}
	}
	return p.record(tx, u, "password.changed", by, nil)
}

// Verify notes that the person's address is theirs. Twice is fine.
func (p *People) Verify(tx *db.Tx, user int64) error {
	_, err := tx.Exec(`UPDATE users SET verified_at = $1, version = version + 1, updated_at = $1 WHERE user_no = $2 AND verified_at IS NULL AND erased_at IS NULL`, tx.Micros(), user)
	return err
}

// record writes an entry about a person into the log of each organisation that they belong to; into nobody's where there is none.
func (p *People) record(tx *db.Tx, u User, action string, by audit.By, detail map[string]any) error {
	orgs, err := db.All(tx, db.Value[int64], `SELECT org_id FROM members WHERE user_no = $1 ORDER BY org_id`, u.No)
	if err != nil {
		return err
	}
	if len(orgs) == 0 {
		orgs = []int64{0}
	}
	for _, o := range orgs {
		if err := audit.Append(tx, by.Entry(o, action, string(u.ID), detail)); err != nil {
			return err
		}
	}
	return nil
}
