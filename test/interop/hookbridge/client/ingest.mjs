// The ingest URL: what is taken, what is refused, in which order it is checked, and what is written down of refusals.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { accepted, fails, given, isInstant, list, make, never, ok, pages, refused, row, secret, send, until } from "./sdk.mjs";

const all = "/v1/pull-endpoints";
const token = secret("static-token-9876543210");
const signing = secret("signing-secret-9876543210");

const mac = (text, encoding = "hex", key = signing) => createHmac("sha256", key).update(text).digest(encoding);
const seconds = (ahead = 0) => String(Math.floor(Date.now() / 1000) + ahead);

const counts = async (e) => (await ok(200, "GET", `${all}/${e.id}`)).data.counts;

export async function ingest() {
  await taken();
  await statuses();
  await refusals();
  await order();
  await tokens();
  await signatures();
  await networks();
  await keys();
  await types();
  await rejections();
}

async function taken() {
  await row("op.ingest ingest.accepted ingest.any-body", async () => {
    const e = await make({ name: "Takes" });
    const bodies = [["{}", "application/json"], ["", "application/json"], ["not JSON", "application/json"], [Buffer.from([0, 255, 10]), "application/octet-stream"], ["a=b", "application/x-www-form-urlencoded"]];
    const ids = [];
    for (const [body, type] of bodies) ids.push(await accepted(e, body, { "content-type": type }));
    ids.push(await accepted(e, "no type at all"));
    assert.equal(new Set(ids).size, ids.length);
    assert.deepEqual(await counts(e), { stored: ids.length, fetched: 0, delivered: 0, total: ids.length });
    assert.deepEqual((await list(`${all}/${e.id}/events`)).data.map((v) => v.id), ids);
  });
  await row("ingest.limit", async () => {
    const e = await make({ name: "Bounded" });
    const id = await accepted(e, Buffer.alloc(1 << 20, "x"));
    assert.equal((await list(`${all}/${e.id}/events`)).data[0].size_bytes, 1 << 20);
    await refused(413, "PAYLOAD_TOO_LARGE", e, Buffer.alloc((1 << 20) + 1), { expect: "100-continue" });
    assert.deepEqual((await pages(`${all}/${e.id}/events`)).map((v) => v.id), [id]);
  });
}

async function statuses() {
  await row("ingest.response-code ingest.no-body", async () => {
    for (const code of [200, 201, 202, 299]) await accepted(await make({ ingest_response_code: code }), "{}", {}, { code });
    for (const code of [204, 205]) {
      const e = await make({ ingest_response_code: code });
      const answer = await send(e.ingest_url, "{}");
      assert.equal(answer.status, code);
      assert.equal(answer.text, "");
      assert.equal((await counts(e)).stored, 1);
    }
  });
}

async function refusals() {
  await row("ingest.paused", async () => {
    const e = await make({ name: "Paused" });
    const id = await accepted(e, "{}");
    await ok(200, "POST", `${all}/${e.id}/pause`);
    const answer = await refused(503, "PAUSED", e, "{}");
    assert.equal(answer.headers["retry-after"], "60");
    assert.deepEqual((await list(`${all}/${e.id}/events`)).data.map((v) => v.id), [id], "nothing is stored, and what was stays readable");
    await ok(200, "GET", `${all}/${e.id}/events/${id}`);
  });
  await row("ingest.method", async () => {
    const e = await make({ name: "POST only" });
    for (const method of ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
      const answer = await refused(405, "INVALID_METHOD", e, "", {}, method);
      assert.equal(answer.headers.allow, "POST", method);
    }
    assert.equal((await counts(e)).total, 0);
  });
  await row("ingest.not-found", async () => {
    const e = await make({});
    for (const id of [never, "nothing"]) await refused(404, "ENDPOINT_NOT_FOUND", e.ingest_url.replace(e.id, id), "{}");
  });
  await row("ingest.secret", async () => {
    const e = await make({});
    const last = e.secret_token.at(-1) === "A" ? "E" : "A";
    for (const wrong of ["x", e.secret_token.slice(0, -1) + last, e.secret_token + "x", (await make({})).secret_token]) {
      await refused(401, "INVALID_SECRET", e.ingest_url.replace(e.secret_token, wrong), "{}");
    }
    assert.equal((await counts(e)).total, 0);
  });
}

