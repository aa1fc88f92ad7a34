package page

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

// Assets are files that pages load, each under a name that has its content's hash in it: so a browser keeps it for good, and never has that of another release.
type Assets struct {
	prefix string
	named  map[string]string // "app.js" to "/assets/app.0123456789abcdef.js"
	files  map[string]file   // by the last part of that path
}

type file struct {
	name string
	body []byte
}

// NewAssets reads all files of a tree, but for those that are about the others (README, LICENSE, VERSION). They are served below prefix, which ends with a slash. A file is known by its path in the tree.
func NewAssets(prefix string, tree fs.FS) *Assets {
	a := &Assets{prefix: prefix, named: map[string]string{}, files: map[string]file{}}
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) == "" || path.Ext(name) == ".md" {
			return err
		}
		body, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		ext := path.Ext(name)
		hashed := strings.TrimSuffix(path.Base(name), ext) + "." + hex.EncodeToString(sum[:8]) + ext
		a.named[name], a.files[hashed] = prefix+hashed, file{path.Base(name), body}
		return nil
	})
	if err != nil {
		panic(err) // they are embedded
	}
	return a
}

// Path is the path of a file. There must be one: a name that is none is a mistake of ours.
func (a *Assets) Path(name string) string {
	p, ok := a.named[name]
	if !ok {
		panic("no asset " + name)
	}
	return p
}

// Routes puts the files on a mux.
func (a *Assets) Routes(mux *http.ServeMux) {
	for hashed, f := range a.files {
		mux.HandleFunc("GET "+a.prefix+hashed, f.serve)
	}
}

func (f file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	if ext := path.Ext(f.name); ext == ".js" || ext == ".mjs" {
		h.Set("Content-Type", "text/javascript; charset=utf-8") // whatever the system's tables say
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	http.ServeContent(w, r, f.name, time.Time{}, bytes.NewReader(f.body))
}
