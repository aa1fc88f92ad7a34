//go:build unix && !linux

package pgtest

import (
	"syscall"
	"time"
)

// dieWithParent can do nothing here: a server whose parent was killed stays
// until somebody stops it.
func dieWithParent(*syscall.SysProcAttr) {}

func cpuOf(int) time.Duration { return 0 }

func memory() string { return "" }
