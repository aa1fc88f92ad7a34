//go:build !unix

package pgtest

import (
	"errors"
	"os"
	"syscall"
	"time"
)

const dirPrefix = "stagedoor-pg-"

type credential struct{}

// serverUser refuses: a throwaway cluster needs Unix sockets and signals.
func serverUser() (*credential, error) {
	return nil, errors.New("throwaway PostgreSQL clusters are not supported on this system")
}

func (*credential) own(string) error                 { return nil }
func (*credential) attributes() *syscall.SysProcAttr { return nil }

func lockThread()                    {}
func claim(string) (*os.File, error) { return nil, errors.ErrUnsupported }
func sweep(string)                   {}
func cpuOf(int) time.Duration        { return 0 }
func memory() string                 { return "" }
