package team

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/page"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

type appsData struct {
	Apps     []oauth.Client
	Consents []consent
}

// consent is a grant with who gave it.
type consent struct {
	oauth.Grant
	Email string // "" for what an app does for itself
}

// maxConsents is how many consents a page shows.
const maxConsents = 200

func (r *Room) apps(v *frame.Visit) error {
	q := v.Read()
	all, err := oauth.Clients(q, v.Org.No)
	if err != nil {
		return err
	}
	consents, err := consentsOf(q, v.Org.No, "")
	if err != nil {
		return err
	}
	return v.Show(pages, "apps", http.StatusOK, frame.View{Title: "Apps", At: "/apps", Data: appsData{all, consents}})
}

// consentsOf are the newest consents in an organisation, to one app or to all.
func consentsOf(q db.Querier, o int64, app id.Client) ([]consent, error) {
	grants, err := oauth.Grants(q, o)
	if err != nil {
		return nil, err
	}
	var all []consent
	for _, g := range grants {
		if app != "" && g.ClientID != app || len(all) == maxConsents {
			continue
		}
		c := consent{Grant: g}
		if g.UserNo != 0 {
			u, err := org.UserByNumber(q, g.UserNo)
			if err != nil {
				return nil, err
			}
			c.Email = u.Email
		}
		all = append(all, c)
	}
	return all, nil
}

type appData struct {
	ID       id.Client // "" for one that is about to be made
	Client   oauth.Client
	Form     appForm
	Scopes   []tick
	Secret   string // that was just made
	Consents []consent
}

// appForm is the form of an app, as it was filled in.
type appForm struct {
	Name, AuthMethod, Redirects, JWKS, Version string
	Code, Refresh, Credentials, Device         bool
	PAR, DPoP                                  bool
}

func (r *Room) newApp(v *frame.Visit) error {
	return showApp(v, http.StatusOK, appData{Form: appForm{Code: true, Refresh: true}, Scopes: ticks(0)}, nil)
}

func showApp(v *frame.Visit, status int, d appData, wrong page.Complaints) error {
	title := "Make an app"
	if d.ID != "" {
		title = "App " + d.Client.Name
	}
	return v.Show(pages, "app", status, frame.View{Title: title, At: "/apps", Complaints: wrong, Data: d})
}

// input reads the form of an app.
func appInput(v *frame.Visit) (oauth.ClientInput, appForm, error) {
	f := appForm{
		Name: v.Value("name"), AuthMethod: v.Value("authMethod"), Redirects: v.Value("redirectUris"), JWKS: v.Value("jwks"), Version: v.Value("version"),
		Code: v.Value("code") != "", Refresh: v.Value("refresh") != "", Credentials: v.Value("credentials") != "", Device: v.Value("device") != "",
		PAR: v.Value("par") != "", DPoP: v.Value("dpop") != "",
	}
	var wrong problem.Fields
	in := oauth.ClientInput{
		Name: f.Name, AuthMethod: oauth.AuthMethod(f.AuthMethod), Redirects: strings.Fields(f.Redirects), Scopes: ticked(v, &wrong), JWKS: f.JWKS, RequirePAR: f.PAR, RequireDPoP: f.DPoP,
	}
	for _, g := range []struct {
		ticked bool
		is     oauth.GrantType
	}{{f.Code, oauth.AuthorizationCode}, {f.Refresh, oauth.RefreshToken}, {f.Credentials, oauth.ClientCredentials}, {f.Device, oauth.DeviceCode}} {
		if g.ticked {
			in.GrantTypes = append(in.GrantTypes, g.is)
		}
	}
	return in, f, wrong.Err()
}

func (r *Room) makeApp(v *frame.Visit) error {
	in, f, err := appInput(v)
	var made oauth.Client
	var secret string
	if err == nil {
		err = v.Write(func(tx *db.Tx) (err error) {
			made, secret, err = r.Registry.CreateClient(tx, v.Org.No, in, v.By())
			return err
		})
	}
	if wrong, status, ok := frame.Wrong(err, "app-", nil); ok {
		return showApp(v, status, appData{Form: f, Scopes: ticks(in.Scopes)}, wrong)
	} else if err != nil {
		return err
	}
	return r.showExisting(v, made, secret)
}

