package guests

import (
	"net/http"
	"slices"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/page"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// ethpass is the format of a wallet project's webhook.
const ethpass = "ethpass"

// projectName is the name of the API keys that are made as a project's secret.
const projectName = "Wallet project"

// projectScopes is what a project's secret may do: all that there is below /v0.
func projectScopes() scope.Set {
	return scope.Of(scope.TicketsRead, scope.TicketsWrite, scope.CheckinWrite, scope.WebhooksManage)
}

// whose are the organisation's own endpoints.
func whose(v *frame.Visit) endpoint.Whose { return endpoint.Whose{Org: v.Org.No} }

func (r *Room) mayHook(v *frame.Visit) bool { return v.Who.May(scope.WebhooksManage) }

// hook is the project's webhook; nil when none is set.
func (r *Room) hook(v *frame.Visit) (*endpoint.Endpoint, error) {
	return r.Endpoints.Sole(v.Read(), whose(v), ethpass)
}

type walletsData struct {
	Base      string    // where the API is
	Keys      []org.Key // that open it, but for those that may do everything
	Secret    string    // the project's, which was just made
	Hook      *endpoint.Endpoint
	Told      []toldRow // the newest deliveries
	Given     string    // the webhook's Authorization, which was just made up
	URL, Auth string    // as they were typed
	Keep      string    // what is to become of the Authorization
}

// toldRow is a delivery, and in words why it failed.
type toldRow struct {
	delivery.Record
	Why string
}

func (r *Room) wallets(v *frame.Visit) error {
	return r.showWallets(v, http.StatusOK, walletsData{}, nil)
}

func (r *Room) showWallets(v *frame.Visit, status int, d walletsData, wrong page.Complaints) error {
	d.Base = strings.TrimSuffix(v.PublicURL, "/") + "/v0"
	all, err := org.Keys(v.Read(), v.Org.No)
	if err != nil {
		return err
	}
	d.Keys = slices.DeleteFunc(all, func(k org.Key) bool { return !k.RevokedAt.IsZero() || !opens(k) })
	if d.Hook, err = r.hook(v); err != nil {
		return err
	}
	if d.Hook != nil {
		if d.URL == "" {
			d.URL = d.Hook.URL
		}
		if d.Told, err = r.lately(v, d.Hook); err != nil {
			return err
		}
	}
	if d.Keep == "" {
		d.Keep = "make"
		if d.Hook != nil {
			d.Keep = "keep"
		}
	}
	return v.Show(pages, "wallets", status, frame.View{Title: "Wallet project", At: "/wallets", Complaints: wrong, Data: d})
}

// opens tells whether a key may do all that a project's secret may, and is not one that may do everything: that is for the page of keys.
func opens(k org.Key) bool { return !k.Full && k.Scopes&projectScopes() == projectScopes() }

// shownDeliveries is how many deliveries of the webhook are shown.
const shownDeliveries = 10

func (r *Room) lately(v *frame.Visit, e *endpoint.Endpoint) (all []toldRow, err error) {
	found, _, err := r.Engine.List(v.R.Context(), e, delivery.Filter{Limit: shownDeliveries})
	for _, one := range found {
		row := toldRow{Record: one}
		if one.State != "delivered" {
			row.Why = r.Engine.Why(e, one).Title
		}
		all = append(all, row)
	}
	return all, err
}

// makeProjectSecret makes an API key that may do what there is below /v0. It is shown this once.
func (r *Room) makeProjectSecret(v *frame.Visit) error {
	var secret string
	err := v.Write(func(tx *db.Tx) (err error) {
		_, secret, err = org.CreateKey(tx, v.Org.No, org.KeyInput{Name: projectName, Scopes: projectScopes()}, v.By())
		return err
	})
	if err != nil {
		return err
	}
	return r.showWallets(v, http.StatusOK, walletsData{Secret: secret}, nil)
}

func (r *Room) revokeProjectSecret(v *frame.Visit) error {
	sure, err := v.Sure("Revoke this secret?", "Programs that use it are refused within a second. It cannot be brought back. Passes and the webhook stay.", "Revoke the secret", "/wallets")
	if !sure {
		return err
	}
	if err := v.Write(func(tx *db.Tx) error { return org.RevokeKey(tx, v.Org.No, id.Key(v.R.PathValue("key")), v.By()) }); err != nil {
		return err
	}
	return v.Done("/wallets", "The secret is revoked.")
}

// setHook sets where the project is told, and with which Authorization.
func (r *Room) setHook(v *frame.Visit) error {
	d := walletsData{URL: v.Value("url"), Auth: v.Value("secret"), Keep: v.Value("keep")}
	in := endpoint.SoleInput{}
	given := ""
	switch d.Keep {
	case "make":
		given = id.Secret("whk_")
		in.Secret = &given
	case "own":
		in.Secret = &d.Auth
	case "none":
		in.Secret = new(string)
	}
	var err error
	if d.Keep == "own" && d.Auth == "" {
		err = problem.Field("/secret", "required", "Type the secret that deliveries are to have, or have one made up.")
	}
	if err == nil {
		in.URL, err = r.Endpoints.CheckURL(v.R.Context(), d.URL)
	}
	if err == nil {
		err = v.Configure(func(tx *db.Tx) error {
			_, err := r.Endpoints.PutSole(tx, whose(v), ethpass, in, v.By())
			return err
		})
	}
	if wrong, status, ok := frame.Wrong(err, "hook-", nil); ok {
		return r.showWallets(v, status, d, wrong)
	} else if err != nil {
		return err
	}
	if given != "" {
		return r.showWallets(v, http.StatusOK, walletsData{Given: given}, nil)
	}
	return v.Done("/wallets", "The webhook is set.")
}

func (r *Room) removeHook(v *frame.Visit) error {
	sure, err := v.Sure("Remove the webhook?", "Nobody is told of passes there any more, and its deliveries go out of sight.", "Remove the webhook", "/wallets")
	if !sure {
		return err
	}
	err = v.Configure(func(tx *db.Tx) error {
		e, err := r.Endpoints.Sole(tx, whose(v), ethpass)
		if err != nil || e == nil {
			return err
		}
		return r.Endpoints.Delete(tx, whose(v), e.ID, 0, v.By())
	})
	if err != nil {
		return err
	}
	return v.Done("/wallets", "The webhook is removed.")
}

// testHook has two of the format's events happen, which has no others to try it with: a pass of nobody is made and at once revoked.
func (r *Room) testHook(v *frame.Visit) error {
	e, err := r.hook(v)
	switch {
	case err != nil:
		return err
	case e == nil:
		return problem.New(problem.Conflict, "webhook_not_found", "No webhook is set yet: set one first.")
	case !e.Enabled():
		return problem.New(problem.Conflict, "webhook_inactive", "The webhook is paused, so nothing is sent. Set it again, or have it go on under webhooks, before you test it.")
	}
	err = v.Write(func(tx *db.Tx) error {
		p, err := r.Passes.Create(tx, v.Org.No, pass.Input{
			Platform: pass.Apple, ExternalID: "webhook-test", Barcode: &pass.Barcode{Message: "A test of the webhook: this admits nobody."},
		})
		if err == nil {
			_, err = r.Passes.Expire(tx, v.Org.No, p.ID, pass.UserRevoke)
		}
		return err
	})
	if err != nil {
		return err
	}
	return v.Done("/wallets", "A test is under way: the webhook is told pass:create and pass:expire of a pass that nobody has. Load this page again to see what it answered.")
}
