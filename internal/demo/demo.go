// Package demo is the command "stagedoor demo": it shows on a terminal, in less than a minute and with nothing installed, what Stagedoor does.
//
// [Run] opens a fresh installation, serves it, and is its client: everything in the story goes through the HTTP API that a user would call.
// A small receiver stands for the systems that want to hear of it, and verifies the signature of every delivery with package webhook. For
// each delivery there is a line: who got it, the event, the attempt, what was answered, and the time from the transaction in which it
// happened until it arrived; the commit to disk is part of that time.
//
// The story knows which deliveries must arrive, and Run fails when one of them did not.
package demo

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/stagedoorhq/stagedoor/internal/app"
	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/org"
)

// Config says how to show it.
type Config struct {
	// Listen is the address to serve on. Empty is 127.0.0.1:8080, or a free port when that one is taken.
	Listen string
	// Data is the data folder. Empty is a temporary one, which is removed in the end.
	Data string
	// Once ends after the story. Otherwise the server stays up, and deliveries are shown, until the context ends.
	Once bool

	Out    io.Writer
	Color  bool
	Log    *slog.Logger
	Getenv func(string) string
}

const usualListen = "127.0.0.1:8080"

// Run shows it all. It returns nil when every delivery of the story arrived verified and, without Once, the context has ended.
func Run(ctx context.Context, c Config) (err error) {
	if c.Data == "" {
		if c.Data, err = os.MkdirTemp("", "stagedoor-demo-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(c.Data)) }()
	}
	if c.Listen == "" {
		c.Listen = usualListen
		if taken(ctx, c.Listen) {
			c.Listen = "127.0.0.1:0"
		}
	}
	house, err := open(ctx, c)
	if err != nil {
		return err
	}
	return either(house.show(ctx), house.close())
}

// either is what went wrong: that the server has ended says less than why.
func either(err, closing error) error {
	if err == nil || errors.Is(err, errEnded) && closing != nil {
		return closing
	}
	return err
}

// taken tells whether somebody else listens on an address.
func taken(ctx context.Context, addr string) bool {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return true
	}
	_ = l.Close()
	return false
}

// house is a running server with a receiver beside it.
type house struct {
	Config
	core     *app.Core
	url      string
	key      string
	receiver *receiver
	print    printer

	stop  context.CancelFunc // ends the server; nil before there is one
	ended chan struct{}      // closed when the server has ended
	fault error              // what it ended with
}

func open(ctx context.Context, c Config) (*house, error) {
	r, err := newReceiver(ctx)
	if err != nil {
		return nil, err
	}
	h := &house{Config: c, receiver: r, print: printer{out: c.Out, color: c.Color}, ended: make(chan struct{})}
	if err := h.open(ctx); err != nil {
		return nil, either(err, h.close())
	}
	return h, nil
}

func (h *house) open(ctx context.Context) (err error) {
	h.core, err = app.Open(ctx, app.Config{
		Data: h.Data, Listen: h.Listen, Log: h.Log, Getenv: h.Getenv,
		AllowTargets: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, // the receiver
	})
	if err != nil {
		return err
	}
	if err := h.serve(ctx); err != nil {
		return err
	}
	return h.core.DB.Write(ctx, "", func(tx *db.Tx) error {
		o, err := org.Create(tx, org.Input{Name: "Seven Stages", Currency: "NOK", Timezone: "Europe/Oslo"})
		if err != nil {
			return err
		}
		_, h.key, err = org.CreateKey(tx, o.No, org.KeyInput{Name: "demo"}, audit.By{Actor: audit.Operator})
		return err
	})
}

// serve starts the server and returns once it answers. The server ends when [house.close] says so, not with the context: deliveries under way
// are let come to their end first.
func (h *house) serve(ctx context.Context) error {
	ready := make(chan app.Served, 1)
	ctx, h.stop = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(h.ended)
		h.fault = h.core.Serve(ctx, func(s app.Served) { ready <- s })
	}()
	select {
	case s := <-ready:
		h.url = s.URL
		return nil
	case <-h.ended:
		return errEnded // and close says why
	}
}

var errEnded = errors.New("the server has ended")

func (h *house) close() (err error) {
	if h.stop != nil {
		h.stop()
		<-h.ended
		err = h.fault
	}
	h.receiver.close()
	if h.core != nil {
		err = errors.Join(err, h.core.Close())
	}
	return err
}

func (h *house) show(ctx context.Context) error {
	h.print.title("Stagedoor, a demonstration")
	h.print.pair("server", h.url)
	h.print.pair("data", filepath.Join(h.Data, "stagedoor.db")+", a SQLite file")
	s := &story{house: h, api: &client{url: h.url, key: h.key}}
	if err := s.tell(ctx); err != nil {
		return err
	}
	if h.Once {
		return s.verdict()
	}
	s.invite()
	for {
		select {
		case a := <-h.receiver.arrivals:
			s.arrived(ctx, a)
		case <-ctx.Done():
			h.print.line("")
			return nil
		}
	}
}
