package idempotency

import "time"

// SetPatience makes twins wait shorter than 5 seconds.
func (k *Keep) SetPatience(d time.Duration) { k.patience = d }
