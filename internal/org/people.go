package org

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/scope"
	"github.com/stagedoorhq/stagedoor/internal/seal"
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

// Apps is what apps were allowed by people, which follows what becomes of people. The app wires package oauth's registry to it.
type Apps interface {
	// SignOut ends all tokens that apps have for a person. What the person has allowed stays.
	SignOut(tx *db.Tx, user int64, reason string) error
	// Reach says what a person may do in an organisation from now on: 0 for nothing any more. It is called inside of [db.DB.Configure].
	Reach(tx *db.Tx, org, user int64, may scope.Set) error
}

// PeopleConfig is what [People] stand on.
type PeopleConfig struct {
	DB   *db.DB
	Keys *seal.Keyring
	Apps Apps // may be nil: then nothing follows
	Log  *slog.Logger
}

// People signs people up and in, and knows what they are in which organisation. It is safe for use by many goroutines.
type People struct{ PeopleConfig }

// NewPeople makes it.
func NewPeople(c PeopleConfig) *People { return &People{c} }

// Password is a password that was checked and hashed (argon2id). The zero Password is none: nobody can sign in with one.
type Password struct{ phc string }

// Hash checks a new password and hashes it, which takes some 50 ms and 64 MiB: it is done before a transaction, and only a few at a time. It fails with
// a problem about /password: at least 12 characters, at most 1024 bytes, none of the commonly leaked ones, not the e-mail address.
func (p *People) Hash(ctx context.Context, email, plain string) (Password, error) {
	panic("not built yet")
}

// UserInput is what a person is made from.
type UserInput struct {
	Email    string // checked; email_taken (409) when there is somebody with it
	Name     string // at most 200 characters on one line
	Password Password
	Verified bool // the address is known to be theirs
}

// Create makes a person.
func (p *People) Create(tx *db.Tx, in UserInput, by audit.By) (User, error) { panic("not built yet") }

// UserByID finds a person; user_not_found.
func UserByID(q db.Querier, u id.User) (User, error) { panic("not built yet") }

// UserByNumber finds a person by number; user_not_found.
func UserByNumber(q db.Querier, no int64) (User, error) { panic("not built yet") }

// UserByEmail finds a person by address, upper and lower case alike; user_not_found.
func UserByEmail(q db.Querier, email string) (User, error) { panic("not built yet") }

// Rename changes a person's name. version is the one that the caller saw, 0 for any; version_mismatch (412).
func (p *People) Rename(tx *db.Tx, user int64, name string, version int64) (User, error) {
	panic("not built yet")
}

// SetPassword replaces a person's password: all their sessions but the one kept (0 for none) end, and so do all tokens of apps and reset links.
func (p *People) SetPassword(tx *db.Tx, user int64, password Password, keep int64, by audit.By) error {
	panic("not built yet")
}

// Verify notes that the person's address is theirs.
func (p *People) Verify(tx *db.Tx, user int64) error { panic("not built yet") }

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

// SignIn is what somebody signs in with.
type SignIn struct {
	Email, Password string
	Address         netip.Addr
	Agent           string // User-Agent; cut to 200 characters
	Former          string // the cookie of the session before, which ends; "" for none
}

// SignIn checks e-mail address and password and starts a session. It fails with sign_in_failed (401), which does not tell whether there is such an
// account, neither by its words nor by the time it takes; or with sign_in_throttled (429) and RetryAfter, after too many failures for the account or
// from the address (an IPv6 address counts by its /64). The session is a cookie's value of 256 random bits.
func (p *People) SignIn(ctx context.Context, in SignIn) (u User, s Session, cookie string, err error) {
	panic("not built yet")
}

// StartSession starts a session for somebody whose identity is known otherwise: after a sign-up, an invitation or a reset.
func (p *People) StartSession(tx *db.Tx, user int64, in SignIn) (Session, string, error) {
	panic("not built yet")
}

// SessionOf returns whose session the cookie is; no_session (401) when it is none, or none any more. It notes at most once a minute that it was seen.
func (p *People) SessionOf(ctx context.Context, cookie string) (User, Session, error) {
	panic("not built yet")
}

// Sessions lists a person's sessions, the latest first.
func Sessions(q db.Querier, user int64) ([]Session, error) { panic("not built yet") }

// SignOut ends a session of a person, or all but the one kept when s is "". Ending it twice is fine.
func (p *People) SignOut(tx *db.Tx, user int64, s id.Session, keep int64, by audit.By) error {
	panic("not built yet")
}

// Membership is what a person is in an organisation.
type Membership struct {
	Org       Org
	User      User
	Role      Role
	CreatedAt time.Time
}

// RoleOf returns what a person is in an organisation; "" for an attendee.
func RoleOf(q db.Querier, org, user int64) (Role, error) { panic("not built yet") }

// Members lists an organisation's members, the oldest first.
func Members(q db.Querier, org int64) ([]Membership, error) { panic("not built yet") }

// Memberships lists what a person is, by the organisations' names.
func Memberships(q db.Querier, user int64) ([]Membership, error) { panic("not built yet") }

// SetRole makes a person a member, changes the role, or with "" ends the membership. It runs in [db.DB.Configure], because webhooks of apps follow it.
// Nobody can take the last owner away: last_owner (409).
func (p *People) SetRole(tx *db.Tx, org, user int64, role Role, by audit.By) error {
	panic("not built yet")
}

// LinkKind says what a one-time link is for.
type LinkKind string

// The kinds of links.
const (
	Invitation   LinkKind = "invitation"   // to become a member; seven days
	Reset        LinkKind = "reset"        // to set a new password; one hour
	Verification LinkKind = "verification" // to show that an address is one's own; two days
)

// Link is a one-time link, without its secret.
type Link struct {
	No        int64
	ID        id.Link
	Kind      LinkKind
	Org       int64 // of an invitation
	UserNo    int64 // of the others
	Email     string
	Role      Role // of an invitation
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    time.Time
}

// Invite makes an invitation. The secret is the last part of the link's path: see package account.
func (p *People) Invite(tx *db.Tx, org int64, email string, role Role, by audit.By) (l Link, secret string, err error) {
	panic("not built yet")
}

// NewLink makes a reset or a verification for a person. The resets before it are void.
func (p *People) NewLink(tx *db.Tx, kind LinkKind, u User) (l Link, secret string, err error) {
	panic("not built yet")
}

// LinkOf finds a link that can still be used, without using it; link_invalid (404) for one that is unknown, used or too old.
func LinkOf(q db.Querier, kind LinkKind, secret string, now time.Time) (Link, error) {
	panic("not built yet")
}

// UseLink uses a link: one conditional UPDATE, so of two who try only one gets it. link_invalid.
func (p *People) UseLink(tx *db.Tx, kind LinkKind, secret string, by audit.By) (Link, error) {
	panic("not built yet")
}

// Links lists an organisation's invitations that can still be used.
func Links(q db.Querier, org int64, now time.Time) ([]Link, error) { panic("not built yet") }

// RevokeLink takes an invitation back; link_not_found. Twice is fine.
func (p *People) RevokeLink(tx *db.Tx, org int64, l id.Link, by audit.By) error {
	panic("not built yet")
}

// Sweep forgets sessions, links and failures whose time is over. It takes them in steps.
func (p *People) Sweep(ctx context.Context) error { panic("not built yet") }
