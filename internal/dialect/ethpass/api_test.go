package ethpass_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image/color"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/dialect/ethpass"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/evm"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// obj is a JSON object.
type obj = map[string]any

// sign is a wallet's signature as clients send it.
func sign(k *evm.Key, message string) string { s := k.Sign(message); return fmt.Sprintf("0x%x", s[:]) }

const contract = "0x79c1d53f15e34895d608ff47ee56ad1f0f3f45d3"

func checksummed(t testing.TB, s string) string {
	t.Helper()
	a, err := evm.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a.String()
}

// Each of the three generations of requests that ethpass's clients send makes a pass, and so does ours. A client's test is that the status is exactly 200.
func TestEveryGenerationOfRequestsMakesAPass(t *testing.T) {
	booths(t, func(t *testing.T, b *booth) {
		owner, text := wallet(t, 1), "Sign this message to generate a pass with ethpass.xyz\n1690000000000"
		look := obj{"description": "MEMBERS", "headerFields": []obj{{"key": "header1", "value": "DEMO", "textAlignment": "PKTextAlignmentNatural"}}, "backFields": []obj{}}
		chain := obj{"name": "evm", "network": 137}
		tk := b.tickets(1)[0]
		for name, c := range map[string]struct {
			body     obj
			platform string
			network  string
			nfts     int
			verified bool
		}{
			"the oldest": {obj{
				"contractAddress": contract, "chainId": 137, "tokenId": "443", "signature": sign(owner, text), "signatureMessage": text, "platform": "apple",
				"templateId": "3923259c-0d1c-4f45-9a42-cf6e995a963d", "barcode": obj{"message": "oldest"}, "pass": look,
			}, "apple", "137", 1, true},
			"version 0.1": {obj{
				"chain": chain, "nft": obj{"contractAddress": contract, "tokenId": 443, "contractInterface": "0x80AC58CD"}, "signature": sign(owner, text),
				"signatureMessage": text, "platform": "google", "pass": obj{"messages": []obj{}}, "barcode": obj{"redirect": obj{"url": "https://example.test/verify?x=1"}}, "delegation": obj{},
			}, "google", "137", 1, true},
			"version 0.1 without an asset": {obj{"chain": chain, "signature": sign(owner, text), "signatureMessage": text, "platform": "apple", "pass": look}, "apple", "137", 0, true},
			"the newest": {obj{
				"wallet": obj{"chain": chain, "address": owner.Address().String(), "signature": sign(owner, text), "signatureMessage": text},
				"nfts":   []obj{{"contractAddress": contract, "tokenId": "1"}, {"contractAddress": contract, "tokenId": "2"}}, "platform": "google",
			}, "google", "137", 2, true},
			"the newest without a signature or a platform": {obj{
				"wallet": obj{"chain": chain, "address": strings.ToLower(owner.Address().String())}, "policies": []string{},
				"layout": obj{"universal": obj{"logoText": "Lock", "primaryFields": []obj{{"label": "Key", "value": 7, "alignment": "middle"}}}},
			}, "apple", "137", 0, false},
			"ours": {obj{"ticketId": tk.ID, "platform": "apple", "externalId": "seat 7", "expiresAt": time.Now().Add(time.Hour).Unix(), "pass": look}, "apple", "", 0, false},
		} {
			for _, base := range []string{"/v0", "/api/v0"} {
				a := b.must(200, "POST", base+"/passes", c.body)
				got := read[passBody](b, a)
				link := "^" + regexp.QuoteMeta(public) + "/api/link/[0-9A-Za-z]{32}$"
				if got.Platform != c.platform || len(got.NFTs) != c.nfts || got.SignatureVerified == nil || *got.SignatureVerified != c.verified || !regexp.MustCompile(link).MatchString(got.FileURL) {
					t.Errorf("%s: %s", name, a.raw)
				}
				if c.network == "" && (got.Chain != nil || got.OwnerAddress != nil) ||
					c.network != "" && (got.Chain == nil || got.Chain.Name != "evm" || got.Chain.Network != c.network || *got.OwnerAddress != owner.Address().String()) {
					t.Errorf("%s: owner and chain of %s", name, a.raw)
				}
				for _, n := range got.NFTs {
					if n.ContractAddress != checksummed(t, contract) || n.ContractInterface != "0x80ac58cd" || n.Valid != nil {
						t.Errorf("%s: asset %+v", name, n)
					}
				}
				apple, google := got.Distribution.Apple, got.Distribution.Google
				if (apple != nil) != (c.platform == "apple") || (google != nil) != (c.platform == "google") || apple != nil && apple.URL != got.FileURL || google != nil && google.URL != got.FileURL {
					t.Errorf("%s: distribution of %s", name, a.raw)
				}
			}
		}
	})
}

