package inbound

// NameOf makes sure that a body is one JSON object, and returns what it calls the event.
func NameOf(body []byte) (string, error) { return nameOf(body) }
