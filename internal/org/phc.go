package org

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// cost is what a hash is computed with (RFC 9106 §3.1).
type cost struct {
	memory uint32 // KiB
	time   uint32 // passes over the memory
	lanes  uint8
}

// today is what new passwords are hashed with: the second option of RFC 9106 §4, three passes over 64 MiB in four lanes, for servers that cannot spare
// 2 GiB. It is above what OWASP's password storage sheet asks for, 46 MiB and one pass. A hash carries its own cost, so this can be raised: older ones
// are renewed when their owner signs in.
var today = cost{memory: 64 << 10, time: 3, lanes: 4}

// The bounds of what is read from the database, so that a damaged row can neither take the memory nor the processor.
const (
	maxMemory = 1 << 20 // KiB
	maxPasses = 32
	maxLanes  = 16
	saltSize  = 16
	hashSize  = 32
)

// digest is a password's hash as it is stored, with all that is needed to compute it again.
type digest struct {
	cost
	salt, hash []byte
}

// newDigest hashes with a new salt.
func newDigest(plain string, c cost) digest {
	d := digest{cost: c, salt: make([]byte, saltSize)}
	_, _ = rand.Read(d.salt)
	d.hash = d.of(plain, hashSize)
	return d
}

func (d digest) of(plain string, size int) []byte {
	return argon2.IDKey([]byte(plain), d.salt, d.time, d.memory, d.lanes, uint32(size))
}

// String is the PHC string: $argon2id$v=19$m=65536,t=3,p=4$salt$hash, in base64 without padding.
func (d digest) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, d.memory, d.time, d.lanes, b64.EncodeToString(d.salt), b64.EncodeToString(d.hash))
}

// nobody is a hash at a cost that no password has: what is compared where there is no account, or one without a password, to take as long.
func nobody(c cost) digest {
	return digest{cost: c, salt: make([]byte, saltSize), hash: make([]byte, hashSize)}
}

var errDigest = errors.New("not an argon2id hash that this program can check")

// parseDigest reads what String wrote, and nothing that would be written otherwise.
func parseDigest(phc string) (digest, error) {
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return digest{}, errDigest
	}
	var d digest
	params := strings.Split(parts[3], ",")
	if len(params) != 3 {
		return digest{}, errDigest
	}
	memory, ok1 := parameter(params[0], "m=", maxMemory)
	passes, ok2 := parameter(params[1], "t=", maxPasses)
	lanes, ok3 := parameter(params[2], "p=", maxLanes)
	var err1, err2 error
	b64 := base64.RawStdEncoding.Strict()
	d.salt, err1 = b64.DecodeString(parts[4])
	d.hash, err2 = b64.DecodeString(parts[5])
	d.cost = cost{memory: uint32(memory), time: uint32(passes), lanes: uint8(lanes)}
	if !ok1 || !ok2 || !ok3 || err1 != nil || err2 != nil || memory < 8*lanes ||
		len(d.salt) < 8 || len(d.salt) > 64 || len(d.hash) < 16 || len(d.hash) > 64 || d.String() != phc {
		return digest{}, errDigest
	}
	return d, nil
}

// parameter reads a number of 1 to most behind a name.
func parameter(s, name string, most uint64) (uint64, bool) {
	digits, ok := strings.CutPrefix(s, name)
	n, err := strconv.ParseUint(digits, 10, 32)
	return n, ok && err == nil && n >= 1 && n <= most
}