async function order() {
  await row("ingest.order", async () => {
    const strict = {
      name: "Strict", verify_ip_allowlist: true, allowed_cidrs: ["203.0.113.0/24"], verify_static_token: true, token_header_name: "X-Token", token_value: token,
      verify_hmac: true, hmac_header_name: "X-Signature", hmac_secret: signing, idempotency_header_names: ["X-Id"],
    };
    const e = await make(strict);
    const wrong = e.ingest_url.replace(e.secret_token, "wrong");
    const large = Buffer.alloc((1 << 20) + 1);
    const inside = { "x-forwarded-for": "203.0.113.7" };
    await refused(405, "INVALID_METHOD", e.ingest_url.replace(e.id, never), "", {}, "GET"); // method, endpoint
    await ok(200, "POST", `${all}/${e.id}/pause`);
    await refused(401, "INVALID_SECRET", wrong, "{}"); // secret, paused
    await refused(503, "PAUSED", e, "{}"); // paused, address
    await ok(200, "POST", `${all}/${e.id}/resume`);
    await refused(403, "IP_NOT_ALLOWED", e, large, { expect: "100-continue" }); // address, size
    await refused(413, "PAYLOAD_TOO_LARGE", e, large, { expect: "100-continue", ...inside }); // size, token
    await refused(401, "STATIC_TOKEN_FAILED", e, "{}", inside); // token, signature
    await refused(401, "HMAC_FAILED", e, "{}", { ...inside, "x-token": token });
    const right = { ...inside, "x-token": token, "x-signature": mac("{}"), "x-id": "1" };
    const id = await accepted(e, "{}", right);
    await refused(401, "HMAC_FAILED", e, "{ }", right); // signature, key
    assert.equal(await accepted(e, "{}", right, { status: "duplicate" }), id);
    await ok(200, "DELETE", `${all}/${e.id}`);
    await refused(404, "ENDPOINT_DELETED", wrong, "{}"); // deleted, secret
  });
}

async function tokens() {
  await row("ingest.token-header ingest.token-query", async () => {
    const e = await make({ verify_static_token: true, token_header_name: "X-Token", token_query_param: "t", token_value: token });
    await accepted(e, "{}", { "X-TOKEN": token });
    await accepted(`${e.ingest_url}?t=${token}`, "{}");
    await accepted(`${e.ingest_url}?a=b&t=${token}&c=d`, "{}");
    for (const headers of [{}, { "x-token": "" }, { "x-token": `${token}x` }, { "x-token": token.slice(1) }, { authorization: token }]) {
      await refused(401, "STATIC_TOKEN_FAILED", e, "{}", headers);
    }
    for (const query of ["t=", "t=wrong-token-0000000", `u=${token}`]) await refused(401, "STATIC_TOKEN_FAILED", `${e.ingest_url}?${query}`, "{}");
    const header = await make({ verify_static_token: true, token_header_name: "X-Token", token_value: token });
    await refused(401, "STATIC_TOKEN_FAILED", `${header.ingest_url}?X-Token=${token}`, "{}");
    const { data } = await ok(200, "PATCH", `${all}/${e.id}`, { body: { verify_static_token: false } });
    assert.equal(data.verify_static_token, false);
    await accepted(e, "{}");
  });
}

