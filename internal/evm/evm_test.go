package evm_test

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/evm"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// addresses are the test cases of EIP-55.
var addresses = []string{
	"0x52908400098527886E0F7030069857D2E4169EE7", "0x8617E340B3D01FA5F11F306F4090FD50E238070D", // all capitals
	"0xde709f2102306220921060314715629080e2fb77", "0x27b1fdb04752bbc536007a920d24acb045561c26", // none
	"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
	"0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
}

func TestAddressesAreWrittenAsEIP55Says(t *testing.T) {
	for _, want := range addresses {
		for _, text := range []string{want, strings.ToLower(want), "0x" + strings.ToUpper(want[2:])} {
			a, err := evm.ParseAddress(text)
			if err != nil || a.String() != want {
				t.Errorf("ParseAddress(%q) = %s, %v; want %s", text, a, err, want)
			}
		}
	}
}

func TestAddressWithAWrongChecksumIsRefused(t *testing.T) {
	for _, right := range addresses[4:] {
		for i, c := range right[2:] {
			other := strings.ToUpper(string(c))
			if other == string(c) {
				other = strings.ToLower(other)
			}
			if other == string(c) {
				continue // a digit
			}
			wrong := right[:2+i] + other + right[3+i:]
			if a, err := evm.ParseAddress(wrong); !problem.Is(err, "address_checksum") || a != (evm.Address{}) {
				t.Errorf("ParseAddress(%q) = %s, %v; want address_checksum", wrong, a, err)
			}
		}
	}
}

func TestWhatIsNoAddressIsRefused(t *testing.T) {
	right := addresses[2]
	for _, text := range []string{
		"", "0x", right[2:], "0X" + right[2:], right + "0", right[:41], " " + right, right + "\n", "0x" + right[2:40] + "g0", "0x" + strings.Repeat("é", 20), "vitalik.eth",
	} {
		if a, err := evm.ParseAddress(text); !problem.Is(err, "address_invalid") || a != (evm.Address{}) {
			t.Errorf("ParseAddress(%q) = %s, %v; want address_invalid", text, a, err)
		}
	}
}

