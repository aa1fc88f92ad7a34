package demo

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestVerdictNamesWhatIsMissing(t *testing.T) {
	s := &story{wanted: 3, expected: []expectation{{accounting, "order.fulfilled"}}}
	if err := s.verdict(); err == nil || !strings.Contains(err.Error(), "1 of 3 deliveries did not arrive: order.fulfilled at accounting") {
		t.Errorf("verdict = %v, want the delivery that is missing", err)
	}
	if err := (&story{wanted: 3}).verdict(); err != nil {
		t.Errorf("verdict = %v where nothing is missing, want nil", err)
	}
	if err := (&story{wanted: 3, refused: 1}).verdict(); err == nil {
		t.Error("verdict = nil where a signature was not valid, want an error")
	}
}

func TestWhyTheServerEndedIsSaid(t *testing.T) {
	why := errors.New("the port is taken")
	if got := either(errEnded, why); got != why { //nolint:errorlint // the very error
		t.Errorf("either(%v, %v) = %v, want the reason", errEnded, why, got)
	}
	if got := either(nil, nil); got != nil {
		t.Errorf("either(nil, nil) = %v, want nil", got)
	}
}

func TestSeasonIsInTheFuture(t *testing.T) {
	now := time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC)
	for _, sh := range season() {
		zone, err := time.LoadLocation(sh.zone)
		if err != nil {
			t.Fatal(err)
		}
		starts, err := time.ParseInLocation("2006-01-02T15:04:05", sh.at(now, sh.doors), zone)
		if err != nil || !starts.After(now) {
			t.Errorf("%s begins at %s (%v), want a wall clock after %s", sh.name, sh.at(now, sh.doors), err, now)
		}
	}
}
