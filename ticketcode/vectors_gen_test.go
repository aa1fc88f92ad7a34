package ticketcode_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"math/big"
	"slices"
	"strings"
)

// What testdata/vectors.json holds, and how its codes are made: from a plain reading of the package's page that shares nothing with the
// package under test.

type vectorFile struct {
	Description []string           `json:"description"`
	Signers     []signerVector     `json:"signers"`
	KeySet      json.RawMessage    `json:"keySet"`
	Base45      []base45Vector     `json:"base45"`
	Tags        []tagVector        `json:"tags"`
	TicketIDs   []ticketIDVector   `json:"ticketIds"`
	KeySets     []keySetVector     `json:"keySets"`
	Tickets     []ticketVector     `json:"tickets"`
	Revocations []revocationVector `json:"revocations"`
	Histories   []historyVector    `json:"histories"`
	ShortCodes  []shortCodeVector  `json:"shortCodes"`
	Rotating    []rotatingVector   `json:"rotating"`
}

type signerVector struct {
	ID   byte   `json:"id"`
	Seed string `json:"seed"`
}

type base45Vector struct {
	Name  string `json:"name"`
	Text  string `json:"text"`
	Hex   string `json:"hex,omitempty"`
	Error string `json:"error,omitempty"`
}

type tagVector struct {
	Org   string `json:"org"`
	Event string `json:"event"`
	Tag   string `json:"tag"`
}

type ticketIDVector struct {
	Hex  string `json:"hex"`
	Text string `json:"text"`
}

type keySetVector struct {
	Name  string `json:"name"`
	JSON  string `json:"json"`
	IDs   []int  `json:"ids,omitempty"`
	Error string `json:"error,omitempty"`
}

type ticketVector struct {
	Name  string       `json:"name"`
	Text  string       `json:"text"`
	Now   int64        `json:"now"`
	Token *tokenVector `json:"token,omitempty"`
	Error string       `json:"error,omitempty"`
}

type tokenVector struct {
	KeyID      byte   `json:"keyId"`
	Tag        string `json:"tag"`
	Ticket     string `json:"ticket"`
	Generation uint16 `json:"generation"`
	Class      uint16 `json:"class"`
	ValidFrom  int64  `json:"validFrom,omitempty"`
	ValidUntil int64  `json:"validUntil,omitempty"`
}

type revocationVector struct {
	Name   string      `json:"name"`
	Base64 string      `json:"base64"`
	Now    int64       `json:"now"`
	List   *listVector `json:"list,omitempty"`
	Error  string      `json:"error,omitempty"`
}

type listVector struct {
	Org     string        `json:"org"`
	Since   uint64        `json:"since"`
	Seq     uint64        `json:"seq"`
	Issued  int64         `json:"issued"`
	Revoked []entryVector `json:"revoked"`
}

type entryVector struct {
	Ticket  string `json:"ticket"`
	Through uint16 `json:"through"`
}

type historyVector struct {
	Name  string       `json:"name"`
	Org   string       `json:"org"`
	Steps []stepVector `json:"steps"`
}

type stepVector struct {
	Base64 string        `json:"base64"`
	Now    int64         `json:"now"`
	Error  string        `json:"error,omitempty"`
	Seq    uint64        `json:"seq"`
	Issued int64         `json:"issued"`
	State  []stateVector `json:"state"`
}

type stateVector struct {
	Ticket     string `json:"ticket"`
	Generation uint16 `json:"generation"`
	Revoked    bool   `json:"revoked"`
}

type shortCodeVector struct {
	Name  string `json:"name"`
	Typed string `json:"typed"`
	Code  string `json:"code,omitempty"`
	Error string `json:"error,omitempty"`
}

type rotationVector struct {
	Seed      string `json:"seed"`
	Period    int64  `json:"period"`
	Algorithm string `json:"algorithm"`
}

type rotatingVector struct {
	Name     string         `json:"name"`
	Rotation rotationVector `json:"rotation"`
	Text     string         `json:"text"`
	Now      int64          `json:"now"`
	Token    *tokenVector   `json:"token,omitempty"`
	Secret   string         `json:"secret,omitempty"`
	Error    string         `json:"error,omitempty"`
}

