-- Developer endpoints: boxes that take anybody's webhooks for whoever is building a receiver, or a sender. The secret is sealed.
CREATE TABLE dev_endpoints (
  endpoint_no   {{id}},
  org_id        BIGINT NOT NULL,
  id            TEXT NOT NULL UNIQUE, -- DEV-…: whoever knows it may send
  account       TEXT NOT NULL,        -- whose it is: the id of a person, a key or a grant
  slot          BIGINT NOT NULL CHECK (slot BETWEEN 1 AND 5), -- so many an account may have
  secret        BYTEA NOT NULL,
  answer_status BIGINT NOT NULL CHECK (answer_status = 0 OR answer_status BETWEEN 200 AND 599), -- 0 for the usual
  answer_body   TEXT,                 -- NULL for the usual
  answer_delay  BIGINT NOT NULL CHECK (answer_delay BETWEEN 0 AND 30000), -- milliseconds
  version       BIGINT NOT NULL,
  created_at    BIGINT NOT NULL,
  updated_at    BIGINT NOT NULL,
  used_at       BIGINT NOT NULL,      -- a day old at most
  UNIQUE (org_id, account, slot)
);
CREATE INDEX dev_endpoints_by_use ON dev_endpoints (used_at);

-- What they were sent. Bodies and headers are strangers' and may be personal; they go after a week, or when a thousand newer ones are there.
-- only: sqlite
CREATE TABLE inbound_events (
  seq           INTEGER PRIMARY KEY,
  day           BIGINT NOT NULL,
  org_id        BIGINT NOT NULL,
  endpoint_no   BIGINT NOT NULL,
  at            BIGINT NOT NULL,
  event         TEXT NOT NULL,   -- as the body calls it, may be empty
  known         BOOLEAN NOT NULL,
  verdict       TEXT NOT NULL CHECK (verdict IN ('verified', 'failed', 'none')),
  scheme        TEXT NOT NULL,   -- of the signature, empty for none
  reason        TEXT NOT NULL,   -- why it is not verified
  headers       TEXT NOT NULL,   -- a JSON object, without secrets; '{}' once erased
  body          BYTEA,           -- as it came; NULL once erased
  answer_status BIGINT NOT NULL
);
CREATE INDEX inbound_events_of ON inbound_events (endpoint_no, seq);
-- end
-- only: postgres
CREATE TABLE inbound_events (
  seq           BIGINT NOT NULL,
  day           BIGINT NOT NULL,
  org_id        BIGINT NOT NULL,
  endpoint_no   BIGINT NOT NULL,
  at            BIGINT NOT NULL,
  event         TEXT NOT NULL,
  known         BOOLEAN NOT NULL,
  verdict       TEXT NOT NULL CHECK (verdict IN ('verified', 'failed', 'none')),
  scheme        TEXT NOT NULL,
  reason        TEXT NOT NULL,
  headers       TEXT NOT NULL,
  body          BYTEA,
  answer_status BIGINT NOT NULL,
  epoch         BIGINT NOT NULL,
  xid           BIGINT NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),
  PRIMARY KEY (seq, day, org_id)
);
CREATE INDEX inbound_events_place ON inbound_events (epoch, xid, seq);
CREATE INDEX inbound_events_of ON inbound_events (endpoint_no, epoch, xid, seq);
-- end
CREATE INDEX inbound_events_by_age ON inbound_events (at);
