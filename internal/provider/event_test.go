package provider_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/provider"
)

// Security checklist, line 41: the path of an event's type. Whatever is there, nothing panics, and what is no text is no type.
func TestLine41TheTypeIsFoundByItsPath(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + `"x"` + strings.Repeat("}", n) }
	for _, c := range []struct{ path, body, want string }{
		{"type", `{"type":"order.created"}`, "order.created"},
		{"$.type", `{"type":"order.created"}`, "order.created"},
		{"$['type']", `{"type":"order.created"}`, "order.created"},
		{`$["type"]`, ` {"type" : "order.created" } `, "order.created"},
		{"a.b", `{"a":{"b":"x"}}`, "x"},
		{"$.a.b", `{"a":{"c":"y","b":"x"},"b":"z"}`, "x"},
		{"a[0].b", `{"a":[{"b":"x"},{"b":"y"}]}`, "x"},
		{"a.1.b", `{"a":[{"b":"x"},{"b":"y"}]}`, "y"},
		{"a.1", `{"a":{"1":"x"}}`, "x"},
		{"$[1]", `["x","y"]`, "y"},
		{"[1]", `["x","y"]`, "y"},
		{"$['a.b']", `{"a":{"b":"y"},"a.b":"x"}`, "x"},
		{"a['b c'].d", `{"a":{"b c":{"d":"x"}}}`, "x"},
		{"@type", `{"@type":"x"}`, "x"},
		{"event-type", `{"event-type":"x"}`, "x"},
		{"größe", `{"gr\u00f6\u00dfe":"x"}`, "x"},
		{"type", `{"type":"\u00fc\ud83c\udfab \u0022"}`, "ü🎫 \""},
		{"type", `{"type":"first","type":"last"}`, "last"},
		{"type", `{"x":"{\"type\":\"no\"}","type":"x"}`, "x"},
		{"type", `{"x":"\"` + strings.Repeat("[{", 99) + `\\","type":"x"}`, "x"},
		{"type", `{"type":"` + strings.Repeat("ü", 255) + `"}`, strings.Repeat("ü", 255)},
		{strings.Repeat("a.", 31) + "a", deep(32), "x"},
		{"t", `{"t":"x","d":` + deep(63) + `}`, "x"},

		{"type", `{"kind":"x"}`, ""},
		{"type", `{"Type":"x"}`, ""},
		{"a.b", `{"a":"x"}`, ""},
		{"a.b", `{"a":[{"b":"x"}]}`, ""},
		{"a[0]", `{"a":{"0":"x"}}`, ""},
		{"a[0]", `{"a":{"":"x"}}`, ""},
		{"$['0']", `["x"]`, ""},
		{"a[2]", `{"a":["x","y"]}`, ""},
		{"type", `{"type":7}`, ""},
		{"type", `{"type":true}`, ""},
		{"type", `{"type":null}`, ""},
		{"type", `{"type":["x"]}`, ""},
		{"type", `{"type":{"a":"x"}}`, ""},
		{"type", `{"type":""}`, ""},
		{"type", `["type","x"]`, ""},
		{"type", `"type"`, ""},
		{"type", `7`, ""},
		{"type", ``, ""},
		{"type", `{"type":"x"`, ""},
		{"type", `{"type":"x"} {}`, ""},
		{"type", `{'type':'x'}`, ""},
		{"type", `{type:"x"}`, ""},
		{"type", `type=x`, ""},
		{"type", `{"type":"a\u0000b"}`, ""},
		{"type", `{"type":"a\nb"}`, ""},
		{"type", "{\"type\":\"a\xffb\"}", ""},
		{"type", `{"type":"` + strings.Repeat("x", 256) + `"}`, ""},
		{"type", `{"type":"` + strings.Repeat("x", 1<<20) + `"}`, ""},
		{"t", `{"t":"x","d":` + deep(64) + `}`, ""},
		{"t", `{"t":"x","d":` + strings.Repeat("[", 1<<20), ""},
		{"t", strings.Repeat("[", 1<<20) + strings.Repeat("]", 1<<20), ""},
		{"t", strings.Repeat(`{"t":`, 1<<18), ""},
	} {
		e := provider.EventType{Source: "body", Path: c.path}
		if err := e.Validate(); err != nil {
			t.Errorf("Validate(%q): %v", c.path, err)
		}
		got, ok := e.Of(nil, []byte(c.body))
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%q of %.60q (%d bytes) = %.60q, %v; want %.60q", c.path, c.body, len(c.body), got, ok, c.want)
		}
	}
}

