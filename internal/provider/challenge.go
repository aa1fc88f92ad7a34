package provider

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
)

// Answer is what a challenge is answered with. Send it with X-Content-Type-Options: nosniff; what it gives back of the request has no character of HTML.
type Answer struct {
	Status      int
	ContentType string
	Body        []byte
}

const (
	maxChallenge = 512      // characters of what is given back
	maxTrial     = 16 << 10 // bytes of a request that may be a challenge; an event may be much larger, and is not read for this
)

// Challenge answers a request with which a provider tries the address: Slack's url_verification and Zoom's endpoint.url_validation (POST), Twitter's
// challenge-response check (GET with crc_token). False: it is no challenge, or nothing is configured that could answer it. Slack's and Zoom's come signed: ask
// only after [Scheme.CheckHMAC] let them in. Twitter's are not, and what is signed for them is nothing that CheckHMAC would take for a delivery.
func (s Scheme) Challenge(method string, r Request) (Answer, bool) {
	if s.HMAC.Secret == "" || len(r.Body) > maxTrial {
		return Answer{}, false
	}
	switch {
	case s.Provider == "slack" && method == http.MethodPost:
		return answerSlack(r.Body)
	case s.Provider == "zoom" && method == http.MethodPost:
		return answerZoom(s.HMAC.Secret, r.Body)
	case s.Provider == "twitter" && method == http.MethodGet:
		return answerTwitter(s.HMAC.Secret, r.RawQuery)
	}
	return Answer{}, false
}

// answerSlack: docs.slack.dev/reference/events/url_verification.
func answerSlack(body []byte) (Answer, bool) {
	kind, _ := find(body, []step{name("type")})
	challenge, _ := find(body, []step{name("challenge")})
	if kind != "url_verification" || !isNonce(challenge) {
		return Answer{}, false
	}
	return answer(map[string]string{"challenge": challenge}), true
}

// answerZoom: developers.zoom.us/docs/api/webhooks, "Validate your webhook endpoint".
func answerZoom(secret string, body []byte) (Answer, bool) {
	event, _ := find(body, []step{name("event")})
	token, _ := find(body, []step{name("payload"), name("plainToken")})
	if event != "endpoint.url_validation" || !isNonce(token) {
		return Answer{}, false
	}
	return answer(map[string]string{
		"plainToken":     token,
		"encryptedToken": hex.EncodeToString(hmacSum(secret, "", []byte(token))),
	}), true
}

// answerTwitter: developer.x.com, "Securing webhooks", Challenge-Response Checks.
func answerTwitter(secret, rawQuery string) (Answer, bool) {
	query, err := url.ParseQuery(rawQuery)
	if err != nil || len(query["crc_token"]) != 1 || !isNonce(query["crc_token"][0]) {
		return Answer{}, false
	}
	sum := hmacSum(secret, "", []byte(query.Get("crc_token")))
	return answer(map[string]string{"response_token": "sha256=" + base64.StdEncoding.EncodeToString(sum)}), true
}

func answer(fields map[string]string) Answer {
	body, err := json.Marshal(fields)
	if err != nil {
		panic("provider: " + err.Error()) // cannot be: a map of texts
	}
	return Answer{Status: http.StatusOK, ContentType: "application/json", Body: body}
}

func name(s string) step { return step{name: s, index: -1} }

// isNonce is whether a text is made of what random texts are written in: letters, digits, and the signs of base64, UUIDs and the like. It cannot be HTML, nor
// JSON that is an object, nor a text of the form time:body, so whoever chooses it gets nothing signed that would be a delivery.
func isNonce(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '-' || c == '_' || c == '+' || c == '/' || c == '=' || c == '.' || c == '~':
		default:
			return false
		}
	}
	return s != "" && len(s) <= maxChallenge
}
