package webhook_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"strconv"
	"strings"
)

// The cases of testdata/vectors.json, scheme by scheme.

func portalVectors() []vector {
	now := strconv.Itoa(sentAt)
	genuine := portalMAC(oldSecret, sentAt, []byte(aJSON))
	c := &collection{scheme: "portal", keys: one(oldSecret), body: []byte(aJSON), headers: portalHeaders(genuine, now)}
	sign := vectorSign{Keys: one(oldSecret), ID: aDelivery, Event: anEvent, Time: sentAt}

	for _, b := range bodies {
		c.signed(b.name, sign, c.keys, portalHeaders(portalMAC(oldSecret, sentAt, b.body.bytes()), now), b.body)
	}
	plain := "a secret that is not base64!"
	c.signed("any printed secret", vectorSign{Keys: one(plain), ID: aDelivery, Event: anEvent, Time: sentAt}, one(plain),
		portalHeaders(portalMAC(plain, sentAt, c.body), now), bodyOf(c.body))

	next := vectorHeader{Name: "x-webhook-signature-next", Value: portalMAC(newSecret, sentAt, c.body)}
	rotation := sign
	rotation.Keys = []vectorKey{{Key: oldSecret, Until: sentAt + 1}, {Key: newSecret}}
	both := append(portalHeaders(genuine, now), next)
	c.signed("rotation, receiver has the old secret", rotation, one(oldSecret), both, bodyOf(c.body))
	c.signed("rotation, receiver has the new secret", rotation, one(newSecret), both, bodyOf(c.body))
	over := sign
	over.Keys = []vectorKey{{Key: oldSecret, Until: sentAt}, {Key: newSecret}}
	c.signed("rotation over", over, one(newSecret), portalHeaders(next.Value, now), bodyOf(c.body))
	c.add("rotation over, receiver has the old secret", "no_match", func(v *vector) { v.Headers = portalHeaders(next.Value, now) })
	c.add("only signature and timestamp, as HookBridge sends them", "", func(v *vector) { v.Headers = v.Headers[:2] })

	c.bodyCases()
	c.presenceCases("x-webhook-signature", "x-webhook-timestamp")
	c.timeCases("x-webhook-timestamp", func(timestamp string) []vectorHeader {
		return portalHeaders("sha256="+hexMAC(oldSecret, timestamp+"."+aJSON), timestamp)
	})
	c.keyCases(oldSecret, newSecret, otherSecret)
	c.listCases("x-webhook-signature", ",", genuine, portalMAC(otherSecret, sentAt, c.body))

	shapes := []struct{ name, reason, value string }{
		{"signature truncated", "no_match", genuine[:len(genuine)-1]},
		{"signature of one byte", "no_match", genuine[:len("sha256=")+2]},
		{"signature extended", "no_match", genuine + "0"},
		{"signature empty", "malformed", "sha256="},
		{"signature without algorithm", "malformed", strings.TrimPrefix(genuine, "sha256=")},
		{"algorithm empty", "malformed", strings.TrimPrefix(genuine, "sha256")},
		{"signature in capitals", "no_match", "sha256=" + strings.ToUpper(strings.TrimPrefix(genuine, "sha256="))},
		{"algorithm in capitals", "no_match", "SHA256=" + strings.TrimPrefix(genuine, "sha256=")},
		{"other algorithm", "no_match", "sha512=" + strings.TrimPrefix(genuine, "sha256=")},
		{"other algorithm, then ours", "", "sha512=" + strings.Repeat("0", 128) + "," + genuine},
		{"space before", "malformed", " " + genuine},
		{"space behind", "malformed", genuine + " "},
		{"space after the comma", "malformed", portalMAC(otherSecret, sentAt, c.body) + ", " + genuine},
		{"space after the mark", "malformed", strings.Replace(genuine, "=", "= ", 1)},
		{"line end behind", "malformed", genuine + "\n"},
		{"signature of the body alone", "no_match", "sha256=" + hexMAC(oldSecret, aJSON)},
		{"signed with the empty secret", "no_match", portalMAC("", sentAt, c.body)},
		{"signed with the decoded secret", "no_match", portalMAC("stagedoor-test-vectors-old-secre", sentAt, c.body)},
	}
	for _, s := range shapes {
		c.header(s.name, s.reason, "x-webhook-signature", s.value)
	}
	c.add("next signature malformed", "malformed", func(v *vector) {
		v.Headers = append(v.Headers, vectorHeader{Name: next.Name, Value: "sha256="})
	})
	c.add("next signature twice", "malformed", func(v *vector) { v.Headers = append(v.Headers, next, next) })
	c.add("next signature alone", "missing_header", func(v *vector) {
		v.drop("x-webhook-signature")
		v.Headers = append(v.Headers, next)
	})
	c.add("17 signatures in two headers", "malformed", func(v *vector) {
		*v.header("x-webhook-signature") = vectorHeader{Name: "x-webhook-signature", Repeat: next.Value + ",", Times: 15, Value: next.Value}
		v.Headers = append(v.Headers, vectorHeader{Name: next.Name, Value: genuine})
	})
	return c.vectors
}

