package archtest

import (
	"go/ast"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// migrations are named NNNN_<noun>.sql; what they create belongs to the package
// internal/<noun>, and no other package names it in SQL.
const migrations = "internal/db/migrations"

// readers may read every table, and write none but their own.
var readers = []struct{ files, reason string }{
	{"internal/app/audit*.go", "the audit recomputes what all the others have written"},
	{makesUp, "as below"},
}

// makesUp is the file that may write any table: the bench measures beside a million deliveries that were never made, and has no time to make them.
const makesUp = "internal/app/seedpages.go"

// withoutOrg are the tables without a column org_id, and why. Every other table
// carries it, so that organisations can be told apart in each row, and spread
// over several databases later (design, decision 14).
var withoutOrg = map[string]string{
	"configuration":  "one row for the whole installation",
	"settings":       "facts about the database itself",
	"counters":       "numbers are drawn for the whole installation",
	"nodes":          "a node serves every organisation",
	"ledger_epochs":  "a place in the ledger is one for all organisations",
	"ledger_cursors": "a follower reads the facts of all organisations",

	"chart_cursor": "one row: the log of attempts is counted for all organisations",

	"pass_clock":   "one row: what a device asks by may be passes of several organisations",
	"pass_secrets": "test certificates and keys of the whole installation",

	"users":            "a person may belong to several organisations, or to none",
	"sessions":         "a person is signed in, whatever organisations they belong to",
	"sign_in_failures": "who fails to sign in has no organisation yet",
	"oauth_proofs":     "a hash of what was seen, to refuse it the second time",
}

func TestTablesAreNamedByTheirOwnerOnly(t *testing.T) {
	s := tree(t)
	owner := map[string]string{}
	for _, tab := range tables(t, s) {
		owner[tab.name] = tab.noun
	}
	for _, f := range s.shipped() {
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(lit.Value)
			if err != nil {
				return true
			}
			for _, m := range mentions(text) {
				noun, ours := owner[m.table]
				if !ours || within(f.dir, "internal/"+noun) || m.reads && readsAll(f.path) || f.path == makesUp {
					continue
				}
				t.Errorf("%s: SQL names the table %s, which belongs to internal/%s: ask that package", s.line(f, lit), m.table, noun)
			}
			return true
		})
	}
}

func TestEveryTableBelongsToAPackage(t *testing.T) {
	made := map[string]string{}
	for _, tab := range tables(t, tree(t)) {
		if groupOf("internal/"+tab.noun) == nil {
			t.Errorf("%s is named for %q, but there is no package internal/%s in the house", tab.file, tab.noun, tab.noun)
		}
		if other, twice := made[tab.name]; twice && other != tab.noun {
			t.Errorf("the table %s is created for %s and for %s", tab.name, other, tab.noun)
		}
		made[tab.name] = tab.noun
	}
}

func TestEveryTableCarriesItsOrganisation(t *testing.T) {
	for _, tab := range tables(t, tree(t)) {
		has := slices.Contains(tab.columns, "org_id")
		switch _, excepted := withoutOrg[tab.name]; {
		case !has && !excepted:
			t.Errorf("%s creates %s without a column org_id (its columns: %s); if that is right, say why in withoutOrg",
				tab.file, tab.name, strings.Join(tab.columns, ", "))
		case has && excepted:
			t.Errorf("%s creates %s with a column org_id, so it does not belong in withoutOrg", tab.file, tab.name)
		}
	}
}

// table is what a CREATE TABLE of a migration says.
type table struct {
	name    string
	noun    string // of the migration's name
	file    string // the migration
	columns []string
}

var (
	migrationName = regexp.MustCompile(`^\d+_([a-z]+)\.sql$`)
	createTable   = regexp.MustCompile(`(?i)\bCREATE\s+(?:UNLOGGED\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?"?(\w+)"?\s*\(`)
	sqlComment    = regexp.MustCompile(`--[^\n]*`)
)