// showExisting shows an app as it is.
func (r *Room) showExisting(v *frame.Visit, c oauth.Client, secret string) error {
	consents, err := consentsOf(v.Read(), v.Org.No, c.ID)
	if err != nil {
		return err
	}
	has := func(g oauth.GrantType) bool { return slices.Contains(c.GrantTypes, g) }
	return showApp(v, http.StatusOK, appData{
		ID: c.ID, Client: c, Secret: secret, Scopes: ticks(c.Scopes), Consents: consents,
		Form: appForm{
			Name: c.Name, Version: strconv.FormatInt(c.Version, 10), AuthMethod: string(c.AuthMethod), Redirects: strings.Join(c.Redirects, "\n"), JWKS: c.JWKS, PAR: c.RequirePAR, DPoP: c.RequireDPoP,
			Code: has(oauth.AuthorizationCode), Refresh: has(oauth.RefreshToken), Credentials: has(oauth.ClientCredentials), Device: has(oauth.DeviceCode),
		},
	}, nil)
}

func theApp(v *frame.Visit) (oauth.Client, error) {
	return oauth.ClientByID(v.Read(), v.Org.No, id.Client(v.R.PathValue("client")))
}

func (r *Room) app(v *frame.Visit) error {
	c, err := theApp(v)
	if err != nil {
		return err
	}
	return r.showExisting(v, c, "")
}

func (r *Room) changeApp(v *frame.Visit) error {
	was, err := theApp(v)
	if err != nil {
		return err
	}
	in, f, err := appInput(v)
	if err == nil {
		err = v.Configure(func(tx *db.Tx) error {
			seen, _ := strconv.ParseInt(f.Version, 10, 64) // what is no number is no version that there is
			_, err := r.Registry.UpdateClient(tx, v.Org.No, was.ID, in, max(seen, 1), v.By())
			return err
		})
	}
	if wrong, status, ok := frame.Wrong(err, "app-", nil); ok {
		return showApp(v, status, appData{ID: was.ID, Client: was, Form: f, Scopes: ticks(in.Scopes)}, wrong)
	} else if err != nil {
		return err
	}
	return v.Done("/apps/"+string(was.ID), "The app is changed.")
}

func (r *Room) rotateApp(v *frame.Visit) error {
	c, err := theApp(v)
	if err != nil {
		return err
	}
	sure, err := v.Sure("Give "+c.Name+" a new secret?", "The one that it has now is good for another 24 hours.", "Make a new secret", "/apps/"+string(c.ID))
	if !sure {
		return err
	}
	var secret string
	err = v.Write(func(tx *db.Tx) (err error) {
		c, secret, err = r.Registry.RotateSecret(tx, v.Org.No, c.ID, 24*time.Hour, v.By())
		return err
	})
	if err != nil {
		return err
	}
	return r.showExisting(v, c, secret)
}

func (r *Room) deleteApp(v *frame.Visit) error {
	c, err := theApp(v)
	if err != nil {
		return err
	}
	sure, err := v.Sure("Delete the app "+c.Name+"?", "Everybody's consent, its tokens, its webhooks and its pull endpoints end with it, at once and for good.", "Delete the app", "/apps/"+string(c.ID))
	if !sure {
		return err
	}
	if err := v.Configure(func(tx *db.Tx) error { return r.Registry.DeleteClient(tx, v.Org.No, c.ID, 0, v.By()) }); err != nil {
		return err
	}
	return v.Done("/apps", "The app is deleted.")
}

func (r *Room) revokeConsent(v *frame.Visit) error {
	g, err := oauth.GrantByID(v.Read(), v.Org.No, id.Grant(v.R.PathValue("grant")))
	if err != nil {
		return err
	}
	sure, err := v.Sure("Take away what "+g.ClientName+" may do here?", "Its tokens and the webhooks that it has made with this consent end at once. It can ask for consent again.", "Take it away", "/apps")
	if !sure {
		return err
	}
	err = v.Configure(func(tx *db.Tx) error {
		return r.Registry.RevokeGrant(tx, v.Org.No, g.ID, "withdrawn_by_organisation", v.By())
	})
	if err != nil {
		return err
	}
	return v.Done("/apps", "The app may not act here any more.")
}
