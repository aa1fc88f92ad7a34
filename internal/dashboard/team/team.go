// Package team is the dashboard's pages about who may do what: members and invitations, API keys, the organisation's apps and their consents, and the audit log.
//
// A person's own tokens and the apps that act for them are in their account: package account.
package team

import (
	"embed"

	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/org"
)

// Config is what the pages stand on.
type Config struct {
	People   *org.People
	Registry *oauth.Registry
	// Invited is told of an invitation after it is on disk, to send it where there is a mail server; it may be nil.
	Invited func(l org.Link, organisation, secret string)
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
	f.Get("/members", frame.Admin, r.members)
	f.Post("/members/invite", frame.Admin, r.invite)
	f.Post("/members/{user}/role", frame.Admin, r.appoint)
	f.Post("/members/{user}/remove", frame.Admin, r.removeMember)
	f.Post("/invitations/{link}/revoke", frame.Admin, r.revokeInvitation)
	f.Get("/keys", frame.Admin, r.keys)
	f.Post("/keys", frame.Admin, r.makeKey)
	f.Post("/keys/{key}/revoke", frame.Admin, r.revokeKey)
	f.Get("/apps", frame.Admin, r.apps)
	f.Get("/apps/new", frame.Admin, r.newApp)
	f.Post("/apps/new", frame.Admin, r.makeApp)
	f.Get("/apps/{client}", frame.Admin, r.app)
	f.Post("/apps/{client}", frame.Admin, r.changeApp)
	f.Post("/apps/{client}/rotate", frame.Admin, r.rotateApp)
	f.Post("/apps/{client}/delete", frame.Admin, r.deleteApp)
	f.Post("/consents/{grant}/revoke", frame.Admin, r.revokeConsent)
	f.Get("/audit", frame.Admin, r.audit)
}
