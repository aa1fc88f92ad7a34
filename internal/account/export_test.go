package account

// ShownHost is a host as a person is shown it.
func ShownHost(host string) string { return shownHost(host) }

// Browser is what a browser is called.
func Browser(agent string) string { return browser(agent) }

// StyleSheet is the style sheet.
func StyleSheet() string { return string(styleSheet) }
