package account

import (
	"fmt"
	"strings"
	"time"
)

// browsers and systems are the words of a User-Agent by which people know them. Those come first that have the words of others in them too.
var (
	browsers = [][2]string{
		{"Edg", "Edge"},
		{"OPR/", "Opera"},
		{"SamsungBrowser/", "Samsung Internet"},
		{"Firefox/", "Firefox"},
		{"FxiOS/", "Firefox"},
		{"CriOS/", "Chrome"},
		{"Chrome/", "Chrome"},
		{"Safari/", "Safari"},
	}
	systems = [][2]string{
		{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"CrOS", "ChromeOS"}, {"Mac OS X", "Mac"}, {"Linux", "Linux"},
	}
)

// browser says what a browser is, in few words, from what it calls itself. It is only to be recognised by, so what is not known is shown as it is, cut.
func browser(agent string) string {
	find := func(known [][2]string) string {
		for _, k := range known {
			if strings.Contains(agent, k[0]) {
				return k[1]
			}
		}
		return ""
	}
	name, system := find(browsers), find(systems)
	switch {
	case name != "" && system != "":
		return name + " on " + system
	case name != "":
		return name
	}
	if first, _, _ := strings.Cut(agent, " "); first != "" {
		if r := []rune(first); len(r) > 40 {
			return string(r[:40]) + "…"
		}
		return first
	}
	return "A browser"
}

// ago says how long ago something was.
func ago(now, t time.Time) string {
	switch d := now.Sub(t); {
	case d < 2*time.Minute:
		return "just now"
	case d < time.Hour:
		return fmt.Sprintf("%d minutes ago", int(d.Minutes()))
	case d < 2*time.Hour:
		return "an hour ago"
	case d < 24*time.Hour:
		return fmt.Sprintf("%d hours ago", int(d.Hours()))
	}
	return "on " + day(t)
}
