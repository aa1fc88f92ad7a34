package native

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/inbound"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/pull"
	"github.com/stagedoorhq/stagedoor/internal/stamp"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// What an export has at most of each kind.
const (
	exportMost  = 1000
	exportBytes = 8 << 20 // of messages
)

type personExportJSON struct {
	Email        string                  `json:"email"`
	ExportedAt   string                  `json:"exportedAt" format:"date-time"`
	Account      *personAccountJSON      `json:"account,omitempty" doc:"Of somebody who is or was a member, or has allowed an app; else left out."`
	Membership   *personMembershipJSON   `json:"membership,omitempty" doc:"Left out for who is no member."`
	Invitations  []personInvitationJSON  `json:"invitations" nullable:"false"`
	Orders       []orderJSON             `json:"orders" nullable:"false" doc:"Newest first; 1,000 at most."`
	Tickets      []personTicketJSON      `json:"tickets" nullable:"false" doc:"Those that they hold; newest first, 1,000 at most."`
	Transfers    []personTransferJSON    `json:"transfers" nullable:"false" doc:"Of tickets, that they made or were offered; newest tickets first, 1,000 at most."`
	Passes       []personPassJSON        `json:"passes" nullable:"false" doc:"Wallet passes of tickets that they hold; oldest first, 1,000 at most."`
	Stamps       []stampJSON             `json:"stamps" nullable:"false" doc:"Those that were taken away too; newest first, 1,000 at most."`
	Checkins     []checkinJSON           `json:"checkins" nullable:"false" doc:"Of tickets that they hold; newest first, 1,000 at most."`
	Visits       []personVisitJSON       `json:"visits" nullable:"false" doc:"That count for stamps; newest first, 1,000 at most."`
	Holds        []holdJSON              `json:"holds" nullable:"false" doc:"That they placed; newest first, 1,000 at most."`
	Messages     []personMessageJSON     `json:"messages" nullable:"false" doc:"The organisation's own, with the address in them; oldest first, 1,000 and 8 MiB at most."`
	Grants       []grantJSON             `json:"grants" nullable:"false" doc:"What they have allowed apps here."`
	Tokens       []personTokenJSON       `json:"tokens" nullable:"false"`
	Received     []personReceivedJSON    `json:"received" nullable:"false" doc:"What developer endpoints, and after them pull endpoints, have taken that has the address in it; oldest first, 1,000 and 8 MiB at most."`
	DevEndpoints []personDevEndpointJSON `json:"devEndpoints" nullable:"false" doc:"Their own."`
	Audit        []personAuditJSON       `json:"audit" nullable:"false" doc:"What they did and what was done to them; newest first, 1,000 at most."`
	Incomplete   []string                `json:"incomplete" nullable:"false" doc:"Names of lists of which there is more than is shown."`
}

type personAccountJSON struct {
	ID         string  `json:"id"`
	Name       string  `json:"name"`
	VerifiedAt *string `json:"verifiedAt" format:"date-time"`
	CreatedAt  string  `json:"createdAt" format:"date-time"`
	UpdatedAt  string  `json:"updatedAt" format:"date-time"`
}

type personMembershipJSON struct {
	Role  org.Role `json:"role"`
	Since string   `json:"since" format:"date-time"`
}

type personInvitationJSON struct {
	ID        string   `json:"id"`
	Role      org.Role `json:"role"`
	CreatedAt string   `json:"createdAt" format:"date-time"`
	ExpiresAt string   `json:"expiresAt" format:"date-time"`
}

type personTicketJSON struct {
	ID        string        `json:"id"`
	OrderID   string        `json:"orderId"`
	EventID   string        `json:"eventId"`
	Section   string        `json:"section"`
	Row       string        `json:"row"`
	Seat      string        `json:"seat,omitempty"`
	Status    ticket.Status `json:"status" enum:"reserved,valid,checked_in,blocked,void"`
	Name      string        `json:"name" doc:"The holder's, as it was given."`
	Email     string        `json:"email"`
	CreatedAt string        `json:"createdAt" format:"date-time"`
	UpdatedAt string        `json:"updatedAt" format:"date-time"`
}

