package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// event is one line of go test -json, as in `go doc test2json`, and of
// go build -json, as in `go help buildjson`.
type event struct {
	Action      string
	Package     string
	ImportPath  string
	Test        string
	Elapsed     float64 // seconds
	Output      string
	FailedBuild string
}

// test is what we keep of one test until its package ends.
type test struct {
	output   strings.Builder
	state    string // pass, fail, skip, or empty while it runs
	elapsed  float64
	subtests int
	failures int // among its subtests
}

// summary follows the stream. Packages run side by side, so everything is kept
// per package until that package ends.
type summary struct {
	w        *bufio.Writer
	packages map[string]map[string]*test // the test "" holds the package's own output
	builds   map[string]*strings.Builder // compiler output by import path

	passed, failed int
	skipped        []outcome
	finished       []outcome
	broken         bool // something failed that was not a test
}

type outcome struct {
	name    string // package and test
	reason  string
	elapsed float64
}

func newSummary(w *bufio.Writer) *summary {
	return &summary{w: w, packages: map[string]map[string]*test{}, builds: map[string]*strings.Builder{}}
}

func (s *summary) line(line []byte) {
	var e event
	if json.Unmarshal(line, &e) != nil || e.Action == "" {
		s.w.Write(line) // not ours: a tool's own words, shown as they are
		return
	}
	switch {
	case e.Action == "build-output":
		if s.builds[e.ImportPath] == nil {
			s.builds[e.ImportPath] = &strings.Builder{}
		}
		s.builds[e.ImportPath].WriteString(e.Output)
	case e.Package == "":
		return
	case e.Test != "":
		s.testEvent(e)
	default:
		s.packageEvent(e)
	}
}

func (s *summary) testEvent(e event) {
	t := s.test(e.Package, e.Test)
	switch e.Action {
	case "run":
		if parent := parentOf(s.packages[e.Package], e.Test); parent != nil {
			parent.subtests++
		}
	case "output":
		t.output.WriteString(e.Output)
	case "pass", "fail", "skip":
		t.state, t.elapsed = e.Action, e.Elapsed
	}
}

func (s *summary) test(pkg, name string) *test {
	tests := s.packages[pkg]
	if tests == nil {
		tests = map[string]*test{}
		s.packages[pkg] = tests
	}
	if tests[name] == nil {
		tests[name] = &test{}
	}
	return tests[name]
}

// packageEvent handles what concerns a whole package. Its own output (a panic,
// a TestMain's words, "ok" or "FAIL") is shown when it ends, after its tests'.
func (s *summary) packageEvent(e event) {
	switch e.Action {
	case "output":
		switch strings.TrimSpace(e.Output) {
		case "PASS", "FAIL", "testing: warning: no tests to run":
		default:
			s.test(e.Package, "").output.WriteString(e.Output)
		}
	case "fail":
		if b := s.builds[e.FailedBuild]; b != nil {
			s.w.WriteString(b.String())
		}
		before := s.failed
		s.endPackage(e.Package)
		if s.failed == before {
			s.broken = true // it did not build, or died outside of a test
		}
	case "pass", "skip":
		s.endPackage(e.Package)
	}
}

// endPackage counts the tests of a package and shows those that failed. A test
// that never ended (a panic, a timeout) has failed.
func (s *summary) endPackage(pkg string) {
	own := s.test(pkg, "").output.String()
	tests := s.packages[pkg]
	delete(s.packages, pkg)
	delete(tests, "")
	// Children before parents, so that a parent knows of their failures.
	names := slices.SortedFunc(maps.Keys(tests), func(a, b string) int { return strings.Compare(b, a) })
	short := strings.TrimPrefix(pkg, "github.com/stagedoorhq/stagedoor/")
	for _, name := range names {
		t := tests[name]
		if t.state == "" {
			t.state = "fail"
		}
		parent := parentOf(tests, name)
		if parent != nil && t.state == "fail" {
			parent.failures++
		}
		s.count(t, short+"."+name)
		if parent == nil {
			s.finished = append(s.finished, outcome{name: short + "." + name, elapsed: t.elapsed})
		}
	}
	s.w.WriteString(own)
}

