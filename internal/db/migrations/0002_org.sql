-- Organisations and the keys that programs sign in with.

CREATE TABLE orgs (
  org_id     {{id}},
  id         TEXT NOT NULL UNIQUE,
  slug       TEXT NOT NULL UNIQUE,
  name       TEXT NOT NULL,
  currency   TEXT NOT NULL,
  timezone   TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

-- A key itself is never kept, only its SHA-256: it has 256 random bits, so the hash gives nothing away.
CREATE TABLE api_keys (
  key_no       {{id}},
  org_id       BIGINT NOT NULL,
  id           TEXT NOT NULL UNIQUE,
  hash         BYTEA NOT NULL UNIQUE,
  name         TEXT NOT NULL,
  scopes       TEXT NOT NULL, -- a JSON list; ["*"] is every scope, also those that come later
  per_minute   BIGINT NOT NULL CHECK (per_minute >= 0), -- 0 for no limit
  created_at   BIGINT NOT NULL,
  last_used_at BIGINT,
  revoked_at   BIGINT
);
CREATE INDEX api_keys_of_org ON api_keys (org_id, key_no);
