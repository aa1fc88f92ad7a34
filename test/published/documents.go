// Package published holds what is said by /v2, /catalog and StubHub's webhooks against the OpenAPI documents that StubHub publishes. They are no part of this
// repository: they are looked for beside it, in ../shared/contracts, and used as they are. Where they are not, [Read] says so and nothing is held against them.
//
// [Documents] know what an operation takes and answers, and what a delivery of a topic looks like. A [Record] keeps what a run of tests has seen, and what of it
// was wrong: it stands in a client as an [http.RoundTripper], and takes deliveries as they come.
//
// Three things are not as published, and on purpose. Statuses that the documents do not list for an operation, such as 404 of a PATCH, have the documents' body of
// errors. A body of status 401 has the members error and error_description beside it (RFC 6750). GET /v2 is not published; it has links.
package published

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// Folder is where the documents are, from the folder of the repository.
const Folder = "../shared/contracts"

// files are the documents, by the path that their servers' URLs end in.
var files = []struct{ name, base string }{
	{"stubhub-account.json", "/v2"},
	{"stubhub-catalog.json", ""},
	{"stubhub-inventory.json", "/v2"},
	{"stubhub-sales.json", "/v2"},
	{"stubhub-webhooks.json", "/v2"},
}

// HAL is the media type of every answer with a body.
const HAL = "application/hal+json"

// Documents are what is published. They do not change and are safe for concurrent use.
type Documents struct {
	operations []operation
	topics     map[string]*openapi3.Schema // of a delivery's body, by topic
	failure    *openapi3.Schema            // the body of errors
	link       *openapi3.Schema
}

// operation is a method on a path of one document.
type operation struct {
	method, path string // with the server's, such as /v2/sales/{saleId}
	at           *routers.Route
}

func (o operation) String() string { return o.method + " " + o.path }

// ErrAbsent is what [Read] returns where there are no documents; its text is for who reads the tests' output.
var ErrAbsent = errors.New(Folder + " is not here: nothing was held against StubHub's published documents")

// Read reads the documents, once for a process.
func Read() (*Documents, error) { return read() }

var read = sync.OnceValues(func() (*Documents, error) {
	_, here, _, _ := runtime.Caller(0)
	return readFrom(filepath.Join(filepath.Dir(here), "..", "..", filepath.FromSlash(Folder)))
})

func readFrom(dir string) (*Documents, error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, ErrAbsent
	}
	d := &Documents{topics: map[string]*openapi3.Schema{}}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(dir, f.name))
		if err != nil {
			return nil, err
		}
		if err := d.add(text, f.base); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return d, nil
}

func (d *Documents) add(text []byte, base string) error {
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromData(text)
	if err != nil {
		return err
	}
	for _, s := range doc.Servers {
		at, err := url.Parse(s.URL)
		if err != nil || at.Path != base {
			return fmt.Errorf("the server %s is not at %q", s.URL, base)
		}
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			at := &routers.Route{Spec: doc, Path: path, PathItem: item, Method: method, Operation: op}
			d.operations = append(d.operations, operation{method, base + path, at})
		}
	}
	d.failure = doc.Components.Schemas["Error"].Value
	if link := doc.Components.Schemas["Link"]; link != nil {
		d.link = link.Value
	}
	return d.addTopics(loader, doc)
}

// addTopics reads the topics, which stand in an extension, so that the library leaves them as text. A document of theirs over the same components has their
// references resolved.
func (d *Documents) addTopics(loader *openapi3.Loader, doc *openapi3.T) error {
	said, ok := doc.Extensions["x-webhooks"]
	if !ok {
		return nil
	}
	text, err := json.Marshal(said)
	if err != nil {
		return err
	}
	var items map[string]*openapi3.PathItem
	if err := json.Unmarshal(text, &items); err != nil {
		return err
	}
	topics := &openapi3.T{OpenAPI: doc.OpenAPI, Components: doc.Components, Paths: openapi3.NewPaths()}
	for name, item := range items {
		topics.Paths.Set("/"+name, item)
	}
	if err := loader.ResolveRefsIn(topics, nil); err != nil {
		return err
	}
	for name, item := range items {
		body := item.Post.RequestBody.Value.Content["application/json"]
		if body == nil {
			return fmt.Errorf("the topic %s has no application/json", name)
		}
		d.topics[item.Post.Summary] = body.Schema.Value
	}
	return nil
}

// Operations are all that is published, such as "GET /v2/sales/{saleId}", in order.
func (d *Documents) Operations() []string {
	all := make([]string, len(d.operations))
	for i, o := range d.operations {
		all[i] = o.String()
	}
	slices.Sort(all)
	return all
}

// Topics are the names of the topics, in order.
func (d *Documents) Topics() []string { return slices.Sorted(maps.Keys(d.topics)) }

