package published_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/test/published"
)

// read skips where the documents are not.
func read(t *testing.T) *published.Documents {
	t.Helper()
	d, err := published.Read()
	if errors.Is(err, published.ErrAbsent) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The documents are those of viagogo/stubhub-api-docs at a55b5dd, byte for byte.
func TestTheDocumentsAreUsedAsPublished(t *testing.T) {
	read(t)
	for name, want := range map[string]string{
		"stubhub-account.json":   "b9fe31e70403f74d424202625d7957ae3812f64370514c659cfe2417b6371984",
		"stubhub-catalog.json":   "2b5f0376da58c2b1ee1797181b01f592843656934c74f8182e8b16ea1782258e",
		"stubhub-inventory.json": "faedf0fbc136539f56c2c926928b46c305aedad5afc1494fb505f71aaef04c35",
		"stubhub-sales.json":     "73c30a61f50caa87c522ff29bb51f7e1287f15021440896ab08438c61e64044a",
		"stubhub-webhooks.json":  "e35dd1a0a005bbc187124ed8e863f1c19badeff23bef17c57f9d8cb57d6a824e",
	} {
		text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(published.Folder), name))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != want {
			t.Errorf("%s has the SHA-256 %x, want %s", name, sum, want)
		}
	}
}

func TestWhatWeHaveIsPublished(t *testing.T) {
	d := read(t)
	all := d.Operations()
	for _, op := range published.Served() {
		if !slices.Contains(all, op) {
			t.Errorf("%s is not published", op)
		}
	}
	want := []string{"CancelProvisionalSale", "Ping", "ProvisionalSale", "ReTransferTicket", "SaleUpdates", "Sales", "SellerListingUpdates"}
	if got := d.Topics(); !slices.Equal(got, want) {
		t.Errorf("Topics() = %q, want %q", got, want)
	}
}

const (
	link    = `{"href":"https://desk.example/x","title":null,"templated":false}`
	hook    = `{"id":48,"name":"Door desk","created_at":"2026-05-02T18:04:11Z","topics":["Sales"],"url":"https://desk.example/in","authorization_header":null,"_links":{"self":` + link + `}}`
	hooks   = `{"total_items":1,"page":1,"page_size":100,"_links":{"self":` + link + `},"_embedded":{"items":[` + hook + `]}}`
	money   = `{"amount":52.25,"currency_code":"USD","display":"$52.25"}`
	sale    = `{"id":7,"created_at":"2026-05-02T18:04:11Z","seating":{"section":"B","row":"C"},"proceeds":` + money + `,"barcodes":[{"seat_ordinal":1,"status":"Received","barcode_values":["1"]}],"confirm_by":null,"_links":null}`
	listing = `{"id":9007199254740993,"created_at":"2026-05-02T18:04:11Z","number_of_tickets":2,"seating":{"section":"B"},"ticket_price":` + money + `,"barcodes":[]}`
	event   = `{"id":5,"name":"Harbor Jazz Night","start_date":"2031-08-14T18:30:00Z","end_date":null,"status":"Normal","_links":{"self":` + link + `}}`
	user    = `{"full_name":null,"email":"desk@example.com","email_optin":false,"_links":{"user:webhooks":` + link + `}}`
	post    = `{"seating":{"section":"B"},"ticket_type":"ETicket","split_type":"Any","number_of_tickets":2,"ticket_price":{"amount":52.25,"currency_code":"USD"}}`
	failure = `{"code":"validation_failed","message":"The data is not valid.","errors":{"webhook.url":["Use https."]}}`
)