// The body of a GET, the result of the webhook that was just told, and an item of the list are the same bytes.
func TestAPassIsWrittenInOneWay(t *testing.T) {
	booths(t, func(t *testing.T, b *booth) {
		p := b.plain("hello")
		path := "/v0/passes/" + p.ID
		for _, step := range []func(){
			func() {},
			func() { b.must(200, "POST", path+"/registrations", nil) },
			func() { b.must(200, "GET", "/v0/scan?data=hello", nil) },
			func() {
				r := read[passBody](b, b.must(200, "GET", path, nil)).Registrations[0].ID
				b.must(200, "DELETE", path+"/registrations/"+r, nil)
			},
			func() { b.must(200, "POST", path+"/expire", nil) },
		} {
			step()
			got, list := b.must(200, "GET", path, nil), read[[]json.RawMessage](b, b.must(200, "GET", "/v0/passes", nil))
			_, last := b.told()
			var env struct{ Result json.RawMessage }
			if err := json.Unmarshal(last, &env); err != nil {
				t.Fatal(err)
			}
			if string(env.Result) != string(got.raw) || len(list) != 1 || string(list[0]) != string(got.raw) {
				t.Errorf("GET      %s\ntold     %s\nlisted   %s", got.raw, env.Result, list)
			}
			if a := b.must(200, "GET", "/api"+path, nil); string(a.raw) != string(got.raw) {
				t.Errorf("GET under /api: %s, want %s", a.raw, got.raw)
			}
		}
		events, _ := b.told()
		if diff := cmp.Diff([]string{"pass:create", "pass:register", "pass:scan", "pass:unregister", "pass:expire"}, events); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

// A request that is wrong is refused with each field by the name that the client gave it, and makes nothing.
func TestFaultyRequestsAreRefusedInTheClientsWords(t *testing.T) {
	b := lite(t, nil)
	b.set(chain{networks: "1"})
	owner, text := wallet(t, 1), "I am the owner"
	walletOf := func(over ...any) obj {
		w := obj{"chain": obj{"name": "evm", "network": 1}, "address": owner.Address().String()}
		for i := 0; i < len(over); i += 2 {
			w[over[i].(string)] = over[i+1]
		}
		return obj{"wallet": w, "platform": "apple"}
	}
	with := func(o obj, name string, value any) obj { o[name] = value; return o }
	old := func(over ...any) obj {
		o := obj{"chain": obj{"name": "evm", "network": 5}, "signature": sign(owner, text), "signatureMessage": text, "platform": "apple"}
		for i := 0; i < len(over); i += 2 {
			o[over[i].(string)] = over[i+1]
		}
		return o
	}
	highS := owner.Sign(text)
	for i := 32; i < 64; i++ {
		highS[i] = 0xff
	}
	for name, c := range map[string]struct {
		body any
		want string // a part of the message
	}{
		"nothing":                   {obj{}, "ticketId: Say what the pass is of"},
		"no platform":               {obj{"ticketId": "tkt_x"}, "platform: Use apple or google"},
		"another platform":          {with(walletOf(), "platform", "samsung"), "platform: Use one of apple, google."},
		"a platform that is none":   {with(walletOf(), "platform", 7), "platform: Expected a text."},
		"no JSON":                   {`{`, "JSON"},
		"no object":                 {`[]`, "The body is one JSON object."},
		"no body":                   {``, "ticketId"},
		"two of a name":             {`{"platform":"apple","platform":"google"}`, "platform"},
		"no address":                {walletOf("address", nil), "wallet.address: Give the wallet's address."},
		"a short address":           {walletOf("address", "0x12"), "wallet.address: An address is 0x"},
		"a mistyped address":        {walletOf("address", strings.Replace(owner.Address().String(), "a", "A", 1)), "wallet.address: An address is 0x"},
		"no chain":                  {walletOf("chain", nil), "wallet.chain: Say on which chain"},
		"another chain":             {walletOf("chain", obj{"name": "solana", "network": 1}), "wallet.chain.name: Use one of evm."},
		"no network":                {walletOf("chain", obj{"name": "evm"}), "wallet.chain.network: Give the chain's number"},
		"a network that is none":    {walletOf("chain", obj{"name": "evm", "network": 1.5}), "wallet.chain.network: Expected a whole number"},
		"a negative network":        {walletOf("chain", obj{"name": "evm", "network": -1}), "wallet.chain.network"},
		"network 0":                 {walletOf("chain", obj{"name": "evm", "network": 0}), "wallet.chain.network: Give the chain's number"},
		"a wallet that is a text":   {obj{"wallet": "0x12"}, "wallet: Expected an object."},
		"assets of nobody":          {obj{"nft": obj{"contractAddress": contract, "tokenId": "1"}, "platform": "apple"}, "wallet: Say whose"},
		"an asset without a token":  {with(walletOf(), "nft", obj{"contractAddress": contract}), "nft.tokenId: Give the token's number."},
		"a token that is none":      {with(walletOf(), "nfts", []obj{{"contractAddress": contract, "tokenId": "x"}}), "nfts.0.tokenId: Expected a whole number"},
		"a token that is too large": {with(walletOf(), "nft", obj{"contractAddress": contract, "tokenId": strings.Repeat("9", 78)}), "nft.tokenId: Give a whole number below"},
		"no contract":               {with(walletOf(), "nft", obj{"tokenId": "1"}), "nft.contractAddress: Give the contract's address."},
		"an interface that is none": {with(walletOf(), "nft", obj{"contractAddress": contract, "tokenId": "1", "contractInterface": "ERC721"}), "nft.contractInterface: An interface is 0x"},
		"too many assets":           {with(walletOf(), "nfts", slices.Repeat([]obj{{"contractAddress": contract, "tokenId": "1"}}, 51)), "nfts: There are at most 50"},
		"a contract without a name": {with(with(walletOf("chain", obj{"name": "evm", "network": 5}), "nft", obj{"contractAddress": contract, "tokenId": "1"}), "nfts", []obj{{"contractAddress": contract, "tokenId": "2"}, {"contractAddress": "", "tokenId": "3"}}), "nfts.1.contractAddress: Give an address"},
		"policies":                  {with(walletOf(), "policies", []string{"5edc7c10-fe93-4868-a6f5-c0e7213d4076"}), "policies: There are no policies here"},
		"an old one unsigned":       {obj{"chain": obj{"name": "evm", "network": 1}, "platform": "apple"}, "signature: The owner signs"},
		"the oldest unsigned":       {obj{"contractAddress": contract, "tokenId": "1", "chainId": 1, "platform": "apple"}, "signature: The owner signs"},
		"no message":                {old("signatureMessage", ""), "signatureMessage: Say what was signed."},
		"a signature that is none":  {old("signature", "0x12zz"), "signature: A signature is 0x"},
		"a short signature":         {old("signature", "0x1234"), "signature: This is no signature of a wallet"},
		"a signature with a high s": {old("signature", fmt.Sprintf("0x%x", highS[:])), "signature: This is no signature of a wallet"},
		"another signer":            {walletOf("signature", sign(wallet(t, 2), text), "signatureMessage", text), "wallet.signature: " + wallet(t, 2).Address().String() + " has signed this, and the pass is to be " + owner.Address().String() + "'s."},
		"a barcode and a redirect":  {with(walletOf(), "barcode", obj{"message": "x", "redirect": obj{"url": "https://x.test"}}), "barcode.redirect: Give a message or a redirect."},
		"a redirect to nowhere":     {with(walletOf(), "barcode", obj{"redirect": obj{}}), "barcode.redirect.url: Say where"},
		"a format that is none":     {with(walletOf(), "barcode", obj{"message": "x", "format": "ean13"}), "barcode.format: Use one of qr"},
		"a long message":            {with(walletOf(), "barcode", obj{"message": strings.Repeat("x", 5000)}), "barcode.message: Give 1 to"},
		"a date that is none":       {with(walletOf(), "expiresAt", "tomorrow"), "expiresAt: Expected a time"},
		"a date that is past":       {with(walletOf(), "expiresAt", "2020-01-01T00:00:00Z"), "expiresAt: Give a date that is still to come"},
		"a long external id":        {with(walletOf(), "externalId", strings.Repeat("x", 201)), "externalId: Give at most 200"},
		"a colour that is none":     {with(walletOf(), "pass", obj{"labelColor": "#fff"}), "pass.labelColor: Write a colour as rgb"},
		"a field without a value":   {with(walletOf(), "pass", obj{"backFields": []obj{{"key": "a", "value": obj{}}}}), "pass.backFields.0.value: Expected a text or a number."},
		"two fields of a key":       {with(walletOf(), "pass", obj{"backFields": []obj{{"key": "a", "value": "1"}}, "headerFields": []obj{{"key": "a", "value": "1"}}}), "Another field has this key"},
		"an alignment in a layout":  {with(walletOf(), "layout", obj{"universal": obj{"backFields": []obj{{"value": "1", "alignment": "up"}}}}), "layout.universal.backFields.0.alignment: Use one of left"},
		"a colour in a layout":      {with(walletOf(), "layout", obj{"universal": obj{"labelColor": "x"}}), "layout.universal.labelColor"},
		"a pass that is a list":     {with(walletOf(), "pass", []obj{}), "pass: Expected an object."},
		"a picture nobody uploaded": {with(walletOf(), "pass", obj{"images": obj{"icon": strings.Repeat("0", 64)}}), "pass.images.icon: There is no such picture here"},
		"a picture that is none":    {with(walletOf(), "image", "data:image/png;base64,AAAA"), "image: "},
		"a picture from a file":     {with(walletOf(), "image", "file:///etc/passwd"), "image: "},
		"a picture from inside":     {with(walletOf(), "image", "https://10.0.0.1/a.png"), "image: "},
	} {
		if got := b.says(400, "POST", "/v0/passes", c.body); !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if got := b.says(404, "POST", "/v0/passes", obj{"ticketId": "tkt_00000000000000000000000000", "platform": "apple"}); !strings.Contains(got, "no such ticket") {
		t.Errorf("a ticket that is not there: %q", got)
	}
	b.must(415, "POST", "/v0/passes", "a=b", "Content-Type", "application/x-www-form-urlencoded")
	b.must(413, "POST", "/v0/passes", strings.Repeat(" ", 4<<20))
	b.must(413, "PUT", "/v0/project/webhook", strings.Repeat(" ", 1<<20+1))
	for query, want := range map[string]string{
		"limit=0": "limit", "limit=x": "limit", "limit=-1": "limit", "offset=-1": "offset", "expired=yes": "expired", "sort=name": "sort", "ownerAddress=0x1": "ownerAddress",
		"contractAddress=x": "contractAddress", "tokenId=x": "tokenId", "network=x": "network", "createdAtStart=x": "createdAtStart", "createdAtEnd=2026-13-01T00:00:00Z": "createdAtEnd",
		"lastScannedAtStart=-1": "lastScannedAtStart", "lastScannedAtEnd=1e9": "lastScannedAtEnd", "platform=x": "platform", "asc=x": "asc",
	} {
		if got := b.says(400, "GET", "/v0/passes?"+query, nil); !strings.HasPrefix(got, want+": ") {
			t.Errorf("GET ?%s: %q, want it to name %s", query, got, want)
		}
	}
	if events, _ := b.told(); len(events) != 0 || string(b.must(200, "GET", "/v0/passes", nil).raw) != "[]" {
		t.Errorf("after all that was refused there were %v", events)
	}
}

// Who owns what is asked of the chain where it can be, and an owner's proof is what it says it is.
func TestOwnersProve(t *testing.T) {
	booths(t, func(t *testing.T, b *booth) {
		owner, text := wallet(t, 1), "I am the owner"
		at := owner.Address().String()
		body := func(network int, address, signature, message string) obj {
			return obj{
				"wallet": obj{"chain": obj{"name": "evm", "network": network}, "address": address, "signature": signature, "signatureMessage": message},
				"nft":    obj{"contractAddress": contract, "tokenId": "7"}, "platform": "apple",
			}
		}
		b.made(body(1, at, sign(owner, text), text)) // nobody can be asked
		token := checksummed(t, contract) + "/7"
		b.set(chain{networks: "1", holders: map[string]string{token: wallet(t, 9).Address().String()}})
		if got := b.says(403, "POST", "/v0/passes", body(1, at, sign(owner, text), text)); !strings.Contains(got, at+" does not hold token 7") {
			t.Errorf("an asset of somebody else's: %q", got)
		}
		b.made(body(137, at, sign(owner, text), text)) // on a chain that nobody can be asked about
		b.set(chain{networks: "1", holders: map[string]string{token: at}})
		b.made(body(1, at, sign(owner, text), text))

		safe := wallet(t, 5).Address().String() // a contract, whose signature is no key's
		b.set(chain{networks: "1", holders: map[string]string{token: safe}, contract: safe, says: "yes"})
		if p := b.made(body(1, safe, "0x796573", text)); p.SignatureVerified == nil || !*p.SignatureVerified || *p.OwnerAddress != safe {
			t.Errorf("a contract wallet's pass: %+v", p)
		}
		if got := b.says(400, "POST", "/v0/passes", body(1, safe, "0x6e6f", text)); !strings.Contains(got, "wallet.signature: This is no signature of "+safe) {
			t.Errorf("what a contract has not signed: %q", got)
		}
		b.set(chain{err: problem.New(problem.Invalid, "no_contract", "There is no contract at %s on chain 1.", contract)})
		if got := b.says(400, "POST", "/v0/passes", body(1, at, sign(owner, text), text)); got != "There is no contract at "+contract+" on chain 1." {
			t.Errorf("an asset of no contract: %q", got)
		}
		b.set(chain{err: errDown})
		a := b.must(503, "POST", "/v0/passes", body(1, at, sign(owner, text), text))
		if a.header.Get("Retry-After") == "" || strings.Contains(string(a.raw), "down") {
			t.Errorf("when the node is down: %s, Retry-After %q", a.raw, a.header.Get("Retry-After"))
		}
	})
}

// A challenge of ours counts once, for what it names, in its time; other texts count as often as they come, unless they are to count once.
func TestWhatIsSignedCountsOnceWhereItIsToDoSo(t *testing.T) {
	booths(t, func(t *testing.T, b *booth) {
		owner, tk := wallet(t, 1), b.tickets(2)
		at := owner.Address().String()
		chainOf := obj{"name": "evm", "network": 1}
		type challenge struct{ Message, Nonce, ExpiresAt string }
		ask := func(over obj) challenge {
			body := obj{"chain": chainOf, "address": at}
			maps.Copy(body, over)
			c := read[challenge](b, b.must(200, "POST", "/v0/challenges", body))
			if !strings.Contains(c.Message, c.Nonce) || !strings.Contains(c.Message, at) || !strings.HasPrefix(c.Message, "tickets.example.test") || !strings.HasSuffix(c.ExpiresAt, "+00:00") {
				t.Fatalf("challenge %+v", c)
			}
			return c
		}
		with := func(message, signature string, over obj) obj {
			body := obj{"wallet": obj{"chain": chainOf, "address": at, "signature": signature, "signatureMessage": message}, "platform": "apple"}
			maps.Copy(body, over)
			return body
		}
		c := ask(nil)
		if p := b.made(with(c.Message, sign(owner, c.Message), nil)); !*p.SignatureVerified {
			t.Errorf("an answered challenge made %+v", p)
		}
		if got := b.says(409, "POST", "/v0/passes", with(c.Message, sign(owner, c.Message), nil)); !strings.Contains(got, "used before") {
			t.Errorf("a challenge used twice: %q", got)
		}
		c = ask(obj{"passId": "x"}) // there is nothing to sign for a pass that is made, so this is a field like any other that is not known
		b.made(with(c.Message, sign(owner, c.Message), nil))
		c = ask(obj{"ticketId": tk[0].ID})
		b.must(400, "POST", "/v0/passes", with(c.Message, sign(owner, c.Message), obj{"ticketId": tk[1].ID}))
		b.must(400, "POST", "/v0/passes", with(c.Message, sign(owner, c.Message), nil))
		changed := strings.Replace(c.Message, c.Nonce, "0"+c.Nonce[1:], 1)
		if changed == c.Message {
			changed = strings.Replace(c.Message, c.Nonce, "1"+c.Nonce[1:], 1)
		}
		b.must(400, "POST", "/v0/passes", with(changed, sign(owner, changed), obj{"ticketId": tk[0].ID}))
		b.made(with(c.Message, sign(owner, c.Message), obj{"ticketId": tk[0].ID}))

		other := "any text"
		b.made(with(other, sign(owner, other), nil))
		b.made(with(other, sign(owner, other), nil))
		once := with(other, sign(owner, other), nil)
		once["wallet"].(obj)["requireUniqueSignature"] = true
		b.made(once)
		b.must(409, "POST", "/v0/passes", once)
		s := owner.Sign(other)
		s[64] ^= 27 // the same signature, written in another way
		if s[64] > 1 && s[64] < 27 {
			s[64] = owner.Sign(other)[64]
		}
		once["wallet"].(obj)["signature"] = fmt.Sprintf("0x%x", s[:])
		b.must(409, "POST", "/v0/passes", once)

		c = ask(nil)
		b.wait(pass.ChallengeLasts + time.Minute)
		if got := b.says(400, "POST", "/v0/passes", with(c.Message, sign(owner, c.Message), nil)); !strings.Contains(got, "sign a new one") {
			t.Errorf("a challenge that is too old: %q", got)
		}
		b.must(404, "POST", "/v0/challenges", obj{"chain": chainOf, "address": at, "ticketId": "tkt_x"})
		for _, bad := range []obj{{}, {"address": at}, {"chain": chainOf}, {"chain": chainOf, "address": "x"}} {
			b.must(400, "POST", "/v0/challenges", bad)
		}
	})
}

// Lists are filtered, sorted and paged as they are asked for; the answer is a bare array.
func TestPassesAreListedAsAskedFor(t *testing.T) {
	booths(t, func(t *testing.T, b *booth) {
		make1 := func(n byte, network int, token string, over obj) passBody {
			body := obj{"wallet": obj{"chain": obj{"name": "evm", "network": network}, "address": wallet(t, n).Address().String()}, "platform": "apple", "barcode": obj{"message": fmt.Sprint("code-", n)}}
			if token != "" {
				body["nft"] = obj{"contractAddress": contract, "tokenId": token}
			}
			maps.Copy(body, over)
			return b.made(body)
		}
		one, two := make1(1, 1, "1", obj{"externalId": "first"}), make1(2, 137, "2", obj{"platform": "google"})
		three, tk := make1(3, 1, "", nil), b.tickets(1)[0]
		four := b.of(tk, "apple")
		names := map[string]string{one.ID: "1", two.ID: "2", three.ID: "3", four.ID: "4"}
		b.must(200, "GET", "/v0/scan?data=code-3", nil)
		b.must(200, "GET", "/v0/scan?data=code-1", nil)
		b.must(200, "DELETE", "/v0/passes/"+two.ID, nil)
		now := time.Now()
		rfc := func(t time.Time) string { return url.QueryEscape(t.Format(time.RFC3339)) }
		byID := slices.Sorted(maps.Keys(names))
		var idOrder []string
		for _, i := range byID {
			idOrder = append(idOrder, names[i])
		}
		for query, want := range map[string]string{
			"":                                 "4 3 2 1",
			"asc=1":                            "1 2 3 4",
			"asc=true&limit=2":                 "1 2",
			"asc=1&limit=2&offset=1":           "2 3",
			"limit=100000":                     "4 3 2 1",
			"offset=9":                         "",
			"sort=createdAt&asc=1":             "1 2 3 4",
			"sort=id&asc=1":                    strings.Join(idOrder, " "),
			"sort=lastScannedAt&limit=2":       "1 3",
			"sort=lastScannedAt&asc=1&limit=2": "3 1",
			"sort=expiredAt&limit=1":           "2",
			"expired=0&asc=1":                  "1 3 4",
			"expired=1":                        "2",
			"network=137":                      "2",
			"network=1&chain=evm&asc=1":        "1 3",
			"chain=solana":                     "",
			"platform=google":                  "2",
			"externalId=first":                 "1",
			"ticketId=" + string(tk.ID):        "4",
			"ownerAddress=" + wallet(t, 3).Address().String():                  "3",
			"ownerAddress=" + strings.ToLower(wallet(t, 3).Address().String()): "3",
			"contractAddress=" + contract + "&asc=1":                           "1 2",
			"contractAddress=" + contract + "&tokenId=2":                       "2",
			"contractAddress=" + contract + "&tokenId=1&network=1&chain=evm&ownerAddress=" + wallet(t, 1).Address().String() + "&expired=0": "1",
			"tokenId=9": "",
			fmt.Sprint("createdAtStart=", now.Add(time.Hour).Unix()):                                                     "",
			fmt.Sprint("createdAtStart=", now.Add(-time.Hour).Unix(), "&asc=1"):                                          "1 2 3 4",
			"createdAtEnd=" + rfc(now.Add(-time.Hour)):                                                                   "",
			"lastScannedAtStart=" + rfc(now.Add(-time.Hour)) + "&lastScannedAtEnd=" + rfc(now.Add(time.Hour)) + "&asc=1": "1 3",
			"nobody=knows&asc=1": "1 2 3 4",
		} {
			a := b.must(200, "GET", "/v0/passes?"+query, nil)
			var got []string
			for _, p := range read[[]passBody](b, a) {
				got = append(got, names[p.ID])
			}
			if strings.Join(got, " ") != want || a.raw[0] != '[' {
				t.Errorf("GET ?%s = %v, want %s", query, got, want)
			}
		}
	})
}

// A barcode leads to its pass. That it is answered with 200 does not mean that it counts.
func TestScan(t *testing.T) {
	booths(t, func(t *testing.T, b *booth) {
		p := b.made(obj{
			"wallet": obj{"chain": obj{"name": "evm", "network": 1}, "address": wallet(t, 1).Address().String()}, "platform": "apple",
			"nft": obj{"contractAddress": contract, "tokenId": "7"}, "barcode": obj{"message": "ITEM-1207 & ÆØÅ"},
		})
		data := "?data=" + url.QueryEscape("ITEM-1207 & ÆØÅ")
		scanned := func(path string) passBody { return read[passBody](b, b.must(200, "GET", path, nil)) }
		count := func() int {
			events, _ := b.told()
			return len(events) - 1
		}
		got := scanned("/v0/scan" + data + "&dryRun=true")
		if got.ID != p.ID || got.Message != "ITEM-1207 & ÆØÅ" || got.ScanResult == nil || !got.ScanResult.Valid || got.ScanResult.Reason != "valid" || got.LastScannedAt != nil || count() != 0 {
			t.Errorf("a dry run: %+v, and %d events", got, count())
		}
		for i, path := range []string{"/v0/scan", "/v0/passes/barcode", "/api/v0/scan"} {
			if got = scanned(path + data); got.LastScannedAt == nil || !got.ScanResult.Valid || len(got.NFTs) != 1 || got.NFTs[0].Valid == nil || !*got.NFTs[0].Valid || count() != i+1 {
				t.Errorf("%s: %+v, and %d events", path, got, count())
			}
		}
		b.set(chain{networks: "1", holders: map[string]string{}})
		if got = scanned("/v0/scan" + data); got.ScanResult.Valid || got.ScanResult.Reason != "not_owner" || *got.NFTs[0].Valid {
			t.Errorf("a scan of what its owner has sold: %+v", got)
		}
		b.set(chain{err: errDown})
		if got = scanned("/v0/scan" + data); !got.ScanResult.Valid || !*got.NFTs[0].Valid {
			t.Errorf("a scan when the node is down: %+v", got)
		}
		b.must(200, "POST", "/v0/passes/"+p.ID+"/expire", nil)
		if got = scanned("/v0/scan" + data); got.ScanResult.Valid || got.ScanResult.Reason != "expired" || got.ExpiredAt == nil || *got.NFTs[0].Valid {
			t.Errorf("a scan of an expired pass: %+v", got)
		}
		if events, _ := b.told(); strings.Join(events[len(events)-2:], " ") != "pass:expire pass:scan" {
			t.Errorf("a scan of an expired pass is told as %v", events)
		}
		n := count()
		odd := "BEGIN:VCARD\r\nN:Jürgen;\tX\r\nEND:VCARD"
		if q := b.plain(odd); scanned("/v0/scan?dryRun=1&data="+url.QueryEscape(odd)).ID != q.ID {
			t.Error("a barcode of more than one line was not found")
		}
		for _, query := range []string{"data=%00", "data=%ff", "data=%", "data=%zz&data=x"} {
			b.must(400, "GET", "/v0/scan?"+query, nil)
		}
		b.must(404, "GET", "/v0/scan?data=nobodys", nil)
		b.must(400, "GET", "/v0/scan", nil)
		b.must(400, "GET", "/v0/scan?data=", nil)
		b.must(400, "GET", "/v0/scan?data=x&dryRun=perhaps", nil)
		b.must(400, "GET", "/v0/scan?data="+strings.Repeat("x", 5000), nil)
		if a := b.call("HEAD", "/v0/scan"+data, nil); a.status != 405 || count() != n+1 { // the pass that was just made
			t.Errorf("HEAD of a scan: %d, and %d events more", a.status, count()-n)
		}

		history := scanned(fmt.Sprint("/v0/passes/", p.ID, "?scanHistoryStartTime=", time.Now().Add(-time.Hour).Unix()))
		var said []string
		for _, s := range history.ScanHistory {
			said = append(said, s.Message)
			if s.CheckinID != nil || !strings.HasSuffix(s.Timestamp, "+00:00") {
				t.Errorf("scan %+v", s)
			}
		}
		if diff := cmp.Diff([]string{"valid", "valid", "valid", "not_owner", "valid", "expired"}, said); diff != "" {
			t.Errorf("history (-want +got):\n%s", diff)
		}
		for _, query := range []string{"scanHistoryEndTime=1662680045", "scanHistoryStartTime=2099-01-01T00:00:00Z"} {
			if a := b.must(200, "GET", "/v0/passes/"+p.ID+"?"+query, nil); !strings.HasSuffix(string(a.raw), `"scanHistory":[]}`) {
				t.Errorf("history within ?%s: %s", query, a.raw)
			}
		}
		b.must(400, "GET", "/v0/passes/"+p.ID+"?scanHistoryStartTime=yesterday", nil)
	})
}

// A node that is down is worth a line for a scan, and not one for each asset.
func TestManyAssetsOfAScanAreAskedAboutTogether(t *testing.T) {
	together := make(chan struct{})
	var asked sync.WaitGroup
	asked.Add(3)
	b := lite(t, func(c *ethpass.Config) {
		c.Chain = silent(func(ctx context.Context) error {
			asked.Done()
			select {
			case <-together:
				return errDown
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	go func() { asked.Wait(); close(together) }()
	b.write(func(tx *db.Tx) error {
		nfts := []pass.NFT{}
		for i := range 3 {
			nfts = append(nfts, pass.NFT{Contract: checksummed(t, contract), Interface: "0x80ac58cd", TokenID: fmt.Sprint(i)})
		}
		_, err := b.book.Create(tx, b.org, pass.Input{Platform: pass.Apple, Owner: wallet(t, 1).Address().String(), Chain: "evm", Network: "1", NFTs: nfts, Barcode: &pass.Barcode{Message: "of three"}})
		return err
	})
	got := read[passBody](b, b.must(200, "GET", "/v0/scan?data=of+three", nil))
	if !got.ScanResult.Valid || len(got.NFTs) != 3 {
		t.Errorf("a scan when the node is down: %+v", got)
	}
	if n := strings.Count(b.log.String(), "ask who holds assets"); n != 1 || !strings.Contains(b.log.String(), errDown.Error()) {
		t.Errorf("the log says %d times that nobody could say, want once and why:\n%s", n, b.log)
	}
}

// silent is a chain that cannot say anything, and why.
type silent func(ctx context.Context) error

func (c silent) Holds(ctx context.Context, _, _ string, _ pass.NFT) (holds, known bool, err error) {
	return false, false, c(ctx)
}

// A ticket's pass is found by the ticket's code; a scanner that is bound to events knows no other passes.
func TestATicketsCodeLeadsToItsPass(t *testing.T) {
	booths(t, func(t *testing.T, b *booth) {
		tk := b.tickets(1)[0]
		codes, err := b.roll.CodesOf(t.Context(), b.db.Read(t.Context()), tk, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		path := "/v0/scan?data=" + url.QueryEscape(codes.Text)
		b.must(404, "GET", path, nil)
		p := b.of(tk, "google")
		if got := read[passBody](b, b.must(200, "GET", path, nil, "X-Api-Key", scanner)); got.ID != p.ID || !got.ScanResult.Valid || got.Message != codes.Text {
			t.Errorf("the scan found %+v, want %s", got, p.ID)
		}
		b.must(404, "GET", path, nil, "X-Api-Key", bound)
		b.write(func(tx *db.Tx) error { _, _, err := b.roll.Block(tx, b.org, tk.ID, 0); return err })
		if got := read[passBody](b, b.must(200, "GET", path, nil)); got.ScanResult.Valid || got.ScanResult.Reason == "valid" {
			t.Errorf("the scan of a blocked ticket's pass: %+v", got.ScanResult)
		}
	})
}

func TestPassIsChanged(t *testing.T) {
	booths(t, func(t *testing.T, b *booth) {
		p := b.plain("before")
		path := "/v0/passes/" + p.ID
		events, _ := b.told()
		changed := read[passBody](b, b.must(200, "PATCH", path, obj{"barcode": obj{"message": "after"}, "externalId": "guest", "expiresAt": "2099-01-01T00:00:00Z"}))
		if changed.ID != p.ID || changed.BarcodeSignature == p.BarcodeSignature || changed.Message != "" {
			t.Errorf("PATCH made %+v of %+v", changed, p)
		}
		b.must(404, "GET", "/v0/scan?data=before&dryRun=1", nil)
		b.must(200, "GET", "/v0/scan?data=after&dryRun=1", nil)
		design := func() pass.Design {
			t.Helper()
			found, err := pass.ByName(b.db.Read(t.Context()), b.org, "guest")
			if err != nil {
				t.Fatal(err)
			}
			return found.Design
		}
		b.must(200, "PATCH", path, obj{"pass": obj{"logoText": "A", "labelColor": "rgb(1,2,3)", "backFields": []obj{{"key": "one", "label": "L", "value": "1", "changeMessage": "Now %@"}, {"key": "two", "value": "2"}}}})
		b.must(200, "PATCH", path, obj{"pass": obj{"logoText": "B", "backFields": []obj{{"key": "three", "value": "3"}}}})
		want := pass.Design{LogoText: "B", LabelColor: "rgb(1,2,3)", Back: []pass.Field{{Key: "three", Value: "3"}}}
		if diff := cmp.Diff(want, design()); diff != "" {
			t.Errorf("after two changes the design is (-want +got):\n%s", diff)
		}
		b.must(200, "PATCH", path, obj{"pass": obj{"labelColor": "", "backFields": []obj{}}, "image": "data:image/png;base64," + base64.StdEncoding.EncodeToString(drawn(t, color.Black))})
		if d := design(); d.LabelColor != "" || d.Back != nil || d.LogoText != "B" || len(d.Images["thumbnail"]) != 64 {
			t.Errorf("after what was taken away the design is %+v", d)
		}
		b.must(200, "PATCH", path, obj{"layout": obj{"universal": obj{"logoText": "C", "backFields": []obj{{"value": "4"}}}}})
		if d := design(); d.LogoText != "C" || len(d.Back) != 1 || d.Back[0] != (pass.Field{Key: "back1", Value: "4"}) || len(d.Images) != 1 {
			t.Errorf("after a layout the design is %+v", d)
		}
		b.must(200, "PATCH", path, obj{"expiresAt": nil})
		b.must(200, "PATCH", path, obj{})
		for body, want := range map[string]string{
			`{"barcode":{"message":1}}`: "barcode.message: Expected", `{"pass":{"labelColor":"red"}}`: "pass.labelColor: Write", `{"expiresAt":"x"}`: "expiresAt: Expected", `{"externalId":{}}`: "externalId: Expected",
			`{"image":"http://203.0.113.1/x"}`: "image: ", `{"pass":7}`: "pass: Expected",
			`{"layout":{"universal":{"labelColor":"red"}}}`: "layout.universal.labelColor: Write",
		} {
			if got := b.says(400, "PATCH", path, body); !strings.HasPrefix(got, want) {
				t.Errorf("PATCH %s: %q, want %q", body, got, want)
			}
		}
		if now, _ := b.told(); len(now) != len(events) {
			t.Errorf("changes were told as %v", now[len(events):])
		}
		b.must(200, "DELETE", path, nil)
		b.must(409, "PATCH", path, obj{"externalId": "x"})
		b.must(404, "PATCH", "/v0/passes/x", obj{"externalId": "x"})
	})
}

// Of changes that come at the same time, none undoes another.
func TestChangesAtTheSameTimeAreAllMade(t *testing.T) {
	booths(t, func(t *testing.T, b *booth) {
		p := b.plain("x")
		var all sync.WaitGroup
		for name, value := range map[string]any{
			"logoText": "A", "description": "B", "labelColor": "rgb(1,2,3)", "backgroundColor": "rgb(4,5,6)", "foregroundColor": "rgb(7,8,9)", "backFields": []obj{{"key": "a", "value": "b"}},
			"messages": []obj{{"id": "m", "body": "c"}}, "locations": []obj{{"latitude": 1, "longitude": 2}},
		} {
			all.Go(func() {
				if a := b.call("PATCH", "/v0/passes/"+p.ID, obj{"pass": obj{name: value}}); a.status != 200 {
					t.Errorf("PATCH of %s: %d %s", name, a.status, a.raw)
				}
			})
		}
		all.Wait()
		stored, err := pass.ByName(b.db.Read(t.Context()), b.org, p.ID)
		want := pass.Design{
			LogoText: "A", Description: "B", LabelColor: "rgb(1,2,3)", BackgroundColor: "rgb(4,5,6)", ForegroundColor: "rgb(7,8,9)", Back: []pass.Field{{Key: "a", Value: "b"}},
			Messages: []pass.Message{{ID: "m", Body: "c"}}, Locations: []pass.Location{{Latitude: 1, Longitude: 2}},
		}
		if diff := cmp.Diff(want, stored.Design); err != nil || diff != "" {
			t.Errorf("the design (%v, -want +got):\n%s", err, diff)
		}
	})
}

func TestPassExpiresOnce(t *testing.T) {
	booths(t, func(t *testing.T, b *booth) {
		for _, c := range []struct {
			method, path string
			body         any
			who, want    string
		}{
			{"POST", "/expire", nil, b.key, "ADMIN_REVOKE"},
			{"POST", "/expire", obj{}, b.key, "ADMIN_REVOKE"},
			{"POST", "/expire", nil, first, "ADMIN_REVOKE"},
			{"POST", "/expire", nil, manager, "USER_REVOKE"},
			{"POST", "/expire", obj{"expireAction": "ADMIN_REVOKE"}, manager, "ADMIN_REVOKE"},
			{"POST", "/expire", obj{"expireAction": "USER_REVOKE"}, b.key, "USER_REVOKE"},
			{"POST", "/expire", obj{"expireAction": "LOST_PHONE"}, b.key, "LOST_PHONE"},
			{"DELETE", "", nil, b.key, "ADMIN_REVOKE"},
			{"DELETE", "", nil, manager, "USER_REVOKE"},
		} {
			p := b.plain("x")
			path := "/v0/passes/" + p.ID
			first := b.must(200, c.method, path+c.path, c.body, "X-Api-Key", c.who)
			if got := read[passBody](b, first); got.ExpireAction == nil || *got.ExpireAction != c.want || got.ExpiredAt == nil {
				t.Errorf("%s %s %v: %s", c.method, c.path, c.body, first.raw)
			}
			events, _ := b.told()
			for _, again := range []answer{b.must(200, "POST", path+"/expire", obj{"expireAction": "ADMIN_REVOKE"}), b.must(200, "DELETE", path, nil), b.must(200, "GET", path, nil)} {
				if string(again.raw) != string(first.raw) {
					t.Errorf("the second time: %s, want %s", again.raw, first.raw)
				}
			}
			if now, _ := b.told(); len(now) != len(events) {
				t.Errorf("a second time is told as %v", now[len(events):])
			}
		}
		p := b.plain("x")
		if got := b.says(400, "POST", "/v0/passes/"+p.ID+"/expire", obj{"expireAction": "user revoke"}); !strings.HasPrefix(got, "expireAction: ") {
			t.Errorf("an action that is none: %q", got)
		}
		for _, i := range []string{"x", "00000000-0000-4000-8000-000000000000"} {
			b.must(404, "POST", "/v0/passes/"+i+"/expire", nil)
			b.must(404, "DELETE", "/v0/passes/"+i, nil)
			b.must(404, "GET", "/v0/passes/"+i, nil)
		}
	})
}

func TestRegistrationsCanBeMadeUp(t *testing.T) {
	booths(t, func(t *testing.T, b *booth) {
		p := b.plain("x")
		path := "/v0/passes/" + p.ID + "/registrations"
		for i := range 20 {
			if got := read[passBody](b, b.must(200, "POST", path, nil)); len(got.Registrations) != i+1 || got.Registrations[i].DeletedAt != nil {
				t.Fatalf("after %d registrations: %+v", i+1, got)
			}
		}
		if a := b.must(429, "POST", path, nil); a.header.Get("Retry-After") == "" {
			t.Errorf("one device more: %s without Retry-After", a.raw)
		}
		r := read[passBody](b, b.must(200, "GET", "/v0/passes/"+p.ID, nil)).Registrations[3].ID
		for range 2 {
			if got := read[passBody](b, b.must(200, "DELETE", path+"/"+r, nil)); got.Registrations[3].DeletedAt == nil || got.Registrations[4].DeletedAt != nil {
				t.Errorf("after one was removed: %+v", got.Registrations)
			}
		}
		b.must(404, "DELETE", path+"/x", nil)
		b.must(404, "DELETE", "/v0/passes/"+b.plain("y").ID+"/registrations/"+r, nil)
		b.must(200, "POST", "/v0/passes/"+p.ID+"/expire", nil)
		b.must(409, "POST", path, nil)
		b.must(404, "POST", "/v0/passes/x/registrations", nil)
	})
}

// A new link ends the one before; Apple's comes with the file. The pass may be named by the organisation's own name for it.
func TestDistribution(t *testing.T) {
	booths(t, func(t *testing.T, b *booth) {
		p := b.made(obj{"wallet": obj{"chain": obj{"name": "evm", "network": 1}, "address": wallet(t, 1).Address().String()}, "platform": "apple", "externalId": "guest/7"})
		old := p.FileURL
		for _, c := range [][2]string{{"GET", p.ID}, {"POST", p.ID}, {"GET", "guest%2F7"}} {
			a := b.must(200, c[0], "/v0/passes/"+c[1]+"/distribute", nil)
			got := read[passBody](b, a)
			if got.ID != p.ID || got.FileURL == old || got.Distribution.Apple == nil || got.Distribution.Apple.URL != got.FileURL || got.Distribution.Google != nil {
				t.Fatalf("%s: %s", c, a.raw)
			}
			file := got.Distribution.Apple.Buffer
			if file == nil || file.Type != "Buffer" || a.header.Get("Cache-Control") != "no-store" {
				t.Fatalf("%s: no file in %s", c, a.raw)
			}
			var text []byte
			for _, n := range file.Data {
				text = append(text, byte(n))
			}
			fetched := b.must(200, "GET", got.FileURL, nil, "X-Api-Key", "")
			if string(text) != string(fetched.raw) || !strings.HasPrefix(string(text), "PK of ") {
				t.Errorf("%s: the file is %q, and by the link %q", c, text, fetched.raw)
			}
			if a := b.must(404, "GET", old, nil, "X-Api-Key", ""); !strings.Contains(string(a.raw), "There is no such link") {
				t.Errorf("the link before: %s", a.raw)
			}
			old = got.FileURL
		}
		if a := b.call("HEAD", "/v0/passes/"+p.ID+"/distribute", nil); a.status != 405 {
			t.Errorf("HEAD of a distribution: %d", a.status)
		}
		b.must(200, "GET", old, nil)
		b.must(200, "DELETE", "/v0/passes/"+p.ID, nil)
		b.must(409, "GET", "/v0/passes/"+p.ID+"/distribute", nil)
		b.must(410, "GET", old, nil)
		b.must(404, "GET", "/v0/passes/x/distribute", nil)

		g := b.of(b.tickets(1)[0], "google")
		got := read[passBody](b, b.must(200, "GET", "/v0/passes/"+g.ID+"/distribute", nil))
		if got.Distribution.Google == nil || got.Distribution.Google.URL != got.FileURL || got.Distribution.Apple != nil {
			t.Errorf("Google's distribution is %+v", got.Distribution)
		}
		if a := b.must(302, "GET", got.FileURL, nil, "X-Api-Key", ""); !strings.HasPrefix(a.header.Get("Location"), "https://pay.google.test/save/") {
			t.Errorf("Google's link leads to %q", a.header.Get("Location"))
		}
	})
}

// A link is for whoever has it, ends 48 hours after it was followed first, and tells people in a page of its own what is the matter. Nobody's browser says where it
// has been.
func TestLinks(t *testing.T) {
	booths(t, func(t *testing.T, b *booth) {
		p := b.plain("x")
		b.wait(100 * 24 * time.Hour) // unopened, it stays
		head := b.must(200, "HEAD", p.FileURL, nil, "X-Api-Key", "")
		if head.header.Get("Content-Type") != "application/vnd.apple.pkpass" || len(head.raw) != 0 {
			t.Errorf("HEAD: %v", head.header)
		}
		b.wait(72 * time.Hour) // which did not open it
		a := b.must(200, "GET", p.FileURL, nil, "X-Api-Key", "")
		for name, want := range map[string]string{
			"Content-Type": "application/vnd.apple.pkpass", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "Content-Disposition": `attachment; filename="pass.pkpass"`, "X-Content-Type-Options": "nosniff",
		} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		b.write(func(tx *db.Tx) error { // long before it was followed just now, by the database's clock
			_, err := tx.Exec(`UPDATE pass_links SET opened_at = $1`, b.now().Add(-47*time.Hour).UnixMicro())
			return err
		})
		b.must(200, "GET", p.FileURL, nil)
		b.wait(2 * time.Hour)
		a = b.must(410, "GET", p.FileURL, nil, "X-Api-Key", "")
		if !strings.Contains(string(a.raw), "This link has ended") || a.header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.HasPrefix(a.header.Get("Content-Security-Policy"), "default-src 'none'") ||
			a.header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("the page of a link that has ended: %s with %v", a.raw, a.header)
		}
		for _, none := range []string{"x", strings.Repeat("a", 32), strings.Repeat("<b>", 30), "\x00", "\xff"} {
			if a = b.must(404, "GET", "/api/link/"+url.PathEscape(none), nil, "X-Api-Key", ""); strings.Contains(string(a.raw), "<b>") {
				t.Errorf("the page of no link: %s", a.raw)
			}
		}
		live := b.plain("y").FileURL
		for _, way := range [][2]string{{"GET", live + "/"}, {"GET", live + "/more"}, {"HEAD", live + "/"}, {"POST", live}, {"OPTIONS", live}, {"DELETE", live + "/x"}, {"GET", strings.Replace(live, "/link/", "/link//", 1)}} {
			if a := b.call(way[0], way[1], nil, "X-Api-Key", ""); a.status == 200 || a.status == 405 != (way[0] != "GET" && way[0] != "HEAD") || a.status == 405 && a.header.Get("Allow") != "GET, HEAD" {
				t.Errorf("%s of a link in another way: %d with %v", way[0], a.status, a.header)
			}
		}
		if link := strings.TrimPrefix(live, public+"/api/link/"); len(link) != 32 || strings.Contains(b.log.String(), link) {
			t.Error("the log has a link in it that is good")
		}
		if link := strings.TrimPrefix(p.FileURL, public+"/api/link/"); strings.Contains(b.log.String(), link) {
			t.Error("the log has a link in it")
		}
	})
}

// A pass whose code rotates has to be known to Google before it is saved: while it cannot be, the link says so and stays as good as it was.
func TestARotatingPassWaitsForGoogle(t *testing.T) {
	booths(t, func(t *testing.T, b *booth) {
		p := b.of(b.tickets(1)[0], "google")
		b.write(func(tx *db.Tx) error { return b.roll.Rotate(tx, b.org, "E", 0) })
		unavailable := problem.New(problem.Unavailable, "wallet_unavailable", "Not now.")
		unavailable.RetryAfter = time.Minute
		b.fails = fmt.Errorf("make object: %w", unavailable)
		if a := b.must(503, "GET", p.FileURL, nil, "X-Api-Key", ""); a.header.Get("Retry-After") == "" || b.saved != 0 {
			t.Errorf("without Google: %v, and %d links", a.header, b.saved)
		}
		b.fails = nil
		if a := b.must(302, "GET", p.FileURL, nil, "X-Api-Key", ""); a.header.Get("Location") == "" || b.saved != 1 {
			t.Errorf("with Google: %v, and %d links", a.header, b.saved)
		}
		if got := b.says(409, "POST", "/v0/passes", obj{"ticketId": b.tickets(1)[0].ID, "platform": "apple"}); !strings.Contains(got, "Google") {
			t.Errorf("Apple's pass of a rotating code: %q", got)
		}
	})
}

// Who only looks does not have Google called; and who opens a link does not wait for Google without an end.
func TestALinkCallsGoogleForWhoOpensIt(t *testing.T) {
	asked, within, fails := 0, time.Duration(0), error(nil)
	b := lite(t, func(c *ethpass.Config) {
		save := c.Google
		c.Google = func(ctx context.Context, f pass.Face) (string, error) {
			asked++
			if end, has := ctx.Deadline(); has {
				within = time.Until(end)
			}
			if fails != nil {
				return "", fails
			}
			return save(ctx, f)
		}
	})
	p := b.of(b.tickets(1)[0], "google")
	asked = 0
	if a := b.must(200, "HEAD", p.FileURL, nil, "X-Api-Key", ""); asked != 0 || a.header.Get("Location") != "" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("HEAD called Google %d times: %v", asked, a.header)
	}
	b.wait(72 * time.Hour) // which did not open it
	fails = fmt.Errorf("POST token: %w", context.DeadlineExceeded)
	if a := b.must(503, "GET", p.FileURL, nil, "X-Api-Key", ""); !strings.Contains(string(a.raw), "open the link again later") || a.header.Get("Retry-After") == "" {
		t.Errorf("when Google does not answer: %s with %v", a.raw, a.header)
	}
	fails = nil
	b.must(302, "GET", p.FileURL, nil, "X-Api-Key", "")
	if asked != 2 || within <= 0 || within > 8*time.Second {
		t.Errorf("Google was called %d times, and had %v; want twice, and 8 s", asked, within)
	}
}

// Budgets are those of a network: whoever has an IPv6 address has many.
func TestLinksAreNotGuessedFromManyAddresses(t *testing.T) {
	i := 0
	b := lite(t, func(c *ethpass.Config) {
		c.ClientAddr = func(context.Context) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i+1)) }
	})
	for ; i < 301; i++ {
		if a := b.call("GET", fmt.Sprintf("/api/link/%032d", i), nil); (a.status == 429) != (i == 300) {
			t.Fatalf("link %d was answered with %d", i+1, a.status)
		}
	}
}

func TestLinksAreNotGuessed(t *testing.T) {
	b := lite(t, nil)
	for i := range 301 {
		if a := b.call("GET", fmt.Sprintf("/api/link/%032d", i), nil); a.status == 429 {
			if a.header.Get("Retry-After") == "" || i < 300 {
				t.Errorf("after %d links: %v", i, a.header)
			}
			return
		}
	}
	t.Error("301 links could be tried in a minute")
}

// People without a role have passes of the tickets that they hold, and know of no others.
func TestAttendeesHaveTheirOwnPasses(t *testing.T) {
	booths(t, func(t *testing.T, b *booth) {
		tk := b.tickets(2)
		p := b.of(tk[0], "apple", "X-Api-Key", kari)
		path := "/v0/passes/" + p.ID
		b.must(200, "GET", path, nil, "X-Api-Key", kari)
		b.must(200, "GET", path+"/distribute", nil, "X-Api-Key", kari)
		ours := b.of(tk[1], "apple")
		b.must(200, "GET", "/v0/passes/"+ours.ID, nil, "X-Api-Key", kari)
		none := b.plain("x")
		for _, who := range []string{ola, nobody} {
			for _, i := range []string{p.ID, ours.ID, none.ID} {
				for _, c := range [][2]string{{"GET", ""}, {"GET", "/distribute"}, {"POST", "/distribute"}, {"POST", "/expire"}, {"DELETE", ""}} {
					b.must(404, c[0], "/v0/passes/"+i+c[1], nil, "X-Api-Key", who)
				}
			}
		}
		b.must(404, "GET", "/v0/passes/"+none.ID, nil, "X-Api-Key", kari)
		b.must(404, "POST", "/v0/passes", obj{"ticketId": tk[0].ID, "platform": "apple"}, "X-Api-Key", ola)
		b.must(403, "POST", "/v0/passes", obj{"ticketId": tk[0].ID, "platform": "apple"}, "X-Api-Key", nobody)
		for name, value := range map[string]any{
			"externalId": "x", "barcode": obj{"message": "x"}, "image": "data:,", "pass": obj{"logoText": "x"}, "expiresAt": "2099-01-01T00:00:00Z", "wallet": obj{"chain": obj{"name": "evm", "network": 1}, "address": contract},
		} {
			if got := b.says(400, "POST", "/v0/passes", obj{"ticketId": tk[0].ID, "platform": "apple", name: value}, "X-Api-Key", kari); !strings.HasPrefix(got, name+": Only the organisation") {
				t.Errorf("with %s: %q", name, got)
			}
		}
		for _, c := range [][2]string{
			{"GET", "/passes"},
			{"PATCH", "/passes/" + p.ID},
			{"POST", "/passes/" + p.ID + "/registrations"},
			{"DELETE", "/passes/" + p.ID + "/registrations/x"},
			{"GET", "/scan?data=x"},
			{"GET", "/passes/barcode?data=x"},
			{"GET", "/project"},
			{"GET", "/project/webhook"},
			{"PUT", "/project/webhook"},
			{"DELETE", "/project/webhook"},
			{"GET", "/project/design"},
			{"PUT", "/project/design"},
			{"POST", "/images"},
			{"POST", "/challenges"},
		} {
			b.must(403, c[0], "/v0"+c[1], obj{}, "X-Api-Key", kari)
		}
		// Given to somebody else, the ticket's new pass is theirs, and the old one nobody's outside.
		b.write(func(tx *db.Tx) error {
			if _, _, err := b.roll.Offer(tx, b.org, tk[0].ID, ticket.Offer{To: "ola@example.test"}); err != nil {
				return err
			}
			_, _, err := b.roll.Accept(tx, b.org, tk[0].ID, person.Of("ola@example.test"), "Ola")
			return err
		})
		b.must(404, "GET", path, nil, "X-Api-Key", kari)
		b.must(404, "GET", path, nil, "X-Api-Key", ola)
		theirs := b.of(tk[0], "google", "X-Api-Key", ola)
		got := read[passBody](b, b.must(200, "DELETE", "/v0/passes/"+theirs.ID, nil, "X-Api-Key", ola))
		if got.ExpireAction == nil || *got.ExpireAction != "USER_REVOKE" {
			t.Errorf("a pass that its holder has ended: %+v", got)
		}
		got = read[passBody](b, b.must(200, "POST", "/v0/passes/"+ours.ID+"/expire", obj{"expireAction": "ADMIN_REVOKE"}, "X-Api-Key", kari))
		if *got.ExpireAction != "USER_REVOKE" {
			t.Errorf("a pass that its holder has ended as somebody else: %+v", got)
		}
	})
}

func TestProject(t *testing.T) {
	booths(t, func(t *testing.T, b *booth) {
		p := b.plain("x")
		b.must(200, "POST", "/v0/passes/"+p.ID+"/registrations", nil)
		b.must(200, "GET", "/v0/scan?data=x", nil)
		b.must(200, "DELETE", "/v0/passes/"+b.of(b.tickets(1)[0], "google").ID, nil)
		type count struct{ Total, Registered, Expired int }
		type project struct {
			ID, Name, Timezone, Signer string
			KeyCreated                 *string
			Stats                      struct {
				Passes    count
				Platforms map[string]count
				Scans     int
				Recent    []passBody
			}
		}
		got := read[project](b, b.must(200, "GET", "/v0/project", nil))
		if got.ID != b.orgID.UUID() || len(got.ID) != 36 || got.Name != "Pier Hall" || got.Timezone != "Europe/Oslo" || got.KeyCreated == nil || !strings.HasSuffix(*got.KeyCreated, "+00:00") {
			t.Errorf("project %+v, want %s", got, b.orgID.UUID())
		}
		want := map[string]count{"apple": {1, 1, 0}, "google": {1, 0, 1}}
		if diff := cmp.Diff(want, got.Stats.Platforms); diff != "" || got.Stats.Passes != (count{2, 1, 1}) || got.Stats.Scans != 1 || len(got.Stats.Recent) != 2 {
			t.Errorf("stats %+v (-want +got):\n%s", got.Stats, diff)
		}
		s, err := evm.ParseSignature(p.BarcodeSignature)
		if err != nil {
			t.Fatal(err)
		}
		if by, err := evm.Recover(p.ID+":x", s); err != nil || by.String() != got.Signer {
			t.Errorf("the barcode is signed by %s (%v), and the project's signer is %s", by, err, got.Signer)
		}
		if got = read[project](b, b.must(200, "GET", "/v0/project", nil, "X-Api-Key", first)); got.KeyCreated != nil {
			t.Errorf("an app's key was created %s", *got.KeyCreated)
		}
	})
}

func TestProjectsDesign(t *testing.T) {
	booths(t, func(t *testing.T, b *booth) {
		if a := b.must(200, "GET", "/v0/project/design", nil); string(a.raw) != "{}" {
			t.Errorf("a design that nobody has set: %s", a.raw)
		}
		hash := read[struct{ Hash, URL string }](b, b.must(200, "POST", "/v0/images", drawn(t, color.White), "Content-Type", "image/png")).Hash
		body := obj{"logoText": "Pier", "backgroundColor": "rgb(10,20,30)", "images": obj{"logo": hash}, "backFields": []obj{{"key": "a", "value": "b"}}}
		for _, a := range []answer{b.must(200, "PUT", "/v0/project/design", body), b.must(200, "GET", "/v0/project/design", nil)} {
			if diff := cmp.Diff(obj{"logoText": "Pier", "backgroundColor": "rgb(10,20,30)", "images": obj{"logo": hash}, "backFields": []any{obj{"key": "a", "value": "b"}}}, read[obj](b, a)); diff != "" {
				t.Errorf("the design (-want +got):\n%s", diff)
			}
		}
		if got := b.says(400, "PUT", "/v0/project/design", obj{"labelColor": "x", "images": obj{"logo": "y"}}); !strings.HasPrefix(got, "labelColor: ") {
			t.Errorf("a design that is wrong: %q", got)
		}
		if got := b.says(400, "PUT", "/v0/project/design", obj{"images": obj{"logo": "y"}}); !strings.HasPrefix(got, "images.logo: ") {
			t.Errorf("a picture that is not there: %q", got)
		}
		b.must(200, "PUT", "/v0/project/design", obj{})
		if a := b.must(200, "GET", "/v0/project/design", nil); string(a.raw) != "{}" {
			t.Errorf("a design that was taken away: %s", a.raw)
		}
	})
}

func TestWebhookOfAProject(t *testing.T) {
	booths(t, func(t *testing.T, b *booth) {
		const path = "/v0/project/webhook"
		type hook struct {
			ID, URL                  string
			Authorization            *string
			AuthorizationSet, Active bool
		}
		if got := b.says(404, "GET", path, nil); !strings.Contains(got, "No webhook is set") {
			t.Errorf("no webhook: %q", got)
		}
		b.must(404, "DELETE", path, nil)
		in := func(p string) string { return "http://127.0.0.1:9/" + p }
		made := read[hook](b, b.must(200, "PUT", path, obj{"url": in("a"), "authorization": "a-project-secret"}))
		if made.URL != in("a") || made.Authorization == nil || *made.Authorization != "a-project-secret" || !made.Active {
			t.Errorf("made %+v", made)
		}
		for _, c := range []struct {
			body string
			want string
		}{
			{`{"url":"http://127.0.0.1:9/b"}`, "b a-project-secret"},
			{`{"url":"http://127.0.0.1:9/b","authorization":"Bearer x"}`, "b Bearer x"},
			{`{"url":"http://127.0.0.1:9/c","authorization":null}`, "c "},
			{`{"url":"http://127.0.0.1:9/c","authorization":""}`, "c "},
			{`{"url":"http://127.0.0.1:9/d","authorization":"y","x":1}`, "d y"},
		} {
			put, got := b.must(200, "PUT", path, c.body), b.must(200, "GET", "/api"+path, nil)
			given := read[struct{ Authorization *string }](b, answer{raw: []byte(c.body)}).Authorization
			if given != nil && *given == "" {
				given = nil
			}
			if a := read[hook](b, put).Authorization; !cmp.Equal(a, given) {
				t.Errorf("PUT %s: %s, want what was given and nothing else", c.body, put.raw)
			}
			if !strings.Contains(string(got.raw), `"authorization":null`) {
				t.Errorf("after PUT %s the secret is shown: %s", c.body, got.raw)
			}
			kept, err := b.hooks.Get(b.db.Read(t.Context()), endpoint.Whose{Org: b.org}, id.Webhook(made.ID))
			if err != nil || strings.TrimPrefix(kept.URL, in(""))+" "+kept.Secret != c.want {
				t.Errorf("after PUT %s there is %s with %q (%v), want %s", c.body, kept.URL, kept.Secret, err, c.want)
			}
			for _, a := range []answer{put, got} {
				if h := read[hook](b, a); h.URL != kept.URL || h.AuthorizationSet != (kept.Secret != "") || h.ID != made.ID {
					t.Errorf("after PUT %s: %s, want %s", c.body, a.raw, c.want)
				}
			}
		}
		// The specification has no test event: who asks for one is told so, rather than the webhook something that it does not know.
		if err := b.db.Configure(t.Context(), func(tx *db.Tx) error {
			_, err := b.hooks.Ping(tx, endpoint.Whose{Org: b.org}, id.Webhook(made.ID))
			return err
		}); !problem.Is(err, "no_test_delivery") || !strings.Contains(err.Error(), "pass:create") {
			t.Errorf("Ping of it: %v", err)
		}
		// An app has its own, and knows of no other.
		b.must(404, "GET", path, nil, "X-Api-Key", second)
		for body, want := range map[string]string{
			`{}`: "url: ", `{"url":7}`: "url: Expected a text", `{"url":"/in"}`: "url: ", `{"url":"https://10.0.0.1/"}`: "url: ", `{"url":"http://203.0.113.9/"}`: "url: ",
			`{"url":"http://127.0.0.1:9/","authorization":"ü"}`: "authorization: ", `{"url":"http://127.0.0.1:9/","authorization":" x"}`: "authorization: ", `{"url":"http://127.0.0.1:9/","authorization":7}`: "authorization: Expected",
		} {
			if got := b.says(400, "PUT", path, body); !strings.HasPrefix(got, want) {
				t.Errorf("PUT %s: %q, want %q", body, got, want)
			}
		}
		if a := b.must(200, "DELETE", path, nil); string(a.raw) != `{"deleted":true}` {
			t.Errorf("DELETE: %s", a.raw)
		}
		b.must(404, "GET", path, nil)
		if again := read[hook](b, b.must(200, "PUT", path, obj{"url": in("e")})); again.ID == made.ID || again.Authorization != nil {
			t.Errorf("made again: %+v", again)
		}
	})
}

// Pictures come as bytes, by URL or in one, and are shown to whoever knows their hash, as PNG.
func TestPictures(t *testing.T) {
	booths(t, func(t *testing.T, b *booth) {
		red := drawn(t, color.RGBA{R: 255, A: 255})
		gallery := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/red.png":
				_, _ = w.Write(red)
			case "/moved":
				http.Redirect(w, r, "/red.png", http.StatusFound)
			case "/large":
				_, _ = w.Write(make([]byte, 3<<20))
			case "/text":
				_, _ = w.Write([]byte("<html>"))
			default:
				http.NotFound(w, r)
			}
		}))
		defer gallery.Close()
		type image struct{ Hash, URL string }
		want := read[image](b, b.must(200, "POST", "/v0/images", red, "Content-Type", "image/png"))
		if len(want.Hash) != 64 || want.URL != public+"/v0/images/"+want.Hash {
			t.Fatalf("uploaded %+v", want)
		}
		for _, in := range []string{gallery.URL + "/red.png", "data:image/png;base64," + base64.StdEncoding.EncodeToString(red), "data:image/png," + url.PathEscape(string(red))} {
			if got := read[image](b, b.must(200, "POST", "/v0/images", obj{"url": in})); got != want {
				t.Errorf("POST %.60s: %+v, want %+v", in, got, want)
			}
		}
		for in, said := range map[string]string{
			"/moved": "the answer was 302", "/large": "at most 2097152 bytes", "/text": "", "/nothing": "the answer was 404",
		} {
			if got := b.says(400, "POST", "/v0/images", obj{"url": gallery.URL + in}); !strings.HasPrefix(got, "url: ") || !strings.Contains(got, said) {
				t.Errorf("POST %s: %q, want %q", in, got, said)
			}
		}
		b.must(400, "POST", "/v0/images", obj{})
		b.must(400, "POST", "/v0/images", "not a picture", "Content-Type", "image/png")
		b.must(415, "POST", "/v0/images", "x", "Content-Type", "text/plain")
		b.must(413, "POST", "/v0/images", make([]byte, 2<<20+1), "Content-Type", "image/png")
		a := b.must(200, "GET", want.URL, nil, "X-Api-Key", "")
		if a.header.Get("Content-Type") != "image/png" || !strings.Contains(a.header.Get("Cache-Control"), "immutable") || !strings.HasPrefix(string(a.raw), "\x89PNG") {
			t.Errorf("the picture: %v", a.header)
		}
		tag := a.header.Get("Etag")
		if tag != `"`+want.Hash+`"` {
			t.Errorf("the picture's tag is %s", tag)
		}
		for _, had := range []string{tag, `"x", W/` + tag} {
			a := b.must(304, "GET", want.URL, nil, "X-Api-Key", "", "If-None-Match", had)
			if a.header.Get("Etag") != tag || !strings.Contains(a.header.Get("Cache-Control"), "immutable") || len(a.raw) != 0 {
				t.Errorf("a picture that somebody has: %v %s", a.header, a.raw)
			}
		}
		b.must(200, "GET", want.URL, nil, "X-Api-Key", "", "If-None-Match", `"x"`)
		for _, none := range []string{"x", strings.Repeat("0", 64), strings.ToUpper(want.Hash)} {
			b.must(404, "GET", "/v0/images/"+none, nil, "X-Api-Key", "")
		}
		for _, odd := range []string{"%00", "%ff"} {
			b.must(400, "GET", "/v0/images/"+odd, nil, "X-Api-Key", "")
		}
		if got := read[image](b, b.must(200, "POST", "/v0/images", obj{"url": "data:image/png;base64," + base64.StdEncoding.EncodeToString(noise(t))})); len(got.Hash) != 64 {
			t.Errorf("a large picture in a URL: %+v", got)
		}
		p := b.made(obj{"ticketId": b.tickets(1)[0].ID, "platform": "apple", "image": gallery.URL + "/red.png"})
		stored, err := pass.ByName(b.db.Read(t.Context()), b.org, p.ID)
		if err != nil || stored.Design.Images["strip"] != want.Hash {
			t.Errorf("a ticket's pass has the pictures %v (%v), want the strip %s", stored.Design.Images, err, want.Hash)
		}
		for platform, place := range map[string]string{"apple": "thumbnail", "google": "strip"} {
			p := b.made(obj{"wallet": obj{"chain": obj{"name": "evm", "network": 1}, "address": contract}, "platform": platform, "image": gallery.URL + "/red.png", "pass": obj{"images": obj{"logo": want.Hash}}})
			stored, err := pass.ByName(b.db.Read(t.Context()), b.org, p.ID)
			if err != nil || stored.Design.Images[place] != want.Hash || len(stored.Design.Images) != 2 {
				t.Errorf("a pass for %s has the pictures %v (%v), want the %s %s", platform, stored.Design.Images, err, place, want.Hash)
			}
		}
	})
}

// Whoever asks for pictures without end has to wait, and is told so.
func TestPicturesHaveABudget(t *testing.T) {
	b := lite(t, nil)
	path := "/v0/images/" + strings.Repeat("0", 64)
	for range 600 {
		if a := b.call("GET", path, nil, "X-Api-Key", ""); a.status == 429 {
			return
		}
	}
	if a := b.must(429, "GET", path, nil, "X-Api-Key", ""); a.header.Get("Retry-After") == "" {
		t.Errorf("one picture too many: %v", a.header)
	}
}

// A POST is repeated by its Idempotency-Key, under either of its paths.
func TestPostIsRepeatedByItsIdempotencyKey(t *testing.T) {
	booths(t, func(t *testing.T, b *booth) {
		body := obj{"ticketId": b.tickets(1)[0].ID, "platform": "apple"}
		first := b.must(200, "POST", "/v0/passes", body, "Idempotency-Key", "k1")
		again := b.must(200, "POST", "/api/v0/passes", body, "Idempotency-Key", "k1")
		if string(first.raw) != string(again.raw) || again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("first %s\nagain %s", first.raw, again.raw)
		}
		body["platform"] = "google"
		b.must(409, "POST", "/v0/passes", body, "Idempotency-Key", "k1")
		if events, _ := b.told(); len(events) != 1 {
			t.Errorf("two requests with one key were told as %v", events)
		}
		// What hands a pass out has its file in it, and so is not kept: a link is made each time.
		hand := "/v0/passes/" + read[passBody](b, first).ID + "/distribute"
		one, other := b.must(200, "POST", hand, nil, "Idempotency-Key", "k3"), b.must(200, "POST", hand, nil, "Idempotency-Key", "k3")
		if read[passBody](b, one).FileURL == read[passBody](b, other).FileURL || other.header.Get("Idempotency-Replayed") != "" {
			t.Errorf("a distribution was kept: %s", other.raw)
		}
		if n, err := db.One(b.db.Read(t.Context()), db.Value[int], `SELECT count(*) FROM idempotency`); n != 1 || err != nil {
			t.Errorf("%d answers are kept (%v), want the pass's", n, err)
		}
		// What the request was made with may have come to its end since.
		owner := wallet(t, 1)
		chainOf := obj{"name": "evm", "network": 1}
		text := read[struct{ Message string }](b, b.must(200, "POST", "/v0/challenges", obj{"chain": chainOf, "address": owner.Address().String()})).Message
		body = obj{"wallet": obj{"chain": chainOf, "address": owner.Address().String(), "signature": sign(owner, text), "signatureMessage": text}, "platform": "apple"}
		first = b.must(200, "POST", "/v0/passes", body, "Idempotency-Key", "k2")
		b.wait(pass.ChallengeLasts + time.Minute)
		if again = b.must(200, "POST", "/v0/passes", body, "Idempotency-Key", "k2"); string(first.raw) != string(again.raw) {
			t.Errorf("first %s\nagain, after the challenge's end, %s", first.raw, again.raw)
		}
	})
}

