package google

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/jwt"
)

// scope is what tokens are for.
const scope = "https://www.googleapis.com/auth/wallet_object.issuer"

// pause is how long nobody asks for a token again after there was none to be had.
const pause = 5 * time.Second

// tokens has the access token (RFC 7523) that calls carry. One goroutine at a time asks for it, and the others have what comes.
type tokens struct {
	ask func() (*oauth2.Token, error)
	now func() time.Time

	turn   chan struct{} // holds a value while somebody has what is below
	token  *oauth2.Token
	failed error
	again  time.Time // not before, when failed
}

func newTokens(a *Account, url string, client *http.Client, now func() time.Time) *tokens {
	config := &jwt.Config{Email: a.Email, PrivateKey: a.pem, PrivateKeyID: a.keyID, Scopes: []string{scope}, TokenURL: url}
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, client)
	return &tokens{
		ask: func() (*oauth2.Token, error) { return config.TokenSource(ctx).Token() }, // which the client's timeout ends
		now: now, turn: make(chan struct{}, 1),
	}
}

// get returns the token. Its error is a *refused where the token endpoint has answered.
func (t *tokens) get(ctx context.Context) (string, error) {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if t.token.Valid() {
		return t.token.AccessToken, nil
	}
	if t.failed != nil && t.now().Before(t.again) {
		return "", t.failed
	}
	token, err := t.ask()
	if err == nil && token.AccessToken == "" {
		err = errors.New("the answer holds no token")
	}
	if err != nil {
		t.failed, t.again = refusal(err), t.now().Add(pause)
		return "", t.failed
	}
	t.token, t.failed = token, nil
	return token.AccessToken, nil
}

// forget has the next call ask for another token than this one, which Google does not take any more.
func (t *tokens) forget(token string) {
	t.turn <- struct{}{}
	defer func() { <-t.turn }()
	if t.token != nil && t.token.AccessToken == token {
		t.token = nil
	}
}

// refused is an answer of the token endpoint that is none.
type refused struct {
	status int
	after  time.Duration
	code   string // RFC 6749 §5.2; may be empty
}

func (r *refused) Error() string {
	return strings.TrimSpace(fmt.Sprintf("token: %d %s", r.status, r.code))
}

// refusal is err without what the body says, which may be anything.
func refusal(err error) error {
	var answer *oauth2.RetrieveError
	if !errors.As(err, &answer) || answer.Response == nil {
		return fmt.Errorf("token: %w", err)
	}
	var said struct {
		Error string `json:"error"`
	}
	_ = json.Unmarshal(answer.Body, &said) // a body that is no JSON has no code
	r := &refused{status: answer.Response.StatusCode, after: retryAfter(answer.Response.Header, time.Now())}
	if len(said.Error) <= 40 && isName(said.Error) {
		r.code = said.Error
	}
	return r
}
