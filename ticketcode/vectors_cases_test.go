package ticketcode_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// The cases of testdata/vectors.json, each beside the genuine one.

func base45Vectors() []base45Vector {
	good := func(name, text, plain string) base45Vector {
		return base45Vector{Name: name, Text: text, Hex: hex.EncodeToString([]byte(plain))}
	}
	bad := func(name, text string) base45Vector { return base45Vector{Name: name, Text: text, Error: "malformed"} }
	return []base45Vector{
		good("nothing", "", ""),
		good("RFC 9285 §4.3, example 1", "BB8", "AB"),
		good("RFC 9285 §4.3, example 2", "%69 VD92EX0", "Hello!!"),
		good("RFC 9285 §4.3, example 3", "UJCLQE7W581", "base-45"),
		good("RFC 9285 §4.4", "QED8WEX0", "ietf!"),
		good("one zero", "00", "\x00"),
		good("two zeros", "000", "\x00\x00"),
		good("the largest byte", "U5", "\xff"),
		good("the largest pair (RFC 9285 §6)", "FGW", "\xff\xff"),
		bad("a pair too large (RFC 9285 §6)", "GGW"),
		bad("the largest group", ":::"),
		bad("a byte too large", "V5"),
		bad("the largest group of two", "::"),
		bad("a pair too large behind a good one", "BB8GGW"),
		bad("one character", "0"),
		bad("four characters", "BB80"),
		bad("lower case", "bb8"),
		bad("a character outside the alphabet", "BB="),
		bad("a line end", "BB\n"),
		bad("a line end behind", "BB8\n0"),
		bad("beyond ASCII", "B\u00c48"),
		bad("a zero byte", "B\x008"),
	}
}

