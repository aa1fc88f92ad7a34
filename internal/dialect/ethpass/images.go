package ethpass

import (
	"context"
	"encoding/base64"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/egress"
	"github.com/stagedoorhq/stagedoor/internal/form"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/pass/picture"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// imageBody bounds the body of a request that may have a picture in it: in base64, with something around it.
const imageBody = picture.MaxBytes/3*4 + 256<<10

func (a *API) imageRoutes(mux *http.ServeMux) {
	change(a, mux, route{method: "POST", path: "/images", scope: scope.TicketsWrite, most: imageBody, any: true}, a.uploaded, a.keepImage)
	for _, base := range Bases() {
		mux.HandleFunc("GET "+base+"images/{hash}", a.image)
	}
}

// uploaded is the picture in a body: its own bytes, or a URL that leads to it.
func (a *API) uploaded(ctx context.Context, c *call) ([]byte, error) {
	kind, _, err := mime.ParseMediaType(c.request.Header.Get("Content-Type"))
	if err == nil && (strings.HasPrefix(kind, "image/") || kind == "application/octet-stream") {
		if len(c.body) > picture.MaxBytes {
			return nil, &http.MaxBytesError{Limit: picture.MaxBytes}
		}
		return a.draw(ctx, c.body)
	}
	if err := form.MediaType(c.request.Header, c.request.ContentLength); err != nil {
		return nil, problem.New(problem.Unsupported, "unsupported_media_type", "Send a picture with its Content-Type, such as image/png, or JSON with its url.")
	}
	o, err := newObject(c.body)
	if err != nil {
		return nil, err
	}
	at := o.text("url")
	if at == "" && len(*o.faults) == 0 {
		o.fault("url", "required", "Say where the picture is.")
	}
	if err := o.faults.Err(); err != nil {
		return nil, err
	}
	return a.pictureAt(ctx, c.Org, "url", at)
}

type imageJSON struct {
	Hash string `json:"hash"`
	URL  string `json:"url"`
}

func (a *API) keepImage(tx *db.Tx, c *call, png []byte) (any, error) {
	hash, err := a.Book.PutImage(tx, c.Org, png)
	return imageJSON{hash, a.PublicURL + "/v0/images/" + hash}, err
}

// picturesPerMinute is how many pictures a network may look at in a minute: what all phones of a venue show, which keep them, and little beside it.
const picturesPerMinute = 600

// image shows a picture to anybody who knows its hash. It never changes, so that whoever has it already has it still.
func (a *API) image(w http.ResponseWriter, r *http.Request) {
	png, err := a.seen(r)
	if err != nil {
		a.refuse(w, r, nil, err)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("ETag", `"`+r.PathValue("hash")+`"`)
	if png == nil {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", "image/png")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	_, _ = w.Write(png) //nolint:gosec // a PNG that we have written ourselves, and nosniff; the client may be gone
}

// hashForm is how a picture's hash is written.
var hashForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// seen is the picture that somebody asks for; nil for who has it already.
func (a *API) seen(r *http.Request) (png []byte, err error) {
	defer caught(&err)
	if err := a.Door.Spend("pictures "+access.Neighbourhood(a.client(r)), picturesPerMinute); err != nil {
		return nil, err
	}
	if err := form.URL(r.URL); err != nil {
		return nil, err
	}
	hash := r.PathValue("hash")
	if hashForm.MatchString(hash) && known(r.Header.Values("If-None-Match"), hash) {
		return nil, nil
	}
	return pass.ImageByHash(a.DB.Read(r.Context()), hash)
}

// known tells whether If-None-Match has a picture's hash among its tags (RFC 9110 §13.1.2: the comparison is weak).
func known(headers []string, hash string) bool {
	for _, h := range headers {
		for tag := range strings.SplitSeq(h, ",") {
			if strings.TrimPrefix(strings.TrimSpace(tag), "W/") == `"`+hash+`"` {
				return true
			}
		}
	}
	return false
}

// picture is the picture that a request names as image.
func (a *API) picture(ctx context.Context, org int64, at string) ([]byte, error) {
	return a.pictureAt(ctx, org, "image", at)
}

// pictureAt gets a picture from a URL that stands in a field, and makes it PNG.
func (a *API) pictureAt(ctx context.Context, org int64, field, at string) (raw []byte, err error) {
	if strings.HasPrefix(at, "data:") {
		raw, err = inURL(at)
	} else {
		raw, err = a.fetch(ctx, org, at)
	}
	if err == nil {
		raw, err = a.draw(ctx, raw)
	}
	if p := problem.As(err); p != nil && p.Kind == problem.Invalid && len(p.Fields) == 0 {
		return nil, problem.Field("/"+field, p.Code, "%s", p.Detail)
	}
	return raw, err
}

// drawers is how many pictures are drawn at once: a small file can be a large picture, which takes its memory and time while it is drawn.
const drawers = 2

// draw makes a picture PNG, once fewer than so many others are being drawn.
func (a *API) draw(ctx context.Context, raw []byte) ([]byte, error) {
	select {
	case a.drawing <- struct{}{}:
		defer func() { <-a.drawing }()
		return picture.Read(raw)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// dataURL is RFC 2397's, of a picture in base64.
var dataURL = regexp.MustCompile(`^data:image/[a-zA-Z0-9.+-]+(;[a-zA-Z0-9-]+=[a-zA-Z0-9.+-]+)*(;base64)?,`)

// inURL is the picture in a data: URL (RFC 2397).
func inURL(at string) ([]byte, error) {
	head := dataURL.FindString(at)
	if head == "" {
		return nil, problem.New(problem.Invalid, "not_a_picture", "Expected a data: URL of a picture, such as data:image/png;base64,…")
	}
	if !strings.HasSuffix(head, ";base64,") {
		text, err := url.PathUnescape(at[len(head):])
		if err != nil {
			return nil, problem.New(problem.Invalid, "not_a_picture", "The data: URL has an escape that is none.")
		}
		return []byte(text), nil
	}
	text := strings.TrimRight(at[len(head):], "=")
	raw, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, problem.New(problem.Invalid, "not_a_picture", "What the data: URL holds is no base64.")
	}
	return raw, nil
}

// fetching is how long it may take to fetch a picture.
const fetching = 15 * time.Second

// fetch gets a picture by https, from where deliveries may go too. Each organisation has connections of its own: nobody waits for, or is known by, another's.
func (a *API) fetch(ctx context.Context, org int64, at string) ([]byte, error) {
	target, err := a.Policy.CheckURL(ctx, at)
	var refused *egress.Refused
	switch {
	case errors.As(err, &refused):
		return nil, problem.New(problem.Invalid, "picture_not_fetched", "%s", refused.Detail)
	case err != nil:
		return nil, err
	}
	got := a.Fetch.Do(ctx, &egress.Request{
		Method: http.MethodGet, Target: target, Timeout: fetching, PoolKey: "pictures " + strconv.FormatInt(org, 10), Keep: picture.MaxBytes,
		Header: egress.Header{{Name: "Accept", Value: "image/*"}},
	})
	switch {
	case got.Code != egress.CodeOK:
		return nil, problem.New(problem.Invalid, "picture_not_fetched", "The picture could not be fetched: %s", got.Detail)
	case got.Status != http.StatusOK:
		return nil, problem.New(problem.Invalid, "picture_not_fetched", "The picture could not be fetched: the answer was %d. Redirections are not followed.", got.Status)
	case got.Truncated:
		return nil, problem.New(problem.Invalid, "picture_too_large", "A picture has at most %d bytes.", picture.MaxBytes)
	}
	return got.Body, nil
}
