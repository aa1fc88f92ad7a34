// Package evm holds what Stagedoor has to know of Ethereum and the chains that work like it: addresses of wallets ([Address], EIP-55) and what they sign
// ([Recover], EIP-191 "personal_sign"). It does no I/O; package node asks a chain.
//
// A [Signature] is read strictly: 65 bytes, v of 0, 1, 27 or 28, and s in the lower half of the curve's order (EIP-2), so that nobody makes a second signature of
// the first. It is kept in one form, with v of 27 or 28, so that a signature that counts once can be recognised by its bytes.
package evm

import (
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/problem"
	"golang.org/x/crypto/sha3"
)

// Address is a wallet's or a contract's.
type Address [20]byte

// ParseAddress reads 0x and 40 hexadecimal digits: all in one case, or in the mixed case that is their checksum (EIP-55).
func ParseAddress(s string) (Address, error) {
	var a Address
	digits, prefixed := strings.CutPrefix(s, "0x")
	if !prefixed || len(digits) != 2*len(a) {
		return Address{}, problem.New(problem.Invalid, "address_invalid", "An address is 0x and %d hexadecimal digits.", 2*len(a))
	}
	if _, err := hex.Decode(a[:], []byte(digits)); err != nil {
		return Address{}, problem.New(problem.Invalid, "address_invalid", "The address has a character in it that is no hexadecimal digit.")
	}
	if digits != strings.ToLower(digits) && digits != strings.ToUpper(digits) && s != a.String() {
		return Address{}, problem.New(problem.Invalid, "address_checksum",
			"The checksum of the address is wrong: its letters are not in the case that EIP-55 asks for. Look for a typing error, or write the address in lower case.")
	}
	return a, nil
}

// String is the address with its checksum (EIP-55): a letter is a capital where the hash of the lower-case digits has a digit of 8 or more.
func (a Address) String() string {
	text := make([]byte, 0, 2+2*len(a))
	text = hex.AppendEncode(append(text, "0x"...), a[:])
	sum := keccak(text[2:])
	for i, c := range text[2:] {
		nibble := sum[i/2] >> 4
		if i%2 == 1 {
			nibble = sum[i/2] & 15
		}
		if c >= 'a' && nibble >= 8 {
			text[2+i] = c - 'a' + 'A'
		}
	}
	return string(text)
}

// Hash is what is signed of a message by personal_sign (EIP-191, version 0x45).
func Hash(message string) [32]byte {
	return keccak([]byte("\x19Ethereum Signed Message:\n" + strconv.Itoa(len(message)) + message))
}

// keccak is Keccak-256 as Ethereum has it, with the padding from before the standard (FIPS 202).
func keccak(text []byte) (sum [32]byte) {
	h := sha3.NewLegacyKeccak256()
	_, _ = h.Write(text) // a hash never fails
	h.Sum(sum[:0])
	return sum
}
