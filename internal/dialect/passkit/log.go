package passkit

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"regexp"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// What is kept of the log lines that a device sends.
const (
	maxLog      = 64 << 10 // bytes of a body
	maxLines    = 100
	maxLineText = 500 // bytes of a line
)

// log takes the lines in which devices say what they do not like about our answers. Whoever looks for such a fault has the server log at debug level.
func (s *service) log(w http.ResponseWriter, r *http.Request) error {
	raw, err := body(w, r, maxLog)
	if err != nil {
		return err
	}
	if !s.Log.Enabled(r.Context(), slog.LevelDebug) {
		return nil
	}
	lines, err := logLines(raw)
	if err != nil {
		return err
	}
	for _, line := range lines {
		s.Log.DebugContext(r.Context(), "an Apple device reports", "line", line)
	}
	return nil
}

// longWord is what names of devices, serials and tokens look like. None of them belongs into a log.
var longWord = regexp.MustCompile(`[0-9A-Za-z_+=-]{16,}`)

// logLines reads the body of a log request, and leaves out what is too much or may be secret.
func logLines(raw []byte) ([]string, error) {
	var in struct{ Logs []string }
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, problem.New(problem.Invalid, "invalid_body", `The body is a JSON object with the texts "logs".`)
	}
	lines := in.Logs[:min(len(in.Logs), maxLines)]
	for i, line := range lines {
		line = strings.ToValidUTF8(longWord.ReplaceAllLiteralString(line, "…"), "\uFFFD")
		if len(line) > maxLineText {
			line = strings.ToValidUTF8(line[:maxLineText], "") + "…"
		}
		lines[i] = line
	}
	return lines, nil
}
