package pass

import (
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
)

// Carry takes the wave of an event one step further.
func (b *Book) Carry(tx *db.Tx, org, eventNo int64) (bool, error) {
	return b.carry(tx, wave{org: org, eventNo: eventNo})
}

// AtOnce is how many passes a step takes.
const AtOnce = atOnce

// OnlyByBell has a sender look for nothing by itself.
func (s *Sender) OnlyByBell() { s.poll = time.Hour }

// Bell is what wakes senders.
func (b *Book) Bell() *ledger.Bell { return &b.bell }
