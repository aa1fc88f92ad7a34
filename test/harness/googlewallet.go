package harness

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// GoogleWallet plays Google: it gives tokens to a service account, keeps classes and objects, opens save links as a phone does, and calls back. It has nothing in
// common with what it plays against, so that the same mistake is not on both sides.
type GoogleWallet struct {
	Issuer   string
	API      string // for --google-wallet-api
	SaveURL  string // for --google-save-url
	KeysURL  string // for --google-callback-keys
	KeysFile string // the same as a file
	Account  string // for --google-service-account: a file

	email   string
	account *rsa.PublicKey

	mu      sync.Mutex // guards below
	root    *ecdsa.PrivateKey
	token   string
	fail    func(*http.Request) int
	keep    time.Duration // how long the keys may be kept
	calls   []string
	objects map[string]GoogleThing // classes are among them
	saved   map[string]bool
	nonces  int
	changed chan struct{}
}

// GoogleThing is a class or an object.
type GoogleThing map[string]any

// PlayGoogle starts a double of Google for an issuer.
func PlayGoogle(t testing.TB, issuer string) *GoogleWallet {
	t.Helper()
	g := &GoogleWallet{
		Issuer: issuer, objects: map[string]GoogleThing{}, saved: map[string]bool{}, keep: time.Hour, token: "ya29.first-token-of-the-double",
		changed: make(chan struct{}, 1),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", g.giveToken)
	mux.HandleFunc("GET /keys", g.giveKeys)
	mux.HandleFunc("GET /walletobjects/v1/{kind}/{id}", g.api)
	mux.HandleFunc("POST /walletobjects/v1/{kind}", g.api)
	mux.HandleFunc("PUT /walletobjects/v1/{kind}/{id}", g.api)
	mux.HandleFunc("PATCH /walletobjects/v1/{kind}/{id}", g.api)
	s := httptest.NewServer(g.failing(mux))
	t.Cleanup(s.Close)
	g.API, g.SaveURL, g.KeysURL = s.URL+"/walletobjects/v1", s.URL+"/save", s.URL+"/keys"
	dir := t.TempDir()
	g.Account, g.KeysFile = filepath.Join(dir, "account.json"), filepath.Join(dir, "keys.json")
	g.makeAccount(t, s.URL+"/token")
	g.NewRoot(t)
	return g
}

// accountKey is one key for all doubles, since making one takes long.
var accountKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func (g *GoogleWallet) makeAccount(t testing.TB, tokenURL string) {
	t.Helper()
	key, err := accountKey()
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	g.email, g.account = "wallet@project.iam.gserviceaccount.example", &key.PublicKey
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); len(line) == 64 {
			Secret(line)
		}
	}
	Secret(g.token)
	file, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "project", "private_key_id": "0123456789abcdef0123456789abcdef01234567", "private_key": text,
		"client_email": g.email, "client_id": "1", "token_uri": tokenURL,
	})
	must(t, err)
	must(t, os.WriteFile(g.Account, file, 0o600))
}

// NewRoot has Google sign with another root key from now on. The file and the URL name the new one alone.
func (g *GoogleWallet) NewRoot(t testing.TB) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.root = key
	must(t, os.WriteFile(g.KeysFile, g.keys(), 0o600))
}

// Keep says how long the keys may be kept, by Cache-Control.
func (g *GoogleWallet) Keep(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.keep = d
}

// Fail has requests answered with the status that f says; 0 answers as usual. nil ends it.
func (g *GoogleWallet) Fail(f func(*http.Request) int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fail = f
}

// Revoke has the token that was given not taken any more.
func (g *GoogleWallet) Revoke() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.token = "ya29." + hex.EncodeToString(random())
	Secret(g.token)
}

// Calls returns what was called so far, such as "PUT eventTicketObject 404".
func (g *GoogleWallet) Calls() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.calls)
}

// Thing returns a class or an object; nil for none.
func (g *GoogleWallet) Thing(name string) GoogleThing {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.objects[name])
}

