package live

import (
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/ledger"
)

// mark is how far a reader has come in a log: it has had everything up to the entry at the place; but where part is not 0, only so many parts of that entry.
type mark struct {
	place ledger.Place
	part  int
}

// from is the place after which the reader's next entry stands.
func (m mark) from() ledger.Place {
	if m.part > 0 {
		return m.place.Before()
	}
	return m.place
}

func (m mark) append(b []byte) []byte {
	b = append(b, m.place.String()...)
	if m.part > 0 {
		b = strconv.AppendInt(append(b, '.'), int64(m.part), 36)
	}
	return b
}

func parseMark(s string) (m mark, ok bool) {
	text, part, parted := strings.Cut(s, ".")
	if m.place, ok = ledger.ParsePlace(text); !ok || !parted {
		return m, ok
	}
	n, err := strconv.ParseInt(part, 36, 32)
	m.part = int(n)
	return m, err == nil && n > 0
}

// cursor is the id of an event in an organisation's stream: how far the reader has come in the logs that it follows, and when that was. Its text is
// nobody's business but ours.
type cursor struct {
	facts    mark
	attempts *mark // nil where the stream has none
	at       time.Time
}

func (c cursor) append(b []byte) []byte {
	b = append(c.facts.append(b), '_')
	if c.attempts != nil {
		b = c.attempts.append(b)
	}
	return strconv.AppendInt(append(b, '_'), c.at.Unix(), 36)
}

func parseCursor(s string) (c cursor, ok bool) {
	parts := strings.Split(s, "_")
	if len(parts) != 3 || len(s) > 200 {
		return c, false
	}
	if c.facts, ok = parseMark(parts[0]); !ok {
		return c, false
	}
	if parts[1] != "" {
		m, ok := parseMark(parts[1])
		if !ok {
			return c, false
		}
		c.attempts = &m
	}
	seconds, err := strconv.ParseInt(parts[2], 36, 64)
	c.at = time.Unix(seconds, 0)
	return c, err == nil
}
