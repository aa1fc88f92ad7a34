package native

import (
	"context"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/stamp"
)

type collectionJSON struct {
	Name       string                `json:"name"`
	Types      int                   `json:"types" doc:"How many stamp types it has."`
	StampTypes []collectionEntryJSON `json:"stampTypes" nullable:"false"`
}

type collectionEntryJSON struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Active bool   `json:"active"`
}

func (a *API) listCollections(ctx context.Context, c *call, in *Paging) (answer[list[collectionJSON, noFilters]], error) {
	var out answer[list[collectionJSON, noFilters]]
	at, err := in.place(c, "collections", nil)
	if err != nil {
		return out, err
	}
	all, err := stamp.Collections(a.DB.Read(ctx), c.Org, c.Attendee)
	if err != nil {
		return out, err
	}
	var data []collectionJSON
	for _, one := range all[min(at.offset, len(all)):min(at.offset+in.Limit, len(all))] {
		j := collectionJSON{Name: one.Name, Types: len(one.Types)}
		for _, e := range one.Types {
			j.StampTypes = append(j.StampTypes, collectionEntryJSON{string(e.ID), e.Name, e.Active})
		}
		data = append(data, j)
	}
	out.body = newList(*in, at, data, len(all), noFilters{}, "")
	return out, nil
}

type passportJSON struct {
	User        string                   `json:"user,omitempty" doc:"As it was asked for; of me the usr_…."`
	Stamps      []stampJSON              `json:"stamps" nullable:"false" doc:"A page of them, the newest first."`
	Total       int                      `json:"total" doc:"How many stamps there are on all pages."`
	Collections []passportCollectionJSON `json:"collections" nullable:"false" doc:"By name: all in which there is something to earn, and those of the stamps."`
	Checkins    passportCheckinsJSON     `json:"checkins"`
}

type passportCollectionJSON struct {
	Name     string                         `json:"name"`
	Types    int                            `json:"types" doc:"How many stamps there are to collect."`
	Has      int                            `json:"has" doc:"How many of them there are in the passport."`
	Complete bool                           `json:"complete"`
	Stamps   []passportCollectionStampsJSON `json:"stampTypes" nullable:"false"`
}

type passportCollectionStampsJSON struct {
	ID   string `json:"id" doc:"Of the stamp type."`
	Name string `json:"name"`
	Has  bool   `json:"has"`
}

type passportCheckinsJSON struct {
	Total  int `json:"total" doc:"Admissions that were not undone."`
	Events int `json:"events" doc:"To how many events."`
}

type passportInput struct {
	User   string `path:"user" maxLength:"1000"`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"How many stamps at most."`
	Offset int    `query:"offset" minimum:"0" maximum:"1000000000" default:"0" doc:"How many stamps to pass over."`
}

func (a *API) passport(ctx context.Context, c *call, in *passportInput) (answer[passportJSON], error) {
	q := a.DB.Read(ctx)
	who, err := c.passportOf(q, in.User)
	if err != nil {
		return answer[passportJSON]{}, err
	}
	p, err := stamp.PassportOf(q, c.Org, who, stamp.Page{Limit: in.Limit, Offset: in.Offset})
	if err != nil {
		return answer[passportJSON]{}, err
	}
	j := passportJSON{
		User: in.User, Stamps: []stampJSON{}, Total: p.Total, Collections: []passportCollectionJSON{}, Checkins: passportCheckinsJSON{p.Checkins, p.Events},
	}
	if in.User == me {
		j.User = string(c.User)
	}
	for _, s := range p.Stamps {
		j.Stamps = append(j.Stamps, newStamp(s))
	}
	for _, one := range p.Collections {
		k := passportCollectionJSON{Name: one.Name, Types: len(one.Types)}
		for _, e := range one.Types {
			if e.Has {
				k.Has++
			}
			k.Stamps = append(k.Stamps, passportCollectionStampsJSON{string(e.ID), e.Name, e.Has})
		}
		k.Complete = k.Has == k.Types
		j.Collections = append(j.Collections, k)
	}
	return answer[passportJSON]{body: j}, nil
}

// me is how a person names themselves.
const me = "me"

// passportOf is whose passport is meant; person_not_found for those that whoever asks may not see. An address counts once its account has shown that it is theirs:
// until then a passport of one's own is nobody's.
func (c *call) passportOf(q db.Querier, one string) (person.Address, error) {
	switch own := c.User != "" && (one == me || id.User(one) == c.User); {
	case own && c.Attendee:
		return person.Of(c.Email), nil
	case own:
		u, err := org.UserByID(q, c.User)
		if err != nil || u.VerifiedAt.IsZero() {
			return "", err
		}
		return person.Of(u.Email), nil
	case c.Attendee || one == me:
		return "", personNotFound()
	}
	s, err := c.api.someone(q, c.Org, one)
	if err == nil && s.erased {
		err = personNotFound()
	}
	return s.address, err
}
