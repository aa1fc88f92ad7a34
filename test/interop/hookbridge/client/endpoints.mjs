// Making, reading, changing, pausing and deleting of pull endpoints.
import assert from "node:assert/strict";
import { accepted, call, fails, given, isInstant, isUUIDv7, list, make, never, ok, pages, refused, row, secret } from "./sdk.mjs";

const all = "/v1/pull-endpoints";
const token = secret("static-token-0123456789");
const signing = secret("signing-secret-0123456789");

// whole is every field that can be said of an endpoint, as it is sent.
const whole = {
  name: "Box office feed", description: "What the box office hears", retention_days: 14, event_type_source: "body", event_type_path: "type",
  verify_static_token: true, token_header_name: "X-Token", token_query_param: "token", token_value: token,
  verify_hmac: true, hmac_header_name: "X-Signature", hmac_secret: signing, timestamp_header_name: "X-Timestamp", timestamp_ttl_seconds: 120,
  verify_ip_allowlist: true, allowed_cidrs: ["203.0.113.0/24", "2001:db8::/32"], idempotency_header_names: ["X-Event-ID", "X-Other"], ingest_response_code: 201,
};

// isEndpoint holds what an endpoint always has, and that it keeps its secrets.
function isEndpoint(e) {
  isUUIDv7(e.id);
  assert.equal(e.mode, "pull");
  assert.equal(typeof e.ingest_url, "string");
  assert.equal(e.active, true);
  assert.equal(typeof e.paused, "boolean");
  isInstant(e.created_at);
  isInstant(e.updated_at);
  for (const name of ["token_value", "hmac_secret"]) assert.ok(!(name in e), `${name} is shown`);
  assert.ok(!JSON.stringify(e).includes(token) && !JSON.stringify(e).includes(signing), "a secret is shown");
}

// shown checks that an endpoint shows what was said of it.
function shown(e, said) {
  isEndpoint(e);
  for (const [name, value] of Object.entries(said)) {
    if (name !== "token_value" && name !== "hmac_secret") assert.deepEqual(e[name], value, name);
  }
}

// invalid checks that none of the bodies makes an endpoint, and that the field is named.
async function invalid(field, ...bodies) {
  for (const body of bodies) await fails(400, "INVALID_REQUEST", "POST", all, { body }, field);
}

// valid checks that each of the bodies makes an endpoint that shows it.
async function valid(...bodies) {
  for (const body of bodies) shown(await make(body), body);
}

