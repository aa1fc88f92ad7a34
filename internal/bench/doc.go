// Package bench measures Stagedoor against what the machine can do at all: it is the body of the command "stagedoor bench".
//
// One run compares four arms, in turns, on one machine:
//
//   - plain: an HTTP relay that keeps nothing. It posts each message to the receiver and answers.
//   - durable: the same relay with an append to a file and one fdatasync for each group of waiting publishers. This is the
//     durable floor: whoever promises that an answered message is on disk cannot do much less work. Ratios are to it.
//   - sqlite and postgres: Stagedoor itself, the built binary, started as a child on fresh data and set up through its own
//     commands and HTTP calls.
//
// [Command] runs it and prints a [Report]; [Floor] is the hidden command that Command starts for the first two arms, as a
// child of its own so that processor time is accounted alike for all four.
//
// The load generator and the receiver run in the bench's own process and share the machine's cores with what they measure, so
// they are written to weigh little: raw connections, one write for each request, one for each answer, no allocation on the way.
//
// What is measured, and from when to when:
//
//   - publish: from writing a request to having read its answer. At a fixed rate it counts from the instant at which the
//     request was due, so a server that falls behind cannot hide it by slowing the generator down.
//   - send-to-arrival: from the same beginning until the receiver has read the whole request. Both ends are taken from
//     one monotonic clock. It is the figure that all four arms have.
//   - fact-to-arrival: from the timestamp of the envelope, which is the instant of the fact's transaction, until arrival.
//     The commit itself lies between, so what passes between commit and arrival is less than this figure.
//   - delivered per second: all deliveries of a trial over the time from its first request to its last arrival, with the time
//     that a backlog takes to drain.
//   - CPU per delivery: processor time of the server process, and of the database's processes, from the beginning of a
//     trial until everything has arrived and was settled, by delivery. The generator's own is reported apart.
//   - lost: answered with 2xx and not arrived at an endpoint that answers. Duplicate: arrived there before.
//
// Children are ended by their process id, whatever happens; on Linux they also die with us. All data goes to a temporary
// directory that is removed.
package bench
