package hookbridge

import (
	"context"
	"net/http"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/idempotency"
	"github.com/stagedoorhq/stagedoor/internal/pull"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// Claims are beside HookBridge's specification: consumers that share an endpoint need not agree on who takes what.

var claimRoute = route{"POST", allEvents + "/claim", 200}

func (a *API) claimRoutes(mux *http.ServeMux) {
	a.handle(mux, claimRoute, a.claim)
	change(a, mux, route{"POST", oneEndpoint + "/claims/extend", 200}, a.extendInput, a.extend)
	change(a, mux, route{"POST", oneEndpoint + "/claims/release", 200}, a.releaseInput, a.release)
}

type claimedJSON struct {
	fullJSON
	Claim claimJSON `json:"claim"`
}

type claimJSON struct {
	Token     string `json:"token"`
	ExpiresAt string `json:"expires_at"`
}

type claimInput struct {
	pull.ClaimInput
	raw  bool
	wait time.Duration // for an event to come, when there is none
}

func (a *API) claimInput(_ context.Context, c *call) (in claimInput, err error) {
	o, err := c.object()
	if err != nil {
		return in, err
	}
	in.Limit = 1
	put(&in.Limit, o.within("limit", 1, pull.MaxClaim))
	put(&in.Lease, o.seconds("lease_seconds", pull.MaxLease))
	put(&in.Type, o.text("event_type"))
	if n := o.within("wait", 0, int(MaxWait/time.Second)); n != nil {
		in.wait = time.Duration(*n) * time.Second
	}
	if s := o.text("encoding"); s != nil {
		if in.raw = *s == "base64"; !in.raw && *s != "json" {
			o.fault("encoding", "invalid", "Use json or base64.")
		}
	}
	return in, o.faults.Err()
}

// claim claims what there is, or waits for it. Nobody who waits holds a transaction meanwhile. An Idempotency-Key is not looked at: what a lost answer had comes
// again when its lease is over, and a kept answer would be a copy of payloads that nobody can delete.
func (a *API) claim(ctx context.Context, c *call) (made idempotency.Answer, replayed bool, err error) {
	in, err := a.claimInput(ctx, c)
	if err != nil {
		return made, false, err
	}
	try := func() (some bool, err error) {
		made, replayed, err = a.plainly(ctx, claimRoute, func(tx *db.Tx) (answer, error) {
			out, n, err := a.claimSome(tx, c, in)
			some = n > 0
			return out, err
		})
		return some, err
	}
	if some, err := try(); some || err != nil || in.wait == 0 {
		return made, replayed, err
	}
	e, err := a.find(a.DB.Read(ctx), c)
	if err != nil {
		return made, false, err
	}
	found := false
	err = a.await(ctx, c, awaited{of: e, most: in.wait, queue: string(e.ID) + " " + in.Type, look: func() (bool, error) {
		e, err := a.find(a.DB.Read(ctx), c) // it may have been deleted
		if err != nil {
			return false, err
		}
		if some, err := a.Depot.Claimable(a.DB.Read(ctx), e, in.Type); !some || err != nil {
			return false, err
		}
		found, err = try()
		return found, err
	}})
	if err == nil && !found {
		if _, err = a.Door.Still(c.request, access.Need{Scope: scope.WebhooksManage}); err == nil {
			_, err = try()
		}
	}
	return made, replayed, err
}

func (a *API) claimSome(tx *db.Tx, c *call, in claimInput) (out answer, n int, err error) {
	e, err := a.find(tx, c)
	if err != nil {
		return answer{}, 0, err
	}
	all, err := a.Depot.Claim(tx, e, in.ClaimInput)
	if err != nil {
		return answer{}, 0, err
	}
	return answer{later: func() any {
		list := make([]claimedJSON, len(all))
		for i, one := range all {
			list[i] = claimedJSON{showFull(one.Event, one.Payload, in.raw), claimJSON{one.Token, instant(one.LeasedUntil)}}
		}
		return list
	}}, len(all), nil
}

// held names a claim.
type held struct {
	token string
	lease time.Duration
}

func (o *object) held() (h held) {
	if s := o.text("token"); s != nil && *s != "" {
		h.token = *s
	} else if len(o.faults) == 0 {
		o.fault("token", "required", "Name the claim by its token.")
	}
	return h
}

func (a *API) extendInput(_ context.Context, c *call) (h held, err error) {
	o, err := c.object()
	if err != nil {
		return h, err
	}
	h = o.held()
	h.lease = pull.DefaultLease
	put(&h.lease, o.seconds("lease_seconds", pull.MaxLease))
	return h, o.faults.Err()
}

func (a *API) extend(tx *db.Tx, c *call, h held) (answer, error) {
	e, err := a.find(tx, c)
	if err != nil {
		return answer{}, err
	}
	until, err := a.Depot.Extend(tx, e, h.token, h.lease)
	return answer{data: claimJSON{h.token, instant(until)}}, err
}

func (a *API) releaseInput(_ context.Context, c *call) (h held, err error) {
	o, err := c.object()
	if err != nil {
		return h, err
	}
	h = o.held()
	return h, o.faults.Err()
}

type releasedJSON struct {
	Released bool `json:"released"`
}

func (a *API) release(tx *db.Tx, c *call, h held) (answer, error) {
	e, err := a.find(tx, c)
	if err != nil {
		return answer{}, err
	}
	return answer{data: releasedJSON{true}}, a.Depot.Release(tx, e, h.token)
}