async function signatures() {
  const body = '{"type":"order.paid","to":"Café ✓"}';
  const e = await make({ verify_hmac: true, hmac_header_name: "X-Signature", hmac_secret: signing });
  await row("hmac.hex hmac.sha256 hmac.base64", async () => {
    for (const signature of [mac(body), mac(body).toUpperCase(), `sha256=${mac(body)}`, mac(body, "base64")]) await accepted(e, body, { "x-signature": signature });
    for (const binary of [Buffer.alloc(0), Buffer.from([0, 1, 254, 255, 13, 10])]) await accepted(e, binary, { "x-signature": mac(binary) });
  });
  await row("hmac.wrong", async () => {
    const wrong = [undefined, "", "x", mac(body, "hex", "another"), mac(body + " "), mac(body).slice(1), `sha1=${mac(body)}`, `${mac(body)}00`, mac(body, "base64").slice(4), `t=${seconds()},v1=${mac(body, "hex", "another")}`];
    for (const signature of wrong) await refused(401, "HMAC_FAILED", e, body, signature === undefined ? {} : { "x-signature": signature });
    assert.equal((await counts(e)).total, 6);
  });
  await row("patch.secrets", async () => {
    const path = `${all}/${e.id}`;
    const kept = await ok(200, "PATCH", path, { body: { name: "Another" } });
    assert.equal(kept.data.verify_hmac, true);
    await accepted(e, body, { "x-signature": mac(body) });
    const fresh = secret("fresh-secret-9876543210");
    await ok(200, "PATCH", path, { body: { hmac_secret: fresh } });
    await accepted(e, body, { "x-signature": mac(body, "hex", fresh) });
    await refused(401, "HMAC_FAILED", e, body, { "x-signature": mac(body) });
    await ok(200, "PATCH", path, { body: { verify_static_token: true, token_header_name: "X-Token", token_value: token } });
    await refused(401, "STATIC_TOKEN_FAILED", e, body, { "x-signature": mac(body, "hex", fresh) });
    await accepted(e, body, { "x-signature": mac(body, "hex", fresh), "x-token": token });
  });
  const at = { verify_hmac: true, hmac_secret: signing, timestamp_ttl_seconds: 120 };
  await row("hmac.stripe hmac.several", async () => {
    const stripe = await make({ ...at, hmac_header_name: "Stripe-Signature", timestamp_header_name: "Stripe-Signature" });
    const sign = (t, key) => mac(`${t}.${body}`, "hex", key);
    const t = seconds();
    await accepted(stripe, body, { "stripe-signature": `t=${t},v1=${sign(t)}` });
    await accepted(stripe, body, { "stripe-signature": `t=${t},v1=${sign(t, "old")},v1=${sign(t)}` });
    await accepted(stripe, body, { "stripe-signature": `t=${t},v0=${sign(t, "x")},v1=${sign(t)}` });
    const wrong = [`t=${t},v1=${sign(t, "old")}`, `t=${t},v0=${sign(t)}`, `v1=${sign(t)}`, `t=${t}`, `t=${seconds(1)},v1=${sign(t)}`, `t=${seconds(-200)},v1=${sign(seconds(-200))}`, `t=${seconds(200)},v1=${sign(seconds(200))}`, `t=${t},v1=${mac(body)}`];
    for (const signature of wrong) await refused(401, "HMAC_FAILED", stripe, body, { "stripe-signature": signature });
  });
  await row("hmac.timestamp hmac.skew hmac.ttl", async () => {
    const timed = await make({ ...at, hmac_header_name: "X-Signature", timestamp_header_name: "X-Timestamp" });
    const iso = (ahead) => new Date(Date.now() + ahead * 1000).toISOString();
    const millis = (ahead) => String(Date.now() + ahead * 1000);
    for (const form of [seconds, millis, iso]) {
      for (const ahead of [0, -60, 60]) {
        const t = form(ahead);
        await accepted(timed, body, { "x-timestamp": t, "x-signature": mac(`${t}.${body}`) });
        await accepted(timed, body, { "x-timestamp": t, "x-signature": mac(body) });
      }
      for (const ahead of [-180, 180]) await refused(401, "HMAC_FAILED", timed, body, { "x-timestamp": form(ahead), "x-signature": mac(`${form(ahead)}.${body}`) });
    }
    for (const t of ["", "soon", "-5", "1e9", "99999999999999999999"]) await refused(401, "HMAC_FAILED", timed, body, { "x-timestamp": t, "x-signature": mac(`${t}.${body}`) });
    await refused(401, "HMAC_FAILED", timed, body, { "x-signature": mac(body) });

    await ok(200, "PATCH", `${all}/${timed.id}`, { body: { timestamp_ttl_seconds: 300 } });
    const t = seconds(-240);
    await accepted(timed, body, { "x-timestamp": t, "x-signature": mac(`${t}.${body}`) });
  });
}

