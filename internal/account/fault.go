package account

import (
	"math"
	"strconv"

	"github.com/stagedoorhq/stagedoor/internal/page"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// headings are what pages say of problems, by their codes.
var headings = map[string]string{
	"forged_form":       "This page is out of date",
	"sign_up_closed":    "Accounts are made by invitation",
	"link_invalid":      "This link does not work any more",
	"sign_in_throttled": "Too many tries",
	"too_many_requests": "Too many tries",
	"grant_not_found":   "It is not there any more",
	"token_not_found":   "It is not there any more",
	"internal":          "Something went wrong",
}

// fail shows what went wrong: a problem in its own words, all else in none. leads are where to go from there.
func (v *visit) fail(err error, leads ...lead) {
	shown := problem.As(err)
	if shown == nil {
		request := v.r.Header.Get("X-Request-Id")
		v.p.Log.ErrorContext(v.r.Context(), "page failed", "request_id", request, "path", v.r.Pattern, "error", err)
		shown = problem.New(0, "internal", "It is our fault. Go back and try again.")
		if request != "" {
			shown.Detail = "It is our fault. Go back and try again; if it stays, tell the operator the number " + request + "."
		}
	}
	v.retryAfter(shown)
	heading, ok := headings[shown.Code]
	if !ok {
		heading = "This does not work"
	}
	if err := v.say(shown.Kind.Status(), heading, sentence(shown), leads...); err != nil {
		v.p.Log.ErrorContext(v.r.Context(), "page failed", "path", v.r.Pattern, "error", err)
	}
}

func (v *visit) retryAfter(p *problem.Error) {
	if p.RetryAfter > 0 {
		v.w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(p.RetryAfter.Seconds()))))
	}
}

// sentence is what a problem says to a person.
func sentence(p *problem.Error) string {
	if len(p.Fields) == 0 {
		return p.Detail
	}
	said := ""
	for i, f := range p.Fields {
		if i > 0 {
			said += " "
		}
		said += f.Detail
	}
	return said
}

// complaints are what a problem says of a form whose fields' ids begin so.
func complaints(p *problem.Error, prefix string) page.Complaints {
	return page.ComplaintsOf(p, prefix, map[string]string{"/email": "email", "/name": "name", "/password": "password", "/expiresInDays": "days", "/scope": "scope", "/org": "org"})
}
