package sales

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/eventfile"
	"github.com/stagedoorhq/stagedoor/internal/page"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// maxFile bounds a file that is imported in the browser, and maxUpload the form that it comes back in; the command takes larger ones. rowsShown is how much of a file a page shows.
const (
	maxFile   = 4 << 20
	maxUpload = 9 << 20
	rowsShown = 200
)

// importRow is what becomes of a row of a file.
type importRow struct {
	eventfile.Event
	What event.Outcome
}

type importData struct {
	Timezone string
	Name     string
	Hash     string // SHA-256 of the file, in hexadecimal digits
	File     string // the file itself, which the browser brings back; empty before a preview
	Sum      event.Loaded
	Rows     []importRow // that are new or change, the first of them
	Refused  []eventfile.RowError
	More     int // rows that are not shown
	Done     bool
}

func (r *Room) imports(v *frame.Visit) error {
	return showImport(v, http.StatusOK, importData{Timezone: v.Org.Timezone}, nil)
}

func showImport(v *frame.Visit, status int, d importData, wrong page.Complaints) error {
	return v.Show(pages, "imports", status, frame.View{Title: "Import events", At: "/imports", Complaints: wrong, Data: d})
}

// preview shows what an import of a file would do, and changes nothing.
func (r *Room) preview(v *frame.Visit) error {
	d := importData{Timezone: v.Value("timezone")}
	body, name, err := uploaded(v)
	if err == nil {
		d.Name, d.Hash = name, hashOf(body)
		err = r.load(v, &d, body, r.Calendar.Preview)
	}
	if wrong, status, ok := frame.Wrong(err, "import-", nil); ok {
		return showImport(v, status, importData{Timezone: d.Timezone}, wrong)
	} else if err != nil {
		return err
	}
	if d.File, err = packed(body); err != nil {
		return err
	}
	return showImport(v, http.StatusOK, d, nil)
}

// importFile imports the file that was previewed, which the browser has brought back.
func (r *Room) importFile(v *frame.Visit) error {
	d := importData{Timezone: v.Value("timezone"), Name: v.Value("name"), Hash: v.Value("hash"), Done: true}
	body, err := unpacked(v.Value("packed"))
	if err == nil && hashOf(body) != d.Hash {
		err = problem.New(problem.Invalid, "another_file", "This is not the file of the preview. Choose the file again, and look at its preview.")
	}
	if err == nil {
		err = r.load(v, &d, body, r.Calendar.Load)
	}
	if wrong, status, ok := frame.Wrong(err, "import-", nil); ok {
		return showImport(v, status, importData{Timezone: d.Timezone}, wrong)
	} else if err != nil {
		return err
	}
	return showImport(v, http.StatusOK, d, nil)
}

// load goes through a file.
func (r *Room) load(v *frame.Visit, d *importData, body []byte, how event.Loading) error {
	if _, err := time.LoadLocation(d.Timezone); err != nil {
		return problem.Field("/timezone", "invalid", "Use an IANA time zone, such as Europe/Oslo.")
	}
	file, err := eventfile.Open(d.Name, bytes.NewReader(body), eventfile.Options{Timezone: d.Timezone})
	if err != nil {
		return problem.Field("/file", "invalid", "%s", err.Error())
	}
	d.Sum, err = how(v.R.Context(), v.DB, v.Org.No, file, event.LoadListener{
		Refused: func(row eventfile.RowError) {
			if len(d.Refused) < rowsShown {
				d.Refused = append(d.Refused, row)
			} else {
				d.More++
			}
		},
		Taken: func(row eventfile.Event, what event.Outcome) {
			switch {
			case what == event.Unchanged:
			case len(d.Rows) < rowsShown:
				d.Rows = append(d.Rows, importRow{row, what})
			default:
				d.More++
			}
		},
	})
	return err
}

// uploaded reads the file of the form.
func uploaded(v *frame.Visit) ([]byte, string, error) {
	missing := problem.Field("/file", "required", "Choose a file.")
	if v.R.MultipartForm == nil || len(v.R.MultipartForm.File["file"]) != 1 {
		return nil, "", missing
	}
	head := v.R.MultipartForm.File["file"][0]
	if head.Size == 0 {
		return nil, "", missing
	}
	if head.Size > maxFile {
		return nil, "", problem.Field("/file", "too_large", "A file may have %d MiB here. Split it, or have it imported with the command stagedoor import.", maxFile>>20)
	}
	f, err := head.Open()
	if err != nil {
		return nil, "", fmt.Errorf("open an upload: %w", err)
	}
	defer func() { _ = f.Close() }()
	body, err := io.ReadAll(f)
	return body, head.Filename, err
}

func hashOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// packed is a file as a field of a form.
func packed(body []byte) (string, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(body); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(b.Bytes()), nil
}

// unpacked is the file of a form's field.
func unpacked(field string) ([]byte, error) {
	bad := problem.New(problem.Invalid, "no_file", "The file did not come back whole. Choose it again, and look at its preview.")
	b, err := base64.StdEncoding.DecodeString(field)
	if err != nil {
		return nil, bad
	}
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, bad
	}
	body, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil || len(body) > maxFile {
		return nil, bad
	}
	return body, nil
}