type personTransferJSON struct {
	TicketID  string               `json:"ticketId"`
	As        string               `json:"as" enum:"sender,recipient" doc:"What the person was in it. Who the other was is not said."`
	State     ticket.TransferState `json:"state" enum:"offered,accepted,declined,revoked,expired"`
	CreatedAt string               `json:"createdAt" format:"date-time"`
	ExpiresAt string               `json:"expiresAt" format:"date-time"`
	EndedAt   *string              `json:"endedAt" format:"date-time"`
}

type personPassJSON struct {
	ID           string             `json:"id"`
	TicketID     string             `json:"ticketId"`
	Platform     string             `json:"platform" enum:"apple,google"`
	ExternalID   string             `json:"externalId,omitempty"`
	OwnerAddress string             `json:"ownerAddress,omitempty" doc:"Of their wallet on a chain."`
	Network      string             `json:"network,omitempty" doc:"The chain's number."`
	NFTs         []personNFTJSON    `json:"nfts" nullable:"false"`
	Devices      []personDeviceJSON `json:"devices" nullable:"false" doc:"That had the pass; the newest 50. Their names are kept as hashes."`
	Scans        int64              `json:"scans"`
	CreatedAt    string             `json:"createdAt" format:"date-time"`
	ExpiredAt    *string            `json:"expiredAt" format:"date-time"`
	ExpireAction string             `json:"expireAction,omitempty"`
}

type personNFTJSON struct {
	ContractAddress string `json:"contractAddress"`
	TokenID         string `json:"tokenId"`
}

type personDeviceJSON struct {
	CreatedAt string  `json:"createdAt" format:"date-time"`
	DeletedAt *string `json:"deletedAt" format:"date-time"`
}

type personVisitJSON struct {
	CheckinID string `json:"checkinId"`
	TicketID  string `json:"ticketId"`
	EventID   string `json:"eventId"`
	At        string `json:"at" format:"date-time"`
	Undone    bool   `json:"undone"`
}

type personMessageJSON struct {
	ID    string         `json:"id"`
	Event string         `json:"event"`
	At    string         `json:"at" format:"date-time"`
	Data  map[string]any `json:"data"`
}

type personReceivedJSON struct {
	ID    string `json:"id"`
	Event string `json:"event"`
	At    string `json:"at" format:"date-time"`
	Body  string `json:"body"`

	Headers []string `json:"headers,omitempty" doc:"Of what a pull endpoint has taken: the lines with the address in them. Others may have secrets of the organisation's."`
}

type personDevEndpointJSON struct {
	ID        string `json:"id"`
	CreatedAt string `json:"createdAt" format:"date-time"`
	UpdatedAt string `json:"updatedAt" format:"date-time"`
}

type personTokenJSON struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Scopes     []string `json:"scopes" nullable:"false"`
	CreatedAt  string   `json:"createdAt" format:"date-time"`
	ExpiresAt  *string  `json:"expiresAt" format:"date-time"`
	LastUsedAt *string  `json:"lastUsedAt" format:"date-time"`
}

type personAuditJSON struct {
	At      string         `json:"at" format:"date-time"`
	Action  string         `json:"action"`
	Actor   string         `json:"actor"`
	Subject string         `json:"subject"`
	Address string         `json:"address" doc:"The network address, of what they did themselves."`
	Detail  map[string]any `json:"detail"`
}

// export gathers what an organisation has of a person.
func (a *API) export(ctx context.Context, o int64, s someone) (personExportJSON, error) {
	j := personExportJSON{
		Email: s.email, ExportedAt: instant(a.Now()), Invitations: []personInvitationJSON{}, Orders: []orderJSON{}, Tickets: []personTicketJSON{},
		Transfers: []personTransferJSON{}, Passes: []personPassJSON{}, Stamps: []stampJSON{}, Checkins: []checkinJSON{}, Visits: []personVisitJSON{}, Holds: []holdJSON{}, Messages: []personMessageJSON{},
		Grants: []grantJSON{}, Tokens: []personTokenJSON{}, Received: []personReceivedJSON{}, DevEndpoints: []personDevEndpointJSON{}, Audit: []personAuditJSON{},
		Incomplete: []string{},
	}
	steps := []func(context.Context, int64, someone, *personExportJSON) error{
		a.exportInvitations, a.exportOrders, a.exportTickets, a.exportTransfers, a.exportPasses, a.exportStamps, a.exportCheckins, a.exportVisits, a.exportMessages, a.exportReceived,
	}
	if s.user.No != 0 && s.chose {
		steps = append(steps, a.exportAccount, a.exportHolds, a.exportGrants, a.exportTokens, a.exportDevEndpoints, a.exportAudit)
	}
	for _, step := range steps {
		if err := step(ctx, o, s, &j); err != nil {
			return j, err
		}
	}
	return j, nil
}

