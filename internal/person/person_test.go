package person_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/person"
)

func TestAnAddressIsFoundHoweverItIsWritten(t *testing.T) {
	kari := person.Of(" Kari@Example.com ")
	for _, text := range []string{
		`kari@example.com`, `KARI@EXAMPLE.COM`, `{"email":"Kari@example.com"}`, `{"email":"kari\u0040example.com"}`, `{"a":"\u006Bari@example.com"}`,
		`to:\nkari@example.com\n`, `{"a":"{\"b\":\"\\u006bari\\u0040example.com\"}"}`, `email=kari%40example.com&x=1`, `a%3Dkari@example.com`,
		`mailto:kari@example.com?subject=x`, `<kari@example.com>`, `kari&#64;example.com`, `kari&#x40;example&period;com`, `Write to kari@example.com.`,
		`kari@example.com, ola@example.com`, `"kari@exam` + `ple.com`, "\u00a0kari@example.com\u00a0", "\xffkari@example.com\xff", `%7B%22e%22%3A%22kari%2540example.com%22%7D`,
		`xkari@example.com kari@example.com`, `'kari@example.com'`,
	} {
		if !kari.In([]byte(text)) {
			t.Errorf("the address is not found in %q", text)
		}
	}
}

func TestAnotherAddressIsNot(t *testing.T) {
	kari := person.Of("kari@example.com")
	for _, text := range []string{
		``, `kari`, `kari@example.co`, `kari@example.com.au`, `kari@example.community`, `kari@example.com-x.org`, `karikari@example.com`, `a.kari@example.com`,
		`a+kari@example.com`, `\u0061kari@example.com`, `økari@example.com`, `kari@exam`, `kari\u00`, `kari%4`,
	} {
		if kari.In([]byte(text)) {
			t.Errorf("the address is found in %q", text)
		}
	}
	if !kari.Within("order-KARI@example.com0") || kari.Within("kari") || person.Of("").Within("") {
		t.Error("Within does not go by parts")
	}
	if person.Of("").In([]byte("x")) || person.Of(" ").Is("") {
		t.Error("nobody is somebody")
	}
}

func TestOtherScriptsAreAlikeInUpperAndLowerCase(t *testing.T) {
	if a := person.Of("Åse@bücher.example"); !a.In([]byte(`{"to":"ÅSE@BÜCHER.EXAMPLE"}`)) || !a.In([]byte(`{"to":"\u00c5se@b\u00fccher.example"}`)) {
		t.Error("an address in another script is not found")
	}
}

func TestAnAddressIsNeverPrinted(t *testing.T) {
	a := person.Of("kari@example.com")
	j, err := json.Marshal(map[string]any{"a": a})
	if all := fmt.Sprintf("%v %s %q %+v %#v %s", a, a, a, struct{ A person.Address }{a}, a, j); err != nil || strings.Contains(all, "kari") {
		t.Errorf("it is printed: %s, %v", all, err)
	}
}

func FuzzAddress(f *testing.F) {
	f.Add([]byte(`{"a":"\u0040`), "a@b.example")
	f.Fuzz(func(t *testing.T, text []byte, email string) {
		a := person.Of(email)
		a.In(text)
		if quoted, err := json.Marshal(string(a)); a != "" && err == nil && strings.ToValidUTF8(string(a), "") == string(a) && !strings.ContainsAny(string(a), `\%&`) {
			if text := append([]byte(`{"a":`), quoted...); !a.In(text) {
				t.Errorf("%q is not found in %s", email, text)
			}
		}
	})
}
