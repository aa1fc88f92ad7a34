package org

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// SessionLife is how long somebody stays signed in, however busy they are.
const SessionLife = 30 * 24 * time.Hour

// seenEvery is how often it is noted that a session is in use.
const seenEvery = time.Minute

// Session is a browser that a person is signed in with.
type Session struct {
	No        int64
	ID        id.Session
	Agent     string // the browser, as it calls itself
	Address   string // the network address of the sign-in
	CreatedAt time.Time
	SeenAt    time.Time // a minute old at most
	ExpiresAt time.Time
}

// StartSession starts a session for somebody whose identity is known otherwise: after an invitation or a reset. The former one ends: who gave the browser
// its cookie does not get to know the new one.
func (p *People) StartSession(tx *db.Tx, user int64, in SignIn) (Session, string, error) {
	u, err := living(tx, user)
	if err != nil {
		return Session{}, "", err
	}
	if err := p.endFormer(tx, in); err != nil {
		return Session{}, "", err
	}
	s := Session{
		ID: id.NewSession(), Agent: line(in.Agent, 200), Address: text(in.Address), CreatedAt: tx.Now(), SeenAt: tx.Now(), ExpiresAt: tx.Now().Add(SessionLife),
	}
	cookie := id.Secret("")
	s.No, err = db.One(tx, db.Value[int64], `INSERT INTO sessions (id, hash, user_no, agent, address, created_at, seen_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $6, $7) RETURNING session_no`,
		s.ID, hash(cookie), user, s.Agent, s.Address, tx.Micros(), s.ExpiresAt.UnixMicro())
	if err != nil {
		return Session{}, "", fmt.Errorf("start session: %w", err)
	}
	return s, cookie, p.record(tx, u, "session.started", audit.By{Actor: string(u.ID), Address: s.Address}, map[string]any{"session": s.ID})
}

// endFormer ends the session that the browser had.
func (p *People) endFormer(tx *db.Tx, in SignIn) error {
	if in.Former == "" {
		return nil
	}
	var whose int64
	var s id.Session
	_, err := db.One(tx, func(r db.Rows) (bool, error) { return true, r.Scan(&whose, &s) },
		`DELETE FROM sessions WHERE hash = $1 RETURNING user_no, id`, hash(in.Former))
	if errors.Is(err, db.ErrNoRow) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	u, err := UserByNumber(tx, whose)
	if err != nil {
		return err
	}
	return p.record(tx, u, "session.ended", audit.By{Actor: string(u.ID), Address: text(in.Address)}, map[string]any{"session": s})
}

// line makes one line of what a stranger wrote, of at most so many characters.
func line(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if r := []rune(s); len(r) > most {
		return string(r[:most])
	}
	return s
}

const sessionColumns = `s.session_no, s.id, s.agent, s.address, s.created_at, s.seen_at, s.expires_at`

func (s *Session) scan(r db.Rows, u *User) error {
	var created, seen, expires int64
	own := []any{&s.No, &s.ID, &s.Agent, &s.Address, &created, &seen, &expires}
	var err error
	if u == nil {
		err = r.Scan(own...)
	} else {
		err = scanUserAnd(r, u, own...)
	}
	s.CreatedAt, s.SeenAt, s.ExpiresAt = time.UnixMicro(created).UTC(), time.UnixMicro(seen).UTC(), time.UnixMicro(expires).UTC()
	return err
}

// SessionOf returns whose session the cookie is; no_session (401) when it is none, or none any more. It notes at most once a minute that it was seen.
func (p *People) SessionOf(ctx context.Context, cookie string, now time.Time) (u User, s Session, err error) {
	_, err = db.One(p.DB.Read(ctx), func(r db.Rows) (bool, error) { return true, s.scan(r, &u) },
		`SELECT `+userColumns+`, `+sessionColumns+` FROM sessions s JOIN users u ON u.user_no = s.user_no
		WHERE s.hash = $1 AND s.expires_at > $2 AND u.erased_at IS NULL`, hash(cookie), now.UnixMicro())
	if errors.Is(err, db.ErrNoRow) {
		return User{}, Session{}, problem.New(problem.Unauthorized, "no_session", "Sign in first.")
	}
	if err != nil {
		return User{}, Session{}, fmt.Errorf("find session: %w", err)
	}
	if now.Sub(s.SeenAt) >= seenEvery {
		p.seen(ctx, &s, now)
	}
	return u, s, nil
}

// seen notes that a session is in use. Nobody is sent away because that cannot be written.
func (p *People) seen(ctx context.Context, s *Session, now time.Time) {
	err := p.DB.Write(ctx, "", func(tx *db.Tx) error {
		return tx.Later(`UPDATE sessions SET seen_at = $1 WHERE session_no = $2 AND seen_at < $1`, now.UnixMicro(), s.No)
	})
	switch {
	case err == nil:
		s.SeenAt = now.UTC().Truncate(time.Microsecond)
	case ctx.Err() == nil:
		p.Log.Warn("that a session is in use could not be noted", "error", err)
	}
}

// Sessions lists a person's sessions, the latest first.
func Sessions(q db.Querier, user int64, now time.Time) ([]Session, error) {
	return db.All(q, func(r db.Rows) (s Session, err error) {
		err = s.scan(r, nil)
		return s, err
	}, `SELECT `+sessionColumns+` FROM sessions s WHERE s.user_no = $1 AND s.expires_at > $2 ORDER BY s.session_no DESC`, user, now.UnixMicro())
}

// SignOut ends a session of a person, or, when s is "", all but the one kept, and then all tokens of their apps too. Ending it twice is fine.
func (p *People) SignOut(tx *db.Tx, user int64, s id.Session, keep int64, by audit.By) error {
	u, err := UserByNumber(tx, user)
	if err != nil {
		return err
	}
	if s != "" {
		n, err := tx.Exec(`DELETE FROM sessions WHERE user_no = $1 AND id = $2`, user, s)
		if err != nil || n == 0 {
			return err
		}
		return p.record(tx, u, "session.ended", by, map[string]any{"session": s})
	}
	if err := endSessions(tx, user, keep); err != nil {
		return err
	}
	if p.Apps != nil {
		if err := p.Apps.SignOut(tx, user, "signed_out_everywhere"); err != nil {
			return err
		}
	}
	return p.record(tx, u, "session.ended", by, map[string]any{"session": "all others"})
}

func endSessions(tx *db.Tx, user, keep int64) error {
	_, err := tx.Exec(`DELETE FROM sessions WHERE user_no = $1 AND session_no <> $2`, user, keep)
	return err
}
