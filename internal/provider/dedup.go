package provider

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

const maxDedup = 10 // headers

// DedupKey is the key of an event under the configured headers, in their order: the SHA-256 (32 bytes) of the names and values of those that are present. A header
// that is there and empty differs from one that is not there, and each value is told from the next by its length. It is nil where none is present.
func DedupKey(names []string, h http.Header) []byte {
	sum, present := sha256.New(), false
	for _, name := range names {
		lines := h.Values(name)
		if len(lines) == 0 {
			continue
		}
		present = true
		writeSized(sum, strings.ToLower(name))
		writeSize(sum, len(lines))
		for _, line := range lines {
			writeSized(sum, line)
		}
	}
	if !present {
		return nil
	}
	return sum.Sum(nil)
}

func writeSized(sum hash.Hash, s string) {
	writeSize(sum, len(s))
	sum.Write([]byte(s))
}

func writeSize(sum hash.Hash, n int) {
	var size [8]byte
	binary.BigEndian.PutUint64(size[:], uint64(n))
	sum.Write(size[:])
}

// ValidateDedup returns an Invalid problem at /idempotency_header_names or at its entries: up to 10 names of headers, each once. None is valid.
func ValidateDedup(names []string) error {
	if len(names) > maxDedup {
		return problem.Field("/idempotency_header_names", "too_many", "Name up to %d headers.", maxDedup)
	}
	var faults problem.Fields
	for i, name := range names {
		pointer := "/idempotency_header_names/" + strconv.Itoa(i)
		same := func(other string) bool { return strings.EqualFold(other, name) }
		if fault := headerFault(name); fault != "" {
			faults.Add(pointer, "invalid", "%s", fault)
		} else if slices.ContainsFunc(names[:i], same) {
			faults.Add(pointer, "duplicate", "This header is named already; name each once.")
		}
	}
	return faults.Err()
}
