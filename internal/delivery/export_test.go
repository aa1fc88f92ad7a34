package delivery

// OpenKept opens a kept body as the engine does.
var OpenKept = openKept
