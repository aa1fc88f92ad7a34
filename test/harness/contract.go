package harness

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Contract is a server's OpenAPI document, held against what the server answers. It is safe for concurrent use.
type Contract struct {
	Doc map[string]any

	mu       sync.Mutex // guards below
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema // by JSON pointer
	seen     map[string]bool               // "GET /api/v1/events"
	faults   []string
}

const contractURL = "https://stagedoor.test/openapi.json"

// ReadContract reads an OpenAPI document.
func ReadContract(text []byte) (*Contract, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	object, ok := doc.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the document is not an object")
	}
	c := &Contract{Doc: object, compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}, seen: map[string]bool{}}
	c.compiler.DefaultDraft(jsonschema.Draft2020)
	c.compiler.AssertFormat()
	return c, c.compiler.AddResource(contractURL, doc)
}

// Operations are all operations of the document, such as "GET /api/v1/events", in order.
func (c *Contract) Operations() []string {
	var all []string
	paths, _ := c.Doc["paths"].(map[string]any)
	for path, item := range paths {
		methods, _ := item.(map[string]any)
		for method := range methods {
			if slices.Contains([]string{"get", "post", "put", "patch", "delete"}, method) {
				all = append(all, strings.ToUpper(method)+" "+path)
			}
		}
	}
	slices.Sort(all)
	return all
}

// Unseen are the operations that no checked request was made for.
func (c *Contract) Unseen() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(c.Operations(), func(op string) bool { return c.seen[op] })
}

// Faults says, once each, what answers did not agree with the document in.
func (c *Contract) Faults() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.faults)
}

// check holds an exchange against the document and returns what is wrong.
func (c *Contract) check(method, target string, sent []byte, a Answer) []string {
	if method == "HEAD" || method == "OPTIONS" {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	path, _, _ := strings.Cut(target, "?")
	template, operation := c.operation(method, path)
	var wrong []string
	if operation == nil {
		if a.Status != 404 && a.Status != 405 && strings.HasPrefix(path, "/api/") {
			wrong = []string{fmt.Sprintf("%s %s was answered with %d, and is not in the document", method, path, a.Status)}
		}
	} else {
		c.seen[method+" "+template] = true
		wrong = c.response(method, template, operation, a)
		if a.Status/100 == 2 && len(sent) > 0 {
			wrong = append(wrong, c.request(method, template, operation, sent)...)
		}
	}
	for _, w := range wrong {
		if !slices.Contains(c.faults, w) {
			c.faults = append(c.faults, w)
		}
	}
	return wrong
}

// operation finds the operation that a request was for.
func (c *Contract) operation(method, path string) (template string, operation map[string]any) {
	paths, _ := c.Doc["paths"].(map[string]any)
	best := -1
	for _, t := range slices.Sorted(maps.Keys(paths)) {
		n := fits(t, path)
		if n <= best {
			continue
		}
		item, _ := paths[t].(map[string]any)
		if op, ok := item[strings.ToLower(method)].(map[string]any); ok {
			template, operation, best = t, op, n
		}
	}
	return template, operation
}

// fits says how many segments of a path stand literally in the template, or -1 when it is another path.
func fits(template, path string) int {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return -1
	}
	literal := 0
	for i := range want {
		switch {
		case want[i] == got[i]:
			literal++
		case !strings.HasPrefix(want[i], "{") || got[i] == "":
			return -1
		}
	}
	return literal
}

func (c *Contract) response(method, template string, operation map[string]any, a Answer) []string {
	name := method + " " + template
	responses, _ := operation["responses"].(map[string]any)
	at := pointer("paths", template, strings.ToLower(method), "responses")
	for _, status := range []string{fmt.Sprint(a.Status), fmt.Sprintf("%dXX", a.Status/100), "default"} {
		if _, ok := responses[status]; ok {
			return c.content(fmt.Sprintf("%s = %d", name, a.Status), at+pointer(status), a.Header.Get("Content-Type"), a.Body)
		}
	}
	return []string{fmt.Sprintf("%s = %d is not among the answers in the document", name, a.Status)}
}

func (c *Contract) request(method, template string, operation map[string]any, sent []byte) []string {
	if operation["requestBody"] == nil {
		return []string{fmt.Sprintf("%s %s takes a body that is not in the document", method, template)}
	}
	return c.content(fmt.Sprintf("the accepted request %s %s", method, template),
		pointer("paths", template, strings.ToLower(method), "requestBody"), "application/json", sent)
}

// content validates a body with the media type's schema of the response or request at a pointer.
func (c *Contract) content(what, at, contentType string, body []byte) []string {
	object, at := c.resolve(at)
	content, _ := object["content"].(map[string]any)
	if len(body) == 0 {
		if len(content) > 0 {
			return []string{what + " has no body, and has one in the document"}
		}
		return nil
	}
	media, _, _ := mime.ParseMediaType(contentType)
	key := ""
	for k := range content {
		if m, _, _ := mime.ParseMediaType(k); m == media {
			key = k
		}
	}
	if key == "" {
		return []string{fmt.Sprintf("%s has the content type %q, which is not in the document", what, contentType)}
	}
	if media != "application/json" && !strings.HasSuffix(media, "+json") {
		return nil
	}
	return c.valid(what, at+pointer("content", key, "schema"), body)
}

func (c *Contract) valid(what, at string, body []byte) []string {
	schema := c.schemas[at]
	if schema == nil {
		var err error
		if schema, err = c.compiler.Compile(contractURL + "#" + escaped(at)); err != nil {
			return []string{fmt.Sprintf("the schema of %s does not compile: %v", what, err)}
		}
		c.schemas[at] = schema
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return []string{fmt.Sprintf("%s is not JSON: %v", what, err)}
	}
	if err := schema.Validate(v); err != nil {
		return []string{fmt.Sprintf("%s is not as in the document: %v", what, err)}
	}
	return nil
}

// Webhook validates a delivery's body with what the document's webhooks section says about it.
func (c *Contract) Webhook(name, contentType string, body []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	webhooks, _ := c.Doc["webhooks"].(map[string]any)
	if webhooks[name] == nil {
		return fmt.Errorf("the document has no webhook %q", name)
	}
	if wrong := c.content("the delivery "+name, pointer("webhooks", name, "post", "requestBody"), contentType, body); len(wrong) > 0 {
		return fmt.Errorf("%s", strings.Join(wrong, "; "))
	}
	return nil
}

// resolve returns the object at a pointer, following a reference within the document, and where it was.
func (c *Contract) resolve(at string) (map[string]any, string) {
	var node any = c.Doc
	for _, segment := range strings.Split(at, "/")[1:] {
		object, _ := node.(map[string]any)
		node = object[strings.NewReplacer("~1", "/", "~0", "~").Replace(segment)]
	}
	object, _ := node.(map[string]any)
	if ref, ok := object["$ref"].(string); ok {
		return c.resolve(strings.TrimPrefix(ref, "#"))
	}
	return object, at
}

func pointer(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(s))
	}
	return b.String()
}

// escaped is a pointer as it stands in a URL's fragment.
func escaped(at string) string {
	parts := strings.Split(at, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}

// Contract fetches the server's document.
func (s *Server) Contract() (*Contract, error) {
	c := s.Client("")
	a, err := c.get("/openapi.json")
	if err != nil {
		return nil, err
	}
	if a.Status != 200 || !json.Valid(a.Body) {
		return nil, fmt.Errorf("GET /openapi.json = %d\n%.500s", a.Status, a.Body)
	}
	return ReadContract(a.Body)
}
