package ethpass

import (
	"encoding/json"
	"net/http"
	"path"
	"testing"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

func TestAWalletSignsForItsPasses(t *testing.T) {
	harness.Tool(t, "node", unrun)
	chain.plays(t, "chain.mjs")
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) { asksFor(t, st, "wallet.mjs", nil) })
}

// asksFor runs a program that makes passes by itself.
func asksFor(t *testing.T, st *harness.Stage, script string, more body) {
	t.Helper()
	d := open(t, st)
	given := body{"base": d.URL, "publicURL": publicURL, "key": d.Key, "ticket": d.ticket(t)}
	for name, value := range more {
		given[name] = value
	}
	var said struct {
		Faults []string
		Checks int
	}
	runs(t, script, given, &said)
	for _, fault := range said.Faults {
		t.Errorf("%s: %s", script, fault)
	}
	if said.Checks == 0 {
		t.Errorf("%s has looked at nothing", script)
	}
}

func TestJoseVerifiesWhatIsSavedWithGoogle(t *testing.T) {
	g := harness.PlayGoogle(t, "3388000000012345678")
	things := harness.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewEncoder(w).Encode(g.Thing(path.Base(r.URL.Path))); err != nil {
			t.Error(err)
		}
	})
	flags := []string{"--google-service-account", g.Account, "--google-issuer", g.Issuer, "--google-wallet-api", g.API, "--google-save-url", g.SaveURL}
	harness.OnStagesWith(t, "google", flags, func(t *testing.T, st *harness.Stage) {
		asksFor(t, st, "google.mjs", body{"things": things, "account": g.Account, "issuer": g.Issuer, "saveURL": g.SaveURL})
	})
}
