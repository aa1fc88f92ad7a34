-- Tickets: one for each place of an order. What the order said of its places when it was placed is kept with them.

-- ticket_no is made from the order's number, so an order leads to its tickets, and a ticket's id to its row, without another index.
CREATE TABLE tickets (
  org_id      BIGINT NOT NULL,
  ticket_no   {{rowid}},
  mark        BIGINT NOT NULL, -- the random half of the id
  order_no    BIGINT NOT NULL,
  place       BIGINT NOT NULL CHECK (place BETWEEN 1 AND 31), -- of the order's places
  places      BIGINT NOT NULL CHECK (places >= place),        -- how many the order has
  event_no    BIGINT NOT NULL,
  event_id    TEXT NOT NULL,
  section     TEXT NOT NULL,
  row_name    TEXT NOT NULL,
  seat        TEXT NOT NULL,   -- empty where places are not numbered
  price       BIGINT NOT NULL CHECK (price >= 0),
  currency    TEXT NOT NULL,
  validity    TEXT NOT NULL CHECK (validity IN ('reserved', 'valid', 'blocked', 'void')),
  presence    TEXT NOT NULL CHECK (presence IN ('outside', 'inside')),
  generation  BIGINT NOT NULL CHECK (generation >= 1), -- codes of earlier ones are not good any more
  offers      BIGINT NOT NULL CHECK (offers >= 0),     -- transfers that were ever offered
  valid_from  BIGINT,          -- NULL for no bound but the event's
  valid_until BIGINT,
  version     BIGINT NOT NULL CHECK (version >= 0),    -- how many facts it has; 0 while it was never issued
  created_at  BIGINT NOT NULL,
  updated_at  BIGINT NOT NULL,
  holder      TEXT NOT NULL,   -- personal: a name, may be empty
  email       TEXT NOT NULL,   -- personal: the holder's; empty once erased
  email_lower TEXT NOT NULL,
  CHECK (ticket_no = order_no * 32 + place)
);
CREATE INDEX tickets_of_org ON tickets (org_id, ticket_no);
CREATE INDEX tickets_of_event ON tickets (event_no, ticket_no);
CREATE INDEX tickets_by_email ON tickets (org_id, email_lower, ticket_no);

-- What holders offered to whom. The addresses are personal, and empty once erased.
CREATE TABLE transfers (
  org_id          BIGINT NOT NULL,
  ticket_no       BIGINT NOT NULL,
  n               BIGINT NOT NULL, -- 1, 2, … for each ticket
  sender          TEXT NOT NULL,   -- the holder's address, in lower case
  recipient       TEXT NOT NULL,   -- as it was written
  recipient_lower TEXT NOT NULL,
  state           TEXT NOT NULL CHECK (state IN ('offered', 'accepted', 'declined', 'revoked', 'expired')),
  created_at      BIGINT NOT NULL,
  expires_at      BIGINT NOT NULL,
  ended_at        BIGINT,          -- when the state became another than offered
  PRIMARY KEY (ticket_no, n),
  CHECK ((ended_at IS NULL) = (state = 'offered'))
);
CREATE UNIQUE INDEX transfers_open ON transfers (ticket_no) WHERE state = 'offered';
CREATE INDEX transfers_by_end ON transfers (expires_at) WHERE state = 'offered';
CREATE INDEX transfers_by_sender ON transfers (org_id, sender);
CREATE INDEX transfers_by_recipient ON transfers (org_id, recipient_lower, ticket_no);
