package native

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/stamp"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

const peoplePath = "/api/v1/people"

// personRoutes are about all that an organisation has of somebody, with an account or without.
func (a *API) personRoutes() {
	const people = "People"
	read(a, route{
		method: "GET", path: peoplePath, admin: true, id: "findPeople", tag: people, summary: "Find the id of a person by their e-mail address",
		detail: "The id of somebody without an account is new each time, and stays good. Whether messages have the address in them is not looked up here.",
	}, a.findPeople)
	register[PersonPath, personExportJSON](a, route{
		method: "GET", path: peoplePath + "/{personId}/export", admin: true, id: "exportPerson", tag: people,
		summary: "Get all that the organisation has of a person",
		detail:  "One JSON document, to be handed over. It reads the whole ledger, which takes its time on a large one.",
	}, a.exportPerson)
	register[PersonPath, none](a, route{
		method: "DELETE", path: peoplePath + "/{personId}", admin: true, id: "erasePerson", tag: people, status: 204, summary: "Erase a person",
		detail: "See the guide for what goes and what stays. It goes on when its client goes away; repeating it is fine.", errors: []int{409},
	}, a.erasePerson)
}

// someone is who an id is of.
type someone struct {
	address person.Address
	email   string
	user    org.User // zero where the organisation knows of no account
	chose   bool     // they are, or were, a member here, or have allowed an app: so the organisation may see their account
	erased  bool     // nothing is left of them
}

func personNotFound() error {
	return problem.New(problem.NotFound, "person_not_found", "There is no such person here; find the id with GET %s?email=.", peoplePath)
}

// sealedFor is what the address in an id is bound to.
func sealedFor(org int64) string { return fmt.Sprintf("person %d", org) }

// someone finds out who an id is of; person_not_found, also for somebody with whom the organisation has nothing to do.
func (a *API) someone(q db.Querier, o int64, one string) (someone, error) {
	if sealed, ok := id.ParsePerson(one); ok {
		email, err := a.People.Keys.Open(sealed, sealedFor(o))
		if err != nil {
			return someone{}, personNotFound()
		}
		return a.addressed(q, o, string(email))
	}
	u, err := org.UserByID(q, id.User(one))
	if problem.Is(err, "user_not_found") {
		return someone{}, personNotFound()
	}
	if err != nil {
		return someone{}, err
	}
	if u.ErasedAt.IsZero() {
		if s, err := a.addressed(q, o, u.Email); err != nil || s.user.No != 0 {
			return s, err
		}
	}
	was, err := audit.List(q, o, audit.Filter{Action: "person.erased", Subject: one, Limit: 1})
	if err == nil && len(was) == 0 {
		err = personNotFound()
	}
	return someone{erased: true}, err
}

