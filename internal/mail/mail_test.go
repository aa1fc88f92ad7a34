package mail_test

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/mail"
)

// sender makes a sender to a server: by its address when host is "", else under that name, which stands for the server's address.
func sender(t *testing.T, s *server, scheme, user, host string) *mail.Sender {
	t.Helper()
	at := s.address
	if host != "" {
		at = host
	}
	if user != "" {
		user += "@"
	}
	made, err := mail.New(scheme + "://" + user + at + "?from=Tickets%20%3Ctickets@example.org%3E")
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	if host != "" {
		made.At(s.address, s.roots)
	}
	return made
}

var hello = mail.Message{To: "kari@example.com", Subject: "Willkommen, schöne Grüße", Text: "First line, a dot:\n.\n.. and “quotes”\n" + strings.Repeat("long ", 300) + "\nend\n"}

func TestMessageArrivesAsItWasWritten(t *testing.T) {
	s := serve(t, behaviour{})
	if err := sender(t, s, "smtp", "", "").Send(t.Context(), hello); err != nil {
		t.Fatalf("Send: %v", err)
	}
	got := s.got()
	if len(got) != 1 || got[0].From != "tickets@example.org" || got[0].To != "kari@example.com" {
		t.Fatalf("the server has %+v", got)
	}
	m, err := netmail.ReadMessage(strings.NewReader(got[0].Data))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || subject != hello.Subject {
		t.Errorf("Subject is %q, %v; want %q", subject, err, hello.Subject)
	}
	for name, want := range map[string]string{
		"To": "<kari@example.com>", "From": `"Tickets" <tickets@example.org>`, "Auto-Submitted": "auto-generated", "Content-Type": "text/plain; charset=UTF-8",
		"Bcc": "", "Cc": "", "User-Agent": "", "X-Mailer": "",
	} {
		if got := m.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if date, err := m.Header.Date(); err != nil || time.Since(date).Abs() > time.Hour || !strings.HasSuffix(m.Header.Get("Message-Id"), "@example.org>") {
		t.Errorf("Date is %v, %v; Message-ID %q", date, err, m.Header.Get("Message-Id"))
	}
	if m.Header.Get("Content-Transfer-Encoding") != "quoted-printable" {
		t.Fatalf("the text is written as %q", m.Header.Get("Content-Transfer-Encoding"))
	}
	text, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if diff := cmp.Diff(strings.TrimRight(hello.Text, "\n"), strings.TrimRight(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n")); err != nil || diff != "" {
		t.Errorf("the text: %v, -written +read:\n%s", err, diff)
	}
}

// TestPasswordIsShownOnlyBehindTLS: by STARTTLS and by TLS from the first byte on. On this machine it may go without.
func TestPasswordIsShownOnlyBehindTLS(t *testing.T) {
	for _, c := range []struct {
		name, scheme, host string
		server             behaviour
		secure             bool
	}{
		{"STARTTLS", "smtp", "mail.example.org", behaviour{name: "mail.example.org", user: "sender:pass word"}, true},
		{"TLS at once", "smtps", "mail.example.org", behaviour{name: "mail.example.org", user: "sender:pass word", implicit: true}, true},
		{"this machine, STARTTLS with any certificate", "smtp", "", behaviour{name: "elsewhere.example.org", user: "sender:pass word"}, true},
		{"this machine, TLS at once with any certificate", "smtps", "", behaviour{name: "elsewhere.example.org", user: "sender:pass word", implicit: true}, true},
		{"this machine, in the clear", "smtp", "", behaviour{user: "sender:pass word"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, c.server)
			if err := sender(t, s, c.scheme, "sender:pass%20word", c.host).Send(t.Context(), hello); err != nil {
				t.Fatalf("Send: %v", err)
			}
			if got := s.got(); len(got) != 1 || got[0].User != "sender" || got[0].Secure != c.secure {
				t.Errorf("the server has %+v, want one of sender, secure: %v", got, c.secure)
			}
		})
	}
}

func TestServerThatCannotBeTrustedGetsNothing(t *testing.T) {
	for _, c := range []struct {
		name, scheme, user, host, want string
		server                         behaviour
		distrust                       bool
	}{
		{name: "no STARTTLS", scheme: "smtp", host: "mail.example.org", server: behaviour{}, want: "STARTTLS"},
		{name: "no STARTTLS, but a password to show", scheme: "smtp", user: "sender:pass", host: "mail.example.org", server: behaviour{user: "sender:pass"}, want: "STARTTLS"},
		{name: "another's certificate", scheme: "smtp", host: "mail.example.org", server: behaviour{name: "other.example.org"}, want: "certificate"},
		{name: "another's certificate at once", scheme: "smtps", host: "mail.example.org", server: behaviour{name: "other.example.org", implicit: true}, want: "certificate"},
		{name: "a certificate of nobody known", scheme: "smtp", host: "mail.example.org", server: behaviour{name: "mail.example.org"}, distrust: true, want: "certificate"},
		{name: "a wrong password", scheme: "smtp", user: "sender:wrong", host: "mail.example.org", server: behaviour{name: "mail.example.org", user: "sender:pass"}, want: "535"},
		{name: "no AUTH where a password is given", scheme: "smtp", user: "sender:pass", host: "mail.example.org", server: behaviour{name: "mail.example.org"}, want: "AUTH"},
		{name: "AUTH where no password is given", scheme: "smtp", host: "mail.example.org", server: behaviour{name: "mail.example.org", user: "sender:pass"}, want: "502"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, c.server)
			if c.distrust {
				_, s.roots = certificate(t, "mail.example.org")
			}
			err := sender(t, s, c.scheme, c.user, c.host).Send(t.Context(), hello)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Send = %v, want an error about %s", err, c.want)
			}
			if got := s.got(); len(got) != 0 {
				t.Errorf("the server has %+v", got)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if len(s.auth) != 0 && c.user != "sender:wrong" {
				t.Errorf("it was shown a password by %v", s.auth)
			}
		})
	}
}

