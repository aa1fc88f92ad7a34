package google

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// How long keys are taken for what Google signs with.
const (
	shortest = 5 * time.Minute
	longest  = 24 * time.Hour
	between  = time.Minute // one time that they are asked for and the next, at least
)

// Keys finds the root keys that Google signs with: a file, or an https URL that is asked again when its answer's time is over. It is safe for use by many
// goroutines.
type Keys struct {
	from   string
	client *http.Client

	mu    sync.Mutex // guards below; nobody keeps it while keys are fetched
	roots []root
	until time.Time // when the roots' time is over
	asked time.Time // when they were asked for, with or without success
	under *fetching // the one that is under way; nil for none
}

// fetching is keys being fetched. failed is to be read once done is closed.
type fetching struct {
	done   chan struct{}
	failed error
}

// root is a key of Google's.
type root struct {
	key     *ecdsa.PublicKey
	expires time.Time // zero for never
}

// NewKeys reads keys from a file name or an https URL; empty is Google's own. It fails where the file has no keys or the URL is none; keys behind a URL are asked
// for when they are needed first.
func NewKeys(from string) (*Keys, error) {
	k := &Keys{from: orElse(from, googleKeys), client: newClient(false)}
	if k.isURL() {
		if err := checkURL(k.from); err != nil {
			return nil, fmt.Errorf("keys of Google's wallet: %w", err)
		}
		return k, nil
	}
	raw, err := os.ReadFile(k.from)
	if err == nil {
		_, err = readRoots(raw)
	}
	if err != nil {
		return nil, fmt.Errorf("keys of Google's wallet: %w", err)
	}
	return k, nil
}

func (k *Keys) isURL() bool { return strings.Contains(k.from, "://") }

// at returns the keys that are good now. Where their time is over they are fetched, once for all who ask; those there are stay while there are no others to be had.
// Nobody waits for a fetch who has keys that are good, but for those who want fresh ones: theirs is a callback that no key is known to have signed, and to be
// forged it costs nothing.
func (k *Keys) at(ctx context.Context, now time.Time, fresh bool) ([]*ecdsa.PublicKey, error) {
	good, under := k.now(now, fresh)
	var failed error
	if under != nil && (fresh || len(good) == 0) {
		select {
		case <-under.done:
			failed = under.failed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		good, _ = k.now(now, false)
	}
	if len(good) > 0 {
		return good, nil
	}
	p := problem.New(problem.Unavailable, "wallet_keys_unavailable", "The keys that Google signs with cannot be had just now; call again later.")
	p.RetryAfter = between
	if failed != nil {
		return nil, fmt.Errorf("keys of Google's wallet: %w: %w", failed, p)
	}
	return nil, p
}

// now returns the keys that are good, and the fetch that is under way; it begins one where that is due.
func (k *Keys) now(now time.Time, fresh bool) (good []*ecdsa.PublicKey, under *fetching) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.under == nil && (fresh || !now.Before(k.until)) && !now.Before(k.asked.Add(between)) {
		k.asked, k.under = now, &fetching{done: make(chan struct{})}
		go k.fetch(k.under, now)
	}
	for _, r := range k.roots {
		if r.expires.IsZero() || now.Before(r.expires) {
			good = append(good, r.key)
		}
	}
	return good, k.under
}

// fetch has the keys as they are now, unless it fails. Whoever asked may go away, and the next wants the keys all the same; the client's timeout ends it.
func (k *Keys) fetch(f *fetching, now time.Time) {
	roots, lasts, err := k.read()
	k.mu.Lock()
	defer k.mu.Unlock()
	if f.failed = err; err == nil {
		k.roots, k.until = roots, now.Add(min(max(lasts, shortest), longest))
	}
	k.under = nil
	close(f.done)
}

func (k *Keys) read() ([]root, time.Duration, error) {
	read := k.file
	if k.isURL() {
		read = k.get
	}
	raw, lasts, err := read()
	if err != nil {
		return nil, 0, err
	}
	roots, err := readRoots(raw)
	return roots, lasts, err
}

func (k *Keys) file() ([]byte, time.Duration, error) {
	raw, err := os.ReadFile(k.from)
	return raw, shortest, err
}

func (k *Keys) get() ([]byte, time.Duration, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, k.from, nil)
	if err != nil {
		return nil, 0, err
	}
	resp, err := k.client.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("%s answers %d", k.from, resp.StatusCode)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return raw, maxAge(resp.Header), err
}

// readRoots reads the keys of our protocol. There have to be some.
func readRoots(raw []byte) ([]root, error) {
	var all struct {
		Keys []struct {
			Value    string `json:"keyValue"`
			Protocol string `json:"protocolVersion"`
			Expires  millis `json:"keyExpiration"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, fmt.Errorf("no keys: %w", err)
	}
	var roots []root
	for _, k := range all.Keys {
		key, err := readPublic(k.Value)
		if k.Protocol != protocol || err != nil { // one that we do not know leaves the others good
			continue
		}
		r := root{key: key}
		if k.Expires != 0 {
			r.expires = k.Expires.time()
		}
		roots = append(roots, r)
	}
	if len(roots) == 0 {
		return nil, errors.New("no keys of " + protocol)
	}
	return roots[:min(len(roots), 16)], nil
}

// maxAge reads how long an answer may be kept (RFC 9111 §5.2.2.1); 0 where it does not say.
func maxAge(h http.Header) time.Duration {
	for part := range strings.SplitSeq(h.Get("Cache-Control"), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if !strings.EqualFold(name, "max-age") {
			continue
		}
		if n, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil {
			return time.Duration(n) * time.Second
		}
	}
	return 0
}