func pullupVectors() []vector {
	genuine := hexMAC(oldSecret, aJSON)
	c := &collection{scheme: "pullup", keys: one(oldSecret), body: []byte(aJSON), headers: pullupHeaders(genuine)}
	sign := vectorSign{Keys: one(oldSecret), ID: aDelivery, Event: anEvent, Time: sentAt}

	for _, b := range bodies {
		c.signed(b.name, sign, c.keys, pullupHeaders(hexMAC(oldSecret, string(b.body.bytes()))), b.body)
	}
	next := vectorHeader{Name: "x-pullup-signature-next", Value: hexMAC(newSecret, aJSON)}
	rotation := sign
	rotation.Keys = []vectorKey{{Key: oldSecret, Until: sentAt + 1}, {Key: newSecret}}
	both := append(pullupHeaders(genuine), next)
	c.signed("rotation, receiver has the old secret", rotation, one(oldSecret), both, bodyOf(c.body))
	c.signed("rotation, receiver has the new secret", rotation, one(newSecret), both, bodyOf(c.body))
	over := sign
	over.Keys = []vectorKey{{Key: oldSecret, Until: sentAt}, {Key: newSecret}}
	c.signed("rotation over", over, one(newSecret), pullupHeaders(next.Value), bodyOf(c.body))
	c.add("rotation over, receiver has the old secret", "no_match", func(v *vector) { v.Headers = pullupHeaders(next.Value) })
	c.add("only the signature", "", func(v *vector) { v.Headers = v.Headers[:1] })

	c.bodyCases()
	c.presenceCases("x-pullup-signature")
	c.keyCases(oldSecret, newSecret, otherSecret)
	shapes := []struct{ name, reason, value string }{
		{"signature truncated", "no_match", genuine[:len(genuine)-1]},
		{"signature of one byte", "no_match", genuine[:2]},
		{"signature extended", "no_match", genuine + "0"},
		{"signature in capitals", "no_match", strings.ToUpper(genuine)},
		{"other version", "no_match", "sha256=" + genuine},
		{"a list", "no_match", genuine + "," + genuine},
		{"space before", "malformed", " " + genuine},
		{"space behind", "malformed", genuine + " "},
		{"1000 signatures", "malformed", ""},
		{"signed with the empty secret", "no_match", hexMAC("", aJSON)},
	}
	for _, s := range shapes {
		c.add(s.name, s.reason, func(v *vector) {
			v.header("x-pullup-signature").Value = s.value
			if s.value == "" {
				*v.header("x-pullup-signature") = vectorHeader{Name: "x-pullup-signature", Repeat: next.Value + " ", Times: 999, Value: genuine}
			}
		})
	}
	c.add("next signature empty", "malformed", func(v *vector) {
		v.Headers = append(v.Headers, vectorHeader{Name: next.Name})
	})
	c.add("next signature alone", "missing_header", func(v *vector) {
		v.drop("x-pullup-signature")
		v.Headers = append(v.Headers, next)
	})
	return c.vectors
}

