// A client of StubHub's webhooks, written from the text of the specification alone and without a library. It is told the base URL and a token. It says {"done":true} when all went as the specification says, and ends with a complaint otherwise.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";

const { base, token } = JSON.parse(process.env.GIVEN);
const TOPICS = ["Sales", "ProvisionalSale", "CancelProvisionalSale", "SaleUpdates", "SellerListingUpdates", "Ping", "ReTransferTicket"];

function say(what) {
  console.log(JSON.stringify(what));
}

async function ask(method, url, body) {
  const headers = { authorization: `Bearer ${token}`, accept: "application/hal+json", "user-agent": "desk/1.0" };
  if (body !== undefined) headers["content-type"] = "application/json";
  const response = await fetch(url, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), redirect: "error" });
  const text = await response.text();
  say({ exchange: { method, url, sent: body, status: response.status, type: response.headers.get("content-type"), got: text } });
  if (text !== "") assert.match(response.headers.get("content-type"), /^application\/hal\+json/, `${method} ${url}`);
  return { status: response.status, headers: response.headers, body: text === "" ? null : JSON.parse(text) };
}

async function must(status, method, url, body) {
  const answer = await ask(method, url, body);
  assert.equal(answer.status, status, `${method} ${url}: ${JSON.stringify(answer.body)}`);
  return answer;
}

// isLink: href, title and templated, as clients read them.
function isLink(link, what) {
  assert.equal(typeof link?.href, "string", what);
  assert.ok("title" in link && "templated" in link, what);
}

function isWebhook(w, said) {
  assert.ok(Number.isInteger(w.id) && w.id > 0 && w.id < 2 ** 31, `id ${w.id}`);
  assert.ok(!Number.isNaN(Date.parse(w.created_at)), `created_at ${w.created_at}`);
  for (const name of ["name", "url", "topics"]) if (name in said) assert.deepEqual(w[name], said[name], name);
  for (const name of ["self", "webhook:update", "webhook:delete", "webhook:ping"]) isLink(w._links[name], name);
}

// The receiver keeps what comes.
const came = [];
const server = createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  const got = { method: request.method, headers: request.headers, body: Buffer.concat(parts).toString() };
  came.push(got);
  say({ delivery: got });
  response.writeHead(200).end();
  server.emit("came");
}).listen(0, "127.0.0.1");
await once(server, "listening");
const url = `http://127.0.0.1:${server.address().port}/in`;

async function arrived(n) {
  while (came.length < n) await once(server, "came", { signal: AbortSignal.timeout(90_000) });
  return came[n - 1];
}

// Create, with everything.
const webhook = { name: "Door desk", url, authorization_header: "Bearer desk-key-4711", topics: TOPICS };
const made = await must(201, "POST", `${base}/webhooks`, webhook);
isWebhook(made.body, webhook);
assert.equal(new URL(made.headers.get("location"), base).href, made.body._links.self.href);

// What was made can be read at its link, and by its id.
for (const at of [made.body._links.self.href, `${base}/webhooks/${made.body.id}`]) isWebhook((await must(200, "GET", at)).body, webhook);

// Four more; the collection is read through its links, two at a time.
const ids = [made.body.id];
for (let i = 1; i < 5; i++) {
  const more = await must(201, "POST", `${base}/webhooks`, { name: `Desk ${i}`, url: `${url}/${i}`, topics: ["Sales"] });
  assert.ok(more.body.id > ids.at(-1), "ids ascend");
  ids.push(more.body.id);
}
const seen = [];
let pages = 0;
for (let next = `${base}/webhooks?page_size=2`; next; ) {
  const page = (await must(200, "GET", next)).body;
  pages++;
  assert.equal(page.total_items, 5);
  assert.equal(page.page, pages);
  assert.equal(page.page_size, 2);
  for (const name of ["self", "first", "last"]) isLink(page._links[name], name);
  for (const w of page._embedded.items) {
    isWebhook(w, {});
    seen.push(w.id);
  }
  next = page._links.next?.href;
}
assert.deepEqual(seen, ids);
assert.equal(pages, 3);
const last = (await must(200, "GET", `${base}/webhooks?page=1&page_size=10000&sort=-created_at`)).body;
assert.deepEqual(last._embedded.items.map((w) => w.id), ids.toReversed());

// Ping, and what comes.
function isPing(got) {
  assert.equal(got.method, "POST");
  assert.equal(got.headers.authorization, "Bearer desk-key-4711");
  assert.equal(got.headers["vgg-topic"], "Ping");
  assert.match(got.headers["content-type"], /^application\/json/);
  assert.match(got.headers["user-agent"], /^Viagogo-Webhooks\//);
  const payload = JSON.parse(got.body);
  assert.equal(payload.topic, "Ping");
  assert.equal(payload._embedded.webhook.id, made.body.id);
  return got.headers["vgg-deliveryid"];
}
isWebhook((await must(202, "POST", made.body._links["webhook:ping"].href)).body, webhook);
const first = isPing(await arrived(1));

// An update through a client that knows only name, url and topics keeps the Authorization.
const changed = { name: "Door desk, north", url, topics: ["Ping", "Sales"] };
isWebhook((await must(200, "PATCH", made.body._links["webhook:update"].href, changed)).body, changed);
await must(202, "POST", `${base}/webhooks/${made.body.id}/ping`);
assert.notEqual(isPing(await arrived(2)), first, "each delivery has an id of its own");

// What is wrong is said field by field.
const wrong = (await must(400, "POST", `${base}/webhooks`, { name: "", url: "desk", topics: ["Nothing"] })).body;
assert.equal(wrong.code, "validation_failed");
assert.deepEqual(Object.keys(wrong.errors).toSorted(), ["webhook.name", "webhook.topics", "webhook.url"]);
for (const texts of Object.values(wrong.errors)) assert.ok(Array.isArray(texts) && texts.length > 0);

// Delete, and it is gone.
assert.equal((await must(204, "DELETE", made.body._links["webhook:delete"].href)).body, null);
assert.equal((await must(404, "GET", made.body._links.self.href)).body.code, "not_found");

server.close();
server.closeAllConnections();
say({ done: true });