// The first are the examples of web3.js and ethers of how a message is signed, the others well-known keys: Hardhat's first account, the smallest and the largest.
var signings = []struct{ key, address, message, signature string }{
	{
		"4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318", "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23", "Some data",
		"0xb91467e570a6466aa9e9876cbcd013baba02900b8979d43fe208a4a4f339f5fd6007e74cd82e037b800186422fc2da167c747ef045e5d18a5f5d4300f8e1a0291c",
	},
	{
		"3141592653589793238462643383279502884197169399375105820974944592", "0x7357589f8e367c2C31F51242fB77B350A11830F3", "Hello World!",
		"0xea09d6e94e52b48489bd66754c9c02a772f029d4a2f136bba9917ab3042a0474301198d8c2afb71351753436b7e5a420745fed77b6c3089bbcca64113575ec3c1c",
	},
	{
		"3141592653589793238462643383279502884197169399375105820974944592", "0x7357589f8e367c2C31F51242fB77B350A11830F3",
		"\x3e\xa2\xf1\xd0\xab\xf3\xfc\x66\xcf\x29\xee\xbb\x70\xcb\xd4\xe7\xfe\x76\x2e\xf8\xa0\x9b\xcc\x06\xc8\xed\xf6\x41\x23\x0a\xfe\xc0",
		"0x5e9b7a7bd77ac21372939d386342ae58081a33bf53479152c87c1e787c27d06b118d3eccff0ace49891e192049e16b5210047068384772ba1fdb33bbcba580391c",
	},
	{"ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80", "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "", ""},
	{"0000000000000000000000000000000000000000000000000000000000000001", "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf", "Ünïcödé counts in bytes", ""},
	{"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140", "0x80C0dbf239224071c59dD8970ab9d542E3414aB2", strings.Repeat("long ", 500), ""},
}

func TestSigningAndRecovering(t *testing.T) {
	for _, s := range signings {
		k := key(t, s.key)
		if k.Address().String() != s.address {
			t.Errorf("the address of %s is %s, want %s", s.key, k.Address(), s.address)
		}
		sig := k.Sign(s.message)
		if s.signature != "" && sig.String() != s.signature {
			t.Errorf("%s signs %q with %s, want %s", s.address, s.message, sig, s.signature)
		}
		if who, err := evm.Recover(s.message, sig); err != nil || who != k.Address() {
			t.Errorf("Recover(%q, %s) = %s, %v; want %s", s.message, sig, who, err, k.Address())
		}
		if who, err := evm.Recover(s.message+".", sig); err == nil && who == k.Address() {
			t.Errorf("%s is also the signature of another message", sig)
		}
	}
}

func TestHashIsThatOfEIP191(t *testing.T) {
	const want = "1da44b586eb0729ff70a73c326926f6ed5a25f5b056e7f47fbc6e58d86871655" // of web3.js
	if got := evm.Hash("Some data"); hex.EncodeToString(got[:]) != want {
		t.Errorf("Hash(%q) = %x, want %s", "Some data", got, want)
	}
}

// A signature that counts once must not come back in another spelling.
func TestASignatureHasOneForm(t *testing.T) {
	want := signings[0].signature
	for _, text := range []string{want, want[:130] + "01", want[:130] + "1C", "0x" + strings.ToUpper(want[2:])} {
		if s, err := evm.ParseSignature(text); err != nil || s.String() != want {
			t.Errorf("ParseSignature(%q) = %s, %v; want %s", text, s, err, want)
		}
	}
}

func TestWhatIsNoSignatureIsRefused(t *testing.T) {
	const (
		order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
		half  = "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0"
		more  = "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a1"
		zero  = "0000000000000000000000000000000000000000000000000000000000000000"
		one   = "0000000000000000000000000000000000000000000000000000000000000001"
	)
	right := signings[0].signature
	r, s := right[2:66], right[66:130]
	for _, c := range []struct{ text, want string }{
		{"", "130 hexadecimal digits"},
		{right[2:], "130 hexadecimal digits"},
		{right[:130], "130 hexadecimal digits"},
		{right + "00", "130 hexadecimal digits"},
		{right[:131] + "x", "no hexadecimal digit"},
		{"0x" + r + s + "02", "v, is 2;"},
		{"0x" + r + s + "1a", "v, is 26;"},
		{"0x" + r + s + "1d", "v, is 29;"},
		{"0x" + r + s + "25", "v, is 37;"}, // as transactions have it (EIP-155)
		{"0x" + zero + s + "1b", "r is zero"},
		{"0x" + r + zero + "1b", "s is zero"},
		{"0x" + order + s + "1b", "r is not below"},
		{"0x" + r + order + "1b", "s is not below"},
		{"0x" + r + more + "1b", "upper half"},
	} {
		if got, err := evm.ParseSignature(c.text); !problem.Is(err, "signature_invalid") || !strings.Contains(err.Error(), c.want) || got != (evm.Signature{}) {
			t.Errorf("ParseSignature(%q) = %s, %v; want one that says %q", c.text, got, err, c.want)
		}
	}
	if _, err := evm.ParseSignature("0x" + one + half + "1b"); err != nil {
		t.Errorf("the largest s in the lower half: %v", err)
	}
}

// Whoever sees a signature can make the other one of the same message by the same key, which the curve takes as well.
func TestTheOtherSignatureIsRefused(t *testing.T) {
	order, _ := new(big.Int).SetString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16)
	sig := key(t, signings[0].key).Sign("Some data")
	other := sig
	new(big.Int).Sub(order, new(big.Int).SetBytes(sig[32:64])).FillBytes(other[32:64])
	other[64] ^= 27 ^ 28
	if _, err := evm.ParseSignature(other.String()); !problem.Is(err, "signature_invalid") {
		t.Errorf("ParseSignature(%s): %v, want signature_invalid", other, err)
	}
	if who, err := evm.Recover("Some data", other); !problem.Is(err, "signature_invalid") || who != (evm.Address{}) {
		t.Errorf("Recover(%s) = %s, %v; want signature_invalid", other, who, err)
	}
}

func TestASignatureOfNobodyIsRefused(t *testing.T) {
	var sig evm.Signature
	sig[31], sig[63], sig[64] = 5, 1, 27 // no point of the curve has x = 5
	for _, s := range []evm.Signature{{}, sig} {
		if who, err := evm.Recover("Some data", s); !problem.Is(err, "signature_invalid") || who != (evm.Address{}) {
			t.Errorf("Recover(%s) = %s, %v; want signature_invalid", s, who, err)
		}
	}
}

func TestKeysAreNumbersBelowTheOrder(t *testing.T) {
	for _, text := range []string{
		"", "01", strings.Repeat("00", 32), strings.Repeat("01", 31), strings.Repeat("01", 33), strings.Repeat("ff", 32),
		"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
	} {
		secret, _ := hex.DecodeString(text)
		if k, err := evm.NewKey(secret); !problem.Is(err, "key_invalid") || k != nil {
			t.Errorf("NewKey(%s) = %v, %v; want key_invalid", text, k, err)
		}
	}
}

func TestAKeyIsNotPrinted(t *testing.T) {
	k := key(t, signings[0].key)
	for _, verb := range []string{"%v", "%+v", "%s"} {
		if got := fmt.Sprintf(verb, k); got != k.Address().String() {
			t.Errorf("%s prints a key as %s", verb, got)
		}
	}
}

func key(t testing.TB, text string) *evm.Key {
	t.Helper()
	secret, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	k, err := evm.NewKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return k
}
