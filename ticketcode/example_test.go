package ticketcode_test

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/ticketcode"
)

// The key that the examples share; a real one is random and kept sealed.
var exampleKey = ed25519.NewKeyFromSeed([]byte("stagedoor example ticket key 001"))

const (
	exampleOrg   = "org_06f3k2m9q8xd7tza5w1c4e0gbh"
	exampleEvent = "evn_06f3k2mb0hq4s7n2v5y8z1x3wc"
)

// A ticket is issued, and a gate verifies its code with the published keys alone.
func Example() {
	signer, err := ticketcode.NewSigner(1, exampleKey)
	if err != nil {
		fmt.Println(err)
		return
	}
	doors := time.Date(2027, 8, 14, 18, 30, 0, 0, time.UTC)
	code, err := signer.Sign(ticketcode.Token{
		Tag:        ticketcode.EventTag(exampleOrg, exampleEvent),
		Ticket:     ticketcode.TicketID{0x01, 0x98, 0xa1, 0xb2, 15: 0xf7},
		Generation: 1,
		ValidFrom:  doors,
		ValidUntil: doors.Add(8 * time.Hour),
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	keys, err := ticketcode.NewKeySet(exampleOrg, signer.Key())
	if err != nil {
		fmt.Println(err)
		return
	}
	token, err := keys.Verify(code, doors.Add(time.Hour))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(code), token.Ticket, token.Tag == ticketcode.EventTag(exampleOrg, exampleEvent))
	// Output:
	// 154 tkt_06ca3cg00000000000000000yw true
}

// A gate's whole answer: the signature and the window, then the event, the class, revocations, and who is inside already.
func ExampleKeySet_Verify() {
	signer, err := ticketcode.NewSigner(1, exampleKey)
	if err != nil {
		fmt.Println(err)
		return
	}
	keys, err := ticketcode.NewKeySet(exampleOrg, signer.Key())
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Date(2027, 8, 14, 19, 30, 0, 0, time.UTC)
	revocations := ticketcode.NewRevocations(exampleOrg)
	list, err := signer.SignRevocations(ticketcode.RevocationList{
		Org: exampleOrg, Seq: 1, Issued: now,
		Revoked: []ticketcode.Revocation{{Ticket: ticketcode.TicketID{15: 2}, Through: ticketcode.AllGenerations}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := revocations.Apply(keys, list, now); err != nil {
		fmt.Println(err)
		return
	}

	open := ticketcode.EventTag(exampleOrg, exampleEvent)
	inside := map[ticketcode.TicketID]bool{} // a table in a real gate
	scan := func(code string) string {
		token, err := keys.Verify(code, now)
		switch {
		case errors.Is(err, ticketcode.NotYet), errors.Is(err, ticketcode.TooLate):
			return "not at this time"
		case err != nil:
			return "not a ticket"
		case token.Tag != open:
			return "for another event"
		case token.Class != 3:
			return "through another door"
		case revocations.Revoked(token):
			return "revoked"
		case inside[token.Ticket]:
			return "already inside"
		}
		inside[token.Ticket] = true
		return "welcome"
	}

	for _, t := range []ticketcode.Token{
		{Tag: open, Ticket: ticketcode.TicketID{15: 1}, Generation: 1, Class: 3},
		{Tag: open, Ticket: ticketcode.TicketID{15: 1}, Generation: 1, Class: 3},
		{Tag: open, Ticket: ticketcode.TicketID{15: 2}, Generation: 1, Class: 3},
		{Tag: open, Ticket: ticketcode.TicketID{15: 4}, Generation: 1, Class: 5},
		{Tag: ticketcode.EventTag(exampleOrg, "JAZZ"), Ticket: ticketcode.TicketID{15: 5}, Generation: 1, Class: 3},
		{Tag: open, Ticket: ticketcode.TicketID{15: 6}, Generation: 1, Class: 3, ValidFrom: now.Add(time.Hour)},
	} {
		code, err := signer.Sign(t)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(scan(code))
	}
	fmt.Println(scan("https://example.com/menu"))
	// Output:
	// welcome
	// already inside
	// revoked
	// through another door
	// for another event
	// not at this time
	// not a ticket
}

// The published form of the keys, during a rotation.
func ExampleKeySet_MarshalJSON() {
	end := time.Date(2027, 9, 1, 0, 0, 0, 0, time.UTC)
	old, err := ticketcode.NewSigner(1, exampleKey)
	if err != nil {
		fmt.Println(err)
		return
	}
	fresh, err := ticketcode.NewSigner(2, ed25519.NewKeyFromSeed([]byte("stagedoor example ticket key 002")))
	if err != nil {
		fmt.Println(err)
		return
	}
	oldKey := old.Key()
	oldKey.Until = end // no ticket that it has signed is valid any longer
	keys, err := ticketcode.NewKeySet(exampleOrg, oldKey, fresh.Key())
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := json.MarshalIndent(keys, "", "  ")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(text))
	// Output:
	// {
	//   "org": "org_06f3k2m9q8xd7tza5w1c4e0gbh",
	//   "keys": [
	//     {
	//       "kty": "OKP",
	//       "crv": "Ed25519",
	//       "kid": "1",
	//       "use": "sig",
	//       "alg": "EdDSA",
	//       "x": "fnTdZpbrUDtaaAGNWtvuMKFrYBPYv9BbSNzRVLWZJQk",
	//       "exp": 1819756800
	//     },
	//     {
	//       "kty": "OKP",
	//       "crv": "Ed25519",
	//       "kid": "2",
	//       "use": "sig",
	//       "alg": "EdDSA",
	//       "x": "c8jKkoyu069VPTc01oPZLMkvloIUZChC0oJ0hHGCBic"
	//     }
	//   ]
	// }
}

// What a visitor reads from a ticket, typed at the door's keyboard.
func ExampleParseShortCode() {
	code, err := ticketcode.ParseShortCode("oooo oooo oooo")
	fmt.Println(code, err)
	_, err = ticketcode.ParseShortCode("oooo oooo oool")
	fmt.Println(err)
	// Output:
	// 0000-0000-0000 <nil>
	// ticketcode: mistyped
}

// A wallet shows the code of this moment; the gate derives the same secret from the event's seed.
func ExampleRotation() {
	signer, err := ticketcode.NewSigner(1, exampleKey)
	if err != nil {
		fmt.Println(err)
		return
	}
	keys, err := ticketcode.NewKeySet(exampleOrg, signer.Key())
	if err != nil {
		fmt.Println(err)
		return
	}
	rotation, err := ticketcode.NewRotation([]byte("an event's seed: 32 random bytes"), 30*time.Second, ticketcode.SHA1)
	if err != nil {
		fmt.Println(err)
		return
	}
	static, err := signer.Sign(ticketcode.Token{Ticket: ticketcode.TicketID{15: 1}, Generation: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	shown := time.Date(2027, 8, 14, 19, 30, 0, 0, time.UTC)
	code, err := rotation.Text(static, shown)
	if err != nil {
		fmt.Println(err)
		return
	}

	_, err = rotation.Verify(keys, code, shown.Add(20*time.Second))
	fmt.Println(len(code), err)
	_, err = rotation.Verify(keys, code, shown.Add(2*time.Minute))
	fmt.Println(err)
	_, err = rotation.Verify(keys, static, shown)
	fmt.Println(err)
	// Output:
	// 174 <nil>
	// ticketcode: the rotating part is not current: its time is 120 s ago
	// ticketcode: a static code where a rotating one is asked for
}
