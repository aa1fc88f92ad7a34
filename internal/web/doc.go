// Package web is the plumbing under every HTTP face: one server, one mux, and what each request goes through before and after its handler.
// It knows nothing of what is served: faces and dialects put their routes on [Server.Mux].
//
// What a handler may rely on:
//
//   - The request has an id, taken over from X-Request-Id or made; it stands in the answer, in every log line and in every problem. See
//     [RequestID].
//   - The address of the client is known even behind a proxy, if the operator named that proxy. See [Client].
//   - The body ends at the limit (1 MiB): a request that announces more is answered 413 before anything is read, one that lies about it
//     gets a [http.MaxBytesError] while it is read. A body that trickles in is cut off.
//   - The head is known as it came, over HTTP/1.1. See [Head].
//   - A panic becomes a 500 with the request's id; unknown paths and methods are answered with problems like all other errors.
//
// Handlers that fail hand their error to [Problems], the one place that turns errors into RFC 9457 bodies: a problem.Error is shown, all
// else is logged in full and shown as nothing.
//
// The server itself answers /healthz (the process runs), /readyz (it can do its work) and /metrics, the latter on a listener of its own if
// one was asked for. It serves TLS from files that may be renewed under it, keeps idle connections within bounds, and stops gracefully.
package web
