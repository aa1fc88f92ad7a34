// Package oauth is the authorization server: it lets people allow apps to act for them, and gives out and takes back the tokens that apps act with.
//
// It is one fixed, modern profile: the authorization code with PKCE (S256 only), rotating refresh tokens with reuse detection, client credentials, the
// device code, pushed requests, DPoP, revocation, introspection, metadata. Tokens are opaque. What the profile leaves out (implicit, password, plain)
// cannot be switched on.
//
// # What there is
//
//   - a [Client] is an app. It belongs to an organisation, is public or confidential, and may ask for certain scopes, by certain grant types, towards
//     certain redirect URIs, which are compared byte for byte;
//   - a [Grant] is what one person has allowed one app in one organisation. It lasts until somebody withdraws it; webhooks that the app makes belong to it;
//   - a family is what came of one authorization: one access token after another, one refresh token after another. When a refresh token is used a
//     second time, the family ends, because two have it;
//   - codes, pushed requests, consents, device codes and proofs are good once. Each is used up by one conditional UPDATE in the transaction that
//     writes what follows from it, so of any number who try at the same time, on any number of nodes, one gets it.
//
// [Registry] keeps clients, grants and tokens, for the server as for commands and the API. [Server] is the HTTP side. What people see is somebody
// else's: the server asks its [Front] who is signed in and has it show the pages.
//
// # What a token may do
//
// Its scopes, and what its person may do in the organisation now (see [People]). A token for an app itself (client credentials) has no person and acts
// in the app's own organisation. Nothing that this package gives out administrates an organisation.
//
// # What is promised
//
// Secrets are kept as hashes: codes and tokens have 256 random bits, so SHA-256 will do; client secrets and user codes are HMACs under the master key.
// The answer to a refresh is kept sealed for the few seconds in which the client may not have got it and may ask again. Whatever is revoked is refused
// within a second on every node.
package oauth
