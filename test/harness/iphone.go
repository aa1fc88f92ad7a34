package harness

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/smallstep/pkcs7"
)

// Phone is an iPhone, as far as passes go: it takes passes from links, checks them as iOS does, registers for their changes, and when it is pushed it asks what has
// changed and fetches that.
type Phone struct {
	Device string // what it calls itself
	Token  string // where it is pushed
	Roots  []byte // authorities of passes, in PEM, which iOS brings along; none to believe whoever signed

	apns   *APNs
	http   *http.Client
	passes map[string]*Pkpass // that it has, by serial
	since  string             // the last tag that it was told
	pushed int                // how many pushes it has taken note of
}

// NewPhone makes a phone that is pushed through a service.
func NewPhone(a *APNs) *Phone {
	p := &Phone{Device: digits(16), Token: digits(32), apns: a, passes: map[string]*Pkpass{}, http: &http.Client{Timeout: 30 * time.Second}}
	Secret(p.Device, p.Token)
	return p
}

func digits(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return hex.EncodeToString(b)
}

// Pkpass is a pass that was taken apart.
type Pkpass struct {
	Raw          []byte
	Files        map[string][]byte
	JSON         map[string]any // pass.json
	Serial       string
	TypeID       string
	Token        string
	WebService   string
	Voided       bool
	LastModified string // as the server said
}

// Message is what the pass's barcode says.
func (p *Pkpass) Message() string {
	codes, _ := p.JSON["barcodes"].([]any)
	if len(codes) == 0 {
		return ""
	}
	one, _ := codes[0].(map[string]any)
	message, _ := one["message"].(string)
	return message
}

// Has tells whether a text is somewhere in pass.json.
func (p *Pkpass) Has(text string) bool {
	quoted, _ := json.Marshal(text)
	return bytes.Contains(p.Files["pass.json"], quoted[1:len(quoted)-1])
}

// mostOfPass bounds a file within a pass.
const mostOfPass = 16 << 20

// ReadPkpass takes a pass apart and checks what iOS checks before it takes one: the manifest has every file by its hash and no other, the signature is the
// manifest's, by a certificate of the pass's type and team that the roots vouch for, and pass.json has what it must have.
func ReadPkpass(raw, roots []byte) (*Pkpass, error) {
	archive, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return nil, err
	}
	p := &Pkpass{Raw: raw, Files: map[string][]byte{}}
	for _, f := range archive.File {
		if _, twice := p.Files[f.Name]; twice {
			return nil, fmt.Errorf("%s is there twice", f.Name)
		}
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(io.LimitReader(r, mostOfPass))
		if err := errors.Join(err, r.Close()); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		p.Files[f.Name] = content
	}
	if err := p.listed(); err != nil {
		return nil, err
	}
	if err := p.read(); err != nil {
		return nil, err
	}
	return p, p.signed(roots)
}

// listed holds the files against the manifest.
func (p *Pkpass) listed() error {
	var manifest map[string]string
	if err := json.Unmarshal(p.Files["manifest.json"], &manifest); err != nil {
		return fmt.Errorf("manifest.json: %w", err)
	}
	for name, content := range p.Files {
		if name == "manifest.json" || name == "signature" {
			continue
		}
		sum := sha1.Sum(content) // as Apple's manifests have it
		if got, want := manifest[name], hex.EncodeToString(sum[:]); got != want {
			return fmt.Errorf("manifest.json has %q for %s, whose hash is %s", got, name, want)
		}
		delete(manifest, name)
	}
	if len(manifest) > 0 {
		return fmt.Errorf("manifest.json names files that are not there: %v", slices.Collect(maps.Keys(manifest)))
	}
	if len(p.Files["icon.png"]) == 0 {
		return errors.New("there is no icon.png")
	}
	return nil
}

// read reads pass.json.
func (p *Pkpass) read() error {
	if err := json.Unmarshal(p.Files["pass.json"], &p.JSON); err != nil {
		return fmt.Errorf("pass.json: %w", err)
	}
	if version, ok := p.JSON["formatVersion"].(float64); !ok || version != 1 {
		return fmt.Errorf("pass.json: formatVersion is %v", p.JSON["formatVersion"])
	}
	for _, name := range []string{"serialNumber", "passTypeIdentifier", "teamIdentifier", "organizationName", "description", "authenticationToken", "webServiceURL"} {
		if text, _ := p.JSON[name].(string); text == "" {
			return fmt.Errorf("pass.json has no %s", name)
		}
	}
	p.Serial, p.TypeID = p.JSON["serialNumber"].(string), p.JSON["passTypeIdentifier"].(string)
	p.Token, p.WebService = p.JSON["authenticationToken"].(string), strings.TrimSuffix(p.JSON["webServiceURL"].(string), "/")
	p.Voided, _ = p.JSON["voided"].(bool)
	if len(p.Token) < 16 {
		return errors.New("pass.json: authenticationToken has less than 16 characters")
	}
	return nil
}

