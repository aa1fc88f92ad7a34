-- The door: where people go in and out, by what rules, who may scan, and what each presented code came to.

-- Places where people go in or out, by names that staff know. They belong to the organisation: a venue has them for all its events.
CREATE TABLE gates (
  gate_no    {{id}},
  org_id     BIGINT NOT NULL,
  id         TEXT NOT NULL UNIQUE,
  name       TEXT NOT NULL,
  name_lower TEXT NOT NULL,
  version    BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  deleted_at BIGINT
);
CREATE UNIQUE INDEX gates_by_name ON gates (org_id, name_lower) WHERE deleted_at IS NULL;

-- Who may come in where and how often. An event without a default of its own has one without a row, whose number is 0: one entry for each ticket.
CREATE TABLE checkin_lists (
  list_no    {{id}},
  org_id     BIGINT NOT NULL,
  id         TEXT NOT NULL UNIQUE,
  event_no   BIGINT NOT NULL,
  event_id   TEXT NOT NULL,
  name       TEXT NOT NULL,
  standard   BOOLEAN NOT NULL, -- the event's default, used where no list is named
  policy     TEXT NOT NULL CHECK (policy IN ('single', 'reentry')),
  rules      TEXT NOT NULL,    -- a JSON object: who is admitted, through which gates, how often, and what is shown
  opens_at   BIGINT,
  closes_at  BIGINT,
  version    BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  deleted_at BIGINT,
  CHECK (opens_at IS NULL OR closes_at IS NULL OR opens_at < closes_at)
);
CREATE UNIQUE INDEX checkin_lists_standard ON checkin_lists (event_no) WHERE standard AND deleted_at IS NULL;
CREATE INDEX checkin_lists_of_event ON checkin_lists (event_no, list_no);
CREATE INDEX checkin_lists_of_org ON checkin_lists (org_id, list_no);

-- Scanners. Code and credential are kept as SHA-256: of 50 random bits that are good once and for an hour, and of 256.
CREATE TABLE devices (
  device_no    {{id}},
  org_id       BIGINT NOT NULL,
  id           TEXT NOT NULL UNIQUE,
  name         TEXT NOT NULL,
  gates        TEXT NOT NULL, -- a JSON list of ids; empty for all
  events       TEXT NOT NULL, -- the same
  code_hash    BYTEA UNIQUE,  -- NULL once it was used
  code_until   BIGINT NOT NULL,
  hash         BYTEA UNIQUE,  -- of the credential; NULL before it was enrolled
  version      BIGINT NOT NULL,
  created_at   BIGINT NOT NULL,
  updated_at   BIGINT NOT NULL,
  enrolled_at  BIGINT,
  last_used_at BIGINT,
  revoked_at   BIGINT,
  CHECK ((hash IS NULL) = (enrolled_at IS NULL))
);
CREATE INDEX devices_of_org ON devices (org_id, device_no);

-- One row for each presented code, and for each ticket that staff admitted by hand. What was presented, when and where never changes. What it counts for
-- does, when an upload brings to light what came before it, or when one is undone: result, entry_no, open, against and told.
CREATE TABLE checkins (
  id          TEXT NOT NULL,
  org_id      BIGINT NOT NULL,
  event_no    BIGINT NOT NULL, -- 0 where nobody knows
  event_id    TEXT NOT NULL,
  ticket_no   BIGINT NOT NULL, -- 0 where the code was of no ticket
  ticket_id   TEXT NOT NULL,
  order_id    TEXT NOT NULL,
  list_no     BIGINT NOT NULL, -- 0 for the event's default without a row
  list_id     TEXT NOT NULL,
  gate_no     BIGINT NOT NULL, -- 0 where the gate has no row
  gate        TEXT NOT NULL,   -- its name; may be empty
  direction   TEXT NOT NULL CHECK (direction IN ('entry', 'exit')),
  mode        TEXT NOT NULL CHECK (mode IN ('online', 'offline', 'forced')),
  device      TEXT NOT NULL,   -- the id of the scanner or another credential
  seq         BIGINT NOT NULL, -- the device's own number, 0 where it was online
  nonce       TEXT NOT NULL,   -- may be empty
  token_hash  BYTEA,           -- SHA-256 of the code; NULL for what staff did by hand
  at          BIGINT NOT NULL, -- its place among the check-ins of its ticket
  scanned_at  BIGINT NOT NULL, -- as the device says
  received_at BIGINT NOT NULL,
  said        TEXT NOT NULL,   -- what was answered
  reason      TEXT NOT NULL,
  result      TEXT NOT NULL CHECK (result IN ('admitted', 'exited', 'stray', 'conflict', 'denied', 'undone')), -- stray: out, without having been in
  entry_no    BIGINT CHECK (entry_no >= 1), -- 1, 2, … of the ticket's entries on the list
  open        BOOLEAN NOT NULL,             -- nobody has left on it yet
  against     TEXT NOT NULL,                -- the check-in that holds the entry instead; empty for none
  told        BOOLEAN NOT NULL,             -- its fact was the checkin.admitted of its ticket and list
  note        TEXT NOT NULL,                -- may be personal
  facts       BIGINT NOT NULL CHECK (facts >= 1),
  PRIMARY KEY (org_id, id),
  CHECK ((entry_no IS NOT NULL) = (result = 'admitted')),
  CHECK (entry_no IS NOT NULL OR NOT open)
);
CREATE UNIQUE INDEX checkins_entry ON checkins (ticket_no, list_no, entry_no) WHERE entry_no IS NOT NULL;
CREATE UNIQUE INDEX checkins_open ON checkins (ticket_no, list_no) WHERE open;
CREATE UNIQUE INDEX checkins_told ON checkins (ticket_no, list_no) WHERE told;
CREATE UNIQUE INDEX checkins_nonce ON checkins (org_id, device, nonce) WHERE nonce <> '';
CREATE UNIQUE INDEX checkins_seq ON checkins (org_id, device, seq) WHERE seq > 0;
CREATE INDEX checkins_of_ticket ON checkins (ticket_no);
CREATE INDEX checkins_of_event ON checkins (event_no, result, gate, at);
CREATE INDEX checkins_noted ON checkins (org_id, id) WHERE note <> '';
