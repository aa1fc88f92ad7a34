-- Venues and the events that take place in them.

-- A venue is what its name and place say; it is made when an event first names it and never changes.
CREATE TABLE venues (
  venue_id {{id}},
  org_id   BIGINT NOT NULL,
  name     TEXT NOT NULL,
  city     TEXT NOT NULL,
  region   TEXT NOT NULL,
  country  TEXT NOT NULL,
  UNIQUE (org_id, name, city, region, country)
);

-- start_local, end_local and timezone are the truth; starts_at and ends_at are derived from them.
CREATE TABLE events (
  event_no       {{id}},
  org_id         BIGINT NOT NULL,
  id             TEXT NOT NULL,
  name           TEXT NOT NULL,
  description    TEXT NOT NULL,
  category       TEXT NOT NULL,
  url            TEXT NOT NULL,
  online         BOOLEAN NOT NULL,
  venue_id       BIGINT,
  start_local    TEXT NOT NULL, -- 2027-08-14T20:30:00
  end_local      TEXT NOT NULL, -- empty when none was given
  timezone       TEXT NOT NULL, -- IANA
  all_day        BOOLEAN NOT NULL,
  starts_at      BIGINT NOT NULL,
  ends_at        BIGINT NOT NULL,
  previous_start BIGINT,        -- the instant before the last change of date
  currency       TEXT NOT NULL,
  status         TEXT NOT NULL CHECK (status IN ('draft', 'published', 'postponed', 'cancelled', 'completed', 'deleted')),
  version        BIGINT NOT NULL,
  created_at     BIGINT NOT NULL,
  updated_at     BIGINT NOT NULL,
  UNIQUE (org_id, id),
  CHECK (ends_at >= starts_at)
);
CREATE INDEX events_by_date ON events (org_id, starts_at);
CREATE INDEX events_by_end ON events (org_id, ends_at);

-- Both databases sort text by its bytes.
-- only: postgres
ALTER TABLE events ALTER COLUMN name TYPE TEXT COLLATE "C";
ALTER TABLE venues ALTER COLUMN name TYPE TEXT COLLATE "C";
-- end
