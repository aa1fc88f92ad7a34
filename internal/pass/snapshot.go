package pass

import (
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/id"
)

// Instant is a moment as facts about passes print it: UTC, RFC 3339, always six digits of a second, which is all that is stored. (Other facts have three.)
type Instant time.Time

const layout = "2006-01-02T15:04:05.000000Z"

// MarshalText writes the instant.
func (i Instant) MarshalText() ([]byte, error) {
	t := time.Time(i).UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		return nil, fmt.Errorf("the year %d has no RFC 3339", y)
	}
	return t.AppendFormat(nil, layout), nil
}

// UnmarshalText reads any RFC 3339 time.
func (i *Instant) UnmarshalText(b []byte) error {
	t, err := time.Parse(time.RFC3339Nano, string(b))
	*i = Instant(t.UTC())
	return err
}

// Snapshot is the data of facts about passes, as of that moment. The owner and the assets, which may be personal, are looked up when an envelope is made.
type Snapshot struct {
	PassID           id.Pass                `json:"passId"`
	Platform         Platform               `json:"platform"`
	TicketID         id.Ticket              `json:"ticketId,omitempty"`
	EventID          id.Event               `json:"eventId,omitempty"`
	BarcodeSignature string                 `json:"barcodeSignature"` // 0x and 130 hexadecimal digits
	Chain            string                 `json:"chain,omitempty"`
	Network          string                 `json:"network,omitempty"`
	CreatedAt        Instant                `json:"createdAt"`
	ExpiredAt        *Instant               `json:"expiredAt,omitempty"`
	ExpireAction     Action                 `json:"expireAction,omitempty"`
	LastScannedAt    *Instant               `json:"lastScannedAt,omitempty"`
	Registrations    []RegistrationSnapshot `json:"registrations"`
	CheckinID        id.Checkin             `json:"checkinId,omitempty"` // pass.scanned at the door
	Version          int64                  `json:"version"`
}

// RegistrationSnapshot is a registration in a [Snapshot].
type RegistrationSnapshot struct {
	ID        id.Registration `json:"id"`
	CreatedAt Instant         `json:"createdAt"`
	DeletedAt *Instant        `json:"deletedAt,omitempty"`
}

// Snapshot returns the pass as facts show it.
func (p *Pass) Snapshot() Snapshot {
	s := Snapshot{
		PassID: p.ID, Platform: p.Platform, TicketID: p.TicketID, EventID: p.EventID, BarcodeSignature: fmt.Sprintf("0x%x", p.Signature), Chain: p.Chain,
		Network: p.Network, CreatedAt: Instant(p.CreatedAt), ExpiredAt: instant(p.ExpiredAt), ExpireAction: p.ExpireAction, LastScannedAt: instant(p.LastScannedAt),
		Registrations: make([]RegistrationSnapshot, len(p.Registrations)), Version: p.Version,
	}
	for i, r := range p.Registrations {
		s.Registrations[i] = RegistrationSnapshot{r.ID, Instant(r.CreatedAt), instant(r.DeletedAt)}
	}
	return s
}

// instant is nil for a moment that is missing.
func instant(t time.Time) *Instant {
	if t.IsZero() {
		return nil
	}
	i := Instant(t)
	return &i
}
