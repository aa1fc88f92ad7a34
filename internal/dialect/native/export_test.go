package native

// ParseMessages reads the body of POST /messages and returns how many messages it has.
func ParseMessages(body []byte) (int, error) {
	b, err := parseMessages(body)
	return len(b.messages), err
}
