package eventfile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Longest texts, in characters. What is longer was put into the wrong column.
const (
	maxName        = 500
	maxShort       = 1_000  // id, venue, city, region, category, each keyword
	maxURL         = 2_000  // in bytes
	maxDescription = 50_000 // about ten pages
	maxKeywords    = 100
)

// words are the names that a form has for the fields, so that a person is told of a fault in the words of the file.
type words struct {
	id, name, url, description, start, end, venue, city, region, country, category, keywords, currency string
}

// draft is a row whose form is understood and whose content is not yet checked; all three forms end in it.
type draft struct {
	id, name, url, description string
	start, end                 moment
	zone                       string // IANA zone for moments that have none; empty for the default
	place                      place
	at                         point
	online                     bool // counts only where place is empty
	category, currency         string
	keywords                   []string
	status                     Status // empty for scheduled
}

// event checks the draft and makes the record.
func (d draft) event(w *words, z *zones) (Event, error) {
	ev := Event{
		SourceID:    oneLine(d.id),
		Name:        oneLine(d.name),
		Description: prose(d.description),
		Keywords:    distinct(d.keywords),
		Category:    oneLine(d.category),
		Currency:    strings.ToUpper(oneLine(d.currency)),
		Status:      d.status,
	}
	if ev.SourceID == "" {
		return Event{}, bad(w.id, "is missing: without an id that stays, a second import could not know the event again")
	}
	if ev.Name == "" {
		return Event{}, bad(w.name, "is missing")
	}
	if ev.Status == "" {
		ev.Status = Scheduled
	}
	if ev.Category == "" && len(ev.Keywords) > 0 {
		ev.Category = ev.Keywords[0]
	}
	ev.EventID = eventID(ev.SourceID)

	var err error
	if ev.URL, err = webAddress(d.url); err != nil {
		return Event{}, bad(w.url, "%v", err)
	}
	if err := ev.setPlace(d, w); err != nil {
		return Event{}, err
	}
	if err := ev.setTimes(d, w, z); err != nil {
		return Event{}, err
	}
	if err := ev.checkLengths(w); err != nil {
		return Event{}, err
	}
	if !currencyForm(ev.Currency) {
		return Event{}, bad(w.currency, "%s is not a currency: write the three letters of ISO 4217, such as EUR", quote(ev.Currency))
	}
	return ev, nil
}

func (ev *Event) setPlace(d draft, w *words) error {
	p, err := d.place.clean()
	if err != nil {
		return bad(w.country, "%v", err)
	}
	ev.Venue, ev.City, ev.Region, ev.Country = p.venue, p.city, p.region, p.country
	ev.Online = d.online && p == place{}
	if p != (place{}) {
		ev.Latitude, ev.Longitude = d.at.latitude, d.at.longitude
	}
	return nil
}

func (ev *Event) checkLengths(w *words) error {
	for _, f := range []struct {
		field, text string
		most        int
	}{
		{w.id, ev.SourceID, maxShort},
		{w.name, ev.Name, maxName},
		{w.description, ev.Description, maxDescription},
		{w.venue, ev.Venue, maxShort},
		{w.city, ev.City, maxShort},
		{w.region, ev.Region, maxShort},
		{w.category, ev.Category, maxShort},
	} {
		if n := utf8.RuneCountInString(f.text); n > f.most {
			return bad(f.field, "has %d characters, at most %d are taken", n, f.most)
		}
	}
	if len(ev.Keywords) > maxKeywords {
		return bad(w.keywords, "has %d entries, at most %d are taken", len(ev.Keywords), maxKeywords)
	}
	for _, k := range ev.Keywords {
		if utf8.RuneCountInString(k) > maxShort {
			return bad(w.keywords, "has an entry of more than %d characters", maxShort)
		}
	}
	return nil
}

// eventID gives the id under which an event of that source id is kept. Its answers are for ever: another answer would make a
// second event of each one imported before. "." and ".." are of the right form, but mean something else in a path.
func eventID(sourceID string) string {
	if len(sourceID) <= 64 && idAlphabet(sourceID) && sourceID != "." && sourceID != ".." {
		return sourceID
	}
	sum := sha256.Sum256([]byte(sourceID))
	return "src-" + hex.EncodeToString(sum[:16])
}

// idAlphabet reports whether s has only the characters A–Z a–z 0–9 . _ -, and at least one.
func idAlphabet(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return s != ""
}

func currencyForm(s string) bool {
	return s == "" || len(s) == 3 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// webAddress checks an address that pages will link to: "javascript:" must not get through.
func webAddress(s string) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || len(s) > maxURL {
		return "", fmt.Errorf("%s is not a web address that begins with https:// or http://", quote(s))
	}
	return s, nil
}

// oneLine gives s without control characters, in one line, with single spaces.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "\uFFFD"), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
}

// prose gives s with its lines, ended by \n, and without other control characters.
func prose(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(s)
}

// distinct gives the entries of list, cleaned, without empty ones and repetitions.
func distinct(list []string) []string {
	var out []string
	for _, s := range list {
		if s = oneLine(s); s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
		if len(out) > maxKeywords {
			break
		}
	}
	return out
}

// quote gives s in quotation marks for a message, cut where it is long.
func quote(s string) string {
	s = oneLine(s)
	if r := []rune(s); len(r) > 60 {
		s = string(r[:60]) + "…"
	}
	return "“" + s + "”"
}
