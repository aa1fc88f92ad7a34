-- Pull endpoints: what providers send is kept until the owner's systems fetch it. secret and token are SHA-256, hmac is sealed; the three go when the endpoint
-- is deleted, and so do its events. The row stays, so that senders are told apart from those who never had one.
CREATE TABLE pull_endpoints (
  endpoint_no {{id}},
  org_id      BIGINT NOT NULL,
  grant_no    BIGINT NOT NULL,      -- the grant that an app made it on; 0 for the organisation's own
  id          TEXT NOT NULL UNIQUE, -- a UUID
  secret      BYTEA CHECK (secret IS NOT NULL OR deleted_at IS NOT NULL), -- of the URL
  name        TEXT NOT NULL,
  description TEXT NOT NULL,
  days        BIGINT NOT NULL CHECK (days BETWEEN 0 AND 365), -- 0 for the usual
  retention   BIGINT NOT NULL CHECK (retention > 0),          -- microseconds
  settings    TEXT NOT NULL,        -- the rest, as a JSON object
  token       BYTEA,
  hmac        BYTEA,
  paused      BOOLEAN NOT NULL,
  version     BIGINT NOT NULL,
  created_at  BIGINT NOT NULL,
  updated_at  BIGINT NOT NULL,
  deleted_at  BIGINT,
  cleared     BOOLEAN NOT NULL      -- deleted, and so are its events
);
CREATE INDEX pull_endpoints_org ON pull_endpoints (org_id, endpoint_no);
CREATE INDEX pull_endpoints_of_grant ON pull_endpoints (grant_no) WHERE grant_no <> 0;
CREATE INDEX pull_endpoints_going ON pull_endpoints (endpoint_no) WHERE deleted_at IS NOT NULL AND NOT cleared;

-- What they took. state: 0 stored, 1 fetched, 2 delivered; 3 more once deleted. due is until when a lease keeps a fetched event from the next consumer.
-- only: sqlite
CREATE TABLE pull_events (
  seq          INTEGER PRIMARY KEY,
  day          BIGINT NOT NULL,
  org_id       BIGINT NOT NULL,
  endpoint_no  BIGINT NOT NULL,
  at           BIGINT NOT NULL,
  state        BIGINT NOT NULL CHECK (state BETWEEN 0 AND 5),
  type         TEXT NOT NULL,   -- may be empty
  content_type TEXT NOT NULL,
  size         BIGINT NOT NULL, -- bytes of the body
  took         BIGINT NOT NULL, -- microseconds from the request's arrival
  dedup        BYTEA,           -- the key that it holds
  fetched_at   BIGINT,
  delivered_at BIGINT,
  deleted_at   BIGINT CHECK ((deleted_at IS NOT NULL) = (state >= 3)),
  deleted_by   TEXT,
  due          BIGINT NOT NULL,
  lease        BYTEA
);
CREATE INDEX pull_events_tail ON pull_events (endpoint_no, seq); -- for streams that go on in the past
-- end
-- only: postgres
CREATE TABLE pull_events (
  seq          BIGINT NOT NULL,
  day          BIGINT NOT NULL,
  org_id       BIGINT NOT NULL,
  endpoint_no  BIGINT NOT NULL,
  at           BIGINT NOT NULL,
  state        BIGINT NOT NULL CHECK (state BETWEEN 0 AND 5),
  type         TEXT NOT NULL,
  content_type TEXT NOT NULL,
  size         BIGINT NOT NULL,
  took         BIGINT NOT NULL,
  dedup        BYTEA,
  fetched_at   BIGINT,
  delivered_at BIGINT,
  deleted_at   BIGINT CHECK ((deleted_at IS NOT NULL) = (state >= 3)),
  deleted_by   TEXT,
  due          BIGINT NOT NULL,
  lease        BYTEA,
  epoch        BIGINT NOT NULL,
  xid          BIGINT NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),
  PRIMARY KEY (seq, day, org_id)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX pull_events_place ON pull_events (epoch, xid, seq);