var description = []string{
	"Test vectors for Stagedoor's ticket codes. Made by `go test ./ticketcode -run TestVectors -update`; do not edit. What the fields of a code mean stands in doc.go.",
	"Bytes are in lower-case hexadecimal, or in base64 where the name says so; times are Unix seconds, and 'now' is the verifier's clock. Without 'error' a vector must be accepted and give what stands beside it; with it, it must be refused. That it is refused matters; an implementation may give another reason.",
	"signers: the private keys (RFC 8032 seeds) that have signed; a signer must make the same bytes. keySet: the published keys of the organisation, by which all tickets, revocations, histories and rotating codes are verified. Key 1 counts until 1790000000, key 2 from 1786000000 on, key 3 from 1788000000 on, key 4 until 1786990000.",
	"base45: 'text' decodes to 'hex'. tags: 'tag' is that of 'event' of 'org'. ticketIds: how an id is printed.",
	"keySets: 'json' is a document; 'ids' are those of its keys.",
	"tickets: 'text' is what was scanned, 'token' what it says. A bound of the window that is not there is open.",
	"revocations: a signed list and what it says. histories: lists that are applied one after the other to a gate that begins with nothing; after each step, also one that is refused, the gate has 'seq' and 'issued', and 'state' says which generations are revoked.",
	"shortCodes: 'typed' is taken for 'code'. rotating: 'text' is what was scanned, 'secret' that of the ticket's generation.",
}

const (
	anOrg    = "org_06f3k2m9q8xd7tza5w1c4e0gbh"
	otherOrg = "org_06f3k2m9q8xd7tza5w1c4e0gbj"
	anEvent  = "evn_06f3k2mb0hq4s7n2v5y8z1x3wc"

	doors  = 1786980000 // the window of the genuine ticket
	closes = 1787040000
	now    = 1787000000

	anID    = "0198a1b2c3d47e5f8091a2b3c4d5e6f7"
	otherID = "0198a1b2c3d47e5f8091a2b3c4d5e6f8"
	lastID  = "ffffffffffffffffffffffffffffffff"
)

func seed(name string) []byte {
	sum := sha256.Sum256([]byte("stagedoor test vectors: " + name))
	return sum[:]
}

var (
	privates = map[byte]ed25519.PrivateKey{
		1: ed25519.NewKeyFromSeed(seed("key 1")),
		2: ed25519.NewKeyFromSeed(seed("key 2")),
		3: ed25519.NewKeyFromSeed(seed("key 3")),
		4: ed25519.NewKeyFromSeed(seed("key 4")),
	}
	stranger = ed25519.NewKeyFromSeed(seed("a stranger's key"))
	aSeed    = seed("an event's seed")
)

// The forms, read plainly.

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

const letters45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

func plainBase45(b []byte) string {
	var out []byte
	for chunk := range slices.Chunk(b, 2) {
		n, width := 0, len(chunk)+1
		for _, c := range chunk {
			n = n*256 + int(c)
		}
		for range width {
			out = append(out, letters45[n%45])
			n /= 45
		}
	}
	return string(out)
}

func plainTag(org, event string) string {
	text := fmt.Sprintf("stagedoor ticket tag 1\x00\x00\x00\x00%c%s%s", rune(len(org)), org, event)
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:6])
}