// filled is a route's path with a pass in it.
func filled(path, pass string) string {
	return strings.NewReplacer("{id}", pass, "{registration}", "x").Replace(path)
}

// Every route asks for its scope, and shows nothing of another organisation.
func TestEveryRouteAsksForItsScope(t *testing.T) {
	b := lite(t, nil)
	p := b.plain("secret-code")
	_, _, foreign := b.organisation("Other Hall")
	b.must(200, "PUT", "/v0/project/webhook", obj{"url": "http://127.0.0.1:9/in", "authorization": "top-secret"})
	keys := map[scope.Scope]string{}
	for _, s := range scope.All().List() {
		keys[s] = b.newKey(s)
	}
	wants := map[string]string{}
	for _, r := range b.api.Permissions() {
		wants[r.Method+" "+r.Path] = fmt.Sprint(r.Scope, " ", r.Attendees)
		path := filled(r.Path, p.ID)
		if strings.HasSuffix(path, "/scan") || strings.HasSuffix(path, "/barcode") {
			path += "?data=secret-code&dryRun=1"
		}
		if a := b.must(401, r.Method, path, "{", "X-Api-Key", ""); !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer ") {
			t.Errorf("%s %s without a key: %v", r.Method, path, a.header)
		}
		b.must(401, r.Method, path, "{", "X-Api-Key", "sd_nobodys")
		for s, key := range keys {
			if s != r.Scope {
				b.must(403, r.Method, path, "{", "X-Api-Key", key)
			}
		}
		if a := b.call(r.Method, path, "{", "X-Api-Key", keys[r.Scope]); a.status == 401 || a.status == 403 {
			t.Errorf("%s %s with its scope: %d %s", r.Method, path, a.status, a.raw)
		}
		a := b.call(r.Method, path, "{}", "X-Api-Key", foreign)
		if strings.Contains(string(a.raw), p.ID) || strings.Contains(string(a.raw), "secret") || strings.Contains(r.Path, "{id}") && a.status != 404 {
			t.Errorf("%s %s of another organisation: %d %s", r.Method, path, a.status, a.raw)
		}
		// The routes that end something have done so by now.
		if r.Method == "DELETE" || strings.HasSuffix(path, "/expire") {
			p = b.plain("secret-code")
			b.must(200, "PUT", "/v0/project/webhook", obj{"url": "http://127.0.0.1:9/in", "authorization": "top-secret"})
		}
	}
	want := map[string]string{
		"POST /passes": "tickets:write true", "GET /passes": "tickets:read false", "GET /passes/{id}": "tickets:read true", "PATCH /passes/{id}": "tickets:write false",
		"POST /passes/{id}/expire": "tickets:write true", "DELETE /passes/{id}": "tickets:write true", "GET /passes/{id}/distribute": "tickets:write true",
		"POST /passes/{id}/distribute": "tickets:write true", "POST /passes/{id}/registrations": "tickets:write false", "DELETE /passes/{id}/registrations/{registration}": "tickets:write false",
		"POST /challenges": "tickets:write false", "GET /scan": "checkin:write false", "GET /passes/barcode": "checkin:write false", "GET /project": "tickets:read false",
		"GET /project/webhook": "webhooks:manage false", "PUT /project/webhook": "webhooks:manage false", "DELETE /project/webhook": "webhooks:manage false",
		"GET /project/design": "tickets:read false", "PUT /project/design": "tickets:write false", "POST /images": "tickets:write false",
	}
	both := map[string]string{}
	for route, s := range want {
		method, path, _ := strings.Cut(route, " ")
		both[method+" /v0"+path], both[method+" /api/v0"+path] = s, s
	}
	if diff := cmp.Diff(both, wants); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
}

