// Package passkit is what wallets say to us: Apple's web service for passes, under /passkit/v1, by which devices register, ask what has changed and fetch it; and
// Google's callbacks, to /passkit/google. [New] puts both on a mux.
//
// # Apple
//
// Paths, bodies and statuses are those of Apple's "Adding a Web Service to Update Passes" (PassKit). A device shows the pass's token with all that is about one pass
// (Authorization: ApplePass …), and whatever is wrong with it is the same 401: that there is no such pass, that it is for another wallet, that its pass type is
// another. Which passes a device has is asked for without a token, so a device's name is as good as one: no log has it. What a pass says of its last change
// (Last-Modified) never comes twice with something else to show, so a 304 is always right. Passes that have expired are still handed out, for devices to learn of it.
//
// A device that registers a pass which has expired is answered 200, as one that had registered before, but no registration is kept: it is not pushed to, and the pass
// is in no list that it asks for. A device that fetched the pass just before it expired and registers just after so shows it as it was until it fetches it again,
// which happens at the latest when somebody pulls it down; scanners are told that it has expired all the same.
//
// # Google
//
// A callback says that somebody has saved or deleted a pass. It counts once, whoever sends it again, and only if Google has signed it for our issuer. What is well
// signed is answered 200 even where nothing comes of it, because Google would only say it again.
//
// # What is left to others
//
// What a pass is and who has it is package pass's; how it looks on the wire and how signatures are checked, pass/apple's and pass/google's. Errors are problems
// (RFC 9457), which neither wallet reads.
package passkit
