package live

import (
	"sync"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// places are those of the streams that can be open at once.
type places struct {
	most int // on this node
	each int // of one key
	// How a refusal says whose they are, and what.
	whose, what string

	mu    sync.Mutex // guards the rest
	count int
	taken map[any]int
}

// enter takes a place for a key: a credential, or an organisation. leave gives it back.
func (p *places) enter(key any) (leave func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken[key] >= p.each {
		return nil, full(problem.TooMany, "%s has %d %s open, which is all that it can have. Close one, or share one.", p.whose, p.each, p.what)
	}
	if p.count >= p.most {
		return nil, full(problem.Unavailable, "All %s of this server are taken. Try again later.", p.what)
	}
	if p.taken == nil {
		p.taken = map[any]int{}
	}
	p.count++
	p.taken[key]++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.count--
		if p.taken[key]--; p.taken[key] == 0 {
			delete(p.taken, key)
		}
	}, nil
}

func full(k problem.Kind, detail string, args ...any) error {
	p := problem.New(k, "too_many_streams", detail, args...)
	p.RetryAfter = 10 * time.Second
	return p
}
