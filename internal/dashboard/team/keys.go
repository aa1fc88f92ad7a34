package team

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/page"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

type keysData struct {
	Keys   []org.Key
	Secret string // of the key that was just made
	Form   keyForm
	Scopes []tick
}

// keyForm is the form for a new key, as it was filled in.
type keyForm struct{ Name, May, PerMinute string }

// tick is a scope that can be ticked.
type tick struct {
	Scope   scope.Scope
	Checked bool
}

// ticks are all scopes, those that are in the set checked.
func ticks(checked scope.Set) []tick {
	var all []tick
	for _, s := range scope.All().List() {
		all = append(all, tick{s, checked.Has(s)})
	}
	return all
}

// ticked are the scopes that the form has.
func ticked(v *frame.Visit, wrong *problem.Fields) scope.Set {
	var set scope.Set
	for _, name := range v.Form["scope"] {
		one, ok := scope.Named(name)
		if !ok {
			wrong.Add("/scopes", "unknown_scope", "There is something ticked that does not exist. Load the page again, and tick it anew.")
		}
		set |= scope.Of(one)
	}
	return set
}

func (r *Room) keys(v *frame.Visit) error { return showKeys(v, http.StatusOK, keysData{}, nil) }

// showKeys lists the keys that are good. Those that were revoked are in the audit log.
func showKeys(v *frame.Visit, status int, d keysData, wrong page.Complaints) error {
	all, err := org.Keys(v.Read(), v.Org.No)
	if err != nil {
		return err
	}
	d.Keys = slices.DeleteFunc(all, func(k org.Key) bool { return !k.RevokedAt.IsZero() })
	if d.Scopes == nil {
		d.Scopes = ticks(0)
	}
	return v.Show(pages, "keys", status, frame.View{Title: "API keys", At: "/keys", Complaints: wrong, Data: d})
}

func (r *Room) makeKey(v *frame.Visit) error {
	f := keyForm{Name: v.Value("name"), May: v.Value("may"), PerMinute: v.Value("perMinute")}
	var wrong problem.Fields
	in := org.KeyInput{Name: f.Name, Scopes: ticked(v, &wrong)}
	if in.Scopes == 0 && f.May != "everything" {
		wrong.Add("/scopes", "required", "Tick what the key may do, or choose everything.")
	}
	if f.PerMinute != "" {
		n, err := strconv.Atoi(f.PerMinute)
		if err != nil || n < 0 || n > 1_000_000 {
			wrong.Add("/perMinute", "out_of_range", "A number of requests from 1 to 1000000, or nothing for no limit.")
		}
		in.PerMinute = n
	}
	err := wrong.Err()
	var secret string
	if err == nil {
		err = v.Write(func(tx *db.Tx) (err error) {
			_, secret, err = org.CreateKey(tx, v.Org.No, in, v.By())
			return err
		})
	}
	if wrong, status, ok := frame.Wrong(err, "key-", nil); ok {
		return showKeys(v, status, keysData{Form: f, Scopes: ticks(in.Scopes)}, wrong)
	} else if err != nil {
		return err
	}
	return showKeys(v, http.StatusOK, keysData{Secret: secret}, nil)
}

func (r *Room) revokeKey(v *frame.Visit) error {
	sure, err := v.Sure("Revoke this key?", "Programs that use it are refused within a second. It cannot be brought back.", "Revoke the key", "/keys")
	if !sure {
		return err
	}
	if err := v.Write(func(tx *db.Tx) error { return org.RevokeKey(tx, v.Org.No, id.Key(v.R.PathValue("key")), v.By()) }); err != nil {
		return err
	}
	return v.Done("/keys", "The key is revoked.")
}
