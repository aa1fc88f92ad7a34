package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/stagedoorhq/stagedoor"

// file is one parsed Go file of the module.
type file struct {
	path    string // from the module's root, with slashes
	dir     string // the directory of path, "." for the root
	test    bool   // its name ends in _test.go
	syntax  *ast.File
	imports []string // import paths
}

// source is the whole module, parsed once for all tests.
type source struct {
	root  string
	fset  *token.FileSet
	files []file
}

// load parses every Go file of the module but those under testdata, vendored or
// hidden directories. Build tags are ignored: a rule holds on every platform.
var load = sync.OnceValues(func() (*source, error) {
	root, err := filepath.Abs("../..")
	if err != nil {
		return nil, err
	}
	s := &source{root: root, fset: token.NewFileSet()}
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != root && skipDir(d.Name()):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(p, ".go"):
			return nil
		}
		return s.add(p)
	})
	return s, err
})

func skipDir(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") ||
		slices.Contains([]string{"testdata", "vendor", "node_modules"}, name)
}

func (s *source) add(p string) error {
	syntax, err := parser.ParseFile(s.fset, p, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(s.root, p)
	if err != nil {
		return err
	}
	f := file{path: filepath.ToSlash(rel), test: strings.HasSuffix(p, "_test.go"), syntax: syntax}
	f.dir = path.Dir(f.path)
	for _, spec := range syntax.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		f.imports = append(f.imports, name)
	}
	s.files = append(s.files, f)
	return nil
}

// tree is the module's source, or the end of the test.
func tree(t *testing.T) *source {
	t.Helper()
	s, err := load()
	if err != nil {
		t.Fatalf("read the module's source: %v", err)
	}
	if _, err := os.Stat(filepath.Join(s.root, "go.mod")); err != nil {
		t.Fatalf("%s is not the module's root: %v", s.root, err)
	}
	return s
}

// shipped are the files that are not tests.
func (s *source) shipped() []file {
	return slices.DeleteFunc(slices.Clone(s.files), func(f file) bool { return f.test })
}

// line says where a node is, from the module's root.
func (s *source) line(f file, n ast.Node) string {
	return f.path + ":" + strconv.Itoa(s.fset.Position(n.Pos()).Line)
}

// within is whether dir is parent or below it.
func within(dir, parent string) bool {
	return dir == parent || strings.HasPrefix(dir, parent+"/")
}
