package account_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/org"
)

func TestResetSetsAPasswordOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.person("kari@example.com", org.Owner)
		b := h.browser()
		b.get("/reset").form("/reset").with("email", "kari@example.com").submit().must(200).says("If there is an account")
		l := h.letter()
		if l.To != "kari@example.com" {
			t.Errorf("the letter is to %s", l.To)
		}
		path := h.path(l)
		late := h.browser().get(path)
		v := b.get(path).must(200).says("kari@example.com").form(path).with("password", "short").submit().must(400).says("at least 12 characters")
		v.form(path).with("password", "another "+password).submit().leads("/account?done=password").follow().must(200).says("Your password is set", "Kari Nordmann")
		b.get("/account").saysNot("Not confirmed yet") // who has the link has the mail
		if p.signedIn() {
			t.Error("the other browser is still signed in")
		}
		p.signIn("kari@example.com", password).must(401)
		p.signIn("kari@example.com", "another "+password).must(303)
		b.get(path).must(404).says("does not work any more", "Ask for a new link")
		late.form(path).with("password", "a third "+password).submit().must(404)
		entries := read(h, func(q db.Querier) ([]audit.Entry, error) {
			return audit.List(q, h.org.No, audit.Filter{Action: "password.reset", Limit: 9})
		})
		if len(entries) != 1 || entries[0].Actor != string(p.ID) || entries[0].Address != "192.0.2.1" {
			t.Errorf("the audit log says %+v", entries)
		}
	})
}

func TestResetDoesNotTellThatThereIsAnAccount(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.account("kari@example.com")
		release := h.mail.holdBack()
		defer release()
		var said []string
		for _, email := range []string{"kari@example.com", "nobody@example.com", "", "nonsense", strings.Repeat("a", 1000) + "@example.com"} {
			v := h.browser().get("/reset").form("/reset").with("email", email).submit().must(200) // although no letter can be sent yet
			said = append(said, v.words())
		}
		for _, s := range said {
			if s != said[0] {
				t.Errorf("the page says %q, and %q", said[0], s)
			}
		}
		release()
		h.letter()
	})
}

func TestNobodyIsBuriedInMail(t *testing.T) {
	some(t, options{}, func(h *house) {
		h.stop(0)
		h.account("kari@example.com")
		ask := func(email string) {
			h.browser().get("/reset").form("/reset").with("email", email).submit().must(200).says("If there is an account")
		}
		for range 10 {
			ask("kari@example.com")
			ask("KARI@example.com")
		}
		if l := h.letters(); len(l) != 3 {
			t.Errorf("after twenty requests, %d letters have come, want 3", len(l))
		}
		h.stop(10 * time.Minute)
		ask("kari@example.com")
		if l := h.letters(); len(l) != 4 {
			t.Errorf("ten minutes later, %d letters have come, want 4", len(l))
		}
	})
}

func TestCloseWaitsForMail(t *testing.T) {
	some(t, options{}, func(h *house) {
		h.account("kari@example.com")
		release := h.mail.holdBack()
		defer release()
		h.browser().get("/reset").form("/reset").with("email", "kari@example.com").submit().must(200)
		closed := make(chan struct{})
		go func() { h.pages.Close(); close(closed) }()
		select {
		case <-closed:
			t.Error("Close did not wait")
		default:
		}
		release()
		<-closed
		h.letter()
	})
}

func TestWithoutMailTheOrganiserIsAsked(t *testing.T) {
	some(t, options{noMail: true}, func(h *house) {
		p := h.person("kari@example.com", "")
		v := h.browser().get("/reset").must(200).says("Ask the organiser")
		if len(v.forms()) != 0 {
			t.Error("there is a form that leads to nothing")
		}
		p.get("/account").must(200).says("Not confirmed yet").saysNot("Send me a link")
		p.post("/reset", p.get("/account").forms()[0].values).must(200).says("Ask the organiser")
		h.browser().get("/sign-up").form("/sign-up").with("email", "ola@example.com", "password", password).submit().must(303)
		h.browser().signIn("ola@example.com", password).must(303)
	})
}

// TestAddressIsConfirmedByWhoHasTheAccount: whoever makes an account with another's address must not get them to confirm it.
func TestAddressIsConfirmedByWhoHasTheAccount(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.person("kari@example.com", "")
		p.get("/account").form("/account/verify").submit().leads("/account?done=verify").follow().says("Look into your mail")
		path := h.path(h.letter())
		owner := h.browser() // of the address, who did not make the account
		v := owner.get(path).must(200).says("Confirm it only if you made it")
		v.form(path).submit().must(401)
		v.form(path).with("password", "a guess of theirs").submit().must(401).says("is not right")
		other := h.person("ola@example.com", "")
		other.get(path).form(path).submit().must(401)
		if !p.user().VerifiedAt.IsZero() || !other.user().VerifiedAt.IsZero() {
			t.Error("an address is confirmed by somebody who does not have the account")
		}
		p.get(path).form(path).submit().leads("/account?done=verified")
		if p.user().VerifiedAt.IsZero() {
			t.Error("the address is not confirmed by who has both")
		}
		p.get(path).must(404).says("does not work any more")
	})
}

