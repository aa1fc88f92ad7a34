package org

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Tries that fail are counted by account and by network address. So many are free, for people mistype, and behind one address there may be a whole
// company; then each has to wait, longer every time.
const (
	freeOfAccount = 5
	freeOfAddress = 20
	longestWait   = 15 * time.Minute
	forgetAfter   = 24 * time.Hour
)

// wait is how long after so many failures the next try has to wait: nothing at first, then 1 s, and twice as long each time.
func wait(failures, free int64) time.Duration {
	if failures < free {
		return 0
	}
	return min(time.Second<<min(failures-free, 20), longestWait)
}

// try is a sign-in that counts as a failure until it proves to be none. What it counts under are keyed hashes, which name nobody.
type try struct {
	account []byte
	address []byte // nil when there is none
	until   int64  // the wait that it set for the address
}

// accountName is what failures of an account are counted under, whether there is one or not.
func (p *People) accountName(email string) []byte {
	return p.Keys.MAC([]byte("sign-in account " + lowered(email)))
}

// addressName is what failures from a network address are counted under: of IPv6, the /64, which is what one household gets. nil for none.
func (p *People) addressName(a netip.Addr) []byte {
	if !a.IsValid() {
		return nil
	}
	bits := 64
	if a = a.Unmap(); a.Is4() {
		bits = 32
	}
	return p.Keys.MAC([]byte("sign-in address " + netip.PrefixFrom(a.WithZone(""), bits).Masked().String()))
}

// count counts a try, or refuses it when it comes too early: then it is not counted.
func (p *People) count(ctx context.Context, in SignIn) (try, error) {
	t := try{account: p.accountName(in.Email), address: p.addressName(in.Address)}
	return t, p.DB.Write(ctx, "", func(tx *db.Tx) error {
		// Most that come too early are refused here, before anything is written.
		until, err := db.One(tx, db.Value[*int64], `SELECT max(until) FROM sign_in_failures WHERE name = $1 OR name = $2`, t.account, t.address)
		if err != nil {
			return fmt.Errorf("count sign-ins: %w", err)
		}
		if until != nil && *until > tx.Micros() {
			return throttled(tx, *until)
		}
		if t.address != nil {
			if t.until, err = raise(tx, t.address, freeOfAddress); err != nil {
				return err
			}
		}
		_, err = raise(tx, t.account, freeOfAccount)
		return err
	})
}

// raise raises the number of failures under a name and returns until when nobody may try again. Of those that come at the same time, on several nodes too,
// one waits for the other's row here, and is refused if that set a wait.
func raise(tx *db.Tx, name []byte, free int64) (until int64, err error) {
	now := tx.Micros()
	failures, err := db.One(tx, db.Value[int64], `
		INSERT INTO sign_in_failures AS f (name, failures, until, forget) VALUES ($1, 1, 0, $2)
		ON CONFLICT (name) DO UPDATE SET failures = CASE WHEN f.forget <= $3 THEN 1 ELSE f.failures + 1 END, forget = $2 WHERE f.until <= $3
		RETURNING failures`, name, now+forgetAfter.Microseconds(), now)
	if errors.Is(err, db.ErrNoRow) {
		if until, err = db.One(tx, db.Value[int64], `SELECT until FROM sign_in_failures WHERE name = $1`, name); err == nil {
			err = throttled(tx, until)
		}
		return 0, err
	}
	if err != nil {
		return 0, fmt.Errorf("count sign-ins: %w", err)
	}
	until = tx.Now().Add(wait(failures, free)).UnixMicro()
	return until, tx.Later(`UPDATE sign_in_failures SET until = $1 WHERE name = $2`, until, name)
}

func throttled(tx *db.Tx, until int64) error {
	return &problem.Error{
		Kind: problem.TooMany, Code: "sign_in_throttled", RetryAfter: time.Duration(until-tx.Micros()) * time.Microsecond,
		Detail: "There were too many tries. Wait a little, then try again; or set a new password.",
	}
}

// takeBack forgets the failures of an account, and for the address the try that was none: with it goes its wait, unless a failure has set one since.
func (t try) takeBack(tx *db.Tx) error {
	if t.address != nil {
		err := tx.Later(`UPDATE sign_in_failures SET failures = failures - 1, until = CASE WHEN until = $1 OR failures <= $2 THEN 0 ELSE until END
			WHERE name = $3 AND failures > 0`, t.until, freeOfAddress, t.address)
		if err != nil {
			return err
		}
	}
	return forget(tx, t.account)
}

// forget forgets the failures under a name.
func forget(tx *db.Tx, name []byte) error {
	return tx.Later(`DELETE FROM sign_in_failures WHERE name = $1`, name)
}
