package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

const (
	maxPasted      = 64 << 10 // bytes of pasted headers
	maxHeaderLines = 200
)

// ParseHeaders reads a request's headers as people paste them: lines of "Name: value", from a log or from curl -v (where the lines of the request begin
// with ">" and those of its answer with "<"; where both are there, the answer's do not count), curl's -H options, and the object of Node's req.headers, in JSON
// or as console.log prints it. Request and status lines and what else curl says are passed over. At most 64 KiB and 200 lines are taken. The error says
// which line is not a header; it quotes nothing.
func ParseHeaders(text string) (http.Header, error) {
	if len(text) > maxPasted {
		return nil, errors.New("webhook: the headers are larger than 64 KiB")
	}
	text = strings.TrimSpace(strings.TrimPrefix(text, string(bom)))
	if strings.HasPrefix(text, "{") {
		var object map[string]any
		if json.Unmarshal([]byte(text), &object) == nil {
			return jsonHeaders(object)
		}
	}
	text = onLines(text)
	mark := markOf(text)
	h := make(http.Header)
	n := 0
	for line := range strings.Lines(text) {
		if n++; n > maxHeaderLines {
			return nil, fmt.Errorf("webhook: there are more than %d lines of headers", maxHeaderLines)
		}
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, mark) || isChatter(line) {
			continue
		}
		name, value, ok := headerLine(line)
		if !ok {
			return nil, fmt.Errorf("webhook: line %d is not a header: write Name: value", n)
		}
		h.Add(name, value)
	}
	if len(h) == 0 {
		return nil, errors.New("webhook: there are no headers")
	}
	return h, nil
}

// onLines puts what stands on one line, a printed object or a curl command, on several.
func onLines(text string) string {
	if strings.HasPrefix(text, "{") {
		return strings.NewReplacer("',", "',\n", `",`, "\",\n", "{", "", "}", "").Replace(text)
	}
	return strings.ReplaceAll(text, " -H ", "\n-H ")
}

// markOf is what curl -v puts before the lines that count: those of the request, or of the answer if there is none.
func markOf(text string) string {
	mark := ""
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "> ") {
			return ">"
		} else if strings.HasPrefix(line, "< ") {
			mark = "<"
		}
	}
	return mark
}

// isChatter tells whether a line is about something other than a header: nothing, a request or status line, what curl says about itself.
func isChatter(line string) bool {
	text := strings.TrimSpace(strings.TrimLeft(line, "<>"))
	if text == "" || text == `\` || strings.HasPrefix(text, "*") || strings.HasPrefix(text, ":") || strings.HasPrefix(text, "HTTP/") {
		return true
	}
	if text[0] == '{' || text[0] == '}' || text == "curl" || strings.HasPrefix(text, "curl ") {
		return true
	}
	if text[0] == '-' && !strings.HasPrefix(text, "-H ") { // another of curl's options
		return true
	}
	method, rest, ok := strings.Cut(text, " ")
	return ok && method == strings.ToUpper(method) && !strings.Contains(method, ":") && strings.Contains(rest, "HTTP/")
}

// headerLine reads "Name: value" with what may stand around it: curl's mark or option, quotes, the comma of an object.
func headerLine(line string) (name, value string, ok bool) {
	line = strings.TrimSpace(strings.TrimLeft(line, "<>"))
	if option, found := strings.CutPrefix(line, "-H "); found {
		if line = strings.TrimSpace(strings.TrimSuffix(option, `\`)); line != "" && (line[0] == '\'' || line[0] == '"') {
			line, _, _ = strings.Cut(line[1:], line[:1])
		}
	}
	name, value, ok = strings.Cut(line, ":")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if bare := strings.Trim(name, `'"`); bare != name || strings.HasPrefix(value, "'") {
		name, value = bare, unquoteValue(strings.TrimSuffix(value, ","))
	}
	return name, value, ok && isToken(name)
}

func unquoteValue(v string) string {
	if n := len(v); n >= 2 && (v[0] == '\'' || v[0] == '"') && v[n-1] == v[0] {
		return v[1 : n-1]
	}
	return v
}

// isToken reports whether s can be a header's name (RFC 9110, 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// jsonHeaders reads an object of headers. A value may be a list of values.
func jsonHeaders(object map[string]any) (http.Header, error) {
	if inner, ok := object["headers"].(map[string]any); ok { // the whole request
		object = inner
	}
	h := make(http.Header)
	for name, v := range object {
		values, list := v.([]any)
		if !list {
			values = []any{v}
		}
		if !isToken(name) || len(h) >= maxHeaderLines || len(values) > maxHeaderLines {
			return nil, errors.New("webhook: the object is not one of headers: write {\"name\": \"value\"}")
		}
		for _, one := range values {
			switch one := one.(type) {
			case string:
				h.Add(name, strings.TrimSpace(one))
			case float64:
				h.Add(name, fmt.Sprintf("%.0f", one))
			default:
				return nil, errors.New("webhook: the object is not one of headers: a value is not text")
			}
		}
	}
	if len(h) == 0 {
		return nil, errors.New("webhook: there are no headers")
	}
	return h, nil
}
