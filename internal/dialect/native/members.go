package native

import (
	"context"
	"slices"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

type memberJSON struct {
	UserID    string `json:"userId"`
	Email     string `json:"email"`
	Name      string `json:"name"`
	Role      string `json:"role" enum:"owner,admin,member,staff"`
	CreatedAt string `json:"createdAt" format:"date-time" doc:"When they became a member."`
}

func newMember(m org.Membership) memberJSON {
	return memberJSON{UserID: string(m.User.ID), Email: m.User.Email, Name: m.User.Name, Role: string(m.Role), CreatedAt: instant(m.CreatedAt)}
}

func (a *API) listMembers(ctx context.Context, c *call, in *pagingInput) (answer[list[memberJSON, noFilters]], error) {
	all, err := org.Members(a.DB.Read(ctx), c.Org)
	if err != nil {
		return answer[list[memberJSON, noFilters]]{}, err
	}
	return pageOf(c, in.Paging, "members", all, newMember)
}

// MemberPath names a member.
type MemberPath struct {
	UserID string `path:"userId"`
}

// member finds a member of the organisation.
func (c *call) member(q db.Querier, u string) (org.Membership, error) {
	all, err := org.Members(q, c.Org)
	if err != nil {
		return org.Membership{}, err
	}
	i := slices.IndexFunc(all, func(m org.Membership) bool { return string(m.User.ID) == u })
	if i < 0 {
		return org.Membership{}, problem.New(problem.NotFound, "member_not_found", "There is no member %.64q here.", u)
	}
	return all[i], nil
}

// mayAppoint fails where the owners change, and it is not an owner who says so.
func (c *call) mayAppoint(tx *db.Tx, roles ...org.Role) error {
	if c.Kind != access.Personal {
		return org.Role("").Appoint(roles...)
	}
	mine, err := org.RoleOf(tx, c.Org, c.UserNo)
	if err != nil {
		return err
	}
	return mine.Appoint(roles...)
}

type memberPatchJSON struct {
	Role string `json:"role" enum:"owner,admin,member,staff"`
}

type memberPatch struct {
	MemberPath
	Body memberPatchJSON
}

func (a *API) changeMember(tx *db.Tx, c *call, in *memberPatch, _ none) (answer[memberJSON], error) {
	m, err := c.member(tx, in.UserID)
	if err != nil {
		return answer[memberJSON]{}, err
	}
	to := org.Role(in.Body.Role)
	if to != m.Role {
		if err := c.mayAppoint(tx, m.Role, to); err != nil {
			return answer[memberJSON]{}, err
		}
	}
	if err := a.People.SetRole(tx, c.Org, m.User.No, to, c.by()); err != nil {
		return answer[memberJSON]{}, err
	}
	m.Role = to
	return answer[memberJSON]{body: newMember(m)}, nil
}

func (a *API) removeMember(tx *db.Tx, c *call, in *MemberPath, _ none) (answer[none], error) {
	m, err := c.member(tx, in.UserID)
	if err != nil {
		return answer[none]{}, err
	}
	if err := c.mayAppoint(tx, m.Role); err != nil {
		return answer[none]{}, err
	}
	return answer[none]{}, a.People.SetRole(tx, c.Org, m.User.No, "", c.by())
}

type invitationJSON struct {
	ID        string `json:"id"`
	Email     string `json:"email"`
	Role      string `json:"role" enum:"owner,admin,member,staff" doc:"What they become."`
	URL       string `json:"url,omitempty" doc:"On creation only: the link that they use once."`
	CreatedAt string `json:"createdAt" format:"date-time"`
	ExpiresAt string `json:"expiresAt" format:"date-time"`
}

func newInvitation(l org.Link) invitationJSON {
	return invitationJSON{ID: string(l.ID), Email: l.Email, Role: string(l.Role), CreatedAt: instant(l.CreatedAt), ExpiresAt: instant(l.ExpiresAt)}
}

func (a *API) listInvitations(ctx context.Context, c *call, in *pagingInput) (answer[list[invitationJSON, noFilters]], error) {
	all, err := org.Links(a.DB.Read(ctx), c.Org, a.Now())
	if err != nil {
		return answer[list[invitationJSON, noFilters]]{}, err
	}
	return pageOf(c, in.Paging, "invitations", all, newInvitation)
}

type invitationInputJSON struct {
	Email string `json:"email" example:"kari@example.com"`
	Role  string `json:"role" enum:"owner,admin,member,staff"`
}

type invitationInput struct {
	Body invitationInputJSON
}

func (a *API) createInvitation(tx *db.Tx, c *call, in *invitationInput) (answer[invitationJSON], error) {
	role := org.Role(in.Body.Role)
	if err := c.mayAppoint(tx, role); err != nil {
		return answer[invitationJSON]{}, err
	}
	l, secret, err := a.People.Invite(tx, c.Org, in.Body.Email, role, c.by())
	if err != nil {
		return answer[invitationJSON]{}, err
	}
	out := answer[invitationJSON]{body: newInvitation(l), location: invitationsPath + "/" + string(l.ID)}
	out.body.URL = org.Invitation.URL(a.PublicURL, secret)
	if a.Invited == nil {
		return out, nil
	}
	of, err := org.ByNumber(tx, c.Org)
	out.then = func() { a.Invited(l, of.Name, secret) }
	return out, err
}

// LinkPath names an invitation.
type LinkPath struct {
	LinkID string `path:"linkId"`
}

func (a *API) revokeInvitation(tx *db.Tx, c *call, in *LinkPath) (answer[none], error) {
	return answer[none]{}, a.People.RevokeLink(tx, c.Org, id.Link(in.LinkID), c.by())
}
