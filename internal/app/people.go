package app

import (
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/org"
)

// people is what the authorization server has to know of people: oauth.People.
type people struct{}

// Places are a person's own organisations, by name, and the client's, where they are an attendee if nothing else. The client's comes first.
func (people) Places(q db.Querier, user, client int64) ([]oauth.Place, error) {
	belongs, err := org.Memberships(q, user)
	if err != nil {
		return nil, err
	}
	var places []oauth.Place
	for _, m := range belongs {
		p := oauth.Place{Org: m.Org.No, ID: m.Org.ID, Name: m.Org.Name, Role: string(m.Role), May: m.Role.Allows()}
		if m.Org.No == client {
			places = append([]oauth.Place{p}, places...)
			continue
		}
		places = append(places, p)
	}
	if len(places) > 0 && places[0].Org == client {
		return places, nil
	}
	o, err := org.ByNumber(q, client)
	if err != nil {
		return nil, err
	}
	return append([]oauth.Place{{Org: o.No, ID: o.ID, Name: o.Name, May: org.Role("").Allows()}}, places...), nil
}

// Named returns a person's and an organisation's public ids; no person for number 0.
func (people) Named(q db.Querier, user, number int64) (id.User, id.Org, error) {
	o, err := org.ByNumber(q, number)
	if err != nil || user == 0 {
		return "", o.ID, err
	}
	u, err := org.UserByNumber(q, user)
	return u.ID, o.ID, err
}
