// Reading, acknowledging and deleting of what came.
import assert from "node:assert/strict";
import { accepted, fails, isInstant, isUUIDv7, list, make, never, ok, pages, refused, row } from "./sdk.mjs";

const all = "/v1/pull-endpoints";
const metadata = ["delivered_at", "event_type", "fetched_at", "id", "received_at", "size_bytes", "status", "timing"];
const timing = ["ingest_processing_ms", "time_to_ack_ms", "time_to_fetch_ms", "total_lifecycle_ms"];

const counts = async (e) => (await ok(200, "GET", `${all}/${e.id}`)).data.counts;
const typed = (name) => make({ name, event_type_source: "body", event_type_path: "type", idempotency_header_names: ["X-Id"] });
const ms = (from, to) => Date.parse(to) - Date.parse(from);
const near = (got, want, what) => assert.ok(Number.isInteger(got) && Math.abs(got - want) <= 1, `${what} = ${got}, want ${want}`);

export async function events() {
  await lists();
  await fetching();
  await acknowledging();
  await deletion();
}

// isEvent holds what an event of a list has, and nothing else.
function isEvent(v) {
  assert.deepEqual(Object.keys(v).toSorted(), metadata);
  isUUIDv7(v.id);
  isInstant(v.received_at);
  assert.deepEqual(Object.keys(v.timing).toSorted(), timing);
  assert.ok(v.timing.ingest_processing_ms === null || v.timing.ingest_processing_ms >= 0);
}