// parentOf is the test of which name is a subtest, or nil. A subtest's own name
// may hold slashes, so it is the nearest one that exists.
func parentOf(tests map[string]*test, name string) *test {
	for {
		i := strings.LastIndexByte(name, '/')
		if i < 0 {
			return nil
		}
		name = name[:i]
		if t := tests[name]; t != nil {
			return t
		}
	}
}

// count takes one ended test into the sums. A test that failed through its
// subtests is shown but counts through them.
func (s *summary) count(t *test, name string) {
	switch {
	case t.state == "fail":
		s.w.WriteString(t.output.String())
		if t.failures == 0 {
			s.failed++
		}
	case t.state == "skip":
		s.skipped = append(s.skipped, outcome{name: name, reason: skipReason(t.output.String())})
	case t.subtests == 0:
		s.passed++
	}
}

// logLine is a line that a test has logged, as testing prints it.
var logLine = regexp.MustCompile(`(?m)^\s+\S+\.go:\d+: (.*)$`)

// skipReason is the sentence of t.Skip: the last thing that the test has logged.
func skipReason(output string) string {
	logged := logLine.FindAllStringSubmatch(output, -1)
	if len(logged) == 0 {
		return "no reason given"
	}
	return logged[len(logged)-1][1]
}

// close prints the summary and says whether the run failed.
func (s *summary) close(ci bool) (failed bool) {
	for pkg := range s.packages {
		s.broken = true
		fmt.Fprintf(s.w, "FAIL\t%s\tthe stream ended before its tests did\n", pkg)
	}
	s.slowest()
	database := s.skips()
	if ci && database {
		s.broken = true
		fmt.Fprintln(s.w, "\nFAIL: with CI=true no database test may be skipped")
	}
	if s.passed+s.failed == 0 {
		s.broken = true
		fmt.Fprintln(s.w, "\nFAIL: no test ran")
	}
	if s.broken && s.failed == 0 {
		fmt.Fprintln(s.w, "\nFAIL: not a test, but something else above failed")
	}
	fmt.Fprintf(s.w, "\n%d passed, %d failed, %d skipped\n", s.passed, s.failed, len(s.skipped))
	return s.broken || s.failed > 0
}

// slowest lists where the time went, if it went anywhere.
func (s *summary) slowest() {
	slices.SortStableFunc(s.finished, func(a, b outcome) int { return int(1000 * (b.elapsed - a.elapsed)) })
	top := s.finished[:min(5, len(s.finished))]
	if len(top) == 0 || top[0].elapsed < 5 {
		return
	}
	fmt.Fprintln(s.w, "\nSlowest tests:")
	for _, o := range top {
		fmt.Fprintf(s.w, "%8.1fs  %s\n", o.elapsed, o.name)
	}
}

// skips lists the skipped tests by reason and says whether one of them needed a
// database that was not there.
func (s *summary) skips() (database bool) {
	if len(s.skipped) == 0 {
		return false
	}
	byReason := map[string][]string{}
	var reasons []string
	for _, o := range s.skipped {
		if byReason[o.reason] == nil {
			reasons = append(reasons, o.reason)
		}
		byReason[o.reason] = append(byReason[o.reason], o.name)
		database = database || strings.Contains(strings.ToLower(o.reason), "postgres")
	}
	fmt.Fprintln(s.w, "\nSkipped:")
	for _, r := range reasons {
		names := byReason[r]
		slices.Sort(names)
		fmt.Fprintf(s.w, "  %s\n", r)
		for _, n := range names[:min(5, len(names))] {
			fmt.Fprintf(s.w, "    %s\n", n)
		}
		if more := len(names) - 5; more > 0 {
			fmt.Fprintf(s.w, "    and %d more\n", more)
		}
	}
	return database
}
