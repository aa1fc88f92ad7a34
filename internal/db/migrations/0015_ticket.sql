-- Ticket codes: what they are signed with, what was shown of them, and what of them is revoked.

ALTER TABLE tickets ADD COLUMN class BIGINT NOT NULL DEFAULT 0 CHECK (class BETWEEN 0 AND 65535); -- the kind of ticket, by its event's numbering

-- One for each organisation whose tickets somebody has asked the code of.
CREATE TABLE ticket_codebooks (
  org_id   BIGINT PRIMARY KEY,
  secret   BYTEA NOT NULL,                       -- sealed: 32 bytes that short codes are derived from
  revision BIGINT NOT NULL,                      -- grows with each change of what caches keep: keys, rotations
  revoked  BIGINT NOT NULL CHECK (revoked >= 0)  -- the number of the last revocation that was published
);

-- The newest key signs; the others count until they are retired.
CREATE TABLE ticket_keys (
  org_id     BIGINT NOT NULL,
  key_id     BIGINT NOT NULL CHECK (key_id BETWEEN 1 AND 255), -- what codes name it by
  serial     BIGINT NOT NULL, -- 1, 2, …: key ids come again after 255
  public     BYTEA NOT NULL,
  private    BYTEA NOT NULL,  -- sealed: the seed (RFC 8032 §5.1.5)
  created_at BIGINT NOT NULL,
  retired_at BIGINT,          -- from then on it does not count; NULL for no end
  PRIMARY KEY (org_id, key_id),
  UNIQUE (org_id, serial)
);

-- The short codes that were shown to somebody. The code itself is nowhere: lookup is a keyed hash of it.
CREATE TABLE ticket_short_codes (
  org_id     BIGINT NOT NULL,
  lookup     BIGINT NOT NULL,
  ticket_no  BIGINT NOT NULL,
  generation BIGINT NOT NULL CHECK (generation >= 1),
  PRIMARY KEY (org_id, lookup)
);

-- The events whose codes rotate.
CREATE TABLE ticket_rotations (
  org_id   BIGINT NOT NULL,
  event_no BIGINT PRIMARY KEY,
  step     BIGINT NOT NULL CHECK (step BETWEEN 15 AND 30), -- seconds
  seed     BYTEA NOT NULL                                  -- sealed
);

-- How things stand with each ticket of which a code was ever revoked. seq is given when a change is published, after it was committed: so numbers grow
-- in the order in which lists show them, whatever order transactions end in.
CREATE TABLE ticket_revocations (
  org_id    BIGINT NOT NULL,
  ticket_no BIGINT PRIMARY KEY,
  mark      BIGINT NOT NULL,
  through   BIGINT NOT NULL CHECK (through BETWEEN 0 AND 65535), -- codes up to this generation are revoked; 0 for none any more
  seq       BIGINT NOT NULL CHECK (seq >= 0),                    -- 0 while it was never published
  pending   BOOLEAN NOT NULL                                     -- changed since
);
CREATE UNIQUE INDEX ticket_revocations_in_order ON ticket_revocations (org_id, seq) WHERE seq > 0;
CREATE INDEX ticket_revocations_pending ON ticket_revocations (org_id, ticket_no) WHERE pending;

INSERT INTO ticket_revocations (org_id, ticket_no, mark, through, seq, pending)
  SELECT org_id, ticket_no, mark, CASE validity WHEN 'void' THEN 65535 WHEN 'blocked' THEN generation ELSE generation - 1 END, 0, TRUE
  FROM tickets WHERE version > 0 AND (validity IN ('void', 'blocked') OR generation > 1);
