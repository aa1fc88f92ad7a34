package pass_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/evm"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// asset is an ERC-721 token.
func asset(t testing.TB, contract byte, token string) pass.NFT {
	return pass.NFT{Contract: wallet(t, contract).Address().String(), Interface: "0x80ac58cd", TokenID: token}
}

func TestPassIsWhatItWasMadeFrom(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		owner := wallet(t, 1).Address()
		until := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
		p := h.made(pass.Input{
			Platform: pass.Apple, ExternalID: "guest 7", Owner: strings.ToLower(owner.String()), Chain: "evm", Network: "137", NFTs: []pass.NFT{asset(t, 2, "42")},
			Verified: true, Barcode: &pass.Barcode{Message: "ÆØÅ 42", AltText: "42"}, Design: pass.Design{LogoText: "Members"}, ExpiresAt: until,
		})
		if p.Platform != pass.Apple || p.Style != pass.Generic || p.ExternalID != "guest 7" || p.Owner != owner.String() || p.Chain != "evm" || p.Network != "137" ||
			!p.Verified || p.Design.LogoText != "Members" || !p.ExpiresAt.Equal(until) || !p.Active() || p.Version != 1 {
			t.Errorf("Create made %+v", p)
		}
		if diff := cmp.Diff([]pass.NFT{asset(t, 2, "42")}, p.NFTs); diff != "" {
			t.Errorf("assets (-want +got):\n%s", diff)
		}
		if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(p.Serial) || !regexp.MustCompile(`^[0-9A-Za-z]{32}$`).MatchString(h.face(p).Token) {
			t.Errorf("serial %q and token %q, want 32 hexadecimal digits and 32 letters and digits", p.Serial, h.face(p).Token)
		}
		if p.ModifiedAt.Nanosecond() != 0 || p.ModifiedAt.After(p.CreatedAt) || p.CreatedAt.Sub(p.ModifiedAt) >= time.Second {
			t.Errorf("made at %v and modified at %v, want its whole second", p.CreatedAt, p.ModifiedAt)
		}
		if diff := cmp.Diff(p.Snapshot(), h.there(p).Snapshot(), cmp.Comparer(func(a, b pass.Instant) bool { return time.Time(a).Equal(time.Time(b)) })); diff != "" {
			t.Errorf("what was returned is not what is stored (-returned +stored):\n%s", diff)
		}
		h.tells(p, "pass.created 1")
	})
}

func TestFactsHoldNothingPersonalAndNoSecret(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		owner := wallet(t, 1).Address().String()
		p := h.made(pass.Input{
			Platform: pass.Apple, Owner: owner, Chain: "evm", Network: "1", NFTs: []pass.NFT{asset(t, 2, "424242")}, Barcode: &pass.Barcode{Message: "open sesame", AltText: "alt-text"},
			ExternalID: "kari@example.test", Design: pass.Design{LogoText: "Kari Nordmann"},
		})
		h.registered(p, "device-of-kari")
		if _, err := h.expire(p, pass.UserRevoke); err != nil {
			t.Fatal(err)
		}
		token := h.face(p).Token
		for _, f := range h.log.of(p) {
			for _, secret := range []string{owner, "424242", "sesame", "alt-text", "ari", "device", token, p.Serial} {
				if strings.Contains(string(f.Data), secret) {
					t.Errorf("%s has %q in it: %s", f.Kind, secret, f.Data)
				}
			}
		}
	})
}

func TestFactsPrintMicroseconds(t *testing.T) {
	h := clocked(t)
	p := h.plain(pass.Apple)
	h.clock(time.Second)
	h.registered(p, "phone")
	h.clock(time.Second)
	if err := h.unregister(p, "phone"); err != nil {
		t.Fatal(err)
	}
	facts := h.log.of(p)
	var s struct {
		CreatedAt     string
		Registrations []struct{ CreatedAt, DeletedAt string }
	}
	if err := json.Unmarshal(facts[len(facts)-1].Data, &s); err != nil {
		t.Fatal(err)
	}
	if s.CreatedAt != "2030-05-01T10:00:00.123456Z" || len(s.Registrations) != 1 || s.Registrations[0].CreatedAt != "2030-05-01T10:00:01.123456Z" ||
		s.Registrations[0].DeletedAt != "2030-05-01T10:00:02.123456Z" {
		t.Errorf("the fact's instants are %+v", s)
	}
	var back pass.Snapshot
	if err := json.Unmarshal(facts[0].Data, &back); err != nil || !time.Time(back.CreatedAt).Equal(p.CreatedAt) {
		t.Errorf("read back, the pass was made at %v (%v), want %v", time.Time(back.CreatedAt), err, p.CreatedAt)
	}
}

