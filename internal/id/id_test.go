package id_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/id"
	"pgregory.net/rapid"
)

func TestDeliveryIDLeadsBackToItsNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := id.Delivery{
			Day:      int32(rapid.IntRange(0, 1<<16-1).Draw(t, "day")),
			Seq:      rapid.Int64Range(0, 1<<52-1).Draw(t, "seq"),
			Endpoint: rapid.Int64Range(0, 1<<40-1).Draw(t, "endpoint"),
		}
		s := d.String()
		if u := d.UUID(); u.Version() != 8 || u.Variant().String() != "RFC4122" {
			t.Errorf("%+v is %s: version %d, variant %v; want version 8 of RFC 9562", d, s, u.Version(), u.Variant())
		}
		if got, ok := id.ParseDelivery(s); got != d || !ok {
			t.Errorf("ParseDelivery(%q): %+v, %v; want %+v", s, got, ok, d)
		}
	})
}

func TestDeliveryIDsOfDifferentDeliveriesDiffer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) id.Delivery {
			return id.Delivery{
				Day:      int32(rapid.IntRange(20000, 20003).Draw(t, name+" day")),
				Seq:      rapid.Int64Range(0, 1<<21).Draw(t, name+" seq"),
				Endpoint: rapid.Int64Range(0, 300).Draw(t, name+" endpoint"),
			}
		}
		if a, b := draw("a"), draw("b"); (a == b) != (a.String() == b.String()) {
			t.Errorf("%+v is %s and %+v is %s", a, a, b, b)
		}
	})
}

func TestDeliveryIDsSortByDay(t *testing.T) {
	early := id.Delivery{Day: 20000, Seq: 1 << 50, Endpoint: 9}
	late := id.Delivery{Day: 20001, Seq: 1, Endpoint: 1}
	if early.String() >= late.String() {
		t.Errorf("%s of day 20000 does not come before %s of day 20001", early, late)
	}
}

func TestDeliveryIDsLook(t *testing.T) {
	const want = "51aa0000-0000-8001-8080-000000028000" // day 20906, fact 258 (0x102), endpoint 10
	if got := (id.Delivery{Day: 20906, Seq: 258, Endpoint: 10}).String(); got != want {
		t.Errorf("delivery (20906, 258, 10) is %s, want %s: ids that receivers have kept would change", got, want)
	}
}

func TestParseDeliveryRefusesWhatNoDeliveryEverHad(t *testing.T) {
	good := id.Delivery{Day: 20906, Seq: 258, Endpoint: 10}.String()
	for _, s := range []string{
		"", "x", good[:35], good + "0", "urn:uuid:" + good, "{" + good + "}", strings.ReplaceAll(good, "-", ""),
		good[:14] + "4" + good[15:],        // version 4
		good[:19] + "c" + good[20:],        // another variant
		good[:35] + "1",                    // the last 14 bits are 0
		strings.Replace(good, "5", "g", 1), // no digit
	} {
		if d, ok := id.ParseDelivery(s); ok {
			t.Errorf("ParseDelivery(%q): %+v, true", s, d)
		}
	}
}

func TestFactIDLeadsBackToItsNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := id.Fact{
			Day: int32(rapid.IntRange(0, 1<<16-1).Draw(t, "day")),
			Seq: rapid.Int64Range(0, 1<<56-1).Draw(t, "seq"),
		}
		if got, ok := id.ParseFact(f.String()); got != f || !ok {
			t.Errorf("ParseFact(%q): %+v, %v; want %+v", f, got, ok, f)
		}
	})
}

func TestFactIDsLook(t *testing.T) {
	if got, want := (id.Fact{Day: 20906, Seq: 258}).String(), "evt_51aa00000000000102"; got != want {
		t.Errorf("fact 258 of day 20906 is %s, want %s", got, want)
	}
	for _, s := range []string{"", "evt_", "evt_51aa0000000000010", "evt_51aa000000000001020", "EVT_51aa00000000000102", "evt_51AA00000000000102", "evt_51aa0000000000010g"} {
		if f, ok := id.ParseFact(s); ok {
			t.Errorf("ParseFact(%q): %+v, true", s, f)
		}
	}
}

