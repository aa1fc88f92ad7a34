// Package scanner is the page that a phone at the door becomes a scanner with: /door.
//
// It is a program of its own in plain JavaScript (assets), the same for everybody and without a session: paired with a device's one-time code, it is a client of the API like any other scanner, with the
// credential of that device and nothing else. A service worker keeps it, so that it starts without a network; what it needs to decide then, it has from the API's bundle, and what it has
// decided it uploads later.
//
// # What is promised
//
//   - The one-time code is in the fragment of the link, which browsers send to nobody; it is gone from the address as soon as it was read.
//   - Nothing is loaded from elsewhere, and no script or style is inline.
//   - Files are below a path that has the hash of them all in it: a page never runs with those of another release.
//   - A scan is written down in the phone before its verdict is shown, and stays there until the server has answered for it.
package scanner

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"sort"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/ticketcode"
)

//go:embed assets
var assets embed.FS

//go:embed door.html
var pageText string

//go:embed sw.js
var workerText string

// base is where the page is. Its files are below it, at base/HASH/.
const base = "/door"

// Routes puts the page on a mux.
func Routes(mux *http.ServeMux) {
	s := load()
	mux.HandleFunc("GET "+base, s.page)
	mux.HandleFunc("GET "+base+"/{$}", s.page)
	mux.HandleFunc("GET "+base+"/sw.js", s.worker)
	for name := range s.files {
		mux.HandleFunc("GET "+s.root+name, s.file)
	}
}

// site is the page and its files.
type site struct {
	root  string // base/HASH/
	files map[string][]byte
	html  []byte
	sw    []byte
}

// load reads what is embedded. That it cannot be is a mistake of ours.
func load() *site {
	s := &site{files: map[string][]byte{"verify.mjs": ticketcode.JavaScript()}}
	err := fs.WalkDir(assets, "assets", func(name string, d fs.DirEntry, err error) error {
		if ext := path.Ext(name); err != nil || d.IsDir() || ext == "" || ext == ".md" {
			return err
		}
		s.files[strings.TrimPrefix(name, "assets/")], err = assets.ReadFile(name)
		return err
	})
	if err != nil {
		panic(err)
	}
	var names []string
	for name := range s.files {
		names = append(names, name)
	}
	sort.Strings(names)
	sum := sha256.New()
	for _, name := range names {
		sum.Write([]byte(name))
		sum.Write(s.files[name])
	}
	sum.Write([]byte(pageText + workerText))
	s.root = base + "/" + hex.EncodeToString(sum.Sum(nil)[:8]) + "/"
	var b bytes.Buffer
	if err := template.Must(template.New("door").Parse(pageText)).Execute(&b, map[string]string{"Root": s.root}); err != nil {
		panic(err)
	}
	s.html = b.Bytes()
	kept := []string{base, "/assets/account.css"}
	for _, name := range names {
		kept = append(kept, s.root+name)
	}
	list, _ := json.Marshal(kept) // they are texts
	s.sw = []byte(strings.NewReplacer("__ROOT__", s.root, "__KEPT__", string(list)).Replace(workerText))
	return s
}

// policy is what the page may do: run its own files, speak to our server, show the camera's picture.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; worker-src 'self'; manifest-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

func guard(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("Permissions-Policy", "camera=(self), microphone=(), geolocation=()")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
}

func (s *site) page(w http.ResponseWriter, _ *http.Request) {
	guard(w.Header())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(s.html) // the browser may be gone
}

// worker is the service worker. Browsers look for a new one each time the page is opened.
func (s *site) worker(w http.ResponseWriter, _ *http.Request) {
	guard(w.Header())
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Service-Worker-Allowed", base)
	_, _ = w.Write(s.sw)
}

func (s *site) file(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, s.root)
	guard(w.Header()) // a worker has the policy of its own file
	switch path.Ext(name) {
	case ".js", ".mjs":
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	case ".webmanifest":
		w.Header().Set("Content-Type", "application/manifest+json")
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(s.files[name]))
}