async function lists() {
  const e = await typed("Lists");
  const path = `${all}/${e.id}/events`;
  const ids = [];
  for (let i = 0; i < 12; i++) ids.push(await accepted(e, JSON.stringify({ type: i % 3 === 0 ? "a.third" : "b", i })));

  await row("op.events events.metadata events.order", async () => {
    const { data, meta } = await list(path);
    assert.deepEqual(data.map((v) => v.id), ids);
    assert.deepEqual(meta.next_cursor, "");
    for (const v of data) {
      isEvent(v);
      assert.equal(v.status, "stored");
      assert.equal(v.fetched_at, null);
      assert.equal(v.delivered_at, null);
      for (const name of timing.slice(1)) assert.equal(v.timing[name], null, name);
    }
    assert.equal(data[0].size_bytes, JSON.stringify({ type: "a.third", i: 0 }).length);
    assert.deepEqual(data.map((v) => v.received_at), data.map((v) => v.received_at).toSorted((a, b) => Date.parse(a) - Date.parse(b)));
  });
  await row("events.status events.default-stored", async () => {
    await ok(200, "GET", `${path}/${ids[1]}`);
    await ok(200, "POST", `${path}/ack`, { body: { event_ids: [ids[2]] } });
    assert.deepEqual((await list(path, { status: "fetched" })).data.map((v) => v.id), [ids[1]]);
    assert.deepEqual((await list(path, { status: "delivered" })).data.map((v) => v.id), [ids[2]]);
    const stored = [ids[0], ...ids.slice(3)];
    assert.deepEqual((await list(path, { status: "stored" })).data.map((v) => v.id), stored);
    assert.deepEqual((await list(path)).data.map((v) => v.id), stored);
    await fails(400, "INVALID_REQUEST", "GET", path, { query: { status: "read" } }, "status");
  });
  await row("events.type", async () => {
    const { data } = await list(path, { event_type: "a.third" });
    assert.deepEqual(data.map((v) => v.id), ids.filter((_, i) => i % 3 === 0));
    assert.ok(data.every((v) => v.event_type === "a.third"));
    for (const type of ["a.thir", "A.THIRD", "a%"]) assert.deepEqual((await list(path, { event_type: type })).data, []);
  });
  await row("events.since events.before", async () => {
    const every = (await list(path)).data;
    const at = every[4].received_at;
    const from = every.filter((v) => ms(at, v.received_at) >= 0).map((v) => v.id);
    const until = every.filter((v) => ms(at, v.received_at) < 0).map((v) => v.id);
    const since = (await list(path, { since: at })).data.map((v) => v.id);
    const before = (await list(path, { before: at })).data.map((v) => v.id);
    assert.ok(since.includes(every[4].id), "since is inclusive");
    assert.ok(!before.includes(every[4].id), "before is exclusive");
    assert.deepEqual([...before, ...since], [...until, ...from]);
    assert.deepEqual((await list(path, { since: at.replace("Z", "+00:00") })).data.length, since.length);
    for (const name of ["since", "before"]) await fails(400, "INVALID_REQUEST", "GET", path, { query: { [name]: "yesterday" } }, name);
  });
  await row("events.limit events.cursor events.400", async () => {
    const want = (await list(path)).data.map((v) => v.id);
    for (const limit of [1, 3, want.length, 1000]) assert.deepEqual((await pages(path, { limit })).map((v) => v.id), want, `limit ${limit}`);
    for (const limit of ["0", "1001", "-1", "x"]) await fails(400, "INVALID_REQUEST", "GET", path, { query: { limit } }, "limit");
    const cursor = (await list(path, { limit: 2 })).meta.next_cursor;
    for (const other of [{ status: "fetched" }, { event_type: "b" }, { since: "2020-01-01T00:00:00Z" }, { before: "2100-01-01T00:00:00Z" }]) {
      await fails(400, "INVALID_REQUEST", "GET", path, { query: { limit: 2, cursor, ...other } }, "cursor");
    }
    const another = await typed("Another");
    await fails(400, "INVALID_REQUEST", "GET", `${all}/${another.id}/events`, { query: { cursor } }, "cursor");
    for (const forged of ["x", "AAAA", cursor.slice(2), `${cursor}A`]) await fails(400, "INVALID_REQUEST", "GET", path, { query: { limit: 2, cursor: forged } }, "cursor");
  });
  await row("events.default-limit events.stable", async () => {
    const many = await typed("Many");
    const there = [];
    for (let i = 0; i < 104; i += 8) there.push(...(await Promise.all(Array.from({ length: 8 }, () => accepted(many, "{}")))));
    assert.equal((await list(`${all}/${many.id}/events`)).data.length, 100);
    const late = [];
    const seen = (await pages(`${all}/${many.id}/events`, { limit: 10 }, async (n) => n < 8 && late.push(await accepted(many, "{}")))).map((v) => v.id);
    assert.equal(new Set(seen).size, seen.length, "an event is seen once");
    for (const id of there) assert.ok(seen.includes(id), "an event that was there is missed");
    assert.deepEqual(seen.slice(there.length), late.slice(0, seen.length - there.length));
  });
}

