// What the published SDKs of HookBridge do, without them: a Bearer key, any 2xx is success, 408, 429 and 5xx are asked again three times from 100 ms on, doubling,
// and answers are unwrapped from their envelope. Beside it, the sender's side: a provider that posts to an ingest URL.
import assert from "node:assert/strict";
import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

export const given = JSON.parse(process.env.GIVEN); // base: the URL before /v1; key: of an organisation; other: of another one

export function say(what) {
  console.log(JSON.stringify(what));
}

// secret notes what no log may have.
export function secret(value) {
  say({ secret: value });
  return value;
}

// row runs the checks of rows of the specification, named with spaces between, and says whether they hold.
export async function row(names, check) {
  let wrong;
  try {
    await check();
  } catch (e) {
    wrong = `${e.message}\n${e.stack}`;
  }
  for (const name of names.split(" ")) say({ row: name, wrong });
}

const ids = new Set(); // of requests

// unwrap holds an answer against the envelope.
function unwrap(what, status, type, text) {
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    return { status, error: { code: "UNKNOWN_ERROR", message: text } };
  }
  assert.match(type ?? "", /^application\/json/, what);
  assert.equal(typeof body.meta?.request_id, "string", `${what}: ${text}`);
  assert.match(body.meta.request_id, /^req_\w+$/, what);
  assert.ok(!ids.has(body.meta.request_id), `${what}: request_id ${body.meta.request_id} was another's`);
  ids.add(body.meta.request_id);
  if (status < 300) {
    assert.ok("data" in body, `${what}: ${text}`);
    assert.deepEqual(Object.keys(body).filter((k) => !["data", "meta", "error"].includes(k)), [], what);
    return { status, ...body };
  }
  assert.deepEqual(Object.keys(body).toSorted(), ["error", "meta"], `${what}: ${text}`);
  assert.deepEqual(Object.keys(body.error).toSorted(), ["code", "message"], `${what}: ${text}`);
  assert.match(body.error.code, /^[A-Z][A-Z_]*$/, what);
  assert.ok(body.error.message.length > 0, what);
  return { status, ...body };
}

// call makes a request to the management API.
export async function call(method, path, { body, text, query = {}, key = given.key, headers = {} } = {}) {
  const url = new URL(given.base + path);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  const sent = { ...headers };
  if (key) sent.authorization = `Bearer ${key}`;
  if (body !== undefined) text = JSON.stringify(body);
  if (text !== undefined) sent["content-type"] = "application/json";
  for (let wait = 100, tries = 0; ; wait *= 2, tries++) {
    const response = await fetch(url, { method, headers: sent, body: text, redirect: "error" });
    const got = await response.text();
    if (tries < 3 && ([408, 429].includes(response.status) || response.status >= 500)) {
      say({ retried: `${method} ${path} = ${response.status} ${got}` });
      await sleep(wait);
      continue;
    }
    return { headers: response.headers, ...unwrap(`${method} ${url.pathname}${url.search}`, response.status, response.headers.get("content-type"), got) };
  }
}

// ok makes a request that is answered with the status.
export async function ok(status, method, path, options) {
  const answer = await call(method, path, options);
  assert.equal(answer.status, status, `${method} ${path} ${JSON.stringify(options)}: ${JSON.stringify(answer.error)}`);
  return answer;
}

// fails makes a request that is refused; the message has each of the words in it.
export async function fails(status, code, method, path, options, ...words) {
  const answer = await call(method, path, options);
  const what = `${method} ${path} ${JSON.stringify(options)?.slice(0, 300)}: ${answer.status} ${JSON.stringify(answer.error ?? answer.data)?.slice(0, 300)}`;
  assert.equal(answer.status, status, what);
  assert.equal(answer.error.code, code, what);
  for (const word of words) assert.ok(answer.error.message.includes(word), `${what}, want a word of ${word}`);
  return answer;
}

