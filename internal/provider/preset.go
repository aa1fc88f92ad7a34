package provider

import "slices"

// preset is what a provider publishes about its webhooks.
type preset struct {
	name  string
	proof proof
	event EventType
	dedup []string
}

// presets are in the order in which they are shown. The pages are those of each provider as they stood in autumn 2026.
var presets = []preset{
	// docs.stripe.com/webhooks, "Verify webhook signatures manually". The id of an event stands in the body only.
	{"stripe", stripe{}, EventType{"body", "type"}, nil},

	// docs.github.com/webhooks, "Validating webhook deliveries". A redelivery has the X-GitHub-Delivery of the first.
	{"github", mac{header: "X-Hub-Signature-256", mark: "sha256=", decode: decodeHex}, EventType{"header", "X-GitHub-Event"}, []string{"X-GitHub-Delivery"}},

	// shopify.dev/docs/apps/build/webhooks, "Verify webhook deliveries".
	{"shopify", mac{header: "X-Shopify-Hmac-Sha256", decode: decodeBase64}, EventType{"header", "X-Shopify-Topic"}, []string{"X-Shopify-Webhook-Id"}},

	// docs.slack.dev/authentication, "Verifying requests from Slack".
	{
		"slack",
		mac{header: "X-Slack-Signature", mark: "v0=", decode: decodeHex, stamp: "X-Slack-Request-Timestamp", before: "v0:", between: ":"},
		EventType{"body", "event.type"},
		nil,
	},

	// developers.zoom.us/docs/api/webhooks, "Verify webhook events".
	{
		"zoom",
		mac{header: "X-Zm-Signature", mark: "v0=", decode: decodeHex, stamp: "X-Zm-Request-Timestamp", before: "v0:", between: ":"},
		EventType{"body", "event"},
		nil,
	},

	// developer.x.com, "Securing webhooks". What an event is shows in the names of the body's fields, not in a value. Whoever knows the address can have a
	// crc_token signed with the same key; it is never an object.
	{"twitter", mac{header: "X-Twitter-Webhooks-Signature", mark: "sha256=", decode: decodeBase64, object: true}, EventType{}, nil},

	// Standard Webhooks 1.0.0, "Webhook headers (sending metadata to consumers)".
	{"standard-webhooks", ours{standardForm}, EventType{"body", "type"}, []string{"Webhook-Id"}},

	// docs.svix.com/receiving/verifying-payloads. Its own libraries take the headers of Standard Webhooks too.
	{"svix", ours{svixForm, standardForm}, EventType{"body", "type"}, []string{"Svix-Id"}},

	// StubHub's API, "Webhooks": the Authorization header that was given when the webhook was made.
	{"stubhub", ours{staticForm}, EventType{"header", "VGG-Topic"}, []string{"VGG-DeliveryId"}},

	// Every format that Stagedoor delivers.
	{
		"stagedoor",
		ours{portalForm, pullupForm, standardForm, staticForm},
		EventType{"body", "type"},
		[]string{"Webhook-Id", "X-Webhook-Delivery", "X-Pullup-Delivery", "VGG-DeliveryId"},
	},
}

// Names are the providers that are known by name.
func Names() []string {
	names := make([]string, len(presets))
	for i := range presets {
		names[i] = presets[i].name
	}
	return names
}

// Defaults are where a provider says what an event is, and the headers by which it names its events; nothing for one that says so nowhere, or is not known.
func Defaults(provider string) (EventType, []string) {
	p := presetOf(provider)
	if p == nil {
		return EventType{}, nil
	}
	return p.event, slices.Clone(p.dedup)
}

func presetOf(name string) *preset {
	for i := range presets {
		if presets[i].name == name {
			return &presets[i]
		}
	}
	return nil
}
