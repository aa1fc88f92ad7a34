package ticketcode_test

import (
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/ticketcode"
)

var opening = time.Unix(now, 0)

func newSigner(t testing.TB, id byte, private ed25519.PrivateKey) *ticketcode.Signer {
	t.Helper()
	s, err := ticketcode.NewSigner(id, private)
	if err != nil {
		t.Fatalf("NewSigner(%d): %v", id, err)
	}
	return s
}

func newKeySet(t testing.TB, keys ...ticketcode.Key) *ticketcode.KeySet {
	t.Helper()
	s, err := ticketcode.NewKeySet(anOrg, keys...)
	if err != nil {
		t.Fatalf("NewKeySet: %v", err)
	}
	return s
}

// TestCodesSayWhatWasSigned goes round with random tokens.
func TestCodesSayWhatWasSigned(t *testing.T) {
	signer := newSigner(t, 2, privates[2])
	keys := newKeySet(t, signer.Key())
	random := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		want := ticketcode.Token{
			KeyID: 2, Generation: uint16(1 + random.IntN(65535)), Class: uint16(random.Uint32()),
			ValidFrom:  time.Unix(1+random.Int64N(now), 0).UTC(),
			ValidUntil: time.Unix(now+1+random.Int64N(4294967295-now-1), 0).UTC(),
		}
		for i := range want.Ticket {
			want.Ticket[i] = byte(random.Uint32())
		}
		for i := range want.Tag {
			want.Tag[i] = byte(random.Uint32())
		}
		text, err := signer.Sign(want)
		if err != nil || len(text) != ticketcode.TextLen || !strings.HasPrefix(text, ticketcode.Prefix) {
			t.Fatalf("Sign(%+v): got %q, %v", want, text, err)
		}
		if strings.TrimSpace(text) != text {
			t.Errorf("Sign: %q begins or ends with white space, which scanners cut off", text)
		}
		if got, err := keys.Verify(text, opening); err != nil || got != want {
			t.Errorf("Verify: got %+v, %v, want %+v", got, err, want)
		}
		if got, err := ticketcode.ParseUnverified(text); err != nil || got != want {
			t.Errorf("ParseUnverified: got %+v, %v, want %+v", got, err, want)
		}
	}
}

func TestFractionsOfASecondAreDropped(t *testing.T) {
	signer := newSigner(t, 1, privates[1])
	token := aToken().token()
	token.ValidFrom = token.ValidFrom.Add(999 * time.Millisecond)
	token.ValidUntil = token.ValidUntil.Add(999 * time.Millisecond)
	if text, err := signer.Sign(token); err != nil || text != aToken().text() {
		t.Errorf("Sign with fractions: got %q, %v, want %q", text, err, aToken().text())
	}
}

func TestSignRefusesWhatNobodyCouldVerify(t *testing.T) {
	signer := newSigner(t, 1, privates[1])
	for _, c := range []struct {
		name   string
		change func(*ticketcode.Token)
	}{
		{"no ticket", func(t *ticketcode.Token) { t.Ticket = ticketcode.TicketID{} }},
		{"no generation", func(t *ticketcode.Token) { t.Generation = 0 }},
		{"an empty window", func(t *ticketcode.Token) { t.ValidFrom = t.ValidUntil }},
		{"a window that is empty in whole seconds", func(t *ticketcode.Token) { t.ValidUntil = t.ValidFrom.Add(time.Second / 2) }},
		{"a window that ends first", func(t *ticketcode.Token) { t.ValidFrom = t.ValidUntil.Add(time.Second) }},
		{"a beginning before 1970", func(t *ticketcode.Token) { t.ValidFrom = time.Unix(-1, 0) }},
		{"a beginning at the mark of none", func(t *ticketcode.Token) { t.ValidFrom = time.Unix(0, 0) }},
		{"an end at the mark of none", func(t *ticketcode.Token) { t.ValidUntil = time.Unix(4294967295, 0) }},
		{"an end after 2106, which would wrap", func(t *ticketcode.Token) { t.ValidUntil = time.Unix(1<<32+now, 0) }},
	} {
		token := aToken().token()
		c.change(&token)
		text, err := signer.Sign(token)
		refused(t, c.name, err, ticketcode.Malformed)
		if text != "" {
			t.Errorf("%s: Sign failed and returned %q", c.name, text)
		}
	}
}

