//go:build !linux

package bench

import "time"

// metronome sleeps as well as the runtime can.
type metronome struct{}

func newMetronome() (*metronome, error) { return &metronome{}, nil }

func (*metronome) sleep(d time.Duration) { time.Sleep(d) }

func (*metronome) close() {}
