// Logs over all endpoints, metrics, and their series.
import assert from "node:assert/strict";
import { accepted, fails, given, isInstant, list, make, never, ok, pages, row } from "./sdk.mjs";

const all = "/v1/pull-endpoints";

export async function records() {
  const e = await make({ name: "Records", event_type_source: "body", event_type_path: "type" });
  const other = await make({ name: "Beside" });
  const path = `${all}/${e.id}/events`;
  const began = new Date(Date.now() - 1000).toISOString();
  const ids = [];
  for (let i = 0; i < 5; i++) ids.push(await accepted(e, JSON.stringify({ type: `t${i % 2}` })));
  const beside = await accepted(other, "{}");
  await ok(200, "GET", `${path}/${ids[0]}`);
  await ok(200, "POST", `${path}/ack`, { body: { event_ids: [ids[0], ids[1]] } });
  await ok(200, "GET", `${path}/${ids[2]}`);
  await ok(200, "DELETE", `${path}/${ids[4]}`);
  await logs(e, other, ids, beside, began);
  await metrics(e);
  await series(e);
}

async function logs(e, other, ids, beside, began) {
  const path = "/v1/pull-logs";
  const mine = { pull_endpoint_id: e.id };
  await row("op.logs logs.item logs.deleted logs.no-default", async () => {
    const { data } = await list(path, mine);
    assert.deepEqual(data.map((l) => l.event_id).toSorted(), ids.toSorted());
    const names = ["delivered_at", "endpoint_name", "event_id", "event_type", "fetched_at", "pull_endpoint_id", "received_at", "size_bytes", "status", "timing"];
    for (const l of data) {
      const gone = l.event_id === ids[4];
      assert.deepEqual(Object.keys(l).toSorted(), gone ? ["deleted_at", ...names].toSorted() : names);
      if (gone) isInstant(l.deleted_at);
      isInstant(l.received_at);
      assert.equal(l.pull_endpoint_id, e.id);
      assert.equal(l.endpoint_name, "Records");
    }
    assert.deepEqual(Object.fromEntries(data.map((l) => [l.event_id, l.status])), { [ids[0]]: "delivered", [ids[1]]: "delivered", [ids[2]]: "fetched", [ids[3]]: "stored", [ids[4]]: "stored" });
  });
  await row("logs.filters logs.all-endpoints", async () => {
    const every = (await pages(path, { start_time: began, limit: 500 })).map((l) => l.event_id);
    for (const id of [...ids, beside]) assert.ok(every.includes(id));
    assert.deepEqual((await list(path, { ...mine, status: "delivered" })).data.map((l) => l.event_id).toSorted(), ids.slice(0, 2).toSorted());
    assert.deepEqual((await list(path, { ...mine, event_type: "t1" })).data.map((l) => l.event_id).toSorted(), [ids[1], ids[3]].toSorted());
    const at = (await list(path, mine)).data.find((l) => l.event_id === ids[3]).received_at;
    const since = (await list(path, { ...mine, start_time: at })).data.map((l) => l.event_id);
    const before = (await list(path, { ...mine, end_time: at })).data.map((l) => l.event_id);
    assert.ok(since.includes(ids[3]) && !before.includes(ids[3]));
    assert.equal(since.length + before.length, ids.length);
    assert.deepEqual((await list(path, { pull_endpoint_id: other.id })).data.map((l) => l.event_id), [beside]);
    assert.deepEqual((await list(path, {}, { key: given.other })).data, []);
  });
  await row("logs.cursor logs.limit logs.400", async () => {
    const want = (await list(path, mine)).data.map((l) => l.event_id);
    assert.deepEqual((await pages(path, { ...mine, limit: 2 })).map((l) => l.event_id), want);
    const { cursor } = { cursor: (await list(path, { ...mine, limit: 2 })).meta.next_cursor };
    await fails(400, "INVALID_REQUEST", "GET", path, { query: { limit: 2, cursor } }, "cursor");
    for (const limit of ["0", "501"]) await fails(400, "INVALID_REQUEST", "GET", path, { query: { limit } }, "limit");
    await list(path, { limit: 500 });
    await fails(400, "INVALID_REQUEST", "GET", path, { query: { status: "read" } }, "status");
    for (const name of ["start_time", "end_time"]) await fails(400, "INVALID_REQUEST", "GET", path, { query: { [name]: "x" } }, name);
    await fails(400, "INVALID_REQUEST", "GET", path, { query: { pull_endpoint_id: "nothing" } }, "pull_endpoint_id");
    await fails(400, "ENDPOINT_NOT_FOUND", "GET", path, { query: { pull_endpoint_id: never } });
  });
  await row("logs.default-limit", async () => {
    assert.equal((await list(path)).data.length, 50, "there are more than 50 by now");
  });
}

