package consume

import (
	"sync"
	"time"
)

// pauses remembers how often the commands of which events have failed.
type pauses struct {
	mu     sync.Mutex // guards below
	failed map[string]int
}

const (
	firstPause = time.Second
	lastPause  = 5 * time.Minute
	remembered = 10_000 // events; what is forgotten begins anew
)

// next is how long an event that has failed once more stays away.
func (p *pauses) next(event string) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed == nil {
		p.failed = map[string]int{}
	}
	before, known := p.failed[event]
	if !known && len(p.failed) >= remembered {
		for one := range p.failed {
			delete(p.failed, one)
			break
		}
	}
	p.failed[event] = before + 1
	return min(firstPause<<min(before, 16), lastPause)
}

func (p *pauses) forget(event string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.failed, event)
}
