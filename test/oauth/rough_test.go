package oauth

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// nasty are values that a field should survive.
var nasty = map[string]string{
	"nothing": "", "NUL": "a\x00b", "not UTF-8": "\xff\xfe\x80", "half a rune": "\xe2\x82", "a surrogate": "\xed\xa0\x80", "a line break": "a\r\nSet-Cookie: x=y", "a quote": `'"` + "`; DROP TABLE users; --",
	"a template": "{{.}}${x}<%= x %>", "a path": "../../../../etc/passwd", "a number": "-1", "a huge number": "1e999", "a list": "[]", "null": "null", "markup": "<script>alert(1)</script>",
	"right to left": "\u202eabc", "many runes": strings.Repeat("🎟", 5000), "60 KiB": strings.Repeat("A", 60<<10), "1 MiB": strings.Repeat("A", 1<<20), "spaces": " \t\n", "a format": "%s%n%x", "a wildcard": "%_*",
	"deep": strings.Repeat("[", 10_000), "emoji": "👩‍👩‍👧‍👦", "a fraction": "1.5", "an overflow": "99999999999999999999999999",
}

// bodies are forms that are none, or odd ones.
var bodies = map[string]string{
	"nothing": "", "an ampersand": "&&&&", "an equals sign": "=", "many of both": strings.Repeat("=&", 2000), "a percent sign": "%", "broken escapes": "a=%zz&b=%1&%=%", "semicolons": "a=b;c=d", "NUL": "\x00\x00",
	"not UTF-8": "\xff=\xfe", "escaped not UTF-8": "%ff=%fe", "a name with NUL": "%00=x", "brackets": "a[]=1&a[b][c]=2&a.b=3", "1,000 fields": fields(1000), "5,000 fields": fields(5000), "JSON": `{"a":1}`,
	"a long name": strings.Repeat("a", 60<<10) + "=1", "1 MiB": strings.Repeat("a", 1<<20),
}

func fields(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "f%d=%d&", i, i)
	}
	return b.String()
}

// kinds are content types with bodies to them.
var kinds = map[string]string{
	"application/json": strings.Repeat(`{"a":`, 20_000), "application/json; charset=utf-8": `{"grant_type":"client_credentials","email":"x","request":["y"]}`, "text/xml": "<a/>", "": "a=b", ";": "a=b", "x": "a=b",
	"application/x-www-form-urlencoded; charset=utf-16": "a=b", "application/x-www-form-urlencoded; charset=\"": "a=b", "application/x-www-form-urlencoded;;;": "a=b", "multipart/form-data": "--x--",
	"multipart/form-data; boundary=x": "--x\r\nContent-Disposition: form-data; name=\"email\"\r\n\r\na\r\n--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"/etc/passwd\"\r\n\r\nb\r\n--x--\r\n",
	"multipart/form-data; boundary=y": "--y\r\nContent-Disposition: form-data; name=\"", "multipart/form-data; boundary=" + strings.Repeat("z", 300): "--z",
	"multipart/mixed; boundary=x": "--x\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n", "application/octet-stream": "\x00\x01\x02",
}

// mangled are bodies and their content types: a good form with each field spoiled in every way, twice and left out, and what is no such form at all.
func mangled(good url.Values, each func(what, contentType, body string)) {
	for _, name := range slices.Sorted(maps.Keys(good)) {
		for what, v := range nasty {
			spoiled := maps.Clone(good)
			spoiled[name] = []string{v}
			each(name+" is "+what, formType, spoiled.Encode())
			if len(v) < 100 {
				delete(spoiled, name)
				each(name+" is "+what+", unescaped", formType, spoiled.Encode()+"&"+name+"="+v)
			}
		}
		twice := maps.Clone(good)
		twice[name] = []string{good.Get(name), good.Get(name)}
		each(name+" twice", formType, twice.Encode())
		missing := maps.Clone(good)
		delete(missing, name)
		each("no "+name, formType, missing.Encode())
		each(name+" as a list", formType, missing.Encode()+"&"+name+"[]="+url.QueryEscape(good.Get(name)))
	}
	for what, body := range bodies {
		each("the body is "+what, formType, body)
	}
	for kind, body := range kinds {
		each("the content type is "+kind, kind, body)
		each("a good body of the content type "+kind, kind, good.Encode())
	}
}