func TestConfirmingSignsIn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.person("kari@example.com", "")
		path, b := p.link(org.Verification), h.browser()
		b.get(path).form(path).with("password", password).submit().leads("/account?done=verified").follow().must(200).says("Kari Nordmann", "Your address is confirmed.")
		if p.user().VerifiedAt.IsZero() {
			t.Error("the address is not confirmed")
		}
	})
}

func TestInvitationMakesAnAccount(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		path, b := h.invite("ola@example.com", org.Staff), h.browser()
		v := b.get(path).must(200).says("Join The Hall", "staff at the door", "ola@example.com")
		v.form(path).with("name", "Ola", "password", "short").submit().must(400).says("at least 12 characters")
		v.form(path).with("name", strings.Repeat("x", 201), "password", password).submit().must(400).says("at most 200 characters")
		v.form(path).with("name", "Ola", "password", password).submit().leads("/account?done=joined").follow().must(200).says("Ola", "You have joined.")
		u := read(h, func(q db.Querier) (org.User, error) { return org.UserByEmail(q, "ola@example.com") })
		role := read(h, func(q db.Querier) (org.Role, error) { return org.RoleOf(q, h.org.No, u.No) })
		if role != org.Staff || u.VerifiedAt.IsZero() || u.Name != "Ola" {
			t.Errorf("the person is %q: %+v", role, u)
		}
		b.get(path).must(404).says("does not work any more")
	})
}

func TestInvitationIsTakenByWhoHasTheAccount(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p, other := h.person("kari@example.com", ""), h.person("ola@example.com", "")
		path := h.invite("Kari@example.com", org.Member)
		other.get(path).must(200).form(path).submit().must(401)
		h.browser().get(path).form(path).with("password", "not "+password).submit().must(401).says("is not right")
		v := p.get(path).must(200)
		if v.form(path).values.Has("password") {
			t.Error("who is signed in is asked for the password again")
		}
		v.form(path).submit().leads("/account?done=joined")
		role := read(h, func(q db.Querier) (org.Role, error) { return org.RoleOf(q, h.org.No, p.No) })
		if role != org.Member || p.user().VerifiedAt.IsZero() {
			t.Errorf("the person is %q: %+v", role, p.user())
		}
		if role := read(h, func(q db.Querier) (org.Role, error) { return org.RoleOf(q, h.org.No, other.No) }); role != "" {
			t.Errorf("somebody else has become %q", role)
		}
	})
}

func TestInvitationSignsIn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.account("kari@example.com")
		path, b := h.invite("kari@example.com", org.Member), h.browser()
		b.get(path).form(path).with("password", password).submit().leads("/account?done=joined").follow().must(200).says("kari@example.com", "You have joined.")
	})
}

func TestInvitationDoesNotChangeWhatAMemberIs(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		path := h.invite("kari@example.com", org.Staff)
		p := h.person("kari@example.com", org.Owner)
		p.get(path).form(path).submit().leads("/account?done=joined")
		if role := read(h, func(q db.Querier) (org.Role, error) { return org.RoleOf(q, h.org.No, p.No) }); role != org.Owner {
			t.Errorf("the owner is %q now", role)
		}
	})
}

func TestInvitationsAreSent(t *testing.T) {
	some(t, options{}, func(h *house) {
		l := org.Link{Email: "ola@example.com", Role: org.Admin}
		h.pages.Invited(l, "The Hall", "thesecret")
		got := h.letter()
		if got.To != "ola@example.com" || !strings.Contains(got.Subject, "The Hall") || !strings.Contains(got.Text, "\n"+h.server.URL+"/invitation/thesecret\n") {
			t.Errorf("the letter is %+v", got)
		}
	})
}

func TestLinksOfOneKindAreNotOfAnother(t *testing.T) {
	some(t, options{}, func(h *house) {
		p := h.person("kari@example.com", "")
		_, secret, _ := strings.Cut(p.link(org.Verification), "/verify/")
		for _, path := range []string{"/reset/" + secret, "/invitation/" + secret, "/verify/unknown", "/reset/%00", "/reset/%ff", "/invitation/a%2Fb"} {
			p.get(path).must(404).says("does not work any more")
		}
	})
}
