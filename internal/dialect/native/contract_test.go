package native_test

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// contract is openapi.json as a judge of answers.
type contract struct {
	raw      []byte
	document map[string]any

	mu       sync.Mutex // guards the rest: a compiler is for one at a time
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema
}

const documentURL = "http://stagedoor.test/openapi.json"

func newContract(t testing.TB, url string) *contract {
	t.Helper()
	resp, err := http.Get(url + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatalf("openapi.json: %v", err)
	}
	c := &contract{raw: b, document: doc.(map[string]any), compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}}
	c.compiler.DefaultDraft(jsonschema.Draft2020)
	c.compiler.AssertFormat()
	if err := c.compiler.AddResource(documentURL, doc); err != nil {
		t.Fatal(err)
	}
	return c
}

// check holds an answer against the document: its status must stand there, and its body must be of the schema.
func (c *contract) check(t testing.TB, method, path string, r response) {
	t.Helper()
	path, _, _ = strings.Cut(path, "?")
	template, operation := c.operation(method, path)
	if operation == nil {
		return // nothing is there; the answer must be the server's 404 or 405
	}
	responses := operation["responses"].(map[string]any)
	described, ok := responses[strconv.Itoa(r.status)].(map[string]any)
	if !ok {
		t.Errorf("%s %s answers %d, which openapi.json does not mention: %s", method, template, r.status, r.raw)
		return
	}
	content, _ := described["content"].(map[string]any)
	if len(content) == 0 {
		if len(r.raw) > 0 {
			t.Errorf("%s %s answers %d with a body, which openapi.json does not mention: %s", method, template, r.status, r.raw)
		}
		return
	}
	kind := r.header.Get("Content-Type")
	if _, ok := content[kind]; !ok {
		t.Errorf("%s %s answers %d as %q, which openapi.json does not mention", method, template, r.status, kind)
		return
	}
	if !r.isJSON() {
		return
	}
	escape := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D")
	schema, err := c.schema(documentURL + "#/paths/" + escape.Replace(template) + "/" + strings.ToLower(method) + "/responses/" +
		strconv.Itoa(r.status) + "/content/" + escape.Replace(kind) + "/schema")
	if err != nil {
		t.Fatalf("schema of %s %s %d: %v", method, template, r.status, err)
	}
	body, err := jsonschema.UnmarshalJSON(bytes.NewReader(r.raw))
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if err := schema.Validate(body); err != nil {
		t.Errorf("%s %s answers %d not as openapi.json says: %v\n%s", method, template, r.status, err, r.raw)
	}
}

func (c *contract) schema(url string) (schema *jsonschema.Schema, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if schema = c.schemas[url]; schema == nil {
		schema, err = c.compiler.Compile(url)
		c.schemas[url] = schema
	}
	return schema, err
}

// operation finds what a request is for.
func (c *contract) operation(method, path string) (found string, operation map[string]any) {
	for template, item := range c.document["paths"].(map[string]any) {
		if !matches(template, path) {
			continue
		}
		if op, ok := item.(map[string]any)[strings.ToLower(method)].(map[string]any); ok {
			if template == path {
				return template, op // one that is literally so comes before one with names
			}
			found, operation = template, op
		}
	}
	return found, operation
}

func matches(template, path string) bool {
	a, b := strings.Split(template, "/"), strings.Split(path, "/")
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && !strings.HasPrefix(a[i], "{") {
			return false
		}
	}
	return true
}
