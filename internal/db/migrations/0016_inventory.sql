-- Ticket types with their pools, and holds.

-- A ticket type offers its units in a listing of its own, so that primary sale and resale have the same counters.
ALTER TABLE listings ADD COLUMN type_id TEXT;
-- How many of it an order takes at least and at most; NULL for what the split rule says.
ALTER TABLE listings ADD COLUMN least BIGINT;
ALTER TABLE listings ADD COLUMN most BIGINT;

-- What the types of an event share, such as the places of a hall. A unit of a type takes one unit of each pool that the type draws on.
CREATE TABLE named_pools (
  pool_no    {{id}},
  org_id     BIGINT NOT NULL,
  event_no   BIGINT NOT NULL,
  name       TEXT NOT NULL,
  capacity   BIGINT NOT NULL CHECK (capacity >= 0),
  held       BIGINT NOT NULL CHECK (held >= 0),
  sold       BIGINT NOT NULL CHECK (sold >= 0),
  blocked    BIGINT NOT NULL CHECK (blocked >= 0), -- kept back by the organisation
  version    BIGINT NOT NULL, -- of what the organisation says of it: sales do not count
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  UNIQUE (event_no, name),
  CHECK (held + sold + blocked <= capacity)
-- only: sqlite
);
-- end
-- only: postgres
) WITH (fillfactor = 50);
-- end

-- What there is to say of a type beside its listing, whose number is its own.
CREATE TABLE ticket_types (
  listing_no   {{rowid}},
  org_id       BIGINT NOT NULL,
  id           TEXT NOT NULL,
  event_no     BIGINT NOT NULL,
  class        BIGINT NOT NULL CHECK (class BETWEEN 1 AND 65535), -- 1, 2, … of the event: what its tickets' codes say
  face_value   BIGINT CHECK (face_value >= 0), -- in minor units of the listing's currency; NULL where it is not said
  per_customer BIGINT NOT NULL CHECK (per_customer >= 0), -- tickets in live orders of one address; 0 for no limit
  on_sale_at   BIGINT, -- NULL for the event's
  off_sale_at  BIGINT,
  code         TEXT NOT NULL, -- that a buyer has to know; empty for none
  UNIQUE (org_id, id),
  UNIQUE (event_no, class)
);
CREATE UNIQUE INDEX types_of_event ON ticket_types (event_no, listing_no);

-- Which pools a type draws on. Of the first, n = 0, an event's sums count the places.
CREATE TABLE draws (
  listing_no BIGINT NOT NULL,
  n          BIGINT NOT NULL,
  org_id     BIGINT NOT NULL,
  event_no   BIGINT NOT NULL,
  pool_no    BIGINT NOT NULL,
  PRIMARY KEY (listing_no, n),
  UNIQUE (listing_no, pool_no)
);
CREATE INDEX draws_of_event ON draws (event_no);

-- Units that are kept for somebody who has not ordered yet. The claims of a hold bear minus its number as their order_no, and become the order's.
CREATE TABLE holds (
  hold_no    {{rowid}},
  org_id     BIGINT NOT NULL,
  id         TEXT NOT NULL,
  event_no   BIGINT NOT NULL,
  event_id   TEXT NOT NULL,
  listing_no BIGINT NOT NULL,
  listing_id TEXT NOT NULL,
  type_id    TEXT, -- NULL where it is no ticket type's listing
  section    TEXT NOT NULL,
  row_name   TEXT NOT NULL,
  seats      TEXT, -- a JSON list of labels, NULL where places are not numbered
  units      TEXT NOT NULL, -- a JSON list of the listing's ordinals
  quantity   BIGINT NOT NULL CHECK (quantity BETWEEN 1 AND 20),
  price      BIGINT NOT NULL, -- of one unit, in minor units, as it was then
  currency   TEXT NOT NULL,
  holder     TEXT NOT NULL, -- whose it is: a person's id, else a credential's; empty once the person was erased
  status     TEXT NOT NULL CHECK (status IN ('active', 'converted', 'released', 'expired')),
  extended   BOOLEAN NOT NULL,
  order_no   BIGINT, -- that it was converted into
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  ended_at   BIGINT, -- when the status became another than active
  UNIQUE (org_id, id),
  CHECK ((ended_at IS NULL) = (status = 'active')),
  CHECK ((order_no IS NOT NULL) = (status = 'converted'))
);
CREATE INDEX holds_active ON holds (event_no, expires_at) WHERE status = 'active';
CREATE INDEX holds_due ON holds (expires_at) WHERE status = 'active';
CREATE INDEX holds_of_holder ON holds (org_id, holder);
