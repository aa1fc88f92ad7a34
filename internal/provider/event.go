package provider

import (
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// EventType says where the type of an event stands. The zero value is nowhere.
type EventType struct {
	Source string // "body", "header" or empty
	Path   string // a JSON path such as "type", "$.data.type" or "items[0].kind", or a header's name; up to 256 characters
}

// The sources of an EventType.
const (
	FromBody   = "body"
	FromHeader = "header"
)

const maxType = 255 // characters

// Of returns the type of an event: a text of 1 to 255 characters without control characters, or false if there is none, or not such a one. A number is none, and
// so is everything in a body that is no JSON or is nested deeper than 64.
func (e EventType) Of(h http.Header, body []byte) (string, bool) {
	text := ""
	switch e.Source {
	case FromHeader:
		if e.Path == "" {
			return "", false
		}
		text = strings.Trim(h.Get(e.Path), " \t")
	case FromBody:
		path, fault := parsePath(e.Path)
		if fault != "" {
			return "", false
		}
		text, _ = find(body, path)
	}
	if text == "" || !plain(text, maxType) {
		return "", false
	}
	return text, true
}

// Validate returns an Invalid problem at /event_type_source or /event_type_path. The zero value is valid.
func (e EventType) Validate() error {
	switch {
	case e == EventType{}:
		return nil
	case e.Source == "":
		return problem.Field("/event_type_source", "required", "Say where event_type_path points to: body or header.")
	case e.Source != FromBody && e.Source != FromHeader:
		return problem.Field("/event_type_source", "unknown_value", "The type of an event is taken from body or header.")
	case e.Path == "":
		return problem.Field("/event_type_path", "required", "Say where in the %s the type stands, such as type or X-GitHub-Event.", e.Source)
	case utf8.RuneCountInString(e.Path) > maxPath:
		return problem.Field("/event_type_path", "too_long", "A path has up to %d characters.", maxPath)
	case e.Source == FromHeader && headerFault(e.Path) != "":
		return problem.Field("/event_type_path", "invalid", "%s", headerFault(e.Path))
	case e.Source == FromBody:
		if _, fault := parsePath(e.Path); fault != "" {
			return problem.Field("/event_type_path", "invalid", "%s", fault)
		}
	}
	return nil
}

// plain is whether a text has up to so many characters, all of them valid UTF-8 and none a control character, which one of the databases could not keep.
func plain(s string, characters int) bool {
	return len(s) <= characters*utf8.UTFMax && utf8.ValidString(s) && utf8.RuneCountInString(s) <= characters && !strings.ContainsFunc(s, unicode.IsControl)
}
