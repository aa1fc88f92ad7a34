package eventfile

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// place is where an event is. Country is a name or a code until clean has seen it.
type place struct {
	venue, city, region, country string
}

// clean gives p in the form of the record, or an error about its country.
//
// A city "San Jose, CA" is taken apart where no region is given. A venue that only repeats the city is none.
func (p place) clean() (place, error) {
	p.venue, p.city, p.region, p.country = oneLine(p.venue), oneLine(p.city), oneLine(p.region), oneLine(p.country)
	written := p.city
	if p.region == "" {
		p.city, p.region = cityAndRegion(p.city)
	}
	if strings.EqualFold(p.venue, written) || strings.EqualFold(p.venue, p.city+", "+p.region) {
		p.venue = ""
	}
	if p.country == "" {
		return p, nil
	}
	code, ok := countryCode(p.country)
	if !ok {
		return place{}, fmt.Errorf("%s is not a country known here: write its two letters of ISO 3166-1, such as NO", quote(p.country))
	}
	p.country = code
	return p, nil
}

// point is where a place is on the map, in degrees; nil for what is not known.
type point struct {
	latitude, longitude *float64
}

// parsePoint reads decimal degrees; the zero point where either is not a place on Earth, for many files have nothing but zeros or dots there.
func parsePoint(latitude, longitude string) point {
	lat, errLat := strconv.ParseFloat(strings.TrimSpace(latitude), 64)
	lon, errLon := strconv.ParseFloat(strings.TrimSpace(longitude), 64)
	if errLat != nil || errLon != nil || !(math.Abs(lat) <= 90) || !(math.Abs(lon) <= 180) || lat == 0 && lon == 0 {
		return point{}
	}
	return point{&lat, &lon}
}

// cityAndRegion takes "San Jose, CA" apart; a region is known by its two or three capital letters.
func cityAndRegion(city string) (string, string) {
	i := strings.LastIndexByte(city, ',')
	if i < 0 {
		return city, ""
	}
	name, region := strings.TrimSpace(city[:i]), strings.TrimSpace(city[i+1:])
	if name == "" || !regionCode(region) {
		return city, ""
	}
	return name, region
}

// regionCode reports whether s is of the form of a state's or province's letters: "CA", "NSW".
func regionCode(s string) bool {
	return (len(s) == 2 || len(s) == 3) && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// parsePlace understands a place that is written as one text, and says whether that means online. The text is read from its
// end: "Pune, India", "San Jose, CA, U.S.A.", "Moscone Center, 747 Howard St, San Francisco, CA 94103, United States". What
// stands before the city is the venue with its address. Where the end is not a country's name, all of it is the venue: a guess
// would invent a place. (Of two letters only UK and US count as countries here; "San Jose, CA" is not in Canada.)
func parsePlace(text string) (p place, online bool) {
	text = oneLine(text)
	if saysOnline(text) {
		return place{}, true
	}
	parts := strings.Split(text, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	last := parts[len(parts)-1]
	code, known := countryCode(last)
	if !known || len(last) == 2 && last != "UK" && last != "US" {
		return place{venue: text}, false
	}
	p.country = code
	parts = parts[:len(parts)-1]
	if n := len(parts); n > 1 {
		// "CA 94103": the letters are the region, the rest is the post code.
		if region, _, _ := strings.Cut(parts[n-1], " "); regionCode(region) {
			p.region, parts = region, parts[:n-1]
		}
	}
	if n := len(parts); n > 0 {
		p.city, parts = withoutPostCode(parts[n-1]), parts[:n-1]
	}
	p.venue = strings.Join(parts, ", ")
	return p, false
}

// withoutPostCode drops the digits before or after a city's name: "10115 Berlin", "Oslo 0150".
func withoutPostCode(city string) string {
	isNumber := func(s string) bool { return len(s) >= 3 && strings.Trim(s, "0123456789-") == "" }
	if number, rest, ok := strings.Cut(city, " "); ok && isNumber(number) {
		return strings.TrimSpace(rest)
	}
	if i := strings.LastIndexByte(city, ' '); i > 0 && isNumber(city[i+1:]) {
		return strings.TrimSpace(city[:i])
	}
	return city
}

// saysOnline reports whether a place's text is a word or an address of the net instead of a place.
func saysOnline(text string) bool {
	text = strings.ToLower(text)
	switch text {
	case "online", "online event", "online only", "virtual", "virtual event", "remote", "webinar", "zoom", "internet":
		return true
	}
	return strings.HasPrefix(text, "https://") || strings.HasPrefix(text, "http://")
}
