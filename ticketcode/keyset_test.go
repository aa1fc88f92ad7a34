package ticketcode_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/ticketcode"
)

// TestRotationOverlaps: the old key verifies what it has signed while the new one signs, and not after its end.
func TestRotationOverlaps(t *testing.T) {
	old, fresh := newSigner(t, 1, privates[1]), newSigner(t, 2, privates[2])
	end := opening.Add(24 * time.Hour)
	oldKey, freshKey := old.Key(), fresh.Key()
	oldKey.Until, freshKey.From = end, opening.Add(time.Hour)
	keys := newKeySet(t, freshKey, oldKey)

	token := aToken().token()
	token.ValidFrom, token.ValidUntil = time.Time{}, time.Time{}
	codes := map[byte]string{}
	for id, s := range map[byte]*ticketcode.Signer{1: old, 2: fresh} {
		text, err := s.Sign(token)
		if err != nil {
			t.Fatalf("Sign: %v", err)
		}
		codes[id] = text
	}
	for _, c := range []struct {
		at         time.Time
		old, fresh bool
	}{
		{opening, true, false},
		{opening.Add(time.Hour - time.Second), true, false},
		{opening.Add(time.Hour), true, true},
		{end.Add(-time.Second), true, true},
		{end, false, true},
	} {
		for id, accepted := range map[byte]bool{1: c.old, 2: c.fresh} {
			if _, err := keys.Verify(codes[id], c.at); (err == nil) != accepted {
				t.Errorf("at %v: Verify of key %d's code: got %v, want accepted %v", c.at, id, err, accepted)
			}
		}
	}
}

func TestKeySetsRefuseBadKeys(t *testing.T) {
	key := newSigner(t, 1, privates[1]).Key()
	with := func(change func(*ticketcode.Key)) []ticketcode.Key {
		k := key
		change(&k)
		return []ticketcode.Key{k}
	}
	for _, c := range []struct {
		name, org string
		keys      []ticketcode.Key
	}{
		{"no organisation", "", []ticketcode.Key{key}},
		{"a line end in the organisation", "org\n", []ticketcode.Key{key}},
		{"an organisation beyond ASCII", "örg", []ticketcode.Key{key}},
		{"a long organisation", strings.Repeat("o", 65), []ticketcode.Key{key}},
		{"id zero", anOrg, with(func(k *ticketcode.Key) { k.ID = 0 })},
		{"no key", anOrg, with(func(k *ticketcode.Key) { k.Public = nil })},
		{"a private key", anOrg, with(func(k *ticketcode.Key) { k.Public = ed25519.PublicKey(privates[1]) })},
		{"zeros", anOrg, with(func(k *ticketcode.Key) { k.Public = make([]byte, 32) })},
		{"two of one id", anOrg, []ticketcode.Key{key, newSigner(t, 2, privates[2]).Key(), key}},
		{"no time", anOrg, with(func(k *ticketcode.Key) { k.From, k.Until = opening, opening })},
		{"a beginning before 1970", anOrg, with(func(k *ticketcode.Key) { k.From = time.Unix(-1, 0) })},
		{"an end after 9999", anOrg, with(func(k *ticketcode.Key) { k.Until = time.Unix(253402300800, 0) })},
	} {
		s, err := ticketcode.NewKeySet(c.org, c.keys...)
		refused(t, c.name, err, ticketcode.Malformed)
		if s != nil {
			t.Errorf("%s: NewKeySet failed and returned %v", c.name, s)
		}
	}
}

// TestKeysThatAnybodyCanSignForAreRefused shows for each such point why: a signature made of the neutral point alone, without any key,
// fits one message in a few.
func TestKeysThatAnybodyCanSignForAreRefused(t *testing.T) {
	nobodys := make([]byte, ed25519.SignatureSize)
	nobodys[0] = 1
	for _, y := range []string{
		strings.Repeat("00", 32),
		"01" + strings.Repeat("00", 31),
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"ec" + strings.Repeat("ff", 30) + "7f",
		"ed" + strings.Repeat("ff", 30) + "7f",
		"ee" + strings.Repeat("ff", 30) + "7f",
	} {
		for _, sign := range []byte{0, 0x80} {
			public := ed25519.PublicKey(unhex(y))
			public[31] |= sign
			fits := 0
			for i := range 128 {
				if ed25519.Verify(public, []byte{byte(i)}, nobodys) {
					fits++
				}
			}
			if fits == 0 {
				t.Errorf("%x: nobody's signature fits none of 128 messages; the point is harmless", public)
			}
			_, err := ticketcode.NewKeySet(anOrg, ticketcode.Key{ID: 1, Public: public})
			refused(t, fmt.Sprintf("NewKeySet with %x", public), err, ticketcode.Malformed)
		}
	}
}