func (a *API) exportInvitations(ctx context.Context, o int64, s someone, j *personExportJSON) error {
	all, err := org.Invitations(a.DB.Read(ctx), o, s.address)
	for _, l := range all {
		j.Invitations = append(j.Invitations, personInvitationJSON{string(l.ID), l.Role, instant(l.CreatedAt), instant(l.ExpiresAt)})
	}
	return err
}

func (a *API) exportOrders(ctx context.Context, o int64, s someone, j *personExportJSON) error {
	f := order.Filter{Email: string(s.address), Limit: 100}
	for len(j.Orders) < exportMost {
		page, total, err := order.List(a.DB.Read(ctx), o, f)
		if err != nil {
			return err
		}
		for _, one := range page {
			j.Orders = append(j.Orders, newOrder(one))
			f.Before = one.ID
		}
		if len(page) < f.Limit {
			return nil
		}
		if len(j.Orders) == exportMost && total > exportMost {
			j.Incomplete = append(j.Incomplete, "orders")
		}
	}
	return nil
}

func (a *API) exportTickets(ctx context.Context, o int64, s someone, j *personExportJSON) error {
	f := ticket.Filter{Email: string(s.address), Limit: 100}
	for len(j.Tickets) < exportMost {
		page, total, err := ticket.List(a.DB.Read(ctx), o, f)
		if err != nil {
			return err
		}
		for _, t := range page {
			j.Tickets = append(j.Tickets, personTicketJSON{
				ID: string(t.ID), OrderID: string(t.OrderID), EventID: string(t.EventID), Section: t.Section, Row: t.Row, Seat: t.Seat, Status: t.Status(),
				Name: t.Holder.Name, Email: t.Holder.Email, CreatedAt: instant(t.CreatedAt), UpdatedAt: instant(t.UpdatedAt),
			})
			f.Before = t.ID
		}
		if len(page) < f.Limit {
			return nil
		}
		if len(j.Tickets) == exportMost && total > exportMost {
			j.Incomplete = append(j.Incomplete, "tickets")
		}
	}
	return nil
}

func (a *API) exportTransfers(ctx context.Context, o int64, s someone, j *personExportJSON) error {
	all, err := ticket.TransfersWith(a.DB.Read(ctx), o, s.address, exportMost+1)
	if len(all) > exportMost {
		all = all[:exportMost]
		j.Incomplete = append(j.Incomplete, "transfers")
	}
	for _, x := range all {
		as := "recipient"
		if s.address.Is(x.From) {
			as = "sender"
		}
		j.Transfers = append(j.Transfers, personTransferJSON{string(x.Ticket), as, x.State, instant(x.CreatedAt), instant(x.ExpiresAt), orNull(maybe(x.EndedAt))})
	}
	return err
}

func (a *API) exportPasses(ctx context.Context, o int64, s someone, j *personExportJSON) error {
	held, err := ticket.Of(a.DB.Read(ctx), o, s.address)
	if err != nil {
		return err
	}
	all, err := pass.Of(a.DB.Read(ctx), o, held)
	if err != nil {
		return err
	}
	if len(all) > exportMost {
		all = all[:exportMost]
		j.Incomplete = append(j.Incomplete, "passes")
	}
	for _, one := range all {
		p, err := pass.ByID(a.DB.Read(ctx), o, one)
		if err != nil {
			return err
		}
		j.Passes = append(j.Passes, newPersonPass(p))
	}
	return nil
}