// Await waits until a class or an object is as it should be, and returns it.
func (g *GoogleWallet) Await(t testing.TB, within time.Duration, name string, right func(GoogleThing) bool) GoogleThing {
	t.Helper()
	for deadline := time.Now().Add(within); ; {
		if thing := g.Thing(name); thing != nil && right(thing) {
			return thing
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %v Google has of %s: %v; it was called %q", within, name, g.Thing(name), g.Calls())
		}
		select {
		case <-g.changed:
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// failing answers as Fail says, and notes the calls of the API.
func (g *GoogleWallet) failing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		fail := g.fail
		g.mu.Unlock()
		answer := &noted{ResponseWriter: w, status: http.StatusOK}
		status := 0
		if fail != nil {
			status = fail(r)
		}
		if status != 0 {
			w.Header().Set("Retry-After", "7")
			complain(answer, status, "as the test wants it")
		} else {
			next.ServeHTTP(answer, r)
		}
		path := strings.TrimPrefix(r.URL.Path, "/walletobjects/v1/")
		path, _, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
		g.mu.Lock()
		g.calls = append(g.calls, fmt.Sprintf("%s %s %d", r.Method, path, answer.status))
		g.mu.Unlock()
		select {
		case g.changed <- struct{}{}:
		default:
		}
	})
}

type noted struct {
	http.ResponseWriter
	status int
}

func (n *noted) WriteHeader(status int) {
	n.status = status
	n.ResponseWriter.WriteHeader(status)
}

// complain answers as Google's APIs do.
func complain(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": status, "message": why, "status": http.StatusText(status)}})
}

// giveToken takes the assertion of RFC 7523. An account of nobody's is believed: nobody has told its key.
func (g *GoogleWallet) giveToken(w http.ResponseWriter, r *http.Request) {
	var claims struct {
		Issuer   string `json:"iss"`
		Scope    string `json:"scope"`
		Audience string `json:"aud"`
		Expires  int64  `json:"exp"`
	}
	err := g.open(r.FormValue("assertion"), &claims)
	switch {
	case r.FormValue("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer":
		err = errors.New("the grant type is another")
	case claims.Scope != "https://www.googleapis.com/auth/wallet_object.issuer":
		err = fmt.Errorf("the scope is %q", claims.Scope)
	case claims.Audience != "http://"+r.Host+"/token":
		err = fmt.Errorf("the audience is %q", claims.Audience)
	case time.Now().Unix() > claims.Expires:
		err = errors.New("the assertion is over")
	}
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": "invalid_grant", "error_description": err.Error()})
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": g.token, "expires_in": 3599, "token_type": "Bearer"})
}

// open verifies a token (RFC 7515, RS256) of the account's and reads what it says.
func (g *GoogleWallet) open(token string, claims any) error {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return fmt.Errorf("a token of %d parts", len(parts))
	}
	var raw [3][]byte
	for i, p := range parts {
		var err error
		if raw[i], err = base64.RawURLEncoding.DecodeString(p); err != nil {
			return err
		}
	}
	var header struct {
		Algorithm string `json:"alg"`
	}
	var who struct {
		Issuer string `json:"iss"`
	}
	if err := errors.Join(json.Unmarshal(raw[0], &header), json.Unmarshal(raw[1], &who), json.Unmarshal(raw[1], claims)); err != nil {
		return err
	}
	if header.Algorithm != "RS256" {
		return fmt.Errorf("the algorithm is %q", header.Algorithm)
	}
	if strings.HasSuffix(who.Issuer, "@stagedoor.invalid") {
		return nil
	}
	if who.Issuer != g.email {
		return fmt.Errorf("the issuer is %q", who.Issuer)
	}
	hash := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	return rsa.VerifyPKCS1v15(g.account, crypto.SHA256, hash[:], raw[2])
}

func (g *GoogleWallet) giveKeys(w http.ResponseWriter, _ *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	w.Header().Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(g.keep.Seconds())))
	_, _ = w.Write(g.keys())
}

// keys are the root keys as Google publishes them, with one of another protocol among them.
func (g *GoogleWallet) keys() []byte {
	der, err := x509.MarshalPKIXPublicKey(&g.root.PublicKey)
	if err != nil {
		panic(err)
	}
	type key struct {
		Value    string `json:"keyValue"`
		Protocol string `json:"protocolVersion"`
		Expires  string `json:"keyExpiration,omitempty"`
	}
	all, err := json.Marshal(map[string][]key{"keys": {
		{base64.StdEncoding.EncodeToString(der), "ECv1", ""},
		{base64.StdEncoding.EncodeToString(der), "ECv2SigningOnly", "2545000000000"},
	}})
	if err != nil {
		panic(err)
	}
	return all
}

