// Package mail sends what people have to get by e-mail, invitations and one-time links, through the operator's outgoing mail server.
//
// A [Sender] speaks SMTP to the one server that --smtp-url names, with TLS unless that server is on this machine. Messages are plain text, made
// from few words; nothing of a stranger's is in them but a name that was checked. What could not be sent is the caller's to say: nothing is queued,
// because a link is soon asked for again.
package mail

import "context"

// Sender sends through one mail server. It is safe for use by many goroutines.
type Sender struct{}

// New makes a sender from a URL: smtp://user:password@host:587?from=tickets@example.org (STARTTLS, which must be there unless the host is a loopback
// address), or smtps://… for TLS from the first byte on. The query's from is required.
func New(url string) (*Sender, error) { panic("not built yet") }

// Message is what is sent.
type Message struct {
	To      string // one address
	Subject string
	Text    string
}

// Send hands a message to the server and returns when it was taken.
func (s *Sender) Send(ctx context.Context, m Message) error { panic("not built yet") }
