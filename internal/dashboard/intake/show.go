package intake

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// line is a header line.
type line struct{ Name, Value string }

// lines are headers by their names.
func lines(h map[string]string) []line {
	var all []line
	for name, value := range h {
		all = append(all, line{name, value})
	}
	slices.SortFunc(all, func(a, b line) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// body is a stranger's body for people.
type body struct {
	Raw    string // as it came, where it is text
	Pretty string // indented, where it is JSON and was not so already
	Size   int
	Binary bool
	Cut    bool // Raw has its beginning only
}

// maxShown is how much of a body a page shows, in bytes; the whole of it can be downloaded.
const maxShown = 256 << 10

func shown(b []byte) body {
	d := body{Size: len(b)}
	if d.Binary = !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0; d.Binary {
		return d
	}
	if d.Cut = len(b) > maxShown; d.Cut {
		d.Raw = strings.ToValidUTF8(string(b[:maxShown]), "")
		return d
	}
	d.Raw = string(b)
	var pretty bytes.Buffer
	if json.Indent(&pretty, b, "", "  ") == nil && pretty.String() != strings.TrimSpace(d.Raw) {
		d.Pretty = pretty.String()
	}
	return d
}

// curl is a command that sends a request again.
func curl(url string, h []line, b body) string {
	var s strings.Builder
	s.WriteString("curl " + quoted(url))
	for _, l := range h {
		if !framing(l.Name) {
			s.WriteString(" \\\n  -H " + quoted(l.Name+": "+l.Value))
		}
	}
	if !b.Binary && !b.Cut {
		s.WriteString(" \\\n  --data-binary " + quoted(b.Raw))
	} else {
		s.WriteString(" \\\n  --data-binary @body")
	}
	return s.String()
}

// framing tells whether a header is about how a message goes over its connection, and is not sent on.
func framing(name string) bool {
	return slices.Contains([]string{
		"Host", "Content-Length", "Connection", "Transfer-Encoding", "Te", "Trailer", "Upgrade", "Keep-Alive", "Proxy-Connection", "Expect", "Accept-Encoding",
		"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded",
	}, http.CanonicalHeaderKey(name))
}
