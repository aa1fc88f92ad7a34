// Package native is the HTTP face of everything under /api/v1: events, inventory, orders, webhooks and messages, in Stagedoor's own
// vocabulary, which is also the portal specification's.
package native
