// Package money holds amounts of money: a whole number of a currency's minor units (ISO 4217). Nothing here ever becomes a binary
// floating-point number; text is read and printed digit by digit.
package money

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// Currency is an ISO 4217 alphabetic code such as "EUR".
type Currency string

// minorDigits lists the currencies whose minor unit is not a hundredth (ISO 4217, list one).
var minorDigits = map[Currency]int{
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0, "UGX": 0, "UYI": 0, "VND": 0,
	"VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
	"CLF": 4, "UYW": 4,
}

// hundredths lists the currencies with two decimal digits (ISO 4217, list one, without funds and metals).
const hundredths = " AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE " +
	"CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD " +
	"KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN " +
	"QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS " +
	"VED VES WST XCD XCG YER ZAR ZMW ZWG "

// Valid tells whether c is a currency that we know.
func (c Currency) Valid() bool {
	if _, ok := minorDigits[c]; ok {
		return true
	}
	return len(c) == 3 && !strings.Contains(string(c), " ") && strings.Contains(hundredths, " "+string(c)+" ")
}

// Digits is the number of decimal digits of the currency's minor unit: 0, 2, 3 or 4.
func (c Currency) Digits() int {
	if d, ok := minorDigits[c]; ok {
		return d
	}
	return 2
}

// Amount is a sum of money.
type Amount struct {
	Minor    int64 // in the currency's minor units
	Currency Currency
}

// ErrOverflow is returned when a sum does not fit 63 bits of minor units.
var ErrOverflow = errors.New("the amount is too large")

// Times returns n times the amount, or [ErrOverflow].
func (a Amount) Times(n int) (Amount, error) {
	if n < 0 || a.Minor < 0 {
		return Amount{}, errors.New("an amount and its multiple are not negative")
	}
	hi, lo := bits.Mul64(uint64(a.Minor), uint64(n))
	if hi != 0 || lo > math.MaxInt64 {
		return Amount{}, ErrOverflow
	}
	return Amount{Minor: int64(lo), Currency: a.Currency}, nil
}

// String returns the amount as a decimal with all its digits and no currency: "75.00" for 7500 EUR, "75" for 75 JPY.
func (a Amount) String() string { return decimal(a.Minor, a.Currency.Digits(), false) }

// Number returns the amount as the shortest JSON number: 150.66, 118.5, 75.
func (a Amount) Number() string { return decimal(a.Minor, a.Currency.Digits(), true) }

func decimal(minor int64, digits int, short bool) string {
	u := uint64(minor)
	sign := ""
	if minor < 0 {
		u, sign = -u, "-"
	}
	s := strconv.FormatUint(u, 10)
	for len(s) <= digits {
		s = "0" + s
	}
	whole, fraction := s[:len(s)-digits], s[len(s)-digits:]
	if short {
		fraction = strings.TrimRight(fraction, "0")
	}
	if fraction == "" {
		return sign + whole
	}
	return sign + whole + "." + fraction
}

// Parse reads a non-negative decimal such as "75", "75.0" or "75.00" as an amount of the currency. It refuses signs, exponents,
// grouping, more than 18 digits, and digits beyond the minor unit that are not zero.
func Parse(s string, c Currency) (Amount, error) {
	if !c.Valid() {
		return Amount{}, fmt.Errorf("%q is not an ISO 4217 currency; use a code such as EUR", string(c))
	}
	whole, fraction, dotted := strings.Cut(s, ".")
	if whole == "" || dotted && fraction == "" || !allDigits(whole) || !allDigits(fraction) {
		return Amount{}, fmt.Errorf("%q is not a decimal amount; write it like 75.00", clip(s))
	}
	digits := c.Digits()
	if extra := strings.TrimRight(fraction, "0"); len(extra) > digits {
		return Amount{}, fmt.Errorf("%s has %d decimal digits at most", c, digits)
	}
	for len(fraction) < digits {
		fraction += "0"
	}
	all := strings.TrimLeft(whole+fraction[:digits], "0")
	if len(all) > 18 {
		return Amount{}, ErrOverflow
	}
	if all == "" {
		return Amount{Currency: c}, nil
	}
	minor, err := strconv.ParseInt(all, 10, 64)
	if err != nil {
		return Amount{}, ErrOverflow
	}
	return Amount{Minor: minor, Currency: c}, nil
}

func allDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

func clip(s string) string {
	if len(s) > 32 {
		return s[:32] + "…"
	}
	return s
}
