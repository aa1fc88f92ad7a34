//go:build race

package ticketcode_test

const raceEnabled = true