func TestPassOfATicketShowsItsCode(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		tk := h.tickets(1)[0]
		h.write(func(tx *db.Tx) error {
			_, _, err := h.roll.SetHolder(tx, house, tk.ID, ticket.HolderChange{Name: ptr("Kari Nordmann")})
			return err
		})
		p := h.of(tk, pass.Apple)
		if p.Style != pass.EventTicket || p.TicketID != tk.ID || p.TicketNo != tk.No || p.EventID != "E" || p.EventNo != tk.EventNo || p.Generation != 1 {
			t.Errorf("a ticket's pass is %+v", p)
		}
		codes, err := h.roll.CodesOf(t.Context(), h.q(), tk, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		f := h.face(p)
		if f.Barcode.Message != codes.Text || f.Barcode.Format != pass.QR || f.Barcode.AltText != codes.Short || f.Barcode.Rotation != nil {
			t.Errorf("the pass shows %+v, want the ticket's code %s and %s", f.Barcode, codes.Text, codes.Short)
		}
		if f.Org != "House" || f.Event == nil || f.Event.Name != "Harbor Jazz Night" || f.Ticket == nil || f.Ticket.Section != "B" || f.Ticket.Holder != "Kari Nordmann" ||
			f.Ticket.Order == "" || f.Ticket.Place != 1 || f.Ticket.Places != 1 || f.Void || !f.ExpiresAt.Equal(f.Event.EndsAt.Add(24*time.Hour)) {
			t.Errorf("the pass shows %+v of the ticket %+v", f, f.Ticket)
		}
		signed(t, h, p, codes.Text)
	})
}

// signed fails when a pass's signature is not that of what its barcode says.
func signed(t *testing.T, h *hall, p *pass.Pass, message string) {
	t.Helper()
	signer, err := h.book.Signer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text := p.Snapshot().BarcodeSignature
	s, err := evm.ParseSignature(text)
	if err != nil {
		t.Fatalf("signature %q: %v", text, err)
	}
	if by, err := evm.Recover(string(p.ID)+":"+message, s); err != nil || by.String() != signer {
		t.Errorf("the barcode is signed by %s (%v), want %s", by, err, signer)
	}
}

func TestTicketsThatHaveNoPass(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		tk := h.tickets(2)
		code := &pass.Barcode{Message: "own"}
		for name, in := range map[string]pass.Input{
			"nobody's":   {Ticket: "tkt_00000000000000000000000000"},
			"no id":      {Ticket: "x"},
			"somebody's": {Ticket: tk[0].ID, Holder: person.Of("ola@example.test")},
		} {
			in.Platform = pass.Apple
			_, err := h.create(in)
			refused(t, name, err, "ticket_not_found", problem.NotFound)
		}
		if err := h.try(func(tx *db.Tx) error {
			_, err := h.book.Create(tx, 2, pass.Input{Platform: pass.Apple, Ticket: tk[0].ID})
			return err
		}); !problem.Is(err, "ticket_not_found") {
			t.Errorf("Create by another organisation: %v", err)
		}
		h.made(pass.Input{Platform: pass.Google, Ticket: tk[0].ID, Holder: person.Of(kari)})

		h.write(func(tx *db.Tx) error {
			_, _, err := h.roll.Cancel(tx, house, tk[1].ID, 0)
			return err
		})
		for _, c := range []*pass.Barcode{nil, code} {
			_, err := h.create(pass.Input{Platform: pass.Apple, Ticket: tk[1].ID, Barcode: c})
			refused(t, "a void ticket", err, "ticket_without_code", problem.Conflict)
		}

		h.write(func(tx *db.Tx) error { return h.roll.Rotate(tx, house, "E", 0) })
		_, err := h.create(pass.Input{Platform: pass.Apple, Ticket: tk[0].ID})
		refused(t, "rotating codes on Apple", err, "rotating_codes", problem.Conflict)
		h.made(pass.Input{Platform: pass.Apple, Ticket: tk[0].ID, Barcode: code})
		f := h.face(h.of(tk[0], pass.Google))
		if f.Barcode.Rotation == nil || f.Barcode.Rotation.Step != ticket.DefaultStep || len(f.Barcode.Rotation.Secret) != 20 || len(f.Barcode.Message) != 154 {
			t.Errorf("where codes rotate, Google's pass shows %+v", f.Barcode)
		}
	})
}