func TestSignersAreMadeOfWholeKeys(t *testing.T) {
	mixed := append(append(ed25519.PrivateKey(nil), privates[1][:32]...), privates[2][32:]...)
	for _, c := range []struct {
		name    string
		id      byte
		private ed25519.PrivateKey
	}{
		{"id zero", 0, privates[1]},
		{"no key", 1, nil},
		{"a seed", 1, privates[1][:32]},
		{"another key's public half", 1, mixed},
	} {
		if s, err := ticketcode.NewSigner(c.id, c.private); err == nil || s != nil {
			t.Errorf("%s: NewSigner: got %v, %v, want an error", c.name, s, err)
		}
	}
	s := newSigner(t, 7, privates[1])
	for _, shown := range []string{fmt.Sprint(s), fmt.Sprintf("%+v %#v", s, s)} {
		if strings.Contains(shown, fmt.Sprint(privates[1][0])+" ") || !strings.Contains(shown, "Signer(7)") {
			t.Errorf("a printed Signer is %q, want its id alone", shown)
		}
	}
}

// TestAForgottenClockOpensNoWindow: the zero instant lies outside every bound.
func TestAForgottenClockOpensNoWindow(t *testing.T) {
	signer := newSigner(t, 1, privates[1])
	keys := newKeySet(t, signer.Key())
	verify := func(from, until time.Time) error {
		token := aToken().token()
		token.ValidFrom, token.ValidUntil = from, until
		text, err := signer.Sign(token)
		if err != nil {
			t.Fatalf("Sign: %v", err)
		}
		_, err = keys.Verify(text, time.Time{})
		return err
	}
	refused(t, "a window with a beginning", verify(opening, time.Time{}), ticketcode.NotYet)
	refused(t, "a window with an end", verify(time.Time{}, opening), ticketcode.TooLate)
	bounded := signer.Key()
	bounded.Until = opening.Add(time.Hour)
	_, err := newKeySet(t, bounded).Verify(aToken().text(), time.Time{})
	refused(t, "a key with an end", err, ticketcode.UnknownKey)
}

// TestEveryFlippedBitIsRefused changes each of the 800 bits of a code.
func TestEveryFlippedBitIsRefused(t *testing.T) {
	keys := vectorKeys(t)
	genuine := signedBy(privates[1], aToken().body())
	for bit := range 8 * len(genuine) {
		b := append([]byte(nil), genuine...)
		b[bit/8] ^= 1 << (bit % 8)
		if got, err := keys.Verify(printed(b), opening); err == nil {
			t.Errorf("bit %d flipped: Verify accepted %+v", bit, got)
		}
	}
}

// TestEveryChangedCharacterIsRefused puts every other byte in every place of a printed code, and takes out and puts in one.
func TestEveryChangedCharacterIsRefused(t *testing.T) {
	keys := vectorKeys(t)
	text := aToken().text()
	if _, err := keys.Verify(text, opening); err != nil {
		t.Fatalf("Verify of the genuine code: %v", err)
	}
	verify := func(changed string) {
		t.Helper()
		if got, err := keys.Verify(changed, opening); err == nil {
			t.Errorf("Verify(%q): accepted %+v", changed, got)
		}
	}
	for i := range len(text) {
		for c := range 256 {
			if byte(c) != text[i] {
				verify(text[:i] + string([]byte{byte(c)}) + text[i+1:])
			}
		}
		verify(text[:i] + text[i+1:])
		verify(text[:i] + text[i:i+1] + text[i:])
	}
}

