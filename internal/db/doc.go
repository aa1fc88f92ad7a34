// Package db is the store: one database, SQLite or PostgreSQL, behind one set of verbs and one SQL text.
//
// A caller reads through [DB.Read] and writes through one of three doors, all of which take a function and run it in a transaction:
//
//   - [DB.Write] is the usual door, and the fast one. On both engines it is a group commit: one writer runs the functions of all
//     callers that wait, in one transaction, and answers them after that transaction is on disk. Each learns its own result.
//   - [DB.WriteAlone] gives the function a transaction of its own, for long work such as an import.
//   - [DB.Configure] is WriteAlone for changes to what every writer must know (who subscribes to what): it waits until no other
//     transaction is under way, on any node, and the others then see it from their first statement on. See [Tx.Revision].
//
// # What a function may rely on
//
// It runs in a transaction that is never the caller's: when the caller goes away, it still runs to its end. It has one instant,
// [Tx.Now]. It may be run a second time (after a conflict, or because a neighbour in its group failed), so it changes nothing but the
// database; what must follow goes into [Tx.OnCommit]. It waits for nothing but the database. If it returns an error, nothing that it
// wrote stays; so does it if a statement of its fails and it returns nil all the same, and after that its transaction takes no more
// statements. A panic is an error. When its error took the whole transaction down (disk full, an I/O error, a lost connection), or it
// tried to end the transaction itself, everybody in the group gets that error and nothing is acknowledged.
//
// # One SQL text
//
// Parameters are $1, $2, …; types are BIGINT, TEXT, BYTEA and BOOLEAN; times are microseconds since 1970 (UTC); a list goes in as
// JSON text and is used as IN ints($1) or IN texts($1), or row by row through [Tx.Bulk], which runs one statement per row on SQLite and
// one unnest statement on PostgreSQL. A statement may be handed over by [Tx.Later] when nobody needs its result: PostgreSQL then sends
// all of them with the commit in one round trip. [Tx.Last] keeps one until all functions of the transaction have run. Text that PostgreSQL
// cannot store (not UTF-8, or with U+0000) is refused by both as an invalid_text [problem.Error].
package db