// That the server's log has no panic is checked when all tests are over.
func TestLine92NothingBreaksTheForms(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		p, a := s.attendee(t), s.confidential(t)
		k := a.ask()
		client := []string{"Authorization", basic(a.ID, a.Secret)}
		stranger := s.browser()
		signIn := stranger.get(t, "/login").form(t, "/login").with("email", p.Email, "password", "not "+p.Password, "next", "/account").values
		signUp := stranger.get(t, "/sign-up").form(t, "/sign-up").with("email", p.Email, "name", "Somebody", "password", "short").values
		consent := p.authorize(t, k).form(t, "/oauth/consent").with("decision", "deny").values
		codeForm := p.get(t, "/oauth/device").form(t, "/oauth/device/code").with("user_code", "BCDF-GHJK").values
		d := a.device(t)
		for _, target := range []struct {
			path   string
			good   url.Values
			header []string
			by     *browser
		}{
			{"/login", signIn, nil, stranger},
			{"/sign-up", signUp, nil, stranger},
			{"/oauth/consent", consent, nil, p.browser},
			{"/oauth/device/code", codeForm, nil, p.browser},
			{"/oauth/authorize", k.Values, nil, p.browser},
			{"/oauth/token", url.Values{"grant_type": {code}, "code": {"sdc_" + random()}, "redirect_uri": {a.redirect}, "code_verifier": {k.verifier}, "client_id": {a.ID}}, client, nil},
			{"/oauth/token", url.Values{"grant_type": {machine}, "scope": {"events:read"}, "resource": {s.issuer}, "client_id": {a.ID}, "client_secret": {a.Secret}}, nil, nil},
			{"/oauth/token", url.Values{"grant_type": {refresh}, "refresh_token": {"sdr_" + random()}, "scope": {"events:read"}}, client, nil},
			{"/oauth/token", url.Values{"grant_type": {device}, "device_code": {d.code}}, client, nil},
			{"/oauth/token", url.Values{"grant_type": {machine}, "client_assertion_type": {assertionType}, "client_assertion": {"a.b.c"}}, nil, nil},
			{"/oauth/par", k.Values, client, nil},
			{"/oauth/device", url.Values{"scope": {"events:read"}}, client, nil},
			{"/oauth/revoke", url.Values{"token": {"sda_" + random()}, "token_type_hint": {"access_token"}}, client, nil},
			{"/oauth/introspect", url.Values{"token": {"sda_" + random()}}, client, nil},
		} {
			c := s.client
			if target.by != nil {
				c = target.by.client
			}
			n := 0
			mangled(target.good, func(what, kind, body string) {
				n++ // an address is let in fifteen times or so, however often it fails
				header := append([]string{"Content-Type", kind, "X-Forwarded-For", fmt.Sprintf("10.255.%d.%d", n/15>>8, n/15&255)}, target.header...)
				r, err := try(c, s.request(t, "POST", target.path, []byte(body), header...))
				if err != nil {
					t.Errorf("POST %s, %s: %v", target.path, what, err)
				} else if r.Status >= 500 || r.Status < 200 {
					t.Errorf("POST %s, %s = %d %.300s", target.path, what, r.Status, r.Body)
				}
			})
		}
		for what, v := range nasty { // and queries, headers and JSON
			if len(v) > 50<<10 {
				continue
			}
			for _, path := range []string{"/oauth/authorize?", "/oauth/device?user_code=", "/login?next=", "/sign-up?next=", "/reset/", "/verify/", "/invitation/", "/account/apps/"} {
				if r := p.get(t, path+url.QueryEscape(v)); r.Status >= 500 {
					t.Errorf("GET %s with %s = %d", path, what, r.Status)
				}
			}
			for _, header := range []string{"Authorization", "Dpop", "Cookie", "Origin"} {
				if strings.ContainsAny(v, "\x00\r\n") {
					continue
				}
				for _, scheme := range []string{"", "Basic ", "Bearer ", "DPoP "} {
					if r, err := try(s.client, s.request(t, "POST", "/oauth/token", []byte(machineForm.Encode()), "Content-Type", formType, header, scheme+v)); err == nil && r.Status >= 500 {
						t.Errorf("%s: %s%s = %d", header, scheme, what, r.Status)
					}
				}
			}
		}
		for _, member := range []string{"name", "jwks", "redirectUris", "scopes", "grantTypes", "authMethod"} {
			for _, v := range []string{strings.Repeat("[", 20_000), strings.Repeat("[", 5000) + strings.Repeat("]", 5000), strings.Repeat(`{"keys":`, 5000) + "1" + strings.Repeat("}", 5000), "1e999", `"\ud800"`, `"\u0000"`, "null", "[null]", "{}", "[[]]"} {
				body := []byte(`{"name":"App","authMethod":"private_key_jwt","scopes":["events:read"],"grantTypes":["client_credentials"],"` + member + `":` + v + `}`)
				r := s.do(t, "POST", "/api/v1/oauth/clients", body, "X-API-Key", s.home(t).key, "Content-Type", "application/json")
				if r.Status >= 500 {
					t.Errorf("%s is %.20s… = %d %s", member, v, r.Status, r.Body)
				}
			}
		}
		if trouble := s.server.Trouble(); trouble != "" {
			t.Errorf("the server's log has %s", trouble)
		}
		s.do(t, "GET", "/healthz", nil).must(t, 200)
	})
}
