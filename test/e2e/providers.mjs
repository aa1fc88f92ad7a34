// What providers send, signed as each of them publishes it, with Node's own crypto. It is told a secret for each provider and writes a request a line: who sends it,
// what is special about it, and what should come of it.
import { createHmac, randomUUID } from "node:crypto";

const secrets = JSON.parse(process.env.GIVEN);
const mac = (key, text, encoding, algorithm = "sha256") => createHmac(algorithm, key).update(text).digest(encoding);
const now = Math.floor(Date.now() / 1000);

// Each provider: the body and its type, the headers for a body at a time under a key, and whether a time is signed and a request that comes twice is known again.
const json = "application/json";
const standard = (prefix) => (body, t, key, id) => {
  const sign = (k) => `v1,${mac(Buffer.from(k.slice("whsec_".length), "base64"), `${id}.${t}.${body}`, "base64")}`;
  return { [`${prefix}-id`]: id, [`${prefix}-timestamp`]: String(t), [`${prefix}-signature`]: [].concat(key).map(sign).join(" ") };
};
const providers = {
  stripe: {
    body: '{"id":"evt_1NG8Du2eZvKYlo2CUI79vXWy","object":"event","type":"payment_intent.succeeded","data":{"object":{"amount":11850}}}', type: "payment_intent.succeeded", timed: true,
    sign: (body, t, key) => ({ "Stripe-Signature": [`t=${t}`, ...[].concat(key).map((k) => `v1=${mac(k, `${t}.${body}`, "hex")}`), `v0=${"6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39"}`].join(",") }),
  },
  github: {
    body: '{"ref":"refs/heads/main","repository":{"full_name":"hall/tickets"}}', type: "push", known: true,
    sign: (body, t, key, id) => ({ "X-GitHub-Event": "push", "X-GitHub-Delivery": id, "X-Hub-Signature": `sha1=${mac(key, body, "hex", "sha1")}`, "X-Hub-Signature-256": `sha256=${mac(key, body, "hex")}` }),
  },
  shopify: {
    body: '{"id":820982911946154508,"email":"jon@example.com","total_price":"403.00"}', type: "orders/create", known: true,
    sign: (body, t, key, id) => ({ "X-Shopify-Topic": "orders/create", "X-Shopify-Webhook-Id": id, "X-Shopify-Hmac-Sha256": mac(key, body, "base64") }),
  },
  slack: {
    body: '{"token":"x","team_id":"T1","type":"event_callback","event":{"type":"app_mention","text":"<@U0LAN0Z89> is it everything"}}', type: "app_mention", timed: true,
    sign: (body, t, key) => ({ "X-Slack-Request-Timestamp": String(t), "X-Slack-Signature": `v0=${mac(key, `v0:${t}:${body}`, "hex")}` }),
  },
  zoom: {
    body: '{"event":"meeting.started","event_ts":1626230691572,"payload":{"object":{"id":"1234567890"}}}', type: "meeting.started", timed: true,
    sign: (body, t, key) => ({ "x-zm-request-timestamp": String(t), "x-zm-signature": `v0=${mac(key, `v0:${t}:${body}`, "hex")}` }),
  },
  twitter: {
    body: '{"for_user_id":"2244994945","favorite_events":[{"id":"a7ba59eab0bfcba386f7acedac279542"}]}', type: null,
    sign: (body, t, key) => ({ "x-twitter-webhooks-signature": `sha256=${mac(key, body, "base64")}` }),
  },
  "standard-webhooks": { body: '{"type":"contact.created","timestamp":"2022-11-03T20:26:10.344522Z","data":{"id":"1f81eb52"}}', type: "contact.created", timed: true, known: true, sign: standard("webhook") },
  svix: { body: '{"type":"invoice.paid","data":{"id":"in_1","to":"Café ✓"}}', type: "invoice.paid", timed: true, known: true, sign: standard("svix") },
  stubhub: {
    body: '{"topic":"Sales","action":"Created","_embedded":{"sale":{"id":1}}}', type: "Sales", known: true, fixed: true,
    sign: (body, t, key, id) => ({ Authorization: key, "VGG-Topic": "Sales", "VGG-DeliveryId": id }),
  },
};