// Each document's answers are held against it: what is right passes, and what is wrong in any one way does not.
func TestAWrongAnswerIsFound(t *testing.T) {
	d := read(t)
	for _, c := range []struct{ op, body string }{
		{"GET /v2/webhooks", hooks},
		{"GET /v2/webhooks/48", hook},
		{"GET /v2/sales/7", sale},
		{"GET /v2/sellerlistings/9", listing},
		{"GET /catalog/events/5", event},
		{"GET /v2/user", user},
	} {
		if wrong := exchange(t, d, c.op, "", 200, c.body); len(wrong) > 0 {
			t.Errorf("%s with a right answer: %s", c.op, wrong)
		}
	}
	for _, c := range []struct{ what, op, body, old, new string }{
		{"webhooks: a wrong type", "GET /v2/webhooks", hooks, `"total_items":1`, `"total_items":"1"`},
		{"webhooks: more than an int32", "GET /v2/webhooks", hooks, `"total_items":1`, `"total_items":2147483648`},
		{"webhooks: an unknown property", "GET /v2/webhooks/48", hook, `"id":48`, `"id":48,"active":true`},
		{"webhooks: no time", "GET /v2/webhooks/48", hook, `2026-05-02T18:04:11Z`, `2nd of May`},
		{"webhooks: null where there is none", "GET /v2/webhooks/48", hook, `"2026-05-02T18:04:11Z"`, `null`},
		{"webhooks: a wrong type in a link", "GET /v2/webhooks/48", hook, `"templated":false`, `"templated":"false"`},
		{"webhooks: a wrong item", "GET /v2/webhooks", hooks, `"id":48`, `"id":true`},
		{"sales: a required field is missing", "GET /v2/sales/7", sale, `"section":"B",`, ``},
		{"sales: money without a currency", "GET /v2/sales/7", sale, `"currency_code":"USD",`, ``},
		{"sales: money as a text", "GET /v2/sales/7", sale, `52.25,`, `"52.25",`},
		{"sales: an unknown property", "GET /v2/sales/7", sale, `"status":"Received"`, `"state":"Received"`},
		{"inventory: a required field is missing", "GET /v2/sellerlistings/9", listing, `"section":"B"`, `"row":"B"`},
		{"inventory: a wrong type", "GET /v2/sellerlistings/9", listing, `"barcodes":[]`, `"barcodes":{}`},
		{"inventory: an unknown property", "GET /v2/sellerlistings/9", listing, `"id":`, `"external":1,"id":`},
		{"catalog: a wrong type", "GET /catalog/events/5", event, `"id":5`, `"id":5.5`},
		{"catalog: an unknown property", "GET /catalog/events/5", event, `"id":5`, `"id":5,"city":"Oslo"`},
		{"catalog: null where there is none", "GET /catalog/events/5", event, `"Normal"`, `null`},
		{"account: a wrong type", "GET /v2/user", user, `"email_optin":false`, `"email_optin":0`},
		{"account: an unknown property", "GET /v2/user", user, `"full_name":null`, `"name":null`},
	} {
		if !strings.Contains(c.body, c.old) {
			t.Fatalf("%s: there is no %s in %s", c.what, c.old, c.body)
		}
		if wrong := exchange(t, d, c.op, "", 200, strings.Replace(c.body, c.old, c.new, 1)); len(wrong) != 1 {
			t.Errorf("%s: got %q, want one complaint", c.what, wrong)
		}
	}
}

func TestAWrongRequestThatWasAnsweredIsFound(t *testing.T) {
	d := read(t)
	const op = "POST /v2/events/5/sellerlistings"
	if wrong := exchange(t, d, op, post, 201, listing); len(wrong) > 0 {
		t.Errorf("a right request: %s", wrong)
	}
	for _, c := range []struct{ what, op, sent string }{
		{"a required field is missing", op, strings.Replace(post, `"split_type":"Any",`, "", 1)},
		{"a wrong type", op, strings.Replace(post, `"number_of_tickets":2`, `"number_of_tickets":"2"`, 1)},
		{"an unknown property", op, strings.Replace(post, `"ticket_type"`, `"kind":1,"ticket_type"`, 1)},
		{"no integer in the path", "POST /v2/events/five/sellerlistings", post},
		{"a wrong parameter", "GET /v2/sellerlistings?page=first", ""},
		{"a body that nobody reads", "GET /v2/sellerlistings/9", "{}"},
	} {
		status, body := 200, listing
		switch {
		case strings.HasPrefix(c.op, "POST"):
			status = 201
		case strings.Contains(c.op, "?"):
			body = `{"total_items":0}`
		}
		if wrong := exchange(t, d, c.op, c.sent, status, body); len(wrong) != 1 {
			t.Errorf("%s: got %q, want one complaint", c.what, wrong)
		}
		if wrong := exchange(t, d, c.op, c.sent, 400, failure); len(wrong) > 0 {
			t.Errorf("%s, refused: got %q, want nothing", c.what, wrong)
		}
	}
}

