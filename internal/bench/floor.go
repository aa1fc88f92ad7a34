package bench

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"time"
)

// The floors, as arguments of [Floor].
const (
	plain   = "plain"
	durable = "durable"
	single  = "single" // of the part ingest only: an append and an fdatasync of its own for each message, as plain servers do it
)

// floorWorkers is how many requests a floor has under way to one receiver.
const floorWorkers = 32

// Floor is the hidden command "stagedoor bench-floor plain|durable|single --listen ADDR --dir DIR --to URL…": the relay that [Command]
// compares Stagedoor with. It prints the address it listens on to out and serves until ctx is done. Nobody but Command calls it;
// args are what follows the word bench-floor, unread.
//
// It is an honest relay: net/http's server and client, kept-alive connections on both sides, a body that is read once and posted
// on without a copy. A message goes to a worker that posts it at once, and its publisher is answered: by the plain floor right
// away, by the durable one when the message is on disk. There is no queue: when all workers are busy, publishers wait.
func Floor(ctx context.Context, args []string, out io.Writer) error {
	f, listen, err := newFloor(args)
	if err != nil {
		return err
	}
	defer f.close()
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: f, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if _, err := fmt.Fprintf(out, "listening on http://%s\n", l.Addr()); err != nil {
		return err
	}
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// floor relays the body of every request to each of its receivers.
type floor struct {
	client  *http.Client
	lanes   []chan []byte // one for each receiver
	journal *journal      // nil keeps nothing
}

func newFloor(args []string) (f *floor, listen string, err error) {
	var kind, dir string
	var to []string
	if len(args) > 0 {
		kind, args = args[0], args[1:]
	}
	flags := flag.NewFlagSet("bench-floor", flag.ContinueOnError)
	flags.StringVar(&listen, "listen", "127.0.0.1:0", "address to listen on")
	flags.StringVar(&dir, "dir", "", "directory for the durable floor's file")
	flags.Func("to", "URL to post to; may be repeated", func(s string) error { to = append(to, s); return nil })
	if err := flags.Parse(args); err != nil {
		return nil, "", err
	}
	f = &floor{client: floorClient()}
	switch kind {
	case plain:
	case durable, single:
		group := maxWaiting
		if kind == single {
			group = 1
		}
		if f.journal, err = newJournal(filepath.Join(dir, "floor.log"), group); err != nil {
			return nil, "", err
		}
	default:
		return nil, "", fmt.Errorf("bench-floor is %q, and may be %s, %s or %s", kind, plain, durable, single)
	}
	for _, url := range to {
		f.lanes = append(f.lanes, f.lane(url))
	}
	return f, listen, nil
}

func floorClient() *http.Client {
	return &http.Client{
		Timeout: patience,
		Transport: &http.Transport{
			MaxIdleConnsPerHost: 1024,
			IdleConnTimeout:     time.Minute,
			DisableCompression:  true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// close ends the journal. The workers end with the process.
func (f *floor) close() {
	if f.journal != nil {
		f.journal.close()
	}
}

func (f *floor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := make([]byte, min(max(r.ContentLength, 0), maxBody))
	if _, err := io.ReadFull(r.Body, body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if f.journal != nil {
		if err := f.journal.append(body); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	for _, lane := range f.lanes {
		lane <- body
	}
	w.Header()["Content-Type"] = []string{"application/json"}
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"accepted":true}`)
}

// lane starts the workers that post to one receiver.
func (f *floor) lane(url string) chan []byte {
	lane := make(chan []byte)
	for range floorWorkers {
		go func() {
			for body := range lane {
				// A relay that keeps nothing knows nothing better to do with an error; the bench counts the message as lost.
				_ = f.post(url, body)
			}
		}()
	}
	return lane
}

func (f *floor) post(url string, body []byte) error {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header["Content-Type"] = []string{"application/json"}
	res, err := f.client.Do(req)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, res.Body)
	return res.Body.Close()
}
