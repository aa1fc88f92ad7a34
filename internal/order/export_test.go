package order

// What tests try on many values without a database.
var (
	Number     = number
	ValidEmail = validEmail
)
