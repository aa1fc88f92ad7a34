package order

// What tests try on many values without a database.
var (
	Number     = NoOf
	ValidEmail = validEmail
)
