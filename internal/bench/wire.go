package bench

import (
	"bytes"
	"errors"
	"io"
	"strconv"
)

// wire reads HTTP/1.1 messages from a connection, requests and answers alike, as light as it can be done: what it returns lies in
// its own buffer and is valid until the next call. It serves both ends of a measurement, where the peers are known and speak
// properly; it is no server for the open network.
type wire struct {
	from       io.Reader
	buf        []byte
	start, end int // what was read and not yet consumed
}

const (
	maxHead = 64 << 10
	maxBody = 1 << 20
)

var (
	errTooLong  = errors.New("an HTTP message is longer than this reader takes")
	errUnframed = errors.New("an HTTP message has no valid length")
)

func newWire(from io.Reader) *wire { return &wire{from: from, buf: make([]byte, 4<<10)} }

// next reads one message. The head comes without the empty line that ends it, a chunked body as it was sent, chunk sizes and
// all. io.EOF means that the peer closed between two messages.
func (w *wire) next() (head, body []byte, err error) {
	headLen, err := w.find(0, "\r\n\r\n", maxHead)
	if err != nil {
		return nil, nil, err
	}
	from := headLen + 4
	length, chunked, err := framing(w.have()[:headLen])
	if err != nil {
		return nil, nil, err
	}
	if chunked {
		length, err = w.chunks(from)
	} else {
		err = w.fill(from + length)
	}
	if err != nil {
		return nil, nil, err
	}
	whole := w.have()[:from+length]
	w.start += len(whole)
	return whole[:headLen], whole[from:], nil
}

func (w *wire) have() []byte { return w.buf[w.start:w.end] }

// find is the place of mark at or after from in what is not yet consumed; it reads on until mark comes.
func (w *wire) find(from int, mark string, limit int) (int, error) {
	for {
		if i := bytes.Index(w.have()[from:], []byte(mark)); i >= 0 {
			return from + i, nil
		}
		if len(w.have()) > limit {
			return 0, errTooLong
		}
		if err := w.fill(len(w.have()) + 1); err != nil {
			return 0, err
		}
	}
}

// fill reads until n bytes are there.
func (w *wire) fill(n int) error {
	if n > maxHead+maxBody {
		return errTooLong
	}
	if len(w.buf)-w.start < n {
		buf := w.buf
		if len(buf) < n {
			buf = make([]byte, 2*n)
		}
		w.start, w.end = 0, copy(buf, w.have())
		w.buf = buf
	}
	for len(w.have()) < n {
		got, err := w.from.Read(w.buf[w.end:])
		w.end += got
		switch {
		case len(w.have()) >= n:
		case errors.Is(err, io.EOF) && w.start < w.end:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
	}
	return nil
}

// chunks is the length of a chunked body that begins at from, with its sizes and its trailer (RFC 9112 §7.1).
func (w *wire) chunks(from int) (int, error) {
	at := from
	for {
		end, err := w.find(at, "\r\n", maxHead+maxBody)
		if err != nil {
			return 0, err
		}
		digits, _, _ := bytes.Cut(w.have()[at:end], []byte(";"))
		size, err := strconv.ParseUint(string(bytes.TrimSpace(digits)), 16, 20)
		if err != nil {
			return 0, errUnframed
		}
		if size == 0 {
			// The trailer's fields, if any, and an empty line: the line end of the last chunk may already be half of it.
			last, err := w.find(end, "\r\n\r\n", maxHead+maxBody)
			return last + 4 - from, err
		}
		at = end + 2 + int(size) + 2 // #nosec G115 -- parsed as at most 20 bits
		if err := w.fill(at); err != nil {
			return 0, err
		}
		if string(w.have()[at-2:at]) != "\r\n" {
			return 0, errUnframed
		}
	}
}

// framing tells how long a message's body is (RFC 9112 §6). Without a word about it, there is none.
func framing(head []byte) (length int, chunked bool, err error) {
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		name, value, found := bytes.Cut(line, []byte(":"))
		switch {
		case !found:
		case len(name) == len("content-length") && bytes.EqualFold(name, []byte("content-length")):
			n, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 10, 31)
			if err != nil || n > maxBody {
				return 0, false, errUnframed
			}
			length = int(n) // #nosec G115 -- at most maxBody
		case len(name) == len("transfer-encoding") && bytes.EqualFold(name, []byte("transfer-encoding")):
			chunked = true
		}
	}
	return length, chunked, nil
}

// status is the status of an answer, 0 where the head is not one.
func status(head []byte) int {
	if len(head) < 12 || !bytes.HasPrefix(head, []byte("HTTP/1.")) {
		return 0
	}
	n, err := strconv.Atoi(string(head[9:12]))
	if err != nil {
		return 0
	}
	return n
}
