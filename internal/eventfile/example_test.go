package eventfile_test

import (
	"errors"
	"fmt"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/eventfile"
)

func ExampleOpen() {
	file := strings.NewReader(`id,name,start_date,start_time,city,country
jazz-1,Harbour Jazz,2027-08-14,20:30,Bergen,Norway
jazz-2,Harbour Jazz,15 August,20:30,Bergen,Norway
jazz-3,Harbour Jazz,2027-08-16,20:30,Bergen,Norway
`)
	r, err := eventfile.Open("season.csv", file, eventfile.Options{Timezone: "Europe/Oslo"})
	if err != nil {
		fmt.Println("nothing was read:", err)
		return
	}
	for ev, err := range r.All() {
		var bad *eventfile.RowError
		if errors.As(err, &bad) {
			fmt.Println(bad)
			continue
		}
		fmt.Println(ev.EventID, ev.StartLocal, ev.Timezone, ev.Country)
	}
	// Output:
	// jazz-1 2027-08-14T20:30:00 Europe/Oslo NO
	// line 3: start_date: “15 August” is not a date: write it as 2026-08-14
	// jazz-3 2027-08-16T20:30:00 Europe/Oslo NO
}
