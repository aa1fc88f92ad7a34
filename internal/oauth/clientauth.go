package oauth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/proof"
)

// methods are the ways in which clients show who they are, as the metadata lists them.
var methods = []AuthMethod{Public, SecretBasic, SecretPost, PrivateKey}

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" // RFC 7523 §2.2

// shown is what a request shows of its client.
type shown struct {
	id     string
	method AuthMethod
	secret string // or the assertion
	basic  bool   // whether a failure is answered with WWW-Authenticate
}

// exchange is a request from a client that has shown who it is.
type exchange struct {
	client Client
	params params
	key    string // the thumbprint of the key that the request proves (RFC 9449), "" for none
	once   []once // what came with it and is good once
}

// once is something that is good once: an assertion or a proof.
type once struct {
	seen  []byte
	until time.Time
	again error // what is said when it was seen before
}

// prove remembers what came with the request and is good once, in the transaction that does what the request asks for. It fails when something was
// seen before. A request that is refused after it leaves it remembered.
func (x *exchange) prove(tx *db.Tx) error {
	for _, o := range x.once {
		n, err := tx.Exec(`INSERT INTO oauth_proofs (hash, expires_at) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING`, o.seen, o.until.UnixMicro())
		if err != nil {
			return fmt.Errorf("remember proof: %w", err)
		}
		if n == 0 {
			return o.again
		}
	}
	return nil
}

// authenticated finds out which client a request is from and whether it is (RFC 6749 §2.3), and takes the request from the client's budget: only then,
// so that nobody can use up another's. A client uses the method that it is registered for, and no other.
func (s *Server) authenticated(r *http.Request, p params) (*exchange, error) {
	sh, err := showing(r, p)
	if err != nil {
		return nil, err
	}
	x := &exchange{params: p}
	if err := s.identify(r.Context(), x, sh); err != nil {
		return nil, err
	}
	return x, s.limits.take(s.Now(), "client "+string(x.client.ID))
}

// identify holds what a request shows against what is known of the client.
func (s *Server) identify(ctx context.Context, x *exchange, sh shown) error {
	refused := &fault{code: "invalid_client", description: "The client is unknown, or has not shown that it is who it says.", status: http.StatusUnauthorized}
	if sh.basic {
		refused.header = map[string]string{"WWW-Authenticate": `Basic realm="stagedoor", charset="UTF-8"`}
	}
	c, err := clientNamed(s.DB.Read(ctx), 0, id.Client(sh.id))
	switch {
	case problem.Is(err, "client_not_found") || err == nil && sh.method != c.AuthMethod:
		return refused
	case err != nil:
		return err
	}
	x.client = c
	switch c.AuthMethod {
	case Public:
		return nil
	case PrivateKey:
		return s.asserted(x, sh.secret, refused)
	}
	ok, err := s.Registry.knows(s.DB.Read(ctx), &c, sh.secret, s.Now())
	if err == nil && !ok {
		err = refused
	}
	return err
}

// showing reads which client a request says it is from, and by which method. Two at once are refused (RFC 6749 §2.3).
func showing(r *http.Request, p params) (shown, error) {
	var ways []shown
	if a := r.Header.Values("Authorization"); len(a) > 0 {
		user, secret, ok := basic(a)
		if !ok {
			return shown{}, &fault{
				code: "invalid_client", description: "Only Basic is understood in Authorization here.", status: http.StatusUnauthorized,
				header: map[string]string{"WWW-Authenticate": `Basic realm="stagedoor", charset="UTF-8"`},
			}
		}
		ways = append(ways, shown{user, SecretBasic, secret, true})
	}
	if secret := p["client_secret"]; secret != "" {
		ways = append(ways, shown{p["client_id"], SecretPost, secret, false})
	}
	if jwt := p["client_assertion"]; jwt != "" || p["client_assertion_type"] != "" {
		if p["client_assertion_type"] != assertionType || jwt == "" {
			return shown{}, invalidRequest("client_assertion and client_assertion_type belong together; the type is " + assertionType + ".")
		}
		name := p["client_id"]
		if name == "" {
			name = proof.AssertionSubject(jwt)
		}
		ways = append(ways, shown{name, PrivateKey, jwt, false})
	}
	switch {
	case len(ways) > 1:
		return shown{}, invalidRequest("The client shows who it is in two ways at once. Use one.")
	case len(ways) == 0 && p["client_id"] == "":
		return shown{}, &fault{code: "invalid_client", description: "Say which client this is: client_id.", status: http.StatusUnauthorized}
	case len(ways) == 0:
		return shown{p["client_id"], Public, "", false}, nil
	case p["client_id"] != "" && p["client_id"] != ways[0].id:
		return shown{}, invalidRequest("client_id is another client than the one that shows who it is.")
	}
	return ways[0], nil
}

// basic reads Authorization: id and secret are form-encoded before they go into it (RFC 6749 §2.3.1).
func basic(header []string) (user, secret string, ok bool) {
	scheme, text, _ := strings.Cut(header[0], " ")
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if len(header) > 1 || !strings.EqualFold(scheme, "Basic") || err != nil {
		return "", "", false
	}
	user, secret, ok = strings.Cut(string(raw), ":")
	if !ok {
		return "", "", false
	}
	user, userErr := url.QueryUnescape(user)
	secret, secretErr := url.QueryUnescape(secret)
	return user, secret, errors.Join(userErr, secretErr) == nil
}

// asserted checks a client's assertion, which is good once.
func (s *Server) asserted(x *exchange, jwt string, refused error) error {
	seen, until, err := proof.Assertion(jwt, x.client.JWKS, string(x.client.ID), s.Issuer, s.Now())
	var wrong *proof.Error
	if errors.As(err, &wrong) {
		return refused
	}
	x.once = append(x.once, once{seen, until, refused})
	return err
}
