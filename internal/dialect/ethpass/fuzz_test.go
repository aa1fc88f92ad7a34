package ethpass_test

import (
	"math/big"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/dialect/ethpass"
	"github.com/stagedoorhq/stagedoor/internal/evm"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// said fails for an error that is no problem with a message, or names a field that does not begin where fields do.
func said(t *testing.T, in string, err error) {
	t.Helper()
	p := problem.As(err)
	if p == nil || p.Kind != problem.Invalid || p.Detail == "" && len(p.Fields) == 0 {
		t.Fatalf("%q: %v is nothing that a client can act on", in, err)
	}
	for _, f := range p.Fields {
		if f.Detail == "" || f.In == "" && f.Pointer != "" && f.Pointer[0] != '/' {
			t.Fatalf("%q: the field %+v", in, f)
		}
	}
}

// wellFormed fails for an address or a number that is not in its one form.
func wellFormed(t *testing.T, in, address, number string) {
	t.Helper()
	if address != "" {
		if a, err := evm.ParseAddress(address); err != nil || a.String() != address {
			t.Errorf("%q: the address %q", in, address)
		}
	}
	if number != "" {
		if n, ok := new(big.Int).SetString(number, 10); !ok || n.Sign() < 0 || n.BitLen() > 260 || n.String() != number {
			t.Errorf("%q: the number %q", in, number)
		}
	}
}

func FuzzCreation(f *testing.F) {
	for _, s := range []string{
		`{"ticketId":"tkt_x","platform":"apple"}`,
		`{"contractAddress":"` + contract + `","chainId":1,"tokenId":"1","signature":"0x12","signatureMessage":"m","platform":"google"}`,
		`{"chain":{"name":"evm","network":1},"nft":{"contractAddress":"` + contract + `","tokenId":7},"signature":"0x12","signatureMessage":"m","platform":"apple","pass":{"backFields":[{"key":"a","value":1}],"messages":[{"body":"x"}]}}`,
		`{"wallet":{"chain":{"name":"evm","network":"1"},"address":"` + contract + `","requireUniqueSignature":true},"nfts":[{}],"policies":[],"layout":{"universal":{"headerFields":[{"alignment":"left"}]}},"image":"data:,"}`,
		`{"barcode":{"redirect":{"url":"u"},"format":"qr","altText":"a"},"expiresAt":1e3,"externalId":null}`, `[]`, `null`, "", `{"wallet":[]}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		in, signature, _, err := ethpass.NewCreation([]byte(body))
		if err != nil {
			said(t, body, err)
			return
		}
		if in.Platform != pass.Apple && in.Platform != pass.Google || in.Ticket == "" && in.Barcode == nil || (in.Chain == "") != (in.Network == "") || in.Verified || in.Holder != "" {
			t.Errorf("%q: %+v", body, in)
		}
		if in.Chain != "" && in.Owner == "" && signature == nil {
			t.Errorf("%q is nobody's: %+v", body, in)
		}
		wellFormed(t, body, in.Owner, in.Network)
		for _, n := range in.NFTs {
			wellFormed(t, body, n.Contract, n.TokenID)
		}
	})
}

func FuzzChanging(f *testing.F) {
	for _, s := range []string{
		`{"pass":{"logoText":"x","labelColor":null,"images":{"icon":"x"},"locations":[{"latitude":1,"longitude":2}],"relevantDate":"2027-01-01T00:00:00Z"},"barcode":{"message":"m"},"expiresAt":null,"externalId":""}`,
		`{"pass":{"primaryFields":[{"value":"v","alignment":"middle"},null]}}`, `{"pass":[]}`, ``, `{"image":7}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		before := pass.Design{LogoText: "before", Back: []pass.Field{{Key: "k", Label: "l", Value: "v", ChangeMessage: "c"}}, Images: map[string]string{"icon": "i"}}
		d := before
		if _, err := ethpass.NewChanging([]byte(body), &d); err != nil {
			said(t, body, err)
			return
		}
		if before.Back[0].ChangeMessage != "c" || before.Images["icon"] != "i" || len(before.Images) != 1 {
			t.Errorf("%q changed the design that there was: %+v", body, before)
		}
		if !strings.Contains(body, "logoText") && !strings.Contains(body, `\`) && d.LogoText != "before" {
			t.Errorf("%q made the logo's text %q", body, d.LogoText)
		}
	})
}

func FuzzChallenging(f *testing.F) {
	for _, s := range []string{`{"chain":{"name":"evm","network":1},"address":"` + contract + `"}`, `{"ticketId":"t"}`, `{"chain":7}`, ``} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		if err := ethpass.NewChallenging([]byte(body)); err != nil {
			said(t, body, err)
		}
	})
}

func FuzzFilter(f *testing.F) {
	for _, s := range []string{
		"", "limit=50&offset=1&sort=id&asc=1", "ownerAddress=" + contract + "&contractAddress=" + contract + "&tokenId=1&network=1&chain=evm&expired=0", "createdAtStart=1662680045&createdAtEnd=2026-01-01T00:00:00Z",
		"lastScannedAtStart=x&lastScannedAtEnd=99999999999", "limit=99999999999999999999", "platform=apple&ticketId=t&externalId=%ff",
	} {
		f.Add(s)
	}
	sorts := []string{"", "id", "ownerAddress", "createdAt", "lastScannedAt", "expiredAt"}
	f.Fuzz(func(t *testing.T, raw string) {
		values, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		got, err := ethpass.NewFilter(values)
		if err != nil {
			said(t, raw, err)
			return
		}
		if got.Limit < 1 || got.Limit > 1000 || got.Offset < 0 || !slices.Contains(sorts, got.Sort) {
			t.Errorf("%q: %+v", raw, got)
		}
		wellFormed(t, raw, got.Owner, got.Network)
		wellFormed(t, raw, got.Contract, got.TokenID)
	})
}

func FuzzInURL(f *testing.F) {
	for _, s := range []string{"data:image/png;base64,AAAA", "data:image/svg+xml,%3Csvg%3E", "data:image/png;charset=utf-8;base64,AA==", "data:,", "data:text/html,x", "data:image/png;base64,@", "data:image/png,%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, at string) {
		raw, err := ethpass.InURL(at)
		if err != nil {
			said(t, at, err)
			return
		}
		if len(raw) > len(at) {
			t.Errorf("%q holds %d bytes", at, len(raw))
		}
	})
}