func TestInputIsChecked(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		own := &pass.Barcode{Message: "x"}
		address := wallet(t, 1).Address().String()
		for _, c := range []struct {
			want string
			in   pass.Input
		}{
			{"/platform invalid, /barcode required", pass.Input{}},
			{"/platform invalid", pass.Input{Platform: "nokia", Barcode: own}},
			{"/barcode/format invalid, /barcode/message out_of_range, /barcode/altText too_long", pass.Input{Platform: pass.Apple, Barcode: &pass.Barcode{Format: "ean", AltText: strings.Repeat("x", 201)}}},
			{"/barcode/message out_of_range", pass.Input{Platform: pass.Apple, Barcode: &pass.Barcode{Message: strings.Repeat("x", 2001)}}},
			{"/barcode/message out_of_range", pass.Input{Platform: pass.Apple, Barcode: &pass.Barcode{Message: "\xff"}}},
			{"/barcode/message invalid", pass.Input{Platform: pass.Apple, Barcode: &pass.Barcode{Message: "hello\r\n"}}},
			{"/barcode/message invalid", pass.Input{Platform: pass.Apple, Barcode: &pass.Barcode{Message: " hello"}}},
			{"/externalId invalid", pass.Input{Platform: pass.Apple, Barcode: own, ExternalID: strings.Repeat("é", 201)}},
			{"/externalId invalid", pass.Input{Platform: pass.Apple, Barcode: own, ExternalID: "a\nb"}},
			{"/chain invalid, /network invalid, /owner invalid", pass.Input{Platform: pass.Apple, Barcode: own, Owner: "me", Chain: "solana", Network: "01"}},
			{"/network invalid", pass.Input{Platform: pass.Apple, Barcode: own, Owner: address, Chain: "evm"}},
			{"/chain invalid, /network invalid", pass.Input{Platform: pass.Apple, Barcode: own, NFTs: []pass.NFT{asset(t, 1, "1")}}},
			{"/nfts/0/contractAddress invalid, /nfts/0/contractInterface invalid, /nfts/0/tokenId invalid", pass.Input{Platform: pass.Apple, Barcode: own, Owner: address, Chain: "evm", Network: "1", NFTs: []pass.NFT{{}}}},
			{"/nfts/1/tokenId invalid", pass.Input{
				Platform: pass.Apple, Barcode: own, Owner: address, Chain: "evm", Network: "1",
				NFTs: []pass.NFT{
					asset(t, 1, "115792089237316195423570985008687907853269984665640564039457584007913129639935"), asset(t, 1, "115792089237316195423570985008687907853269984665640564039457584007913129639936"),
				},
			}},
			{"/nfts too_many", pass.Input{Platform: pass.Apple, Barcode: own, Owner: address, Chain: "evm", Network: "1", NFTs: make([]pass.NFT, 51)}},
			{"/expiresAt out_of_range", pass.Input{Platform: pass.Apple, Barcode: own, ExpiresAt: time.Now().Add(-time.Second)}},
			{"/design/labelColor invalid", pass.Input{Platform: pass.Apple, Barcode: own, Design: pass.Design{LabelColor: "#fff"}}},
			{"/design/images invalid, /design/images/logo image_not_found", pass.Input{Platform: pass.Apple, Barcode: own, Design: pass.Design{Images: map[string]string{"logo": "00", "hologram": "00"}}}},
		} {
			if _, err := h.create(c.in); faults(err) != c.want {
				t.Errorf("Create(%+v): %v with the fields %s; want %s", c.in, err, faults(err), c.want)
			}
		}
		if all, err := pass.Find(h.q(), house, pass.Filter{}); err != nil || len(all) != 0 {
			t.Errorf("after what was refused there are %d passes, %v", len(all), err)
		}
	})
}

func TestTicketHasAsManyPassesAsItMay(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		tk := h.tickets(2)
		oldest := h.of(tk[0], pass.Apple)
		for range pass.MaxOfTicket - 1 {
			h.of(tk[0], pass.Apple)
		}
		_, err := h.create(pass.Input{Platform: pass.Apple, Ticket: tk[0].ID})
		refused(t, "one more pass", err, "too_many_passes", problem.TooMany)
		h.of(tk[0], pass.Google)
		h.of(tk[1], pass.Apple)
		if _, err := h.expire(oldest, pass.UserRevoke); err != nil {
			t.Fatal(err)
		}
		h.of(tk[0], pass.Apple)
	})
}

