package pgtest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
)

// Unavailable says in one line why no cluster can be started here. It is empty
// where one can.
func Unavailable() string {
	if _, err := findBinaries(); err != nil {
		return err.Error()
	}
	if _, err := serverUser(); err != nil {
		return err.Error()
	}
	return ""
}

// findBinaries is the directory of the newest PostgreSQL server on this machine.
func findBinaries() (string, error) {
	for _, dir := range candidates() {
		if executable(filepath.Join(dir, "initdb")) && executable(filepath.Join(dir, "postgres")) {
			return dir, nil
		}
	}
	return "", errors.New("PostgreSQL's server binaries (initdb, postgres) are not installed; scripts/deps installs them")
}

// candidates are the places where packages put the server: the newest version
// first, then what PATH names. A link on PATH is followed to the real directory,
// because a server finds its own files relative to its binary; a wrapper script
// there is the last resort.
func candidates() []string {
	var dirs []string
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",          // Debian, Ubuntu
		"/usr/pgsql-*/bin",                   // PGDG packages for Fedora and RHEL
		"/opt/homebrew/opt/postgresql@*/bin", // Homebrew on Apple silicon
		"/usr/local/opt/postgresql@*/bin",    // Homebrew on Intel
		"/usr/libexec/postgresql*",           // Alpine
	} {
		found, _ := filepath.Glob(pattern)
		dirs = append(dirs, found...)
	}
	sort.SliceStable(dirs, func(i, j int) bool { return version(dirs[i]) > version(dirs[j]) })
	if p, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(p); err == nil {
			p = real
		}
		dirs = append(dirs, filepath.Dir(p))
	}
	return dirs
}

// version is the first number in a path such as /usr/lib/postgresql/17/bin, or 0.
func version(path string) int {
	start := -1
	for i, r := range path + "/" {
		digit := r >= '0' && r <= '9'
		switch {
		case digit && start < 0:
			start = i
		case !digit && start >= 0:
			n, _ := strconv.Atoi(path[start:i])
			return n
		}
	}
	return 0
}

func executable(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.Mode().IsRegular() && fi.Mode()&0o111 != 0
}