export async function endpoints() {
  const before = (await pages(all)).map((e) => e.id);
  assert.deepEqual(before, [], "the organisation is new");

  let made;
  await row("op.create create.status field.every", async () => {
    made = await make(whole);
    shown(made, whole);
  });
  await row("create.empty create.defaults", async () => {
    const e = await make({});
    isEndpoint(e);
    assert.equal(e.paused, false);
    assert.equal(e.ingest_response_code, 202);
    assert.ok([null, undefined, 30].includes(e.retention_days), `retention_days ${e.retention_days}`);
    for (const flag of ["verify_static_token", "verify_hmac", "verify_ip_allowlist"]) assert.equal(e[flag], false, flag);
    for (const names of ["allowed_cidrs", "idempotency_header_names"]) assert.deepEqual(e[names], [], names);
    assert.equal(e.timestamp_ttl_seconds ?? null, null);
  });
  await row("field.secret_token field.ingest_url", async () => {
    assert.ok(made.secret_token.length >= 22, "the secret has 128 bits at least");
    assert.ok(made.ingest_url.endsWith(`/${made.secret_token}`), "the URL that is shown once has the secret at its end");
    const read = (await ok(200, "GET", `${all}/${made.id}`)).data;
    assert.ok(!("secret_token" in read));
    assert.equal(`${read.ingest_url}/${made.secret_token}`, made.ingest_url, "elsewhere the URL is shown without its secret");
    for (const e of [(await ok(200, "PATCH", `${all}/${made.id}`, { body: {} })).data, ...(await list(all)).data]) {
      assert.ok(!("secret_token" in e) && !JSON.stringify(e).includes(made.secret_token));
    }
    assert.notEqual((await make({})).secret_token, made.secret_token);
  });
  await row("op.get field.counts", async () => {
    const { data } = await ok(200, "GET", `${all}/${made.id}`);
    shown(data, whole);
    assert.deepEqual(data.counts, { stored: 0, fetched: 0, delivered: 0, total: 0 });
    assert.equal(data.created_at, made.created_at);
  });
  await row("op.list list.summary list.no-counts", async () => {
    const { data } = await list(all);
    const one = data.find((e) => e.id === made.id);
    assert.deepEqual(Object.keys(one).toSorted(), ["active", "created_at", "id", "ingest_url", "name", "paused"]);
    assert.equal(one.name, whole.name);
    assert.equal(one.active, true);
  });
  await row("list.limit list.cursor list.default-limit", async () => {
    await Promise.all(Array.from({ length: 53 }, (_, i) => make({ name: `Many ${i}` })));
    assert.equal((await list(all)).data.length, 50);
    const every = await pages(all, { limit: 100 });
    assert.ok(every.length > 53);
    assert.deepEqual((await pages(all, { limit: 7 })).map((e) => e.id), every.map((e) => e.id));
    assert.equal(new Set(every.map((e) => e.id)).size, every.length);
    for (const limit of ["0", "101", "-1", "x", "1.5"]) await fails(400, "INVALID_REQUEST", "GET", all, { query: { limit } }, "limit");
    for (const cursor of ["x", "AAAA", Buffer.alloc(24).toString("base64url")]) await fails(400, "INVALID_REQUEST", "GET", all, { query: { cursor } }, "cursor");
  });
  await envelopes();
  await fields();
  await conditions();
  await patches(made);
  await pausing();
  await strangers(made);
  await deleting();
  await repeating();
}

// Whatever goes wrong is told in the envelope.
async function envelopes() {
  await row("envelope.unknown-path", async () => {
    for (const path of ["/v1/nothing", `${all}/`, `${all}/${never}/nothing`]) await fails(404, "NOT_FOUND", "GET", path);
  });
  await row("envelope.method", async () => {
    for (const [method, path] of [["PUT", all], ["DELETE", all], ["POST", "/v1/pull-logs"], ["PATCH", `${all}/${never}/pause`]]) {
      const answer = await call(method, path, { body: {} });
      assert.equal(answer.status, 405, `${method} ${path}`);
      assert.equal(answer.error.code, "METHOD_NOT_ALLOWED");
      assert.ok(answer.headers.get("allow"), `${method} ${path}`);
    }
  });
  await row("envelope.body", async () => {
    const texts = ["\ufeff{}", '{"retention_days":NaN}', '{"name":"a","name":"b"}', `{"x":${"[".repeat(100_000)}${"]".repeat(100_000)}}`, '{"name":"a\\u0000b"}', '{"name":"\\ud800"}'];
    for (const text of texts) await fails(400, "INVALID_REQUEST", "POST", all, { text });
  });
  await row("envelope.too-large", async () => {
    const headers = { authorization: `Bearer ${given.key}`, "content-type": "application/json", expect: "100-continue" };
    await refused(413, "BODY_TOO_LARGE", given.base + all, JSON.stringify({ name: "x".repeat(2 << 20) }), headers);
  });
}

