package pass_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/pass"
)

// node is a chain that answers by the token's number, and counts.
type node struct {
	answer func(ctx context.Context, token string) (holds, known bool, err error)

	mu          sync.Mutex // guards below
	asked       int
	now, atOnce int
}

func (n *node) Holds(ctx context.Context, _, _ string, asset pass.NFT) (holds, known bool, err error) {
	n.mu.Lock()
	n.asked++
	n.now++
	n.atOnce = max(n.atOnce, n.now)
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		n.now--
		n.mu.Unlock()
	}()
	return n.answer(ctx, asset.TokenID)
}

// assets are numbered from 0.
func assets(n int) (all []pass.NFT) {
	for i := range n {
		all = append(all, pass.NFT{TokenID: fmt.Sprint(i)})
	}
	return all
}

var errAway = errors.New("the node is away")

func TestAssetsAreAskedAboutEightAtATime(t *testing.T) {
	for what, ask := range map[string]func(n *node) error{
		"Held":    func(n *node) error { _, err := pass.Held(t.Context(), n, "1", wallet1, assets(50)); return err },
		"Missing": func(n *node) error { _, err := pass.Missing(t.Context(), n, "1", wallet1, assets(50)); return err },
	} {
		eight := make(chan struct{})
		var came sync.WaitGroup
		came.Add(8)
		go func() { came.Wait(); close(eight) }()
		n := &node{answer: func(_ context.Context, token string) (holds, known bool, err error) {
			if len(token) == 1 && token < "8" { // the first eight wait for each other
				came.Done()
				<-eight
			}
			return true, true, nil
		}}
		if err := ask(n); err != nil || n.asked != 50 || n.atOnce != 8 {
			t.Errorf("%s: %d of 50 assets were asked about, %d at once, %v; want all, 8 at once", what, n.asked, n.atOnce, err)
		}
	}
}

func TestTheFirstMissingAssetIsEnough(t *testing.T) {
	n := &node{answer: func(ctx context.Context, token string) (holds, known bool, err error) {
		switch token {
		case "0":
			return false, false, errAway
		case "5":
			return false, true, nil
		}
		<-ctx.Done() // until another has answered
		return false, false, ctx.Err()
	}}
	at, err := pass.Missing(t.Context(), n, "1", wallet1, assets(50))
	if at != 5 || err != nil || n.asked > 10 {
		t.Errorf("Missing = %d, %v, after %d were asked about; want the sixth, and no others to be begun", at, err, n.asked)
	}
}

func TestWhatIsNotAnsweredIsSaid(t *testing.T) {
	n := &node{answer: func(_ context.Context, token string) (holds, known bool, err error) {
		switch token {
		case "1":
			return false, false, errAway
		case "2":
			return false, false, nil
		}
		return token != "3", true, nil
	}}
	held, err := pass.Held(t.Context(), n, "1", wallet1, assets(5))
	if diff := cmp.Diff([]bool{true, true, true, false, true}, held); diff != "" || !errors.Is(err, errAway) {
		t.Errorf("Held: %v (-want +got):\n%s", err, diff)
	}
	if at, err := pass.Missing(t.Context(), n, "1", wallet1, assets(3)); at != -1 || !errors.Is(err, errAway) {
		t.Errorf("Missing, of which one was not answered = %d, %v; want -1 and why", at, err)
	}
	if at, err := pass.Missing(t.Context(), n, "1", wallet1, assets(1)); at != -1 || err != nil {
		t.Errorf("Missing, of what is held = %d, %v; want -1", at, err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if at, err := pass.Missing(ended, n, "1", wallet1, assets(5)); at != -1 || !errors.Is(err, context.Canceled) {
		t.Errorf("Missing, when nobody waits any more = %d, %v; want -1 and why", at, err)
	}
}
