-- Charts: how many attempts there were, of an organisation (endpoint_id 0) and of each of its endpoints, in each minute (its number since 1970, UTC) for 25 hours,
-- and in each hour for 31 days. l0 to l15: how many of those that were answered or timed out took up to 1, 2, 4, … 16384 milliseconds, and longer.
CREATE TABLE chart_minutes (
  org_id      BIGINT NOT NULL,
  endpoint_id BIGINT NOT NULL,
  bucket      BIGINT NOT NULL,
  attempts    BIGINT NOT NULL,
  delivered   BIGINT NOT NULL,
  failed      BIGINT NOT NULL, -- for good
  retried     BIGINT NOT NULL, -- the delivery is tried again
  l0          BIGINT NOT NULL,
  l1          BIGINT NOT NULL,
  l2          BIGINT NOT NULL,
  l3          BIGINT NOT NULL,
  l4          BIGINT NOT NULL,
  l5          BIGINT NOT NULL,
  l6          BIGINT NOT NULL,
  l7          BIGINT NOT NULL,
  l8          BIGINT NOT NULL,
  l9          BIGINT NOT NULL,
  l10         BIGINT NOT NULL,
  l11         BIGINT NOT NULL,
  l12         BIGINT NOT NULL,
  l13         BIGINT NOT NULL,
  l14         BIGINT NOT NULL,
  l15         BIGINT NOT NULL,
  PRIMARY KEY (org_id, endpoint_id, bucket)
-- only: sqlite
) WITHOUT ROWID;
-- end
-- only: postgres
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
-- end
CREATE INDEX chart_minutes_by_age ON chart_minutes (bucket);

CREATE TABLE chart_hours (
  org_id      BIGINT NOT NULL,
  endpoint_id BIGINT NOT NULL,
  bucket      BIGINT NOT NULL,
  attempts    BIGINT NOT NULL,
  delivered   BIGINT NOT NULL,
  failed      BIGINT NOT NULL,
  retried     BIGINT NOT NULL,
  l0          BIGINT NOT NULL,
  l1          BIGINT NOT NULL,
  l2          BIGINT NOT NULL,
  l3          BIGINT NOT NULL,
  l4          BIGINT NOT NULL,
  l5          BIGINT NOT NULL,
  l6          BIGINT NOT NULL,
  l7          BIGINT NOT NULL,
  l8          BIGINT NOT NULL,
  l9          BIGINT NOT NULL,
  l10         BIGINT NOT NULL,
  l11         BIGINT NOT NULL,
  l12         BIGINT NOT NULL,
  l13         BIGINT NOT NULL,
  l14         BIGINT NOT NULL,
  l15         BIGINT NOT NULL,
  PRIMARY KEY (org_id, endpoint_id, bucket)
-- only: sqlite
) WITHOUT ROWID;
-- end
-- only: postgres
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
-- end
CREATE INDEX chart_hours_by_age ON chart_hours (bucket);

-- How far the log of attempts is counted: the place of the last row that is, and when that was written (microseconds). Whoever counts moves it.
CREATE TABLE chart_cursor (
  one   BIGINT PRIMARY KEY CHECK (one = 1),
  place TEXT NOT NULL,
  at    BIGINT NOT NULL
);
INSERT INTO chart_cursor (one, place, at) VALUES (1, '0-0-0', 0);

-- Lists. Of deliveries only those are in an index that ended badly, or that were tried and did not arrive yet: what arrives at once pays for none. Rows of the log of
-- attempts are many attempts each.
CREATE INDEX deliveries_ended_of ON deliveries (endpoint_id, state, fact_seq) WHERE state >= 2;
CREATE INDEX deliveries_ended ON deliveries (org_id, state, fact_seq, endpoint_id) WHERE state >= 2;
CREATE INDEX deliveries_retrying ON deliveries (org_id, fact_seq, endpoint_id) WHERE state = 0 AND attempt > 0;
CREATE INDEX attempt_log_of_org ON attempt_log (org_id, seq);
CREATE INDEX audit_entries_of_action ON audit_entries (org_id, action, entry_no);
CREATE INDEX audit_entries_of_subject ON audit_entries (org_id, subject, entry_no);
CREATE INDEX orders_by_status ON orders (org_id, status, order_no);
CREATE INDEX tickets_blocked ON tickets (org_id, ticket_no) WHERE validity = 'blocked';
CREATE INDEX tickets_void ON tickets (org_id, ticket_no) WHERE validity = 'void';