func TestReceivedIDLeadsBackToItsNumbersAndSortsByTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) id.Received {
			return id.Received{
				Millis: rapid.Int64Range(0, 1<<48-1).Draw(t, name+" millis"),
				Seq:    rapid.Int64Range(0, 1<<62-1).Draw(t, name+" seq"),
			}
		}
		a, b := draw("a"), draw("b")
		if u := a.UUID(); u.Version() != 7 || u.Variant().String() != "RFC4122" {
			t.Errorf("%+v is %s: version %d, variant %v; want version 7 of RFC 9562", a, a, u.Version(), u.Variant())
		}
		if got, ok := id.ParseReceived(a.String()); got != a || !ok {
			t.Errorf("ParseReceived(%q): %+v, %v; want %+v", a, got, ok, a)
		}
		if before := a.Millis < b.Millis || a.Millis == b.Millis && a.Seq < b.Seq; before != (a.String() < b.String()) {
			t.Errorf("%+v is %s and %+v is %s: not in their order", a, a, b, b)
		}
	})
}

func TestReceivedIDsLook(t *testing.T) {
	if got, want := (id.Received{Millis: 0x0197a1c25e00, Seq: 258}).String(), "0197a1c2-5e00-7000-8000-000000000102"; got != want {
		t.Errorf("event 258 is %s, want %s: ids that consumers have kept would change", got, want)
	}
	if got, ok := id.ParseReceived("0197a1c2-5e00-7c31-9a44-1f0b6d2e77aa"); !ok || got.Seq >= 0 {
		t.Errorf("a UUID of somebody else's: %+v, %v; want one that no event has", got, ok)
	}
	for _, s := range []string{"", "x", "0197a1c2-5e00-4000-8000-000000000102", "0197a1c2-5e00-7000-c000-000000000102", "0197a1c25e00700080000000000001020", "{0197a1c2-5e00-7000-8000-00000000010"} {
		if r, ok := id.ParseReceived(s); ok {
			t.Errorf("ParseReceived(%q): %+v, true", s, r)
		}
		if p, ok := id.ParsePullEndpoint(s); ok {
			t.Errorf("ParsePullEndpoint(%q): %q, true", s, p)
		}
	}
	e := id.NewPullEndpoint()
	if got, ok := id.ParsePullEndpoint(strings.ToUpper(string(e))); !ok || got != e {
		t.Errorf("ParsePullEndpoint in upper case: %q, %v; want %q", got, ok, e)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(id.Delivery{Day: 20906, Seq: 258, Endpoint: 10}.String())
	f.Add(id.Fact{Day: 20906, Seq: 258}.String())
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		if d, ok := id.ParseDelivery(s); ok && d.String() != strings.ToLower(s) {
			t.Errorf("ParseDelivery(%q) gave %+v, which is %s", s, d, d)
		}
		if x, ok := id.ParseFact(s); ok && x.String() != s {
			t.Errorf("ParseFact(%q) gave %+v, which is %s", s, x, x)
		}
		if r, ok := id.ParseReceived(s); ok && r.Seq >= 0 && r.String() != strings.ToLower(s) {
			t.Errorf("ParseReceived(%q) gave %+v, which is %s", s, r, r)
		}
		if p, ok := id.ParsePullEndpoint(s); ok && string(p) != strings.ToLower(s) {
			t.Errorf("ParsePullEndpoint(%q) gave %s", s, p)
		}
		_ = id.ValidEvent(s)
		_ = id.ValidListing(s)
	})
}

func TestNewIDsHaveTheirShapeAndAreNew(t *testing.T) {
	now := time.Date(2027, 8, 14, 20, 30, 0, 0, time.UTC)
	const base32 = "0123456789abcdefghjkmnpqrstvwxyz"
	for name, c := range map[string]struct {
		make   func(i int64) string
		prefix string
		length int
		of     string
	}{
		"org":          {func(int64) string { return string(id.NewOrg()) }, "org_", 30, base32},
		"key":          {func(int64) string { return string(id.NewKey()) }, "key_", 30, base32},
		"event":        {func(int64) string { return string(id.NewEvent()) }, "evn_", 30, base32},
		"webhook":      {func(int64) string { return string(id.NewWebhook()) }, "wh_", 29, base32},
		"listing":      {func(int64) string { return string(id.NewListing(now)) }, "", 24, "0123456789abcdef"},
		"order":        {func(i int64) string { return string(id.NewOrder(now, i)) }, "order_", 24, "0123456789"},
		"order number": {func(int64) string { return string(id.NewOrderNumber()) }, "TIC-", 13, "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"},
		"secret":       {func(int64) string { return id.Secret("sd_") }, "sd_", 55, base32},
	} {
		seen := map[string]bool{}
		for i := range int64(1000) {
			s := c.make(i)
			rest, ok := strings.CutPrefix(s, c.prefix)
			if !ok || len(s) != c.length || strings.Trim(rest, c.of) != "" || seen[s] {
				t.Errorf("%s %d is %q (made before: %v); want %q and digits of %s, %d in all", name, i, s, seen[s], c.prefix, c.of, c.length)
			}
			seen[s] = true
		}
	}
	if s := string(id.NewEvent()); !id.ValidEvent(s) {
		t.Errorf("ValidEvent(%q) is false for one that was just made", s)
	}
	if s := string(id.NewListing(now)); !id.ValidListing(s) {
		t.Errorf("ValidListing(%q) is false for one that was just made", s)
	}
}