async function fields() {
  await row("field.name field.characters", async () => {
    await valid({ name: "x".repeat(255) }, { name: "🎟".repeat(255) });
    await invalid("name", { name: "x".repeat(256) }, { name: "🎟".repeat(256) }, { name: 5 });
  });
  await row("field.description", async () => {
    await valid({ description: "é".repeat(500) });
    await invalid("description", { description: "é".repeat(501) }, { description: ["x"] });
  });
  await row("field.retention_days", async () => {
    await valid({ retention_days: 1 }, { retention_days: 365 });
    await invalid("retention_days", { retention_days: 0 }, { retention_days: -1 }, { retention_days: 366 }, { retention_days: 1.5 }, { retention_days: "30" }, { retention_days: 1e30 });
  });
  await row("field.event_type", async () => {
    await valid({ event_type_source: "body", event_type_path: "data.type" }, { event_type_source: "header", event_type_path: "X-GitHub-Event" });
    await invalid("event_type_source", { event_type_source: "query", event_type_path: "type" });
    await invalid("event_type_path", { event_type_source: "body", event_type_path: "x".repeat(257) });
  });
  await row("field.static_token", async () => {
    const base = { verify_static_token: true, token_header_name: "X-Token" };
    await valid({ ...base, token_value: token.slice(0, 16) }, { verify_static_token: true, token_query_param: "token", token_value: token });
    await invalid("token_value", { ...base, token_value: "x".repeat(15) });
  });
  await row("field.hmac", async () => {
    await valid({ verify_hmac: true, hmac_header_name: "X-Signature", hmac_secret: signing });
    await invalid("hmac_header_name", { verify_hmac: true, hmac_header_name: "X Signature", hmac_secret: signing });
  });
  await row("field.timestamp", async () => {
    const base = { verify_hmac: true, hmac_header_name: "X-Signature", hmac_secret: signing, timestamp_header_name: "X-Timestamp" };
    await valid({ ...base, timestamp_ttl_seconds: 1 });
    await invalid("timestamp_ttl_seconds", { ...base, timestamp_ttl_seconds: 0 }, { ...base, timestamp_ttl_seconds: "60" });
  });
  await row("field.allowed_cidrs", async () => {
    await valid({ verify_ip_allowlist: true, allowed_cidrs: ["192.0.2.0/24", "2001:db8::/32"] });
    await invalid("allowed_cidrs", { verify_ip_allowlist: true, allowed_cidrs: ["192.0.2.0/33"] }, { verify_ip_allowlist: true, allowed_cidrs: ["here"] });
  });
  await row("field.idempotency_header_names", async () => {
    await valid({ idempotency_header_names: ["X-B", "X-A"] });
    await invalid("idempotency_header_names", { idempotency_header_names: ["X B"] }, { idempotency_header_names: "X-B" });
  });
  await row("field.ingest_response_code", async () => {
    await valid({ ingest_response_code: 200 }, { ingest_response_code: 299 });
    await invalid("ingest_response_code", { ingest_response_code: 199 }, { ingest_response_code: 300 });
  });
  await row("create.unknown-fields", async () => {
    const e = await make({ name: "Known", colour: "red", mode: "forward", id: never });
    assert.equal(e.mode, "pull");
    assert.notEqual(e.id, never);
    assert.ok(!("colour" in e));
  });
  await row("create.400", async () => {
    for (const text of ["{", "[]", "null", '"x"', '{"name":"a"}x']) await fails(400, "INVALID_REQUEST", "POST", all, { text });
  });
}

async function conditions() {
  await row("needs.static_token", async () => {
    await invalid("token_value", { verify_static_token: true, token_header_name: "X-Token" });
    await invalid("token_header_name", { verify_static_token: true, token_value: token });
  });
  await row("needs.hmac", async () => {
    await invalid("hmac_secret", { verify_hmac: true, hmac_header_name: "X-Signature" });
    await invalid("hmac_header_name", { verify_hmac: true, hmac_secret: signing });
  });
  await row("needs.timestamp", async () => {
    const base = { verify_hmac: true, hmac_header_name: "X-Signature", hmac_secret: signing };
    await invalid("timestamp_", { ...base, timestamp_ttl_seconds: 60 }, { ...base, timestamp_header_name: "X-Timestamp" });
  });
  await row("needs.allowlist", () => invalid("allowed_cidrs", { verify_ip_allowlist: true }, { verify_ip_allowlist: true, allowed_cidrs: [] }));
  await row("needs.event_type", () => invalid("event_type_", { event_type_source: "body" }, { event_type_path: "type" }, { event_type_source: "", event_type_path: "type" }));
}

