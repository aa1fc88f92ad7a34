package account_test

import (
	"errors"
	"io"
	"log"
	"mime"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"

	"github.com/stagedoorhq/stagedoor/internal/mail"
)

// postbox is a mail server on a loopback address that keeps what it gets.
type postbox struct {
	address string

	mu      sync.Mutex // guards the rest
	letters []letter
	hold    chan struct{} // letters are taken once it is closed; nil for at once
}

type letter struct{ To, Subject, Text string }

func newPostbox(t *testing.T) *postbox {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &postbox{address: listener.Addr().String()}
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &delivery{p: p}, nil }))
	s.Domain = "mail.test"
	s.ErrorLog = log.New(io.Discard, "", 0)
	done := make(chan error)
	go func() { done <- s.Serve(listener) }()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-done; err != nil && !errors.Is(err, smtp.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			t.Errorf("the mail server ended: %v", err)
		}
	})
	return p
}

func (p *postbox) sender(t *testing.T) *mail.Sender {
	t.Helper()
	s, err := mail.New("smtp://" + p.address + "?from=tickets@example.org")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// hold has the server take no letter until it is told to.
func (p *postbox) holdBack() (release func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	hold := make(chan struct{})
	p.hold = hold
	return sync.OnceFunc(func() { close(hold) })
}

// delivery is one conversation with a client.
type delivery struct {
	p  *postbox
	to string
}

func (d *delivery) Mail(string, *smtp.MailOptions) error { return nil }

func (d *delivery) Rcpt(to string, _ *smtp.RcptOptions) error {
	d.to = to
	return nil
}

func (d *delivery) Data(r io.Reader) error {
	d.p.mu.Lock()
	hold := d.p.hold
	d.p.mu.Unlock()
	if hold != nil {
		<-hold
	}
	m, err := netmail.ReadMessage(r)
	if err != nil {
		return err
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		return err
	}
	text, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil {
		return err
	}
	d.p.mu.Lock()
	defer d.p.mu.Unlock()
	d.p.letters = append(d.p.letters, letter{d.to, subject, strings.ReplaceAll(string(text), "\r\n", "\n")})
	return nil
}

func (d *delivery) Reset()        {}
func (d *delivery) Logout() error { return nil }

// letters are those that have come, after all that are on their way.
func (h *house) letters() []letter {
	h.t.Helper()
	h.pages.Close()
	h.mail.mu.Lock()
	defer h.mail.mu.Unlock()
	return append([]letter{}, h.mail.letters...)
}

// letter is the only one that has come.
func (h *house) letter() letter {
	h.t.Helper()
	all := h.letters()
	if len(all) != 1 {
		h.t.Fatalf("%d letters have come, want one: %+v", len(all), all)
	}
	return all[0]
}

var linkIn = regexp.MustCompile(`(?m)^https?://[^/]+(/(?:reset|verify|invitation)/[0-9a-z]+)$`)

// path is the path of the link in a letter.
func (h *house) path(l letter) string {
	h.t.Helper()
	m := linkIn.FindStringSubmatch(l.Text)
	if m == nil {
		h.t.Fatalf("the letter has no link:\n%s", l.Text)
	}
	return m[1]
}
