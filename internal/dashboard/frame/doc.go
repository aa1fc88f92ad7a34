// Package frame is what the pages of the dashboard stand in: who is looking, in which organisation, what they may do there, and how a page is shown.
//
// The rooms (packages beside this one) each bring pages and handlers:
//
//	var pages = frame.Pages(files)                     // templates: each file defines "body", and may define fragments
//	f.Get("/orders", frame.Scope(scope.TicketsRead), r.orders)
//	f.Post("/orders/{id}/accept", frame.Scope(scope.TicketsWrite), r.accept)
//
// Paths are those below /o/{org}. A handler gets a [Visit]: the person, the organisation, the principal whose rights were checked, and of a POST the form, whose token was
// checked. It answers with [Visit.Show], [Visit.Fragment] (for htmx), [Visit.Done] (after something was changed), [Visit.CSV], or returns an error, which is shown:
// a problem in its own words, all else in none.
//
// # What is promised
//
//   - Nobody sees what their role does not allow; an organisation that somebody does not belong to is not there.
//   - Every form carries a token bound to the session; cross-origin posts are refused.
//   - What cannot be undone asks once ([Visit.Sure]), also without scripts.
//   - Instants are shown in the viewer's zone, which is said; what is about an event also in the event's.
//   - A page says what went wrong in the user's words, and an empty list says what to do next.
package frame
