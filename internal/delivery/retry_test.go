package delivery

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stagedoorhq/stagedoor/internal/id"
)

// Security checklist, line 33. The function is not to be seen from outside but by waiting for days.

func anyDelivery(t *rapid.T) id.Delivery {
	return id.Delivery{
		Day: rapid.Int32Range(0, 65535).Draw(t, "day"), Seq: rapid.Int64Range(1, 1<<52-1).Draw(t, "seq"), Endpoint: rapid.Int64Range(1, 1<<40-1).Draw(t, "endpoint"),
	}
}

func TestBackoffStaysWithinAFifthOfItsDelay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		delays := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) time.Duration {
			return time.Duration(rapid.Int64Range(1, int64(24*time.Hour)).Draw(t, "delay"))
		}), 0, 40).Draw(t, "delays")
		d := anyDelivery(t)
		made, earlier := rapid.IntRange(0, 10_000).Draw(t, "made"), rapid.IntRange(0, 10_000).Draw(t, "earlier")
		wait, again := backoff(delays, d, made+earlier, made, 0)
		if wantAgain := made >= 1 && made <= len(delays); again != wantAgain {
			t.Fatalf("backoff(%d delays, made %d) again = %v, want %v", len(delays), made, again, wantAgain)
		}
		if !again {
			if wait != 0 {
				t.Fatalf("backoff without another attempt waits %v", wait)
			}
			return
		}
		base := delays[made-1]
		if wait < base-base/5 || wait > base+base/5 || wait < 0 {
			t.Fatalf("backoff(%v, attempt %d) = %v, want within a fifth", base, made+earlier, wait)
		}
		if twice, _ := backoff(delays, d, made+earlier, made, 0); twice != wait {
			t.Fatalf("backoff of the same attempt is %v and %v", wait, twice)
		}
		asked := time.Duration(rapid.Int64Range(0, int64(24*time.Hour)).Draw(t, "asked"))
		if longer, _ := backoff(delays, d, made+earlier, made, asked); longer != max(wait, asked) {
			t.Fatalf("backoff with a wish of %v is %v, want the longer of it and %v", asked, longer, wait)
		}
	})
}

// Growing delays that are at least half as long again each time grow with their jitter too.
func TestBackoffGrows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, delays := anyDelivery(t), Usual().Delays
		var waits []time.Duration
		for made := 1; made <= len(delays); made++ {
			wait, _ := backoff(delays, d, made, made, 0)
			waits = append(waits, wait)
		}
		if !slices.IsSorted(waits) {
			t.Fatalf("the waits of %v are %v", d, waits)
		}
	})
}

func TestBackoffSpreadsDeliveries(t *testing.T) {
	const n = 10_000
	var fifths [5]int
	for seq := range int64(n) {
		wait, _ := backoff([]time.Duration{10 * time.Second}, id.Delivery{Day: 20000, Seq: seq + 1, Endpoint: 1}, 1, 1, 0)
		fifths[min(4, int((wait-8*time.Second)*5/(4*time.Second)))]++
	}
	for i, got := range fifths {
		if got < n/5*8/10 || got > n/5*12/10 {
			t.Errorf("%d of %d waits fall into the part %d of 5, want about a fifth: %v", got, n, i+1, fifths)
		}
	}
}

func TestCircuitOpensLongerEachTimeAndNotForOldAttempts(t *testing.T) {
	var c circuit
	now := time.Unix(1_000_000, 0)
	began := now
	for range 3 {
		c.fail(began, now, 3, 0)
	}
	if got := c.until.Sub(now); got != firstRest {
		t.Fatalf("after three failures it rests %v, want %v", got, firstRest)
	}
	for range 16 { // they were under way when it opened
		c.fail(began.Add(-time.Second), now.Add(time.Millisecond), 3, 0)
	}
	if got := c.until.Sub(now); got != firstRest {
		t.Errorf("after failures of attempts that had begun before, it rests %v, want %v", got, firstRest)
	}
	want := firstRest
	for range 10 { // probes
		began = c.until
		now = began.Add(time.Millisecond)
		c.fail(began, now, 3, 0)
		want = min(2*want, maxRest)
		if got := c.until.Sub(now); got != want {
			t.Fatalf("after a probe that failed it rests %v, want %v", got, want)
		}
	}
	if !c.succeed() || c.open() || c.failures != 0 {
		t.Errorf("after a success it is %+v, want it closed", c)
	}
	c.fail(now, now, 3, time.Hour)
	if got := c.until.Sub(now); got != maxRest {
		t.Errorf("asked for an hour it rests %v, want %v", got, maxRest)
	}
}
