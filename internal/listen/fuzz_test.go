package listen

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/stagedoorhq/stagedoor/webhook"
)

// FuzzDress holds that whatever a server says came with an event makes headers that can be sent, and that are not about the other request. The headers are
// a stranger's, who may send to a developer endpoint.
func FuzzDress(f *testing.F) {
	f.Add(`{"id":"evt_1","event":"order.confirmed","headers":{"Content-Type":"application/json","x-pullup-signature":"cafe","host":"a"},"body":"{}"}`)
	f.Add(`{"id":"evt 1","event":"\n","headers":{"A:B":"c","d":"e\r\nf","g":"[hidden]","":""}}`)
	var dressers []*dresser
	for _, format := range append(Formats(), "") {
		d, err := newDresser(format, webhook.NewSecret(), "test")
		if err != nil {
			f.Fatal(err)
		}
		dressers = append(dressers, d)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var it item
		if json.Unmarshal([]byte(text), &it) != nil {
			t.Skip()
		}
		for _, d := range dressers {
			h, err := d.dress(&it, time.Unix(1_790_000_000, 0))
			if err != nil {
				continue
			}
			for name, values := range h {
				if !httpguts.ValidHeaderFieldName(name) || name != "User-Agent" && slices.Contains(ours, name) {
					t.Errorf("a header %q", name)
				}
				for _, v := range values {
					if !httpguts.ValidHeaderFieldValue(v) {
						t.Errorf("%s: %q", name, v)
					}
				}
			}
		}
	})
}
