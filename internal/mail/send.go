package mail

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/id"
	gomail "github.com/wneessen/go-mail"
)

// Message is what is sent.
type Message struct {
	To      string // one address, without a name
	Subject string // one line
	Text    string
}

// Send hands a message to the server and returns when it was taken. It takes no longer than 30 seconds.
func (s *Sender) Send(ctx context.Context, m Message) error {
	msg, err := s.message(m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel() // which ends the connection
	client, err := gomail.NewClient(s.host, append(s.options(), gomail.WithDialContextFunc(s.connect(ctx)))...)
	if err != nil {
		return fmt.Errorf("mail server %s: %w", s.host, err)
	}
	talk, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return fmt.Errorf("mail server %s cannot be used: %w", s.host, because(ctx, err))
	}
	if err := client.SendWithSMTPClient(talk, msg); err != nil && !msg.IsDelivered() {
		return fmt.Errorf("mail server %s did not take a message: %w", s.host, because(ctx, withoutWords(err)))
	}
	_ = client.CloseWithSMTPClient(talk) // a farewell: the message was taken
	return nil
}

// because says that the time was over, where that is why the connection broke.
func because(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// withoutWords is what the server answered to a message, without the words, in which addresses are repeated.
func withoutWords(err error) error {
	var e *gomail.SendError
	if !errors.As(err, &e) {
		return errors.New("the conversation broke off")
	}
	code := ""
	if e.ErrorCode() != 0 {
		code = fmt.Sprintf(" (%d %s", e.ErrorCode(), e.EnhancedStatusCode())
		code = strings.TrimRight(code, " ") + ")"
	}
	return errors.New(e.Reason.String() + code)
}

// message makes a message that goes to one address.
func (s *Sender) message(m Message) (*gomail.Msg, error) {
	to, err := mail.ParseAddress(m.To)
	if err != nil || to.Address != m.To || !oneLine(m.To) {
		return nil, errors.New("the receiver's address cannot be written to")
	}
	if !oneLine(m.Subject) {
		return nil, errors.New("a subject is text on one line")
	}
	if !utf8.ValidString(m.Text) || strings.Contains(m.Text, "\x00") {
		return nil, errors.New("a message is text")
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	msg.FromMailAddress(s.from)
	msg.ToMailAddress(to)
	msg.Subject(m.Subject)
	msg.SetDate()
	msg.SetMessageIDWithValue(id.Secret("") + s.from.Address[strings.LastIndexByte(s.from.Address, '@'):])
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834 §5: nobody's absence answers it
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	return msg, nil
}

// oneLine tells whether a text has no control characters, among which are ends of lines.
func oneLine(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' })
}
