-- Scarcity is counted here and nowhere else. Whoever changes rows of an event in these tables has locked the event's own row first.

-- An event's sums over its listings. capacity = free + held + sold + blocked; blocked units belong to listings that are not for sale now.
CREATE TABLE pools (
  event_no  {{rowid}},
  org_id    BIGINT NOT NULL,
  capacity  BIGINT NOT NULL CHECK (capacity >= 0),
  held      BIGINT NOT NULL CHECK (held >= 0),
  sold      BIGINT NOT NULL CHECK (sold >= 0),
  blocked   BIGINT NOT NULL CHECK (blocked >= 0),
  exhausted BOOLEAN NOT NULL, -- the fact pool.exhausted has been appended, and pool.reopened has not been since
  CHECK (held + sold + blocked <= capacity)
-- only: sqlite
);
-- end
-- only: postgres
) WITH (fillfactor = 50);
-- end

CREATE TABLE listings (
  listing_no  {{id}},
  org_id      BIGINT NOT NULL,
  id          TEXT NOT NULL,
  event_no    BIGINT NOT NULL,
  event_id    TEXT NOT NULL,
  external_id TEXT NOT NULL, -- the seller's own name for it, may be empty
  section     TEXT NOT NULL,
  row_name    TEXT NOT NULL,
  seats       TEXT,          -- a JSON list of labels by ordinal; NULL where places are not numbered
  quantity    BIGINT NOT NULL, -- listed in all
  held        BIGINT NOT NULL,
  sold        BIGINT NOT NULL,
  high_water  BIGINT NOT NULL, -- ordinals below are claimed or in gaps; held + sold + gaps
  price       BIGINT NOT NULL CHECK (price >= 0), -- of one ticket, in minor units
  currency    TEXT NOT NULL,
  split_rule  TEXT NOT NULL CHECK (split_rule IN ('any', 'none', 'avoid_one', 'avoid_one_and_three', 'pairs')),
  status      TEXT NOT NULL CHECK (status IN ('draft', 'active', 'paused', 'sold_out', 'expired', 'withdrawn')),
  version     BIGINT NOT NULL,
  created_at  BIGINT NOT NULL,
  updated_at  BIGINT NOT NULL,
  UNIQUE (org_id, id),
  CHECK (held >= 0 AND sold >= 0 AND held + sold <= quantity AND held + sold <= high_water)
-- only: sqlite
);
-- end
-- only: postgres
) WITH (fillfactor = 70);
ALTER TABLE listings ALTER COLUMN section TYPE TEXT COLLATE "C", ALTER COLUMN row_name TYPE TEXT COLLATE "C";
-- end
CREATE INDEX listings_of_event ON listings (event_no, section, row_name);

-- Each unit that an order has. A unit is its listing's ordinal, so it has one live claim; a claim that is given back is deleted.
CREATE TABLE claims (
  listing_no BIGINT NOT NULL,
  ordinal    BIGINT NOT NULL CHECK (ordinal >= 0),
  org_id     BIGINT NOT NULL,
  event_no   BIGINT NOT NULL,
  order_no   BIGINT NOT NULL,
  section    TEXT NOT NULL,
  row_name   TEXT NOT NULL,
  seat       TEXT,
  PRIMARY KEY (listing_no, ordinal)
-- only: sqlite
) WITHOUT ROWID;
-- end
-- only: postgres
);
-- end

-- Ordinals that were claimed and given back. They are sold first, lowest first.
CREATE TABLE gaps (
  listing_no BIGINT NOT NULL,
  ordinal    BIGINT NOT NULL,
  org_id     BIGINT NOT NULL,
  PRIMARY KEY (listing_no, ordinal)
-- only: sqlite
) WITHOUT ROWID;
-- end
-- only: postgres
);
-- end

-- A seat has one live claim in its event, whatever listings name it.
CREATE UNIQUE INDEX claims_of_seat ON claims (event_no, section, row_name, seat) WHERE seat IS NOT NULL;
