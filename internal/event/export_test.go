package event

// Instant is instant, for tests that try it on every zone without a database.
var Instant = instant