// Actions are the topics with their actions, such as "SaleUpdates/FailedBarcodeValidation", in order. What StubHub does not name is ours, see the guide.
func (d *Documents) Actions() []string {
	var all []string
	for topic := range d.topics {
		for _, action := range actions[topic] {
			all = append(all, topic+"/"+action)
		}
	}
	slices.Sort(all)
	return all
}

// Covers tells whether a path is one that the documents speak of.
func Covers(path string) bool {
	return path == "/v2" || strings.HasPrefix(path, "/v2/") || path == "/catalog" || strings.HasPrefix(path, "/catalog/")
}

// Exchange holds a request and its answer against the documents. It returns the operation, "" for none, and what is wrong. A request that was refused may have
// been meant to be wrong; only its answer is held against them.
func (d *Documents) Exchange(r *http.Request, sent []byte, status int, header http.Header, body []byte) (name string, wrong []string) {
	op, params := d.find(r.Method, r.URL.Path)
	what := fmt.Sprintf("%s %s = %d", r.Method, r.URL.Path, status)
	complain := func(format string, args ...any) { wrong = append(wrong, what+" "+fmt.Sprintf(format, args...)) }
	switch {
	case op == nil && r.URL.Path == "/v2" && status < 400:
		if err := d.root(status, header, body); err != nil {
			complain("%v", err)
		}
		return "", wrong
	case op == nil && status < 400:
		complain("is not published")
		return "", wrong
	case op == nil:
		if err := d.failed(status, header, body); err != nil {
			complain("%v", err)
		}
		return "", wrong
	}
	if status < 400 {
		if err := d.request(r, sent, op, params); err != nil {
			complain("was answered, and the request is not as published: %v", err)
		}
	}
	if err := d.response(op, status, header, body); err != nil {
		complain("is not answered as published: %v", err)
	}
	return op.String(), wrong
}

// find returns the operation of a path, of several the one that has more of it literally.
func (d *Documents) find(method, path string) (best *operation, params map[string]string) {
	most := -1
	for i, o := range d.operations {
		if o.method != method {
			continue
		}
		if p, literal := match(o.path, path); literal > most {
			best, params, most = &d.operations[i], p, literal
		}
	}
	return best, params
}

// match says how many segments of a path stand literally in the template, -1 when it is another path, and what the others are.
func match(template, path string) (params map[string]string, literal int) {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return nil, -1
	}
	params = map[string]string{}
	for i := range want {
		switch name, isParam := strings.CutPrefix(want[i], "{"); {
		case want[i] == got[i]:
			literal++
		case isParam && got[i] != "":
			params[strings.TrimSuffix(name, "}")] = got[i]
		default:
			return nil, -1
		}
	}
	return params, literal
}

func (d *Documents) request(r *http.Request, sent []byte, op *operation, params map[string]string) error {
	again := r.Clone(context.Background())
	again.Body, again.ContentLength = io.NopCloser(bytes.NewReader(sent)), int64(len(sent))
	return openapi3filter.ValidateRequest(context.Background(), &openapi3filter.RequestValidationInput{
		Request: again, PathParams: params, Route: op.at,
		Options: &openapi3filter.Options{
			MultiError: true, RejectWhenRequestBodyNotSpecified: true, SkipSettingDefaults: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
			SchemaValidationOptions: []openapi3.SchemaValidationOption{openapi3.EnableFormatValidation()},
		},
	})
}

func (d *Documents) response(op *operation, status int, header http.Header, body []byte) error {
	if status == http.StatusNotModified {
		return empty(body)
	}
	if status >= 400 { // all documents say the same of errors
		return d.failed(status, header, body)
	}
	said := op.at.Operation.Responses.Status(status)
	switch {
	case said == nil:
		return errors.New("the operation has no such status")
	case len(said.Value.Content) == 0:
		return empty(body)
	}
	media := said.Value.Content[HAL]
	if media == nil {
		return fmt.Errorf("what is published is not %s", HAL)
	}
	if err := isHAL(header); err != nil {
		return err
	}
	return valid(media.Schema.Value, body, openapi3.VisitAsResponse())
}

func empty(body []byte) error {
	if len(body) > 0 {
		return fmt.Errorf("there is a body, and none is published: %.200s", body)
	}
	return nil
}

func isHAL(header http.Header) error {
	media, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if charset := params["charset"]; err != nil || media != HAL || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return fmt.Errorf("the Content-Type is %q, want %s", header.Get("Content-Type"), HAL)
	}
	return nil
}

// failed holds a body of errors against the documents.
func (d *Documents) failed(status int, header http.Header, body []byte) error {
	if err := isHAL(header); err != nil {
		return err
	}
	if status == http.StatusUnauthorized {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(body, &members); err != nil {
			return err
		}
		delete(members, "error")
		delete(members, "error_description")
		body, _ = json.Marshal(members)
	}
	if err := valid(d.failure, body); err != nil {
		return err
	}
	var said struct{ Code, Message string }
	if err := json.Unmarshal(body, &said); err != nil || said.Code == "" || said.Message == "" {
		return fmt.Errorf("the error has no code or no message: %.200s", body)
	}
	return nil
}

