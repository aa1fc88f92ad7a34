package pass_test

import (
	"bytes"
	"cmp"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/seal"
)

const host = "tickets.example.test"

// bookOf is a book that needs no database.
func bookOf(t testing.TB, key byte) *pass.Book {
	t.Helper()
	keys, err := seal.New(bytes.Repeat([]byte{key}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return pass.New(pass.Config{Keys: keys})
}

func TestChallengeReadsLikeOne(t *testing.T) {
	now := time.Date(2030, 5, 1, 10, 0, 0, 999, time.UTC)
	owner := wallet(t, 1).Address()
	c, text := bookOf(t, 7).Challenge(host, "org_1", "tkt_1", owner, "137", now)
	want := host + ` wants you to sign in with your Ethereum account:
` + owner.String() + `

I am the owner of this wallet, and a pass is to be made for it. Signing costs nothing and moves nothing.

URI: https://` + host + `
Version: 1
Chain ID: 137
Nonce: ` + c.Nonce + `
Issued At: 2030-05-01T10:00:00Z
Expiration Time: 2030-05-01T10:10:00Z
Resources:
- urn:stagedoor:org_1:tkt_1`
	if text != want {
		t.Errorf("the challenge is\n%s\nwant\n%s", text, want)
	}
	if _, other := bookOf(t, 7).Challenge(host, "org_1", "tkt_1", owner, "137", now); other == text {
		t.Error("two challenges of the same second are the same")
	}
}

func TestChallengeIsAnsweredAsItWasMade(t *testing.T) {
	book, now, owner := bookOf(t, 7), time.Now(), wallet(t, 1).Address()
	c, text := book.Challenge(host, "org_1", "tkt_1", owner, "1", now)
	once, ours, err := book.Answered(text, pass.Challenge{Domain: host, Org: "org_1", About: "tkt_1", Address: owner, Network: "1"}, now.Add(time.Minute))
	if err != nil || !ours || once.What != "proof" || len(once.Value) == 0 || !once.Until.Equal(c.Expires.Add(time.Hour)) {
		t.Errorf("Answered: %+v, %v, %v", once, ours, err)
	}
	if again, _, err := bookOf(t, 7).Answered(text, pass.Challenge{Domain: host, Org: "org_1", About: "tkt_1", Address: owner, Network: "1"}, now); err != nil || !bytes.Equal(again.Value, once.Value) {
		t.Errorf("by another node: %+v, %v", again, err)
	}
	for _, c := range []struct {
		name, text, org, about string
		signer                 byte
		at                     time.Time
		want                   string
		network                string // "" for the right one
	}{
		{"at its end", text, "org_1", "tkt_1", 1, c.Expires, "challenge_expired", ""},
		{"of another organisation", text, "org_2", "tkt_1", 1, now, "challenge_invalid", ""},
		{"of another ticket", text, "org_1", "tkt_2", 1, now, "challenge_invalid", ""},
		{"of another wallet", text, "org_1", "tkt_1", 2, now, "challenge_invalid", ""},
		{"of another chain", text, "org_1", "tkt_1", 1, now, "challenge_invalid", "137"},
		{"with more behind it", text + "\n", "org_1", "tkt_1", 1, now, "challenge_invalid", ""},
		{"with another chain", strings.Replace(text, "Chain ID: 1", "Chain ID: 2", 1), "org_1", "tkt_1", 1, now, "challenge_invalid", ""},
		{"with another end", strings.Replace(text, "Expiration Time: 2", "Expiration Time: 3", 1), "org_1", "tkt_1", 1, now, "challenge_invalid", ""},
		{"with another ticket in it", strings.Replace(text, "tkt_1", "tkt_2", 1), "org_1", "tkt_2", 1, now, "challenge_invalid", ""},
		{"with another wallet in it", strings.Replace(text, owner.String(), wallet(t, 2).Address().String(), 1), "org_1", "tkt_1", 2, now, "challenge_invalid", ""},
		{"with another nonce", strings.Replace(text, "Nonce: ", "Nonce: 0", 1), "org_1", "tkt_1", 1, now, "challenge_invalid", ""},
		{"cut off", text[:200], "org_1", "tkt_1", 1, now, "challenge_invalid", ""},
	} {
		_, ours, err := book.Answered(c.text, pass.Challenge{Domain: host, Org: c.org, About: c.about, Address: wallet(t, c.signer).Address(), Network: cmp.Or(c.network, "1")}, c.at)
		if !ours {
			t.Errorf("a challenge %s is none of ours", c.name)
		}
		refused(t, "a challenge "+c.name, err, c.want, problem.Invalid)
	}
	_, _, err = bookOf(t, 8).Answered(text, pass.Challenge{Domain: host, Org: "org_1", About: "tkt_1", Address: owner, Network: "1"}, now)
	refused(t, "a challenge of another installation", err, "challenge_invalid", problem.Invalid)
	for _, other := range []string{"", "Hello", "x" + text, strings.Replace(text, host, "evil.test", 1)} {
		if _, ours, err := book.Answered(other, pass.Challenge{Domain: host, Org: "org_1", About: "tkt_1", Address: owner, Network: "1"}, now); ours || err != nil {
			t.Errorf("Answered(%.30q…): ours %v, %v; want none of ours", other, ours, err)
		}
	}
}

func TestChallengeCountsOnce(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		owner := wallet(t, 1).Address()
		_, text := h.book.Challenge(host, "org_1", "", owner, "1", time.Now())
		for i := range 2 {
			once, _, err := h.book.Answered(text, pass.Challenge{Domain: host, Org: "org_1", About: "", Address: owner, Network: "1"}, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if kept := time.Until(once.Until); kept < pass.ChallengeLasts+50*time.Minute {
				t.Errorf("that the challenge was answered is forgotten in %v, when a node whose clock is slow still takes it", kept)
			}
			_, err = h.create(pass.Input{Platform: pass.Apple, Owner: owner.String(), Chain: "evm", Network: "1", Barcode: &pass.Barcode{Message: "x"}, Once: []pass.Once{once}})
			if i == 0 && err != nil {
				t.Fatal(err)
			}
			if i == 1 {
				refused(t, "the same challenge again", err, "already_used", problem.Conflict)
			}
		}
	})
}

func FuzzAnswered(f *testing.F) {
	book, now, owner := bookOf(f, 7), time.Unix(1_800_000_000, 0), wallet(f, 1).Address()
	_, real := book.Challenge(host, "org_1", "tkt_1", owner, "1", now)
	for _, s := range []string{"", "\n", "\r", "0", host + " wants you to sign in with your Ethereum account:", strings.Repeat("\n", 12)} {
		f.Add(uint16(0), uint16(0), s)
		f.Add(uint16(len(real)), uint16(0), s)
		f.Add(uint16(300), uint16(1), s)
		f.Add(uint16(0), uint16(len(real)), s) // that alone
	}
	f.Fuzz(func(t *testing.T, at, without uint16, with string) {
		from := min(int(at), len(real))
		text := real[:from] + with + real[min(from+int(without), len(real)):]
		once, ours, err := book.Answered(text, pass.Challenge{Domain: host, Org: "org_1", About: "tkt_1", Address: owner, Network: "1"}, now)
		switch {
		case err == nil && ours && text != real:
			t.Errorf("a challenge that was changed counts: %q", text)
		case text == real && (err != nil || !ours):
			t.Errorf("a challenge that was not changed does not count: %v", err)
		case !ours && (err != nil || once.Value != nil):
			t.Errorf("what is none of ours is %+v, %v", once, err)
		case err != nil && problem.As(err) == nil:
			t.Errorf("an error that is no problem: %v", err)
		}
	})
}
