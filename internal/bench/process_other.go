//go:build !linux

package bench

import (
	"os"
	"syscall"
	"time"
)

func attributes() *syscall.SysProcAttr { return nil }

func lockThread() {}

// What other systems tell of a process differs too much between them; the report leaves these figures out there.

func processCPU(int) time.Duration { return 0 }

func peakMemory(int) int64 { return 0 }

func ownCPU() time.Duration { return 0 }

func syncData(f *os.File) error { return f.Sync() }
