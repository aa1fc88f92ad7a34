package main

import (
	"strings"
	"testing"
)

// stream makes the output of go test -json from lines of "action test text".
func stream(lines ...string) string {
	var b strings.Builder
	for _, l := range lines {
		f := strings.SplitN(l, " ", 3)
		for len(f) < 3 {
			f = append(f, "")
		}
		b.WriteString(`{"Action":"` + f[0] + `","Package":"p"`)
		if f[1] != "" {
			b.WriteString(`,"Test":"` + f[1] + `"`)
		}
		b.WriteString(`,"Output":"` + f[2] + `\n"}` + "\n")
	}
	return b.String()
}

func TestSummary(t *testing.T) {
	for _, c := range []struct {
		name, in string
		ci       bool
		failed   bool
		want     []string // parts of the output; the last is its last line
	}{
		{
			name: "passed and skipped",
			in: stream("run TestA", "output TestA noise", "pass TestA", "run TestB",
				"output TestB     b_test.go:7: no shared files", "skip TestB", "output  ok", "pass"),
			want: []string{"no shared files\n    p.TestB", "1 passed, 0 failed, 1 skipped"},
		},
		{
			name:   "failure is shown",
			in:     stream("run TestA", "output TestA got 1, want 2", "fail TestA", "fail"),
			failed: true,
			want:   []string{"got 1, want 2", "0 passed, 1 failed, 0 skipped"},
		},
		{
			name: "a test counts through its subtests, whose names may hold slashes",
			in: stream("run TestA", "run TestA/x/y", "run TestA/z", "pass TestA/x/y",
				"fail TestA/z", "fail TestA", "fail"),
			failed: true,
			want:   []string{"1 passed, 1 failed, 0 skipped"},
		},
		{
			name:   "a test that fails beside its subtests counts itself",
			in:     stream("run TestA", "run TestA/x", "pass TestA/x", "fail TestA", "fail"),
			failed: true,
			want:   []string{"1 passed, 1 failed, 0 skipped"},
		},
		{
			name:   "a test that never ended has failed",
			in:     stream("run TestA", "pass TestA", "run TestB", "output TestB panic: oh", "fail"),
			failed: true,
			want:   []string{"panic: oh", "1 passed, 1 failed, 0 skipped"},
		},
		{
			name:   "a package that did not build",
			in:     `{"Action":"build-output","ImportPath":"q","Output":"q.go:1: undefined: x\n"}` + "\n" + `{"Action":"fail","Package":"q","FailedBuild":"q"}` + "\n" + stream("run TestA", "pass TestA", "pass"),
			failed: true,
			want:   []string{"undefined: x", "something else", "1 passed, 0 failed, 0 skipped"},
		},
		{
			name:   "a stream that breaks off",
			in:     stream("run TestA", "pass TestA"),
			failed: true,
			want:   []string{"before its tests did", "0 passed, 0 failed, 0 skipped"},
		},
		{
			name: "a skipped database",
			in: stream("run TestA", "pass TestA", "run TestB",
				"output TestB     x.go:1: PostgreSQL is not installed", "skip TestB", "pass"),
			want: []string{"PostgreSQL is not installed", "1 passed, 0 failed, 1 skipped"},
		},
		{
			name: "a skipped database with CI=true",
			ci:   true,
			in: stream("run TestA", "pass TestA", "run TestB",
				"output TestB     x.go:1: PostgreSQL is not installed", "skip TestB", "pass"),
			failed: true,
			want:   []string{"no database test may be skipped", "1 passed, 0 failed, 1 skipped"},
		},
		{
			name:   "nothing ran",
			in:     "",
			failed: true,
			want:   []string{"no test ran", "0 passed, 0 failed, 0 skipped"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			failed, err := run(strings.NewReader(c.in), &out, c.ci)
			if err != nil || failed != c.failed {
				t.Errorf("run = failed %v, error %v; want failed %v\n%s", failed, err, c.failed, &out)
			}
			for _, w := range c.want {
				if !strings.Contains(out.String(), w) {
					t.Errorf("the output lacks %q:\n%s", w, &out)
				}
			}
			if last := c.want[len(c.want)-1]; !strings.HasSuffix(out.String(), "\n"+last+"\n") {
				t.Errorf("the output does not end with the line %q:\n%s", last, &out)
			}
			if strings.Contains(out.String(), "noise") {
				t.Errorf("the output of a test that passed is shown:\n%s", &out)
			}
		})
	}
}