// signed verifies the signature.
func (p *Pkpass) signed(roots []byte) error {
	s, err := pkcs7.Parse(p.Files["signature"])
	if err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	s.Content = p.Files["manifest.json"]
	if roots == nil {
		err = s.Verify()
	} else {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(roots)
		err = s.VerifyWithChain(pool)
	}
	if err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	signer := s.GetOnlySigner()
	if signer == nil {
		return errors.New("signature: not by one signer")
	}
	if got := subject(signer.Subject, userID); got != p.TypeID {
		return fmt.Errorf("signature: the certificate is of %q, the pass of %q", got, p.TypeID)
	}
	if team := p.JSON["teamIdentifier"]; !slices.Contains(signer.Subject.OrganizationalUnit, fmt.Sprint(team)) {
		return fmt.Errorf("signature: the certificate is of the teams %q, the pass of %q", signer.Subject.OrganizationalUnit, team)
	}
	return nil
}

// Open follows a download link and takes the pass that is there.
func (p *Phone) Open(t testing.TB, link string) *Pkpass {
	t.Helper()
	a := p.ask(t, http.MethodGet, link, nil, "")
	if a.Status != 200 || a.Header.Get("Content-Type") != "application/vnd.apple.pkpass" {
		t.Fatalf("GET of the link = %d %s %.500s", a.Status, a.Header.Get("Content-Type"), a.Body)
	}
	pass := p.take(t, a)
	p.passes[pass.Serial] = pass
	return pass
}

// take reads a pass that came.
func (p *Phone) take(t testing.TB, a Answer) *Pkpass {
	t.Helper()
	pass, err := ReadPkpass(a.Body, p.Roots)
	if err != nil {
		t.Fatalf("the pass is not one that iOS takes: %v", err)
	}
	Secret(pass.Token)
	pass.LastModified = a.Header.Get("Last-Modified")
	return pass
}

// registration is where the phone registers for a pass's changes.
func (p *Phone) registration(pass *Pkpass) string {
	return pass.WebService + "/v1/devices/" + p.Device + "/registrations/" + pass.TypeID + "/" + pass.Serial
}

// Register registers for a pass's changes and returns the status.
func (p *Phone) Register(t testing.TB, pass *Pkpass) int {
	t.Helper()
	return p.ask(t, http.MethodPost, p.registration(pass), map[string]string{"pushToken": p.Token}, pass.Token).Status
}

// Add follows a link and puts the pass that is there into the wallet.
func (p *Phone) Add(t testing.TB, link string) *Pkpass {
	t.Helper()
	pass := p.Open(t, link)
	if status := p.Register(t, pass); status != 201 {
		t.Fatalf("the registration of a pass was answered with %d, want 201", status)
	}
	return pass
}

// Remove takes a pass out of the wallet.
func (p *Phone) Remove(t testing.TB, pass *Pkpass) {
	t.Helper()
	if a := p.ask(t, http.MethodDelete, p.registration(pass), nil, pass.Token); a.Status != 200 {
		t.Fatalf("DELETE of a registration = %d %.500s", a.Status, a.Body)
	}
	delete(p.passes, pass.Serial)
}

// Updated waits for a push, and returns what the phone has of a pass once it has asked and fetched.
func (p *Phone) Updated(t testing.TB, pass *Pkpass, within time.Duration) *Pkpass {
	t.Helper()
	p.apns.Await(t, p.Token, p.pushed+1, within)
	p.Refresh(t, pass)
	return p.passes[pass.Serial]
}

// Refresh asks what has changed of the passes of a pass's kind, fetches it, and returns the serials.
func (p *Phone) Refresh(t testing.TB, pass *Pkpass) []string {
	t.Helper()
	p.pushed = len(p.apns.Pushes(p.Token))
	url := pass.WebService + "/v1/devices/" + p.Device + "/registrations/" + pass.TypeID
	if p.since != "" {
		url += "?passesUpdatedSince=" + p.since
	}
	a := p.ask(t, http.MethodGet, url, nil, "")
	if a.Status == 204 {
		return nil
	}
	var changed struct {
		SerialNumbers []string
		LastUpdated   string
	}
	if a.Decode(t, &changed); a.Status != 200 || len(changed.SerialNumbers) == 0 || changed.LastUpdated == "" {
		t.Fatalf("the phone asks what has changed: %d %s", a.Status, a.Body)
	}
	p.since = changed.LastUpdated
	for _, serial := range changed.SerialNumbers {
		if had := p.passes[serial]; had != nil {
			p.Fetch(t, had)
		}
	}
	return changed.SerialNumbers
}

// Fetch fetches a pass if it has changed since, and tells whether it had.
func (p *Phone) Fetch(t testing.TB, had *Pkpass) (*Pkpass, bool) {
	t.Helper()
	a := p.ask(t, http.MethodGet, had.WebService+"/v1/passes/"+had.TypeID+"/"+had.Serial, nil, had.Token, "If-Modified-Since", had.LastModified)
	switch a.Status {
	case 304:
		return had, false
	case 200:
	default:
		t.Fatalf("GET of a pass = %d %.500s", a.Status, a.Body)
	}
	pass := p.take(t, a)
	if pass.Serial != had.Serial || pass.Token != had.Token || pass.TypeID != had.TypeID {
		t.Fatal("a pass has changed its serial, its type or its token")
	}
	p.passes[pass.Serial] = pass
	return pass, true
}

// ask makes a request, with a pass's token if there is one.
func (p *Phone) ask(t testing.TB, method, url string, body any, token string, header ...string) Answer {
	t.Helper()
	sent, err := encoded(body)
	must(t, err)
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(sent))
	must(t, err)
	if token != "" {
		req.Header.Set("Authorization", "ApplePass "+token)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		if header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	resp, err := p.http.Do(req)
	must(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	return Answer{resp.StatusCode, resp.Header, text}
}
