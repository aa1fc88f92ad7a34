package harness

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// seen are the secrets that tests of this process saw or chose. They are kept as long as the process lives, because any server of it may log one late.
var seen struct {
	sync.Mutex
	parts map[string]string // a telling part of each, and how the secret begins
	short map[string]bool   // those that are too short for that
}

// window is how much of a secret is looked for. 16 characters of base64url are 96 bits: no log has them by chance.
const window = 16

// ours is what secrets of this server look like.
var ours = regexp.MustCompile(`\b(?:sd[pacdrsi]?_|whsec_|whsk_|urn:ietf:params:oauth:request_uri:)([A-Za-z0-9+/_-]{16,})`)

// shortest is how long a secret is at least: shorter ones are in any log by chance.
const shortest = 8

// Secret notes secrets: no server of this test process may have logged one when the tests are over. What is shorter than 8 characters is passed over.
func Secret(secrets ...string) {
	seen.Lock()
	defer seen.Unlock()
	for _, s := range secrets {
		note(s, s)
	}
}

// Notice notes all that looks like a secret of this server in texts: what was sent and what was answered.
func Notice(texts ...string) {
	for _, text := range texts {
		for _, m := range ours.FindAllStringSubmatch(text, -1) {
			seen.Lock()
			note(m[1], m[0])
			seen.Unlock()
		}
	}
}

// note keeps the beginning and the end of a secret's random part: a log may have cut it.
func note(random, whole string) {
	if seen.parts == nil {
		seen.parts, seen.short = map[string]string{}, map[string]bool{}
	}
	switch begins := whole[:min(len(whole), 8)] + "…"; {
	case len(random) < shortest:
	case len(random) < window:
		seen.short[random] = true
	default:
		seen.parts[random[:window]] = begins
		seen.parts[random[len(random)-window:]] = begins
	}
}

// Noted is how many secrets were noted so far.
func Noted() int {
	seen.Lock()
	defer seen.Unlock()
	return len(seen.parts) + len(seen.short)
}

// Leaks are the lines of a log that have a secret in them, each with a word about which.
func Leaks(log string) []string {
	seen.Lock()
	defer seen.Unlock()
	var lines []string
	for line := range strings.Lines(log) {
		if which := leak(line); which != "" {
			lines = append(lines, fmt.Sprintf("has %s in it: %.2000s", which, line))
		}
	}
	return lines
}

func leak(line string) string {
	for i := 0; i+window <= len(line); i++ {
		if which, ok := seen.parts[line[i:i+window]]; ok {
			return which
		}
	}
	for s := range seen.short {
		if strings.Contains(line, s) {
			return s
		}
	}
	return ""
}
