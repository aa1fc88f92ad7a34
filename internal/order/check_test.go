package order_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/order"
)

// FuzzOrderID: an order has one id, so whatever leads to a row is spelled as we spell it.
func FuzzOrderID(f *testing.F) {
	for _, s := range []string{"order_178290000012300042", "order_1", "order_0", "order_-1", "order_+1", "order_01", "order_99999999999999999999", "", "1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, ok := order.Number(id.Order(s)); ok && (n <= 0 || fmt.Sprintf("order_%d", n) != s) {
			t.Errorf("%q is taken as the id of order %d", s, n)
		}
	})
}

// FuzzEmail: what is taken as an address goes into a header and a log without doing harm.
func FuzzEmail(f *testing.F) {
	for _, s := range []string{"kari@example.test", "o'hara+tag@sub.example.co.uk", "kari@bücher.example", "a@b", "\"a b\"@example.test", "a@b.c\r\nX: y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !order.ValidEmail(s) {
			return
		}
		if len(s) > 254 || strings.ContainsAny(s, " \t\r\n\x00<>,;") || strings.Count(s, "@") != 1 {
			t.Errorf("%q is taken as an e-mail address", s)
		}
	})
}
