package team

import (
	"net/http"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/page"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

type membersData struct {
	Members     []org.Membership
	Invitations []org.Link
	Roles       []page.Option
	Link        string // of the invitation that was just made
	Email, Role string // as they were typed
}

// roles are what somebody can be, with what that means.
func roles() []page.Option {
	return []page.Option{
		{Value: string(org.Owner), Text: "Owner: everything, and who the owners are"},
		{Value: string(org.Admin), Text: "Admin: everything but owners"},
		{Value: string(org.Member), Text: "Member: events, orders, tickets, the door"},
		{Value: string(org.Staff), Text: "Staff: the door"},
	}
}

func (r *Room) members(v *frame.Visit) error {
	if v.WantsCSV() {
		all, err := org.Members(v.Read(), v.Org.No)
		return v.CSV("members", []string{"user", "email", "name", "role", "since"}, func(yield func([]string, error) bool) {
			if err != nil {
				yield(nil, err)
				return
			}
			for _, m := range all {
				if !yield([]string{string(m.User.ID), m.User.Email, m.User.Name, string(m.Role), m.CreatedAt.UTC().Format(time.RFC3339)}, nil) {
					return
				}
			}
		})
	}
	return r.showMembers(v, http.StatusOK, membersData{Role: string(org.Member)}, nil)
}

func (r *Room) showMembers(v *frame.Visit, status int, d membersData, wrong page.Complaints) (err error) {
	if d.Members, err = org.Members(v.Read(), v.Org.No); err != nil {
		return err
	}
	if d.Invitations, err = org.Links(v.Read(), v.Org.No, v.Now()); err != nil {
		return err
	}
	d.Roles = roles()
	return v.Show(pages, "members", status, frame.View{Title: "Members", At: "/members", Complaints: wrong, Data: d})
}

func (r *Room) invite(v *frame.Visit) error {
	d := membersData{Email: v.Value("email"), Role: v.Value("role")}
	if err := v.Role.Appoint(org.Role(d.Role)); err != nil {
		return err
	}
	var link org.Link
	var secret string
	err := v.Write(func(tx *db.Tx) (err error) {
		link, secret, err = r.People.Invite(tx, v.Org.No, d.Email, org.Role(d.Role), v.By())
		return err
	})
	if wrong, status, ok := frame.Wrong(err, "invite-", nil); ok {
		return r.showMembers(v, status, d, wrong)
	} else if err != nil {
		return err
	}
	if r.Invited != nil {
		r.Invited(link, v.Org.Name, secret)
	}
	return r.showMembers(v, http.StatusOK, membersData{Link: org.Invitation.URL(v.PublicURL, secret), Email: link.Email, Role: string(org.Member)}, nil)
}

// member finds the member of the path.
func member(v *frame.Visit, q db.Querier) (org.Membership, error) {
	all, err := org.Members(q, v.Org.No)
	if err != nil {
		return org.Membership{}, err
	}
	for _, m := range all {
		if string(m.User.ID) == v.R.PathValue("user") {
			return m, nil
		}
	}
	return org.Membership{}, problem.New(problem.NotFound, "member_not_found", "There is no such member here any more.")
}

func (r *Room) appoint(v *frame.Visit) error {
	to := org.Role(v.Value("role"))
	err := v.Configure(func(tx *db.Tx) error {
		m, err := member(v, tx)
		if err != nil || m.Role == to {
			return err
		}
		if err := v.Role.Appoint(m.Role, to); err != nil {
			return err
		}
		if to == "" {
			return problem.Field("/role", "required", "Choose what they shall be.")
		}
		return r.People.SetRole(tx, v.Org.No, m.User.No, to, v.By())
	})
	if err != nil {
		return err
	}
	return v.Done("/members", "The role is changed.")
}

func (r *Room) removeMember(v *frame.Visit) error {
	m, err := member(v, v.Read())
	if err != nil {
		return err
	}
	sure, err := v.Sure("Remove "+m.User.Email+" from "+v.Org.Name+"?", "They see nothing of it any more, and their tokens and apps do no more here than an attendee's.", "Remove them", "/members")
	if !sure {
		return err
	}
	err = v.Configure(func(tx *db.Tx) error {
		m, err := member(v, tx)
		if err != nil {
			return err
		}
		if err := v.Role.Appoint(m.Role); err != nil {
			return err
		}
		return r.People.SetRole(tx, v.Org.No, m.User.No, "", v.By())
	})
	if err != nil {
		return err
	}
	if m.User.No == v.User.No {
		return v.To("/")
	}
	return v.Done("/members", "They are not a member any more.")
}

func (r *Room) revokeInvitation(v *frame.Visit) error {
	err := v.Write(func(tx *db.Tx) error {
		return r.People.RevokeLink(tx, v.Org.No, id.Link(v.R.PathValue("link")), v.By())
	})
	if err != nil {
		return err
	}
	return v.Done("/members", "The invitation is taken back.")
}
