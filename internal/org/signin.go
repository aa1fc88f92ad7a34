package org

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

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

// SignIn checks e-mail address and password and starts a session. It fails with sign_in_failed (401), which does not tell whether there is such an
// account, neither by its words nor by the time it takes; or with sign_in_throttled (429) and RetryAfter, after too many failures for the account
// or from the network address (of IPv6, from its /64). The session is a cookie's value of 256 random bits.
//
// A try is counted before the password is looked at, and taken back when it was right: so of those that come at the same time, on however many nodes,
// no more are looked at than may fail.
func (p *People) SignIn(ctx context.Context, in SignIn) (u User, s Session, cookie string, err error) {
	who, err := p.check(ctx, in)
	if err != nil {
		return User{}, Session{}, "", err
	}
	err = p.DB.Write(ctx, "", func(tx *db.Tx) (err error) {
		if err = who.accept(tx); err != nil {
			return err
		}
		s, cookie, err = p.StartSession(tx, who.No, in)
		return err
	})
	if err != nil {
		return User{}, Session{}, "", err
	}
	return who.User, s, cookie, nil
}

// Knows tells whether somebody knows the password of an account, without starting a session. Tries count as those of sign-ins do.
func (p *People) Knows(ctx context.Context, in SignIn) (bool, error) {
	who, err := p.check(ctx, in)
	if err == nil {
		err = p.DB.Write(ctx, "", who.accept)
	}
	if problem.Is(err, "sign_in_failed") {
		return false, nil
	}
	return err == nil, err
}

// known is somebody who showed the right password.
type known struct {
	User
	try     try
	was     string // the hash that it was right for
	renewed string // the hash to keep from now on
}

// check counts a try and looks at its password. Whatever is wrong, the same things are done.
func (p *People) check(ctx context.Context, in SignIn) (known, error) {
	if strings.Contains(in.Email, "\x00") || len(in.Password) > MaxPassword {
		return known{}, refused() // no account has one or the other
	}
	t, err := p.count(ctx, in)
	if err != nil {
		return known{}, err
	}
	who := known{try: t}
	if who.User, who.was, err = p.password(ctx, in.Email); err != nil {
		return known{}, err
	}
	right, err := p.compare(ctx, &who, in.Password)
	if err != nil {
		return known{}, err
	}
	if right {
		return who, nil
	}
	err = p.DB.Write(ctx, "", func(tx *db.Tx) error {
		return p.record(tx, who.User, "sign_in.failed", audit.By{Address: text(in.Address)}, nil)
	})
	if err != nil {
		return known{}, err
	}
	return known{}, refused()
}

func refused() error {
	return problem.New(problem.Unauthorized, "sign_in_failed", "The e-mail address or the password is not right.")
}

// password finds who has the address, and their hash; nobody, and none, when there is no such account.
func (p *People) password(ctx context.Context, email string) (u User, phc string, err error) {
	_, err = db.One(p.DB.Read(ctx), func(r db.Rows) (bool, error) { return true, scanUserAnd(r, &u, &phc) },
		`SELECT `+userColumns+`, u.password FROM users u WHERE u.email_lower = $1 AND u.erased_at IS NULL`, lowered(email))
	if err != nil && !errors.Is(err, db.ErrNoRow) {
		return User{}, "", fmt.Errorf("find password: %w", err)
	}
	return u, phc, nil
}

// compare compares a password with the hash. It is hashed anew where that was made at another cost than today's.
func (p *People) compare(ctx context.Context, who *known, plain string) (right bool, err error) {
	d := nobody(p.cost())
	if who.was != "" {
		if d, err = parseDigest(who.was); err != nil {
			return false, fmt.Errorf("password of %s: %w", who.ID, err)
		}
	}
	if err := p.begin(ctx); err != nil {
		return false, err
	}
	defer p.end()
	right = d.matches(plain) && who.was != ""
	if who.renewed = who.was; right && d.cost != p.cost() {
		who.renewed = p.hashed(plain).phc
	}
	return right, nil
}

// accept takes back what was counted, unless the password has been changed since it was looked at.
func (k known) accept(tx *db.Tx) error {
	n, err := tx.Exec(`UPDATE users SET password = $1 WHERE user_no = $2 AND password = $3 AND erased_at IS NULL`, k.renewed, k.No, k.was)
	if err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	if n == 0 {
		return refused()
	}
	return k.try.takeBack(tx)
}

// text is a network address as it is kept.
func text(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.Unmap().WithZone("").String()
}