CREATE INDEX pull_events_tail ON pull_events (endpoint_no, epoch, xid, seq);
-- end
CREATE INDEX pull_events_of ON pull_events (endpoint_no, state, at, seq);
CREATE INDEX pull_events_by_type ON pull_events (endpoint_no, type, state, at, seq) WHERE type <> '';
CREATE INDEX pull_events_of_org ON pull_events (org_id, at, seq);
CREATE INDEX pull_events_due ON pull_events (endpoint_no, due, seq) WHERE state = 1;
CREATE INDEX pull_events_due_of_type ON pull_events (endpoint_no, type, due, seq) WHERE state = 1 AND type <> '';

-- Their bytes. head is the request's header lines; both are NULL once a person was erased. A row goes when its event is deleted or over.
-- only: sqlite
CREATE TABLE pull_payloads (
  seq    INTEGER PRIMARY KEY,
  day    BIGINT NOT NULL,
  org_id BIGINT NOT NULL,
  head   BYTEA,
  body   BYTEA
);
-- end
-- only: postgres
CREATE TABLE pull_payloads (
  seq    BIGINT NOT NULL,
  day    BIGINT NOT NULL,
  org_id BIGINT NOT NULL,
  head   BYTEA,
  body   BYTEA,
  PRIMARY KEY (seq, day, org_id)
);
-- end

-- Payloads of deleted events that are still to be removed.
CREATE TABLE pull_erasures (
  seq    BIGINT PRIMARY KEY,
  day    BIGINT NOT NULL,
  org_id BIGINT NOT NULL
);

-- Which event came first under a key of its sender's.
CREATE TABLE pull_keys (
  endpoint_no BIGINT NOT NULL,
  dedup       BYTEA NOT NULL,
  org_id      BIGINT NOT NULL,
  seq         BIGINT NOT NULL,
  at          BIGINT NOT NULL,
  PRIMARY KEY (endpoint_no, dedup)
-- only: sqlite
) WITHOUT ROWID;
-- end
-- only: postgres
);
-- end

-- How many events there are, by the time bucket (microseconds) in which they came; sums over shards count. Each node has a shard of its own, so that nodes do not
-- wait for each other. past: of events that are deleted or over, for metrics. waits and wait: how many were fetched, and their milliseconds
-- until then; life: milliseconds until delivery.
CREATE TABLE pull_counts (
  endpoint_no BIGINT NOT NULL,
  bucket      BIGINT NOT NULL,
  past        BOOLEAN NOT NULL,
  shard       BIGINT NOT NULL,
  org_id      BIGINT NOT NULL,
  stored      BIGINT NOT NULL,
  fetched     BIGINT NOT NULL,
  delivered   BIGINT NOT NULL,
  bytes       BIGINT NOT NULL,
  waits       BIGINT NOT NULL,
  wait        BIGINT NOT NULL,
  life        BIGINT NOT NULL,
  PRIMARY KEY (endpoint_no, bucket, past, shard)
-- only: sqlite
) WITHOUT ROWID;
-- end
-- only: postgres
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
-- end

CREATE INDEX pull_counts_fine ON pull_counts (bucket) WHERE shard <> 0 OR bucket % 3600000000 <> 0; -- what may be added up

-- Requests that were refused, for thirty days. endpoint_no 0 and org_id 0: there is no such endpoint.
CREATE TABLE pull_rejections (
  seq         BIGINT PRIMARY KEY,
  day         BIGINT NOT NULL,
  org_id      BIGINT NOT NULL,
  endpoint_no BIGINT NOT NULL,
  at          BIGINT NOT NULL,
  reason      TEXT NOT NULL,
  detail      TEXT NOT NULL,
  peer        TEXT NOT NULL,
  headers     TEXT NOT NULL -- a JSON object, values masked
);
CREATE INDEX pull_rejections_of_org ON pull_rejections (org_id, at, seq);
CREATE INDEX pull_rejections_of ON pull_rejections (endpoint_no, at, seq);
CREATE INDEX pull_rejections_by_age ON pull_rejections (at);
