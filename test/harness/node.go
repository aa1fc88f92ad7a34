package harness

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Modules returns a node_modules folder with what a package.json asks for. The files are those that npm ci reads: package.json, package-lock.json and .npmrc of
// dir. It is installed once for each content of them, into the user's cache; several test binaries may do so at the same time, and the first to finish wins.
// Where it cannot be had, the test is skipped for the reason; with CI=true it fails.
func Modules(t testing.TB, name, dir string, files embed.FS, reason string) string {
	t.Helper()
	contents := map[string][]byte{}
	sum := sha256.New()
	for _, file := range []string{"package.json", "package-lock.json", ".npmrc"} {
		text, err := files.ReadFile(filepath.ToSlash(filepath.Join(dir, file)))
		if err != nil {
			t.Fatal(err)
		}
		contents[file] = text
		sum.Write(text)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	parent := filepath.Join(cache, "stagedoor-test")
	home := filepath.Join(parent, name+"-"+hex.EncodeToString(sum.Sum(nil)[:8]))
	modules := filepath.Join(home, "node_modules")
	if _, err := os.Stat(modules); err == nil {
		return modules
	}

	npm := Tool(t, "npm", reason)
	must(t, os.MkdirAll(parent, 0o755))
	work, err := os.MkdirTemp(parent, "install-")
	must(t, err)
	defer os.RemoveAll(work)
	for file, text := range contents {
		must(t, os.WriteFile(filepath.Join(work, file), text, 0o600))
	}
	cmd := exec.CommandContext(t.Context(), npm, "ci", "--no-progress")
	cmd.Dir = work
	if out, err := cmd.CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Logf("npm ci: %s", out)
		}
		Unavailable(t, "npm ci: "+err.Error()+": "+reason)
	}
	if err := os.Rename(work, home); err != nil {
		if _, statErr := os.Stat(modules); statErr != nil {
			t.Fatal(err)
		}
	}
	return modules
}

// Pinned checks that the lock file in dir serves every registry: it pins versions and their content, not where they come from.
func Pinned(t testing.TB, dir string, files embed.FS) {
	t.Helper()
	var lock struct {
		Packages map[string]struct{ Version, Integrity, Resolved string }
	}
	var manifest struct{ Dependencies map[string]string }
	for file, v := range map[string]any{"package-lock.json": &lock, "package.json": &manifest} {
		text, err := files.ReadFile(filepath.ToSlash(filepath.Join(dir, file)))
		must(t, err)
		must(t, json.Unmarshal(text, v))
	}
	exact := regexp.MustCompile(`^\d+\.\d+\.\d+$`)
	for path, p := range lock.Packages {
		if path != "" && (!exact.MatchString(p.Version) || !strings.HasPrefix(p.Integrity, "sha512-") || p.Resolved != "") {
			t.Errorf("%s: got version %q, integrity %q, resolved %q", path, p.Version, p.Integrity, p.Resolved)
		}
	}
	for name, version := range manifest.Dependencies {
		if !exact.MatchString(version) {
			t.Errorf("package.json asks for %s %q, want an exact version", name, version)
		}
	}
}

// Tool finds a program that a test runs, or skips the test for the reason; with CI=true it fails.
func Tool(t testing.TB, program, reason string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		Unavailable(t, program+" is not installed: "+reason)
	}
	return path
}

// Unavailable skips the test on a developer's machine and fails it where everything has to be there.
func Unavailable(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}
