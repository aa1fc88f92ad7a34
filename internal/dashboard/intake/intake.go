// Package intake is the dashboard's pages about what others send to us: developer endpoints with what they take as it comes, and pull endpoints with their events.
//
// All that is shown there was written by strangers. It reaches a page as text, and a file as a download that no browser opens by itself.
package intake

import (
	"embed"
	"net/http"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/egress"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inbound"
	"github.com/stagedoorhq/stagedoor/internal/pull"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// Config is what the pages stand on.
type Config struct {
	Box    *inbound.Box
	Depot  *pull.Depot
	Policy *egress.Policy
	Client *egress.Client // sends what is replayed
	// IngestURL is where the senders of a pull endpoint post to.
	IngestURL func(e id.PullEndpoint, secret string) string
}

//go:embed pages/*.html
var files embed.FS

var pages = frame.Pages(files)

// Room has the pages.
type Room struct {
	Config
}

// New puts the pages on a frame.
func New(f *frame.Frame, c Config) {
	r := &Room{c}
	need := frame.Scope(scope.WebhooksManage)
	f.Get("/inspector", need, r.inspectors)
	f.Post("/inspector", need, r.makeInspector)
	f.Get("/inspector/{dev}", need, r.inspector)
	f.Get("/inspector/{dev}/stream", need, r.inspectorStream)
	f.Post("/inspector/{dev}/answer", need, r.chooseAnswer)
	f.Post("/inspector/{dev}/delete", need, r.deleteInspector)
	f.Get("/inspector/{dev}/{event}", need, r.request)
	f.Get("/inspector/{dev}/{event}/body", need, r.requestBody)
	f.Post("/inspector/{dev}/{event}/replay", need, r.replay)
	f.Get("/pull", need, r.pulls)
	f.Get("/pull/new", need, r.newPull)
	f.Post("/pull/new", need, r.makePull)
	f.Get("/pull/{pull}", need, r.pull)
	f.Get("/pull/{pull}/stream", need, r.pullStream)
	f.Post("/pull/{pull}/pause", need, r.pausePull)
	f.Post("/pull/{pull}/resume", need, r.resumePull)
	f.Post("/pull/{pull}/delete", need, r.deletePull)
	f.Get("/pull/{pull}/rejections", need, r.rejections)
	f.Get("/pull/{pull}/events/{event}", need, r.pullEvent)
	f.Get("/pull/{pull}/events/{event}/body", need, r.pullEventBody)
	f.Post("/pull/{pull}/events/{event}/ack", need, r.ackPullEvent)
	f.Post("/pull/{pull}/events/{event}/delete", need, r.deletePullEvent)
}

// download answers with a stranger's bytes as a file, which no browser opens by itself.
func download(v *frame.Visit, name string, body []byte) error {
	h := v.W.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cache-Control", "no-store")
	v.W.WriteHeader(http.StatusOK)
	_, _ = v.W.Write(body) // the browser may be gone
	return nil
}

// quoted is a word of a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