// standardCases are what v1 and v1a have in common.
func standardCases(name string, old, fresh, other vectorPair, sign func(k vectorPair, id string, at int64, body []byte) string) *collection {
	now := strconv.Itoa(sentAt)
	genuine := sign(old, anID, sentAt, []byte(aJSON))
	c := &collection{scheme: "standard " + name, keys: one(old.verify), body: []byte(aJSON), headers: standardHeaders(anID, now, genuine)}
	signed := vectorSign{Keys: one(old.sign), ID: anID, Time: sentAt}

	for _, b := range bodies {
		c.signed(b.name, signed, c.keys, standardHeaders(anID, now, sign(old, anID, sentAt, b.body.bytes())), b.body)
	}
	rotation := signed
	rotation.Keys = []vectorKey{{Key: old.sign, Until: sentAt + 1}, {Key: fresh.sign}}
	second := sign(fresh, anID, sentAt, c.body)
	both := standardHeaders(anID, now, genuine+" "+second)
	c.signed("rotation, receiver has the old key", rotation, one(old.verify), both, bodyOf(c.body))
	c.signed("rotation, receiver has the new key", rotation, one(fresh.verify), both, bodyOf(c.body))
	over := signed
	over.Keys = []vectorKey{{Key: old.sign, Until: sentAt}, {Key: fresh.sign}}
	c.signed("rotation over", over, one(fresh.verify), standardHeaders(anID, now, second), bodyOf(c.body))
	c.add("rotation over, receiver has the old key", "no_match", func(v *vector) { v.Headers = standardHeaders(anID, now, second) })

	c.bodyCases()
	c.presenceCases("webhook-id", "webhook-timestamp", "webhook-signature")
	c.timeCases("webhook-timestamp", func(timestamp string) []vectorHeader {
		return standardHeaders(anID, timestamp, genuine) // refused before the signature is looked at
	})
	c.keyCases(old.verify, fresh.verify, other.verify)
	c.listCases("webhook-signature", " ", genuine, sign(other, anID, sentAt, c.body))

	c.header("other id", "no_match", "webhook-id", anID+"0")
	c.header("id with a dot", "malformed", "webhook-id", "evt.5c1e9a2b7f")
	c.header("id with a space", "malformed", "webhook-id", anID+" ")
	version, value, _ := strings.Cut(genuine, ",")
	shapes := []struct{ name, reason, value string }{
		{"signature truncated", "no_match", genuine[:len(genuine)-1]},
		{"signature of four characters", "no_match", genuine[:len(version)+5]},
		{"signature extended", "no_match", genuine + "A"},
		{"signature empty", "malformed", version + ","},
		{"signature empty, then ours", "malformed", version + ", " + genuine},
		{"no version", "malformed", value},
		{"version empty", "malformed", "," + value},
		{"version in capitals", "no_match", strings.ToUpper(version) + "," + value},
		{"other version", "no_match", "v2," + value},
		{"other version, then ours", "", "v2,AAAA " + genuine},
		{"space behind", "malformed", genuine + " "},
		{"space after the comma", "malformed", version + ", " + value},
		{"tab between", "malformed", genuine + "\t" + genuine},
		{"without padding", "no_match", strings.TrimRight(genuine, "=")},
		{"base64 with a line end in it", "malformed", genuine[:20] + "\n" + genuine[20:]},
		{"base64 with other spare bits", "no_match", spareBits(genuine)},
	}
	for _, s := range shapes {
		c.header(s.name, s.reason, "webhook-signature", s.value)
	}
	return c
}

// A vectorPair is a key as its sender and as its receivers have it.
type vectorPair struct{ sign, verify string }

// spareBits changes the last character before the padding so that a lenient decoder sees the same bytes.
func spareBits(signature string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	i := len(strings.TrimRight(signature, "=")) - 1
	return signature[:i] + string(alphabet[strings.IndexByte(alphabet, signature[i])|1]) + signature[i+1:]
}