function say(provider, name, body, headers, want, more = {}) {
  console.log(JSON.stringify({ provider, name, method: "POST", body, headers: { "Content-Type": json, ...headers }, want, ...more }));
}

for (const [provider, p] of Object.entries(providers)) {
  const key = secrets[provider];
  const other = key.startsWith("whsec_") ? `whsec_${Buffer.from("another-secret-of-24-byte").toString("base64")}` : `${key}x`;
  const failed = p.fixed ? "static_token_failed" : "hmac_failed";
  const sign = (t, k, id = randomUUID()) => p.sign(p.body, t, k, id);
  const right = sign(now, key);
  say(provider, "right", p.body, right, "stored", { type: p.type });
  say(provider, "again", p.body, right, p.known ? "duplicate" : "stored", { type: p.type });
  say(provider, "wrong key", p.body, sign(now, other), failed);
  if (!p.fixed) say(provider, "another body", `${p.body} `, sign(now, key), failed);
  const bare = Object.fromEntries(Object.entries(right).filter(([n]) => !/signature|hmac|authorization/i.test(n)));
  say(provider, "missing", p.body, bare, failed);
  const empty = Object.fromEntries(Object.entries(right).map(([n, v]) => [n, /signature|hmac|authorization/i.test(n) ? "" : v]));
  say(provider, "empty", p.body, empty, failed);
  if (p.timed) {
    say(provider, "a little old", p.body, sign(now - 200, key), "stored", { type: p.type });
    say(provider, "stale", p.body, sign(now - 400, key), "hmac_failed");
    say(provider, "future", p.body, sign(now + 400, key), "hmac_failed");
    const later = Object.fromEntries(Object.entries(sign(now - 400, key)).map(([n, v]) => [n, v.replace(String(now - 400), String(now))]));
    say(provider, "another time", p.body, later, "hmac_failed");
  }
  if (["stripe", "standard-webhooks", "svix"].includes(provider)) say(provider, "several", p.body, sign(now, [other, key]), "stored", { type: p.type });
}

// Challenges, with what answers them.
const slack = '{"token":"Jhj5dZrVaK7ZwHHjRyZWjbDl","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P","type":"url_verification"}';
const zoom = '{"payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"},"event_ts":1654503849680,"event":"endpoint.url_validation"}';
say("slack", "challenge", slack, providers.slack.sign(slack, now, secrets.slack), "answer", { answer: { challenge: "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P" } });
say("slack", "challenge unsigned", slack, {}, "hmac_failed");
say("zoom", "challenge", zoom, providers.zoom.sign(zoom, now, secrets.zoom), "answer", { answer: { plainToken: "qgg8vlvZRS6UYooatFL8Aw", encryptedToken: mac(secrets.zoom, "qgg8vlvZRS6UYooatFL8Aw", "hex") } });
say("zoom", "challenge unsigned", zoom, {}, "hmac_failed");
const crc = { method: "GET", body: "", query: "crc_token=challenge_0123456789&nonce=1" };
say("twitter", "challenge", "", {}, "answer", { ...crc, answer: { response_token: `sha256=${mac(secrets.twitter, "challenge_0123456789", "base64")}` } });
say("github", "another's challenge", "", {}, "invalid_method", crc);
say("shopify", "another's challenge", slack, providers.shopify.sign(slack, now, secrets.shopify, randomUUID()), "stored", { type: "orders/create" });
const page = slack.replace(/3eZ\w+/, "<script>alert(1)</script>");
say("slack", "a challenge that is a page", page, providers.slack.sign(page, now, secrets.slack), "stored", { type: null });
