package ethpass

import (
	"archive/zip"
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stagedoorhq/stagedoor/internal/pass/apple"
	"github.com/stagedoorhq/stagedoor/test/harness"
)

// made is a pass that others look at, and what they are to find.
type made struct {
	Name    string
	File    []byte `json:"-"`
	Dir     string // where its files are
	Path    string
	Style   string
	Barcode string // "" for none
	Format  string
	Voided  bool
	Fields  map[string]string // some values, by their keys
}

// shelf makes a pass of each sort.
func (d *desk) shelf(t *testing.T) []made {
	t.Helper()
	ticket := d.ticket(t)
	look := body{
		"description": "Member’s card", "logoText": "Pier Hall", "backgroundColor": "rgb(20,40,60)", "foregroundColor": "rgb(255,255,255)", "labelColor": "rgb(200,200,200)",
		"primaryFields": []body{{"key": "member", "label": "Member", "value": "Kari Ø.", "textAlignment": "PKTextAlignmentLeft", "changeMessage": "You are now %@"}},
		"backFields":    []body{{"key": "terms", "label": "Terms", "value": "Bring it along."}},
		"locations":     []body{{"latitude": 59.91, "longitude": 10.75, "relevantText": "You are here"}},
		"relevantDate":  "2031-08-14T18:00:00Z",
	}
	owner := body{"chain": body{"name": "evm", "network": 137}, "address": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"}
	asset := body{"contractAddress": "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "tokenId": "42"}
	of := func(p pass, m made) made {
		m.File = d.pick(t, p)
		return m
	}
	return []made{
		of(d.pass(t, body{"ticketId": ticket, "platform": "apple"}), made{Name: "ticket", Style: "eventTicket", Barcode: d.code(t, ticket), Format: "PKBarcodeFormatQR"}),
		of(d.pass(t, body{"platform": "apple", "wallet": owner, "nft": asset, "barcode": body{"message": "MEMBER-0042", "format": "pdf417"}, "pass": look}), made{
			Name: "wallet", Style: "generic", Barcode: "MEMBER-0042", Format: "PKBarcodeFormatPDF417",
			Fields: map[string]string{"member": "Kari Ø.", "terms": "Bring it along."},
		}),
		of(d.pass(t, body{"platform": "apple", "wallet": owner, "barcode": body{"message": "X"}, "expiresAt": "2032-01-01T00:00:00Z"}), made{
			Name: "plain", Style: "generic", Barcode: "X", Format: "PKBarcodeFormatQR",
		}),
		{Name: "expired", Style: "generic", Voided: true, File: d.expired(t, body{
			"platform": "apple", "wallet": owner, "barcode": body{"message": "OVER"},
		})},
	}
}

// expired makes a pass and ends it. No link leads to it any more, but phones that have it get it once more.
func (d *desk) expired(t *testing.T, request body) []byte {
	t.Helper()
	p := d.pass(t, request)
	text, err := os.ReadFile(filepath.Join(unpack(t, d.pick(t, p)), "pass.json"))
	must(t, err)
	var has struct{ PassTypeIdentifier, SerialNumber, AuthenticationToken, WebServiceURL string }
	must(t, json.Unmarshal(text, &has))
	harness.Secret(has.AuthenticationToken)
	d.Call(t, 200, "DELETE", "/v0/passes/"+p.ID, nil)
	phone := harness.Client{URL: d.URL, HTTP: d.HTTP}
	service := strings.TrimPrefix(has.WebServiceURL, publicURL)
	return phone.Call(t, 200, "GET", service+"/v1/passes/"+has.PassTypeIdentifier+"/"+has.SerialNumber, nil, "Authorization", "ApplePass "+has.AuthenticationToken).Body
}

func TestOpenSSLVerifiesPasses(t *testing.T) {
	openssl := harness.Tool(t, "openssl", unrun)
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		for _, m := range open(t, st).shelf(t) {
			t.Run(m.Name, func(t *testing.T) { verifies(t, openssl, m.File, signing.Roots) })
		}
	})
}

// Operators have the certificate as PKCS#12 too, in the forms that OpenSSL has had through the years, and those who try things out have the one that we make.
func TestOpenSSLVerifiesWhatOtherCertificatesSign(t *testing.T) {
	t.Parallel()
	openssl := harness.Tool(t, "openssl", unrun)
	dir, password := t.TempDir(), "a lantern made of wicker"
	inFile := func(name string, text []byte) string {
		file := filepath.Join(dir, name)
		must(t, os.WriteFile(file, text, 0o600))
		return file
	}
	own, err := apple.NewIdentity(time.Now())
	must(t, err)
	identity, err := apple.ReadIdentity(own, "", nil)
	must(t, err)
	harness.Secret(password)
	bundle := filepath.Join(dir, "pass.p12")
	out, err := exec.CommandContext(t.Context(), openssl, "pkcs12", "-export", "-in", signing.File, "-inkey", signing.Key, "-certfile", signing.PEM, "-out", bundle,
		"-passout", "file:"+inFile("password", []byte(password+"\n"))).CombinedOutput()
	if err != nil {
		t.Fatalf("openssl pkcs12: %v\n%s", err, out)
	}
	for _, c := range []struct {
		name  string
		roots []byte
		flags []string
	}{
		{"ours", identity.Roots(), []string{"--apple-pass-cert", inFile("own.pem", own)}},
		{"PKCS12", signing.Roots, []string{"--apple-pass-cert", bundle, "--apple-pass-cert-password-file", filepath.Join(dir, "password")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := harness.OnDisk(t, "sqlite", t.TempDir())
			s := h.Serve(t, append(c.flags, "--public-url", publicURL)...)
			_, key := h.Org(t, "Hall")
			d := &desk{s.Client(key)}
			p := d.pass(t, body{"platform": "apple", "ticketId": d.ticket(t)})
			verifies(t, openssl, d.pick(t, p), c.roots)
		})
	}
}