async function patches(made) {
  const path = `${all}/${made.id}`;
  await row("op.patch patch.only-sent", async () => {
    const { data } = await ok(200, "PATCH", path, { body: { name: "Another", colour: "red" } });
    shown(data, { ...whole, name: "Another" });
    assert.equal(data.created_at, made.created_at);
    assert.ok(Date.parse(data.updated_at) >= Date.parse(made.updated_at));
    shown((await ok(200, "GET", path)).data, { ...whole, name: "Another" });
  });
  await row("patch.each", async () => {
    const changes = {
      name: "n", description: "d", retention_days: 3, event_type_path: "data.kind", token_header_name: "X-T", token_query_param: "t", hmac_header_name: "X-S",
      timestamp_header_name: "X-At", timestamp_ttl_seconds: 30, allowed_cidrs: ["192.0.2.0/24"], idempotency_header_names: [], ingest_response_code: 204,
      verify_static_token: false, verify_ip_allowlist: false, verify_hmac: false,
    };
    const want = { ...whole };
    for (const [name, value] of Object.entries(changes)) {
      want[name] = value;
      const { data } = await ok(200, "PATCH", path, { body: { [name]: value } });
      for (const [n, v] of Object.entries(want)) {
        if (n !== "token_value" && n !== "hmac_secret") assert.deepEqual(data[n], v, `${n} after a change of ${name}`);
      }
    }
  });
  await row("patch.clear", async () => {
    const { data } = await ok(200, "PATCH", path, { body: { event_type_source: "" } });
    assert.ok(!data.event_type_source && !data.event_type_path, JSON.stringify(data));
    const untimed = (await ok(200, "PATCH", path, { body: { timestamp_header_name: "" } })).data; // what needs it goes with it
    assert.ok(!untimed.timestamp_header_name && untimed.timestamp_ttl_seconds === null, JSON.stringify(untimed));
  });
  await row("patch.needs", async () => {
    const e = await make({});
    const on = (body, field) => fails(400, "INVALID_REQUEST", "PATCH", `${all}/${e.id}`, { body }, field);
    await on({ verify_static_token: true }, "token_value");
    await on({ verify_hmac: true, hmac_header_name: "X-Signature" }, "hmac_secret");
    await on({ verify_ip_allowlist: true }, "allowed_cidrs");
    await on({ event_type_source: "body" }, "event_type_path");
    await on({ timestamp_header_name: "X-Timestamp" }, "timestamp_ttl_seconds");
    await ok(200, "PATCH", `${all}/${e.id}`, { body: { hmac_header_name: "X-Signature", hmac_secret: signing } });
    const { data } = await ok(200, "PATCH", `${all}/${e.id}`, { body: { verify_hmac: true } }); // what is known by now is enough
    assert.equal(data.verify_hmac, true);
  });
  await row("patch.400", async () => {
    await fails(400, "INVALID_REQUEST", "PATCH", path, { body: { ingest_response_code: 300 } }, "ingest_response_code");
    await fails(400, "INVALID_REQUEST", "PATCH", path, { text: "{" });
    assert.equal((await ok(200, "GET", path)).data.ingest_response_code, 204, "what is refused changes nothing");
  });
}

async function pausing() {
  await row("op.pause op.resume pause.idempotent pause.patch", async () => {
    const e = await make({ name: "Pauses" });
    const path = `${all}/${e.id}`;
    await accepted(e, "{}");
    for (let i = 0; i < 2; i++) assert.deepEqual((await ok(200, "POST", `${path}/pause`)).data, { id: e.id, paused: true });
    assert.equal((await ok(200, "GET", path)).data.paused, true);
    assert.equal((await pages(all)).find((one) => one.id === e.id).paused, true);
    const { data } = await ok(200, "PATCH", path, { body: { name: "Still pauses" } });
    assert.equal(data.name, "Still pauses");
    assert.equal(data.paused, true);
    for (let i = 0; i < 2; i++) assert.deepEqual((await ok(200, "POST", `${path}/resume`)).data, { id: e.id, paused: false });
    await accepted(e, "{}");
  });
}