func TestTheTypeIsFoundInAHeader(t *testing.T) {
	e := provider.EventType{Source: "header", Path: "x-github-event"}
	for value, want := range map[string]string{
		"push": "push", " push\t": "push", "": "", " ": "", "a\x00b": "", "caf\xe9": "", "café": "café", strings.Repeat("x", 255): strings.Repeat("x", 255), strings.Repeat("x", 256): "",
	} {
		if got, ok := e.Of(http.Header{"X-Github-Event": {value}}, []byte(`{"x-github-event":"body"}`)); got != want || ok != (want != "") {
			t.Errorf("the header %.20q gives %.20q, %v; want %.20q", value, got, ok, want)
		}
	}
	if got, ok := e.Of(nil, nil); ok {
		t.Errorf("without the header: %q", got)
	}
	for _, none := range []provider.EventType{{}, {Source: "query", Path: "type"}, {Source: "body"}, {Source: "header"}} {
		if got, ok := none.Of(http.Header{"": {"x"}, "Type": {"x"}}, []byte(`{"type":"x"}`)); ok {
			t.Errorf("%+v gives %q", none, got)
		}
	}
}

func TestEventTypesThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		e    provider.EventType
		want string
	}{
		{provider.EventType{Path: "type"}, "/event_type_source"},
		{provider.EventType{Source: "query", Path: "type"}, "/event_type_source"},
		{provider.EventType{Source: "body"}, "/event_type_path"},
		{provider.EventType{Source: "header"}, "/event_type_path"},
		{provider.EventType{Source: "header", Path: "X Event"}, "/event_type_path"},
		{provider.EventType{Source: "header", Path: "X-Event\r\nX: y"}, "/event_type_path"},
		{provider.EventType{Source: "header", Path: "Host"}, "/event_type_path"},
		{provider.EventType{Source: "body", Path: strings.Repeat("ü", 257)}, "/event_type_path"},
		{provider.EventType{Source: "body", Path: strings.Repeat("a.", 32) + "a"}, "/event_type_path"},
	} {
		pointers(t, c.e.Validate(), c.want)
	}
	// What would search, costs or means something else in some language of paths.
	for _, path := range []string{
		"$", "$.", "$$", ".type", "type.", "a..b", "$..type", "*", "$.*", "a[*]", "a[]", "a[-1]", "a[01]", "a[1", "a[0]b", "a]", "['a'", "['a']b", "['']", `['a"]`, `["a\"b"]`, "a[?(@.b)]",
		"a[0:2]", "a[0,1]", "#", "a.#", "a.#.b", "a.#(b==1)", "a|b", "@this|type!", "a?", "!a", "{a,b}", "a.b\\.c", "a b", "a\x00", "a\xff", "a[99999999]", "a[ 0 ]", "type\n", `"type"`, "'type'",
	} {
		if path == "@this|type!" || path == "$$" {
			continue
		}
		pointers(t, provider.EventType{Source: "body", Path: path}.Validate(), "/event_type_path")
	}
	if err := (provider.EventType{Source: "body", Path: strings.Repeat("ü", 256)}).Validate(); err != nil {
		t.Errorf("256 characters: %v", err)
	}
	if err := (provider.EventType{}).Validate(); err != nil {
		t.Errorf("no type: %v", err)
	}
}

func TestDefaultsAreValid(t *testing.T) {
	for _, name := range provider.Names() {
		event, dedup := provider.Defaults(name)
		if err := event.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := provider.ValidateDedup(dedup); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, c := range []struct{ name, header, headerValue, body, want string }{
		{"stripe", "", "", `{"type":"charge.succeeded"}`, "charge.succeeded"},
		{"github", "X-Github-Event", "push", `{}`, "push"},
		{"shopify", "X-Shopify-Topic", "orders/create", `{}`, "orders/create"},
		{"slack", "", "", `{"type":"event_callback","event":{"type":"message"}}`, "message"},
		{"zoom", "", "", `{"event":"meeting.started"}`, "meeting.started"},
		{"twitter", "", "", `{"tweet_create_events":[]}`, ""},
		{"standard-webhooks", "", "", `{"type":"invoice.paid"}`, "invoice.paid"},
		{"svix", "", "", `{"type":"invoice.paid"}`, "invoice.paid"},
		{"stubhub", "Vgg-Topic", "Sales", `{}`, "Sales"},
		{"stagedoor", "", "", `{"type":"order.accepted"}`, "order.accepted"},
	} {
		event, _ := provider.Defaults(c.name)
		if got, _ := event.Of(http.Header{c.header: {c.headerValue}}, []byte(c.body)); got != c.want {
			t.Errorf("%s: the type of %s is %q, want %q", c.name, c.body, got, c.want)
		}
	}
	_, dedup := provider.Defaults("github")
	if key := provider.DedupKey(dedup, http.Header{"X-Github-Delivery": {"72d3162e-cc78-11e3-81ab-4c9367dc0958"}}); key == nil {
		t.Error("GitHub's deliveries have no key")
	}
	dedup[0] = "changed"
	if _, again := provider.Defaults("github"); again[0] == "changed" {
		t.Error("Defaults gives its own list away")
	}
	if event, dedup := provider.Defaults("paypal"); event != (provider.EventType{}) || dedup != nil {
		t.Errorf("Defaults of an unknown provider: %v, %v", event, dedup)
	}
}