func (t tokenVector) body() []byte {
	b := append([]byte{1, t.KeyID}, unhex(t.Tag)...)
	b = append(b, unhex(t.Ticket)...)
	b = append(b, byte(t.Generation>>8), byte(t.Generation), byte(t.Class>>8), byte(t.Class))
	until := t.ValidUntil
	if until == 0 {
		until = 0xffffffff
	}
	for _, n := range []int64{t.ValidFrom, until} {
		b = append(b, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return b
}

func signedBy(private ed25519.PrivateKey, body []byte) []byte {
	return append(slices.Clone(body), ed25519.Sign(private, []byte("SD1:"+string(body)))...)
}

func printed(b []byte) string { return "SD1:" + plainBase45(b) }

func (t tokenVector) text() string { return printed(signedBy(privates[t.KeyID], t.body())) }

func aToken() tokenVector {
	return tokenVector{KeyID: 1, Tag: plainTag(anOrg, anEvent), Ticket: anID, Generation: 1, Class: 3, ValidFrom: doors, ValidUntil: closes}
}

func plainJWK(id byte, bounds string) string {
	x := base64.RawURLEncoding.EncodeToString(privates[id][32:])
	return fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","kid":"%d","use":"sig","alg":"EdDSA","x":"%s"%s}`, id, x, bounds)
}

func plainKeySet() string {
	return `{"org":"` + anOrg + `","keys":[` + strings.Join([]string{
		plainJWK(1, `,"exp":1790000000`),
		plainJWK(2, `,"nbf":1786000000`),
		plainJWK(3, `,"nbf":1788000000`),
		plainJWK(4, `,"exp":1786990000`),
	}, ",") + `]}`
}

func (l listVector) body(id byte) []byte {
	b := append([]byte("SDR1"), id, byte(len(l.Org)))
	b = append(b, l.Org...)
	b = binary.BigEndian.AppendUint64(b, l.Since)
	b = binary.BigEndian.AppendUint64(b, l.Seq)
	b = binary.BigEndian.AppendUint32(b, uint32(l.Issued))
	b = binary.BigEndian.AppendUint32(b, uint32(len(l.Revoked)))
	for _, e := range l.Revoked {
		b = append(b, unhex(e.Ticket)...)
		b = append(b, byte(e.Through>>8), byte(e.Through))
	}
	return b
}

func signList(id byte, body []byte) []byte {
	return append(slices.Clone(body), ed25519.Sign(privates[id], body)...)
}

func (l listVector) signed(id byte) []byte { return signList(id, l.body(id)) }

func aList() listVector {
	return listVector{Org: anOrg, Since: 0, Seq: 2, Issued: now - 60, Revoked: []entryVector{{anID, 1}, {otherID, 65535}}}
}

// plainHKDF is RFC 5869 for at most one block of SHA-256.
func plainHKDF(secret []byte, info string, size int) []byte {
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	return mac(mac(make([]byte, 32), string(secret)), info+"\x01")[:size]
}

func (r rotationVector) secret(t tokenVector) []byte {
	size := map[string]int{"SHA1": 20, "SHA256": 32}[r.Algorithm]
	generation := string([]byte{byte(t.Generation >> 8), byte(t.Generation)})
	info := "stagedoor rotating ticket 1 " + r.Algorithm + "\x00" + string(unhex(t.Ticket)) + generation
	return plainHKDF(unhex(r.Seed), info, size)
}

// plainTOTP is RFC 6238's example in Java, read into Go; TestPlainTOTP holds it to the RFC's values.
func plainTOTP(algorithm string, secret []byte, step int64) string {
	h := map[string]func() hash.Hash{"SHA1": sha1.New, "SHA256": sha256.New}[algorithm]
	mac := hmac.New(h, secret)
	for shift := 56; shift >= 0; shift -= 8 {
		mac.Write([]byte{byte(step >> shift)})
	}
	sum := mac.Sum(nil)
	o := int(sum[len(sum)-1] & 15)
	n := int(sum[o]&127)<<24 | int(sum[o+1])<<16 | int(sum[o+2])<<8 | int(sum[o+3])
	return fmt.Sprintf("%08d", n%100000000)
}

func (r rotationVector) text(t tokenVector, shown int64) string {
	return fmt.Sprintf("%s-%d-%s", t.text(), shown, plainTOTP(r.Algorithm, r.secret(t), shown/r.Period))
}

const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// times multiplies in GF(32) by long multiplication and division by x^5+x^2+1.
func times(a, b int) int {
	product := 0
	for i := range 5 {
		if b>>i&1 == 1 {
			product ^= a << i
		}
	}
	for i := 8; i >= 5; i-- {
		if product>>i&1 == 1 {
			product ^= 0b100101 << (i - 5)
		}
	}
	return product
}

// plainShortCode tries all check characters for ten characters.
func plainShortCode(ten string) string {
	for i := range 32 * 32 {
		code := ten + string(crockford[i/32]) + string(crockford[i%32])
		sum, value := 0, 0
		for place, c := range []byte(code) {
			d := strings.IndexByte(crockford, c)
			sum ^= d
			for range 11 - place {
				d = times(d, 2)
			}
			value ^= d
		}
		if sum == 0 && value == 0 {
			return code[:4] + "-" + code[4:8] + "-" + code[8:]
		}
	}
	panic("no check characters for " + ten)
}

func generateVectors() vectorFile {
	file := vectorFile{
		Description: description,
		KeySet:      json.RawMessage(plainKeySet()),
		Base45:      base45Vectors(),
		KeySets:     keySetVectors(),
		Tickets:     ticketVectors(),
		Revocations: revocationVectors(),
		Histories:   historyVectors(),
		ShortCodes:  shortCodeVectors(),
		Rotating:    rotatingVectors(),
		TicketIDs: []ticketIDVector{
			{"00000000000000000000000000000001", "tkt_00000000000000000000000004"},
			{anID, "tkt_" + plainCrockford(unhex(anID))},
			{lastID, "tkt_zzzzzzzzzzzzzzzzzzzzzzzzzw"},
		},
	}
	for id := range byte(len(privates)) {
		file.Signers = append(file.Signers, signerVector{id + 1, hex.EncodeToString(privates[id+1].Seed())})
	}
	for _, pair := range [][2]string{{anOrg, anEvent}, {otherOrg, anEvent}, {anOrg, "JAZZ"}, {"o", "rg"}, {"or", "g"}} {
		file.Tags = append(file.Tags, tagVector{pair[0], pair[1], plainTag(pair[0], pair[1])})
	}
	return file
}

// plainCrockford reads the bytes as one number, from the left, five bits a character.
func plainCrockford(b []byte) string {
	n := new(big.Int).Lsh(new(big.Int).SetBytes(b), 2) // 130 bits
	out := make([]byte, 26)
	for i := range out {
		digit := new(big.Int).Rsh(n, uint(5*(25-i)))
		out[i] = strings.ToLower(crockford)[digit.And(digit, big.NewInt(31)).Int64()]
	}
	return string(out)
}
