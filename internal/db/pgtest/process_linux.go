package pgtest

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// dieWithParent has the kernel send SIGQUIT, PostgreSQL's immediate shutdown,
// when the thread that started the process ends.
func dieWithParent(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGQUIT }

// roomy is the free memory, in bytes, with which a cluster that keeps nothing is
// put there. One takes some 200 MB with the databases of a few tests at a time.
const roomy = 4 << 30

// memory is the directory of a file system in memory, or empty where there is
// none with enough room. A database has hundreds of files, and making and removing
// them on a disk takes most of the time of tests that do little else.
func memory() string {
	const dir = "/dev/shm"
	var s syscall.Statfs_t
	const tmpfs = 0x01021994 // statfs(2)
	if err := syscall.Statfs(dir, &s); err != nil || s.Type != tmpfs || s.Bavail*uint64(s.Bsize) < roomy {
		return ""
	}
	probe, err := os.MkdirTemp(dir, "stagedoor-probe-") // it may be closed to us
	if err != nil {
		return ""
	}
	_ = os.Remove(probe)
	return dir
}

// tick is the unit of times in /proc/PID/stat: USER_HZ is 100 for user space on
// every platform that Go supports (proc_pid_stat(5), time(7)).
const tick = 10 * time.Millisecond

// cpuOf adds up the postmaster's own time, that of the children it has reaped
// and that of its living children. A child that ends between two reads would be
// counted twice or not at all, so it reads again until nothing has moved.
func cpuOf(postmaster int) time.Duration {
	var sum int64
	for range 5 {
		before := readStat(postmaster)
		sum = before.own + before.reaped
		for _, s := range children(postmaster) {
			sum += s.own
		}
		if readStat(postmaster).reaped == before.reaped {
			break
		}
	}
	return time.Duration(sum) * tick
}

// stat is what we need of /proc/PID/stat, times in ticks.
type stat struct {
	parent      int
	own, reaped int64
}

func children(parent int) []stat {
	var found []stat
	paths, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range paths {
		pid, err := strconv.Atoi(filepath.Base(p))
		if err != nil {
			continue
		}
		if s := readStat(pid); s.parent == parent {
			found = append(found, s)
		}
	}
	return found
}

// readStat is zero for a process that is gone.
func readStat(pid int) stat {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return stat{}
	}
	// The command in parentheses may hold anything; the fields after the last
	// parenthesis begin with field 3, the state.
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(f) < 15 {
		return stat{}
	}
	field := func(n int) int64 { // numbered as in proc_pid_stat(5)
		v, _ := strconv.ParseInt(string(f[n-3]), 10, 64)
		return v
	}
	return stat{parent: int(field(4)), own: field(14) + field(15), reaped: field(16) + field(17)}
}
