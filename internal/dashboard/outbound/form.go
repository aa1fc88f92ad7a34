package outbound

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/page"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// hookForm is the form for a webhook, as it was filled in.
type hookForm struct {
	URL, Description, Signature, Secret, Headers, Retry, RateLimit string
	All                                                            bool // of the format's events
	Ticked                                                         map[string]bool
	Own                                                            string // names of the organisation's own messages
	Redact, Ordered                                                bool
}

type formData struct {
	format
	Form       hookForm
	Formats    []format // to choose from, where none was chosen
	Events     []string // that the format carries
	Own        bool     // the format carries the organisation's own messages
	Signatures []page.Option
	Static     bool
	Retries    string // the format's own delays
	Success    string // what counts as success
	Of         *endpoint.Endpoint
	Others     []format // that Of can have instead
}

// newWebhook shows the formats, and then the form for one of them.
func (r *Room) newWebhook(v *frame.Visit) error {
	name := v.Query("format")
	if _, ok := r.Endpoints.Vocabulary(name); !ok {
		return v.Show(pages, "new", http.StatusOK, frame.View{Title: "Make a webhook", At: "/webhooks", Data: formData{Formats: r.offered()}})
	}
	return r.showForm(v, http.StatusOK, name, hookForm{All: true}, nil, nil)
}

// showForm shows the form for a webhook of a format: a new one, or one that there is.
func (r *Room) showForm(v *frame.Visit, status int, name string, f hookForm, of *endpoint.Endpoint, wrong page.Complaints) error {
	vocabulary, ok := r.Endpoints.Vocabulary(name)
	if !ok {
		return problem.New(problem.Invalid, "unknown_format", "There is no format of this name. Choose one of those that are offered.")
	}
	d := formData{format: formatOf(name), Form: f, Events: vocabulary.Events(), Own: vocabulary.OwnMessages(), Static: isStatic(vocabulary), Of: of}
	for _, s := range vocabulary.Signatures() {
		d.Signatures = append(d.Signatures, page.Option{Value: s, Text: signatureWords[s]})
	}
	if dialect := r.Engine.Dialect(name); dialect != nil {
		d.Retries, d.Success = delays(dialect.Policy().Delays), success(dialect.Policy())
	}
	title := "Make a webhook"
	if of != nil {
		title, d.Others = "Change the webhook", r.others(of, name)
	}
	return v.Show(pages, "form", status, frame.View{Title: title, At: "/webhooks", Complaints: wrong, Data: d})
}

// others are the formats beside one that a webhook can have with the secret that it has.
func (r *Room) others(of *endpoint.Endpoint, but string) (all []format) {
	is, _ := r.Endpoints.Vocabulary(of.Format)
	for _, f := range r.offered() {
		if v, _ := r.Endpoints.Vocabulary(f.Name); f.Name != but && isStatic(v) == isStatic(is) && of.Options.Signature != "v1a" {
			all = append(all, f)
		}
	}
	return all
}

var signatureWords = map[string]string{"v1": "v1: HMAC-SHA256, with a secret that both sides know", "v1a": "v1a: Ed25519, with a public key for the receiver"}

// success says what counts as success.
func success(p delivery.Policy) string {
	if p.Only200 {
		return "the status 200 alone"
	}
	return "any status from 200 to 299"
}

// delays are times as people read them.
func delays(all []time.Duration) string {
	if len(all) == 0 {
		return "no retries"
	}
	words := make([]string, len(all))
	for i, d := range all {
		words[i] = span(d)
	}
	return strings.Join(words, ", ")
}

// span is a duration of whole seconds: 10 s, 5 min, 2 h.
func span(d time.Duration) string {
	switch {
	case d >= time.Hour && d%time.Hour == 0:
		return strconv.Itoa(int(d/time.Hour)) + " h"
	case d >= time.Minute && d%time.Minute == 0:
		return strconv.Itoa(int(d/time.Minute)) + " min"
	}
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + " s"
}

