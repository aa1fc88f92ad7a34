package org

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// SignIn is what somebody signs in with.
type SignIn struct {
	Email, Password string
	Address         netip.Addr
	Agent           string // User-Agent; cut to 200 characters
	Former          string // the cookie of the session before, which ends; "" for none
}

// Tries that fail are counted by account and by network address. So many are free; then each has to wait, longer every time.
const (
	freeOfAccount = 5
	freeOfAddress = 20
	longestWait   = 15 * time.Minute
	forgetAfter   = 24 * time.Hour
)

// SignIn checks e-mail address and password and starts a session. It fails with sign_in_failed (401), which does not tell whether there is such an
// account, neither by its words nor by the time it takes; or with sign_in_throttled (429) and RetryAfter, after too many failures for the account
// or from the network address (of IPv6, from its /64). The session is a cookie's value of 256 random bits.
//
// A try is counted before the password is looked at, and taken back when it was right: so those that come at the same time count as well.
func (p *People) SignIn(ctx context.Context, in SignIn) (u User, s Session, cookie string, err error) {
	names := p.names(in)
	if err := p.count(ctx, names); err != nil {
		return User{}, Session{}, "", err
	}
	u, was, err := p.password(ctx, in.Email)
	if err != nil {
		return User{}, Session{}, "", err
	}
	ok, renewed, err := p.compare(ctx, was, in.Password)
	if err != nil {
		return User{}, Session{}, "", err
	}
	if !ok {
		return User{}, Session{}, "", p.failed(ctx, u, in)
	}
	err = p.DB.Write(ctx, "", func(tx *db.Tx) (err error) {
		if err := takeBack(tx, names); err != nil {
			return err
		}
		if renewed.phc != "" {
			if _, err := tx.Exec(`UPDATE users SET password = $1 WHERE user_no = $2 AND password = $3`, renewed.phc, u.No, was.phc); err != nil {
				return err
			}
		}
		if s, cookie, err = p.StartSession(tx, u.No, in); err != nil {
			return err
		}
		return p.record(tx, u, "session.started", audit.By{Actor: string(u.ID), Address: text(in.Address)}, map[string]any{"session": s.ID})
	})
	return u, s, cookie, err
}

// password finds who has the address, and their hash; for somebody who is not there, one that no password has.
func (p *People) password(ctx context.Context, email string) (u User, w Password, err error) {
	_, err = db.One(p.DB.Read(ctx), func(r db.Rows) (bool, error) { return true, scanUserAnd(r, &u, &w.phc) },
		`SELECT `+userColumns+`, u.password FROM users u WHERE u.email_lower = $1`, lowered(email))
	if errors.Is(err, db.ErrNoRow) {
		err = nil
	}
	if w.phc == "" {
		w = p.dummy
	}
	return u, w, err
}

// compare compares a password with a hash. renewed is a new hash where the old one is not as today's are.
func (p *People) compare(ctx context.Context, was Password, plain string) (ok bool, renewed Password, err error) {
	if err := p.begin(ctx); err != nil {
		return false, Password{}, err
	}
	defer p.end()
	ok, current := was.matches(plain)
	if ok && !current {
		renewed = hashPassword(plain)
	}
	return ok, renewed, nil
}

// failed notes a failure in the log of whoever's account it was, and says what everybody is told.
func (p *People) failed(ctx context.Context, u User, in SignIn) error {
	refused := problem.New(problem.Unauthorized, "sign_in_failed", "The e-mail address or the password is not right.")
	if u.No == 0 {
		return refused
	}
	err := p.DB.Write(ctx, "", func(tx *db.Tx) error {
		return p.record(tx, u, "sign_in.failed", audit.By{Address: text(in.Address)}, nil)
	})
	if err != nil {
		return err
	}
	return refused
}

// name is what failures are counted under: a keyed hash, which names nobody.
type name struct {
	mac  []byte
	free int64
}

func (p *People) names(in SignIn) []name {
	bits := 32
	if in.Address.Is6() {
		bits = 64
	}
	from, _ := in.Address.Prefix(min(bits, in.Address.BitLen()))
	return []name{
		{p.accountName(in.Email), freeOfAccount},
		{p.Keys.MAC([]byte("sign-in address " + from.String())), freeOfAddress},
	}
}

// accountName is what failures of an address are counted under.
func (p *People) accountName(email string) []byte {
	return p.Keys.MAC([]byte("sign-in account " + lowered(email)))
}

// count counts a try, or refuses it when it comes too early.
func (p *People) count(ctx context.Context, names []name) error {
	return p.DB.Write(ctx, "", func(tx *db.Tx) error {
		for _, n := range names {
			var failures, until, forget int64
			_, err := db.One(tx, func(r db.Rows) (bool, error) { return true, r.Scan(&failures, &until, &forget) },
				`SELECT failures, until, forget FROM sign_in_failures WHERE name = $1`, n.mac)
			switch {
			case errors.Is(err, db.ErrNoRow) || err == nil && forget <= tx.Micros():
				failures = 0
			case err != nil:
				return err
			case until > tx.Micros():
				return throttled(time.Duration(until-tx.Micros()) * time.Microsecond)
			}
			failures++
			if _, err := tx.Exec(`INSERT INTO sign_in_failures (name, failures, until, forget) VALUES ($1, $2, $3, $4)
				ON CONFLICT (name) DO UPDATE SET failures = $2, until = $3, forget = $4`,
				n.mac, failures, tx.Now().Add(wait(failures, n.free)).UnixMicro(), tx.Now().Add(forgetAfter).UnixMicro()); err != nil {
				return err
			}
		}
		return nil
	})
}

// wait is how long after so many failures the next try has to wait: nothing at first, then 1 s, and twice as long each time.
func wait(failures, free int64) time.Duration {
	if failures < free {
		return 0
	}
	return min(time.Second<<min(failures-free, 20), longestWait)
}

func throttled(wait time.Duration) error {
	return &problem.Error{
		Kind: problem.TooMany, Code: "sign_in_throttled", RetryAfter: wait,
		Detail: "There were too many tries. Wait a little, then try again; or set a new password.",
	}
}

// takeBack forgets the failures of an account, and the try that was not one of a network address.
func takeBack(tx *db.Tx, names []name) error {
	if err := tx.Later(`DELETE FROM sign_in_failures WHERE name = $1`, names[0].mac); err != nil {
		return err
	}
	return tx.Later(`UPDATE sign_in_failures SET failures = failures - 1, until = $1 WHERE name = $2 AND failures > 0`, tx.Micros(), names[1].mac)
}

func text(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// Knows tells whether somebody knows the password of an account, without starting a session. Tries count as those of sign-ins do.
func (p *People) Knows(ctx context.Context, in SignIn) (bool, error) {
	names := p.names(in)
	if err := p.count(ctx, names); err != nil {
		return false, err
	}
	u, was, err := p.password(ctx, in.Email)
	if err != nil {
		return false, err
	}
	ok, _, err := p.compare(ctx, was, in.Password)
	if err != nil || !ok || u.No == 0 {
		return false, err
	}
	return true, p.DB.Write(ctx, "", func(tx *db.Tx) error { return takeBack(tx, names) })
}
