package oauth

import (
	"context"
	"math/rand/v2"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// kills is how often the server is killed.
func kills() int {
	if harness.Long() {
		return 50
	}
	return 4
}

// The token that a client had last works after the server died: it was not used, or it was, and the answer is given again.
func TestLine54ADyingServerLosesNoFamily(t *testing.T) {
	t.Parallel()
	harness.Each(t, true, func(t *testing.T, h *harness.House) {
		t.Parallel()
		flags := append([]string{"--oauth-per-minute", "0", "--oauth-grace", "5m"}, always...)
		srv, err := h.Start(flags...)
		if err != nil {
			t.Fatal(err)
		}
		s := newSite(h, srv)
		a := s.app(t)
		p := s.owner(t)
		held := make([]string, 6)
		for i := range held {
			held[i] = p.grant(t, a).refresh
		}
		refreshed := 0
		for range kills() {
			refreshed += s.hammer(t, a, held, time.Duration(30+rand.IntN(400))*time.Millisecond)
			if srv, err = h.Start(flags...); err != nil {
				t.Fatal(err)
			}
			s.server, s.URL, s.issuer = srv, srv.URL, srv.URL
			for i, token := range held {
				held[i] = newTokens(t, a.refresh(t, token)).refresh
			}
		}
		t.Logf("%d refreshes were answered in %d lives", refreshed, kills())
		if refreshed == 0 {
			t.Error("the server died before it answered anything")
		}
		got := p.grant(t, a)
		s.alive(t, got.access)
		if err := srv.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
		if trouble := srv.Trouble(); trouble != "" {
			t.Errorf("the server's log has %s", trouble)
		}
	})
}

// hammer refreshes all tokens again and again and kills the server after a while. held has what each client got last.
func (s *site) hammer(t *testing.T, a *app, held []string, after time.Duration) (refreshed int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	var mu sync.Mutex // guards refreshed
	for i := range held {
		clients.Go(func() {
			for ctx.Err() == nil {
				form := url.Values{"grant_type": {refresh}, "refresh_token": {held[i]}, "client_id": {a.ID}}
				r, err := try(s.client, s.request(t, "POST", "/oauth/token", []byte(form.Encode()), "Content-Type", formType))
				if err != nil {
					return // the server died
				}
				if r.Status != 200 {
					t.Errorf("client %d: the refresh = %d %s", i, r.Status, r.Body)
					return
				}
				held[i] = r.text("refresh_token")
				mu.Lock()
				refreshed++
				mu.Unlock()
			}
		})
	}
	time.Sleep(after)
	s.server.Kill()
	cancel()
	clients.Wait()
	return refreshed
}
