-- Barcodes of places. They are a listing's, whoever has bought the place.

-- What a place got in one upload. Rows are never changed but for their end: of a place the newest counts, until it is replaced.
CREATE TABLE barcode_sets (
  set_no      {{rowid}},
  org_id      BIGINT NOT NULL,
  event_no    BIGINT NOT NULL,
  listing_no  BIGINT NOT NULL,
  ordinal     BIGINT NOT NULL CHECK (ordinal >= 0),
  row_name    TEXT NOT NULL,
  seat        TEXT NOT NULL, -- empty where places are not numbered
  status      TEXT NOT NULL CHECK (status IN ('received', 'failed_validation')),
  n           BIGINT NOT NULL CHECK (n BETWEEN 1 AND 10), -- how many values it has
  sealed      BYTEA NOT NULL, -- the values, a JSON list, sealed under the master key
  received_at BIGINT NOT NULL,
  replaced_at BIGINT -- NULL while it counts
);
CREATE UNIQUE INDEX barcode_sets_counting ON barcode_sets (listing_no, ordinal) WHERE replaced_at IS NULL;
CREATE INDEX barcode_sets_of_place ON barcode_sets (listing_no, ordinal, set_no);

-- The values of received sets that count, by which a value has one place in its event.
CREATE TABLE barcode_values (
  event_no   BIGINT NOT NULL,
  digest     TEXT NOT NULL, -- HMAC-SHA256 under a key of the master key, in hexadecimal
  org_id     BIGINT NOT NULL,
  listing_no BIGINT NOT NULL,
  ordinal    BIGINT NOT NULL,
  set_no     BIGINT NOT NULL,
  PRIMARY KEY (event_no, digest)
-- only: sqlite
) WITHOUT ROWID;
-- end
-- only: postgres
);
-- end
CREATE INDEX barcode_values_of_place ON barcode_values (listing_no, ordinal);

-- What an event's barcodes must look like. An event without a row takes any.
CREATE TABLE barcode_rules (
  event_no   {{rowid}},
  org_id     BIGINT NOT NULL,
  pattern    TEXT NOT NULL, -- RE2, for the whole value; empty for any
  min_length BIGINT NOT NULL,
  max_length BIGINT NOT NULL, -- 0 for no bound
  updated_at BIGINT NOT NULL,
  CHECK (min_length >= 0 AND max_length >= 0 AND (max_length = 0 OR min_length <= max_length))
);