async function networks() {
  await row("ip.refused ip.forwarded", async () => {
    const e = await make({ verify_ip_allowlist: true, allowed_cidrs: ["203.0.113.0/24", "2001:db8::/32"] });
    await refused(403, "IP_NOT_ALLOWED", e, "{}"); // the proxy itself
    for (const from of ["203.0.113.7", "2001:db8::7", "::ffff:203.0.113.7", "198.51.100.9, 203.0.113.7", "203.0.113.7, 127.0.0.9"]) await accepted(e, "{}", { "x-forwarded-for": from });
    for (const from of ["198.51.100.9", "203.0.113.7, 198.51.100.9", "2001:db9::7"]) await refused(403, "IP_NOT_ALLOWED", e, "{}", { "x-forwarded-for": from });
    await ok(200, "PATCH", `${all}/${e.id}`, { body: { allowed_cidrs: ["127.0.0.0/8"] } });
    await accepted(e, "{}");
  });
}

async function keys() {
  await row("dedup.same dedup.concatenated dedup.none dedup.endpoint", async () => {
    const e = await make({ idempotency_header_names: ["X-A", "X-B"] });
    const first = await accepted(e, '{"n":1}', { "x-a": "1", "x-b": "2" });
    assert.equal(await accepted(e, '{"n":2}', { "x-b": "2", "x-a": "1" }, { status: "duplicate" }), first);
    const others = [{ "x-a": "12", "x-b": "" }, { "x-a": "12" }, { "x-a": "1" }, { "x-b": "1" }, { "x-a": "1", "x-b": "" }, { "x-a": "", "x-b": "1" }, { "x-a": "2", "x-b": "1" }];
    const ids = new Set([first]);
    for (const headers of others) ids.add(await accepted(e, "{}", headers));
    assert.equal(ids.size, others.length + 1);
    for (const headers of others) assert.ok(ids.has(await accepted(e, "{}", headers, { status: "duplicate" })), JSON.stringify(headers));
    for (let i = 0; i < 2; i++) ids.add(await accepted(e, "{}")); // no header: no key
    assert.equal(ids.size, others.length + 3);
    assert.deepEqual(await counts(e), { stored: ids.size, fetched: 0, delivered: 0, total: ids.size });
    assert.ok(!ids.has(await accepted(await make({ idempotency_header_names: ["X-A", "X-B"] }), "{}", { "x-a": "1", "x-b": "2" })));
  });
  await row("dedup.code", async () => {
    const e = await make({ idempotency_header_names: ["X-A"], ingest_response_code: 200 });
    const id = await accepted(e, "{}", { "x-a": "1" }, { code: 200 });
    await ok(200, "POST", `${all}/${e.id}/events/ack`, { body: { event_ids: [id] } });
    assert.equal(await accepted(e, "{}", { "x-a": "1" }, { code: 200, status: "duplicate" }), id);
  });
  await row("dedup.concurrent", async () => {
    const e = await make({ idempotency_header_names: ["X-A"] });
    const answers = await Promise.all(Array.from({ length: 60 }, () => send(e.ingest_url, "{}", { "x-a": "same" })));
    const said = answers.map((a) => JSON.parse(a.text).data);
    assert.equal(said.filter((d) => d.status === "stored").length, 1);
    assert.equal(new Set(said.map((d) => d.event_id)).size, 1);
    assert.ok(answers.every((a) => a.status === 202));
    assert.equal((await counts(e)).total, 1);
  });
  await row("dedup.released", async () => {
    const e = await make({ idempotency_header_names: ["X-A"] });
    const path = `${all}/${e.id}/events`;
    const remove = {
      one: (id) => ok(200, "DELETE", `${path}/${id}`),
      batch: (id) => ok(200, "POST", `${path}/delete-batch`, { body: { message_ids: [id] } }),
      all: () => ok(200, "POST", `${path}/delete-all`),
    };
    for (const [how, gone] of Object.entries(remove)) {
      const id = await accepted(e, "{}", { "x-a": how });
      await gone(id);
      const next = await accepted(e, "{}", { "x-a": how });
      assert.notEqual(next, id, how);
      assert.equal(await accepted(e, "{}", { "x-a": how }, { status: "duplicate" }), next);
    }
  });
}

