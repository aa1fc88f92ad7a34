package demo

import (
	"strconv"
	"time"
)

// A show is an event of the demonstration's season, with what is for sale.
type show struct {
	name, category              string
	venue, city, region, nation string
	zone, currency              string
	days                        int // from today
	doors, ends                 string
	lots                        []lot // the cheapest last
}

// A lot is a listing. Seats are numbered where there are labels, else there are as many places as it says.
type lot struct {
	section, row string
	seats        []string
	places       int
	price        string
	rule         string
}

// season is what goes on sale: houses that do not exist, in zones and currencies that do.
func season() []show {
	return []show{
		{
			name: "Winter Light, the Ensemble Nordavind", category: "music",
			venue: "Ishavshallen", city: "Tromsø", nation: "NO", zone: "Europe/Oslo", currency: "NOK",
			days: 33, doors: "19:30", ends: "22:00",
			lots: []lot{
				{section: "Parkett", row: "4", seats: seats(11, 18), price: "640.00", rule: "avoid_one"},
				{section: "Balkong", row: "1", seats: seats(1, 12), price: "420.00"},
			},
		},
		{
			name: "The Paper Lanterns", category: "music",
			venue: "Tramshed Nine", city: "Manchester", nation: "GB", zone: "Europe/London", currency: "GBP",
			days: 41, doors: "20:00", ends: "23:00",
			lots: []lot{
				{section: "Gallery", row: "A", seats: seats(1, 24), price: "41.00", rule: "pairs"},
				{section: "Floor", row: "GA", places: 350, price: "28.50"},
			},
		},
		{
			name: "A Quiet Room: Piano at Midnight", category: "music",
			venue: "Hoshikage Studio", city: "Tokyo", nation: "JP", zone: "Asia/Tokyo", currency: "JPY",
			days: 19, doors: "23:30", ends: "",
			lots: []lot{{section: "Room", row: "1", seats: seats(1, 2), price: "8800", rule: "none"}},
		},
		{
			name: "Copperline Roundup, opening night", category: "sports",
			venue: "Mesa Verde Fairground", city: "Phoenix", region: "AZ", nation: "US", zone: "America/Phoenix", currency: "USD",
			days: 58, doors: "18:45", ends: "22:30",
			lots: []lot{
				{section: "Grandstand 12", row: "F", seats: seats(1, 20), price: "75.00"},
				{section: "Lawn", row: "GA", places: 800, price: "19.99"},
			},
		},
		{
			name: "Estação do Samba", category: "festival",
			venue: "Galpão Rio Claro", city: "São Paulo", region: "SP", nation: "BR", zone: "America/Sao_Paulo", currency: "BRL",
			days: 72, doors: "16:00", ends: "23:59",
			lots: []lot{{section: "Pista", row: "GA", places: 1200, price: "180.00"}},
		},
		{
			name: "Oud and Tide", category: "music",
			venue: "Dar Al Marsa", city: "Kuwait City", nation: "KW", zone: "Asia/Kuwait", currency: "KWD",
			days: 26, doors: "21:00", ends: "23:00",
			lots: []lot{{section: "Majlis", row: "2", seats: seats(5, 14), price: "12.500"}},
		},
		{
			name: "Harbour Improv Marathon", category: "comedy",
			venue: "The Tide Shed", city: "Wellington", nation: "NZ", zone: "Pacific/Auckland", currency: "NZD",
			days: 47, doors: "17:15", ends: "21:00",
			lots: []lot{{section: "Stalls", row: "C", seats: seats(1, 16), price: "32.00", rule: "avoid_one_and_three"}},
		},
	}
}

func (s show) free() int {
	n := 0
	for _, l := range s.lots {
		n += l.size()
	}
	return n
}

func (l lot) size() int { return max(len(l.seats), l.places) }

// at is a wall clock of the show's day where it takes place, as the API takes it.
func (s show) at(now time.Time, clock string) string {
	zone, err := time.LoadLocation(s.zone)
	if err != nil || clock == "" {
		return ""
	}
	return now.In(zone).AddDate(0, 0, s.days).Format(time.DateOnly) + "T" + clock + ":00"
}

func seats(from, to int) []string {
	labels := make([]string, 0, to-from+1)
	for n := from; n <= to; n++ {
		labels = append(labels, strconv.Itoa(n))
	}
	return labels
}