func newPersonPass(p *pass.Pass) personPassJSON {
	j := personPassJSON{
		ID: string(p.ID), TicketID: string(p.TicketID), Platform: string(p.Platform), ExternalID: p.ExternalID, OwnerAddress: p.Owner, Network: p.Network,
		NFTs: []personNFTJSON{}, Devices: []personDeviceJSON{}, Scans: p.Scans, CreatedAt: instant(p.CreatedAt), ExpiredAt: orNull(maybe(p.ExpiredAt)), ExpireAction: string(p.ExpireAction),
	}
	for _, n := range p.NFTs {
		j.NFTs = append(j.NFTs, personNFTJSON{n.Contract, n.TokenID})
	}
	for _, r := range p.Registrations {
		j.Devices = append(j.Devices, personDeviceJSON{instant(r.CreatedAt), orNull(maybe(r.DeletedAt))})
	}
	return j
}

func (a *API) exportStamps(ctx context.Context, o int64, s someone, j *personExportJSON) error {
	all, total, err := stamp.Everything(a.DB.Read(ctx), o, s.address, stamp.Page{Limit: exportMost})
	if total > len(all) {
		j.Incomplete = append(j.Incomplete, "stamps")
	}
	for _, one := range all {
		j.Stamps = append(j.Stamps, newStampAward(one))
	}
	return err
}

func (a *API) exportCheckins(ctx context.Context, o int64, s someone, j *personExportJSON) error {
	held, err := ticket.Of(a.DB.Read(ctx), o, s.address)
	if err != nil {
		return err
	}
	all, err := gate.Of(a.DB.Read(ctx), o, held, exportMost+1)
	if len(all) > exportMost {
		all = all[:exportMost]
		j.Incomplete = append(j.Incomplete, "checkins")
	}
	for _, c := range all {
		j.Checkins = append(j.Checkins, newCheckin(c, nil))
	}
	return err
}

func (a *API) exportVisits(ctx context.Context, o int64, s someone, j *personExportJSON) error {
	all, err := stamp.Visits(a.DB.Read(ctx), o, s.address, exportMost+1)
	if len(all) > exportMost {
		all = all[:exportMost]
		j.Incomplete = append(j.Incomplete, "visits")
	}
	for _, v := range all {
		j.Visits = append(j.Visits, personVisitJSON{string(v.CheckinID), string(v.TicketID), string(v.EventID), instant(v.At), v.Undone})
	}
	return err
}

func (a *API) exportMessages(ctx context.Context, o int64, s someone, j *personExportJSON) error {
	size := 0
	for last, more := int64(0), true; more; {
		var found []ledger.Match
		var err error
		if found, last, more, err = ledger.Search(a.DB.Read(ctx), o, last, s.address, nil); err != nil {
			return err
		}
		for _, m := range found {
			if size += len(m.Data); len(j.Messages) == exportMost || size > exportBytes {
				j.Incomplete = append(j.Incomplete, "messages")
				return nil
			}
			one := personMessageJSON{ID: m.ID.String(), Event: string(m.Kind), At: instant(m.At)}
			d := json.NewDecoder(bytes.NewReader(m.Data))
			d.UseNumber() // digits stay as they were sent
			if err := d.Decode(&one.Data); err != nil {
				one.Data = map[string]any{}
			}
			j.Messages = append(j.Messages, one)
		}
	}
	return nil
}

func (a *API) exportReceived(ctx context.Context, o int64, s someone, j *personExportJSON) error {
	size := 0
	add := func(r personReceivedJSON) bool {
		if size += len(r.Body); len(j.Received) == exportMost || size > exportBytes {
			j.Incomplete = append(j.Incomplete, "received")
			return false
		}
		j.Received = append(j.Received, r)
		return true
	}
	for last, more := int64(0), true; more; {
		var found []inbound.Event
		var err error
		if found, last, more, err = inbound.Mentions(a.DB.Read(ctx), o, last, s.address); err != nil {
			return err
		}
		for _, e := range found {
			if !add(personReceivedJSON{e.ID.String(), e.Name, instant(e.At), string(e.Body), nil}) {
				return nil
			}
		}
	}
	for last, more := int64(0), true; more; {
		var found []pull.Mention
		var err error
		if found, last, more, err = pull.Mentions(a.DB.Read(ctx), o, last, s.address); err != nil {
			return err
		}
		for _, e := range found {
			if e.Deleted() { // out of everybody's reach, and about to be removed
				continue
			}
			if !add(personReceivedJSON{e.ID.String(), e.Type, instant(e.ReceivedAt), string(e.Body), mentioning(e.Fields(), s)}) {
				return nil
			}
		}
	}
	return nil
}

