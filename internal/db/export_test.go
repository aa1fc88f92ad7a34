package db

// Waiting is how many functions have been handed to the writer and not been taken by it: tests need it to know that a group is complete.
func (d *DB) Waiting() int { return len(d.group.jobs) }
