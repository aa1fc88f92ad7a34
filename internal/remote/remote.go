// Package remote is a running Stagedoor as the programs of its users see it: through its API, with a key or token.
//
// A [Server] makes calls ([Server.Call]) and opens streams of server-sent events ([Server.Open]). What the server refuses comes back as a
// [*problem.Error] with the server's own sentence. [Final] tells what is no use to try again from what is.
//
// The address is one that the person at the command line gave, and the credential is theirs: it is sent to that address alone, so redirects are
// not followed, and it is in no error. Nothing here runs in a server.
package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

const (
	callTimeout = 30 * time.Second
	maxAnswer   = 128 << 20 // bytes; an event may have 64 MiB, in base64, and its headers twice
	maxWait     = time.Hour
)

// Server is a running server. It is safe for use by many goroutines.
type Server struct {
	// Silence is how long a stream may be without a byte before it is taken for dead; 45 seconds when 0. Servers send a heartbeat every 15.
	Silence time.Duration

	base, key, agent string
	http             http.Client
}

// New names a server by its address, such as "http://127.0.0.1:8080", and the key or token to show it. agent is sent as User-Agent.
func New(address, key, agent string) (*Server, error) {
	base, err := Address(address)
	if err != nil {
		return nil, err
	}
	return &Server{base: strings.TrimRight(base.String(), "/"), key: key, agent: agent, http: http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: time.Minute,
			MaxIdleConnsPerHost: 32,
		},
	}}, nil
}

// Address reads an absolute http or https URL without a fragment.
func Address(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Fragment != "" {
		return nil, problem.New(problem.Invalid, "invalid_url", "%q is not an absolute http or https URL, such as http://localhost:3000/hook.", text)
	}
	return u, nil
}

// String is the server's address.
func (s *Server) String() string { return s.base }

// Close closes the connections that are kept open between calls.
func (s *Server) Close() { s.http.CloseIdleConnections() }

// Call makes one call and decodes its answer. A nil body sends none; a nil answer is not decoded. It takes at most 30 seconds.
func (s *Server) Call(ctx context.Context, method, path string, body, answer any) error {
	return s.CallWithin(ctx, callTimeout, method, path, body, answer)
}

// CallWithin is [Server.Call] with another time that it takes at most, for calls that the server answers when there is something to say.
func (s *Server) CallWithin(ctx context.Context, most time.Duration, method, path string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(text)
	}
	req, err := s.request(ctx, method, path, sent)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := s.http.Do(req)
	if err != nil {
		return s.unreached(err)
	}
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		return s.refusal(res)
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return s.unreached(err)
	}
	if len(text) > maxAnswer {
		return problem.New(problem.Invalid, "too_large", "The server's answer is larger than %d bytes, which is more than is read here.", maxAnswer)
	}
	if answer == nil || len(text) == 0 {
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("%s %s answered what is not understood: %w", method, path, err)
	}
	return nil
}

func (s *Server) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.base+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	req.Header.Set("User-Agent", s.agent)
	return req, nil
}

// unreached says that the server could not be spoken to, without the URL, which stands in errors of net/http.
func (s *Server) unreached(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return fmt.Errorf("%s cannot be reached: %w", s.base, err)
}

// kinds are the kinds of problems by status.
var kinds = func() map[int]problem.Kind {
	m := map[int]problem.Kind{}
	for k := problem.Invalid; k.Status() != http.StatusInternalServerError; k++ {
		m[k.Status()] = k
	}
	return m
}()

// refusal is an answer that is no success, as a problem.
func (s *Server) refusal(res *http.Response) *problem.Error {
	if to := res.Header.Get("Location"); to != "" && res.StatusCode/100 == 3 {
		return problem.New(problem.NotFound, "moved", "%s leads on to %s. If that is where the server is now, give it with --url.", s.base, to)
	}
	var said struct {
		Detail, Code string
		Errors       []problem.FieldError
		Error        struct{ Code, Message string } // of /v1
	}
	text, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer)) // what is cut off is not understood, and then not told
	_ = json.Unmarshal(text, &said)
	kind, ok := kinds[res.StatusCode]
	switch {
	case res.StatusCode >= http.StatusInternalServerError:
		kind = problem.Unavailable
	case !ok:
		kind = problem.Mismatch
	}
	if said.Error.Message != "" {
		said.Code, said.Detail = said.Error.Code, said.Error.Message
	}
	if said.Detail == "" {
		said.Detail = fmt.Sprintf("%s answered %s. Is it a Stagedoor of this version?", s.base, res.Status)
	}
	p := problem.New(kind, said.Code, "%s", said.Detail)
	p.Fields, p.RetryAfter = said.Errors, retryAfter(res.Header.Get("Retry-After"))
	return p
}

// retryAfter reads RFC 9110 §10.2.3, up to an hour.
func retryAfter(text string) time.Duration {
	if seconds, err := strconv.Atoi(text); err == nil && seconds > 0 {
		return time.Duration(min(seconds, int(maxWait/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, min(time.Until(at), maxWait))
	}
	return 0
}

// Final tells whether the same request will fail in the same way again: everything that the server refuses, but for too many requests, and for not now,
// which are all statuses from 500 on.
func Final(err error) bool {
	p := problem.As(err)
	return p != nil && p.Kind != problem.TooMany && p.Kind != problem.Unavailable
}