func TestAddressesWithoutARouteAreAnsweredWithAMessage(t *testing.T) {
	b := lite(t, nil)
	for _, path := range []string{"/v0/nothing", "/api/v0/nothing", "/v0/", "/v0/passes/x/nothing"} {
		b.must(404, "GET", path, nil)
	}
	for _, c := range [][3]string{
		{"PUT", "/v0/passes", "GET, POST"},
		{"DELETE", "/api/v0/passes", "GET, POST"},
		{"POST", "/v0/passes/x", "DELETE, GET, PATCH"},
		{"GET", "/v0/challenges", "POST"},
		{"POST", "/v0/scan", "GET"},
		{"POST", "/v0/project", "GET"},
		{"PATCH", "/v0/project/webhook", "DELETE, GET, PUT"},
		{"GET", "/v0/passes/x/expire", "POST"},
		{"GET", "/v0/images", "POST"},
	} {
		if a := b.must(405, c[0], c[1], nil); a.header.Get("Allow") != c[2] {
			t.Errorf("%s %s: Allow %q, want %q", c[0], c[1], a.header.Get("Allow"), c[2])
		}
	}
	b.must(404, "PATCH", "/v0/passes/barcode", obj{}) // a pass that is called so, of which there is none
}

// What went wrong on our side is logged, and shown as nothing.
func TestWhatGoesWrongInsideIsNotShown(t *testing.T) {
	b := lite(t, func(c *ethpass.Config) { c.Apple = func(pass.Face) ([]byte, error) { return nil, errDown } })
	p := b.plain("x")
	if got := b.says(500, "GET", "/v0/passes/"+p.ID+"/distribute", nil); strings.Contains(got, "node") || !strings.Contains(b.log.String(), errDown.Error()) {
		t.Errorf("an internal error: %q, logged %s", got, b.log)
	}
	if a := b.must(500, "GET", p.FileURL, nil); strings.Contains(string(a.raw), "node") {
		t.Errorf("the page of an internal error: %s", a.raw)
	}
}

