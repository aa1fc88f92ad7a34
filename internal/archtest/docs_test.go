package archtest

import (
	"path"
	"strings"
	"testing"
)

// TestEveryPackageOpensWithADocComment wants one per package, in whichever file
// it stands best. A folder that holds nothing but tests may open as it likes.
func TestEveryPackageOpensWithADocComment(t *testing.T) {
	docs, clauses, shipped := map[string][]string{}, map[string]string{}, map[string]bool{}
	for _, f := range tree(t).files {
		name := strings.TrimSuffix(f.syntax.Name.Name, "_test")
		if !f.test || clauses[f.dir] == "" {
			clauses[f.dir] = name
		}
		shipped[f.dir] = shipped[f.dir] || !f.test
		if doc := f.syntax.Doc.Text(); doc != "" && !isDirective(doc) {
			docs[f.dir] = append(docs[f.dir], doc)
		}
	}
	for dir, name := range clauses {
		switch found := docs[dir]; {
		case len(found) == 0:
			t.Errorf("package %s has no doc comment: say what it is for, the types that matter, its promises and what it leaves to others", dir)
		case !shipped[dir]:
		case name == "main":
			// A command is documented under its own name, not its package's.
			if cmd := path.Base(dir); !anyHasPrefix(found, "Command "+cmd, strings.ToUpper(cmd[:1])+cmd[1:]+" ") {
				t.Errorf("the doc comment of command %s begins with neither %q nor its name", dir, "Command "+cmd)
			}
		case !anyHasPrefix(found, "Package "+name+" "):
			t.Errorf("the doc comment of package %s does not begin with %q, so godoc will not read well", dir, "Package "+name)
		}
	}
}

func isDirective(doc string) bool { return strings.HasPrefix(doc, "Code generated ") }

func anyHasPrefix(docs []string, prefixes ...string) bool {
	for _, d := range docs {
		for _, p := range prefixes {
			if strings.HasPrefix(d, p) {
				return true
			}
		}
	}
	return false
}
