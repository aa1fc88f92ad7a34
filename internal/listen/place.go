package listen

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// A Place is the last event of a stream that was posted, and the file that remembers it. The zero Place is at now and has no file.
type Place struct {
	file string
	kept kept
}

// kept is what stands in the file. All but the last two are for who looks into it.
type kept struct {
	Server  string    `json:"server"`
	Dev     string    `json:"dev,omitempty"`
	Forward string    `json:"forward"`
	After   string    `json:"lastEventId"`
	At      time.Time `json:"at"`
}

// OpenPlace reads the file of a listener with these options, which need not be there yet. With fromNow what it says is not heeded.
func OpenPlace(file string, o Options, fromNow bool) (*Place, error) {
	p := &Place{file: file, kept: kept{Server: o.Server.String(), Dev: o.Dev, Forward: o.Forward}}
	text, err := os.ReadFile(file)
	if fromNow || errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("state file: %w", err)
	}
	var was kept
	if err := json.Unmarshal(text, &was); err != nil {
		return nil, fmt.Errorf("the state file %s is not understood (%w); begin at now with --no-catch-up", file, err)
	}
	if was.Dev != o.Dev {
		return nil, problem.New(problem.Invalid, "other_stream", "The state file %s is of another stream; name another file, or begin at now with --no-catch-up.", file)
	}
	p.kept.After, p.kept.At = was.After, was.At
	return p, nil
}

// File is where it is remembered.
func (p *Place) File() string { return p.file }

// After is the id of the last event that was posted; "" for none.
func (p *Place) After() string { return p.kept.After }

// Move notes that the stream was handled up to an event; an event without an id leaves the place where it is.
//
// The file is replaced whole, so that an end at any moment leaves the one before or the new one. It is not forced to the disk: after a loss of power
// some events may be posted again.
func (p *Place) Move(id string) error {
	if id == "" || id == p.kept.After {
		return nil
	}
	p.kept.After, p.kept.At = id, time.Now().UTC().Truncate(time.Second)
	if p.file == "" {
		return nil
	}
	return p.write()
}

func (p *Place) write() error {
	text, err := json.Marshal(p.kept)
	if err != nil {
		return err
	}
	dir := filepath.Dir(p.file)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, filepath.Base(p.file)+".*") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(f.Name(), p.file)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
