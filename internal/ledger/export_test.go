package ledger

// Moved is the place with a transaction id that is higher by d, as in a cluster that had come further.
func Moved(p Place, d int64) Place {
	p.xid += d
	return p
}

// Epoch is the epoch that a ledger writes in.
func Epoch(l *Ledger) int64 { return l.epoch }
