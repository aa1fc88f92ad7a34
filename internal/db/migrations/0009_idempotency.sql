-- Answers that were given to requests with an Idempotency-Key, for as long as the key holds.

CREATE TABLE idempotency (
  org_id       BIGINT NOT NULL,
  principal    TEXT NOT NULL, -- whose key it is: the id of an API key or client
  route        TEXT NOT NULL, -- "POST /api/v1/orders"
  key          TEXT NOT NULL,
  request_hash BYTEA NOT NULL,
  status       BIGINT NOT NULL CHECK (status BETWEEN 200 AND 299),
  location     TEXT NOT NULL,
  etag         TEXT NOT NULL,
  answer       BYTEA NOT NULL, -- sealed
  created_at   BIGINT NOT NULL,
  PRIMARY KEY (org_id, principal, route, key)
);
CREATE INDEX idempotency_by_age ON idempotency (created_at);
