package bench

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// metronome sleeps to within some tens of microseconds. The runtime's own timers would do only to a millisecond: an idle
// program waits for them in epoll_wait, whose timeout has that unit. A timerfd wakes the same wait in time.
type metronome struct {
	fd   int
	file *os.File
}

func newMetronome() (*metronome, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	return &metronome{fd: fd, file: os.NewFile(uintptr(fd), "timerfd")}, nil
}

func (m *metronome) sleep(d time.Duration) {
	if d <= 0 {
		return
	}
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}
	var expirations [8]byte
	if err := unix.TimerfdSettime(m.fd, 0, &spec, nil); err != nil {
		time.Sleep(d)
		return
	}
	if _, err := m.file.Read(expirations[:]); err != nil {
		time.Sleep(d)
	}
}

func (m *metronome) close() { _ = m.file.Close() }
