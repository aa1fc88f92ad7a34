-- The log of facts. A fact's number is higher than that of every fact that was committed before its transaction began.
-- only: sqlite
CREATE TABLE facts (
  seq           INTEGER PRIMARY KEY,
  day           BIGINT NOT NULL,
  org_id        BIGINT NOT NULL,
  kind          TEXT NOT NULL,
  subject       TEXT NOT NULL,
  version       BIGINT NOT NULL,
  at            BIGINT NOT NULL,
  key           TEXT NOT NULL,
  only_endpoint BIGINT NOT NULL,
  private       BOOLEAN NOT NULL,
  data          TEXT
);
-- Data that may be personal, apart from the log so that it can be erased.
CREATE TABLE fact_private (
  seq    INTEGER PRIMARY KEY,
  day    BIGINT NOT NULL,
  org_id BIGINT NOT NULL,
  data   BYTEA
);
-- end
-- only: postgres
CREATE TABLE facts (
  seq           BIGINT NOT NULL,
  day           BIGINT NOT NULL,
  org_id        BIGINT NOT NULL,
  kind          TEXT NOT NULL,
  subject       TEXT NOT NULL,
  version       BIGINT NOT NULL,
  at            BIGINT NOT NULL,
  key           TEXT NOT NULL,
  only_endpoint BIGINT NOT NULL,
  private       BOOLEAN NOT NULL,
  data          TEXT,
  epoch         BIGINT NOT NULL,
  xid           BIGINT NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),
  PRIMARY KEY (seq, day, org_id)
);
CREATE INDEX facts_place ON facts (epoch, xid, seq);
CREATE TABLE fact_private (
  seq    BIGINT NOT NULL,
  day    BIGINT NOT NULL,
  org_id BIGINT NOT NULL,
  data   BYTEA,
  PRIMARY KEY (seq, day, org_id)
);
-- Transaction ids start anew in another cluster: the epoch says which one they are of.
CREATE TABLE ledger_epochs (
  epoch             BIGINT PRIMARY KEY,
  system_identifier TEXT NOT NULL
);
-- end

-- How far each follower has come. The place is (epoch, xid, seq); epoch and xid are 0 on SQLite.
CREATE TABLE ledger_cursors (
  name  TEXT PRIMARY KEY,
  epoch BIGINT NOT NULL,
  xid   BIGINT NOT NULL,
  seq   BIGINT NOT NULL
);

-- Facts that a follower could not take, put aside so that it can go on.
CREATE TABLE ledger_parked (
  follower  TEXT NOT NULL,
  seq       BIGINT NOT NULL,
  day       BIGINT NOT NULL,
  org_id    BIGINT NOT NULL,
  reason    TEXT NOT NULL,
  parked_at BIGINT NOT NULL,
  PRIMARY KEY (follower, seq)
);