// filled is the form as it was sent.
func filled(v *frame.Visit) hookForm {
	f := hookForm{
		URL: v.Value("url"), Description: v.Value("description"), Signature: v.Value("signature"), Secret: v.Value("secret"), Headers: v.Form.Get("headers"), Retry: v.Value("retry"),
		RateLimit: v.Value("rateLimit"), All: v.Value("which") != "ticked", Ticked: map[string]bool{}, Own: v.Value("own"), Redact: v.Form.Has("redact"), Ordered: v.Form.Has("ordered"),
	}
	for _, name := range v.Form["event"] {
		f.Ticked[name] = true
	}
	return f
}

// events are the names that the form subscribes to.
func (f hookForm) events() []string {
	if f.All {
		return []string{endpoint.Wildcard}
	}
	return append(slices.Sorted(maps.Keys(f.Ticked)), words(f.Own)...)
}

// options are what the form chooses, and what of it cannot be read.
func (f hookForm) options() (endpoint.Options, error) {
	var wrong problem.Fields
	o := endpoint.Options{Redact: f.Redact, Ordered: f.Ordered, Signature: f.Signature, Headers: map[string]string{}}
	for line := range strings.Lines(f.Headers) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			wrong.Add("/headers", "invalid", "Each line of the headers is a name, a colon and a value, such as X-Tenant: 42.")
			break
		}
		o.Headers[name] = strings.TrimSpace(value)
	}
	if f.RateLimit != "" {
		n, err := strconv.Atoi(f.RateLimit)
		if err != nil {
			wrong.Add("/rateLimit", "invalid", "How many a second is a whole number; leave it empty for no limit.")
		}
		o.RateLimit = n
	}
	o.Retry = f.delays(&wrong)
	return o, wrong.Err()
}

// delays are the retries: nil for the format's own.
func (f hookForm) delays(wrong *problem.Fields) *[]time.Duration {
	if f.Retry == "" {
		return nil
	}
	all := []time.Duration{}
	if strings.EqualFold(f.Retry, "none") {
		return &all
	}
	for _, word := range words(f.Retry) {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 || n > int(endpoint.MaxRetryDelay/time.Second) {
			wrong.Add("/retry", "invalid", "Delays are whole seconds with spaces between, such as 10 60 300; none for no retries; nothing for the format's own.")
			return nil
		}
		all = append(all, time.Duration(n)*time.Second)
	}
	return &all
}

// wrongs are all that is wrong with the form; fatal is what the form can do nothing about.
func (f hookForm) wrongs(errs ...error) (all page.Complaints, status int, fatal error) {
	status = http.StatusUnprocessableEntity
	for _, err := range errs {
		if err == nil {
			continue
		}
		some, code, ok := frame.Wrong(err, "hook-", nil)
		if !ok {
			return nil, 0, err
		}
		all, status = append(all, some...), code
	}
	for i := range all {
		if all[i].Field == "hook-events" && len(f.events()) == 0 {
			all[i].Text = "Tick at least one event, or take all of them."
		}
	}
	return all, status, nil
}

func (r *Room) makeWebhook(v *frame.Visit) error {
	f, name := filled(v), v.Value("format")
	options, unread := f.options()
	s := endpoint.Spec{Format: name, Events: f.events(), Description: f.Description, Options: options, Secret: f.Secret}
	var refused error
	s.URL, refused = r.Endpoints.CheckURL(v.R.Context(), f.URL)
	wrong, code, err := f.wrongs(refused, unread, r.Endpoints.Check(s))
	if err != nil {
		return err
	}
	if len(wrong) > 0 {
		return r.showForm(v, code, name, f, nil, wrong)
	}
	var made *endpoint.Endpoint
	err = v.Configure(func(tx *db.Tx) (err error) {
		made, err = r.Endpoints.Create(tx, v.Org.No, s, v.By())
		return err
	})
	if wrong, code, err = f.wrongs(err); err != nil {
		return err
	}
	if len(wrong) > 0 {
		return r.showForm(v, code, name, f, nil, wrong)
	}
	return r.showSecret(v, made, "The webhook is made")
}

type secretData struct {
	*endpoint.Endpoint
	format
	Static bool
	Head   string
	Until  time.Time // the secret before it is used beside it until then; zero for none
}