// verifies has openssl take a pass as it is, and in no other way.
func verifies(t *testing.T, openssl string, file, roots []byte) {
	t.Helper()
	dir := unpack(t, file)
	if out, err := verify(t, openssl, dir, roots); err != nil {
		t.Fatalf("openssl: %v\n%s", err, out)
	}
	holdsWhatItLists(t, dir)

	if out, err := verify(t, openssl, dir, strangers(t)); err == nil || !strings.Contains(out, "certificate verify error") {
		t.Errorf("openssl takes the pass for another authority's: %v\n%s", err, out)
	}
	manifest := filepath.Join(dir, "manifest.json")
	text, err := os.ReadFile(manifest)
	must(t, err)
	must(t, os.WriteFile(manifest, append(text, '\n'), 0o600))
	if out, err := verify(t, openssl, dir, roots); err == nil || !strings.Contains(out, "content verify error") {
		t.Errorf("openssl takes a manifest that was changed: %v\n%s", err, out)
	}
}

// verify has openssl verify the signature of an unpacked pass.
func verify(t *testing.T, openssl, dir string, roots []byte) (string, error) {
	t.Helper()
	trusted := filepath.Join(t.TempDir(), "roots.pem")
	must(t, os.WriteFile(trusted, roots, 0o600))
	cmd := exec.CommandContext(t.Context(), openssl, "cms", "-verify", "-binary", "-inform", "DER", "-in", filepath.Join(dir, "signature"),
		"-content", filepath.Join(dir, "manifest.json"), "-CAfile", trusted, "-purpose", "any", "-out", os.DevNull)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// strangers are the authorities of somebody else.
func strangers(t *testing.T) []byte {
	t.Helper()
	text, err := apple.NewIdentity(time.Now())
	must(t, err)
	i, err := apple.ReadIdentity(text, "", nil)
	must(t, err)
	return i.Roots()
}

// holdsWhatItLists holds the files of an unpacked pass against its manifest.
func holdsWhatItLists(t *testing.T, dir string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	must(t, err)
	var listed map[string]string
	must(t, json.Unmarshal(text, &listed))
	there := map[string]string{}
	must(t, filepath.WalkDir(dir, func(file string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == "manifest.json" || e.Name() == "signature" {
			return err
		}
		text, err := os.ReadFile(file)
		name, _ := filepath.Rel(dir, file)
		sum := sha1.Sum(text)
		there[filepath.ToSlash(name)] = hex.EncodeToString(sum[:])
		return err
	}))
	if diff := cmp.Diff(there, listed); diff != "" {
		t.Errorf("the manifest does not list what is there (-there +listed):\n%s", diff)
	}
	for _, name := range []string{"pass.json", "icon.png", "icon@2x.png", "icon@3x.png"} {
		if there[name] == "" {
			t.Errorf("there is no %s among %v", name, slices.Sorted(maps.Keys(there)))
		}
	}
}

// unpack unpacks a pass.
func unpack(t *testing.T, file []byte) (dir string) {
	t.Helper()
	dir = t.TempDir()
	z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	must(t, err)
	for _, f := range z.File {
		if !filepath.IsLocal(f.Name) || strings.Contains(f.Name, `\`) {
			t.Fatalf("a file is called %q", f.Name)
		}
		in, err := f.Open()
		must(t, err)
		text, err := io.ReadAll(in)
		must(t, err)
		must(t, os.MkdirAll(filepath.Join(dir, path.Dir(f.Name)), 0o755))
		to := filepath.Join(dir, filepath.FromSlash(f.Name))
		if _, err := os.Stat(to); err == nil {
			t.Errorf("%s is there twice", f.Name)
		}
		must(t, os.WriteFile(to, text, 0o600))
	}
	return dir
}

func TestLibrariesReadPasses(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		all := open(t, st).shelf(t)
		for i, m := range all {
			all[i].Dir, all[i].Path = unpack(t, m.File), filepath.Join(t.TempDir(), "a.pkpass")
			must(t, os.WriteFile(all[i].Path, m.File, 0o600))
		}
		var said []struct {
			Name   string
			Faults []string
		}
		runs(t, "passes.mjs", body{"passes": all, "signing": signing}, &said)
		for i, m := range all {
			if i >= len(said) || said[i].Name != m.Name {
				t.Fatalf("the program looked at %v", said)
			}
			for _, fault := range said[i].Faults {
				t.Errorf("%s: %s", m.Name, fault)
			}
		}
	})
}