async function metrics(e) {
  const path = "/v1/pull-metrics";
  await row("op.metrics metrics.fields metrics.endpoint", async () => {
    for (const window of ["1h", "24h", "7d", "30d"]) {
      const { data } = await ok(200, "GET", path, { query: { window, pull_endpoint_id: e.id } });
      assert.equal(data.window, window);
      for (const name of ["total_messages", "succeeded", "failed", "retries", "success_rate", "avg_latency_ms"]) assert.equal(typeof data[name], "number", name);
      assert.equal(data.total_messages, 5);
      assert.equal(data.succeeded, 2);
      assert.equal(data.failed, 0);
      assert.equal(data.retries, 0);
      assert.ok(data.avg_latency_ms >= 0);
    }
  });
  await row("metrics.all", async () => {
    const { data } = await ok(200, "GET", path, { query: { window: "1h" } });
    assert.ok(data.total_messages > 5 && data.succeeded > 2);
    assert.equal((await ok(200, "GET", path, { query: { window: "1h" }, key: given.other })).data.total_messages, 0);
    await ok(200, "GET", path);
  });
  await row("metrics.400", async () => {
    await fails(400, "INVALID_REQUEST", "GET", path, { query: { window: "2h" } }, "window");
    await fails(400, "INVALID_REQUEST", "GET", path, { query: { pull_endpoint_id: "nothing" } }, "pull_endpoint_id");
    await fails(400, "ENDPOINT_NOT_FOUND", "GET", path, { query: { pull_endpoint_id: never } });
  });
}

async function series(e) {
  const path = "/v1/pull-metrics/timeseries";
  const buckets = async (query) => {
    const { data } = await ok(200, "GET", path, { query: { pull_endpoint_id: e.id, ...query } });
    return data.buckets ?? data;
  };
  await row("op.series series.bucket series.sizes", async () => {
    for (const [window, step, most] of [["1h", 60, 61], ["24h", 900, 97], ["7d", null, 1000], ["30d", null, 1000]]) {
      const some = await buckets({ window });
      assert.ok(some.length > 1 && some.length <= most, `${window}: ${some.length} buckets`);
      for (const b of some) {
        assert.deepEqual(Object.keys(b).toSorted(), ["fetched", "stored", "succeeded", "timestamp", "total"]);
        isInstant(b.timestamp);
        assert.equal(b.total, b.succeeded + b.stored + b.fetched);
      }
      const steps = new Set(some.slice(1).map((b, i) => (Date.parse(b.timestamp) - Date.parse(some[i].timestamp)) / 1000));
      assert.equal(steps.size, 1, `${window}: steps ${[...steps]}`);
      if (step) assert.deepEqual([...steps], [step], window);
      const sum = (name) => some.reduce((n, b) => n + b[name], 0);
      assert.deepEqual([sum("total"), sum("succeeded"), sum("fetched"), sum("stored")], [5, 2, 1, 2], window);
    }
  });
  await row("series.default-window", async () => {
    const day = await buckets({ window: "24h" });
    const usual = await buckets({});
    assert.ok(Math.abs(day.length - usual.length) <= 1);
    assert.equal(Date.parse(usual[1].timestamp) - Date.parse(usual[0].timestamp), 900_000);
  });
  await row("series.400", async () => {
    await fails(400, "INVALID_REQUEST", "GET", path, { query: { window: "x" } }, "window");
    await fails(400, "ENDPOINT_NOT_FOUND", "GET", path, { query: { pull_endpoint_id: never } });
  });
}
