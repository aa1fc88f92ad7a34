package ethpass

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"strconv"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/pass/apple"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

const linkBase = pass.LinkPath

func (a *API) linkURL(link string) string { return a.PublicURL + linkBase + link }

// linkRoutes have all methods, and all that can be written behind a link, so that the log never has one: it leaves out what is called secret.
func (a *API) linkRoutes(mux *http.ServeMux) {
	mux.HandleFunc(linkBase+"{secret}", a.link)
	mux.HandleFunc(linkBase+"{secret}/{rest...}", a.link)
}

const (
	// linksPerMinute is how many links a network may follow in a minute: those of a venue's visitors, and far too few to guess one.
	linksPerMinute = 300

	// googleWithin is how long Google may take to make a pass known while somebody waits. There is time left to say that it did not.
	googleWithin = 8 * time.Second
)

// link hands a pass out: Apple's as a file, Google's by sending the browser on to where it is saved. Whoever looks whether there is something (HEAD) does not open
// it, and Google is not called for them: they are answered with 200, and not told where it leads.
func (a *API) link(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Robots-Tag", "noindex")
	file, to, err := a.follow(r)
	switch {
	case err != nil:
		if problem.Is(err, "method_not_allowed") {
			h.Set("Allow", "GET, HEAD")
		}
		a.page(w, r, err)
	case to != "":
		h.Set("Location", to)
		w.WriteHeader(http.StatusFound)
	case file != nil:
		h.Set("Content-Type", apple.MediaType)
		h.Set("Content-Disposition", `attachment; filename="pass.pkpass"`)
		h.Set("Content-Length", strconv.Itoa(len(file)))
		_, _ = w.Write(file) //nolint:gosec // a file that is kept, not shown; the client may be gone
	}
}

// follow finds what a link leads to: a file, or a place. It is neither where somebody only looks for a pass of Google's.
func (a *API) follow(r *http.Request) (file []byte, to string, err error) {
	defer caught(&err)
	if err := a.Door.Spend("link "+access.Neighbourhood(a.client(r)), linksPerMinute); err != nil {
		return nil, "", err
	}
	looks := r.Method == http.MethodHead
	if r.Method != http.MethodGet && !looks {
		return nil, "", problem.New(problem.MethodUnknown, "method_not_allowed", "%.20s is not possible here; open the link in a browser.", r.Method)
	}
	link := r.PathValue("secret")
	if r.URL.Path != linkBase+link {
		return nil, "", problem.New(problem.NotFound, "link_not_found", "There is no such link; open it exactly as it was given to you.")
	}
	ctx := r.Context()
	q := a.DB.Read(ctx)
	p, err := a.Book.Linked(q, link, a.Now())
	if err != nil {
		return nil, "", err
	}
	if !p.Active() {
		return nil, "", problem.New(problem.Gone, "pass_expired", "This pass has expired. Ask whoever gave it to you for another.")
	}
	if looks && p.Platform == pass.Google {
		return nil, "", nil
	}
	face, err := a.Book.Face(ctx, q, p, a.PublicURL, a.Now())
	if err != nil {
		return nil, "", err
	}
	if p.Platform == pass.Apple {
		file, err = a.Apple(face)
	} else {
		to, err = a.saving(ctx, face)
	}
	if err != nil || looks {
		return file, to, err
	}
	return file, to, a.DB.Write(ctx, "", func(tx *db.Tx) error {
		_, err := a.Book.Open(tx, link)
		return err
	})
}

// saving is where a pass is saved into Google's wallet.
func (a *API) saving(ctx context.Context, f pass.Face) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, googleWithin)
	defer cancel()
	to, err := a.Google(ctx, f)
	if problem.As(err) == nil && errors.Is(err, context.DeadlineExceeded) {
		p := problem.New(problem.Unavailable, "wallet_unavailable", "Google's wallet does not answer just now; open the link again later.")
		p.RetryAfter = googleWithin
		return "", fmt.Errorf("%w: %w", err, p)
	}
	return to, err
}

// page tells whoever followed a link that leads nowhere.
func (a *API) page(w http.ResponseWriter, r *http.Request, err error) {
	status, said := http.StatusInternalServerError, internal
	if p := a.Problems.Shown(r, err); p != nil {
		status, said = statusOf(p), message(p, nil)
		again(w.Header(), p)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	w.WriteHeader(status)
	_, _ = w.Write([]byte("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>Wallet pass</title>\n<p>" +
		html.EscapeString(said) + "</p>\n</html>\n")) // the client may be gone
}