func TestIDsMadeLaterSortLater(t *testing.T) {
	var ids []string
	for range 1000 {
		ids = append(ids, string(id.NewEvent()))
	}
	if !slices.IsSorted(ids) {
		t.Error("events' ids made one after another are not in order")
	}
}

func TestValidEvent(t *testing.T) {
	for s, want := range map[string]bool{
		"a": true, "evn_01k": true, "A.b_c-9": true, strings.Repeat("x", 64): true, "...": true,
		"": false, strings.Repeat("x", 65): false, ".": false, "..": false, "a/b": false, "a b": false, "ü": false, "a\x00": false, "a%2f": false,
	} {
		if got := id.ValidEvent(s); got != want {
			t.Errorf("ValidEvent(%q) is %v", s, got)
		}
	}
}

func TestValidListing(t *testing.T) {
	for s, want := range map[string]bool{
		"65f0c1d2e3f4a5b6c7d8e9f0": true, "": false, "65f0c1d2e3f4a5b6c7d8e9f": false, "65f0c1d2e3f4a5b6c7d8e9f00": false,
		"65F0c1d2e3f4a5b6c7d8e9f0": false, "g5f0c1d2e3f4a5b6c7d8e9f0": false, "65f0c1d2e3f4-5b6c7d8e9f0": false,
	} {
		if got := id.ValidListing(s); got != want {
			t.Errorf("ValidListing(%q) is %v", s, got)
		}
	}
}

func TestTicketIDLeadsBackToItsBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var raw [16]byte
		copy(raw[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "raw"))
		s := id.NewTicket(raw)
		if got, ok := s.Bytes(); got != raw || !ok || len(s) != 30 {
			t.Errorf("NewTicket(%x) is %s, whose Bytes are %x, %v", raw, s, got, ok)
		}
	})
}

func TestTicketIDsHaveOneSpelling(t *testing.T) {
	good := string(id.NewTicket([16]byte{1, 2, 3, 15: 9}))
	for _, s := range []string{"", "tkt_", good[4:], good + "0", good[:29], good[:29] + "z", strings.ToUpper(good), "tkt_" + good, good[:29] + "l"} {
		if raw, ok := id.Ticket(s).Bytes(); ok {
			t.Errorf("Bytes of %q are %x, want none: a ticket has one spelling", s, raw)
		}
	}
}

func TestOrganisationsUUIDIsTheOneInItsID(t *testing.T) {
	const want = "0193a5d1-0c1b-7e7d-9a3a-5f0c2d1e4b6a"
	if got := id.Org("org_069tbm8c3dz7v6htbw62t7jbd8").UUID(); got != want {
		t.Errorf("UUID() = %q, want %q: ids that partners have kept would change", got, want)
	}
	if a, b := id.NewOrg(), id.NewOrg(); len(a.UUID()) != 36 || a.UUID() == b.UUID() {
		t.Errorf("%s and %s have the UUIDs %q and %q", a, b, a.UUID(), b.UUID())
	}
	for _, none := range []id.Org{"", "org_", "org_x", "069tbm8c3dz7v6htbw62t7jbd8", "org_069tbm8c3dz7v6htbw62t7jbd", "org_u69tbm8c3dz7v6htbw62t7jbd8"} {
		if got := none.UUID(); got != "" {
			t.Errorf("UUID() of %q = %q", none, got)
		}
	}
}
