-- Stamps: what can be earned, who has it, and who was where.

CREATE TABLE stamp_types (
  org_id         BIGINT NOT NULL,
  type_no        {{id}},
  id             TEXT NOT NULL,
  name           TEXT NOT NULL,
  description    TEXT NOT NULL,
  art            TEXT NOT NULL,    -- an https URL or a data: URL; empty for none
  collection     TEXT NOT NULL,    -- a name; empty for none
  rule           TEXT NOT NULL CHECK (rule IN ('checkin', 'count', 'manual')),
  event_id       TEXT NOT NULL,    -- only there; empty for everywhere
  venue          TEXT NOT NULL,    -- only at the venue with this name; empty for everywhere
  threshold      BIGINT NOT NULL CHECK (threshold >= 1),
  counts         TEXT NOT NULL CHECK (counts IN ('events', 'checkins')),
  per_event      BOOLEAN NOT NULL, -- once for each event, else once for each person
  revoke_on_undo BOOLEAN NOT NULL,
  active         BOOLEAN NOT NULL, -- the rule awards it
  retired_at     BIGINT,           -- it was deleted, and awarded before
  version        BIGINT NOT NULL CHECK (version >= 1),
  created_at     BIGINT NOT NULL,
  updated_at     BIGINT NOT NULL,
  CHECK (threshold = 1 OR rule = 'count'),
  CHECK (NOT (per_event AND rule = 'count')),
  CHECK (NOT (active AND retired_at IS NOT NULL))
);
CREATE UNIQUE INDEX stamp_types_by_id ON stamp_types (org_id, id);

-- One row for each type, person and, where the type says so, event, however often the stamp is taken away and given again.
CREATE TABLE stamps (
  org_id      BIGINT NOT NULL,
  stamp_no    {{id}},
  id          TEXT NOT NULL,
  type_no     BIGINT NOT NULL,
  person      TEXT NOT NULL,   -- personal: an address in lower case; empty once erased
  once_in     TEXT NOT NULL,   -- the event that it is unique in; empty where it is unique at all
  event_id    TEXT NOT NULL,   -- empty for none, like the two below
  ticket_id   TEXT NOT NULL,
  checkin_id  TEXT NOT NULL,
  reason      TEXT NOT NULL CHECK (reason IN ('checkin', 'count', 'manual')),
  actor       TEXT NOT NULL,   -- usr_…, key_…, gnt_… who awarded it by hand
  note        TEXT NOT NULL,   -- personal: what they wrote; empty once erased
  awarded_at  BIGINT NOT NULL,
  revoked_at  BIGINT,          -- NULL while it is held
  revoked_for TEXT NOT NULL CHECK (revoked_for IN ('', 'manual', 'undone')),
  version     BIGINT NOT NULL CHECK (version >= 1), -- how many facts it has: awarded, revoked, awarded, …
  CHECK ((revoked_at IS NULL) = (version % 2 = 1)),
  CHECK ((revoked_at IS NULL) = (revoked_for = '')),
  CHECK (once_in = '' OR once_in = event_id)
);
CREATE UNIQUE INDEX stamps_once ON stamps (type_no, person, once_in) WHERE person <> '';
CREATE UNIQUE INDEX stamps_by_id ON stamps (org_id, id);
CREATE INDEX stamps_of_type ON stamps (type_no, stamp_no);
CREATE INDEX stamps_by_person ON stamps (org_id, person, stamp_no);

-- Who came in where, for rules that count. Rows go with the person.
CREATE TABLE stamp_visits (
  org_id     BIGINT NOT NULL,
  checkin_id TEXT NOT NULL,
  person     TEXT NOT NULL,    -- personal: an address in lower case
  ticket_id  TEXT NOT NULL,
  event_id   TEXT NOT NULL,
  venue      TEXT NOT NULL,    -- its name in lower case, as of then
  at         BIGINT NOT NULL,
  undone     BOOLEAN NOT NULL,
  PRIMARY KEY (org_id, checkin_id)
);
CREATE INDEX stamp_visits_by_person ON stamp_visits (org_id, person, event_id);
