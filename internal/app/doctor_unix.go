//go:build linux || darwin

package app

import "golang.org/x/sys/unix"

// freeSpace is how many bytes an ordinary user can still write to a folder's disk.
func freeSpace(folder string) (bytes uint64, known bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return 0, false
	}
	return s.Bavail * uint64(s.Bsize), true
}
