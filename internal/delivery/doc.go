// Package delivery sends facts to webhook endpoints: at least once, signed, retried, and none in another's way.
//
// # The way of a delivery
//
// [Engine.Plan] runs inside the transaction that appends a fact. It writes a narrow row for each endpoint that wants the fact; as far as the
// endpoint's lane has room, the row is leased to this node at once and handed to the lane in memory after the commit. What has no room
// stays due in the table, and the poller claims it when there is room, as it does with retries and with what a dead node left behind. There
// is one path for first tries, retries and redeliveries.
//
// A worker of the lane renders the envelope (once for all endpoints that share it), has it signed, and sends it through package egress. What
// came of it goes to the settler, which writes the outcomes of many attempts in one transaction: the attempt is appended, and the delivery is
// delivered, due again, or failed.
//
// # States
//
//	pending → delivered | failed | skipped; failed and skipped → pending by redelivery
//
// A pending row is due at an instant. While a node holds it, that instant is the end of the node's lease. Settling is conditional on owner, attempt
// and that very instant, so whoever has lost a lease changes nothing, not even the same node. What a node holds it does not claim itself: when the
// database takes no writes for a while, outcomes wait for it, and nothing that arrived is sent again. A node that starts again knows that its
// earlier self is dead and gives back its leases at once; other nodes do so when its heartbeat has stopped.
//
// # Who wakes whom
//
// Nothing depends on being woken: the poller looks through the table every second. Everything that can be known sooner is told to it: a retry's
// instant, room in a lane that had none, a circuit that closes or may be probed, the next delivery of a key.
//
// # Fairness
//
// Each endpoint has a lane of its own: at most 16 attempts at a time, a bounded queue, a circuit that opens after repeated failures and then lets
// one probe through at a time, its own rate limit (on each node), its own order by key. A slow or dead endpoint never takes a worker from another.
// What concerns thousands of rows, a fact for many endpoints or a long recovery, is done aside and in parts.
//
// Deliveries with the same key go to an endpoint one after another, in the order of their facts' numbers: the next when the one before has arrived, or
// was given up or skipped. Transactions that overlap on several nodes have no order among them.
//
// # Erasure
//
// [Erase] marks facts whose people were erased, and blanks what was kept of them: see [EraseTraces]. Their deliveries end with the code "erased", whatever
// state they were in; facts that come later are sent, without the people.
//
// # What is promised
//
// A committed fact has exactly one delivery for each endpoint that was subscribed at its place; nothing is sent for what did not commit. A
// delivery keeps its id and its bytes over all attempts, for which they are kept, sealed, once one has failed; timestamp and signature are made anew. What was acknowledged survives the loss of the
// process at any point; the price is that an attempt whose outcome was not yet on disk is made again, with the same id.
package delivery
