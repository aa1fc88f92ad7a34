package live

// Reread reads a cursor and writes it again.
func Reread(s string) (string, bool) {
	c, ok := parseCursor(s)
	return string(c.append(nil)), ok
}
