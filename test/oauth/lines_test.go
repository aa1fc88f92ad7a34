package oauth

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// unseen are the lines that no test here can show, and why. What of a line cannot be seen beside what can stands at its test.
var unseen = map[int]string{
	33: "a verifier for a code that was issued without a challenge: no code ever is (line 12), so there is none to send",
	34: "that a comparison takes the same time whatever it compares is lost in the noise of HTTP; both sides are hashes, and package oauth compares them with crypto/subtle",
}

// Every line that is to be shown has a test that bears its number, or a reason.
func TestEveryLineIsShown(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	numbered := regexp.MustCompile(`^TestLine(\d\d)[A-Z]`)
	shown := map[int]bool{}
	for _, f := range files {
		syntax, err := parser.ParseFile(token.NewFileSet(), f, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				if m := numbered.FindStringSubmatch(fn.Name.Name); m != nil {
					n, _ := strconv.Atoi(m[1])
					shown[n] = true
				}
			}
		}
	}
	for n := 1; n <= 95; n++ {
		asked := n <= 84 || n >= 88 && n <= 92 || n == 95
		switch {
		case asked && !shown[n] && unseen[n] == "":
			t.Errorf("line %d has neither a test nor a reason", n)
		case shown[n] && unseen[n] != "":
			t.Errorf("line %d has a test, and a reason why it has none", n)
		case !asked && (shown[n] || unseen[n] != ""):
			t.Errorf("line %d is shown, and not asked for: does this test know the checklist?", n)
		}
	}
}
