package delivery

import (
	"encoding/binary"
	"hash/fnv"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/id"
)

// backoff returns how long to wait before the next attempt, and false when there is none. made is how many attempts of the present series have been
// made. The wait is the made'th delay, varied by up to a fifth either way; it is a pure function of the delivery and the attempt, so
// that every node says the same. atLeast is what the receiver asked for.
func backoff(delays []time.Duration, d id.Delivery, attempt, made int, atLeast time.Duration) (time.Duration, bool) {
	if made < 1 || made > len(delays) {
		return 0, false
	}
	base := delays[made-1]
	spread := int64(base / 5)
	wait := base
	if spread > 0 {
		wait += time.Duration(int64(chance(d, attempt)%uint64(2*spread+1)) - spread)
	}
	return max(wait, atLeast), true
}

// chance is a number that looks random and depends only on the delivery and the attempt.
func chance(d id.Delivery, attempt int) uint64 {
	u := d.UUID()
	h := fnv.New64a()
	_, _ = h.Write(u[:])
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(attempt))
	_, _ = h.Write(b[:])
	x := h.Sum64() // FNV's low bits are weak for short inputs: mix them
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return x
}
