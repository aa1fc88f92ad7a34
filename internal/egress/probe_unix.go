//go:build unix && !aix

package egress

import (
	"net"
	"syscall"
)

// probe looks whether anything has happened on an idle connection, without reading and without a goroutine that waits for
// it.
type probe struct {
	raw   syscall.RawConn
	quiet bool
	look  func(fd uintptr) // made once, so that looking does not allocate
}

func newProbe(c net.Conn) *probe {
	tcp, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	p := &probe{raw: raw}
	p.look = func(fd uintptr) {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		p.quiet = err == syscall.EAGAIN || err == syscall.EINTR
	}
	return p
}

// isQuiet reports whether the connection is open and nothing has arrived. Anything else makes it useless: the receiver has
// closed it, or has sent what nobody asked for and what would be taken for the next answer.
func (p *probe) isQuiet() bool {
	return p != nil && p.raw.Control(p.look) == nil && p.quiet
}
