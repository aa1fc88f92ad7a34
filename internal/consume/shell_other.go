//go:build !unix

package consume

import "os/exec"

// shell runs command lines.
var shell = []string{"cmd", "/C"}

// alone does nothing: there are no process groups here.
func alone(*exec.Cmd) {}
