package pgtest_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db/pgtest"
)

const cpuIsKnown = true

func TestServerNeverRunsAsRoot(t *testing.T) {
	pid := pgtest.Shared(t).PID()
	fi, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	if err != nil {
		t.Fatal(err)
	}
	if uid := fi.Sys().(*syscall.Stat_t).Uid; uid == 0 {
		t.Errorf("the server, process %d, runs as uid %d", pid, uid)
	}
}

func TestServerDiesWithTheProcessThatStartedIt(t *testing.T) {
	if reason := pgtest.Unavailable(); reason != "" {
		t.Skip(reason)
	}
	dir := openDir(t, "child")
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), "PGTEST_START_AND_HANG="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("the child answered %q, want the server's process id", line)
	}
	if !running(pid) {
		t.Fatalf("the server, process %d, does not run though its owner lives", pid)
	}

	_ = child.Process.Kill() // SIGKILL: nothing of the child's own code runs any more.
	_ = child.Wait()
	for deadline := time.Now().Add(time.Minute); running(pid); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the server, process %d, still runs a minute after its owner was killed", pid)
		}
	}
}

// running is false for a process that is gone or a zombie that nobody reaps.
func running(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(b), ") Z ")
}
