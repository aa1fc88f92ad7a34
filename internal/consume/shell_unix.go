//go:build unix

package consume

import (
	"os/exec"
	"syscall"
)

// shell runs command lines.
var shell = []string{"sh", "-c"}

// alone puts a command into a process group of its own: a Ctrl-C at the terminal is for us, who wait for it, and what ends it ends all that it has started.
func alone(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
