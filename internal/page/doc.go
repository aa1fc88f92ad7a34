// Package page is what every HTML page of the server stands on: forms and what is wrong with their fields, the headers that keep a page to itself, and files with
// their hashes in their names.
//
// A page has no script and no style of its own, and loads and sends nothing elsewhere: [Private] says so to the browser. What people wrote reaches a page through
// html/template alone, as text.
package page