func TestWhatCountsOnceMakesOnePass(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		in := pass.Input{Platform: pass.Apple, Barcode: &pass.Barcode{Message: "x"}}
		use := func(what, value string) error {
			in.Once = []pass.Once{{What: what, Value: []byte(value), Until: time.Now().Add(time.Hour)}}
			_, err := h.create(in)
			return err
		}
		for _, c := range []struct {
			what, value string
			again       bool
		}{{"signature", "a", false}, {"signature", "a", true}, {"proof", "a", false}, {"signature", "b", false}, {"proof", "a", true}} {
			err := use(c.what, c.value)
			if c.again {
				refused(t, c.what+" "+c.value, err, "already_used", problem.Conflict)
			} else if err != nil {
				t.Errorf("%s %s: %v", c.what, c.value, err)
			}
		}
		if all, err := pass.Find(h.q(), house, pass.Filter{}); err != nil || len(all) != 3 {
			t.Errorf("%d passes, %v; want 3", len(all), err)
		}
		plain := sha256.Sum256([]byte("a"))
		if kept, err := db.All(h.q(), db.Value[[]byte], `SELECT hash FROM pass_once WHERE hash = $1`, plain[:]); err != nil || len(kept) != 0 {
			t.Errorf("what was used is found by a hash that anybody can make: %d times, %v", len(kept), err)
		}
		if err := h.try(func(tx *db.Tx) error {
			return h.book.Use(tx, 2, pass.Once{What: "proof", Value: []byte("a"), Until: time.Now()})
		}); err != nil {
			t.Errorf("Use by another organisation: %v", err)
		}
	})
}

// TestNothingIsStoredInPlainText looks for all secrets in all columns of all tables of passes.
func TestNothingIsStoredInPlainText(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		p := h.made(pass.Input{
			Platform: pass.Apple, Barcode: &pass.Barcode{Message: "open sesame", AltText: "alt text"}, Once: []pass.Once{{What: "proof", Value: []byte("my nonce"), Until: time.Now()}},
		})
		if _, err := h.register(p, "my device", "mypushtoken"); err != nil {
			t.Fatal(err)
		}
		link := h.link(p)
		secret, err := h.book.Secret(t.Context(), "apple identity", func() ([]byte, error) { return []byte("my private key"), nil })
		if err != nil || string(secret) != "my private key" {
			t.Fatalf("Secret: %q, %v", secret, err)
		}
		secrets := []string{"sesame", "alt text", "my nonce", "my device", "mypushtoken", link, h.face(p).Token, "private key"}
		for _, table := range []string{
			"passes token", "passes barcode", "passes barcode_mac", "passes signature", "passes design", "pass_registrations device", "pass_registrations push_token",
			"pass_links link", "pass_once hash", "pass_secrets sealed",
		} {
			table, column, _ := strings.Cut(table, " ")
			kept, err := db.All(h.q(), func(r db.Rows) (b []byte, err error) { return b, r.Scan(&b) }, fmt.Sprintf(`SELECT %s FROM %s`, column, table))
			if column == "design" {
				var texts []string
				texts, err = db.All(h.q(), db.Value[string], `SELECT design FROM passes`)
				kept = [][]byte{[]byte(strings.Join(texts, ""))}
			}
			if err != nil || len(kept) == 0 {
				t.Fatalf("%s.%s: %d rows, %v", table, column, len(kept), err)
			}
			for _, b := range kept {
				for _, s := range secrets {
					if bytes.Contains(b, []byte(s)) || strings.Contains(hex.EncodeToString(b), hex.EncodeToString([]byte(s))) {
						t.Errorf("%s.%s has %q in it", table, column, s)
					}
				}
			}
		}
	})
}

func TestSecretIsMadeOnceForAllNodes(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		other := pass.New(pass.Config{DB: h.db, Ledger: h.log, Keys: h.keys, Tickets: h.roll})
		got := make(chan string, 8)
		for i := range 8 {
			book := h.book
			if i%2 == 1 {
				book = other
			}
			go func() {
				s, err := book.Secret(t.Context(), "seed", func() ([]byte, error) { return fmt.Appendf(nil, "made by %d", i), nil })
				got <- fmt.Sprintf("%s %v", s, err)
			}()
		}
		first := <-got
		for range 7 {
			if s := <-got; s != first || !strings.HasSuffix(s, "<nil>") {
				t.Errorf("Secret gave %q and %q", first, s)
			}
		}
		one, err := h.book.Signer(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if two, err := other.Signer(t.Context()); err != nil || one != two {
			t.Errorf("two nodes sign as %s and %s, %v", one, two, err)
		}
		if _, err := h.book.Secret(t.Context(), "none", func() ([]byte, error) { return nil, fmt.Errorf("no entropy") }); err == nil {
			t.Error("Secret of what cannot be made: no error")
		}
	})
}

func TestFactKinds(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		p := h.plain(pass.Google)
		if f := h.log.of(p)[0]; f.Kind != fact.PassCreated || f.Subject != string(p.ID) {
			t.Errorf("the fact is %+v", f)
		}
		if _, err := pass.ByID(h.q(), 2, p.ID); !problem.Is(err, "pass_not_found") {
			t.Errorf("another organisation's pass: %v", err)
		}
		if _, err := pass.ByID(h.q(), house, id.NewPass()); !problem.Is(err, "pass_not_found") {
			t.Errorf("no pass: %v", err)
		}
	})
}
