package pass

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// The ways to the wallets.
var (
	appleLane  = channel{name: "apple", where: `registration_no <> 0`, most: 200, load: devices}
	googleLane = channel{name: "google", where: `registration_no = 0`, most: 20, load: objects} // Google takes some twenty requests a second
)

// nothing is what comes of a push when there is nothing to tell, or nobody to tell it to.
var nothing = Result{Verdict: Never}

// devices finds the devices of pushes. One that has several of the passes is told once: it asks which have changed.
func devices(ctx context.Context, s *Sender, all []*push) ([]parcel, error) {
	of := make(map[int64]*push, len(all))
	for _, p := range all {
		of[p.registration] = p
	}
	tokens, order := map[string]*parcel{}, []string(nil)
	add := func(token string, p *push) {
		if tokens[token] == nil {
			tokens[token] = &parcel{}
			order = append(order, token)
		}
		tokens[token].pushes = append(tokens[token].pushes, p)
	}
	_, err := db.All(s.book.db.Read(ctx), func(r db.Rows) (struct{}, error) {
		var no int64
		var one id.Registration
		var sealed []byte
		if err := r.Scan(&no, &one, &sealed); err != nil {
			return struct{}{}, err
		}
		p := of[no]
		token, err := s.book.keys.Open(sealed, sealedPushToken(one))
		if err != nil {
			s.Log.Warn("open push token", "registration", one, "err", err)
			return struct{}{}, nil
		}
		delete(of, no)
		p.token = sealed
		add(string(token), p)
		return struct{}{}, nil
	}, `SELECT registration_no, id, push_token FROM pass_registrations WHERE registration_no IN ints($1) AND push_token IS NOT NULL`,
		numbers(all, func(p *push) int64 { return p.registration }))
	if err != nil {
		return nil, err
	}
	parcels := make([]parcel, 0, len(order)+1)
	for _, token := range order {
		parcels = append(parcels, parcel{tokens[token].pushes, func(ctx context.Context) Result { return s.Pusher.Push(ctx, token) }})
	}
	if gone := make([]*push, 0, len(of)); len(of) > 0 { // their devices have the passes no more
		for _, p := range of {
			gone = append(gone, p)
		}
		parcels = append(parcels, parcel{gone, func(context.Context) Result { return nothing }})
	}
	return parcels, nil
}

// objects are what is to be told to Google, each by itself.
func objects(_ context.Context, s *Sender, all []*push) ([]parcel, error) {
	parcels := make([]parcel, len(all))
	for i, p := range all {
		parcels[i] = parcel{[]*push{p}, func(ctx context.Context) Result {
			tell := s.object
			if p.pass == 0 {
				tell = s.class
			}
			r, err := tell(ctx, p)
			if err != nil {
				return Result{Verdict: Later, Detail: err.Error()}
			}
			return r
		}}
	}
	return parcels, nil
}

// object tells Google what a pass shows now.
func (s *Sender) object(ctx context.Context, p *push) (Result, error) {
	q := s.book.db.Read(ctx)
	found, err := one(q, `WHERE p.pass_no = $1 AND p.org_id = $2`, p.pass, p.org)
	if problem.Is(err, "pass_not_found") {
		return nothing, nil
	}
	if err != nil {
		return Result{}, err
	}
	face, err := s.book.Face(ctx, q, found, s.BaseURL, time.Now())
	if err != nil {
		return Result{}, err
	}
	return s.Syncer.Object(ctx, face), nil
}

// class tells Google what its passes show of an event.
func (s *Sender) class(ctx context.Context, p *push) (Result, error) {
	q := s.book.db.Read(ctx)
	shown, err := db.One(q, db.Value[id.Event], `SELECT event_id FROM passes WHERE event_no = $1 AND event_no <> 0 AND org_id = $2 LIMIT 1`, p.event, p.org)
	if errors.Is(err, db.ErrNoRow) {
		return nothing, nil
	}
	if err != nil {
		return Result{}, err
	}
	e, err := event.ByID(q, p.org, shown)
	if problem.Is(err, "event_not_found") {
		return nothing, nil
	}
	if err != nil {
		return Result{}, err
	}
	o, err := org.ByNumber(q, p.org)
	if err != nil {
		return Result{}, err
	}
	return s.Syncer.Class(ctx, o.Name, e), nil
}

// gone ends the registration that a push was for, whose row goes with it, and returns what that comes to: a device that has told us another push token meanwhile
// is told by that.
func (b *Book) gone(tx *db.Tx, p *push) (Verdict, error) {
	if p.registration == 0 {
		return Never, nil
	}
	found, err := lockNo(tx, p.org, p.pass)
	if problem.Is(err, "pass_not_found") {
		return Never, nil
	}
	if err != nil {
		return 0, err
	}
	token, err := db.One(tx, db.Value[[]byte], `SELECT push_token FROM pass_registrations WHERE registration_no = $1 AND push_token IS NOT NULL`, p.registration)
	switch {
	case errors.Is(err, db.ErrNoRow):
		return Never, nil
	case err != nil:
		return 0, fmt.Errorf("load registration: %w", err)
	case !bytes.Equal(token, p.token):
		return returned, nil
	}
	return Gone, b.unregister(tx, found, `registration_no = $3`, p.registration)
}
