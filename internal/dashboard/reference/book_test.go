package reference

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const sample = `{
 "openapi": "3.1.0", "info": {"title": "T", "description": "Send ` + "`a`" + ` key."}, "tags": [{"name": "Ticket types"}, {"name": "Unused"}],
 "paths": {"/tickets/{id}": {
  "parameters": [],
  "get": {"operationId": "get", "summary": "Show it", "tags": ["Ticket types"], "security": [{"apiKey": ["tickets:read"]}, {"oauth2": ["tickets:read"]}],
   "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string", "maxLength": 10}}],
   "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Node"}}}}, "404": {"description": "Not Found", "content": {"application/problem+json": {"schema": {}}}}}},
  "post": {"operationId": "post", "summary": "Don't", "requestBody": {"content": {"application/json": {"schema": {"type": "object", "required": ["name", "n"], "properties": {
    "name": {"type": "string", "examples": ["it's"]}, "n": {"type": "integer", "minimum": 1, "maximum": 9}, "kind": {"type": ["string", "null"], "enum": ["a", "b"]}}}}}}}
 }},
 "webhooks": {"portal:order.accepted": {"post": {"operationId": "w", "requestBody": {"content": {"application/json": {"example": {"a": 1}, "schema": {}}}}}}},
 "components": {"schemas": {"Node": {"type": "object", "properties": {"of": {"$ref": "#/components/schemas/Node", "description": "The one below."}, "list": {"type": "array", "items": {"$ref": "#/components/schemas/Gone"}}}}}}
}`

func TestReadMakesPagesOfADocument(t *testing.T) {
	b, err := read([]byte(strings.ReplaceAll(sample, `"parameters": [],`, "")), "https://x.example")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range append(b.Chapters, b.Webhooks...) {
		names = append(names, c.Slug)
	}
	if diff := cmp.Diff([]string{"ticket-types", "other", "webhooks-portal"}, names); diff != "" {
		t.Fatalf("chapters (-want +got):\n%s", diff)
	}
	get, post := b.Chapters[0].Operations[0], b.Chapters[1].Operations[0]
	if diff := cmp.Diff([]string{"tickets:read"}, get.Scopes); diff != "" {
		t.Errorf("scopes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]param{{Name: "id", In: "path", Type: "string, at most 10 characters", Required: true}}, get.Params); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
	of := get.Answers[0].Content.Of
	if len(of) != 2 || of[1].About != "The one below." || len(of[1].Of) != 2 {
		t.Errorf("an object that has itself in it is shown as %+v", of)
	}
	if get.Answers[1].Content != nil {
		t.Error("an error's body is shown with each operation")
	}
	wantBody := []property{
		{Name: "n", Type: "integer, 1 to 9", Required: true}, {Name: "name", Type: "string", Required: true}, {Name: "kind", Type: "string or null: a, b"},
	}
	if diff := cmp.Diff(wantBody, post.Body.Of); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	want := "curl -X POST 'https://x.example/tickets/{id}' \\\n  -H 'Content-Type: application/json' \\\n  -d '{\n    \"n\": 1,\n    \"name\": \"it'\\''s\"\n  }'"
	if diff := cmp.Diff(want, post.Curl); diff != "" {
		t.Errorf("curl (-want +got):\n%s", diff)
	}
	if w := b.Webhooks[0].Operations[0]; w.Path != "order.accepted" || w.Curl != "" || w.Example != "{\n  \"a\": 1\n}" {
		t.Errorf("the webhook is shown as %+v", w)
	}
	if diff := cmp.Diff([]Span{{"Send ", false}, {"a", true}, {" key.", false}}, b.Spans(b.About)); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
}
