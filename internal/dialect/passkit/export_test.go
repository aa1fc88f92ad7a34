package passkit

// For fuzzing.
var (
	PushToken = pushToken
	LogLines  = logLines
)
