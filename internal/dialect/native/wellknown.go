package native

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/stagedoorhq/stagedoor/internal/form"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// What gates need is public: anybody may verify a ticket. A page of another origin may too.
const (
	publicKeysPath        = "/.well-known/stagedoor-keys.json"
	publicRevocationsPath = "/.well-known/stagedoor-revocations.json"
)

// wellKnown puts the public documents on the mux, and describes them.
func (a *API) wellKnown(mux humago.Mux) {
	for _, d := range []struct {
		path, id, summary, detail string
		params                    []*huma.Param
		shape                     reflect.Type
		make                      func(r *http.Request, o org.Org) (any, error)
	}{
		{
			publicKeysPath, "getPublicKeys", "The keys by which an organisation's ticket codes are verified", "A JSON Web Key Set, see the package ticketcode.", nil,
			reflect.TypeFor[keySetJSON](), a.publicKeys,
		},
		{
			publicRevocationsPath, "getRevocations", "What of an organisation's ticket codes is revoked", "A signed list, see the package ticketcode. Begin with none, and go on after its seq.",
			[]*huma.Param{{Name: "since", In: "query", Schema: &huma.Schema{Type: huma.TypeInteger}, Description: "The seq of the list before; 0, or left out, for all."}},
			reflect.TypeFor[revocationsJSON](), a.publicRevocations,
		},
	} {
		mux.HandleFunc("GET "+d.path, func(w http.ResponseWriter, r *http.Request) {
			o, err := a.orgOf(r)
			var body any
			if err == nil {
				body, err = d.make(r, o)
			}
			var b []byte
			if err == nil {
				b, err = json.Marshal(body)
			}
			if err != nil {
				a.refuse(w, r, err)
				return
			}
			h := w.Header()
			h["Content-Type"] = applicationJSON
			h.Set("Access-Control-Allow-Origin", "*")
			h.Set("Cache-Control", "public, max-age=5")
			_, _ = w.Write(b)
		})
		responses := map[string]*huma.Response{"200": {
			Description: http.StatusText(http.StatusOK), Content: map[string]*huma.MediaType{"application/json": {Schema: a.schemas().Schema(d.shape, true, d.id)}},
		}}
		for _, status := range []int{400, 404, 500, 503} {
			responses[strconv.Itoa(status)] = &huma.Response{
				Description: http.StatusText(status), Content: map[string]*huma.MediaType{"application/problem+json": {Schema: problemSchema(a.schemas())}},
			}
		}
		a.huma.OpenAPI().AddOperation(&huma.Operation{
			Method: http.MethodGet, Path: d.path, OperationID: d.id, Tags: []string{"Tickets"}, Summary: d.summary, Description: d.detail + " For everybody, without a key.",
			Parameters: append([]*huma.Param{{
				Name: "org", In: "query", Schema: &huma.Schema{Type: huma.TypeString}, Description: "The organisation's id, org_…; may be left out where there is only one.",
			}}, d.params...), Responses: responses,
		})
	}
}

// orgOf is the organisation that a public document is asked of.
func (a *API) orgOf(r *http.Request) (org.Org, error) {
	if err := form.URL(r.URL); err != nil {
		return org.Org{}, err
	}
	q := a.DB.Read(r.Context())
	if o := r.URL.Query().Get("org"); o != "" {
		return org.ByID(q, id.Org(o))
	}
	o, only, err := org.Only(q)
	if err == nil && !only {
		err = &problem.Error{Kind: problem.Invalid, Code: "validation_failed", Detail: "The request is not valid; see errors.", Fields: []problem.FieldError{{
			Pointer: "org", In: "query", Code: "required", Detail: "There is not just one organisation here: say whose with ?org=org_….",
		}}}
	}
	return o, err
}

// keySetJSON is what a ticketcode.KeySet looks like, for the document.
type keySetJSON struct {
	Org  string    `json:"org"`
	Keys []jwkJSON `json:"keys" nullable:"false"`
}

type jwkJSON struct {
	Kty string `json:"kty" enum:"OKP"`
	Crv string `json:"crv" enum:"Ed25519"`
	Kid string `json:"kid" doc:"1 to 255."`
	Use string `json:"use" enum:"sig"`
	Alg string `json:"alg" enum:"EdDSA"`
	X   string `json:"x" doc:"The public key, in base64url."`
	Nbf int64  `json:"nbf,omitempty" doc:"It counts from then on; Unix seconds."`
	Exp int64  `json:"exp,omitempty" doc:"It counts no more from then on; Unix seconds."`
}

func (a *API) publicKeys(r *http.Request, o org.Org) (any, error) {
	return a.Tickets.KeySet(r.Context(), a.DB.Read(r.Context()), o.No)
}

type revocationsJSON struct {
	Org    string `json:"org"`
	Since  uint64 `json:"since" doc:"After which change the list begins; 0 for a whole one, which replaces what was known before."`
	Seq    uint64 `json:"seq" doc:"The last change that it has."`
	Issued string `json:"issued" format:"date-time"`
	Count  int    `json:"count" doc:"Of tickets in the list."`
	More   bool   `json:"more" doc:"There is more after seq: ask again."`
	List   []byte `json:"list" contentEncoding:"base64" doc:"The signed list, which says all of this and is what counts."`
}

func (a *API) publicRevocations(r *http.Request, o org.Org) (any, error) {
	since := uint64(0)
	if s := strings.TrimSpace(r.URL.Query().Get("since")); s != "" {
		var err error
		if since, err = strconv.ParseUint(s, 10, 53); err != nil {
			return nil, &problem.Error{Kind: problem.Invalid, Code: "validation_failed", Detail: "The request is not valid; see errors.", Fields: []problem.FieldError{{
				Pointer: "since", In: "query", Code: "invalid", Detail: "Give the seq of the list before, a whole number.",
			}}}
		}
	}
	select { // a list may be long, and strangers may ask for it
	case a.lists <- struct{}{}:
		defer func() { <-a.lists }()
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	l, err := a.Tickets.RevocationsSince(r.Context(), a.DB.Read(r.Context()), o.No, since)
	return revocationsJSON{Org: l.Org, Since: l.Since, Seq: l.Seq, Issued: instant(l.Issued), Count: len(l.Revoked), More: l.More, List: l.Signed}, err
}
