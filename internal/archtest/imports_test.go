package archtest

import (
	"path"
	"slices"
	"strings"
	"testing"
)

// house is who may import whom. A package stands in one row and may import the
// packages of the rows named under may; everything else of this module is closed
// to it. Names are relative to internal/, or to the module's root where they
// begin with "./"; a name that ends in "/..." takes in what lies below it.
//
// Read from the bottom up: assembly puts everything together; faces and dialects
// speak to the world; traffic carries parcels and does not know what is in them;
// trade and doors hold the rules; store keeps; leaves are plain values. So no
// dialect imports another, nobody but assembly imports a face, and traffic never
// imports trade.
var house = []group{
	{name: "public", packages: "./webhook ./ticketcode", may: ""},
	{name: "leaves", packages: "id money problem fact scope seal person provider evm qrcode", may: "leaves public"}, // provider checks what webhook signs
	{name: "store", packages: "db ledger audit", may: "leaves store"},
	{name: "trade", packages: "org event inventory order message eventfile ticket gate pass pass/picture pass/apple pass/google stamp", may: "leaves store trade public"},
	{name: "doors", packages: "access proof oauth idempotency form", may: "leaves store doors"},
	{name: "traffic", packages: "endpoint dialect delivery chart egress inbound mail pull evm/node", may: "leaves store traffic public"},
	{name: "vocabulary", packages: "dialect/house", may: "leaves store trade traffic public"},
	{name: "dialects", packages: "dialect/native dialect/pullup dialect/portal dialect/standard dialect/cloudevents dialect/forward dialect/stubhub dialect/ethpass dialect/passkit dialect/hookbridge", may: "leaves store trade doors traffic public vocabulary"},
	{name: "frame", packages: "page dashboard/frame", may: "leaves store trade doors traffic frame public"},
	{name: "rooms", packages: "dashboard/outbound dashboard/reference dashboard/intake dashboard/sales dashboard/guests dashboard/team", may: "leaves store trade doors traffic frame public"},
	{name: "faces", packages: "web live account dashboard scanner", may: "leaves store trade doors traffic frame public rooms"},

	{name: "settings", packages: "config", may: "leaves"},
	{name: "assembly", packages: "app", may: "leaves store trade doors traffic vocabulary dialects frame rooms faces settings public"},
	{name: "demo", packages: "demo", may: "leaves store trade doors traffic settings assembly public"},
	{name: "bench", packages: "bench", may: "leaves store trade doors traffic settings assembly public helpers"},
	{name: "clients", packages: "remote listen consume trigger", may: "leaves clients public"}, // they speak to a server by its API and know nothing of its insides
	{name: "command", packages: "./cmd/...", may: "leaves store trade doors traffic dialects faces settings assembly demo bench clients public"},

	// Not shipped: what tests stand on, and what stands beside the program.
	{name: "helpers", packages: "db/pgtest db/dbtest dialect/dialecttest listen/listentest", may: "leaves store trade traffic public helpers"},
	{name: "tests", packages: "archtest ./test/...", may: "*"},
	{name: "beside", packages: "./examples/... ./scripts/... ./tools/...", may: "public"},
}

// behind are the libraries that stay behind one package each, so that changing
// one is a matter of one folder. Tests are free.
var behind = []struct{ library, packages, reason string }{
	{"modernc.org/sqlite", "db", "one SQL text serves both databases; what differs lives in db"},
	{"github.com/jackc/pgx/v5", "db db/pgtest db/dbtest bench", "one SQL text serves both databases; what differs lives in db"},
	{"github.com/pressly/goose/v3", "db", "migrations run in one place"},
	{"code.dny.dev/ssrf", "egress", "only egress decides which addresses may be dialled"},
	{"github.com/go-jose/go-jose/v4", "proof", "which algorithms are taken is decided in one place"},
	{"github.com/wneessen/go-mail", "mail", "mail goes out in one place"},
	{"github.com/tmaxmax/go-sse", "remote", "streams are read in one place"},
	{"github.com/decred/dcrd/dcrec/secp256k1/v4", "evm", "signatures are read strictly in one place"},
	{"github.com/tidwall/gjson", "provider", "strangers' JSON is searched in one place, which bounds paths and depth first"},
	{"golang.org/x/image", "pass/picture", "strangers' pictures are decoded in one place, which looks at their size first"},
	{"github.com/srwiley/oksvg", "pass/picture", "an SVG is gone through in one place before the library draws it"},
	{"github.com/srwiley/rasterx", "pass/picture", "an SVG is gone through in one place before the library draws it"},
	{"github.com/smallstep/pkcs7", "pass/apple ./test/harness", "Apple's passes are signed in one place, and verified by the iPhone of tests"},
	{"software.sslmate.com/src/go-pkcs12", "pass/apple", "Apple's certificates are read in one place"},
}

