package bench

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

const (
	// subBits sets the resolution: every power of two is cut into 1<<subBits equal buckets, so a value is known to within 0.4 %.
	subBits = 7
	// maxBits bounds the range: 1<<42 ns are 73 minutes. What is longer counts as that.
	maxBits = 42
	buckets = (maxBits - subBits + 1) << subBits
)

// histogram counts durations. Its methods may be called from several goroutines.
type histogram struct {
	counts [buckets]atomic.Uint32
	total  atomic.Int64
	max    atomic.Int64
}

// add counts one duration; a negative one, which two clocks can bring about, counts as zero.
func (h *histogram) add(d time.Duration) {
	v := min(max(int64(d), 0), 1<<maxBits-1)
	h.counts[bucket(uint64(v))].Add(1)
	h.total.Add(1)
	for m := h.max.Load(); v > m && !h.max.CompareAndSwap(m, v); m = h.max.Load() {
	}
}

// bucket numbers the buckets without a gap: values below 1<<(subBits+1) have one each.
func bucket(v uint64) int {
	shift := max(bits.Len64(v)-subBits-1, 0)
	return shift<<subBits + int(v>>shift) // #nosec G115 -- at most 1<<(subBits+1) after the shift
}

// middle is the value in the middle of a bucket.
func middle(b int) time.Duration {
	if b < 2<<subBits {
		return time.Duration(b)
	}
	shift := b>>subBits - 1
	low := int64(b-shift<<subBits) << shift
	return time.Duration(low + int64(1)<<shift/2)
}

// quantile is the value that the part q of all durations does not exceed, 0 where there are none.
func (h *histogram) quantile(q float64) time.Duration {
	rank := int64(math.Ceil(q * float64(h.total.Load())))
	var seen int64
	for b := range h.counts {
		if seen += int64(h.counts[b].Load()); seen >= max(rank, 1) {
			return min(middle(b), time.Duration(h.max.Load()))
		}
	}
	return 0
}

// quantiles is nil where nothing was counted.
func (h *histogram) quantiles() *Quantiles {
	if h.total.Load() == 0 {
		return nil
	}
	return &Quantiles{
		Count: h.total.Load(),
		P50:   millis(h.quantile(0.50)),
		P99:   millis(h.quantile(0.99)),
		Max:   millis(time.Duration(h.max.Load())),
	}
}

func millis(d time.Duration) float64 { return math.Round(d.Seconds()*1e6) / 1e3 }
