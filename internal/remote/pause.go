package remote

import (
	"context"
	"math/rand/v2"
	"time"
)

// MaxPause is the longest [Pause], but for what chance adds.
const MaxPause = 30 * time.Second

const minPause = 250 * time.Millisecond

// Pause is how long to wait before a server is tried again after so many failures in a row: it doubles up to [MaxPause], a fifth more or less.
func Pause(failures int) time.Duration {
	p := min(minPause<<min(failures, 16), MaxPause)
	return p + time.Duration((rand.Float64()-0.5)*0.4*float64(p))
}

// Sleep waits, and tells whether it did so to the end; the context ends it before.
func Sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