// mentioning are the header lines that have a person's address in them.
func mentioning(fields []pull.Field, s someone) (lines []string) {
	for _, f := range fields {
		if s.address.In([]byte(f.Value)) {
			lines = append(lines, f.Name+": "+f.Value)
		}
	}
	return lines
}

func (a *API) exportDevEndpoints(ctx context.Context, o int64, s someone, j *personExportJSON) error {
	all, err := a.Box.List(a.DB.Read(ctx), inbound.Whose{Org: o, Account: string(s.user.ID)})
	for _, e := range all {
		j.DevEndpoints = append(j.DevEndpoints, personDevEndpointJSON{string(e.ID), instant(e.CreatedAt), instant(e.UpdatedAt)})
	}
	return err
}

func (a *API) exportAccount(ctx context.Context, o int64, s someone, j *personExportJSON) error {
	j.Account = &personAccountJSON{
		ID: string(s.user.ID), Name: s.user.Name, VerifiedAt: orNull(maybe(s.user.VerifiedAt)), CreatedAt: instant(s.user.CreatedAt), UpdatedAt: instant(s.user.UpdatedAt),
	}
	all, err := org.Memberships(a.DB.Read(ctx), s.user.No)
	for _, m := range all {
		if m.Org.No == o {
			j.Membership = &personMembershipJSON{m.Role, instant(m.CreatedAt)}
		}
	}
	return err
}

func (a *API) exportHolds(ctx context.Context, o int64, s someone, j *personExportJSON) error {
	f := inventory.HoldFilter{Holder: string(s.user.ID), Now: a.Now(), Limit: exportMost}
	page, total, err := inventory.Holds(a.DB.Read(ctx), o, f)
	if err != nil {
		return err
	}
	if total > len(page) {
		j.Incomplete = append(j.Incomplete, "holds")
	}
	for _, h := range page {
		one, err := newHold(h, f.Now)
		if err != nil {
			return err
		}
		j.Holds = append(j.Holds, one)
	}
	return nil
}

func (a *API) exportGrants(ctx context.Context, o int64, s someone, j *personExportJSON) error {
	q := a.DB.Read(ctx)
	all, err := oauth.GrantsOf(q, s.user.No)
	if err != nil {
		return err
	}
	for _, g := range all {
		if g.Org != o {
			continue
		}
		one, err := showGrant(q, g)
		if err != nil {
			return err
		}
		j.Grants = append(j.Grants, one)
	}
	return nil
}

func (a *API) exportTokens(ctx context.Context, o int64, s someone, j *personExportJSON) error {
	all, err := org.Tokens(a.DB.Read(ctx), o, s.user.No)
	for _, t := range all {
		j.Tokens = append(j.Tokens, personTokenJSON{
			string(t.ID), t.Name, texts(t.Scopes.List()), instant(t.CreatedAt), orNull(maybe(t.ExpiresAt)), orNull(maybe(t.LastUsedAt)),
		})
	}
	return err
}

func (a *API) exportAudit(ctx context.Context, o int64, s someone, j *personExportJSON) error {
	all, err := audit.About(a.DB.Read(ctx), o, string(s.user.ID), exportMost+1)
	if len(all) > exportMost {
		all = all[:exportMost]
		j.Incomplete = append(j.Incomplete, "audit")
	}
	for _, e := range all {
		one := personAuditJSON{At: instant(e.At), Action: e.Action, Actor: e.Actor, Subject: e.Subject, Address: e.Address, Detail: e.Detail}
		if e.Actor != string(s.user.ID) && e.Actor != "" {
			one.Address = "" // somebody else's
		}
		j.Audit = append(j.Audit, one)
	}
	return err
}