// list reads a page.
export async function list(path, query = {}, options = {}) {
  const answer = await ok(200, "GET", path, { query, ...options });
  assert.ok(Array.isArray(answer.data), path);
  assert.equal(typeof answer.meta.has_more, "boolean", path);
  assert.equal(typeof answer.meta.next_cursor, "string", path);
  assert.equal(answer.meta.next_cursor !== "", answer.meta.has_more, `${path}: has_more and next_cursor say the same`);
  return answer;
}

// pages reads to the end of a list, calling between after each page.
export async function pages(path, query = {}, between = async () => {}) {
  const all = [];
  for (let cursor = undefined, n = 0; cursor !== ""; n++) {
    assert.ok(n < 1000, `${path} has no end`);
    const page = await list(path, cursor === undefined ? query : { ...query, cursor });
    all.push(...page.data);
    cursor = page.meta.next_cursor;
    await between(n);
  }
  return all;
}

const agent = new Agent({ keepAlive: true, maxSockets: 32 });

// send makes a request as a provider does; headers are an object, or names and values in their order. What Expect asks for is waited for.
export function send(url, body = "", headers = {}, method = "POST") {
  return new Promise((resolve, reject) => {
    const bytes = Buffer.from(body);
    const expects = "expect" in headers;
    const sent = Array.isArray(headers) ? ["Host", new URL(url).host, "Content-Length", String(bytes.length), ...headers] : { "content-length": bytes.length, ...headers };
    const r = request(url, { method, headers: sent, agent: expects ? false : agent });
    r.on("error", reject);
    r.on("continue", () => r.end(bytes));
    r.on("response", async (response) => {
      try {
        const parts = [];
        for await (const part of response) parts.push(part);
        if (expects) r.destroy();
        resolve({ status: response.statusCode, headers: response.headers, text: Buffer.concat(parts).toString() });
      } catch (e) {
        reject(e);
      }
    });
    if (!expects) r.end(bytes);
    else r.flushHeaders();
  });
}

export function close() {
  agent.destroy();
}

// accepted sends what is taken, and returns the event's id.
export async function accepted(to, body, headers, { status = "stored", code = 202 } = {}) {
  const answer = await send(to.ingest_url ?? to, body, headers);
  assert.equal(answer.status, code, `ingest: ${answer.text}`);
  const { data, meta } = unwrap("ingest", answer.status, answer.headers["content-type"], answer.text);
  assert.deepEqual(Object.keys(data).toSorted(), ["event_id", "status"]);
  assert.deepEqual(Object.keys(meta), ["request_id"]);
  isUUIDv7(data.event_id);
  assert.equal(data.status, status, "ingest");
  return data.event_id;
}

// refused sends what is not taken: the code is the reason in capitals.
export async function refused(status, code, url, body, headers, method) {
  const answer = await send(url.ingest_url ?? url, body, headers, method);
  assert.equal(answer.status, status, `${method ?? "POST"} to be refused with ${code}: ${answer.status} ${answer.text}`);
  if (method === "HEAD") return answer;
  assert.equal(unwrap("ingest", answer.status, answer.headers["content-type"], answer.text).error.code, code);
  return answer;
}

export function isUUIDv7(id) {
  assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
}

export function isInstant(text) {
  assert.match(text, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/);
}

export const never = "0197a1c2-5e00-7c31-9a44-1f0b6d2e77aa"; // a UUIDv7 that nobody has

// make makes an endpoint and returns it as it was shown then.
export async function make(body = {}) {
  const { data } = await ok(201, "POST", "/v1/pull-endpoints", { body });
  secret(data.secret_token);
  return data;
}

// until asks until an answer is as it should be: what was refused is written down a little later.
export async function until(ask, holds) {
  for (const end = Date.now() + 60_000; ; await sleep(100)) {
    const answer = await ask();
    if (holds(answer)) return answer;
    assert.ok(Date.now() < end, `after a minute it still is ${JSON.stringify(answer)?.slice(0, 1000)}`);
  }
}