// tables are all that the migrations create, in order.
func tables(t *testing.T, s *source) []table {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(s.root, migrations, "*.sql"))
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Fatalf("there are no migrations in %s", migrations)
	}
	var all []table
	for _, p := range paths {
		name := filepath.Base(p)
		m := migrationName.FindStringSubmatch(name)
		if m == nil {
			t.Errorf("%s/%s is not named NNNN_<noun>.sql, with the package that owns its tables as the noun", migrations, name)
			continue
		}
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, parseTables(string(text), m[1], path.Join(migrations, name))...)
	}
	return all
}

func parseTables(text, noun, file string) []table {
	text = sqlComment.ReplaceAllString(text, "")
	var found []table
	for _, m := range createTable.FindAllStringSubmatchIndex(text, -1) {
		tab := table{name: text[m[2]:m[3]], noun: noun, file: file}
		for _, part := range parts(text[m[1]:]) {
			if f := strings.Fields(part); len(f) > 0 {
				tab.columns = append(tab.columns, strings.ToLower(strings.Trim(f[0], `"`)))
			}
		}
		found = append(found, tab)
	}
	return found
}

// parts cuts the inside of a parenthesis, whose opening stands before text, at
// its own commas. Constraints come out as parts too, led by their keyword.
func parts(text string) []string {
	var out []string
	depth, start := 0, 0
	for i, r := range text {
		switch {
		case r == '(':
			depth++
		case r == ')' && depth == 0:
			return append(out, text[start:i])
		case r == ')':
			depth--
		case r == ',' && depth == 0:
			out = append(out, text[start:i])
			start = i + 1
		}
	}
	return out
}

// mention is a table's name after the word that makes it one. Words in capitals
// only: that is how SQL is written here, and how it differs from prose.
type mention struct {
	table string
	reads bool
}

var namesTable = regexp.MustCompile(`\b(FROM|JOIN|INTO|UPDATE|TABLE)\s+"?(\w+)"?`)

func mentions(text string) []mention {
	var found []mention
	for _, m := range namesTable.FindAllStringSubmatchIndex(text, -1) {
		word := text[m[2]:m[3]]
		deletes := strings.HasSuffix(strings.TrimSpace(text[:m[2]]), "DELETE")
		found = append(found, mention{
			table: text[m[4]:m[5]],
			reads: (word == "FROM" || word == "JOIN") && !deletes,
		})
	}
	return found
}

func readsAll(file string) bool {
	return slices.ContainsFunc(readers, func(r struct{ files, reason string }) bool {
		ok, _ := path.Match(r.files, file)
		return ok
	})
}

// The rules above are only as good as their reading of SQL, so that is tested.

func TestTablesAreReadFromSQL(t *testing.T) {
	got := parseTables(`
-- a comment, with (brackets
CREATE TABLE orders (
  org_id BIGINT NOT NULL, -- whose
  total  NUMERIC(10, 2) CHECK (total >= 0),
  PRIMARY KEY (org_id, total)
);
CREATE TABLE IF NOT EXISTS "lines" (n INT);`, "order", "f")
	if len(got) != 2 || got[0].name != "orders" || got[1].name != "lines" {
		t.Fatalf("parseTables found %+v, want orders and lines", got)
	}
	if want := []string{"org_id", "total", "primary"}; !slices.Equal(got[0].columns, want) {
		t.Errorf("columns of orders = %v, want %v", got[0].columns, want)
	}
}

func TestMentionsTellReadingFromWriting(t *testing.T) {
	for sql, want := range map[string]mention{
		"SELECT a FROM orders WHERE":     {"orders", true},
		"SELECT 1 FROM x JOIN orders ON": {"orders", true},
		"DELETE FROM orders":             {"orders", false},
		"INSERT INTO orders (a)":         {"orders", false},
		"UPDATE orders SET":              {"orders", false},
	} {
		if !slices.Contains(mentions(sql), want) {
			t.Errorf("mentions(%q) = %v, want %v among them", sql, mentions(sql), want)
		}
	}
}
