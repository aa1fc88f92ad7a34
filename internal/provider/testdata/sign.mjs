// Signs requests as each provider publishes that it does, with Node.js's own crypto and nothing else. It reads a JSON array of
// {provider, secret, stamp, id, body (base64)} and writes an array of {headers, challenge}.
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";

const hmac = (key, encoding, ...parts) => parts.reduce((h, p) => h.update(p), createHmac("sha256", key)).digest(encoding);
const keyOf = (secret) => Buffer.from(secret.slice("whsec_".length), "base64");
const standard = (prefix, c, body) => ({
  [`${prefix}-id`]: c.id,
  [`${prefix}-timestamp`]: c.stamp,
  [`${prefix}-signature`]: `v1,${hmac(keyOf(c.secret), "base64", `${c.id}.${c.stamp}.`, body)}`,
});

const sign = {
  stripe: (c, body) => ({ "stripe-signature": `t=${c.stamp},v1=${hmac(c.secret, "hex", `${c.stamp}.`, body)}` }),
  github: (c, body) => ({ "x-hub-signature-256": `sha256=${hmac(c.secret, "hex", body)}` }),
  shopify: (c, body) => ({ "x-shopify-hmac-sha256": hmac(c.secret, "base64", body) }),
  slack: (c, body) => ({ "x-slack-request-timestamp": c.stamp, "x-slack-signature": `v0=${hmac(c.secret, "hex", `v0:${c.stamp}:`, body)}` }),
  zoom: (c, body) => ({ "x-zm-request-timestamp": c.stamp, "x-zm-signature": `v0=${hmac(c.secret, "hex", `v0:${c.stamp}:`, body)}` }),
  twitter: (c, body) => ({ "x-twitter-webhooks-signature": `sha256=${hmac(c.secret, "base64", body)}` }),
  "standard-webhooks": (c, body) => standard("webhook", c, body),
  svix: (c, body) => standard("svix", c, body),
  stubhub: (c) => ({ authorization: c.secret }),
  "stagedoor/standard": (c, body) => standard("webhook", c, body),
  "stagedoor/portal": (c, body) => ({
    "x-webhook-timestamp": c.stamp,
    "x-webhook-signature": `sha256=${hmac(c.secret, "hex", `${c.stamp}.`, body)}`,
  }),
  "stagedoor/pullup": (c, body) => ({ "x-pullup-signature": hmac(c.secret, "hex", body) }),
  "stagedoor/stubhub": (c) => ({ authorization: c.secret }),

  // No preset: "x-signature", and a time in "x-timestamp".
  "/hex": (c, body) => ({ "x-signature": hmac(c.secret, "hex", body) }),
  "/sha256=hex": (c, body) => ({ "x-signature": `sha256=${hmac(c.secret, "hex", body)}` }),
  "/base64": (c, body) => ({ "x-signature": hmac(c.secret, "base64", body) }),
  "/base64url": (c, body) => ({ "x-signature": hmac(c.secret, "base64url", body) }),
  "/list": (c, body) => ({ "x-signature": `t=${c.stamp},v1=${hmac(c.secret, "hex", `${c.stamp}.`, body)}` }),
  "/hex of time and body": (c, body) => ({ "x-timestamp": c.stamp, "x-signature": hmac(c.secret, "hex", `${c.stamp}.`, body) }),
  "/base64 of time and body": (c, body) => ({ "x-timestamp": c.stamp, "x-signature": hmac(c.secret, "base64", `${c.stamp}.`, body) }),
  "/body, and a time": (c, body) => ({ "x-timestamp": c.stamp, "x-signature": `sha256=${hmac(c.secret, "hex", body)}` }),
};

// What the three answer when they try an address; id is the text that is to be signed or given back.
const challenge = {
  slack: (c) => ({ challenge: c.id }),
  zoom: (c) => ({ plainToken: c.id, encryptedToken: hmac(c.secret, "hex", c.id) }),
  twitter: (c) => ({ response_token: `sha256=${hmac(c.secret, "base64", c.id)}` }),
};

const cases = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(cases.map((c) => ({
  headers: sign[c.provider](c, Buffer.from(c.body, "base64")),
  challenge: challenge[c.provider]?.(c) ?? null,
}))));