// pure are the packages of plain values, which do no I/O and so import none of
// effects. (seal is a leaf too, but reads the master key's file.)
const (
	pure    = "id money problem fact scope person provider evm"
	effects = "os net database/sql log/slog"
)

type group struct{ name, packages, may string }

func TestImportsFollowTheHouse(t *testing.T) {
	s := tree(t)
	for _, f := range s.shipped() {
		from := groupOf(f.dir)
		if from == nil {
			continue // TestEveryPackageHasItsPlace says so once for the package.
		}
		for _, imp := range f.imports {
			dir, ours := strings.CutPrefix(imp, module+"/")
			if !ours || dir == f.dir || from.may == "*" {
				continue
			}
			to := groupOf(dir)
			if to == nil || slices.Contains(strings.Fields(from.may), to.name) {
				continue
			}
			t.Errorf("%s (%s) imports %s (%s); %s may import: %s.\n\tIf you need to call that way, a fact is missing or a boundary is in the wrong place.",
				f.path, from.name, dir, to.name, from.name, orNothing(from.may))
		}
	}
}

func TestEveryPackageHasItsPlace(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range tree(t).files {
		if seen[f.dir] {
			continue
		}
		seen[f.dir] = true
		if groupOf(f.dir) == nil {
			t.Errorf("package %s is in no group: add it to the table house in internal/archtest/imports_test.go, in the group whose imports it needs", f.dir)
		}
	}
}

func TestPublicPackagesNeedOnlyTheStandardLibrary(t *testing.T) {
	for _, f := range tree(t).shipped() {
		if g := groupOf(f.dir); g == nil || g.name != "public" {
			continue
		}
		for _, imp := range f.imports {
			if first, _, _ := strings.Cut(imp, "/"); strings.Contains(first, ".") {
				t.Errorf("%s imports %s; receivers copy or import this package, so it takes the standard library only", f.path, imp)
			}
		}
	}
}

func TestLibrariesStayBehindTheirPackage(t *testing.T) {
	for _, f := range tree(t).shipped() {
		for _, b := range behind {
			if placed(f.dir, b.packages) {
				continue
			}
			for _, imp := range f.imports {
				if within(imp, b.library) {
					t.Errorf("%s imports %s; only %s may: %s", f.path, imp, b.packages, b.reason)
				}
			}
		}
	}
}

func TestPlainValuesDoNoIO(t *testing.T) {
	for _, f := range tree(t).shipped() {
		if !placed(f.dir, pure) {
			continue
		}
		for _, imp := range f.imports {
			if slices.Contains(strings.Fields(effects), imp) {
				t.Errorf("%s imports %s; this package is plain values and does no I/O", f.path, imp)
			}
		}
	}
}

// TestHouseIsOneHouse guards the table itself against typing errors.
func TestHouseIsOneHouse(t *testing.T) {
	names, places := map[string]bool{}, map[string]string{}
	for _, g := range house {
		if names[g.name] {
			t.Errorf("group %s stands in the table twice", g.name)
		}
		names[g.name] = true
		for _, p := range strings.Fields(g.packages) {
			if other, twice := places[p]; twice {
				t.Errorf("package %s is in %s and in %s", p, other, g.name)
			}
			places[p] = g.name
		}
	}
	for _, g := range house {
		for _, m := range strings.Fields(g.may) {
			if m != "*" && !names[m] {
				t.Errorf("group %s may import %q, which is no group", g.name, m)
			}
		}
	}
}

// groupOf is the group of a directory, or nil.
func groupOf(dir string) *group {
	for i := range house {
		if placed(dir, house[i].packages) {
			return &house[i]
		}
	}
	return nil
}

// placed is whether a directory is among packages, written as in the table.
func placed(dir, packages string) bool {
	return slices.ContainsFunc(strings.Fields(packages), func(p string) bool {
		if outside, ok := strings.CutPrefix(p, "./"); ok {
			p = outside
		} else {
			p = path.Join("internal", p)
		}
		if parent, ok := strings.CutSuffix(p, "/..."); ok {
			return within(dir, parent)
		}
		return dir == p
	})
}

func orNothing(s string) string {
	if s == "" {
		return "nothing of this module"
	}
	return s
}
