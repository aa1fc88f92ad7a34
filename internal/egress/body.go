package egress

import (
	"bytes"
	"errors"
	"io"
)

// body takes in the body of one answer: keeps its beginning, counts the rest, and stops at MaxBody.
type body struct {
	in   *reader
	keep int // bytes that are still to be kept
	left int // bytes that are still to be read

	kept      []byte
	truncated bool
}

// errEnough ends a body that is longer than is read. It is not a failure, but the connection is of no use afterwards.
var errEnough = errors.New("egress: more body than is read")

// read reads the body that belongs to a head.
func (b *body) read(a answer) error {
	switch {
	case a.bodyless():
		return nil
	case a.chunked:
		return b.chunks()
	case a.length >= 0:
		b.kept = make([]byte, 0, min(a.length, int64(b.keep)))
		return b.take(a.length)
	}
	return b.rest()
}

// take reads n bytes.
func (b *body) take(n int64) error {
	for n > 0 {
		if b.left == 0 {
			b.truncated = true
			return errEnough
		}
		if err := b.more(); err != nil {
			return err
		}
		n -= int64(b.use(int(min(n, int64(b.in.w-b.in.r)))))
	}
	return nil
}

// rest reads up to the end of the connection.
func (b *body) rest() error {
	for {
		if err := b.more(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if b.left == 0 {
			b.truncated = true
			return errEnough
		}
		b.use(b.in.w - b.in.r)
	}
}

// more sees to it that something is in the buffer.
func (b *body) more() error {
	if b.in.r < b.in.w {
		return nil
	}
	return b.in.fill()
}

// use consumes up to n bytes of the buffer and returns how many.
func (b *body) use(n int) int {
	n = min(n, b.left)
	data := b.in.buf[b.in.r : b.in.r+n]
	b.in.r += n
	b.left -= n
	if len(data) > b.keep {
		data = data[:b.keep]
		b.truncated = true
	}
	b.keep -= len(data)
	b.kept = append(b.kept, data...)
	return n
}

// chunks reads a chunked body with its trailers (RFC 9112, 7.1). Unlike in the head, every line must end in CRLF: here
// a second opinion about where a line ends is one about where the answer ends.
func (b *body) chunks() error {
	for {
		line, err := b.chunkLine()
		if err != nil {
			return err
		}
		size, err := chunkSize(line)
		if err != nil {
			return err
		}
		if size == 0 {
			return b.trailers()
		}
		if err := b.take(size); err != nil {
			return err
		}
		if line, err = b.chunkLine(); err != nil {
			return err
		}
		if len(line) != 0 {
			return errChunk
		}
	}
}

// trailers skips the trailer fields and the empty line after them.
func (b *body) trailers() error {
	for {
		line, err := b.chunkLine()
		if err != nil {
			return err
		}
		if len(line) == 0 {
			return nil
		}
		var ignored answer
		if err := ignored.addField(line); err != nil {
			return err
		}
	}
}

// chunkLine returns a line that ends in CRLF, without it.
func (b *body) chunkLine() ([]byte, error) {
	line, err := b.in.untilLF()
	if err != nil {
		return nil, err
	}
	line, ok := bytes.CutSuffix(line, []byte("\r"))
	if !ok || bytes.IndexByte(line, '\r') >= 0 {
		return nil, errChunk
	}
	return line, nil
}

// chunkSize reads "1a3f" or "1a3f;extension".
func chunkSize(line []byte) (int64, error) {
	digits, _, _ := bytes.Cut(line, []byte(";"))
	digits = bytes.TrimRight(digits, " \t")
	if len(digits) == 0 || len(digits) > 15 {
		return 0, errChunk
	}
	size := int64(0)
	for _, c := range digits {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, errChunk
		}
		size = size<<4 | int64(c)
	}
	return size, nil
}
