package money_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/money"
	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		text     string
		currency money.Currency
		want     int64
	}{
		{"75", "EUR", 7500},
		{"75.0", "EUR", 7500},
		{"75.00", "EUR", 7500},
		{"75.000000", "EUR", 7500},
		{"0.01", "USD", 1},
		{"0", "USD", 0},
		{"00075.5", "EUR", 7550},
		{"75", "JPY", 75},
		{"75.00", "JPY", 75},
		{"1.234", "KWD", 1234},
		{"1.2345", "CLF", 12345},
		{"9999999999999999.99", "EUR", 999999999999999999},
	} {
		got, err := money.Parse(c.text, c.currency)
		if want := (money.Amount{Minor: c.want, Currency: c.currency}); got != want || err != nil {
			t.Errorf("Parse(%q, %s): %+v, %v; want %+v", c.text, c.currency, got, err, want)
		}
	}
	for _, c := range []struct {
		text     string
		currency money.Currency
		want     string
	}{
		{"", "EUR", "decimal amount"},
		{".5", "EUR", "decimal amount"},
		{"5.", "EUR", "decimal amount"},
		{"-1", "EUR", "decimal amount"},
		{"+1", "EUR", "decimal amount"},
		{"1e3", "EUR", "decimal amount"},
		{"1,000.00", "EUR", "decimal amount"},
		{"1.0.0", "EUR", "decimal amount"},
		{" 1", "EUR", "decimal amount"},
		{"1 ", "EUR", "decimal amount"},
		{"１", "EUR", "decimal amount"},
		{"0x10", "EUR", "decimal amount"},
		{"NaN", "EUR", "decimal amount"},
		{"∞", "EUR", "decimal amount"},
		{"1_000", "EUR", "decimal amount"},
		{strings.Repeat("9", 1_000_000) + "x", "EUR", "decimal amount"},
		{"0.001", "EUR", "2 decimal digits at most"},
		{"0.1", "JPY", "0 decimal digits at most"},
		{"1.0001", "KWD", "3 decimal digits at most"},
		{"10000000000000000.00", "EUR", "too large"},
		{strings.Repeat("9", 1_000_000), "EUR", "too large"},
		{"1", "", "ISO 4217"},
		{"1", "eur", "ISO 4217"},
		{"1", "EURO", "ISO 4217"},
		{"1", "XXX", "ISO 4217"},
		{"1", "U D", "ISO 4217"},
		{"1", "D A", "ISO 4217"},
	} {
		_, err := money.Parse(c.text, c.currency)
		if err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 200 {
			t.Errorf("Parse(%.40q, %q): %v, want a short error with %q", c.text, c.currency, err, c.want)
		}
	}
}

var wellFormed = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)

// oracle says with math/big what Parse should answer.
func oracle(s string, c money.Currency) (minor int64, ok bool) {
	if !wellFormed.MatchString(s) {
		return 0, false
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return 0, false
	}
	r.Mul(r, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(c.Digits())), nil)))
	if !r.IsInt() || r.Num().Cmp(big.NewInt(999_999_999_999_999_999)) > 0 {
		return 0, false
	}
	return r.Num().Int64(), true
}

var currencies = []money.Currency{"EUR", "USD", "JPY", "KWD", "CLF"}

func checkParse(t interface{ Errorf(string, ...any) }, s string, c money.Currency) {
	want, ok := oracle(s, c)
	got, err := money.Parse(s, c)
	if (err == nil) != ok || got.Minor != want {
		t.Errorf("Parse(%q, %s): %d, %v; math/big says %d, %v", s, c, got.Minor, err, want, ok)
		return
	}
	if err != nil {
		return
	}
	for _, text := range []string{got.String(), got.Number()} {
		if again, err := money.Parse(text, c); again != got || err != nil {
			t.Errorf("%s %s prints as %q, which reads as %+v, %v", s, c, text, again, err)
		}
	}
}

