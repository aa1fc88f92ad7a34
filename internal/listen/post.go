package listen

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

const (
	answerWithin = 30 * time.Second // as a server gives receivers
	grace        = 2 * time.Second  // for a delivery that is under way when the listener is interrupted
	drained      = 64 << 10         // bytes of an answer that are read and thrown away
)

// poster posts to one receiver.
type poster struct {
	target string
	client http.Client
}

// newPoster makes a poster. Each delivery has its own connection: one that is kept may turn out to be dead only after the delivery is half written, and
// then nobody knows whether the receiver has it. Redirects are not followed, as a server does not.
func newPoster(target *url.URL) *poster {
	return &poster{target: target.String(), client: http.Client{
		Timeout:       answerWithin,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, DisableCompression: true},
	}}
}

// answered is what came of posting.
type answered struct {
	posted bool // a connection was there, and the request went out; else it may be posted again
	status int  // 0 for no answer
	took   time.Duration
	err    error
}

func (p *poster) post(ctx context.Context, header http.Header, body string) answered {
	ctx, cancel := underWay(ctx)
	defer cancel()
	var wrote atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { wrote.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.target, strings.NewReader(body))
	if err != nil {
		return answered{err: err}
	}
	req.Header = header
	began := time.Now()
	res, err := p.client.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return answered{posted: wrote.Load(), took: time.Since(began), err: err}
	}
	_, _ = io.CopyN(io.Discard, res.Body, drained)
	_ = res.Body.Close()
	return answered{posted: true, status: res.StatusCode, took: time.Since(began)}
}

// underWay is a context that outlives ctx by the grace.
func underWay(ctx context.Context) (context.Context, context.CancelFunc) {
	going, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return going, func() { stop(); cancel() }
}
