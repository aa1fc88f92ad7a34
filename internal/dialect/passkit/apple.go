package passkit

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/form"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/pass/apple"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// authorized finds the pass that a request is about. Whatever is wrong is said in the same way.
func (s *service) authorized(r *http.Request) (*pass.Pass, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "ApplePass") || token == "" {
		return nil, unauthorized()
	}
	if ours, err := s.TypeID(r.Context()); err != nil || r.PathValue("type") != ours {
		return nil, cmp.Or(err, unauthorized())
	}
	p, err := s.Book.Authorized(s.DB.Read(r.Context()), pass.Apple, r.PathValue("serial"), token)
	if problem.Is(err, "pass_not_found") {
		return nil, unauthorized()
	}
	return p, err
}

func unauthorized() error {
	p := problem.New(problem.Unauthorized, "not_authorized", "Show the pass's authenticationToken: Authorization: ApplePass …")
	p.Scheme = "ApplePass"
	return p
}

// device is what a device calls itself.
func device(r *http.Request) (string, error) {
	name := r.PathValue("secret")
	if n := utf8.RuneCountInString(name); n < 1 || n > maxDevice || !form.Printable(name) {
		return "", problem.New(problem.Invalid, "invalid_device", "A device library identifier has 1 to %d characters.", maxDevice)
	}
	return name, nil
}

const maxDevice = 128

// register notes that a device has a pass, and where it is told of changes.
func (s *service) register(w http.ResponseWriter, r *http.Request) error {
	p, err := s.authorized(r)
	if err != nil {
		return err
	}
	name, err := device(r)
	if err != nil {
		return err
	}
	raw, err := body(w, r, maxRegistration)
	if err != nil {
		return err
	}
	token, err := pushToken(raw)
	if err != nil {
		return err
	}
	added := false
	err = s.DB.Write(r.Context(), "", func(tx *db.Tx) (err error) {
		added, err = s.Book.Register(tx, p.Serial, name, token)
		return err
	})
	if err != nil {
		return err
	}
	if added {
		w.WriteHeader(http.StatusCreated)
	}
	return nil
}

// maxRegistration bounds the body of a registration, in bytes.
const maxRegistration = 4 << 10

// pushToken reads the body of a registration.
func pushToken(raw []byte) (string, error) {
	if _, err := form.JSON(raw, nil); err != nil {
		return "", err
	}
	var in struct{ PushToken string }
	if err := json.Unmarshal(raw, &in); err != nil {
		return "", problem.New(problem.Invalid, "invalid_body", `The body is a JSON object with the text "pushToken".`)
	}
	if !hexadecimal(in.PushToken) || len(in.PushToken) > maxPushToken {
		return "", problem.Field("/pushToken", "invalid", "A push token has 1 to %d hexadecimal digits.", maxPushToken)
	}
	return in.PushToken, nil
}

const maxPushToken = 200

func hexadecimal(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
		default:
			return false
		}
	}
	return s != ""
}

// unregister notes that a device has a pass no more.
func (s *service) unregister(_ http.ResponseWriter, r *http.Request) error {
	p, err := s.authorized(r)
	if err != nil {
		return err
	}
	name, err := device(r)
	if err != nil {
		return err
	}
	return s.DB.Write(r.Context(), "", func(tx *db.Tx) error { return s.Book.Unregister(tx, p.Serial, name) })
}

type changedJSON struct {
	SerialNumbers []string `json:"serialNumbers"`
	LastUpdated   string   `json:"lastUpdated"`
}

// everything is the tag of a device that has not asked before.
const everything = -1

// changed tells a device which of its passes have changed since it asked last. A tag that is not one of ours is as none: better to fetch too much than nothing any more.
func (s *service) changed(w http.ResponseWriter, r *http.Request) error {
	name, err := device(r)
	if err != nil {
		return err
	}
	since, err := strconv.ParseInt(r.URL.Query().Get("passesUpdatedSince"), 10, 64)
	if err != nil {
		since = everything
	}
	ours, err := s.TypeID(r.Context())
	if err != nil {
		return err
	}
	var out changedJSON
	if r.PathValue("type") == ours {
		var tag int64
		if out.SerialNumbers, tag, err = pass.Changed(s.DB.Read(r.Context()), name, since); err != nil {
			return err
		}
		out.LastUpdated = strconv.FormatInt(tag, 10)
	}
	if len(out.SerialNumbers) == 0 {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	raw, err := json.Marshal(out)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(raw) // the device may be gone
	return nil
}

// fetch hands out a pass as it is now. Its last change is read before what it shows: a change in between is then fetched twice rather than never.
func (s *service) fetch(w http.ResponseWriter, r *http.Request) error {
	p, err := s.authorized(r)
	if err != nil {
		return err
	}
	w.Header().Set("Last-Modified", p.ModifiedAt.UTC().Format(http.TimeFormat))
	if since, err := http.ParseTime(r.Header.Get("If-Modified-Since")); err == nil && !p.ModifiedAt.Truncate(time.Second).After(since) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	face, err := s.Book.Face(r.Context(), s.DB.Read(r.Context()), p, s.BaseURL, s.Now())
	if err != nil {
		w.Header().Del("Last-Modified")
		return err
	}
	made, err := s.Apple(face)
	if err != nil {
		w.Header().Del("Last-Modified")
		return err
	}
	w.Header().Set("Content-Type", apple.MediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(made)))
	_, _ = w.Write(made) // the device may be gone
	return nil
}