// TestRefusalSaysWhyWithoutAddresses: errors end up in logs.
func TestRefusalSaysWhyWithoutAddresses(t *testing.T) {
	s := serve(t, behaviour{})
	for _, c := range []struct {
		m    mail.Message
		want string
	}{
		{mail.Message{To: "nobody@example.com", Subject: "-", Text: "-"}, "550 5.1.1"},
		{mail.Message{To: "kari@example.com", Subject: "-", Text: "spam"}, "554 5.7.1"},
	} {
		err := sender(t, s, "smtp", "", "").Send(t.Context(), c.m)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "@") {
			t.Errorf("Send to %s = %v, want %s and no address", c.m.To, err, c.want)
		}
	}
	if got := s.got(); len(got) != 0 {
		t.Errorf("the server has %+v", got)
	}
}

func TestNobodyWritesHeadersIntoAMessage(t *testing.T) {
	s := serve(t, behaviour{})
	send := sender(t, s, "smtp", "", "")
	for _, m := range []mail.Message{
		{To: "kari@example.com\r\nBcc: all@example.com", Subject: "-"},
		{To: "kari@example.com, ola@example.com", Subject: "-"},
		{To: "Kari <kari@example.com>", Subject: "-"},
		{To: "kari@example.com> NOTIFY=SUCCESS", Subject: "-"},
		{To: "\"kari\r\n\"@example.com", Subject: "-"},
		{To: "", Subject: "-"},
		{To: "kari@example.com", Subject: "Hello\r\nBcc: all@example.com"},
		{To: "kari@example.com", Subject: "Hello\nBcc: all@example.com"},
		{To: "kari@example.com", Subject: "Hello\rBcc: all@example.com"},
		{To: "kari@example.com", Subject: "Hello\u2028Bcc: all@example.com"},
		{To: "kari@example.com", Subject: "bad \xff text"},
		{To: "kari@example.com", Subject: "-", Text: "bad \xff text"},
		{To: "kari@example.com", Subject: "-", Text: "\x00"},
	} {
		if err := send.Send(t.Context(), m); err == nil {
			t.Errorf("Send(%+q) went well", m)
		}
	}
	if got := s.got(); len(got) != 0 {
		t.Errorf("the server has %+v", got)
	}
	// What only looks like a header, or like the end of a message, is text.
	tricky := mail.Message{To: "kari@example.com", Subject: "Bcc: all@example.com", Text: "\r\n.\r\nMAIL FROM:<x@example.com>\r\nBcc: all@example.com\r\n"}
	if err := send.Send(t.Context(), tricky); err != nil {
		t.Fatalf("Send: %v", err)
	}
	got := s.got()
	if len(got) != 1 || got[0].To != "kari@example.com" {
		t.Fatalf("the server has %+v", got)
	}
	m, err := netmail.ReadMessage(strings.NewReader(got[0].Data))
	if err != nil || m.Header.Get("Bcc") != "" || m.Header.Get("Subject") != tricky.Subject {
		t.Errorf("the message has the headers %v, %v", m.Header, err)
	}
}

// TestSendEndsWithItsContext: also where the server has taken the connection and says nothing.
func TestSendEndsWithItsContext(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		conn, err := silent.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		cancel()
		_, _ = io.Copy(io.Discard, conn) // until the other side is gone
	}()
	send, err := mail.New("smtp://" + silent.Addr().String() + "?from=tickets@example.org")
	if err != nil {
		t.Fatal(err)
	}
	if err := send.Send(ctx, hello); !errors.Is(err, context.Canceled) {
		t.Errorf("Send = %v, want context.Canceled", err)
	}
}

func TestURLIsChecked(t *testing.T) {
	for _, url := range []string{
		"", "mail.example.org", "http://mail.example.org?from=a@b.c", "smtp://?from=a@b.c", "smtp://mail.example.org", "smtp://mail.example.org?from=",
		"smtp://mail.example.org?from=nobody", "smtp://mail.example.org?from=a@b.c%0d%0aBcc:d@e.f", "smtp://mail.example.org:0?from=a@b.c",
		"smtp://mail.example.org:99999?from=a@b.c", "smtp://mail.example.org/path?from=a@b.c", "smtp://mail.example.org?from=a@b.c&tls=off",
		"smtp://u:secret@mail.example.org:x?from=a@b.c", "smtp://u:secret@mail.example.org", "smtp://u:secret@mail.example.org?from=%zz",
	} {
		_, err := mail.New(url)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("New(%q) = %v, want an error that gives no password away", url, err)
		}
	}
}
