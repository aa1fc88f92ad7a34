package archtest

import (
	"go/ast"
	"testing"
)

// TestOnlyTestsHashWeakly: org.PeopleConfig.Weak is for tests; the program never sets it.
func TestOnlyTestsHashWeakly(t *testing.T) {
	s := tree(t)
	for _, f := range s.shipped() {
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Weak" {
					t.Errorf("%s: Weak is set, which is for tests only", s.line(f, n))
				}
			case *ast.AssignStmt:
				for _, to := range n.Lhs {
					if sel, ok := to.(*ast.SelectorExpr); ok && sel.Sel.Name == "Weak" {
						t.Errorf("%s: Weak is set, which is for tests only", s.line(f, n))
					}
				}
			}
			return true
		})
	}
}