// api is Google's REST API, as far as it is needed: it refuses fields that there are not, as Google does.
func (g *GoogleWallet) api(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer "+g.token {
		complain(w, http.StatusUnauthorized, "Request had invalid authentication credentials.")
		return
	}
	kind, name := r.PathValue("kind"), r.PathValue("id")
	var body GoogleThing
	if r.Method != http.MethodGet {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if err := json.Unmarshal(raw, &body); err != nil {
			complain(w, http.StatusBadRequest, "Invalid JSON payload received: "+err.Error())
			return
		}
		if r.Method == http.MethodPost {
			name, _ = body["id"].(string)
		}
	}
	status, why := g.change(r.Method, kind, name, body)
	if status != http.StatusOK {
		complain(w, status, why)
		return
	}
	_ = json.NewEncoder(w).Encode(g.objects[name])
}

// change makes a change, once it is one that Google takes.
func (g *GoogleWallet) change(method, kind, name string, body GoogleThing) (status int, why string) {
	if !strings.HasPrefix(name, g.Issuer+".") {
		return http.StatusForbidden, "Permission denied for the issuer of " + name
	}
	there := g.objects[name]
	switch {
	case method == http.MethodPost && there != nil:
		return http.StatusConflict, "An existing resource was found under " + name
	case method != http.MethodPost && there == nil:
		return http.StatusNotFound, "resourceNotFound: " + name
	}
	whole := body
	switch method {
	case http.MethodGet:
		return http.StatusOK, ""
	case http.MethodPatch:
		whole = merged(there, body)
	}
	if why := wrong(kind, name, whole); why != "" {
		return http.StatusBadRequest, why
	}
	if class, ok := whole["classId"].(string); ok && g.objects[class] == nil {
		return http.StatusNotFound, "classNotFound: " + class
	}
	noteCodes(whole)
	g.objects[name] = whole
	return http.StatusOK, ""
}

// merged is an object with a change (RFC 7396).
func merged(was, change map[string]any) map[string]any {
	is := maps.Clone(was)
	if is == nil {
		is = map[string]any{}
	}
	for name, value := range change {
		inner, ok := value.(map[string]any)
		switch {
		case value == nil:
			delete(is, name)
		case ok:
			before, _ := is[name].(map[string]any)
			is[name] = merged(before, inner)
		default:
			is[name] = value
		}
	}
	return is
}

// noteCodes has no log hold what a code is made from.
func noteCodes(o GoogleThing) {
	raw, err := json.Marshal(o["rotatingBarcode"])
	if err != nil {
		return
	}
	var c rotatingCode
	if json.Unmarshal(raw, &c) == nil && len(c.TOTP.Parameters) > 0 {
		Secret(c.TOTP.Parameters[0].Key)
	}
}

// googleFields are the fields of classes and objects that Google has (REST reference), with those that have to be there in front of the bar.
var googleFields = map[string]string{
	"eventTicketClass": "id issuerName eventName reviewStatus | kind eventId logo venue dateTime confirmationCodeLabel customConfirmationCodeLabel seatLabel rowLabel " +
		"sectionLabel gateLabel finePrint classTemplateInfo homepageUri locations reviewStatus review infoModuleData imageModulesData textModulesData linksModuleData " +
		"redemptionIssuers countryCode heroImage hexBackgroundColor localizedIssuerName multipleDevicesAndHoldersAllowedStatus callbackOptions securityAnimation " +
		"viewUnlockRequirement wideLogo notifyPreference appLinkData messages merchantLocations valueAddedModuleData",
	"eventTicketObject": "id classId state | kind classReference seatInfo reservationInfo ticketHolderName ticketNumber ticketType faceValue groupingInfo linkedOfferIds " +
		"hexBackgroundColor barcode messages validTimeInterval locations hasUsers smartTapRedemptionValue hasLinkedDevice disableExpirationNotification infoModuleData " +
		"imageModulesData textModulesData linksModuleData appLinkData rotatingBarcode heroImage passConstraints saveRestrictions linkedObjectIds notifyPreference " +
		"merchantLocations valueAddedModuleData",
	"genericClass": "id | classTemplateInfo imageModulesData textModulesData linksModuleData enableSmartTap redemptionIssuers securityAnimation " +
		"multipleDevicesAndHoldersAllowedStatus callbackOptions viewUnlockRequirement messages appLinkData merchantLocations valueAddedModuleData",
	"genericObject": "id classId cardTitle header | genericType subheader logo hexBackgroundColor notifications barcode heroImage validTimeInterval imageModulesData " +
		"textModulesData linksModuleData appLinkData groupingInfo smartTapRedemptionValue rotatingBarcode state hasUsers messages passConstraints wideLogo " +
		"linkedObjectIds saveRestrictions merchantLocations valueAddedModuleData",
}