func TestKeySetsKeepTheirOwnKeys(t *testing.T) {
	key := newSigner(t, 1, privates[1]).Key()
	keys := newKeySet(t, key)
	for i := range key.Public {
		key.Public[i] = 0
	}
	got := keys.Keys()
	for i := range got[0].Public {
		got[0].Public[i] = 0
	}
	if _, err := keys.Verify(aToken().text(), opening); err != nil {
		t.Errorf("Verify after the callers' keys were wiped: %v", err)
	}
	var none ticketcode.KeySet
	_, err := none.Verify(aToken().text(), opening)
	refused(t, "Verify of the zero KeySet", err, ticketcode.UnknownKey)
	if _, err := json.Marshal(&none); err == nil {
		t.Error("the zero KeySet was marshalled")
	}
}

func TestKeySetsComeBackFromJSON(t *testing.T) {
	key := newSigner(t, 255, privates[1]).Key()
	key.From, key.Until = opening.Add(time.Millisecond), opening.Add(time.Hour)
	want := newKeySet(t, key, newSigner(t, 2, privates[2]).Key())
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatalf("Marshal: %v", err)
	}
	var got ticketcode.KeySet
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatalf("Unmarshal(%s): %v", text, err)
	}
	if got.Org() != anOrg || !reflect.DeepEqual(got.Keys(), want.Keys()) {
		t.Errorf("JSON round trip: got %v of %s, want %v", got.Keys(), got.Org(), want.Keys())
	}
	if err := json.Unmarshal([]byte(`{"org":"x"}`), &got); err == nil || got.Org() != anOrg {
		t.Errorf("Unmarshal of a bad set: got %v and the organisation %s, want an error and the set as it was", err, got.Org())
	}
	published := readVectors(t).KeySet
	var plain bytes.Buffer
	if err := json.Compact(&plain, published); err != nil {
		t.Fatal(err)
	}
	if text, err := json.Marshal(vectorKeys(t)); err != nil || string(text) != plain.String() {
		t.Errorf("Marshal: got %s, %v, want %s", text, err, plain.String())
	}
}

// TestKeySetsAreReadStrictly has what other languages' JSON readers do not see, so it is not among the vectors.
func TestKeySetsAreReadStrictly(t *testing.T) {
	text := `{"org":"` + anOrg + `","keys":[` + plainJWK(1, "") + `]}`
	if _, err := ticketcode.ParseKeySet([]byte(text)); err != nil {
		t.Fatalf("ParseKeySet(%s): %v", text, err)
	}
	full := make([]string, 255)
	for i := range full {
		full[i] = strings.Replace(plainJWK(1, `,"exp":253402300799`), `"kid":"1"`, fmt.Sprintf(`"kid":"%d"`, i+1), 1)
	}
	most := `{"org":"` + anOrg + `","keys":[` + strings.Join(full, ",") + `]}`
	if keys, err := ticketcode.ParseKeySet([]byte(most)); err != nil || len(keys.Keys()) != 255 {
		t.Errorf("ParseKeySet of 255 keys: %v", err)
	}
	for _, c := range []struct{ name, text string }{
		{"nothing", ""},
		{"cut off", text[:len(text)-1]},
		{"something behind", text + "{}"},
		{"text behind", text + "x"},
		{"the organisation twice", strings.Replace(text, `"keys"`, `"org":"`+anOrg+`","keys"`, 1)},
		{"x twice", strings.Replace(text, `"x"`, `"x":"","x"`, 1)},
		{"a member of others twice", strings.Replace(text, `"x"`, `"a":1,"a":1,"x"`, 1)},
		{"a name in capitals", strings.Replace(text, `"org"`, `"ORG"`, 1)},
		{"a time with a fraction of zero", strings.Replace(text, `"x"`, `"exp":1790000000.0,"x"`, 1)},
		{"a time with an exponent", strings.Replace(text, `"x"`, `"exp":179e7,"x"`, 1)},
		{"more than 64 KiB", text + strings.Repeat(" ", 64<<10)},
		{"deep", strings.Replace(text, `"x"`, `"a":`+strings.Repeat("[", 60_000)+`,"x"`, 1)},
	} {
		_, err := ticketcode.ParseKeySet([]byte(c.text))
		refused(t, c.name, err, ticketcode.Malformed)
	}
}

func TestErrorsHoldNothingOfWhatWasRead(t *testing.T) {
	file := readVectors(t)
	keys := vectorKeys(t)
	var errs []string
	for _, v := range file.Tickets {
		if _, err := keys.Verify(v.Text, time.Unix(v.Now, 0)); err != nil {
			errs = append(errs, err.Error())
		}
	}
	for _, v := range file.KeySets {
		if _, err := ticketcode.ParseKeySet([]byte(v.JSON)); err != nil {
			errs = append(errs, err.Error())
		}
	}
	for _, v := range file.ShortCodes {
		if _, err := ticketcode.ParseShortCode(v.Typed); err != nil {
			errs = append(errs, err.Error())
		}
	}
	slices.Sort(errs)
	for _, text := range slices.Compact(errs) {
		if !strings.HasPrefix(text, "ticketcode: ") || strings.Contains(text, "RXQ") || strings.Contains(text, aToken().text()[10:16]) || len(text) > 120 {
			t.Errorf("an error reads %q", text)
		}
	}
}
