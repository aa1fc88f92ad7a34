-- Webhook endpoints: who wants to hear what, where, and in which vocabulary. headers, secret and old_secret are sealed, and go when the endpoint is
-- deleted.
CREATE TABLE endpoints (
  endpoint_id     {{id}},
  org_id          BIGINT NOT NULL,
  id              TEXT NOT NULL UNIQUE,
  url             TEXT NOT NULL,
  format          TEXT NOT NULL,
  events          TEXT NOT NULL,
  description     TEXT NOT NULL,
  active          BOOLEAN NOT NULL,
  disabled_reason TEXT NOT NULL,
  disabled_at     BIGINT,
  options         TEXT NOT NULL,
  headers         BYTEA,
  secret          BYTEA CHECK (secret IS NOT NULL OR deleted_at IS NOT NULL),
  old_secret      BYTEA,
  old_until       BIGINT,
  revision        BIGINT NOT NULL,
  version         BIGINT NOT NULL,
  created_at      BIGINT NOT NULL,
  updated_at      BIGINT NOT NULL,
  deleted_at      BIGINT
);
CREATE INDEX endpoints_org ON endpoints (org_id, endpoint_id);
CREATE INDEX endpoints_revision ON endpoints (revision);

-- Endpoints that have given nothing but failures since some instant. A row goes with the first success.
CREATE TABLE endpoint_health (
  endpoint_id   BIGINT PRIMARY KEY,
  org_id        BIGINT NOT NULL,
  failing_since BIGINT NOT NULL,
  last_error    TEXT NOT NULL,
  told          BOOLEAN NOT NULL
);
