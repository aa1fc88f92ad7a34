package passkit

import (
	"net/http"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// maxCallback bounds a callback's body, in bytes.
const maxCallback = 32 << 10

// googleDevice is what the one registration of a pass in Google's wallet is called: Google does not say whose it is.
const googleDevice = "google"

// google takes a callback.
func (s *service) google(w http.ResponseWriter, r *http.Request) error {
	raw, err := body(w, r, maxCallback)
	if err != nil {
		return err
	}
	c, err := s.Callbacks.Verify(r.Context(), raw)
	if err != nil {
		return err
	}
	p, err := pass.BySerial(s.DB.Read(r.Context()), pass.Google, c.Serial)
	if err == nil {
		err = s.DB.Write(r.Context(), "", func(tx *db.Tx) error {
			if err := s.Book.Use(tx, 0, pass.Once{What: "callback", Value: []byte(c.Nonce), Until: c.Until}); err != nil {
				return err
			}
			if !c.Save {
				return s.Book.Unregister(tx, p.Serial, googleDevice)
			}
			_, err := s.Book.Register(tx, p.Serial, googleDevice, "")
			return err
		})
	}
	if why := problem.As(err); why != nil { // known before, of no pass of ours, or saved too often: it would be no other when it is said again
		s.Log.DebugContext(r.Context(), "a callback of Google's changes nothing", "why", why.Code)
		return nil //nolint:nilerr // Google has done its part
	}
	return err
}
