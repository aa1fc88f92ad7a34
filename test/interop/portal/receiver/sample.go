package receiver

import (
	"embed"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Where the specification lies, from the repository's root.
const specification = "../shared/spec/ticket-portal.txt"

//go:embed preload.cjs
var preload string

//go:embed package.json package-lock.json .npmrc
var npm embed.FS

// unrun is the reason why a test of the samples is skipped.
const unrun = "the specification's own receivers were not run"

// extract returns the sample's code as the specification prints it: what stands between its heading and the next.
func extract(t testing.TB, sample Sample) string {
	t.Helper()
	headings := map[Sample][2]string{
		Verification: {"Signature Verification Example (Node.js)", "Webhook Security"},
		Replay:       {"Signature & Replay Verification (Node.js)", "Webhook Events"},
	}
	heading, ok := headings[sample]
	if !ok {
		t.Fatalf("the portal specification has no sample %d", sample)
	}
	_, after, found := strings.Cut(readSpecification(t), "\n"+heading[0]+"\n")
	code, _, ended := strings.Cut(after, "\n"+heading[1]+"\n")
	if !found || !ended {
		t.Fatalf("%s has no %q", specification, heading[0])
	}
	return code
}

func readSpecification(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), filepath.FromSlash(specification)))
	if os.IsNotExist(err) {
		t.Skipf("%s is not here: the specification's own receivers were not run", specification)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// root finds the repository's root: the nearest folder above the test's that has a go.mod.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test's folder")
		}
		dir = parent
	}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