async function fetching() {
  const e = await typed("Fetches");
  const path = `${all}/${e.id}/events`;
  const json = '{"type":"order.paid","amount":118.50,"big":12345678901234567890,"name":"Café ✓ 🎟"}';
  const id = await accepted(e, json, ["Content-Type", "application/json; charset=utf-8", "X-CamelCase-Header", "Value", "X-Twice", "1", "X-Twice", "2", "User-Agent", "Till/1.0"]);

  await row("event.preview", async () => {
    const { data } = await ok(200, "GET", `${path}/${id}`, { query: { preview: "true" } });
    assert.equal(data.status, "stored");
    assert.deepEqual(data.payload, JSON.parse(json));
    assert.equal(data.fetched_at, null);
    assert.deepEqual(await counts(e), { stored: 1, fetched: 0, delivered: 0, total: 1 });
    await fails(400, "INVALID_REQUEST", "GET", `${path}/${id}`, { query: { preview: "perhaps" } }, "preview");
  });
  await row("op.event event.json event.headers state.fetched timing.fetch", async () => {
    const { data } = await ok(200, "GET", `${path}/${id}`);
    for (const name of metadata) assert.ok(name in data, name);
    assert.equal(data.id, id);
    assert.equal(data.event_type, "order.paid");
    assert.equal(data.status, "fetched");
    assert.equal(data.size_bytes, Buffer.byteLength(json));
    assert.equal(data.content_type, "application/json; charset=utf-8");
    assert.deepEqual(data.payload, JSON.parse(json));
    assert.equal(data.headers["x-camelcase-header"], "Value");
    assert.match(data.headers["x-twice"], /1.*2/);
    assert.equal(data.headers["user-agent"], "Till/1.0");
    for (const value of Object.values(data.headers)) assert.equal(typeof value, "string");
    near(data.timing.time_to_fetch_ms, ms(data.received_at, data.fetched_at), "time_to_fetch_ms");
    assert.deepEqual(await counts(e), { stored: 0, fetched: 1, delivered: 0, total: 1 });
  });
  await row("state.fetched-again", async () => {
    const first = (await ok(200, "GET", `${path}/${id}`)).data;
    const again = (await ok(200, "GET", `${path}/${id}`)).data;
    assert.deepEqual(again, first, "a second fetch changes nothing");
  });
  await row("event.base64 event.any-type", async () => {
    const bodies = [[Buffer.from([0, 255, 128, 10, 13]), "application/octet-stream"], [Buffer.from("a=b&c=d"), "application/x-www-form-urlencoded"], [Buffer.from("{broken"), "application/json"], [Buffer.from('{"a":"\xff"}', "latin1"), "application/json"]];
    for (const [body, type] of bodies) {
      const { data } = await ok(200, "GET", `${path}/${await accepted(e, body, { "content-type": type })}`);
      assert.equal(data.content_type, type);
      assert.equal(typeof data.payload, "string");
      assert.ok(Buffer.from(data.payload, "base64").equals(body), `${type}: ${data.payload}`);
    }
    for (const body of ["[1,2]", "17", "null", '"text"', "true"]) {
      const { data } = await ok(200, "GET", `${path}/${await accepted(e, body, { "content-type": "application/json" })}`);
      assert.deepEqual(data.payload, JSON.parse(body));
    }
    const nothing = (await ok(200, "GET", `${path}/${await accepted(e, "")}`)).data;
    assert.ok("payload" in nothing && nothing.size_bytes === 0);
    assert.equal(typeof nothing.content_type, "string", "content_type is always there");
  });
  await row("event.unknown event.no-uuid", async () => {
    await fails(404, "NOT_FOUND", "GET", `${path}/${never}`);
    await fails(400, "INVALID_REQUEST", "GET", `${path}/nothing`);
    const other = await typed("Another's");
    await fails(404, "NOT_FOUND", "GET", `${path}/${await accepted(other, "{}")}`);
  });
}