// TestRandomChangesAreRefused makes changes of many kinds: a hundred thousand, ten million in the long form.
func TestRandomChangesAreRefused(t *testing.T) {
	rounds := 100_000
	if os.Getenv("STAGEDOOR_LONG") == "1" {
		rounds = 10_000_000
	}
	keys := vectorKeys(t)
	genuine := []string{aToken().text(), anotherToken().text()}

	workers := runtime.GOMAXPROCS(0)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			random := rand.New(rand.NewPCG(2026, uint64(w)))
			for range rounds / workers {
				changed := mutate(random, genuine)
				if changed == genuine[0] || changed == genuine[1] {
					continue
				}
				if got, err := keys.Verify(changed, opening); err == nil {
					t.Errorf("Verify(%q): accepted %+v", changed, got)
					return
				}
			}
		})
	}
	group.Wait()
}

// mutate changes a genuine code at random: characters, bytes, pieces of the other code, cuts, neighbours that change places.
func mutate(random *rand.Rand, genuine []string) string {
	text := genuine[random.IntN(len(genuine))]
	switch random.IntN(6) {
	case 0: // characters of the alphabet
		b := []byte(text)
		for range 1 + random.IntN(4) {
			b[random.IntN(len(b))] = letters45[random.IntN(len(letters45))]
		}
		return string(b)
	case 1: // any bytes
		b := []byte(text)
		for range 1 + random.IntN(3) {
			b[random.IntN(len(b))] = byte(random.Uint32())
		}
		return string(b)
	case 2: // bits behind the encoding
		b := unprinted[random.IntN(len(unprinted))]
		for range 1 + random.IntN(3) {
			b[random.IntN(len(b))] ^= 1 << random.IntN(8)
		}
		return printed(b[:])
	case 3: // a piece of the other code
		i, j := random.IntN(len(text)), random.IntN(len(text)+1)
		i, j = min(i, j), max(i, j)
		return genuine[0][:i] + genuine[1][i:j] + genuine[0][j:]
	case 4: // cut off, or drawn out
		i := random.IntN(len(text))
		if random.IntN(2) == 0 {
			return text[:i]
		}
		return text[:i] + text[random.IntN(i+1):]
	default: // two characters change places
		b := []byte(text)
		i, j := random.IntN(len(b)), random.IntN(len(b))
		b[i], b[j] = b[j], b[i]
		return string(b)
	}
}

// anotherToken is a ticket by the other key.
func anotherToken() tokenVector {
	t := aToken()
	t.KeyID, t.Ticket = 2, otherID
	return t
}

// unprinted are the two codes before base45.
var unprinted = [2][100]byte{
	[100]byte(signedBy(privates[1], aToken().body())),
	[100]byte(signedBy(privates[2], anotherToken().body())),
}

func TestTicketIDsHaveOneSpelling(t *testing.T) {
	good := ticketcode.TicketID(unhex(anID)).String()
	for _, text := range []string{
		"", "tkt_", good[4:], "TKT_" + good[4:], strings.ToUpper(good), good[:29], good + "0", good + "\n", good[:10] + "\n" + good[10:],
		good[:10] + "\n" + good[11:], "evt_" + good[4:], good[:29] + "x", good[:29] + "i", "tkt_" + anID,
	} {
		id, err := ticketcode.ParseTicketID(text)
		refused(t, fmt.Sprintf("ParseTicketID(%q)", text), err, ticketcode.Malformed)
		if id != (ticketcode.TicketID{}) {
			t.Errorf("ParseTicketID(%q) failed and returned %v", text, id)
		}
	}
}

func TestVerifyingAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	keys, text := vectorKeys(t), aToken().text()
	got := testing.AllocsPerRun(200, func() {
		if _, err := keys.Verify(text, opening); err != nil {
			t.Fatalf("Verify: %v", err)
		}
	})
	if got > 0 {
		t.Errorf("Verify: got %v allocations, want none", got)
	}
	bad := text[:153] + "="
	if got := testing.AllocsPerRun(200, func() { _, _ = keys.Verify(bad, opening) }); got > 1 {
		t.Errorf("Verify of a malformed code: got %v allocations, want the error's at most", got)
	}
}

func BenchmarkVerify(b *testing.B) {
	keys, text := vectorKeys(b), aToken().text()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := keys.Verify(text, opening); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	signer, token := newSigner(b, 1, privates[1]), aToken().token()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := signer.Sign(token); err != nil {
			b.Fatal(err)
		}
	}
}
