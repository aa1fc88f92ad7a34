package receiver

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Where the specification lies, from the repository's root.
const specification = "../shared/spec/ticket-portal.txt"

//go:embed preload.cjs
var preload string

//go:embed package.json
var packageJSON string

//go:embed package-lock.json
var packageLock string

//go:embed .npmrc
var npmrc string

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

// install returns a node_modules folder with what the samples need. It is made once for each content of the lock file; several test
// binaries may do so at the same time, and the first to finish wins.
func install(t testing.TB) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	sum := sha256.Sum256([]byte(packageJSON + packageLock + npmrc))
	parent := filepath.Join(cache, "stagedoor-test")
	dir := filepath.Join(parent, "portal-receiver-"+hex.EncodeToString(sum[:8]))
	modules := filepath.Join(dir, "node_modules")
	if _, err := os.Stat(modules); err == nil {
		return modules
	}

	npm := find(t, "npm")
	if err := os.MkdirAll(parent, 0o755); err != nil {
		t.Fatal(err)
	}
	work, err := os.MkdirTemp(parent, "install-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(work)
	write(t, filepath.Join(work, "package.json"), packageJSON)
	write(t, filepath.Join(work, "package-lock.json"), packageLock)
	write(t, filepath.Join(work, ".npmrc"), npmrc)
	cmd := exec.CommandContext(t.Context(), npm, "ci", "--no-progress")
	cmd.Dir = work
	if out, err := cmd.CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Logf("npm ci: %s", out)
		}
		unavailable(t, "npm ci: "+err.Error()+": the specification's own receivers were not run")
	}
	if err := os.Rename(work, dir); err != nil {
		if _, statErr := os.Stat(modules); statErr != nil {
			t.Fatal(err)
		}
	}
	return modules
}

func find(t testing.TB, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		unavailable(t, program+" is not installed: the specification's own receivers were not run")
	}
	return path
}

// unavailable skips the test on a developer's machine and fails it where everything has to be there.
func unavailable(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
