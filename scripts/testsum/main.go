// Command testsum reads the output of go test -json, shows what a person wants
// to see of it, and ends with one plain line:
//
//	412 passed, 0 failed, 3 skipped
//
// Of a package it shows go test's own closing line, of a failed test all its
// output, of a passed one nothing. Skipped tests are listed with their reasons,
// because a check that nobody sees missing is not a check. It exits with 1 if
// anything failed or nothing ran, and, when the environment has CI=true, if a
// database was skipped.
//
//	{ go test -json ./a; go test -json ./b; } | testsum
//
// A test with subtests counts through them only.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
)

func main() {
	failed, err := run(os.Stdin, os.Stdout, os.Getenv("CI") == "true")
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
	}
	if err != nil || failed {
		os.Exit(1)
	}
}

// run copies what matters from in to out and says whether the run failed.
func run(in io.Reader, out io.Writer, ci bool) (failed bool, err error) {
	w := bufio.NewWriter(out)
	s := newSummary(w)
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			s.line(line)
		}
		if flushErr := w.Flush(); flushErr != nil {
			return true, flushErr
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return true, err
		}
	}
	failed = s.close(ci)
	return failed, w.Flush()
}
