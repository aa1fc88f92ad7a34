package native_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/dialect/native"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// The tables of the guide are made from the program; between its marks, -update rewrites them.
func TestGuideToScopesIsTrue(t *testing.T) {
	file := filepath.Join("..", "..", "..", "docs", "guide", "scopes.md")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	was := string(b)
	now := was
	for name, table := range map[string][]string{"scopes": scopeTable(), "roles": roleTable(), "routes": routeTable(lite(t).api.Permissions())} {
		before, rest, begun := strings.Cut(now, "<!-- begin "+name+" -->\n")
		_, after, ended := strings.Cut(rest, "<!-- end -->")
		if !begun || !ended {
			t.Fatalf("%s has no marks for the table of %s", file, name)
		}
		now = before + "<!-- begin " + name + " -->\n" + strings.Join(table, "\n") + "\n<!-- end -->" + after
	}
	if *update {
		if err := os.WriteFile(file, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(was, now); diff != "" {
		t.Errorf("%s is not what the program does (-page +program); if that is meant, run the tests with -update:\n%s", file, diff)
	}
}

func scopeTable() []string {
	rows := []string{"| scope | lets an app | StubHub's names | facts |", "|---|---|---|---|"}
	for _, s := range scope.All().List() {
		var names, nouns []string
		for name, of := range scope.Aliases() {
			if of == s {
				names = append(names, code(name))
			}
		}
		for _, k := range fact.Native() {
			if noun, _, _ := strings.Cut(string(k), "."); scope.Of(s).Sees(k) && !slices.Contains(nouns, code(noun+".*")) {
				nouns = append(nouns, code(noun+".*"))
			}
		}
		if scope.Of(s).Sees("acme.happened") {
			nouns = append(nouns, "own messages")
		}
		slices.Sort(names)
		rows = append(rows, row(code(string(s)), s.Words(), strings.Join(names, " "), strings.Join(nouns, ", ")))
	}
	return rows
}

func roleTable() []string {
	heads, line := []string{"scope"}, "|---|"
	roles := append(org.Roles(), "")
	for _, r := range roles {
		heads, line = append(heads, title(r)), line+"---|"
	}
	rows := []string{row(heads...), line}
	for _, s := range scope.All().List() {
		cells := []string{code(string(s))}
		for _, r := range roles {
			cells = append(cells, tick(r.Allows().Has(s)))
		}
		rows = append(rows, row(cells...))
	}
	cells := []string{"administration"}
	for _, r := range roles {
		cells = append(cells, tick(r.Administrates()))
	}
	return append(rows, row(cells...))
}

func title(r org.Role) string {
	if r == "" {
		return "attendee"
	}
	return string(r)
}

func routeTable(all []native.Permission) []string {
	rows := []string{"| route | asks for | attendees |", "|---|---|---|"}
	for _, p := range all {
		needs := code(string(p.Scope))
		switch {
		case p.Admin:
			needs = "owners and admins"
		case p.Own:
			needs = "the person"
		}
		rows = append(rows, row(code(p.Method+" "+p.Path), needs, tick(p.Attendees)))
	}
	return rows
}

func code(s string) string { return "`" + s + "`" }

func tick(yes bool) string {
	if yes {
		return "yes"
	}
	return ""
}

func row(cells ...string) string { return fmt.Sprintf("| %s |", strings.Join(cells, " | ")) }
