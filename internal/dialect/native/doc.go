// Package native is the HTTP face of everything under /api/v1: events, inventory, orders, webhooks and messages, in Stagedoor's own
// vocabulary, which is also the portal specification's.
//
// [New] puts the routes on a mux; all of them stand in one function, routes, with the scope that each asks for. A route is a function that
// takes its decoded input and calls one function of the trade or of the traffic side; everything around it is the same for all:
//
//   - access: the key is looked up, its budget asked, its scope checked, before the body is read;
//   - form: a body is strict JSON (no duplicate names, nothing unknown), and all that is wrong with it is said at once, in a 400 with a JSON
//     pointer for each fault;
//   - writing: one transaction holds the effect, the encoded answer, and the record of its Idempotency-Key, so that a repeated POST gets the
//     same bytes and has no second effect;
//   - concurrency: a single resource has its version as ETag, and a change may ask for it by If-Match.
//
// GET /openapi.json is made from the same registrations that serve the routes, so it cannot say anything else. POST /messages is too hot for
// the general way and decodes by hand; its description stands beside it. So do the streams and what developer endpoints take in, which others write.
//
// [API.Run] does the work that outlives a request: cancelling all orders of an event.
//
// The vocabulary's names appear in this package only; texts are camelCase, times RFC 3339 with milliseconds, amounts decimals that never were
// binary fractions. Envelopes of webhooks are other packages' business.
package native