func standardVectors() []vector {
	now := strconv.Itoa(sentAt)
	secret := func(s string) vectorPair { return vectorPair{s, s} }
	symmetric := standardCases("v1", secret(oldSecret), secret(newSecret), secret(otherSecret),
		func(k vectorPair, id string, at int64, body []byte) string { return v1Secret(k.sign, id, at, body) })
	symmetric.header("labelled v1a", "no_match", "webhook-signature",
		"v1a"+strings.TrimPrefix(v1Secret(oldSecret, anID, sentAt, []byte(aJSON)), "v1"))
	symmetric.header("signed with an empty key", "no_match", "webhook-signature", v1MAC(nil, anID, sentAt, []byte(aJSON)))
	symmetric.header("signed with the printed secret", "no_match", "webhook-signature", v1MAC([]byte(oldSecret), anID, sentAt, []byte(aJSON)))

	third := ed25519.NewKeyFromSeed([]byte("stagedoor-test-vectors-third-one"))
	private := map[string]ed25519.PrivateKey{}
	pair := func(k ed25519.PrivateKey) vectorPair {
		private[printPrivate(k)] = k
		return vectorPair{printPrivate(k), printPublic(k)}
	}
	asymmetric := standardCases("v1a", pair(oldPrivate), pair(newPrivate), pair(third),
		func(k vectorPair, id string, at int64, body []byte) string {
			return v1aSign(private[k.sign], id, at, body)
		})
	asymmetric.header("labelled v1", "no_match", "webhook-signature",
		"v1"+strings.TrimPrefix(v1aSign(oldPrivate, anID, sentAt, []byte(aJSON)), "v1a"))
	asymmetric.header("HMAC with the public key", "no_match", "webhook-signature", v1MAC(oldPrivate[32:], anID, sentAt, []byte(aJSON)))
	asymmetric.header("HMAC with the printed public key", "no_match", "webhook-signature",
		v1MAC([]byte(printPublic(oldPrivate)), anID, sentAt, []byte(aJSON)))

	// From a shared secret to a key pair.
	mixed := standardHeaders(anID, now, v1Secret(oldSecret, anID, sentAt, []byte(aJSON))+" "+v1aSign(newPrivate, anID, sentAt, []byte(aJSON)))
	sign := vectorSign{Keys: []vectorKey{{Key: oldSecret, Until: sentAt + 1}, {Key: printPrivate(newPrivate)}}, ID: anID, Time: sentAt}
	asymmetric.signed("beside v1, receiver has the secret", sign, one(oldSecret), mixed, vectorBody{Text: aJSON})
	asymmetric.signed("beside v1, receiver has the public key", sign, one(printPublic(newPrivate)), mixed, vectorBody{Text: aJSON})

	// The examples of the reference implementation.
	reference := vectorBody{Text: `{"test": 2432232314}`}
	id, at := "msg_p5jXN8AQM9LWM0D4loKWxJek", int64(1614265330)
	published := func(name, key, verify, signature string) {
		asymmetric.add(name, "", func(v *vector) {
			v.Now, v.Keys, v.Body = at, one(verify), reference
			v.Headers = standardHeaders(id, strconv.FormatInt(at, 10), signature)
			v.Sign = &vectorSign{Keys: one(key), ID: id, Time: at}
		})
	}
	published("as published, v1", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
	seed := "VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk="
	decoded, err := base64.StdEncoding.DecodeString(seed)
	if err != nil {
		panic(err)
	}
	published("as published, v1a, private key as a seed", "whsk_"+seed, printPublic(ed25519.NewKeyFromSeed(decoded)),
		"v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag==")
	return append(symmetric.vectors, asymmetric.vectors...)
}

func staticVectors() []vector {
	const value = "Bearer desk-key-0f3a"
	c := &collection{scheme: "static", keys: one(value), body: []byte(aJSON), headers: staticHeaders(value)}
	sign := vectorSign{Keys: one(value), Time: sentAt}
	for _, b := range bodies {
		c.signed(b.name, sign, c.keys, c.headers, b.body)
	}
	rotation := sign
	rotation.Keys = []vectorKey{{Key: value, Until: sentAt + 1}, {Key: "the new value"}}
	c.signed("rotation", rotation, []vectorKey{{Key: value, Until: sentAt + 1}, {Key: "the new value"}}, c.headers, bodyOf(c.body))
	over := sign
	over.Keys = []vectorKey{{Key: value, Until: sentAt}, {Key: "the new value"}}
	c.signed("rotation over", over, over.Keys, staticHeaders("the new value"), bodyOf(c.body))

	c.presenceCases("authorization")
	c.keyCases(value, "the new value", "another value")
	shapes := []struct{ name, value string }{
		{"truncated", value[:len(value)-1]},
		{"one character", value[:1]},
		{"extended", value + "0"},
		{"without scheme", strings.TrimPrefix(value, "Bearer ")},
		{"in small letters", strings.ToLower(value)},
		{"space behind", value + " "},
		{"two spaces", strings.Replace(value, " ", "  ", 1)},
	}
	for _, s := range shapes {
		c.header(s.name, "no_match", "authorization", s.value)
	}
	return c.vectors
}

func keyVectors() []keyVector {
	sized := func(n int) string { return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{'k'}, n)) }
	mismatched := append(bytes.Clone(oldPrivate[:32]), newPrivate[32:]...)
	var all []keyVector
	add := func(scheme, use, name, key string, accepted bool) {
		all = append(all, keyVector{scheme + " " + use + ": " + name, scheme, use, key, accepted})
	}
	for _, use := range []string{"sign", "verify"} {
		for _, scheme := range []string{"portal", "pullup", "standard", "static"} {
			add(scheme, use, "empty", "", false)
			add(scheme, use, "a space", " ", false)
			add(scheme, use, "a space behind", oldSecret+" ", false)
			add(scheme, use, "a line end behind", oldSecret+"\n", false)
			add(scheme, use, "a control character", "whsec_\x00"+sized(32), false)
			add(scheme, use, "other letters", "s\u00e9cret-s\u00e9cret-s\u00e9cret-s\u00e9cret", false)
			add(scheme, use, "a shared secret", oldSecret, true)
		}
		for _, scheme := range []string{"portal", "pullup"} {
			add(scheme, use, "any text", "a secret that is not base64!", true)
			add(scheme, use, "whsec_ without base64", "whsec_not base64!", true)
			add(scheme, use, "nothing but whsec_", "whsec_", false)
			add(scheme, use, "a public key", printPublic(oldPrivate), false)
			add(scheme, use, "a private key", printPrivate(oldPrivate), false)
		}
		add("standard", use, "nothing but whsec_", "whsec_", false)
		add("standard", use, "without prefix", sized(32), false)
		add("standard", use, "prefix in capitals", "WHSEC_"+sized(32), false)
		add("standard", use, "not base64", "whsec_"+strings.Repeat("!", 44), false)
		add("standard", use, "base64 for URLs", "whsec_"+strings.Repeat("-_", 16), false)
		add("standard", use, "base64 without padding", "whsec_"+strings.TrimRight(sized(32), "="), false)
		add("standard", use, "23 bytes", "whsec_"+sized(23), false)
		add("standard", use, "24 bytes", "whsec_"+sized(24), true)
		add("standard", use, "64 bytes", "whsec_"+sized(64), true)
		add("standard", use, "65 bytes", "whsec_"+sized(65), false)
		add("standard", use, "a private key", printPrivate(oldPrivate), use == "sign")
		add("standard", use, "a private key as a seed", "whsk_"+base64.StdEncoding.EncodeToString(oldPrivate[:32]), use == "sign")
		add("standard", use, "a public key", printPublic(oldPrivate), use == "verify")
	}
	add("standard", "sign", "a private key with another's public half", "whsk_"+base64.StdEncoding.EncodeToString(mismatched), false)
	add("standard", "sign", "a private key of 63 bytes", "whsk_"+sized(63), false)
	add("standard", "sign", "a private key that is not base64", "whsk_"+strings.Repeat("!", 88), false)
	add("standard", "verify", "a public key of 31 bytes", "whpk_"+sized(31), false)
	add("standard", "verify", "a public key of 64 bytes", "whpk_"+sized(64), false)
	add("standard", "verify", "a public key that is not base64", "whpk_"+strings.Repeat("!", 44), false)
	return all
}
