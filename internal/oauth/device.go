package oauth

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// A device's code: eight consonants, so that it makes no words and survives being read aloud (RFC 8628 §6.1). 20^8 codes that live ten minutes, and five
// guesses a minute for each person and each address: guessing one is hopeless (§5.1).
const (
	consonants       = "BCDFGHJKLMNPQRSTVWXZ"
	userCodeLength   = 8
	pollEvery        = 5 * time.Second
	guessesPerMinute = 5
)

func newUserCode() string {
	code := make([]byte, 0, userCodeLength)
	for b := make([]byte, 1); len(code) < userCodeLength; {
		_, _ = rand.Read(b)
		if int(b[0]) < 256-256%len(consonants) { // no bias
			code = append(code, consonants[int(b[0])%len(consonants)])
		}
	}
	return string(code)
}

// plainCode is a code as somebody typed it: case, dashes and spaces do not count.
func plainCode(typed string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToUpper(typed))
}

func (s *Server) userCodeHash(plain string) []byte {
	return s.Registry.Keys.MAC([]byte("device code " + plain))
}

// device is the device authorization endpoint (RFC 8628 §3.1).
func (s *Server) device(w http.ResponseWriter, r *http.Request) {
	p, err := s.form(w, r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	code, typed, err := s.newDevice(r, p)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	shown := typed[:4] + "-" + typed[4:]
	s.answer(w, http.StatusOK, map[string]any{
		"device_code": code, "user_code": shown, "verification_uri": s.Issuer + "/oauth/device",
		"verification_uri_complete": s.Issuer + "/oauth/device?user_code=" + shown,
		"expires_in":                int64(s.DeviceLife / time.Second), "interval": int64(pollEvery / time.Second),
	})
}

func (s *Server) newDevice(r *http.Request, p params) (code, typed string, err error) {
	x, err := s.authenticated(r, p)
	if err != nil {
		return "", "", err
	}
	c := x.client
	if !c.may(DeviceCode) {
		return "", "", bad("unauthorized_client", "This client is not registered for device codes.")
	}
	scopes, err := asked(&c, p["scope"])
	if err != nil {
		return "", "", err
	}
	resource, err := s.resource(p["resource"])
	if err != nil {
		return "", "", err
	}
	code, typed = id.Secret(devicePrefix), newUserCode()
	err = s.DB.Write(r.Context(), "", func(tx *db.Tx) error {
		if err := x.prove(tx); err != nil {
			return err
		}
		return tx.Later(`INSERT INTO oauth_devices (hash, user_code, org_id, client_no, scopes, thumbprint, resource, state, grant_no, granted, poll_every, created_at,
			expires_at) VALUES ($1, $2, $3, $4, $5, '', $6, 'pending', 0, '', $7, $8, $9)`,
			hash(code), s.userCodeHash(typed), c.Org, c.No, scopes, resource, int64(pollEvery/time.Second), tx.Micros(), tx.Now().Add(s.DeviceLife).UnixMicro())
	})
	return code, typed, err
}

// waiting is a device as it is stored.
type waiting struct {
	hash     []byte
	client   int64
	scopes   scope.Set
	resource string
	state    string
	grant    int64
	granted  scope.Set
	every    int64
	polled   *int64
	expires  int64
}

const deviceColumns = `hash, client_no, scopes, resource, state, grant_no, granted, poll_every, polled_at, expires_at`

func scanDevice(r db.Rows) (d waiting, err error) {
	var scopes, granted string
	if err := r.Scan(&d.hash, &d.client, &scopes, &d.resource, &d.state, &d.grant, &granted, &d.every, &d.polled, &d.expires); err != nil {
		return d, err
	}
	if d.scopes, err = scope.Parse(scopes); err == nil {
		d.granted, err = scope.Parse(granted)
	}
	return d, err
}

// exchangeDevice is a device's question whether somebody has allowed it (RFC 8628 §3.4, §3.5).
func (s *Server) exchangeDevice(ctx context.Context, x *exchange) (tokens, error) {
	code := x.params["device_code"]
	if code == "" {
		return tokens{}, invalidRequest("device_code is missing.")
	}
	return s.give(ctx, x, func(tx *db.Tx) (t tokens, refused, err error) {
		d, err := db.One(tx, scanDevice, `SELECT `+deviceColumns+` FROM oauth_devices WHERE hash = $1`, hash(code))
		switch {
		case errors.Is(err, db.ErrNoRow) || err == nil && d.client != x.client.No:
			return t, invalidGrant("The device code is not known, or not this client's."), nil
		case err != nil:
			return t, nil, err
		case d.expires <= tx.Micros():
			return t, bad("expired_token", "The device code is too old. Begin again."), nil
		case d.state == "denied":
			return t, bad("access_denied", "The person did not allow it."), nil
		case d.state == "used":
			return t, invalidGrant("The device code was used already."), nil
		case d.state == "pending":
			refused, err = d.poll(tx)
			return t, refused, err
		}
		return s.redeemDevice(tx, x, d)
	})
}

// poll notes that a device has asked. One that asks too often has to ask less often from then on.
func (d waiting) poll(tx *db.Tx) (error, error) {
	answer := bad("authorization_pending", "The person has not decided yet.")
	if d.polled != nil && tx.Micros()-*d.polled < d.every*1_000_000 {
		d.every += 5
		answer = bad("slow_down", "Ask five seconds less often.")
	}
	_, err := tx.Exec(`UPDATE oauth_devices SET polled_at = $1, poll_every = $2 WHERE hash = $3`, tx.Micros(), d.every, d.hash)
	return answer, err
}

func (s *Server) redeemDevice(tx *db.Tx, x *exchange, d waiting) (t tokens, refused, err error) {
	n, err := tx.Exec(`UPDATE oauth_devices SET state = 'used' WHERE hash = $1 AND state = 'approved'`, d.hash)
	if err != nil {
		return t, nil, err
	}
	if n == 0 {
		return t, invalidGrant("The device code was used already."), nil
	}
	g, err := db.One(tx, scanGrant, `SELECT `+grantColumns+grantFrom+` WHERE g.grant_no = $1 AND g.revoked_at IS NULL`, d.grant)
	if errors.Is(err, db.ErrNoRow) {
		return t, invalidGrant("What the person had allowed was withdrawn."), nil
	}
	if err != nil {
		return t, nil, err
	}
	t, _, err = s.begin(tx, x, g, d.granted&g.Scopes, d.resource)
	return t, nil, err
}

// devicePage asks for the code. One that came with the address is shown, and asked to be confirmed (RFC 8628 §3.3.1).
func (s *Server) devicePage(w http.ResponseWriter, r *http.Request) {
	person, err := s.Front.Person(r)
	if err != nil {
		s.say(w, r, err)
		return
	}
	if person == nil {
		s.Front.SignIn(w, r, r.URL.RequestURI())
		return
	}
	private(w)
	typed := plainCode(r.URL.Query().Get("user_code"))
	if len(typed) != userCodeLength || strings.Trim(typed, consonants) != "" {
		typed = ""
	} else {
		typed = typed[:4] + "-" + typed[4:]
	}
	s.Front.Code(w, r, typed, "", http.StatusOK)
}

// deviceCode looks for the device that shows the code, and asks whether it may.
func (s *Server) deviceCode(w http.ResponseWriter, r *http.Request) {
	form, err := readForm(w, r)
	if err != nil {
		s.say(w, r, err)
		return
	}
	person, err := s.Front.Person(r)
	if err != nil {
		s.say(w, r, err)
		return
	}
	if person == nil {
		s.Front.SignIn(w, r, "/oauth/device") // this address takes a form only
		return
	}
	if !s.Front.Genuine(r, form["csrf"]) {
		s.Front.Say(w, r, http.StatusForbidden, "This page is not yours any more", "Type the code again.")
		return
	}
	private(w)
	for _, name := range []string{"person " + string(person.ID), "address " + network(s.address(r))} {
		if err := s.codes.take(s.Now(), name); err != nil {
			var f *fault
			if errors.As(err, &f) {
				w.Header().Set("Retry-After", f.header["Retry-After"])
			}
			s.Front.Code(w, r, "", "There were too many tries. Wait a minute, then type the code that the device shows.", http.StatusTooManyRequests)
			return
		}
	}
	q := s.DB.Read(r.Context())
	typed := plainCode(form["user_code"])
	d, err := db.One(q, scanDevice, `SELECT `+deviceColumns+` FROM oauth_devices WHERE user_code = $1 AND state = 'pending' AND expires_at > $2`,
		s.userCodeHash(typed), s.Now().UnixMicro())
	if errors.Is(err, db.ErrNoRow) {
		s.Front.Code(w, r, "", "No device shows this code now. Look at it again; a code is good for ten minutes.", http.StatusBadRequest)
		return
	}
	if err != nil {
		s.say(w, r, err)
		return
	}
	s.askForDevice(w, r, d, typed, person)
}

func (s *Server) askForDevice(w http.ResponseWriter, r *http.Request, d waiting, typed string, person *Person) {
	c, err := db.One(s.DB.Read(r.Context()), scanClient, `SELECT `+clientColumns+` FROM oauth_clients c WHERE c.client_no = $1 AND c.deleted_at IS NULL`, d.client)
	if err != nil {
		s.say(w, r, err)
		return
	}
	places, err := s.People.Places(s.DB.Read(r.Context()), person.No, c.Org)
	if err != nil {
		s.say(w, r, err)
		return
	}
	req := request{Client: c.ID, Scopes: d.scopes.String(), Device: typed}
	secret, err := s.keep(r.Context(), "consent", &c, person.Session, req, consentLife)
	if err != nil {
		s.say(w, r, err)
		return
	}
	s.Front.Consent(w, r, Consent{
		Person: person, ClientName: c.Name, Scopes: d.scopes.List(), Places: places, Request: secret, UserCode: typed[:4] + "-" + typed[4:],
	})
}

// deviceConsent is where the page's form goes.
func (s *Server) deviceConsent(w http.ResponseWriter, r *http.Request) {
	a, err := readAnswer(w, r)
	if err != nil {
		s.say(w, r, err)
		return
	}
	person, err := s.Front.Person(r)
	if err != nil || person == nil || !s.Front.Genuine(r, a.csrf) {
		s.Front.Say(w, r, http.StatusForbidden, "This page is not yours any more", "Begin again with the code that the device shows.")
		return
	}
	allowed := false
	err = s.DB.Configure(r.Context(), func(tx *db.Tx) error {
		req, err := use(tx, "consent", a.request, 0, person.Session)
		if err == nil && req.Device == "" {
			err = errNotKept // the page was about something else
		}
		if err != nil {
			return err
		}
		c, err := clientNamed(tx, 0, req.Client)
		if err != nil {
			return err
		}
		g, err := s.grant(tx, &c, req.scopes(), a, person, audit.By{Actor: string(person.ID), Address: s.address(r)})
		if err != nil {
			return err
		}
		state := "denied"
		if allowed = g.No != 0; allowed {
			state = "approved"
		}
		n, err := tx.Exec(`UPDATE oauth_devices SET state = $1, grant_no = $2, granted = $3 WHERE user_code = $4 AND client_no = $5 AND state = 'pending' AND expires_at > $6`,
			state, g.No, g.Scopes.String(), s.userCodeHash(req.Device), c.No, tx.Micros())
		if err == nil && n == 0 {
			err = errNotKept
		}
		return err
	})
	private(w)
	switch {
	case errors.Is(err, errNotKept) || problem.Is(err, "client_not_found"):
		s.Front.Say(w, r, http.StatusForbidden, "This page was used already", "Begin again with the code that the device shows.")
	case err != nil:
		s.say(w, r, err)
	case allowed:
		s.Front.Say(w, r, http.StatusOK, "The device may go on", "You can close this page and go back to the device.")
	default:
		s.Front.Say(w, r, http.StatusOK, "The device was told no", "Nothing was allowed. You can close this page.")
	}
}