// addressed finds out what the organisation knows of an address.
func (a *API) addressed(q db.Querier, o int64, email string) (someone, error) {
	s := someone{address: person.Of(email), email: email}
	u, err := org.UserByEmail(q, email)
	if problem.Is(err, "user_not_found") {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if s.chose, err = belongs(q, o, u); err != nil {
		return s, err
	}
	orders, err := order.Of(q, o, s.address)
	if err != nil {
		return s, err
	}
	tickets, err := ticket.Known(q, o, s.address)
	if err != nil {
		return s, err
	}
	stamps, err := stamp.Known(q, o, s.address)
	if err != nil {
		return s, err
	}
	if s.chose || len(orders)+tickets+stamps > 0 {
		s.user, s.email = u, u.Email
	}
	return s, nil
}

// belongs tells whether a person has to do with an organisation by their own doing.
func belongs(q db.Querier, o int64, u org.User) (bool, error) {
	role, err := org.RoleOf(q, o, u.No)
	if err != nil || role != "" {
		return err == nil, err
	}
	tokens, err := org.TokenIDs(q, o, u.No)
	if err != nil || len(tokens) > 0 {
		return err == nil, err
	}
	grants, err := oauth.GrantIDs(q, o, u.No)
	if err != nil || len(grants) > 0 {
		return err == nil, err
	}
	did, err := audit.List(q, o, audit.Filter{Actor: string(u.ID), Limit: 1})
	return len(did) > 0, err
}

type personJSON struct {
	ID      string   `json:"id" doc:"usr_… for an account, else per_… and opaque."`
	Email   string   `json:"email"`
	Account bool     `json:"account" doc:"Whether there is an account that the organisation has to do with."`
	Role    org.Role `json:"role,omitempty" doc:"Of a member."`
	Orders  int      `json:"orders" doc:"How many they have."`
}

type peopleInput struct {
	Email string `query:"email" required:"true" maxLength:"254" doc:"Upper and lower case are alike."`
}

type peopleFiltersJSON struct {
	Email string `json:"email"`
}

func (a *API) findPeople(ctx context.Context, c *call, in *peopleInput) (answer[list[personJSON, peopleFiltersJSON]], error) {
	var out answer[list[personJSON, peopleFiltersJSON]]
	if !org.ValidEmail(in.Email) {
		return out, &problem.Error{
			Kind: problem.Invalid, Code: "validation_failed", Detail: "The request is not valid; see errors.",
			Fields: []problem.FieldError{{Pointer: "email", In: "query", Code: "invalid", Detail: "Give an e-mail address such as kari@example.com."}},
		}
	}
	q := a.DB.Read(ctx)
	s, err := a.addressed(q, c.Org, in.Email)
	if err != nil {
		return out, err
	}
	j := personJSON{ID: string(s.user.ID), Email: s.email, Account: s.user.No != 0}
	if !j.Account {
		j.ID = string(id.NewPerson(a.People.Keys.Seal([]byte(in.Email), sealedFor(c.Org))))
	} else if j.Role, err = org.RoleOf(q, c.Org, s.user.No); err != nil {
		return out, err
	}
	orders, err := order.Of(q, c.Org, s.address)
	if err != nil {
		return out, err
	}
	j.Orders = len(orders)
	out.body = newList(Paging{Limit: 1}, place{}, []personJSON{j}, 1, peopleFiltersJSON{in.Email}, "")
	return out, nil
}

// PersonPath names a person.
type PersonPath struct {
	PersonID string `path:"personId" maxLength:"1000"`
}

// patience is how long a request waits for its turn.
const patience = 10 * time.Second

// alone waits until nobody else looks through the ledger for a person.
func (a *API) alone(ctx context.Context) (leave func(), err error) {
	wait := time.NewTimer(patience)
	defer wait.Stop()
	select {
	case a.persons <- struct{}{}:
		return func() { <-a.persons }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-wait.C:
		return nil, &problem.Error{
			Kind: problem.TooMany, Code: "busy", RetryAfter: patience,
			Detail: "Another person is being exported or erased, which reads the whole ledger; try again when that is done.",
		}
	}
}

func (a *API) erasePerson(ctx context.Context, in *PersonPath) (*reply, error) {
	c := callOf(ctx)
	s, err := a.someone(a.DB.Read(ctx), c.Org, in.PersonID)
	if err != nil {
		return nil, err
	}
	if s.erased {
		return &reply{Status: 204}, nil
	}
	leave, err := a.alone(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := a.Erase(context.WithoutCancel(ctx), c.Org, s.address, c.by()); err != nil {
		return nil, err
	}
	return &reply{Status: 204}, nil
}

func (a *API) exportPerson(ctx context.Context, in *PersonPath) (*reply, error) {
	c := callOf(ctx)
	s, err := a.someone(a.DB.Read(ctx), c.Org, in.PersonID)
	if err == nil && s.erased {
		err = personNotFound()
	}
	if err != nil {
		return nil, err
	}
	leave, err := a.alone(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	body, err := a.export(ctx, c.Org, s)
	if err != nil {
		return nil, err
	}
	err = a.DB.Write(ctx, "", func(tx *db.Tx) error {
		return audit.Append(tx, c.by().Entry(c.Org, "person.exported", string(s.user.ID), nil))
	})
	text, failed := encode(body)
	if err = errors.Join(err, failed); err != nil {
		return nil, err
	}
	return &reply{Status: 200, ContentType: "application/json", Disposition: `attachment; filename="person.json"`, Body: text}, nil
}
