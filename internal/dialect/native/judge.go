package native

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// A body can be wrong in two ways: in its form, which the schema judges, and in what it says, which only the package that would act on it
// can judge. Whoever sends it wants to hear of both at once. So when the form is wrong, the body is shown to that package all the same,
// as far as it could be read, but with one field made unfit on purpose, one that the schema judges completely: so nothing can come of it.

// judged is an input that can be shown around. It returns the pointer of the field that it made unfit, and what was said.
type judged interface {
	judge(ctx context.Context, c *call) (unfit string, err error)
}

// withJudge is a middleware for routes whose input is judged.
func withJudge[I any](ctx huma.Context, next func(huma.Context)) {
	callOf(ctx.Context()).judge = func(ctx context.Context, c *call) (string, error) {
		return any(new(I)).(judged).judge(ctx, c)
	}
	next(ctx)
}

// judgement is what the body's reader has to say beside what the schema found.
func (c *call) judgement(ctx context.Context, found problem.Fields) problem.Fields {
	if c.judge == nil {
		return nil
	}
	unfit, err := c.judge(ctx, c)
	p := problem.As(err)
	if p == nil {
		return nil // an internal error will come again, once the form is right
	}
	var all problem.Fields
	for _, f := range p.Fields {
		known := slices.ContainsFunc(found, func(g problem.FieldError) bool {
			return g.In == "" && (f.Pointer == g.Pointer || strings.HasPrefix(f.Pointer, g.Pointer+"/"))
		})
		if !known && f.Pointer != unfit {
			all = append(all, f)
		}
	}
	return all
}

// read decodes the body as far as that goes.
func (c *call) read(body any) { _ = json.Unmarshal(c.body, body) }

var errUnfit = errors.New("an unfit input was taken")

// trial runs what must fail.
func trial(ctx context.Context, c *call, key string, do func(tx *db.Tx) error) error {
	return c.api.DB.Write(ctx, key, func(tx *db.Tx) error {
		if err := do(tx); err != nil {
			return err
		}
		return errUnfit // and undone
	})
}

func (in *eventInput) judge(ctx context.Context, c *call) (string, error) {
	c.read(&in.Body)
	in.Body.Name = ""
	return "/name", trial(ctx, c, "", func(tx *db.Tx) error { _, err := c.api.createEvent(tx, c, in); return err })
}

func (in *eventPatch) judge(ctx context.Context, c *call) (string, error) {
	c.read(&in.Body)
	in.EventID, in.Body.Name = c.request.PathValue("eventId"), new(string)
	return "/name", trial(ctx, c, in.EventID, func(tx *db.Tx) error { _, err := c.api.changeEvent(tx, c, in); return err })
}

func (in *listingInput) judge(ctx context.Context, c *call) (string, error) {
	c.read(&in.Body)
	in.Body.SplitRule = "unfit"
	return "/splitRule", trial(ctx, c, in.Body.EventID, func(tx *db.Tx) error { _, err := c.api.createListing(tx, c, in); return err })
}

func (in *listingPatch) judge(ctx context.Context, c *call) (string, error) {
	c.read(&in.Body)
	unfit := "unfit"
	in.ListingID, in.Body.SplitRule = c.request.PathValue("listingId"), &unfit
	return "/splitRule", trial(ctx, c, "", func(tx *db.Tx) error { _, err := c.api.changeListing(tx, c, in); return err })
}

func (in *ticketTypeInput) judge(ctx context.Context, c *call) (string, error) {
	c.read(&in.Body)
	in.EventID, in.Body.Status = c.request.PathValue("eventId"), "unfit"
	return "/status", trial(ctx, c, in.EventID, func(tx *db.Tx) error { _, err := c.api.createType(tx, c, in); return err })
}

func (in *holdInput) judge(ctx context.Context, c *call) (string, error) {
	c.read(&in.Body)
	in.Body.Quantity = -1
	return "/quantity", trial(ctx, c, in.Body.EventID, func(tx *db.Tx) error { _, err := c.api.placeHold(tx, c, in); return err })
}

func (in *orderInput) judge(ctx context.Context, c *call) (string, error) {
	c.read(&in.Body)
	return judgeWanted(ctx, c, in.wanted(), func(tx *db.Tx) error { _, err := c.api.placeOrder(tx, c, in, none{}); return err })
}

func (in *purchaseInput) judge(ctx context.Context, c *call) (string, error) {
	c.read(&in.Body)
	return judgeWanted(ctx, c, in.wanted(), func(tx *db.Tx) error { _, err := c.api.purchase(tx, c, in, none{}); return err })
}

func judgeWanted(ctx context.Context, c *call, b *Wanted, do func(tx *db.Tx) error) (string, error) {
	if b.Quantity == 0 && b.HoldID == "" { // unfit as it is
		return "", trial(ctx, c, b.EventID, do)
	}
	b.Quantity = -1
	return "/quantity", trial(ctx, c, b.EventID, do)
}

func (in *webhookInput) judge(ctx context.Context, c *call) (string, error) {
	c.read(&in.Body)
	_, err := c.api.checkNew(ctx, c, in) // nothing comes of that anyway
	return "", err
}
