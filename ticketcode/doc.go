// Package ticketcode makes and verifies the ticket code: what stands in the QR code of a ticket, signed, so that a gate without
// network and database can tell a genuine ticket from a forged one. Gates and wallets import it; it needs nothing but the standard
// library.
//
// Whoever issues tickets has a [Signer] for an Ed25519 key and signs a [Token]. A gate has the [KeySet] of the organisation, which
// is published as a JSON Web Key Set, and hands it what the scanner read:
//
//	keys, err := ticketcode.ParseKeySet(document) // fetched before doors, kept on the device
//	…
//	token, err := keys.Verify(scanned, time.Now())
//
// # The bytes
//
// A ticket code is 100 bytes; numbers are big-endian.
//
//	offset  bytes  field
//	     0      1  version, 1
//	     1      1  key id, 1 to 255: which of the organisation's keys has signed
//	     2      6  tag of organisation and event, see EventTag
//	     8     16  ticket id, not zero
//	    24      2  generation, 1 for the first holder, one more after every transfer or reissue
//	    26      2  class, 0 for none: the kind of ticket, by which a gate without database knows whom its door admits
//	    28      4  valid from, Unix seconds: the first second in which the ticket is valid; 0 for no beginning
//	    32      4  valid until, Unix seconds: the first second in which it is not; 4294967295 for no end
//	    36     64  Ed25519 signature (RFC 8032 §5.1) of the four characters "SD1:" and the 36 bytes before it
//
// It is printed as "SD1:" and the bytes in base45 (RFC 9285): 154 characters, which is what a QR code of version 6 with error
// correction M holds in alphanumeric mode. There is one spelling of every code: other letters, other groups and anything before or
// behind are refused. Scanners that put a line end behind what they read need it cut off first; no code begins or ends with white
// space, though there may be some inside. Whoever puts a code into a URL has to escape it.
//
// # What a verifier must still check
//
// Verify says that the organisation has signed the token and that now lies in its window. Whether the bearer may come in also
// depends on what no code can know. A gate checks, in this order:
//
//  1. the event: [Token.Tag] is [EventTag] of an event for which the gate is open;
//  2. the class: the door's list has [Token.Class];
//  3. revocation: [Revocations.Revoked] is false for the token, by a list that is recent enough for the gate's purpose. Tickets are
//     cancelled, blocked and transferred after their code was printed; a transfer revokes all older generations;
//  4. admission: nobody was admitted with this ticket id in this zone before. A code can be copied, and two gates without a
//     connection to each other will both admit the copies; the server finds that out when they report.
//
// A ticket is remembered by its id, never by the scanned text: a reissued ticket has another text and the same id.
//
// # Revocations
//
// A [RevocationList] is signed with the same keys. It says how things stand with those tickets for which something changed after a
// number of the organisation's revocations, so a gate fetches only what it does not have. [Revocations] is what a gate has;
// [Revocations.Apply] refuses lists that are forged, of another organisation, older than what the gate has, or that leave a gap.
// See [Signer.SignRevocations] for the bytes.
//
// # Codes to type, codes that rotate
//
// [NewShortCode] makes the twelve characters that are printed beside the QR code for a door's keyboard. They name a ticket and prove
// nothing: whoever takes them needs the list of tickets, and must limit guesses.
//
// An event may ask for a code that changes every half minute, so that a picture of it is soon worthless. Such a code is the static
// one, the time, and a one-time password (RFC 6238) whose secret a gate derives from one seed for the whole event; see [Rotation]. It
// has 174 characters and needs a QR code of version 7. A gate for such an event uses [Rotation.Verify], which refuses static codes.
//
// # Limits
//
// Times are whole seconds from 1970 to 2106. An organisation has 255 keys at a time; an id may be used again when no ticket of its
// old key is valid any more. The tag has 48 bits: enough to keep the events of one organisation apart, not a secret and not a proof.
// What is in a code can be read by everybody, and holds nothing about a person. The clock is the caller's: a gate whose clock is
// wrong is wrong about windows, about keys and about rotating codes.
//
// Errors hold nothing of what was scanned or typed, so they can be logged. The codes should not be: whoever has one can come in.
package ticketcode
