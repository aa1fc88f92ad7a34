//go:build unix

package pgtest

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// credential is the user that the server runs as; nil means ours.
type credential struct{ uid, gid uint32 }

// serverUser is nil unless we are root, as whom PostgreSQL refuses to run.
func serverUser() (*credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("user %s: %w", name, err)
		}
		return &credential{uid: uint32(uid), gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
}

// own hands a directory to the server's user.
func (c *credential) own(dir string) error {
	if c == nil {
		return nil
	}
	return os.Chown(dir, int(c.uid), int(c.gid))
}

// attributes start a process as the server's user, in a process group of its
// own (so that Ctrl-C reaches us first), tied to our life where that is possible.
func (c *credential) attributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true}
	if c != nil {
		a.Credential = &syscall.Credential{Uid: c.uid, Gid: c.gid}
	}
	dieWithParent(a)
	return a
}

func lockThread() { runtime.LockOSThread() }

const dirPrefix = "stagedoor-pg-"

// claim marks a cluster's directory as in use for as long as our process lives,
// by a lock that the kernel drops with us.
func claim(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "owner"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// sweep removes the directories of clusters whose owner has died. It leaves
// young ones alone, whose owner may not have claimed them yet or whose server
// may still be on its way out.
func sweep(parent string) {
	dirs, _ := filepath.Glob(filepath.Join(parent, dirPrefix+"*"))
	for _, dir := range dirs {
		fi, err := os.Lstat(filepath.Join(dir, "owner"))
		if err != nil || !fi.Mode().IsRegular() || time.Since(fi.ModTime()) < 2*time.Minute {
			continue
		}
		if f, err := claim(dir); err == nil {
			_ = os.RemoveAll(dir)
			_ = f.Close()
		}
	}
}