async function acknowledging() {
  const e = await typed("Acknowledges");
  const path = `${all}/${e.id}/events`;
  const ack = (...ids) => ok(200, "POST", `${path}/ack`, { body: { event_ids: ids } });
  const ids = [];
  for (let i = 0; i < 4; i++) ids.push(await accepted(e, `{"i":${i}}`));

  await row("op.ack ack.idempotent state.delivered timing.ack", async () => {
    await ok(200, "GET", `${path}/${ids[0]}`);
    assert.deepEqual((await ack(ids[0])).data, { acknowledged: 1 });
    assert.deepEqual((await ack(ids[0])).data, { acknowledged: 0 });
    const { data } = await ok(200, "GET", `${path}/${ids[0]}`);
    assert.equal(data.status, "delivered", "reading never moves an event back");
    assert.deepEqual(data.payload, { i: 0 }, "what is acknowledged can be read again");
    near(data.timing.time_to_ack_ms, ms(data.fetched_at, data.delivered_at), "time_to_ack_ms");
    near(data.timing.total_lifecycle_ms, ms(data.received_at, data.delivered_at), "total_lifecycle_ms");
    assert.deepEqual(await counts(e), { stored: 3, fetched: 0, delivered: 1, total: 4 });
  });
  await row("ack.never-fetched", async () => {
    assert.deepEqual((await ack(ids[1])).data, { acknowledged: 1 });
    const { data } = await list(path, { status: "delivered" });
    const one = data.find((v) => v.id === ids[1]);
    assert.equal(one.fetched_at, null);
    assert.equal(one.timing.time_to_ack_ms, null);
    assert.equal(one.timing.time_to_fetch_ms, null);
    near(one.timing.total_lifecycle_ms, ms(one.received_at, one.delivered_at), "total_lifecycle_ms");
  });
  await row("ack.newly", async () => assert.deepEqual((await ack(ids[0], ids[2], ids[2])).data, { acknowledged: 1 }));
  await row("ack.foreign ack.unknown", async () => {
    const other = await typed("Another's");
    for (const id of [await accepted(other, "{}"), never]) {
      await fails(400, "INVALID_REQUEST", "POST", `${path}/ack`, { body: { event_ids: [ids[3], id] } });
    }
    assert.deepEqual(await counts(e), { stored: 1, fetched: 0, delivered: 3, total: 4 }, "nothing is acknowledged");
    assert.equal((await counts(other)).stored, 1);
  });
  await row("ack.deleted", async () => {
    const gone = await accepted(e, "{}");
    await ok(200, "DELETE", `${path}/${gone}`);
    assert.deepEqual((await ack(gone, ids[3])).data, { acknowledged: 1 });
  });
  await row("ack.bounds ack.400", async () => {
    const many = (n) => ({ body: { event_ids: Array.from({ length: n }, () => ids[0]) } });
    assert.deepEqual((await ok(200, "POST", `${path}/ack`, many(1000))).data, { acknowledged: 0 });
    for (const body of [{}, { event_ids: [] }, { event_ids: "x" }, { event_ids: ["nothing"] }, { event_ids: [5] }, many(1001).body]) {
      await fails(400, "INVALID_REQUEST", "POST", `${path}/ack`, { body }, "event_ids");
    }
    await fails(400, "INVALID_REQUEST", "POST", `${path}/ack`, { text: "[" });
  });
}

async function deletion() {
  const e = await typed("Deletes");
  const path = `${all}/${e.id}/events`;
  const id = await accepted(e, '{"type":"order.paid"}');
  await row("op.event-delete event-delete.idempotent event.410", async () => {
    const { data } = await ok(200, "DELETE", `${path}/${id}`);
    assert.equal(data.event_id, id);
    assert.equal(data.already_deleted, false);
    isInstant(data.deleted_at);
    assert.deepEqual((await ok(200, "DELETE", `${path}/${id}`)).data, { event_id: id, deleted_at: data.deleted_at, already_deleted: true });
    await fails(410, "MESSAGE_DELETED", "GET", `${path}/${id}`);
    assert.deepEqual((await list(path)).data, []);
    assert.deepEqual(await counts(e), { stored: 0, fetched: 0, delivered: 0, total: 0 });
  });
  await row("event.preview-deleted", async () => {
    const { data } = await ok(200, "GET", `${path}/${id}`, { query: { preview: "true" } });
    assert.equal(data.id, id);
    assert.equal(data.event_type, "order.paid");
    assert.equal(data.status, "stored");
    assert.equal(data.payload, null);
    assert.equal(data.headers, null);
    isInstant(data.deleted_at);
    assert.equal(data.deleted_by_user_id, null);
    assert.equal(typeof data.deleted_by_api_key_id, "string");
  });
  await row("event-delete.unknown", async () => {
    await fails(404, "NOT_FOUND", "DELETE", `${path}/${never}`);
    await fails(400, "INVALID_REQUEST", "DELETE", `${path}/nothing`);
  });
  await row("op.delete-batch delete-batch.outcomes", async () => {
    const one = await accepted(e, "{}");
    const { data } = await ok(200, "POST", `${path}/delete-batch`, { body: { message_ids: [one, id, never] } });
    assert.deepEqual([data.deleted_count, data.already_deleted_count, data.not_found_count], [1, 1, 1]);
    assert.deepEqual(data.results.map((r) => [r.event_id, r.outcome]), [[one, "deleted"], [id, "already_deleted"], [never, "not_found"]]);
    isInstant(data.results[0].deleted_at);
    assert.ok(!data.results[2].deleted_at);
    await fails(410, "MESSAGE_DELETED", "GET", `${path}/${one}`);
  });
  await row("delete-batch.foreign", async () => {
    const other = await typed("Another's");
    const foreign = await accepted(other, "{}");
    const { data } = await ok(200, "POST", `${path}/delete-batch`, { body: { message_ids: [foreign] } });
    assert.equal(data.results[0].outcome, "not_found");
    assert.equal((await counts(other)).stored, 1);
  });
  await row("delete-batch.bounds delete-batch.400", async () => {
    const many = (n) => ({ message_ids: Array.from({ length: n }, () => never) });
    assert.equal((await ok(200, "POST", `${path}/delete-batch`, { body: many(100) })).data.results.length, 100);
    for (const body of [{}, { message_ids: [] }, many(101), { message_ids: "x" }]) await fails(400, "INVALID_REQUEST", "POST", `${path}/delete-batch`, { body }, "message_ids");
  });
  await everything();
}

