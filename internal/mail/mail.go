// Package mail sends what people have to get by e-mail, invitations and one-time links, through the operator's outgoing mail server.
//
// A [Sender] speaks SMTP to the one server that --smtp-url names, with TLS unless that server is on this machine. Messages are plain text. What
// could not be sent is the caller's to say: nothing is queued, because a link is soon asked for again.
package mail

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// timeout bounds a conversation with the server.
const timeout = 30 * time.Second

// Sender sends through one mail server. It is safe for use by many goroutines.
type Sender struct {
	host, from string
	options    []gomail.Option
}

// New makes a sender from a URL: smtp://user:password@host:587?from=tickets@example.org (STARTTLS, which must be there unless the host is a loopback
// address), or smtps://… for TLS from the first byte on. The query's from is required.
func New(raw string) (*Sender, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" {
		return nil, errors.New("the mail server's URL is smtp://user:password@host:587?from=tickets@example.org, or smtps://…")
	}
	s := &Sender{host: u.Hostname(), from: u.Query().Get("from")}
	if s.from == "" {
		return nil, errors.New("the mail server's URL does not say from whom mail is: add ?from=tickets@example.org")
	}
	policy, port := gomail.TLSMandatory, 587
	if u.Scheme == "smtps" {
		port = 465
		s.options = append(s.options, gomail.WithSSL())
	}
	if a, err := netip.ParseAddr(s.host); s.host == "localhost" || err == nil && a.IsLoopback() {
		policy = gomail.TLSOpportunistic
	}
	if u.Port() != "" {
		if port, err = strconv.Atoi(u.Port()); err != nil {
			return nil, fmt.Errorf("port of the mail server's URL: %w", err)
		}
	}
	s.options = append(s.options, gomail.WithPort(port), gomail.WithTLSPolicy(policy), gomail.WithTimeout(timeout))
	if u.User != nil {
		password, _ := u.User.Password()
		s.options = append(s.options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(u.User.Username()), gomail.WithPassword(password))
	}
	return s, s.message(Message{To: s.from, Subject: "-"}, gomail.NewMsg())
}

// Message is what is sent.
type Message struct {
	To      string // one address
	Subject string // one line
	Text    string
}

// Send hands a message to the server and returns when it was taken.
func (s *Sender) Send(ctx context.Context, m Message) error {
	msg := gomail.NewMsg()
	if err := s.message(m, msg); err != nil {
		return err
	}
	client, err := gomail.NewClient(s.host, s.options...)
	if err != nil {
		return fmt.Errorf("mail server %s: %w", s.host, err)
	}
	if err := client.DialAndSendWithContext(ctx, msg); err != nil {
		return fmt.Errorf("mail server %s did not take a message: %w", s.host, err)
	}
	return nil
}

// message fills in a message. An address is an address and nothing else, so nothing of a header can be smuggled in by it.
func (s *Sender) message(m Message, msg *gomail.Msg) error {
	if strings.ContainsAny(m.Subject, "\r\n") {
		return errors.New("a subject has one line")
	}
	if err := msg.From(s.from); err != nil {
		return fmt.Errorf("sender's address: %w", err)
	}
	if err := msg.To(m.To); err != nil {
		return errors.New("the receiver's address cannot be written to")
	}
	msg.Subject(m.Subject)
	msg.SetDate()
	msg.SetMessageID()
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	return nil
}
