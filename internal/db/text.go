package db

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
)

// lists are the two forms in which a parameter holds a list as JSON text: ints($1) and texts($1), to be used after IN, or as a table.
var lists = regexp.MustCompile(`\b(IN )?(ints|texts)\((\$\d+)\)`)

var parameter = regexp.MustCompile(`\$[1-9][0-9]*`)

// numbered rewrites a text for SQLite: $1 becomes ?1, the only numbered parameters that every driver understands alike, and lists
// become json_each. It returns the highest number.
func numbered(sql string) (text string, params int) {
	var b strings.Builder
	for code, rest := range pieces(sql) {
		code = lists.ReplaceAllString(code, "$1(SELECT value FROM json_each($3))")
		b.WriteString(parameter.ReplaceAllStringFunc(code, func(p string) string {
			n, _ := strconv.Atoi(p[1:])
			params = max(params, n)
			return "?" + p[1:]
		}))
		b.WriteString(rest)
	}
	return b.String(), params
}

// single returns an error when a text holds more than one statement: drivers differ in what they do with it.
func single(sql string) error {
	if strings.IndexByte(sql, ';') < 0 {
		return nil
	}
	ended := false
	for code, rest := range pieces(sql) {
		for i, part := range strings.Split(code, ";") {
			ended = ended || i > 0
			if ended && strings.TrimSpace(part) != "" {
				return errors.New("more than one statement")
			}
		}
		if ended && rest != "" && rest[0] != '-' && rest[0] != '/' {
			return errors.New("more than one statement")
		}
	}
	return nil
}

// pieces yields code and the string, quoted name or comment that follows it, until the text ends.
func pieces(sql string) func(yield func(code, rest string) bool) {
	return func(yield func(code, rest string) bool) {
		for start, i := 0, 0; i < len(sql); {
			n := opaque(sql[i:])
			if n > 0 || i == len(sql)-1 {
				if n == 0 {
					i++
				}
				if !yield(sql[start:i], sql[i:i+n]) {
					return
				}
				i += n
				start = i
				continue
			}
			i++
		}
	}
}

// opaque is the length of the string, quoted name or comment that sql begins with, 0 when it begins with something else.
func opaque(sql string) int {
	begin := 1
	var end string
	switch {
	case sql[0] == '\'' || sql[0] == '"':
		end = sql[:1] // a doubled quote ends one string and begins the next, which comes to the same
	case strings.HasPrefix(sql, "--"):
		end = "\n"
	case strings.HasPrefix(sql, "/*"):
		begin, end = 2, "*/"
	default:
		return 0
	}
	if i := strings.Index(sql[begin:], end); i >= 0 {
		return begin + i + len(end)
	}
	return len(sql)
}

// verb is a statement's first word.
func verb(sql string) string {
	for {
		sql = strings.TrimLeft(sql, " \t\r\n;(")
		if !strings.HasPrefix(sql, "--") && !strings.HasPrefix(sql, "/*") {
			break
		}
		sql = sql[opaque(sql):]
	}
	for i, c := range []byte(sql) {
		if c |= 0x20; c < 'a' || c > 'z' {
			return sql[:i]
		}
	}
	return sql
}

func is(verb string, words ...string) bool {
	for _, w := range words {
		if strings.EqualFold(verb, w) {
			return true
		}
	}
	return false
}

// readOnly tells whether a statement cannot change anything. When in doubt it says no.
func readOnly(sql string) bool {
	v := verb(sql)
	if is(v, "SELECT") {
		return true
	}
	if !is(v, "WITH") {
		return false
	}
	u := strings.ToUpper(sql)
	return !strings.Contains(u, "INSERT ") && !strings.Contains(u, "UPDATE ") && !strings.Contains(u, "DELETE ")
}

// allowed returns an error for a text that a function may not run in its transaction: several statements in one, or one of the
// transaction's own verbs, which belong to this package.
func allowed(sql string) error {
	if is(verb(sql), "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "END", "ABORT", "START") {
		return errGroup
	}
	return single(sql)
}