// Whoever has pictures fetched from one place has connections of their own to it, by which no other organisation's are fetched.
func TestPicturesAreFetchedByEachOrganisationForItself(t *testing.T) {
	b := lite(t, nil)
	from := make(chan string, 3)
	gallery := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from <- r.RemoteAddr
		_, _ = w.Write(drawn(t, color.Black))
	}))
	defer gallery.Close()
	_, _, other := b.organisation("Other Hall")
	fetched := func(key string) string {
		b.must(200, "POST", "/v0/images", obj{"url": gallery.URL}, "X-Api-Key", key)
		return <-from
	}
	if mine, again, theirs := fetched(b.key), fetched(b.key), fetched(other); mine != again || mine == theirs {
		t.Errorf("pictures were fetched from %s, %s and, for the other, %s", mine, again, theirs)
	}
}

// What goes so wrong inside that it panics is answered as everything else that does, and logged.
func TestAPanicIsAnsweredWithAMessage(t *testing.T) {
	b := lite(t, func(c *ethpass.Config) { c.Apple = func(pass.Face) ([]byte, error) { panic("the press is on fire") } })
	p := b.plain("x")
	if got := b.says(500, "GET", "/v0/passes/"+p.ID+"/distribute", nil); got == "" || strings.Contains(got, "fire") || !strings.Contains(b.log.String(), "the press is on fire") {
		t.Errorf("a panic: %q, logged %s", got, b.log)
	}
	if a := b.must(500, "GET", p.FileURL, nil); !strings.HasPrefix(string(a.raw), "<!doctype html>") || strings.Contains(string(a.raw), "fire") {
		t.Errorf("the page of a panic: %s", a.raw)
	}
	b.must(200, "GET", "/v0/passes/"+p.ID, nil) // nothing is held on to
}

// Where phones would take no pass, none is made: its link would lead nowhere. Google's wallet is another matter.
func TestNoPassIsMadeThatPhonesWouldRefuse(t *testing.T) {
	ended := problem.New(problem.Unavailable, "certificate_expired", "The certificate ended.")
	b := lite(t, func(c *ethpass.Config) { c.Ready = func(context.Context) error { return ended } })
	of := b.tickets(1)[0]
	a := b.must(503, "POST", "/v0/passes", obj{"ticketId": of.ID, "platform": "apple"})
	if !strings.Contains(string(a.raw), "The certificate ended.") || a.header.Get("Retry-After") == "" {
		t.Errorf("a pass for a phone: %s %v", a.raw, a.header)
	}
	if events, _ := b.told(); len(events) != 0 {
		t.Errorf("what was not made was told as %v", events)
	}
	b.of(of, "google")
}
