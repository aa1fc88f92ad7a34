// Package ethpass is ethpass's vocabulary: wallet passes through /v0 and /api/v0 ([API]), and its five pass events on their way out ([Dialect]).
//
// What goes wrong is answered with ethpass's body {"message": …}; what goes well, always with the status 200, because its clients test for exactly that.
//
// A pass is made from whichever of three requests ethpass's clients send (see creation), or from one of ours, which names a ticket. Whatever takes time on the way
// (a picture that is fetched, a chain that is asked who owns what) is done before the transaction.
//
// How a list is asked for: ownerAddress, contractAddress, tokenId, network, chain, externalId, ticketId, platform, expired (0 or 1); createdAtStart, createdAtEnd,
// lastScannedAtStart and lastScannedAtEnd, in Unix seconds or as RFC 3339 has it, of which the second is excluded; sort and asc; limit, 50 and at most 1,000, and
// offset. Parameters and members that nobody knows are ignored.
package ethpass
