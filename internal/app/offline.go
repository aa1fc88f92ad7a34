package app

import (
	"context"
	"crypto/sha256"
	"encoding/json"

	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
)

// offline is what a device needs to verify an event's codes without a network: the keys, the signed list of what is revoked, and, where codes rotate and
// the device admits people, the seed.
func (c *Core) offline(ctx context.Context, o int64, e id.Event, seeds bool) (codes map[string]any, version string, err error) {
	q := c.DB.Read(ctx)
	ev, err := event.ByID(q, o, e)
	if err != nil {
		return nil, "", err
	}
	keys, err := c.Tickets.KeySet(ctx, q, o)
	if err != nil {
		return nil, "", err
	}
	revoked, err := c.Tickets.RevocationsSince(ctx, q, o, 0)
	if err != nil {
		return nil, "", err
	}
	rotation, rotates, err := c.Tickets.RotationOf(q, o, ev.No)
	if err != nil {
		return nil, "", err
	}
	codes = map[string]any{"keys": keys}
	if rotates {
		r := map[string]any{"stepSeconds": int(rotation.Step.Seconds()), "algorithm": rotation.Algorithm}
		if seeds {
			r["seed"] = rotation.Seed // in base64
		}
		codes["rotation"] = r
	}
	said, err := json.Marshal([]any{codes, revoked.Seq})
	sum := sha256.Sum256(said)
	codes["revocations"] = map[string]any{"seq": revoked.Seq, "more": revoked.More, "list": revoked.Signed}
	return codes, string(sum[:]), err
}
