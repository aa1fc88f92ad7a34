package bench

import (
	"encoding/binary"
	"errors"
	"os"
	"sync"
)

// journal is a file to which records are appended, with one fdatasync for all that wait at that moment, or for each.
type journal struct {
	file    *os.File
	waiting chan *pending
	group   int           // how many records share one fdatasync at most
	ended   chan struct{} // closed when write has returned
	spare   sync.Pool     // of *pending

	mu     sync.RWMutex // guards closed against sends on waiting
	closed bool
}

// pending is a record whose writer waits for its result.
type pending struct {
	record []byte
	done   chan error // has room for one
}

// maxWaiting bounds how many records share one fdatasync.
const maxWaiting = 256

var errJournalClosed = errors.New("the journal is closed")

func newJournal(path string, group int) (*journal, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600) // #nosec G304 -- the bench names it
	if err != nil {
		return nil, err
	}
	j := &journal{file: file, group: group, waiting: make(chan *pending, maxWaiting), ended: make(chan struct{})}
	j.spare.New = func() any { return &pending{done: make(chan error, 1)} }
	go j.write()
	return j, nil
}

// append returns once the record is on disk.
func (j *journal) append(record []byte) error {
	p := j.spare.Get().(*pending)
	p.record = record
	j.mu.RLock()
	if j.closed {
		j.mu.RUnlock()
		return errJournalClosed
	}
	j.waiting <- p
	j.mu.RUnlock()
	err := <-p.done
	p.record = nil
	j.spare.Put(p)
	return err
}

// write is the journal's one writer.
func (j *journal) write() {
	defer close(j.ended)
	var buf []byte
	var group []*pending
	for p := range j.waiting {
		group = append(group[:0], p)
		for more := true; more && len(group) < j.group; {
			select {
			case p, ok := <-j.waiting:
				if more = ok; ok {
					group = append(group, p)
				}
			default:
				more = false
			}
		}
		buf = buf[:0]
		for _, p := range group {
			buf = binary.BigEndian.AppendUint32(buf, uint32(len(p.record))) // #nosec G115 -- a body of a few KiB
			buf = append(buf, p.record...)
		}
		_, err := j.file.Write(buf)
		if err == nil {
			err = syncData(j.file)
		}
		for _, p := range group {
			p.done <- err
		}
	}
}

// close waits for the records that are under way.
func (j *journal) close() {
	j.mu.Lock()
	j.closed = true
	close(j.waiting)
	j.mu.Unlock()
	<-j.ended
	_ = j.file.Close()
}
