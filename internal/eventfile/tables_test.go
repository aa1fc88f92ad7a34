package eventfile

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/text/language"
)

// TestCountryTableAgreesWithCLDR compares the table's codes with those of x/text, which has them from the Unicode CLDR.
func TestCountryTableAgreesWithCLDR(t *testing.T) {
	rows := 0
	first := make(map[string]string) // of each name, its code
	for line := range strings.Lines(strings.TrimSpace(countryTable)) {
		rows++
		names := strings.Split(strings.TrimSpace(line), "|")
		region, err := language.ParseRegion(names[0])
		if err != nil || !region.IsCountry() {
			t.Errorf("%s is no country: %v", names[0], err)
			continue
		}
		if iso3 := region.ISO3(); iso3 != names[1] && names[0] != "XK" {
			t.Errorf("%s has the three letters %s, want %s", names[0], names[1], iso3)
		}
		for _, name := range names {
			if code, twice := first[countryKey(name)]; twice {
				t.Errorf("%q stands for %s and for %s", name, code, names[0])
			}
			first[countryKey(name)] = names[0]
		}
	}
	if want := 249 + 1; rows != want { // ISO 3166-1, and XK for Kosovo, which all use
		t.Errorf("the table has %d countries, want %d", rows, want)
	}
}

func TestWindowsZonesAreIANAZones(t *testing.T) {
	for name, zone := range windowsZones() {
		if _, err := time.LoadLocation(zone); err != nil {
			t.Errorf("%q = %q: %v", name, zone, err)
		}
	}
	if n := len(windowsZones()); n < 130 {
		t.Errorf("the table has %d zones, want at least 130", n)
	}
}

func TestZonesByOffsetHaveTheirOffsetAtSomeTimeOfTheYear(t *testing.T) {
	for east := -12 * 3600; east <= 14*3600; east += 15 * 60 {
	names:
		for _, name := range zonesByOffset(east) {
			loc, err := time.LoadLocation(name)
			if err != nil {
				t.Error(err)
				continue
			}
			for month := range 12 {
				if _, e := time.Date(2020, time.Month(month+1), 1, 0, 0, 0, 0, loc).Zone(); e == east {
					continue names
				}
			}
			if name != "Australia/Darwin" && name != "Australia/Lord_Howe" && name != "Australia/Adelaide" {
				t.Errorf("%s never has %d s east", name, east)
			}
		}
	}
}
