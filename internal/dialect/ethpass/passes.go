package ethpass

import (
	"context"
	"crypto/rand"
	"maps"
	"net/http"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

func (a *API) passRoutes(mux *http.ServeMux) {
	const all, one = "/passes", "/passes/{id}"
	write := func(method, path string) route { return route{method: method, path: path, scope: scope.TicketsWrite} }
	own := func(r route) route { r.attendees = true; return r }
	large := func(r route) route { r.most = imageBody; return r }

	change(a, mux, own(large(write("POST", all))), a.newPass, a.makePass)
	get(a, mux, route{method: "GET", path: all, scope: scope.TicketsRead}, a.passes)
	get(a, mux, own(route{method: "GET", path: one, scope: scope.TicketsRead}), a.pass)
	change(a, mux, large(write("PATCH", one)), a.passChange, a.changePass)
	change(a, mux, own(write("POST", one+"/expire")), a.expiry, a.expire)
	change(a, mux, own(write("DELETE", one)), a.expiry, a.expire)
	distribute := own(write("GET", one+"/distribute"))
	distribute.acts = true
	get(a, mux, distribute, a.distribute)
	get(a, mux, own(write("POST", one+"/distribute")), a.distribute)
	change(a, mux, write("POST", one+"/registrations"), atOnce, a.register)
	change(a, mux, write("DELETE", one+"/registrations/{registration}"), atOnce, a.unregister)
	get(a, mux, write("POST", "/challenges"), a.newChallenge)
}

// People without a role have passes of tickets that they hold, and know of no others.

// theirs fails for a pass that is not the attendee's, as if there were none: one of a ticket that they do not hold, or that was another's when the pass was made.
func (c *call) theirs(q db.Querier, p *pass.Pass) error {
	if !c.Attendee {
		return nil
	}
	if c.Email != "" && p.TicketID != "" {
		t, err := ticket.ByID(q, c.Org, p.TicketID)
		if err != nil && !problem.Is(err, "ticket_not_found") {
			return err
		}
		if err == nil && person.Of(c.Email).Is(t.Holder.Email) && t.Generation == p.Generation {
			return nil
		}
	}
	return errNoPass()
}

func errNoPass() error {
	return problem.New(problem.NotFound, "pass_not_found", "There is no such pass here.")
}

// one finds the pass that the path names by its id.
func (c *call) one(q db.Querier) (*pass.Pass, error) {
	p, err := pass.ByID(q, c.Org, c.id())
	if err != nil {
		return nil, err
	}
	return p, c.theirs(q, p)
}

// id is the id of a pass, in the path.
func (c *call) id() id.Pass { return id.Pass(c.request.PathValue("id")) }

// making is what a pass is made from once all that takes time is done.
type making struct {
	in  pass.Input
	png []byte // nil for none
}

// newPass reads a request, asks whoever has to be asked, and fetches the picture.
func (a *API) newPass(ctx context.Context, c *call) (making, error) {
	m, err := newCreation(c.body)
	if err != nil {
		return making{}, err
	}
	c.names = m.names
	if c.Attendee {
		if c.Email == "" {
			return making{}, problem.New(problem.Forbidden, "email_not_verified", "Show first that your e-mail address is yours: your account page sends you a link.")
		}
		if err := m.onlyOurs(); err != nil {
			return making{}, err
		}
		m.in.Holder = person.Of(c.Email)
	}
	if m.in.Platform == pass.Apple && a.Ready != nil {
		if err := a.Ready(ctx); err != nil {
			return making{}, err
		}
	}
	if err := a.prove(ctx, c, &m); err != nil {
		return making{}, err
	}
	made := making{in: m.in}
	if m.image != "" {
		made.png, err = a.picture(ctx, c.Org, m.image)
	}
	return made, err
}

// madeJSON is a pass that was just made, with how it gets onto a phone.
type madeJSON struct {
	passJSON
	FileURL           string           `json:"fileURL"`
	Distribution      distributionJSON `json:"distribution"`
	SignatureVerified bool             `json:"signatureVerified"`
}

func (a *API) makePass(tx *db.Tx, c *call, m making) (any, error) {
	if err := a.hang(tx, c, m.png, placeFor(m.in.Platform, m.in.Ticket), &m.in.Design); err != nil {
		return nil, err
	}
	p, err := a.Book.Create(tx, c.Org, m.in)
	if err != nil {
		return nil, err
	}
	link, err := a.Book.Link(tx, c.Org, p.ID)
	if err != nil {
		return nil, err
	}
	url := a.linkURL(link)
	return madeJSON{showPass(p), url, distribution(p.Platform, url, nil), p.Verified}, nil
}

// placeFor is where on a pass its picture goes: on top, but for PassKit's generic passes, which have a thumbnail instead.
func placeFor(p pass.Platform, of id.Ticket) string {
	if p == pass.Apple && of == "" {
		return "thumbnail"
	}
	return "strip"
}

// hang stores the picture that a request has, and puts it onto a pass.
func (a *API) hang(tx *db.Tx, c *call, png []byte, place string, d *pass.Design) error {
	if png == nil {
		return nil
	}
	hash, err := a.Book.PutImage(tx, c.Org, png)
	if err != nil {
		return err
	}
	images := maps.Clone(d.Images)
	if images == nil {
		images = map[string]string{}
	}
	images[place] = hash
	d.Images = images
	return nil
}

func (a *API) passes(ctx context.Context, c *call) (any, error) {
	f, err := c.query().filter()
	if err != nil {
		return nil, err
	}
	found, err := pass.Find(a.DB.Read(ctx), c.Org, f)
	if err != nil {
		return nil, err
	}
	list := make([]passJSON, len(found))
	for i, p := range found {
		list[i] = showPass(p)
	}
	return list, nil
}

// historyJSON is a pass with its scans.
type historyJSON struct {
	passJSON
	ScanHistory []scanJSON `json:"scanHistory"`
}

type scanJSON struct {
	Timestamp string  `json:"timestamp"`
	Message   string  `json:"message"`
	CheckinID *string `json:"checkinId"` // at the door; null for the others
}

func (a *API) pass(ctx context.Context, c *call) (any, error) {
	q := c.query()
	from, to := q.instant("scanHistoryStartTime"), q.instant("scanHistoryEndTime")
	if err := q.faults.Err(); err != nil {
		return nil, err
	}
	reading := a.DB.Read(ctx)
	p, err := c.one(reading)
	if err != nil || from.IsZero() && to.IsZero() {
		return showOr(p, err)
	}
	scans, err := pass.History(reading, c.Org, p, from, to)
	if err != nil {
		return nil, err
	}
	history := historyJSON{showPass(p), make([]scanJSON, len(scans))}
	for i, s := range scans {
		history.ScanHistory[i] = scanJSON{coarse(s.At), s.Said, textOrNil(string(s.CheckinID))}
	}
	return history, nil
}

func showOr(p *pass.Pass, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return showPass(p), nil
}

// changing is a change that a request asks for, once all that takes time is done.
type changing struct {
	looks  []*object // of the design; none where it stays
	change pass.Change
	png    []byte // nil for none
}

func (a *API) passChange(ctx context.Context, c *call) (changing, error) {
	m, image, err := newChanging(c.body)
	if err != nil {
		return m, err
	}
	c.names = maps.Clone(designNames)
	for _, l := range m.looks {
		c.names["/design"] = l.called()
	}
	if image != "" {
		m.png, err = a.picture(ctx, c.Org, image)
	}
	return m, err
}

// newChanging reads a body. What of the design is to be changed is read once more, onto what there is.
func newChanging(body []byte) (m changing, image string, err error) {
	o, err := newObject(body)
	if err != nil {
		return m, "", err
	}
	m.looks = o.looks()
	m.design(new(pass.Design))
	m.change.Barcode, image = o.barcode("barcode"), o.text("image")
	if o.has("externalId") {
		external := o.text("externalId")
		m.change.ExternalID = &external
	}
	if _, said := o.members["expiresAt"]; said { // null takes it away
		at := o.instant("expiresAt")
		m.change.ExpiresAt = &at
	}
	return m, image, o.faults.Err()
}

// design makes what changes of a design.
func (m *changing) design(d *pass.Design) {
	for _, l := range m.looks {
		l.design(d)
	}
}

func (a *API) changePass(tx *db.Tx, c *call, m changing) (any, error) {
	p, err := c.one(tx)
	if err != nil {
		return nil, err
	}
	change := m.change
	if len(m.looks) > 0 || m.png != nil {
		change.Redesign = func(d *pass.Design) error {
			m.design(d)
			return a.hang(tx, c, m.png, placeFor(p.Platform, p.TicketID), d)
		}
	}
	return showOr(a.Book.Update(tx, c.Org, p.ID, change))
}

// expiry reads why a pass is to end: as the request says; else because a person asks for it, or a program. Of people without a role nothing else is taken.
func (a *API) expiry(_ context.Context, c *call) (pass.Action, error) {
	usual := pass.AdminRevoke
	if c.Attendee || c.Kind == access.Personal {
		usual = pass.UserRevoke
	}
	if c.Attendee {
		return usual, nil
	}
	o, err := newObject(c.body)
	if err != nil {
		return "", err
	}
	action := pass.Action(o.text("expireAction"))
	if action == "" {
		action = usual
	}
	return action, o.faults.Err()
}

func (a *API) expire(tx *db.Tx, c *call, why pass.Action) (any, error) {
	p, err := c.one(tx)
	if err != nil {
		return nil, err
	}
	return showOr(a.Book.Expire(tx, c.Org, p.ID, why))
}

// register puts a pass on a device that does not exist, so that whoever is told of registrations can be tried out without a phone. It is never told anything.
func (a *API) register(tx *db.Tx, c *call, _ none) (any, error) {
	p, err := c.one(tx)
	if err != nil {
		return nil, err
	}
	added, err := a.Book.Register(tx, p.Serial, "made up "+rand.Text(), "")
	switch {
	case err != nil:
		return nil, err
	case !added:
		return nil, problem.New(problem.Conflict, "pass_expired", "The pass has expired, so no device takes it any more.")
	}
	return showOr(pass.ByID(tx, c.Org, p.ID))
}

func (a *API) unregister(tx *db.Tx, c *call, _ none) (any, error) {
	return showOr(a.Book.Remove(tx, c.Org, c.id(), id.Registration(c.request.PathValue("registration"))))
}

// handed is a pass that is handed out, with its file where it is Apple's.
type handed struct {
	pass *pass.Pass
	file []byte
}

// pressed makes the file of the pass that the path names by its id, or by the organisation's own name for it.
func (a *API) pressed(ctx context.Context, c *call) (handed, error) {
	q := a.DB.Read(ctx)
	p, err := pass.ByName(q, c.Org, c.request.PathValue("id"))
	if err == nil {
		err = c.theirs(q, p)
	}
	if err != nil || p.Platform != pass.Apple || !p.Active() { // an expired one is refused by the book
		return handed{pass: p}, err
	}
	face, err := a.Book.Face(ctx, q, p, a.PublicURL, a.Now())
	if err != nil {
		return handed{}, err
	}
	file, err := a.Apple(face)
	return handed{p, file}, err
}

// handedJSON is how a pass gets onto a phone.
type handedJSON struct {
	passJSON
	FileURL      string           `json:"fileURL"`
	Distribution distributionJSON `json:"distribution"`
}

// distribute hands a pass out by a new link, as often as it is asked to: its answer has a whole file in it, so that it is neither kept for who repeats the request nor
// written within the transaction.
func (a *API) distribute(ctx context.Context, c *call) (any, error) {
	h, err := a.pressed(ctx, c)
	if err != nil {
		return nil, err
	}
	var link string
	err = a.DB.Write(ctx, "", func(tx *db.Tx) (err error) {
		link, err = a.Book.Link(tx, c.Org, h.pass.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	url := a.linkURL(link)
	return handedJSON{showPass(h.pass), url, distribution(h.pass.Platform, url, h.file)}, nil
}