// Every operation on one endpoint, by its name: method, what follows the endpoint's path, and a body.
export const onOne = {
  get: ["GET", ""], patch: ["PATCH", "", { name: "x" }], delete: ["DELETE", ""], pause: ["POST", "/pause"], resume: ["POST", "/resume"],
  events: ["GET", "/events"], event: ["GET", `/events/${never}`], ack: ["POST", "/events/ack", { event_ids: [never] }], "event-delete": ["DELETE", `/events/${never}`],
  "delete-batch": ["POST", "/events/delete-batch", { message_ids: [never] }], "delete-all": ["POST", "/events/delete-all"],
};

async function strangers(made) {
  for (const [name, [method, rest, body]] of Object.entries(onOne)) {
    await row(`${name}.401`, async () => {
      for (const key of [null, "hb_live_0123456789abcdef0123456789abcdef", "x"]) {
        await fails(401, "UNAUTHORIZED", method, `${all}/${made.id}${rest}`, { body, key }, "Invalid or missing API key");
      }
    });
    await row(`${name}.404`, async () => {
      await fails(404, "NOT_FOUND", method, `${all}/${never}${rest}`, { body });
      await fails(404, "NOT_FOUND", method, `${all}/${made.id}${rest}`, { body, key: given.other });
    });
    await row(`${name}.no-uuid`, () => fails(400, "INVALID_REQUEST", method, `${all}/nothing${rest}`, { body }));
  }
  const others = { create: ["POST", all], list: ["GET", all], logs: ["GET", "/v1/pull-logs"], metrics: ["GET", "/v1/pull-metrics"], series: ["GET", "/v1/pull-metrics/timeseries"], rejections: ["GET", "/v1/inbound-rejections"] };
  for (const [name, [method, path]] of Object.entries(others)) {
    await row(`${name}.401`, async () => {
      await fails(401, "UNAUTHORIZED", method, path, { body: method === "POST" ? {} : undefined, key: null }, "Invalid or missing API key");
    });
  }
  await row("list.own", async () => {
    assert.deepEqual(await pages(all, {}, async () => {}).then((every) => every.filter((e) => e.id === made.id).length), 1);
    assert.deepEqual((await list(all, {}, { key: given.other })).data, []);
  });
}

async function deleting() {
  await row("op.delete delete.all-404 delete.ingest", async () => {
    const e = await make({ name: "Goes" });
    const event = await accepted(e, "{}");
    assert.deepEqual((await ok(200, "DELETE", `${all}/${e.id}`)).data, { id: e.id, deleted: true });
    for (const [method, rest, body] of Object.values(onOne)) {
      await fails(404, "NOT_FOUND", method, `${all}/${e.id}${rest.replace(never, event)}`, { body: JSON.parse(JSON.stringify(body ?? null)?.replaceAll(never, event)) ?? undefined });
    }
    assert.ok(!(await pages(all)).some((one) => one.id === e.id));
    await refused(404, "ENDPOINT_DELETED", e, "{}");
  });
}

async function repeating() {
  await row("idempotency.mismatch", async () => {
    const headers = { "idempotency-key": `key-${process.pid}-${Date.now()}` };
    const first = await ok(201, "POST", all, { body: { name: "Once" }, headers });
    secret(first.data.secret_token);
    const again = await ok(201, "POST", all, { body: { name: "Once" }, headers });
    assert.deepEqual(again.data, first.data);
    await fails(409, "IDEMPOTENCY_MISMATCH", "POST", all, { body: { name: "Twice" }, headers });
  });
}
