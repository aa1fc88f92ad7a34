package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/app"
	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

type userCmd struct {
	Create userCreateCmd `cmd:"" help:"Make an account for somebody whose address you know to be theirs."`
	List   userListCmd   `cmd:"" help:"List people."`
	Role   userRoleCmd   `cmd:"" help:"Say what somebody is in an organisation."`
	Reset  userResetCmd  `cmd:"" help:"Print a link with which somebody can set a new password, once, within an hour."`
	Invite userInviteCmd `cmd:"" help:"Print a link with which somebody can join an organisation, once, within seven days."`
	Token  userTokenCmd  `cmd:"" help:"Make a personal token. It is shown once."`
}

// operator is who does what commands do.
var operator = audit.By{Actor: audit.Operator}

type userCreateCmd struct {
	Email         string `arg:"" help:"Their e-mail address."`
	Name          string `help:"Their name." placeholder:"NAME"`
	Org           string `help:"The slug of an organisation that they belong to." placeholder:"SLUG" and:"role"`
	Role          string `help:"What they are there: owner, admin, member or staff." placeholder:"ROLE" and:"role"`
	PasswordStdin bool   `help:"Read their password from standard input, one line. Without it they have none, and need a link: stagedoor user reset."`
	JSON          bool   `name:"json" help:"Answer {\"id\", \"email\", \"org\", \"role\"}."`
	place
}

// Run makes the account.
func (c *userCreateCmd) Run(ctx context.Context, p *program) error {
	return c.within(ctx, p, func(core *app.Core) error {
		var password org.Password
		if c.PasswordStdin {
			line, err := bufio.NewReader(io.LimitReader(p.stdin, 4<<10)).ReadString('\n')
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			if password, err = core.People.Hash(ctx, c.Email, strings.TrimRight(line, "\r\n")); err != nil {
				return err
			}
		}
		var o org.Org
		if c.Org != "" {
			var err error
			if o, err = org.BySlug(core.DB.Read(ctx), c.Org); err != nil {
				return err
			}
		}
		var u org.User
		err := core.DB.Configure(ctx, func(tx *db.Tx) (err error) {
			if u, err = core.People.Create(tx, org.UserInput{Email: c.Email, Name: c.Name, Password: password, Verified: true}, operator); err != nil || c.Org == "" {
				return err
			}
			return core.People.SetRole(tx, o.No, u.No, org.Role(c.Role), operator)
		})
		if err != nil {
			return err
		}
		if c.JSON {
			return p.json(struct {
				ID    id.User `json:"id"`
				Email string  `json:"email"`
				Org   id.Org  `json:"org,omitempty"`
				Role  string  `json:"role,omitempty"`
			}{u.ID, u.Email, o.ID, c.Role})
		}
		p.printf("Made the account %s for %s.\n", u.ID, u.Email)
		return nil
	})
}

type userListCmd struct {
	Org  string `help:"Only the members of this organisation." placeholder:"SLUG"`
	JSON bool   `name:"json" help:"Answer {\"people\": […]}."`
	place
}

type personJSON struct {
	ID        id.User  `json:"id"`
	Email     string   `json:"email"`
	Name      string   `json:"name"`
	Role      org.Role `json:"role,omitempty"`
	CreatedAt instant  `json:"createdAt"`
}

// Run lists people.
func (c *userListCmd) Run(ctx context.Context, p *program) error {
	return c.within(ctx, p, func(core *app.Core) error {
		all, err := c.people(core.DB.Read(ctx))
		if err != nil {
			return err
		}
		rows := [][]string{{"ID", "E-MAIL", "NAME", "ROLE"}}
		list := make([]personJSON, len(all))
		for i, m := range all {
			list[i] = personJSON{m.User.ID, m.User.Email, m.User.Name, m.Role, at(m.User.CreatedAt)}
			rows = append(rows, []string{string(m.User.ID), m.User.Email, m.User.Name, string(m.Role)})
		}
		if c.JSON {
			return p.json(map[string]any{"people": list})
		}
		return p.table(rows, "There is nobody yet; make an account with: stagedoor user create EMAIL --org SLUG --role owner --password-stdin")
	})
}

func (c *userListCmd) people(q db.Querier) (all []org.Membership, err error) {
	if c.Org == "" {
		users, err := org.Users(q)
		for _, u := range users {
			all = append(all, org.Membership{User: u})
		}
		return all, err
	}
	o, err := org.BySlug(q, c.Org)
	if err != nil {
		return nil, err
	}
	return org.Members(q, o.No)
}

