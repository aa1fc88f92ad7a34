// Package mail sends what people have to get by e-mail, invitations and one-time links, through the operator's outgoing mail server.
//
// A [Sender] speaks SMTP to the one server that --smtp-url names, with TLS unless that server is on this machine. Messages are plain text. What
// could not be sent is the caller's to say: nothing is queued, because a link is soon asked for again.
//
// A message has one receiver, and a subject on one line; what would be more than that is refused, so nobody writes headers into it. Errors say what the
// server answered to which command, by its numbers: its words, which repeat addresses, are left out, because errors end up in logs.
package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// timeout bounds a conversation with the server.
const timeout = 30 * time.Second

// Sender sends through one mail server. It is safe for use by many goroutines.
type Sender struct {
	host     string
	port     int
	from     *mail.Address
	user     *url.Userinfo // nil where the server wants none
	implicit bool          // TLS from the first byte on
	tls      *tls.Config
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
}

// New makes a sender from a URL: smtp://user:password@host:587?from=tickets@example.org (STARTTLS, which must be there unless the host is a loopback
// address), or smtps://… for TLS from the first byte on. The query's from is required, and may have a name: "Tickets <tickets@example.org>". Of a server
// on a loopback address the certificate is not checked: nobody is in between, and who issues certificates for localhost?
//
// Errors do not repeat the URL, which has a password in it.
func New(smtpURL string) (*Sender, error) {
	u, err := url.Parse(smtpURL)
	if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Path != "" && u.Path != "/" {
		return nil, errors.New("the mail server's URL is smtp://user:password@host:587?from=tickets@example.org, or smtps://…")
	}
	s := &Sender{host: u.Hostname(), user: u.User, implicit: u.Scheme == "smtps", dial: (&net.Dialer{}).DialContext}
	s.tls = &tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12, InsecureSkipVerify: s.local()} //nolint:gosec // G402: on this machine only
	if s.port, err = portOf(u); err != nil {
		return nil, err
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errors.New("the query of the mail server's URL cannot be read; a space in it is written %20, and a + %2B")
	}
	for name := range query {
		if name != "from" {
			return nil, fmt.Errorf("the mail server's URL has the setting %.64q, which does not exist; there is only from", name)
		}
	}
	if s.from, err = mail.ParseAddress(query.Get("from")); err != nil || !oneLine(query.Get("from")) {
		return nil, errors.New("the mail server's URL does not say from whom mail is: add ?from=tickets@example.org")
	}
	return s, nil
}

func portOf(u *url.URL) (int, error) {
	switch {
	case u.Port() == "" && u.Scheme == "smtps":
		return 465, nil // RFC 8314 §7.3
	case u.Port() == "":
		return 587, nil // RFC 6409 §3.1
	}
	n, err := strconv.Atoi(u.Port())
	if err != nil || n < 1 || n > 65535 {
		return 0, errors.New("the port in the mail server's URL is not one: it is a number from 1 to 65535")
	}
	return n, nil
}

// local tells whether the server is on this machine.
func (s *Sender) local() bool {
	a, err := netip.ParseAddr(s.host)
	return s.host == "localhost" || err == nil && a.Unmap().IsLoopback()
}

// options are what a conversation with the server rests on.
func (s *Sender) options() []gomail.Option {
	policy := gomail.TLSMandatory
	switch {
	case s.implicit:
		policy = gomail.NoTLS // beyond what connect has begun
	case s.local():
		policy = gomail.TLSOpportunistic
	}
	o := []gomail.Option{gomail.WithPort(s.port), gomail.WithTimeout(timeout), gomail.WithTLSPolicy(policy), gomail.WithTLSConfig(s.tls), gomail.WithoutRset()}
	if s.user != nil {
		password, _ := s.user.Password()
		// PLAIN and LOGIN refuse to show the password to anybody but this machine where there is no TLS.
		o = append(o, gomail.WithUsername(s.user.Username()), gomail.WithPassword(password), gomail.WithOpportunisticSMTPAuth(
			gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthSCRAMSHA1, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin, gomail.SMTPAuthCramMD5))
	}
	return o
}

// connect makes connections that end with ctx, in whatever word of the conversation that is.
func (s *Sender) connect(ctx context.Context) gomail.DialContextFunc {
	return func(dialing context.Context, _, _ string) (net.Conn, error) {
		conn, err := s.dial(dialing, "tcp", net.JoinHostPort(s.host, strconv.Itoa(s.port)))
		if err != nil {
			return nil, err
		}
		context.AfterFunc(ctx, func() { _ = conn.Close() }) // of a connection that is over, that is nothing
		if !s.implicit {
			return conn, nil
		}
		secure := tls.Client(conn, s.tls)
		return secure, secure.HandshakeContext(dialing)
	}
}