func TestStatusesAndErrorsAreHeldAgainstTheDocuments(t *testing.T) {
	d := read(t)
	const oauth = `{"code":"requires_authentication","message":"Send a token.","errors":null,"error":"invalid_token","error_description":"Send a token."}`
	for _, c := range []struct {
		what, op string
		status   int
		body     string
		right    bool
	}{
		{"listed", "GET /v2/webhooks/48", 404, failure, true},
		{"not listed", "PATCH /v2/webhooks/48", 404, failure, true},
		{"not listed", "PATCH /v2/webhooks/48", 429, failure, true},
		{"not modified", "GET /v2/webhooks/48", 304, "", true},
		{"not modified, with a body", "GET /v2/webhooks/48", 304, hook, false},
		{"nothing to say", "DELETE /v2/webhooks/48", 204, "", true},
		{"nothing to say, with a body", "DELETE /v2/webhooks/48", 204, hook, false},
		{"a success that is not listed", "DELETE /v2/webhooks/48", 200, hook, false},
		{"no body where there is one", "GET /v2/webhooks/48", 200, "", false},
		{"another error body", "GET /v2/webhooks/48", 404, `{"title":"Not Found","status":404}`, false},
		{"errors that are no lists", "POST /v2/webhooks", 400, strings.Replace(failure, `["Use https."]`, `"Use https."`, 1), false},
		{"an error without a code", "GET /v2/webhooks/48", 404, `{"code":null,"message":"No.","errors":null}`, false},
		{"401 in both forms", "GET /v2/webhooks", 401, oauth, true},
		{"403 in both forms", "GET /v2/webhooks", 403, oauth, false},
		{"what is not published", "GET /v2/nothing", 404, failure, true},
		{"what is not published, and there", "GET /v2/nothing", 200, `{}`, false},
		{"the root", "GET /v2", 200, `{"_links":{"self":` + link + `}}`, true},
		{"the root without links", "GET /v2", 200, `{"_links":{}}`, false},
		{"the root with a wrong link", "GET /v2", 200, `{"_links":{"self":"/v2"}}`, false},
	} {
		sent := ""
		if strings.HasPrefix(c.op, "P") {
			sent = "{}"
		}
		if wrong := exchange(t, d, c.op, sent, c.status, c.body); (len(wrong) == 0) != c.right {
			t.Errorf("%s: %s = %d: got %q, want it to be right: %v", c.what, c.op, c.status, wrong, c.right)
		}
	}
	r := httptest.NewRequest("GET", "/v2/webhooks/48", nil)
	if _, wrong := d.Exchange(r, nil, 200, http.Header{"Content-Type": {"application/json"}}, []byte(hook)); len(wrong) != 1 {
		t.Errorf("another media type: got %q, want one complaint", wrong)
	}
}

func exchange(t *testing.T, d *published.Documents, op, sent string, status int, body string) []string {
	t.Helper()
	method, target, _ := strings.Cut(op, " ")
	r := httptest.NewRequest(method, target, strings.NewReader(sent))
	if sent != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	_, wrong := d.Exchange(r, []byte(sent), status, http.Header{"Content-Type": {published.HAL}}, []byte(body))
	return wrong
}

