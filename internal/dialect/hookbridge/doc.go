// Package hookbridge is HookBridge's vocabulary of pull endpoints: all of /v1. A team makes a pull endpoint, gives its ingest URL to whoever sends webhooks, and
// its own programs fetch what came.
//
// [New] puts the routes on a mux and returns the [API], which tells what each route asks for ([API.Permissions]). There are three kinds of them: the management
// of endpoints (endpoints.go); reading, claiming, acknowledging and deleting of what came (events.go, payload.go, claims.go, records.go); and the ingest URL (ingest.go), which
// has no credential but the secret in its path and goes through none of what the others go through, as it is called the most.
//
// # What is promised
//
// Paths, field names, statuses and error codes are those of HookBridge's specification, and its clients work as they are. What is here beside it is named in the
// guide: a provider's name instead of its single settings, waiting in a list of events, a stream of them, claims, a payload's exact bytes, a webhook that events go
// on to, and an Idempotency-Key with most POSTs. Lists are paged by opaque
// cursors, which hold where the page ended and which filters it had; one that is not of the same list is refused. The request's id is in each body. No answer but
// that to the making of an endpoint has the secret of its URL, and no answer has a token's value or a signing secret.
//
// # What is left to others
//
// What an endpoint is, what may be in it and what becomes of what came is package pull's; how senders prove who they are is package provider's; who asks, and
// what they may, package access's.
package hookbridge