async function types() {
  await row("type.body type.null", async () => {
    const deep = "[".repeat(10_000) + "]".repeat(10_000);
    const cases = {
      type: [['{"type":"order.paid"}', "order.paid"], ['{"a":1}', null], ["not JSON", null], ["", null], ['{"type":{"a":1}}', null], ['{"type":["a"]}', null], ['{"type":null}', null], ['{"type":5}', null], [deep, null], [`{"type":"${"x".repeat(1_000_000)}"}`, null]],
      "data.object.kind": [['{"data":{"object":{"kind":"paid"}}}', "paid"], ['{"data":{"object":[]}}', null], ['{"data.object.kind":"no"}', null]],
      "items[1].type": [['{"items":[{"type":"a"},{"type":"b"}]}', "b"], ['{"items":[]}', null]],
    };
    for (const [at, some] of Object.entries(cases)) {
      const e = await make({ event_type_source: "body", event_type_path: at });
      for (const [body] of some) await accepted(e, body);
      assert.deepEqual((await pages(`${all}/${e.id}/events`)).map((v) => v.event_type), some.map(([, type]) => type), at);
    }
  });
  await row("type.header", async () => {
    const e = await make({ event_type_source: "header", event_type_path: "X-GitHub-Event" });
    await accepted(e, '{"type":"no"}', { "x-github-event": "push" });
    await accepted(e, '{"type":"no"}');
    assert.deepEqual((await pages(`${all}/${e.id}/events`)).map((v) => v.event_type), ["push", null]);
    await ok(200, "PATCH", `${all}/${e.id}`, { body: { event_type_source: "" } });
    await accepted(e, "{}", { "x-github-event": "push" });
    assert.deepEqual((await pages(`${all}/${e.id}/events`)).map((v) => v.event_type), ["push", null, null]);
  });
}

