-- Orders. What the event and the listing said when the order was placed is kept with it.

-- order_no is the number in the order's id: an id leads to its row without another index.
CREATE TABLE orders (
  order_no          {{rowid}},
  org_id            BIGINT NOT NULL,
  number            TEXT NOT NULL, -- TIC-…
  event_no          BIGINT NOT NULL,
  event_id          TEXT NOT NULL,
  event_name        TEXT NOT NULL,
  event_starts_at   BIGINT NOT NULL,
  event_timezone    TEXT NOT NULL,
  event_venue       TEXT NOT NULL,
  event_location    TEXT NOT NULL,
  listing_no        BIGINT NOT NULL,
  listing_id        TEXT NOT NULL,
  section           TEXT NOT NULL,
  row_name          TEXT NOT NULL,
  seats             TEXT,          -- a JSON list of labels, NULL where places are not numbered
  units             TEXT NOT NULL, -- a JSON list of the listing's ordinals
  quantity          BIGINT NOT NULL CHECK (quantity BETWEEN 1 AND 20),
  currency          TEXT NOT NULL,
  unit_price        BIGINT NOT NULL CHECK (unit_price >= 0),
  total             BIGINT NOT NULL,
  captured          BIGINT NOT NULL,
  refunded          BIGINT NOT NULL,
  payment_provider  TEXT NOT NULL,
  payment_reference TEXT NOT NULL,
  status            TEXT NOT NULL CHECK (status IN ('provisional', 'confirmed', 'accepted', 'issue', 'fulfilled', 'cancelled', 'refunded')),
  previous_status   TEXT NOT NULL, -- empty when there was none
  transfer_method   TEXT NOT NULL CHECK (transfer_method IN ('', 'mobile_transfer', 'digital_download', 'email', 'pickup')),
  version           BIGINT NOT NULL,
  created_at        BIGINT NOT NULL,
  updated_at        BIGINT NOT NULL,
  UNIQUE (org_id, number),
  CHECK (total = quantity * unit_price),
  CHECK (refunded >= 0 AND refunded <= captured AND captured <= total)
);
CREATE INDEX orders_of_event ON orders (event_no, order_no);
CREATE INDEX orders_of_org ON orders (org_id, order_no);

-- All that an order knows of people, so that erasing a person is blanking one row.
CREATE TABLE order_people (
  order_no      {{rowid}},
  org_id        BIGINT NOT NULL,
  email         TEXT NOT NULL,
  email_lower   TEXT NOT NULL, -- for the search
  phone         TEXT NOT NULL, -- digits
  phone_country TEXT NOT NULL, -- "+47"
  transfer_note TEXT NOT NULL,
  issue_reason  TEXT NOT NULL,
  refund_reason TEXT NOT NULL  -- of the last refund
);
CREATE INDEX order_people_by_email ON order_people (org_id, email_lower, order_no);

CREATE TABLE refunds (
  order_no   BIGINT NOT NULL,
  n          BIGINT NOT NULL, -- 1, 2, … for each order
  org_id     BIGINT NOT NULL,
  amount     BIGINT NOT NULL CHECK (amount > 0),
  created_at BIGINT NOT NULL,
  PRIMARY KEY (order_no, n)
);

-- The cancelling of all orders of an event, which takes many transactions.
CREATE TABLE cancellations (
  event_no    {{rowid}},
  org_id      BIGINT NOT NULL,
  event_id    TEXT NOT NULL,
  upto        BIGINT NOT NULL, -- the last order_no that it is for
  reached     BIGINT NOT NULL, -- the last order_no that was looked at
  total       BIGINT NOT NULL,
  done        BIGINT NOT NULL,
  started_at  BIGINT NOT NULL,
  finished_at BIGINT
);
CREATE INDEX cancellations_open ON cancellations (event_no) WHERE finished_at IS NULL;
