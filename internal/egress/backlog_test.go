//go:build linux

package egress_test

import (
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/egress"
)

// TestSecurity28_NeverAccepts: a receiver whose queue is full drops the handshake, so that not even a connection comes about.
func TestSecurity28_NeverAccepts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { err = syscall.Listen(int(fd), 0) }); err != nil {
		t.Fatal(err)
	}
	for range 8 { // fill the queue
		conn, err := net.DialTimeout("tcp", l.Addr().String(), impatient/3)
		if err != nil {
			break
		}
		defer conn.Close()
		time.Sleep(time.Millisecond)
	}
	c := newClient(t, egress.Options{})
	out := c.Do(t.Context(), &egress.Request{Target: target(t, "http://"+l.Addr().String()), Timeout: impatient})
	if out.Code != egress.CodeTimeout || out.Timing.Connect == 0 || out.Timing.FirstByte != 0 {
		t.Errorf("Do = %+v, want code %q while connecting", out, egress.CodeTimeout)
	}
}