// wrong says what Google would not take, or nothing.
func wrong(kind, name string, o GoogleThing) string {
	fields, ok := googleFields[kind]
	if !ok {
		return "there is no kind " + kind
	}
	needed, others, _ := strings.Cut(fields, "|")
	for _, f := range strings.Fields(needed) {
		if o[f] == nil {
			return f + " is required"
		}
	}
	if o["id"] != name {
		return "the id is another"
	}
	known := strings.Fields(needed + others)
	for f := range o {
		if !slices.Contains(known, f) {
			return fmt.Sprintf("Invalid JSON payload received. Unknown name %q: Cannot find field.", f)
		}
	}
	return ""
}

// Save opens a save link as a phone does: it makes what the link holds, and calls back. It returns the object's name and the callback's status, 0 where the class
// names no URL.
func (g *GoogleWallet) Save(t testing.TB, link string) (object string, status int) {
	t.Helper()
	object, err := g.save(link)
	must(t, err)
	return object, g.CallBack(t, object, "save")
}

func (g *GoogleWallet) save(link string) (string, error) {
	token, ok := strings.CutPrefix(link, g.SaveURL+"/")
	if !ok {
		return "", fmt.Errorf("the link %s does not lead to %s", link, g.SaveURL)
	}
	var claims struct {
		Audience string                   `json:"aud"`
		Type     string                   `json:"typ"`
		Issued   int64                    `json:"iat"`
		Origins  []string                 `json:"origins"`
		Payload  map[string][]GoogleThing `json:"payload"`
	}
	if err := g.open(token, &claims); err != nil {
		return "", fmt.Errorf("save link: %w", err)
	}
	if claims.Audience != "google" || claims.Type != "savetowallet" || claims.Origins == nil || claims.Issued == 0 {
		return "", fmt.Errorf("save link: the claims are %+v", claims)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	object := ""
	for _, what := range []string{"Class", "Object"} { // in this order
		for _, kind := range []string{"eventTicket", "generic"} {
			for _, thing := range claims.Payload[kind+map[string]string{"Class": "Classes", "Object": "Objects"}[what]] {
				name, _ := thing["id"].(string)
				if what == "Object" {
					object = name
				}
				if g.objects[name] != nil { // what is there is not changed
					continue
				}
				if status, why := g.change(http.MethodPost, kind+what, name, thing); status != http.StatusOK {
					return "", fmt.Errorf("save link: %s %s: %d %s", kind+what, name, status, why)
				}
			}
		}
	}
	if object == "" {
		return "", errors.New("save link: there is no object in it")
	}
	g.saved[object] = true
	return object, nil
}

// Delete takes an object out of the phone, and calls back. It returns the callback's status.
func (g *GoogleWallet) Delete(t testing.TB, object string) (status int) {
	t.Helper()
	g.mu.Lock()
	was := g.saved[object]
	delete(g.saved, object)
	g.mu.Unlock()
	if !was {
		t.Fatalf("nobody has saved %s", object)
	}
	return g.CallBack(t, object, "del")
}

// CallBack calls back where the object's class says, and returns the status; 0 where it does not say.
func (g *GoogleWallet) CallBack(t testing.TB, object, event string) (status int) {
	t.Helper()
	class, _ := g.Thing(object)["classId"].(string)
	options, _ := g.Thing(class)["callbackOptions"].(map[string]any)
	url, _ := options["url"].(string)
	if url == "" {
		return 0
	}
	return g.Post(t, url, g.Sign(t, GoogleCallback{Class: class, Object: object, Event: event}))
}

// Post sends a callback.
func (g *GoogleWallet) Post(t testing.TB, url string, body []byte) (status int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	must(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Googlebot")
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// GoogleCallback is what a callback says. What is empty is as Google has it.
type GoogleCallback struct {
	Class, Object, Event string
	Nonce                string    // another each time
	Expires              time.Time // in an hour
	KeyExpires           time.Time // of the intermediate key: in a day
	Sender               string
	Recipient            string
	Protocol             string
	Message              string // instead of all that stands above Expires
}

// Sign makes a callback's body, with an intermediate key of its own.
func (g *GoogleWallet) Sign(t testing.TB, c GoogleCallback) []byte {
	t.Helper()
	g.mu.Lock()
	g.nonces++
	nonce, root := fmt.Sprintf("nonce-%d-%x", g.nonces, random()), g.root
	g.mu.Unlock()
	fill(&c.Nonce, nonce)
	fill(&c.Sender, "GooglePayPasses")
	fill(&c.Recipient, g.Issuer)
	fill(&c.Protocol, "ECv2SigningOnly")
	if c.Expires.IsZero() {
		c.Expires = time.Now().Add(time.Hour)
	}
	if c.KeyExpires.IsZero() {
		c.KeyExpires = time.Now().Add(24 * time.Hour)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	must(t, err)
	signedKey, err := json.Marshal(map[string]string{
		"keyValue": base64.StdEncoding.EncodeToString(der), "keyExpiration": strconv.FormatInt(c.KeyExpires.UnixMilli(), 10),
	})
	must(t, err)
	message, err := json.Marshal(map[string]any{
		"classId": c.Class, "objectId": c.Object, "eventType": c.Event, "expTimeMillis": c.Expires.UnixMilli(), "count": 1, "nonce": c.Nonce,
	})
	must(t, err)
	fill(&c.Message, string(message))
	body, err := json.Marshal(map[string]any{
		"protocolVersion": c.Protocol,
		"signedMessage":   c.Message,
		"signature":       signParts(t, key, c.Sender, c.Recipient, c.Protocol, c.Message),
		"intermediateSigningKey": map[string]any{
			"signedKey": string(signedKey), "signatures": []string{signParts(t, root, c.Sender, c.Protocol, string(signedKey))},
		},
	})
	must(t, err)
	return body
}

// signParts signs strings, each behind the number of its bytes as a little-endian uint32.
func signParts(t testing.TB, key *ecdsa.PrivateKey, parts ...string) string {
	t.Helper()
	h := sha256.New()
	for _, p := range parts {
		must(t, binary.Write(h, binary.LittleEndian, uint32(len(p))))
		_, _ = io.WriteString(h, p)
	}
	signature, err := ecdsa.SignASN1(rand.Reader, key, h.Sum(nil))
	must(t, err)
	return base64.StdEncoding.EncodeToString(signature)
}

type rotatingCode struct {
	Pattern string `json:"valuePattern"`
	TOTP    struct {
		Period     string `json:"periodMillis"`
		Parameters []struct {
			Key    string `json:"key"`
			Length int    `json:"valueLength"`
		} `json:"parameters"`
	} `json:"totpDetails"`
}

// Code is what the phone shows of an object at an instant; empty for none.
func (g *GoogleWallet) Code(t testing.TB, object string, at time.Time) string {
	t.Helper()
	thing := g.Thing(object)
	if b, ok := thing["barcode"].(map[string]any); ok {
		value, _ := b["value"].(string)
		return value
	}
	if thing["rotatingBarcode"] == nil {
		return ""
	}
	raw, err := json.Marshal(thing["rotatingBarcode"])
	must(t, err)
	var c rotatingCode
	must(t, json.Unmarshal(raw, &c))
	period, err := strconv.ParseInt(c.TOTP.Period, 10, 64)
	must(t, err)
	key, err := hex.DecodeString(c.TOTP.Parameters[0].Key)
	must(t, err)
	return strings.NewReplacer(
		"{totp_timestamp_seconds}", strconv.FormatInt(at.Unix(), 10), "{totp_timestamp_millis}", strconv.FormatInt(at.UnixMilli(), 10),
		"{totp_value_0}", oneTime(key, at.UnixMilli()/period, c.TOTP.Parameters[0].Length),
	).Replace(c.Pattern)
}

// oneTime is HOTP (RFC 4226 §5.3) of a counter.
func oneTime(key []byte, counter int64, digits int) string {
	h := hmac.New(sha1.New, key)
	_ = binary.Write(h, binary.BigEndian, counter)
	sum := h.Sum(nil)
	n := binary.BigEndian.Uint32(sum[sum[19]&15:]) & (1<<31 - 1)
	s := fmt.Sprintf("%010d", n)
	return s[len(s)-digits:]
}

func fill(s *string, with string) {
	if *s == "" {
		*s = with
	}
}

func random() []byte {
	b := make([]byte, 12)
	_, _ = rand.Read(b)
	return b
}
