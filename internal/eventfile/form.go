package eventfile

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
)

// cutter cuts the content of a file, without byte order mark, into rows. It may stop beyond MaxEvents rows.
type cutter func(data []byte) ([]row, error)

// formOf chooses the form by the extension of name, else by how the content begins.
func formOf(name string, data []byte) (cutter, error) {
	if err := refuseNoText(data); err != nil {
		return nil, err
	}
	switch strings.ToLower(filepath.Ext(name)) {
	case ".csv":
		return cutCSV, nil
	case ".json", ".jsonld":
		return cutJSONLD, nil
	case ".ics", ".ical":
		return cutICalendar, nil
	}

	head := bytes.ToLower(data[:min(len(data), 4096)])
	head = bytes.TrimLeft(head, " \t\r\n")
	firstLine, _, _ := bytes.Cut(head, []byte("\n"))
	switch {
	case bytes.HasPrefix(head, []byte("{")), bytes.HasPrefix(head, []byte("[")):
		return cutJSONLD, nil
	case bytes.HasPrefix(head, []byte("begin:vcalendar")):
		return cutICalendar, nil
	case bytes.Contains(firstLine, []byte(colStartDate)):
		return cutCSV, nil
	}
	return nil, errors.New("the file is neither JSON-LD (.jsonld, .json) nor CSV with our header (.csv) nor iCalendar (.ics)")
}

// refuseNoText tells apart the files that people choose by mistake, whose fault no parser would name.
func refuseNoText(data []byte) error {
	head := bytes.TrimLeft(data[:min(len(data), 512)], " \t\r\n")
	lower := bytes.ToLower(head)
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		return errors.New("the file is empty")
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		return errors.New("the file is UTF-16: save it as UTF-8")
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return errors.New("the file is a spreadsheet or zip archive: export it as CSV")
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		return errors.New("the file is compressed: unpack it first")
	case bytes.HasPrefix(lower, []byte("<!doctype")), bytes.HasPrefix(lower, []byte("<html")):
		return errors.New("the file is a web page: save the calendar that it links to")
	}
	return nil
}