func TestAWrongDeliveryIsFound(t *testing.T) {
	d := read(t)
	const (
		self     = `"_links":{"self":` + link + `}`
		embedded = `"_embedded":{"event":{"id":5,` + self + `},"seller_listing":{"id":9007199254740993,"seating":{"section":"B","state":{"visible_in_venue_map":true}},"ticket_price":` + money +
			`},"venue":{"id":3,"latitude":59.9,"_embedded":{"country":{"code":"NO","_links":{}}}},"webhook":` + hook
		values = `"barcodes":[{"seat_ordinal":1,"seat":"7","row":"C","status":"Received","barcode_values":["778812340001"]}]`
	)
	digest := sha256.Sum256([]byte("778812340001"))
	hashes := strings.Replace(values, `barcode_values":["778812340001"`, `barcode_values_sha256_hashed":["`+hex.EncodeToString(digest[:])+`"`, 1)
	body := func(topic, action string) string {
		switch topic {
		case "Ping":
			return `{"topic":"Ping","action":"` + action + `",` + self + `,"_embedded":{"webhook":` + hook + `}}`
		case "SellerListingUpdates":
			return `{"topic":"` + topic + `","action":"` + action + `",` + hashes + `,` + self + `,` + embedded + `}}`
		default:
			return `{"topic":"` + topic + `","action":"` + action + `",` + values + `,` + self + `,` + embedded + `,"sale":{"id":7,"seating":{"section":"B"},"proceeds":` + money + `}}}`
		}
	}
	action := map[string]string{"CancelProvisionalSale": "Cancelled", "SaleUpdates": "FailedBarcodeValidation", "SellerListingUpdates": "ListingDeliverabilityExpired"}
	for _, topic := range d.Topics() {
		if action[topic] == "" {
			action[topic] = "Created"
		}
		right := body(topic, action[topic])
		if _, wrong := d.Delivery(headers(topic), []byte(right)); len(wrong) > 0 {
			t.Errorf("%s: %s", topic, wrong)
		}
		for _, c := range []struct{ what, old, new string }{
			{"an unknown property", `"topic"`, `"id":1,"topic"`},
			{"a wrong type", `"id":48`, `"id":"48"`},
			{"an unknown member of the webhook", `"id":48`, `"id":48,"secret":null`},
			{"another topic", `"topic":"` + topic, `"topic":"S` + topic},
			{"another action", action[topic], "Happened"},
			{"no link to itself", `"_links":{"self":`, `"_links":{"me":`},
			{"a required field is missing", `"section":"B"`, `"row":"B"`},
			{"money without a currency", `"currency_code":"USD",`, ``},
			{"another status", `"Received"`, `"Expected"`},
			{"values for hashes, or hashes for values", `barcode_values`, `barcode_value`},
			{"no hash", `_hashed":["`, `_hashed":["x`},
		} {
			wrongBody := strings.Replace(right, c.old, c.new, 1)
			if wrongBody == right {
				continue // not every topic has everything
			}
			if _, wrong := d.Delivery(headers(topic), []byte(wrongBody)); len(wrong) != 1 {
				t.Errorf("%s with %s: got %q, want one complaint", topic, c.what, wrong)
			}
		}
	}
	if _, wrong := d.Delivery(headers("SellerListingUpdates"), []byte(strings.Replace(body("SellerListingUpdates", "FailedBarcodeValidation"), hashes, values, 1))); len(wrong) != 1 {
		t.Errorf("a listing's delivery with the values themselves: got %q, want one complaint", wrong)
	}
	for _, c := range []struct{ name, value string }{
		{"VGG-Topic", "sales"}, {"VGG-DeliveryId", ""}, {"VGG-DeliveryId", "0198c5e2-7e7a"}, {"User-Agent", "Go-http-client/1.1"}, {"Content-Type", published.HAL},
	} {
		h := headers("Sales")
		h.Set(c.name, c.value)
		if _, wrong := d.Delivery(h, []byte(body("Sales", "Created"))); len(wrong) != 1 {
			t.Errorf("%s: %q: got %q, want one complaint", c.name, c.value, wrong)
		}
	}
}

func headers(topic string) http.Header {
	h := http.Header{}
	h.Set("VGG-Topic", topic)
	h.Set("VGG-DeliveryId", "1993433")
	h.Set("User-Agent", "Viagogo-Webhooks/2.249.0.0")
	h.Set("Content-Type", "application/json")
	h.Set("Authorization", "Bearer desk-key")
	return h
}

func TestARecordKeepsWhatItHasSeen(t *testing.T) {
	read(t)
	rec, err := published.NewRecord()
	if err != nil {
		t.Fatal(err)
	}
	var body, got string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, _ := io.ReadAll(r.Body)
		got = string(sent)
		w.Header().Set("Content-Type", published.HAL)
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusCreated)
		}
		_, _ = io.WriteString(w, body)
	}))
	defer s.Close()
	client := &http.Client{Transport: rec.Transport(http.DefaultTransport)}
	ask := func(method, path, sent string) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(sent))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	body = hook
	const create = `{"name":"Door desk","url":"https://desk.example/in","topics":["Sales"]}`
	if answer := ask("POST", "/v2/webhooks", create); answer != hook || got != create {
		t.Errorf("the exchange was changed: sent %s, got %s", got, answer)
	}
	ask("GET", "/v2/webhooks/48", "")
	ask("GET", "/api/v1/events", "")
	rec.Delivery(http.Header{}, nil) // another vocabulary's
	if faults := rec.Faults(); len(faults) > 0 {
		t.Errorf("Faults() = %q, want none", faults)
	}
	body = `{"id":"48"}`
	ask("GET", "/v2/webhooks/48", "")
	ask("GET", "/v2/webhooks/48", "")
	if faults := rec.Faults(); len(faults) != 1 {
		t.Errorf("Faults() = %q, want one", faults)
	}
	if seen, _ := rec.Seen(); seen["POST /v2/webhooks"] != 1 || seen["GET /v2/webhooks/{webhookId}"] != 3 {
		t.Errorf("Seen() = %v", seen)
	}
	if unseen := rec.Unseen(); slices.Contains(unseen, "POST /v2/webhooks") || !slices.Contains(unseen, "DELETE /v2/sales/{saleId}") || !slices.Contains(unseen, "the topic Ping") {
		t.Errorf("Unseen() = %q", unseen)
	}
}
