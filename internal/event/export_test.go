package event

// What tests try on many values without a database.
var (
	Instant = instant
	Wall    = wall
)
