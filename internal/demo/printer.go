package demo

import (
	"fmt"
	"io"
	"net/http"
	"time"
)

// printer writes the story, a line for each thing.
type printer struct {
	out   io.Writer
	color bool
}

// The few ways in which text stands out.
const (
	bold   = "\x1b[1m"
	faint  = "\x1b[2m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	red    = "\x1b[31m"
	plain  = "\x1b[0m"
)

func (p printer) in(style, text string) string {
	if !p.color {
		return text
	}
	return style + text + plain
}

func (p printer) bold(text string) string { return p.in(bold, text) }
func (p printer) good(text string) string { return p.in(green, text) }
func (p printer) bad(text string) string  { return p.in(red, text) }

func (p printer) line(text string) { fmt.Fprintln(p.out, text) }

func (p printer) title(text string) { p.line("\n" + p.bold(text) + "\n") }

func (p printer) chapter(text string) { p.line("\n" + p.bold(text) + "\n") }

// pair is a name and what it is.
func (p printer) pair(name, value string) {
	p.line("  " + p.in(faint, fmt.Sprintf("%-10s", name)) + " " + value)
}

// step is something that happens.
func (p printer) step(text string) { p.line("  " + text) }

// detail belongs to the step above it.
func (p printer) detail(text string) { p.line("    " + p.in(faint, text)) }

// delivery is what has come of the step above it.
func (p printer) delivery(a arrival, took string) {
	status := p.good(fmt.Sprintf("%d verified", a.status))
	if a.status != http.StatusOK {
		status = p.in(yellow, fmt.Sprintf("%d verified", a.status)) + " " + p.in(faint, "(it will be sent again)")
	}
	p.line(fmt.Sprintf("      %s %-11s %-16s attempt %d  %9s  %s", p.in(faint, "→"), a.to, a.event, a.attempt, took, status))
}

// duration is a time with two or three digits.
func duration(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// day is a wall clock of the API as people say it.
func day(local string) string {
	t, err := time.Parse("2006-01-02T15:04:05", local)
	if err != nil {
		return local
	}
	return t.Format("Mon 2 Jan 2006, 15:04")
}