// root is what GET /v2 answers: links.
func (d *Documents) root(status int, header http.Header, body []byte) error {
	if status == http.StatusNotModified {
		return empty(body)
	}
	if err := isHAL(header); err != nil {
		return err
	}
	var root struct {
		Links map[string]json.RawMessage `json:"_links"`
	}
	if err := json.Unmarshal(body, &root); err != nil || len(root.Links) == 0 {
		return fmt.Errorf("there are no links: %.200s", body)
	}
	for name, link := range root.Links {
		if err := valid(d.link, link); err != nil {
			return fmt.Errorf("the link %s: %w", name, err)
		}
	}
	return nil
}

func valid(schema *openapi3.Schema, body []byte, more ...openapi3.SchemaValidationOption) error {
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return fmt.Errorf("it is not JSON: %w: %.200s", err, body)
	}
	if err := schema.VisitJSON(v, append(more, openapi3.MultiErrors(), openapi3.EnableFormatValidation(), openapi3.DisableSchemaErrorDetails())...); err != nil {
		return fmt.Errorf("%w: %.2000s", err, body)
	}
	return nil
}

var (
	agent  = regexp.MustCompile(`^Viagogo-Webhooks/\d`)
	number = regexp.MustCompile(`^[1-9]\d*$`)
	digest = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// Delivery holds a delivery against the documents: its headers, and its body against the schema of its topic. What the documents say in prose only is held against
// it too: the topics and statuses that there are, and that hashes are SHA-256 in hex. It returns the topic and what is wrong.
func (d *Documents) Delivery(header http.Header, body []byte) (topic string, wrong []string) {
	topic = header.Get("VGG-Topic")
	complain := func(format string, args ...any) {
		wrong = append(wrong, fmt.Sprintf("the delivery of %q: ", topic)+fmt.Sprintf(format, args...))
	}
	for name, want := range map[string]*regexp.Regexp{"User-Agent": agent, "VGG-DeliveryId": number, "Content-Type": regexp.MustCompile(`^application/json(;|$)`)} {
		if got := header.Values(name); len(got) != 1 || !want.MatchString(got[0]) {
			complain("%s is %q, want %s", name, got, want)
		}
	}
	if len(header.Values("Authorization")) > 1 {
		complain("it has the header Authorization more than once")
	}
	schema := d.topics[topic]
	if schema == nil {
		complain("there is no such topic")
		return topic, wrong
	}
	if err := valid(schema, body, openapi3.VisitAsRequest()); err != nil {
		complain("%v", err)
		return topic, wrong
	}
	for _, w := range prose(topic, body) {
		complain("%s", w)
	}
	return topic, wrong
}

func prose(topic string, body []byte) (wrong []string) {
	var p struct {
		Topic, Action string
		Links         struct{ Self *struct{ Href string } } `json:"_links"`
		Barcodes      []struct {
			Status string
			Hashed []string `json:"barcode_values_sha256_hashed"`
		}
	}
	if err := json.Unmarshal(body, &p); err != nil {
		return []string{err.Error()}
	}
	if p.Topic != topic {
		wrong = append(wrong, fmt.Sprintf("the body's topic is %q", p.Topic))
	}
	if !slices.Contains(actions[topic], p.Action) {
		wrong = append(wrong, fmt.Sprintf("the action is %q, want one of %q", p.Action, actions[topic]))
	}
	if p.Links.Self == nil || p.Links.Self.Href == "" {
		wrong = append(wrong, "there is no link to self")
	}
	for _, b := range p.Barcodes {
		if b.Status != "Received" && b.Status != "FailedValidation" {
			wrong = append(wrong, fmt.Sprintf("a barcode's status is %q", b.Status))
		}
		for _, h := range b.Hashed {
			if !digest.MatchString(h) {
				wrong = append(wrong, fmt.Sprintf("%q is no SHA-256 in hex", h))
			}
		}
	}
	return wrong
}

// actions are those of each topic. Where StubHub's text names them, it names these; Accepted, Confirmed, Fulfilled and Cancelled of a sale, and Created of
// ReTransferTicket, are ours.
var actions = map[string][]string{
	"Sales":                 {"Created", "Accepted", "Confirmed", "Fulfilled", "Cancelled"},
	"ProvisionalSale":       {"Created"},
	"CancelProvisionalSale": {"Cancelled"},
	"SaleUpdates":           {"FailedBarcodeValidation"},
	"SellerListingUpdates":  {"FailedBarcodeValidation", "ListingDeliverabilityExpired"},
	"Ping":                  {"Created"},
	"ReTransferTicket":      {"Created"},
}