// showSecret shows a secret, this once.
func (r *Room) showSecret(v *frame.Visit, e *endpoint.Endpoint, head string) error {
	vocabulary, _ := r.Endpoints.Vocabulary(e.Format)
	d := secretData{Endpoint: e, format: formatOf(e.Format), Static: isStatic(vocabulary), Head: head, Until: e.OldUntil}
	return v.Show(pages, "secret", http.StatusOK, frame.View{Title: head, At: "/webhooks", Data: d})
}

// found is the webhook of the path.
func (r *Room) found(v *frame.Visit, q db.Querier) (*endpoint.Endpoint, error) {
	return r.Endpoints.Get(q, whose(v), id.Webhook(v.R.PathValue("webhook")))
}

func (r *Room) editWebhook(v *frame.Visit) error {
	e, err := r.found(v, v.Read())
	if err != nil {
		return err
	}
	f := r.formOf(e)
	name := v.Query("format")
	if _, ok := r.Endpoints.Vocabulary(name); !ok || name == e.Format {
		return r.showForm(v, http.StatusOK, e.Format, f, e, nil)
	}
	f.Ticked, f.Own = nil, "" // names of another vocabulary
	return r.showForm(v, http.StatusOK, name, f, e, nil)
}

// formOf is the form filled in with what a webhook has.
func (r *Room) formOf(e *endpoint.Endpoint) hookForm {
	f := hookForm{
		URL: e.URL, Description: e.Description, Signature: e.Options.Signature, Ticked: map[string]bool{}, Redact: e.Options.Redact, Ordered: e.Options.Ordered,
		All: len(e.Events) == 1 && e.Events[0] == endpoint.Wildcard,
	}
	vocabulary, _ := r.Endpoints.Vocabulary(e.Format)
	var own []string
	for _, name := range e.Events {
		if vocabulary != nil && !slices.Contains(vocabulary.Events(), name) && name != endpoint.Wildcard {
			own = append(own, name)
			continue
		}
		f.Ticked[name] = true
	}
	f.Own = strings.Join(own, " ")
	for _, h := range e.Header() {
		f.Headers += h.Name + ": " + h.Value + "\n"
	}
	if e.Options.RateLimit > 0 {
		f.RateLimit = strconv.Itoa(e.Options.RateLimit)
	}
	if e.Options.Retry != nil {
		f.Retry = "none"
		if len(*e.Options.Retry) > 0 {
			seconds := make([]string, len(*e.Options.Retry))
			for i, d := range *e.Options.Retry {
				seconds[i] = strconv.Itoa(int(d / time.Second))
			}
			f.Retry = strings.Join(seconds, " ")
		}
	}
	return f
}

func (r *Room) changeWebhook(v *frame.Visit) error {
	e, err := r.found(v, v.Read())
	if err != nil {
		return err
	}
	f := filled(v)
	options, unread := f.options()
	events := f.events()
	c := endpoint.Change{
		Events: &events, Description: &f.Description, Retry: &options.Retry, Redact: &options.Redact, Headers: &options.Headers, RateLimit: &options.RateLimit, Ordered: &options.Ordered,
	}
	name := e.Format
	if to := v.Value("format"); to != "" && to != e.Format {
		name, c.Format = to, &to
	}
	var refused error
	if f.URL != e.URL { // one that the operator gave stays, wherever it leads
		var u endpoint.URL
		u, refused = r.Endpoints.CheckURL(v.R.Context(), f.URL)
		c.URL = &u
	}
	wrong, code, err := f.wrongs(refused, unread)
	if err == nil && len(wrong) == 0 {
		version, _ := strconv.ParseInt(v.Value("version"), 10, 64)
		err = v.Configure(func(tx *db.Tx) error {
			_, err := r.Endpoints.Update(tx, whose(v), e.ID, c, version, v.By())
			return err
		})
		wrong, code, err = f.wrongs(err)
	}
	if err != nil {
		return err
	}
	if len(wrong) > 0 {
		return r.showForm(v, code, name, f, e, wrong)
	}
	return v.Done("/webhooks/"+string(e.ID), "The webhook is changed. It holds for what happens from now on.")
}