type userRoleCmd struct {
	Email string `arg:"" help:"Their e-mail address."`
	Role  string `help:"owner, admin, member or staff; none ends the membership." required:"" placeholder:"ROLE"`
	ofOrg
}

// Run sets the role.
func (c *userRoleCmd) Run(ctx context.Context, p *program) error {
	return c.within(ctx, p, func(core *app.Core, o org.Org) error {
		u, err := org.UserByEmail(core.DB.Read(ctx), c.Email)
		if err != nil {
			return err
		}
		role := org.Role(c.Role)
		if c.Role == "none" {
			role = ""
		}
		if err := core.DB.Configure(ctx, func(tx *db.Tx) error { return core.People.SetRole(tx, o.No, u.No, role, operator) }); err != nil {
			return err
		}
		p.printf("%s is %s in %s now.\n", u.Email, cmp.Or(string(role), "an attendee"), o.Name)
		return nil
	})
}

// linked are the flags of commands that print a link.
type linked struct {
	PublicURL string `name:"public-url" help:"How the outside reaches the server." default:"http://127.0.0.1:8080" placeholder:"URL" setting:""`
	JSON      bool   `name:"json" help:"Answer {\"url\", \"expiresAt\"}."`
}

func (c *linked) say(p *program, l org.Link, secret string) error {
	url := l.Kind.URL(strings.TrimSuffix(c.PublicURL, "/"), secret)
	if c.JSON {
		return p.json(struct {
			URL       string  `json:"url"`
			ExpiresAt instant `json:"expiresAt"`
		}{url, at(l.ExpiresAt)})
	}
	p.printf("%s\n\nIt can be used once, until %s.\n", url, moment(l.ExpiresAt, ""))
	return nil
}

type userResetCmd struct {
	Email string `arg:"" help:"Their e-mail address."`
	linked
	place
}

// Run makes the link.
func (c *userResetCmd) Run(ctx context.Context, p *program) error {
	return c.within(ctx, p, func(core *app.Core) error {
		u, err := org.UserByEmail(core.DB.Read(ctx), c.Email)
		if err != nil {
			return err
		}
		var l org.Link
		var secret string
		if err := core.DB.Write(ctx, "", func(tx *db.Tx) (err error) {
			l, secret, err = core.People.NewLink(tx, org.Reset, u)
			return err
		}); err != nil {
			return err
		}
		return c.say(p, l, secret)
	})
}

type userInviteCmd struct {
	Email string `arg:"" help:"Their e-mail address."`
	Role  string `help:"owner, admin, member or staff." default:"member" placeholder:"ROLE"`
	linked
	ofOrg
}

// Run makes the invitation.
func (c *userInviteCmd) Run(ctx context.Context, p *program) error {
	return c.within(ctx, p, func(core *app.Core, o org.Org) error {
		var l org.Link
		var secret string
		err := core.DB.Write(ctx, "", func(tx *db.Tx) (err error) {
			l, secret, err = core.People.Invite(tx, o.No, c.Email, org.Role(c.Role), operator)
			return err
		})
		if err != nil {
			return err
		}
		return c.say(p, l, secret)
	})
}

type userTokenCmd struct {
	Email string   `arg:"" help:"Whose token it is."`
	Name  string   `help:"What it is for." placeholder:"NAME"`
	Scope []string `help:"What it may do, such as events:read; repeat for more. Without any, everything that the person may." placeholder:"SCOPE"`
	JSON  bool     `name:"json" help:"Answer {\"id\", \"token\", \"scopes\"}."`
	ofOrg
}

// Run makes the token.
func (c *userTokenCmd) Run(ctx context.Context, p *program) error {
	return c.within(ctx, p, func(core *app.Core, o org.Org) error {
		may, err := parseScopes(c.Scope)
		if err != nil {
			return err
		}
		u, err := org.UserByEmail(core.DB.Read(ctx), c.Email)
		if err != nil {
			return err
		}
		var t org.Token
		var secret string
		err = core.DB.Write(ctx, "", func(tx *db.Tx) (err error) {
			t, secret, err = org.CreateToken(tx, o.No, u.No, org.TokenInput{Name: c.Name, Scopes: may}, operator)
			return err
		})
		if err != nil {
			return err
		}
		if c.JSON {
			return p.json(struct {
				ID     id.Token      `json:"id"`
				Token  string        `json:"token"`
				Scopes []scope.Scope `json:"scopes"`
			}{t.ID, secret, t.Scopes.List()})
		}
		p.printf("%s\n\nThis is the token %s of %s. It is not shown again; send it as a bearer token.\n", secret, t.ID, u.Email)
		return nil
	})
}
