// Package egress is the only part of Stagedoor that connects to addresses somebody else gave us: webhook
// receivers, key sets, logos, whatever a tenant may name in a URL. Everything that goes out to such an address goes
// through here, so that there is one place where it is decided what may be reached, for how long and how much of the
// answer is read.
//
// Three types matter.
//
//   - A [Policy] knows which addresses are open. By default these are the public ones, over https, on port 443.
//     [Policy.CheckURL] asks it when a URL is stored, and the dialer asks it again for the very address that it is about
//     to connect to, so there is no second look-up in between that could answer differently.
//   - A [Target] is a URL that has been read, once, by [Parse]: what is stored, shown and dialled comes from the same
//     reading.
//   - A [Client] sends a [Request] to a Target and tells what came of it as an [Outcome]. A receiver that is down, slow or
//     malicious is not an error of ours, so [Client.Do] returns none.
//
// Promises:
//
//   - Private, local, reserved and metadata addresses are refused before a packet leaves, whatever name, spelling or
//     redirect leads to them. A name that has one refused address is refused as a whole. An operator opens networks with
//     --allow-target ([Config.Allow]); metadata services and the server's own addresses stay closed even then.
//   - One deadline covers the look-up, the connection, TLS, writing, and reading the head and the body of the answer.
//   - At most 64 KiB of head and 64 KiB of body (Options.MaxBody) are read; then the connection is closed, not drained. Bodies are never
//     decompressed, redirects never followed, protocols never switched, proxies of the environment never used.
//   - A connection serves one [Request.PoolKey] only, and is used again only when the answer before it was complete and
//     unambiguous and nothing has arrived since.
//   - What an Outcome says in words is safe to show to the tenant who owns the URL: it names no address of ours and does not
//     tell an open port from a closed one on a refused target.
//
// The HTTP/1.1 client is our own because it is the largest single consumer of CPU in the delivery engine: it writes a
// request in one system call from the caller's goroutine and reads the answer in the next, where net/http hands each
// request to two goroutines. BenchmarkClient compares the two.
//
// Retrying, pacing, signing and recording are left to the caller. The one exception: a connection from the pool that
// turns out to be dead before a byte of an answer was read is replaced by a new one, once, and the request is sent
// again. A receiver may in rare cases see the same request twice, so requests must be safe to repeat; deliveries are,
// by their id.
package egress