func keySetVectors() []keySetVector {
	set := func(keys ...string) string { return `{"org":"` + anOrg + `","keys":[` + strings.Join(keys, ",") + `]}` }
	with := func(old, fresh string) string {
		changed := strings.Replace(plainJWK(1, ""), old, fresh, 1)
		if changed == plainJWK(1, "") {
			panic("nothing to replace: " + old)
		}
		return set(changed)
	}
	x := base64.RawURLEncoding.EncodeToString(privates[1][32:])
	good := func(name, text string, ids ...int) keySetVector {
		return keySetVector{Name: name, JSON: text, IDs: ids}
	}
	bad := func(name, text string) keySetVector { return keySetVector{Name: name, JSON: text, Error: "malformed"} }
	point := func(name, x string) keySetVector {
		return bad(name, with(`"x":"`+base64.RawURLEncoding.EncodeToString(privates[1][32:]), `"x":"`+base64.RawURLEncoding.EncodeToString(unhex(x))))
	}
	return []keySetVector{
		good("four keys", plainKeySet(), 1, 2, 3, 4),
		good("the largest id", with(`"kid":"1"`, `"kid":"255"`), 255),
		good("RFC 9864's name of the algorithm", with("EdDSA", "Ed25519"), 1),
		good("without use and alg", with(`"use":"sig","alg":"EdDSA",`, ""), 1),
		good("members of others", with(`"kid"`, `"x5c":[{"deep":[1]}],"KID":"2","kid"`), 1),
		good("white space", " {\n\t\"keys\" : [ "+plainJWK(1, "")+" ] , \"org\" : \""+anOrg+"\" }\r\n", 1),
		good("a key of another type is passed over", set(`{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}`, plainJWK(2, "")), 2),
		good("a key of another curve is passed over", set(plainJWK(2, ""), `{"kty":"OKP","crv":"Ed448","kid":"2","x":"AA"}`), 2),
		bad("no organisation", `{"keys":[]}`),
		bad("an empty organisation", `{"org":"","keys":[]}`),
		bad("a space in the organisation", `{"org":"org 1","keys":[]}`),
		bad("an organisation of 65 characters", `{"org":"`+strings.Repeat("o", 65)+`","keys":[]}`),
		bad("the organisation is a number", `{"org":1,"keys":[]}`),
		bad("no keys", `{"org":"`+anOrg+`"}`),
		bad("keys is null", `{"org":"`+anOrg+`","keys":null}`),
		bad("keys is an object", `{"org":"`+anOrg+`","keys":{}}`),
		bad("a list", `[]`),
		bad("null", `null`),
		bad("a key is null", set("null")),
		bad("a key is a string", set(`"`+x+`"`)),
		bad("a private key", with(`"kid"`, `"d":"`+x+`","kid"`)),
		bad("a private key of another type", set(`{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"}`)),
		bad("a secret key", set(`{"kty":"oct","k":"AA"}`)),
		bad("no type", with(`"kty":"OKP",`, "")),
		bad("no curve", with(`"crv":"Ed25519",`, "")),
		bad("two keys of one id", set(plainJWK(1, ""), plainJWK(1, ""))),
		bad("no id", with(`"kid":"1",`, "")),
		bad("the id is a number", with(`"kid":"1"`, `"kid":1`)),
		bad("the id is zero", with(`"kid":"1"`, `"kid":"0"`)),
		bad("the id is too large", with(`"kid":"1"`, `"kid":"256"`)),
		bad("the id has a leading zero", with(`"kid":"1"`, `"kid":"01"`)),
		bad("the id has a sign", with(`"kid":"1"`, `"kid":"+1"`)),
		bad("the id is in capitals", with(`"kid"`, `"KID"`)),
		bad("for encryption", with(`"sig"`, `"enc"`)),
		bad("another algorithm", with("EdDSA", "ES256")),
		bad("no x", with(`"x":"`+x+`"`, `"y":"`+x+`"`)),
		bad("x is too short", with(x, x[:42])),
		bad("x is too long", with(x, x+"AA")),
		bad("x is padded", with(x, x+"=")),
		bad("x has bits left over", with(x, x[:42]+"B")),
		bad("x is in the other alphabet", with(x, "+/"+x[2:])),
		bad("x has a line end", with(x, x[:20]+`\n`+x[20:])),
		bad("x has a line end in place of a character", with(x, x[:20]+`\n`+x[21:])),
		bad("it ends when it begins", set(plainJWK(1, `,"nbf":1786000000,"exp":1786000000`))),
		bad("it ends before it begins", set(plainJWK(1, `,"nbf":1786000001,"exp":1786000000`))),
		bad("the end is zero", set(plainJWK(1, `,"exp":0`))),
		bad("the end is negative", set(plainJWK(1, `,"exp":-1`))),
		bad("the end is a string", set(plainJWK(1, `,"exp":"1790000000"`))),
		bad("the end is null", set(plainJWK(1, `,"exp":null`))),
		bad("the end is a fraction", set(plainJWK(1, `,"exp":1790000000.5`))),
		bad("the end is after the year 9999", set(plainJWK(1, `,"exp":253402300800`))),
		point("zeros, of order 4", strings.Repeat("00", 32)),
		point("the neutral point", "01"+strings.Repeat("00", 31)),
		point("the neutral point, its sign set", "01"+strings.Repeat("00", 30)+"80"),
		point("a point of order 2", "ec"+strings.Repeat("ff", 30)+"7f"),
		point("a point of order 8", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
		point("another point of order 8", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
		point("a point of order 8, its sign set", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"),
		point("zero, written as p", "ed"+strings.Repeat("ff", 30)+"7f"),
		point("one, written as p+1", "ee"+strings.Repeat("ff", 31)),
	}
}

func ticketVectors() []ticketVector {
	var vectors []ticketVector
	good := func(name string, at int64, change func(*tokenVector)) {
		t := aToken()
		change(&t)
		vectors = append(vectors, ticketVector{Name: name, Text: t.text(), Now: at, Token: &t})
	}
	bad := func(name, reason, text string, at int64) {
		vectors = append(vectors, ticketVector{Name: name, Text: text, Now: at, Error: reason})
	}
	badToken := func(name, reason string, at int64, change func(*tokenVector)) {
		t := aToken()
		change(&t)
		bad(name, reason, t.text(), at)
	}
	same := func(*tokenVector) {}
	key := func(id byte) func(*tokenVector) { return func(t *tokenVector) { t.KeyID = id } }

	good("genuine", now, same)
	good("by key 2", now, key(2))
	good("another event's: the gate has to see that", now, func(t *tokenVector) { t.Tag = plainTag(anOrg, "JAZZ") })
	good("the largest numbers", now, func(t *tokenVector) {
		*t = tokenVector{KeyID: 1, Tag: "ffffffffffff", Ticket: lastID, Generation: 65535, Class: 65535, ValidUntil: 4294967294}
	})
	good("the smallest numbers", 1, func(t *tokenVector) {
		*t = tokenVector{KeyID: 1, Tag: "000000000000", Ticket: "00000000000000000000000000000001", Generation: 1, ValidFrom: 1, ValidUntil: 2}
	})
	good("without window", now, func(t *tokenVector) { t.ValidFrom, t.ValidUntil = 0, 0 })
	good("without beginning", 1, func(t *tokenVector) { t.ValidFrom = 0 })
	good("without end", 1789999999, func(t *tokenVector) { t.ValidUntil = 0 })
	good("at the first second", doors, same)
	good("at the last second", closes-1, same)
	badToken("a second before the window", "not_yet", doors-1, same)
	badToken("at the window's end", "too_late", closes, same)

	good("at the last second of key 1", 1789999999, func(t *tokenVector) { t.ValidUntil = 0 })
	badToken("at the end of key 1", "unknown_key", 1790000000, func(t *tokenVector) { t.ValidUntil = 0 })
	good("at the first second of key 2", 1786000000, func(t *tokenVector) { t.KeyID, t.ValidFrom = 2, 0 })
	badToken("a second before key 2 begins", "unknown_key", 1785999999, func(t *tokenVector) { t.KeyID, t.ValidFrom = 2, 0 })
	badToken("by a key that does not count yet", "unknown_key", now, key(3))
	badToken("by a key that no longer counts", "unknown_key", now, key(4))
	unknown := aToken()
	unknown.KeyID = 9
	bad("by a key that is not in the set", "unknown_key", printed(signedBy(stranger, unknown.body())), now)
	bad("by a stranger, in the name of key 1", "bad_signature", printed(signedBy(stranger, aToken().body())), now)
	bad("by key 2, in the name of key 1", "bad_signature", printed(signedBy(privates[2], aToken().body())), now)

	genuine := signedBy(privates[1], aToken().body())
	changed := func(name, reason string, at int, to byte) {
		b := slices.Clone(genuine)
		b[at] = to
		bad(name, reason, printed(b), now)
	}
	changed("another version", "wrong_version", 0, 2)
	changed("version zero", "wrong_version", 0, 0)
	changed("the key's id changed", "bad_signature", 1, 2)
	changed("the tag changed", "bad_signature", 7, genuine[7]^1)
	changed("the ticket changed", "bad_signature", 23, genuine[23]^1)
	changed("the generation changed", "bad_signature", 25, 2)
	changed("the class changed", "bad_signature", 27, 4)
	changed("the beginning changed", "bad_signature", 31, genuine[31]^1)
	changed("the end changed", "bad_signature", 35, genuine[35]^1)
	changed("the signature's first half changed", "bad_signature", 36, genuine[36]^1)
	changed("the signature's second half changed", "bad_signature", 68, genuine[68]^1)
	bad("the same signature, its scalar written larger (RFC 8032 §5.1.7)", "bad_signature", printed(malleable(genuine)), now)
	bad("a signature of zeros", "bad_signature", printed(append(aToken().body(), make([]byte, 64)...)), now)
	neutral := make([]byte, 64)
	neutral[0] = 1
	bad("a signature of the neutral point", "bad_signature", printed(append(aToken().body(), neutral...)), now)
	bad("the signature lacks the prefix", "bad_signature", printed(signList(1, aToken().body())), now)

	badToken("no ticket", "malformed", now, func(t *tokenVector) { t.Ticket = strings.Repeat("0", 32) })
	badToken("no generation", "malformed", now, func(t *tokenVector) { t.Generation = 0 })
	badToken("an empty window", "malformed", now, func(t *tokenVector) { t.ValidFrom = closes })
	badToken("a window that ends before it begins", "malformed", now, func(t *tokenVector) { t.ValidFrom = closes + 1 })
	zeroKey := aToken()
	zeroKey.KeyID = 0
	bad("key zero", "malformed", printed(signedBy(privates[1], zeroKey.body())), now)

	text := aToken().text()
	bad("nothing", "malformed", "", now)
	bad("the prefix alone", "malformed", "SD1:", now)
	bad("no prefix", "malformed", text[4:], now)
	bad("another prefix", "malformed", "HC1:"+text[4:], now)
	bad("a prefix without version", "malformed", "SD0:"+text[4:], now)
	bad("the prefix of a later version", "wrong_version", "SD2:"+text[4:], now)
	bad("a later version of another length", "wrong_version", "SD9:ABC", now)
	bad("lower case", "malformed", strings.ToLower(text), now)
	bad("the prefix in lower case", "malformed", "sd1:"+text[4:], now)
	bad("a character less", "malformed", text[:153], now)
	bad("a character more", "malformed", text+"0", now)
	bad("a group more", "malformed", text+"000", now)
	bad("a line end behind", "malformed", text+"\n", now)
	bad("a space before", "malformed", " "+text, now)
	bad("a space behind", "malformed", text+" ", now)
	bad("a group too large by one", "malformed", text[:4]+"GGW"+text[7:], now)
	bad("the largest group", "malformed", text[:151]+":::", now)
	bad("a character outside the alphabet", "malformed", text[:100]+"="+text[101:], now)
	bad("a zero byte", "malformed", text[:100]+"\x00"+text[101:], now)
	bad("beyond ASCII", "malformed", text[:100]+"\u00c4"+text[101:], now)
	bad("the code in base64", "malformed", "SD1:"+base64.StdEncoding.EncodeToString(genuine), now)
	bad("percent encoded", "malformed", "SD1%3A"+text[4:], now)
	bad("a rotating code", "malformed", aRotation().text(aToken(), now), now)
	return vectors
}

// malleable adds the group's order to the signature's scalar, which a lax verifier takes for the same.
func malleable(signed []byte) []byte {
	order, _ := new(big.Int).SetString("27742317777372353535851937790883648493", 10)
	order.Add(order, new(big.Int).Lsh(big.NewInt(1), 252))
	scalar := slices.Clone(signed[68:])
	slices.Reverse(scalar)
	sum := new(big.Int).Add(new(big.Int).SetBytes(scalar), order).FillBytes(make([]byte, 32))
	slices.Reverse(sum)
	return append(slices.Clone(signed[:68]), sum...)
}

func revocationVectors() []revocationVector {
	var vectors []revocationVector
	add := func(name, reason string, signed []byte, list *listVector) {
		vectors = append(vectors, revocationVector{Name: name, Base64: base64.StdEncoding.EncodeToString(signed), Now: now, List: list, Error: reason})
	}
	good := func(name string, id byte, change func(*listVector)) {
		l := aList()
		change(&l)
		add(name, "", l.signed(id), &l)
	}
	bad := func(name, reason string, id byte, change func(*listVector)) {
		l := aList()
		change(&l)
		add(name, reason, l.signed(id), nil)
	}
	same := func(*listVector) {}
	none := []entryVector{}

	good("whole", 1, same)
	good("by key 2", 2, same)
	good("incremental", 1, func(l *listVector) { l.Since, l.Seq = 2, 3; l.Revoked = []entryVector{{lastID, 0}} })
	good("whole, of nothing", 1, func(l *listVector) { l.Seq, l.Revoked = 0, none })
	good("nothing has changed", 1, func(l *listVector) { l.Since, l.Revoked = 2, none })
	good("the largest number", 1, func(l *listVector) { l.Seq = 1<<53 - 1 })

	bad("of another organisation", "wrong_org", 1, func(l *listVector) { l.Org = otherOrg })
	bad("by a key that does not count yet", "unknown_key", 3, same)
	bad("by a key that no longer counts", "unknown_key", 4, same)
	bad("begins after its end", "malformed", 1, func(l *listVector) { l.Since = 3 })
	bad("entries without a change", "malformed", 1, func(l *listVector) { l.Since = 2 })
	bad("a number too large", "malformed", 1, func(l *listVector) { l.Seq = 1 << 53 })
	bad("not ascending", "malformed", 1, func(l *listVector) { slices.Reverse(l.Revoked) })
	bad("a ticket twice", "malformed", 1, func(l *listVector) { l.Revoked[1].Ticket = anID })
	bad("ticket zero", "malformed", 1, func(l *listVector) { l.Revoked[0].Ticket = strings.Repeat("0", 32) })
	bad("issued at zero", "malformed", 1, func(l *listVector) { l.Issued = 0 })
	bad("issued at the mark of no end", "malformed", 1, func(l *listVector) { l.Issued = 4294967295 })
	bad("no organisation", "malformed", 1, func(l *listVector) { l.Org = "" })
	bad("an organisation of 65 characters", "malformed", 1, func(l *listVector) { l.Org = strings.Repeat("o", 65) })

	genuine := aList().signed(1)
	changed := func(name, reason string, change func([]byte) []byte) {
		add(name, reason, change(slices.Clone(genuine)), nil)
	}
	set := func(at int, to byte) func([]byte) []byte {
		return func(b []byte) []byte { b[at] = to; return b }
	}
	org := len(anOrg)
	changed("another version", "wrong_version", set(3, '2'))
	changed("another mark", "malformed", set(2, '1'))
	changed("the key's id changed", "bad_signature", set(4, 2))
	changed("a key that is not in the set", "unknown_key", set(4, 9))
	changed("the beginning changed", "bad_signature", set(6+org+7, 1))
	changed("the end changed", "bad_signature", set(6+org+15, 3))
	changed("the time changed", "bad_signature", set(6+org+19, genuine[6+org+19]^1))
	changed("the number of entries changed", "malformed", set(6+org+23, 1))
	changed("the number of entries is huge", "malformed", set(6+org+20, 0xff))
	changed("a ticket changed", "bad_signature", set(6+org+24, genuine[6+org+24]^1))
	changed("a generation changed", "bad_signature", set(6+org+24+17, 9))
	changed("the signature changed", "bad_signature", set(len(genuine)-1, genuine[len(genuine)-1]^1))
	changed("a byte less", "malformed", func(b []byte) []byte { return b[:len(b)-1] })
	changed("a byte more", "malformed", func(b []byte) []byte { return append(b, 0) })
	changed("nothing", "malformed", func([]byte) []byte { return nil })
	changed("the mark alone", "malformed", func(b []byte) []byte { return b[:4] })
	changed("the head alone", "malformed", func(b []byte) []byte { return b[:6+org] })
	changed("no signature", "malformed", func(b []byte) []byte { return b[:len(b)-64] })
	add("a ticket code", "malformed", append([]byte("SD1:"), signedBy(privates[1], aToken().body())...), nil)
	return vectors
}

func historyVectors() []historyVector {
	list := func(since, seq uint64, issued int64, entries ...entryVector) []byte {
		return listVector{Org: anOrg, Since: since, Seq: seq, Issued: issued, Revoked: entries}.signed(1)
	}
	step := func(signed []byte, reason string, seq uint64, issued int64, state ...stateVector) stepVector {
		return stepVector{Base64: base64.StdEncoding.EncodeToString(signed), Now: now, Error: reason, Seq: seq, Issued: issued, State: state}
	}
	is := func(ticket string, generation uint16, revoked bool) stateVector {
		return stateVector{ticket, generation, revoked}
	}
	const at = now - 1000
	whole := list(0, 5, at, entryVector{anID, 1}, entryVector{otherID, 65535})
	known := []stateVector{is(anID, 1, true), is(anID, 2, false), is(otherID, 1, true), is(otherID, 65535, true), is(lastID, 1, false)}
	forged := slices.Clone(list(5, 6, at, entryVector{lastID, 1}))
	forged[len(forged)-1] ^= 1

	return []historyVector{
		{Name: "what a gate hears in a night", Org: anOrg, Steps: []stepVector{
			step(whole, "", 5, at, known...),
			step(whole, "", 5, at, known...),
			step(list(5, 5, at+60), "", 5, at+60, known...),
			step(whole, "stale", 5, at+60, known...),
			step(list(5, 6, at+90, entryVector{lastID, 1}), "", 6, at+90, is(anID, 1, true), is(lastID, 1, true), is(lastID, 2, false)),
			step(list(6, 8, at+120, entryVector{anID, 2}, entryVector{lastID, 0}), "", 8, at+120, is(anID, 2, true), is(anID, 3, false), is(lastID, 1, false)),
			step(list(5, 9, at+180, entryVector{anID, 3}, entryVector{lastID, 0}), "", 9, at+180, is(anID, 3, true), is(lastID, 1, false), is(otherID, 1, true)),
			step(list(6, 8, at+120, entryVector{anID, 2}, entryVector{lastID, 0}), "stale", 9, at+180, is(anID, 3, true)),
			step(list(10, 11, at+240, entryVector{lastID, 1}), "gap", 9, at+180, is(lastID, 1, false)),
			step(list(0, 11, at+300, entryVector{lastID, 1}), "", 11, at+300, is(anID, 1, false), is(otherID, 1, false), is(lastID, 1, true)),
		}},
		{Name: "the first list must be whole", Org: anOrg, Steps: []stepVector{
			step(list(4, 5, at, entryVector{anID, 1}), "gap", 0, 0, is(anID, 1, false)),
			step(list(0, 0, at), "", 0, at, is(anID, 1, false)),
			step(list(0, 1, at, entryVector{anID, 1}), "", 1, at, is(anID, 1, true)),
		}},
		{Name: "what is refused changes nothing", Org: anOrg, Steps: []stepVector{
			step(whole, "", 5, at, known...),
			step(forged, "bad_signature", 5, at, known...),
			step(listVector{Org: otherOrg, Since: 5, Seq: 6, Issued: at + 60, Revoked: []entryVector{{lastID, 1}}}.signed(1), "wrong_org", 5, at, known...),
			step(whole[:len(whole)-1], "malformed", 5, at, known...),
			step(listVector{Org: anOrg, Since: 5, Seq: 6, Issued: at, Revoked: []entryVector{{lastID, 1}}}.signed(4), "unknown_key", 5, at, known...),
			step(list(0, 4, at+60, entryVector{lastID, 1}), "stale", 5, at, known...),
		}},
		{Name: "the server's clock was set back", Org: anOrg, Steps: []stepVector{
			step(whole, "", 5, at, known...),
			step(list(5, 6, at-3600, entryVector{lastID, 1}), "", 6, at, is(lastID, 1, true)),
		}},
		{Name: "another organisation's gate", Org: otherOrg, Steps: []stepVector{
			step(whole, "wrong_org", 0, 0, is(anID, 1, false)),
		}},
	}
}

func shortCodeVectors() []shortCodeVector {
	code := plainShortCode("7K2MQ9XD4T")
	looks := plainShortCode("01V01V01VA")
	good := func(name, typed, code string) shortCodeVector {
		return shortCodeVector{Name: name, Typed: typed, Code: code}
	}
	bad := func(name, reason, typed string) shortCodeVector {
		return shortCodeVector{Name: name, Typed: typed, Error: reason}
	}
	swapped := []byte(code)
	swapped[5], swapped[6] = swapped[6], swapped[5]
	return []shortCodeVector{
		good("as printed", code, code),
		good("lower case", strings.ToLower(code), code),
		good("no hyphens", strings.ReplaceAll(code, "-", ""), code),
		good("spaces", " "+strings.ReplaceAll(code, "-", " ")+" ", code),
		good("other hyphens and spaces", strings.ReplaceAll(code, "-", "\u2013\u00a0"), code),
		good("zeros", "0000-0000-0000", "0000-0000-0000"),
		good("the letter O", "OOOO-oooo-OOOO", "0000-0000-0000"),
		good("as printed, with what is easily mistaken", looks, looks),
		good("O, I and U", strings.NewReplacer("0", "O", "1", "I", "V", "U").Replace(looks), looks),
		good("o, l and u", strings.NewReplacer("0", "o", "1", "l", "V", "u").Replace(looks), looks),
		bad("one character changed", "mistyped", "8"+code[1:]),
		bad("two neighbours changed places", "mistyped", string(swapped)),
		bad("nothing", "malformed", ""),
		bad("a character less", "malformed", code[1:]),
		bad("a character more", "malformed", code+"0"),
		bad("a character outside the alphabet", "malformed", "*"+code[1:]),
		bad("a line end behind", "malformed", code+"\n"),
		bad("a letter beyond ASCII", "malformed", "\u0416"+code[1:]),
		bad("digits of another script", "malformed", "\u0660"+code[1:]),
		bad("a long s", "malformed", "\u017f"+code[1:]),
		bad("64 spaces around it", "malformed", strings.Repeat(" ", 64)+code),
	}
}

func aRotation() rotationVector {
	return rotationVector{Seed: hex.EncodeToString(aSeed), Period: 30, Algorithm: "SHA1"}
}

func rotatingVectors() []rotatingVector {
	var vectors []rotatingVector
	r := aRotation()
	const at = now / 30 * 30 // the first second of a period
	good := func(name string, r rotationVector, shown, at int64, change func(*tokenVector)) {
		t := aToken()
		change(&t)
		vectors = append(vectors, rotatingVector{
			Name: name, Rotation: r, Text: r.text(t, shown), Now: at, Token: &t, Secret: hex.EncodeToString(r.secret(t)),
		})
	}
	bad := func(name, reason, text string, at int64) {
		vectors = append(vectors, rotatingVector{Name: name, Rotation: r, Text: text, Now: at, Error: reason})
	}
	same := func(*tokenVector) {}
	sha256Rotation, fast := r, r
	sha256Rotation.Algorithm, fast.Period = "SHA256", 15

	good("SHA1", r, at, at, same)
	good("SHA256", sha256Rotation, at, at, same)
	good("a period of 15 seconds", fast, at, at+29, same)
	good("another generation", r, at, at, func(t *tokenVector) { t.Generation = 258 })
	good("another ticket", r, at, at, func(t *tokenVector) { t.Ticket = otherID })
	good("another class: the secret is the same", r, at, at, func(t *tokenVector) { t.Class = 9 })
	good("shown at the last second of its period", r, at+29, at, same)
	good("the end of the next period", r, at, at+59, same)
	good("the beginning of the period before", r, at, at-30, same)

	text := r.text(aToken(), at)
	bad("two periods old", "not_current", text, at+60)
	bad("two periods ahead", "not_current", text, at-31)
	bad("the time moved on, the password kept", "not_current", fmt.Sprintf("%s-%d-%s", aToken().text(), at+30, text[166:]), at+30)
	bad("the password of another period", "not_current", fmt.Sprintf("%s-%d-%s", aToken().text(), at, plainTOTP("SHA1", r.secret(aToken()), at/30-1)), at)
	older := aToken()
	older.Generation = 2
	bad("the password of another generation", "not_current", fmt.Sprintf("%s-%d-%s", aToken().text(), at, plainTOTP("SHA1", r.secret(older), at/30)), at)
	bad("the password of the other algorithm", "not_current", fmt.Sprintf("%s-%d-%s", aToken().text(), at, plainTOTP("SHA256", sha256Rotation.secret(aToken()), at/30)), at)
	bad("a static code", "not_rotating", aToken().text(), at)
	forged := printed(signedBy(stranger, aToken().body()))
	bad("a forged code, rightly rotated", "bad_signature", forged+text[154:], at)
	bad("the window is over", "too_late", r.text(aToken(), closes), closes)
	bad("nothing", "malformed", "", at)
	bad("nothing before the time", "malformed", text[154:], at)
	bad("a character less", "malformed", text[:173], at)
	bad("a character more", "malformed", text+"0", at)
	bad("no first hyphen", "malformed", text[:154]+"+"+text[155:], at)
	bad("no second hyphen", "malformed", text[:165]+" "+text[166:], at)
	bad("a time with a leading zero", "malformed", text[:155]+"0"+text[156:], at)
	bad("a time with a sign", "malformed", text[:155]+"+"+text[156:], at)
	bad("a password with a letter", "malformed", text[:173]+"A", at)
	bad("a pattern that nobody filled in", "malformed", aToken().text()+"-{totp_timestamp_seconds}-{totp_value_0}", at)
	return vectors
}