func TestParseAgreesWithBigRationals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`[0-9]{0,20}(\.[0-9]{0,8})?[-+e. ]?`).Draw(t, "text")
		checkParse(t, s, rapid.SampledFrom(currencies).Draw(t, "currency"))
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"75.00", "0.001", "9999999999999999.99", "-1", ".", "00", "1e9", "١"} {
		for i := range currencies {
			f.Add(s, uint8(i))
		}
	}
	f.Fuzz(func(t *testing.T, s string, i uint8) {
		if len(s) < 1000 { // big numbers are slow where ours are not
			checkParse(t, s, currencies[int(i)%len(currencies)])
		}
	})
}

func TestAmountsPrintTheirDigits(t *testing.T) {
	for _, c := range []struct {
		minor        int64
		currency     money.Currency
		text, number string
	}{
		{7500, "EUR", "75.00", "75"},
		{15066, "EUR", "150.66", "150.66"},
		{11850, "EUR", "118.50", "118.5"},
		{1, "EUR", "0.01", "0.01"},
		{0, "EUR", "0.00", "0"},
		{75, "JPY", "75", "75"},
		{700, "JPY", "700", "700"},
		{5, "KWD", "0.005", "0.005"},
		{-150, "EUR", "-1.50", "-1.5"},
		{math.MaxInt64, "EUR", "92233720368547758.07", "92233720368547758.07"},
		{math.MinInt64, "EUR", "-92233720368547758.08", "-92233720368547758.08"},
	} {
		a := money.Amount{Minor: c.minor, Currency: c.currency}
		if a.String() != c.text || a.Number() != c.number {
			t.Errorf("%d minor units of %s print as %q and %q, want %q and %q", c.minor, c.currency, a, a.Number(), c.text, c.number)
		}
	}
}

func TestTimesIsExactOrSaysThatItOverflows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		minor, n := rapid.Int64Min(0).Draw(t, "minor"), rapid.IntMin(0).Draw(t, "n")
		want := new(big.Int).Mul(big.NewInt(minor), big.NewInt(int64(n)))
		got, err := money.Amount{Minor: minor, Currency: "EUR"}.Times(n)
		switch {
		case want.IsInt64() && (err != nil || got.Minor != want.Int64() || got.Currency != "EUR"):
			t.Errorf("%d times %d: %+v, %v; want %v", minor, n, got, err, want)
		case !want.IsInt64() && !errors.Is(err, money.ErrOverflow):
			t.Errorf("%d times %d: %+v, %v; want ErrOverflow", minor, n, got, err)
		}
	})
	for _, c := range []struct {
		minor int64
		n     int
	}{{-1, 1}, {1, -1}, {math.MinInt64, 1}} {
		if a, err := (money.Amount{Minor: c.minor, Currency: "EUR"}).Times(c.n); err == nil {
			t.Errorf("%d times %d: %+v", c.minor, c.n, a)
		}
	}
}

func TestDecimalKeepsDigitsAsTheyWereWritten(t *testing.T) {
	for in, want := range map[string]string{
		`"75.00"`: "75.00", `75.00`: "75.00", `0.1`: "0.1", `1e3`: "1e3", `-5`: "-5", `"x"`: "x", `12345678901234567890.123`: "12345678901234567890.123",
	} {
		var got struct{ Price money.Decimal }
		if err := json.Unmarshal([]byte(`{"price": `+in+`}`), &got); err != nil || string(got.Price) != want {
			t.Errorf("decimal %s: %q, %v; want %q", in, got.Price, err, want)
		}
	}
	for _, in := range []string{`true`, `{}`, `[1]`, `"` + strings.Repeat("1", 64) + `"`} {
		var d money.Decimal
		if err := json.Unmarshal([]byte(in), &d); err == nil {
			t.Errorf("decimal %s was taken as %q", in, d)
		}
	}
	if b, err := json.Marshal(map[string]any{"a": money.Number(money.Amount{Minor: 11850, Currency: "EUR"}.Number())}); string(b) != `{"a":118.5}` || err != nil {
		t.Errorf("a number in JSON: %s, %v", b, err)
	}
}
