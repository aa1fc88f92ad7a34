-- Attempts in the order in which they were written down, to be tailed: one row for what a transaction settled of an organisation, with what a stream
-- tells of each attempt in a line. Kept for a week.
-- only: sqlite
CREATE TABLE attempt_log (
  seq     INTEGER PRIMARY KEY,
  day     BIGINT NOT NULL,
  org_id  BIGINT NOT NULL,
  at      BIGINT NOT NULL,
  entries TEXT NOT NULL
);
-- end
-- only: postgres
CREATE TABLE attempt_log (
  seq     BIGINT NOT NULL,
  day     BIGINT NOT NULL,
  org_id  BIGINT NOT NULL,
  at      BIGINT NOT NULL,
  entries TEXT NOT NULL,
  epoch   BIGINT NOT NULL,
  xid     BIGINT NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),
  PRIMARY KEY (seq, day, org_id)
);
CREATE INDEX attempt_log_place ON attempt_log (epoch, xid, seq);
-- end
