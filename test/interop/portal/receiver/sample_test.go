package receiver

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

func TestSamplesAreTakenUnchangedAndWhole(t *testing.T) {
	specification := readSpecification(t)
	for sample, ends := range map[Sample][2]string{
		Verification: {"\nconst express = require('express');\n", "\napp.listen(3000, () => console.log('Webhook listener running on port 3000'));\n"},
		Replay:       {"\nconst crypto = require('crypto');\n", "\n    res.status(401).json({ error: err.message });\n  }\n});\n"},
	} {
		code := extract(t, sample)
		if !strings.Contains(specification, code) {
			t.Errorf("sample %d is not in the specification as it is", sample)
		}
		if !strings.HasPrefix(code, ends[0]) || !strings.HasSuffix(code, ends[1]) {
			t.Errorf("sample %d is not whole:\n%s", sample, code)
		}
	}
}

// The lock file serves every registry: it pins versions and their content, not where they come from.
func TestLockFilePinsContentAndNoRegistry(t *testing.T) {
	var lock struct {
		Packages map[string]struct{ Version, Integrity, Resolved string }
	}
	if err := json.Unmarshal([]byte(packageLock), &lock); err != nil {
		t.Fatal(err)
	}
	exact := regexp.MustCompile(`^\d+\.\d+\.\d+$`)
	for path, p := range lock.Packages {
		if path == "" {
			continue
		}
		if !exact.MatchString(p.Version) || !strings.HasPrefix(p.Integrity, "sha512-") || p.Resolved != "" {
			t.Errorf("%s: got version %q, integrity %q, resolved %q", path, p.Version, p.Integrity, p.Resolved)
		}
	}
	var manifest struct{ Dependencies map[string]string }
	if err := json.Unmarshal([]byte(packageJSON), &manifest); err != nil {
		t.Fatal(err)
	}
	for name, version := range manifest.Dependencies {
		if !exact.MatchString(version) {
			t.Errorf("package.json asks for %s %q, want an exact version", name, version)
		}
	}
}
