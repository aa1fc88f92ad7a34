package dashboard

import (
	"testing"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// TestPeopleSignInAndSeeWhatTheirRoleAllows is the way in: "/" leads to sign in, and from there to the organisation.
func TestPeopleSignInAndSeeWhatTheirRoleAllows(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := newHall(t, st)
		b := h.signIn(t)
		b.sees("At a glance", "Webhooks", "Members").sound("glance")
		b.open("/o/org_00000000000000000000000000").sees("There is no such organisation")
		b.press("Sign out").sees("Sign in")
		b.open("~")
		b.until("the sign-in", "location.pathname === '/login'")
	})
}
