package endpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/egress"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/webhook"
)

// Standard Webhooks 1.0.0: the signature that takes a key pair, and how a private key begins.
const (
	v1a        = "v1a"
	privateKey = "whsk_"
)

// validate checks everything but the URL and tells all faults at once. given tells whether the secret comes from the caller. A list that is too long is not looked through: its faults could fill
// an answer a hundred times as long as the request.
func (b *Book) validate(e *Endpoint, given bool) error {
	var faults problem.Fields
	v, ok := b.vocabularies[e.Format]
	if !ok {
		faults.Add("/format", "unknown_format", "There is no format %q; use one of %s.", clip(e.Format), strings.Join(b.Formats(), ", "))
	} else {
		validateEvents(v, e.Events, &faults)
		if validateSignature(v, e.Options.Signature, &faults) {
			validateSecret(v, e, given, &faults)
		}
	}
	validateOptions(e.Options, &faults)
	validateDescription(e.Description, &faults)
	return faults.Err()
}

func validateDescription(s string, faults *problem.Fields) {
	switch {
	case utf8.RuneCountInString(s) > MaxDescription:
		faults.Add("/description", "too_long", "A description has %d characters at most.", MaxDescription)
	case !utf8.ValidString(s), strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }):
		faults.Add("/description", "control_characters", "A description is text, without control characters.")
	}
}

func validateEvents(v Vocabulary, events []string, faults *problem.Fields) {
	switch {
	case len(events) == 0:
		faults.Add("/events", "required", `Name at least one event, or ["*"] for all that the format carries.`)
	case len(events) > MaxEvents:
		faults.Add("/events", "too_many", "An endpoint subscribes to %d names at most; use \"*\" for all.", MaxEvents)
		return
	case len(events) > 1 && slices.Contains(events, Wildcard):
		faults.Add("/events", "wildcard", `"*" stands alone, because it means all that the format carries.`)
	}
	seen := map[string]bool{}
	for i, name := range events {
		pointer := fmt.Sprintf("/events/%d", i)
		switch {
		case seen[name]:
			faults.Add(pointer, "duplicate", "%q is named twice.", clip(name))
		case name == Wildcard || slices.Contains(v.Events(), name):
		case v.OwnMessages() && fact.ValidName(name) && !fact.Reserved(name):
		default:
			faults.Add(pointer, "unknown_event", "The format %s does not carry %q; it carries %s%s.", v.Format(), clip(name), strings.Join(v.Events(), ", "), ownWords(v))
		}
		seen[name] = true
	}
}

// unshared refuses names that another endpoint of the same owner has, where the format is [Book].Single.
func (b *Book) unshared(tx *db.Tx, e *Endpoint) error {
	if b.Single == "" || e.Format != b.Single {
		return nil
	}
	v := b.vocabularies[e.Format]
	test, _ := v.Name(fact.EndpointPinged) // which every endpoint is sent
	taken := map[string]bool{}
	others, err := db.All(tx, db.Value[string], `SELECT events FROM endpoints WHERE org_id = $1 AND format = $2 AND grant_no = $3 AND endpoint_id <> $4
		AND deleted_at IS NULL`, e.Org, e.Format, e.Grant, e.Number)
	if err != nil {
		return err
	}
	for _, text := range others {
		var events []string
		if err := json.Unmarshal([]byte(text), &events); err != nil {
			return err
		}
		for _, name := range spelled(v, events) {
			taken[name] = name != test
		}
	}
	var faults problem.Fields
	for i, name := range spelled(v, e.Events) {
		if taken[name] {
			faults.Add(fmt.Sprintf("/events/%d", i), "taken", "You have another webhook for %q; there is one for each. Change or delete that one.", name)
		}
	}
	return faults.Err()
}

// spelled are names with [Wildcard] spelled out.
func spelled(v Vocabulary, events []string) []string {
	if slices.Contains(events, Wildcard) {
		return v.Events()
	}
	return events
}

func ownWords(v Vocabulary) string {
	if v.OwnMessages() {
		return ", and your own messages by their names"
	}
	return ""
}

// chosen is the signature that an option stands for: "" is the first.
func chosen(v Vocabulary, signature string) string {
	if v == nil || signature != "" || len(v.Signatures()) == 0 {
		return signature
	}
	return v.Signatures()[0]
}

func validateSignature(v Vocabulary, signature string, faults *problem.Fields) (ok bool) {
	all := v.Signatures()
	switch {
	case signature == "" || slices.Contains(all, signature):
		return true
	case len(all) == 0:
		faults.Add("/signature", "not_supported", "The format %s has one signature only; leave this out.", v.Format())
	default:
		faults.Add("/signature", "unknown_signature", "The format %s has the signatures %s.", v.Format(), strings.Join(all, ", "))
	}
	return false
}

// validateSecret checks a secret that was given, or that an endpoint has from another format. Formats that let an owner choose the signature sign
// as Standard Webhooks, whose keys have a form; in all others any printable text will do. An empty one is made where the endpoint is new, and none where
// the format is [Static].
func validateSecret(v Vocabulary, e *Endpoint, given bool, faults *problem.Fields) {
	if e.Secret == "" && (e.Number == 0 || isStatic(v)) {
		return
	}
	scheme, want := webhook.Portal, "printable ASCII without spaces around it"
	if isStatic(v) {
		scheme = webhook.Static
	}
	pair := chosen(v, e.Options.Signature) == v1a
	if len(v.Signatures()) > 0 {
		scheme, want = webhook.Standard, "whsec_ and the base64 of 24 to 64 bytes"
	}
	if pair {
		want = "whsk_ and the base64 of an Ed25519 private key"
	}
	if _, err := webhook.NewSigner(scheme, webhook.Key{Text: e.Secret}); err == nil && pair == strings.HasPrefix(e.Secret, privateKey) {
		return
	}
	if given {
		faults.Add("/secret", "invalid_secret", "A secret of the format %s is %s.", v.Format(), want)
	} else {
		faults.Add("/format", "not_changeable", "The webhook's secret does not fit the format %s, which takes %s; make a new webhook.", v.Format(), want)
	}
}

func validateOptions(o Options, faults *problem.Fields) {
	validateRetry(o.Retry, faults)
	if o.RateLimit < 0 || o.RateLimit > MaxRateLimit {
		faults.Add("/rateLimit", "out_of_range", "A rate limit has 1 to %d deliveries a second; 0 means none.", MaxRateLimit)
	}
	var refused *egress.Refused
	if err := egress.CheckHeaders(headerFields(o.Headers)); errors.As(err, &refused) {
		pointer := "/headers"
		if refused.Header != "" {
			pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(refused.Header)
		}
		faults.Add(pointer, "header_refused", "%s", refused.Detail)
	}
}

func validateRetry(delays *[]time.Duration, faults *problem.Fields) {
	if delays == nil {
		return
	}
	if len(*delays) > MaxRetries {
		faults.Add("/retry/delays", "too_many", "There are %d retries at most.", MaxRetries)
		return
	}
	for i, d := range *delays {
		if d < time.Second || d > MaxRetryDelay || d%time.Second != 0 {
			faults.Add(fmt.Sprintf("/retry/delays/%d", i), "out_of_range", "A delay has 1 to %d whole seconds.", MaxRetryDelay/time.Second)
		}
	}
}

// clip shortens what a stranger wrote for a sentence about it.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