async function rejections() {
  const e = await make({ name: "Refuses", verify_static_token: true, token_header_name: "X-Token", token_value: token, verify_hmac: true, hmac_header_name: "X-Signature", hmac_secret: signing, verify_ip_allowlist: true, allowed_cidrs: ["203.0.113.0/24"] });
  const from = { "x-forwarded-for": "203.0.113.7" };
  const path = "/v1/inbound-rejections";
  const began = new Date(Date.now() - 1000).toISOString();
  await refused(405, "INVALID_METHOD", e, "", from, "GET");
  await refused(401, "INVALID_SECRET", e.ingest_url.replace(e.secret_token, "wrong"), "{}", from);
  await refused(403, "IP_NOT_ALLOWED", e, "{}");
  await refused(413, "PAYLOAD_TOO_LARGE", e, Buffer.alloc((1 << 20) + 1), { ...from, expect: "100-continue" });
  await refused(401, "STATIC_TOKEN_FAILED", e, "{}", { ...from, "x-token": secret("almost-the-right-token") });
  await refused(401, "HMAC_FAILED", e, "{}", { ...from, "x-token": token, "x-signature": mac("x"), cookie: `session=${secret("cookie-0123456789")}`, authorization: `Bearer ${secret("bearer-0123456789")}` });
  await ok(200, "POST", `${all}/${e.id}/pause`);
  await refused(503, "PAUSED", e, "{}", from);
  const gone = await make({ name: "Gone" });
  await ok(200, "DELETE", `${all}/${gone.id}`);
  await refused(404, "ENDPOINT_DELETED", gone, "{}", from);
  const reasons = ["invalid_method", "invalid_secret", "ip_not_allowed", "payload_too_large", "static_token_failed", "hmac_failed"];

  await row("op.rejections rejections.each", async () => {
    const { data } = await until(() => list(path, { pull_endpoint_id: e.id }), (page) => page.data.length >= reasons.length);
    assert.deepEqual(data.map((r) => r.reason_code).toSorted(), reasons.toSorted(), "all but what was refused while paused");
    for (const r of data) {
      assert.equal(typeof r.id, "string");
      isInstant(r.received_at);
      assert.equal(r.inbound_endpoint_id, e.id);
      assert.equal(r.pull_endpoint_id, e.id);
      assert.ok(r.reason_detail === null || typeof r.reason_detail === "string");
      assert.equal(r.source_ip, r.reason_code === "ip_not_allowed" ? "127.0.0.1" : "203.0.113.7", r.reason_code);
      assert.equal(typeof r.headers_redacted, "string");
    }
  });
  await row("rejections.masked", async () => {
    const { data } = await list(path, { pull_endpoint_id: e.id });
    const text = JSON.stringify(data);
    for (const value of [token, signing, "almost-the-right-token", "cookie-0123456789", "bearer-0123456789", mac("x"), e.secret_token]) assert.ok(!text.includes(value), `${value} is shown`);
    const names = Object.keys(JSON.parse(data.find((r) => r.reason_code === "hmac_failed").headers_redacted)).map((n) => n.toLowerCase());
    for (const name of ["x-token", "x-signature", "cookie", "authorization"]) assert.ok(names.includes(name), `${name} among ${names}`);
  });
  await row("rejections.deleted-endpoint", async () => {
    await until(() => list(path, { limit: 500, start_time: began }), (page) => page.data.some((r) => r.reason_code === "endpoint_deleted" && r.inbound_endpoint_id === gone.id));
  });
  await row("rejections.filters rejections.paged rejections.limit", async () => {
    assert.equal((await list(path, { inbound_endpoint_id: e.id })).data.length, reasons.length);
    const every = await pages(path, { pull_endpoint_id: e.id });
    assert.deepEqual((await pages(path, { pull_endpoint_id: e.id, limit: 2 })).map((r) => r.id), every.map((r) => r.id));
    const middle = every[3].received_at;
    const since = await list(path, { pull_endpoint_id: e.id, start_time: middle });
    const before = await list(path, { pull_endpoint_id: e.id, end_time: middle });
    assert.equal(since.data.length + before.data.length, reasons.length);
    assert.ok(since.data.every((r) => Date.parse(r.received_at) >= Date.parse(middle)) && since.data.length > 0);
    for (const limit of ["0", "501"]) await fails(400, "INVALID_REQUEST", "GET", path, { query: { limit } }, "limit");
    await fails(400, "INVALID_REQUEST", "GET", path, { query: { start_time: "yesterday" } }, "start_time");
    const page = await list(path, { pull_endpoint_id: e.id, limit: 2 });
    await fails(400, "INVALID_REQUEST", "GET", path, { query: { limit: 2, cursor: page.meta.next_cursor } }, "cursor");
    assert.deepEqual((await list(path, {}, { key: given.other })).data, []);
  });
  await row("rejections.default-limit", async () => {
    await until(() => list(path, { limit: 500 }), (page) => page.data.length > 50);
    assert.equal((await list(path)).data.length, 50);
  });
  await row("rejections.400", () => fails(400, "ENDPOINT_NOT_FOUND", "GET", path, { query: { pull_endpoint_id: never } }));
}
