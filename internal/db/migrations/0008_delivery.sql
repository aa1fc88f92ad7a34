-- Processes that deliver. A node has a new number each time it starts.
CREATE TABLE nodes (
  node         {{id}},
  name         TEXT NOT NULL,
  started_at   BIGINT NOT NULL,
  heartbeat_at BIGINT NOT NULL,
  ended_at     BIGINT
);

-- One fact on its way to one endpoint. state: 0 pending, 1 delivered, 2 failed, 3 skipped. While owner is not 0, due is the end of its lease.
-- attempt counts the attempts made; series is the attempt before which the present run of retries began; lane_key orders deliveries, 0 for no order.
CREATE TABLE deliveries (
  endpoint_id BIGINT NOT NULL,
  fact_seq    BIGINT NOT NULL,
  day         BIGINT NOT NULL,
  org_id      BIGINT NOT NULL,
  at          BIGINT NOT NULL,
  state       BIGINT NOT NULL,
  due         BIGINT NOT NULL,
  owner       BIGINT NOT NULL,
  attempt     BIGINT NOT NULL,
  series      BIGINT NOT NULL,
  lane_key    BIGINT NOT NULL,
-- only: sqlite
  PRIMARY KEY (endpoint_id, fact_seq)
) WITHOUT ROWID;
-- end
-- only: postgres
  PRIMARY KEY (endpoint_id, fact_seq, day, org_id)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
-- end
CREATE INDEX deliveries_due ON deliveries (endpoint_id, due) WHERE state = 0;
CREATE INDEX deliveries_ordered ON deliveries (lane_key, endpoint_id, fact_seq) WHERE state = 0 AND lane_key <> 0;

-- Every attempt that was made. Times are microseconds. request_head is kept when the attempt failed; body_hash always.
CREATE TABLE attempts (
  endpoint_id   BIGINT NOT NULL,
  fact_seq      BIGINT NOT NULL,
  n             BIGINT NOT NULL,
  day           BIGINT NOT NULL,
  org_id        BIGINT NOT NULL,
  at            BIGINT NOT NULL,
  status        BIGINT NOT NULL,
  code          TEXT NOT NULL,
  detail        TEXT,
  dns           BIGINT NOT NULL,
  connect       BIGINT NOT NULL,
  tls           BIGINT NOT NULL,
  first_byte    BIGINT NOT NULL,
  total         BIGINT NOT NULL,
  body_hash     BYTEA,
  request_head  TEXT,
  response_head TEXT,
  response_body BYTEA,
-- only: sqlite
  PRIMARY KEY (endpoint_id, fact_seq, n)
) WITHOUT ROWID;
-- end
-- only: postgres
  PRIMARY KEY (endpoint_id, fact_seq, n, day, org_id)
);
-- end

-- Bodies as they were sent, kept as soon as an attempt has failed, once for all endpoints that share them.
-- only: sqlite
CREATE TABLE envelopes (
  fact_seq BIGINT NOT NULL,
  variant  TEXT NOT NULL,
  day      BIGINT NOT NULL,
  org_id   BIGINT NOT NULL,
  body     BYTEA,
  PRIMARY KEY (fact_seq, variant)
);
-- end
-- only: postgres
CREATE TABLE envelopes (
  fact_seq BIGINT NOT NULL,
  variant  TEXT NOT NULL,
  day      BIGINT NOT NULL,
  org_id   BIGINT NOT NULL,
  body     BYTEA,
  PRIMARY KEY (fact_seq, variant, day, org_id)
);
-- end

-- Facts that more endpoints want than are planned in the fact's own transaction. endpoints lists who wanted it at its place in the ledger, as a JSON
-- array of numbers (negative: the endpoint was off); done is how many of them have their rows.
CREATE TABLE delivery_wide (
  fact_seq  BIGINT PRIMARY KEY,
  day       BIGINT NOT NULL,
  org_id    BIGINT NOT NULL,
  done      BIGINT NOT NULL,
  endpoints TEXT NOT NULL
);

-- Recoveries of more deliveries than are made due in one transaction. after_seq is how far they have come.
CREATE TABLE delivery_recoveries (
  recovery_id {{id}},
  endpoint_id BIGINT NOT NULL,
  org_id      BIGINT NOT NULL,
  since       BIGINT NOT NULL,
  until       BIGINT NOT NULL,
  after_seq   BIGINT NOT NULL
);
