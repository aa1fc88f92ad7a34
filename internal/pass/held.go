package pass

import (
	"cmp"
	"context"
	"slices"

	"golang.org/x/sync/errgroup"
)

// assetsAtOnce is how many of a pass's assets are asked about at the same moment.
const assetsAtOnce = 8

// Held asks a chain about all of some assets: held is false for those that are known not to be the owner's. err is the first failure; the assets that it was about
// are taken for held, and it is for whoever asks to say what that comes to.
func Held(ctx context.Context, c Chain, network, owner string, assets []NFT) (held []bool, err error) {
	return askAssets(ctx, c, network, owner, assets, func() {})
}

// Missing asks a chain about assets until one is known not to be the owner's, and returns its place; -1 where there was none. err is the first failure; there is
// none where an asset is missing, because that is enough to know.
func Missing(ctx context.Context, c Chain, network, owner string, assets []NFT) (at int, err error) {
	asking, enough := context.WithCancel(ctx)
	defer enough()
	held, err := askAssets(asking, c, network, owner, assets, enough)
	if at = slices.Index(held, false); at >= 0 {
		return at, nil
	}
	return -1, cmp.Or(err, ctx.Err())
}

// askAssets asks about assets, some at once, as long as ctx lasts. A no calls no.
func askAssets(ctx context.Context, c Chain, network, owner string, assets []NFT, no func()) (held []bool, err error) {
	held = slices.Repeat([]bool{true}, len(assets))
	var asking errgroup.Group // without a context of its own: one failure is no reason to leave the others
	asking.SetLimit(assetsAtOnce)
	for i, n := range assets {
		asking.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			holds, known, err := c.Holds(ctx, network, owner, n)
			if err == nil && known && !holds {
				held[i] = false
				no()
			}
			return err
		})
	}
	err = asking.Wait()
	return held, err
}