async function everything() {
  const e = await typed("Deletes all");
  const path = `${all}/${e.id}/events`;
  const ids = [];
  for (let i = 0; i < 8; i++) ids.push(await accepted(e, JSON.stringify({ type: i % 2 ? "odd" : "even" })));
  await ok(200, "GET", `${path}/${ids[0]}`);
  await ok(200, "POST", `${path}/ack`, { body: { event_ids: [ids[1]] } });
  const clear = async (query) => (await ok(200, "POST", `${path}/delete-all`, { query })).data;
  await row("op.delete-all delete-all.filters", async () => {
    const at = (await list(path)).data[2].received_at; // of ids[4]
    assert.deepEqual(await clear({ event_type: "never" }), { deleted: 0, deleted_event_ids: [] });
    assert.deepEqual(await clear({ status: "fetched,delivered" }), { deleted: 2, deleted_event_ids: [ids[0], ids[1]] });
    const late = await clear({ received_after: at, event_type: "even" });
    assert.deepEqual(late, { deleted: 2, deleted_event_ids: [ids[4], ids[6]] });
    const early = await clear({ received_before: at });
    assert.ok(early.deleted_event_ids.includes(ids[2]) && !early.deleted_event_ids.includes(ids[5]), JSON.stringify(early));
    assert.equal(early.deleted, early.deleted_event_ids.length);
    const rest = await clear({});
    assert.equal(early.deleted + rest.deleted, 4);
    assert.deepEqual(await clear({}), { deleted: 0, deleted_event_ids: [] });
    for (const id of ids) await fails(410, "MESSAGE_DELETED", "GET", `${path}/${id}`);
  });
  await row("delete-all.limit delete-all.400", async () => {
    const more = [];
    for (let i = 0; i < 3; i++) more.push(await accepted(e, "{}"));
    assert.deepEqual(await clear({ limit: 2 }), { deleted: 2, deleted_event_ids: more.slice(0, 2) });
    const wrong = [{ limit: "0" }, { limit: "1001" }, { status: "stored,read" }, { received_after: "x" }, { received_before: "x" }];
    for (const query of wrong) await fails(400, "INVALID_REQUEST", "POST", `${path}/delete-all`, { query }, Object.keys(query)[0]);
    assert.equal((await counts(e)).stored, 1);
    assert.equal((await clear({ limit: 1000 })).deleted, 1);
  });
  await row("deleted.ingest-goes-on", async () => {
    await accepted(e, "{}");
    await ok(200, "DELETE", `${all}/${e.id}`);
    await refused(404, "ENDPOINT_DELETED", e, "{}");
    await fails(404, "NOT_FOUND", "GET", path);
  });
}
