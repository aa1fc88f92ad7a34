-- Apps, and what people have allowed them. Codes and tokens are kept as SHA-256 of 256 random bits, client secrets as HMAC under the master key.

CREATE TABLE oauth_clients (
  client_no    {{id}},
  org_id       BIGINT NOT NULL, -- whose app it is; attendees' grants act here
  id           TEXT NOT NULL UNIQUE,
  name         TEXT NOT NULL,
  auth_method  TEXT NOT NULL CHECK (auth_method IN ('none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt')),
  redirects    TEXT NOT NULL, -- a JSON list
  scopes       TEXT NOT NULL, -- the most that it may ask for, as RFC 6749 writes them
  grant_types  TEXT NOT NULL, -- a JSON list
  jwks         TEXT NOT NULL, -- its public keys (RFC 7517), empty for none
  require_par  BOOLEAN NOT NULL,
  require_dpop BOOLEAN NOT NULL,
  version      BIGINT NOT NULL,
  created_at   BIGINT NOT NULL,
  updated_at   BIGINT NOT NULL,
  deleted_at   BIGINT
);
CREATE INDEX oauth_clients_of_org ON oauth_clients (org_id, client_no);

-- At most two of a client are good at the same time.
CREATE TABLE oauth_secrets (
  client_no  BIGINT NOT NULL,
  n          BIGINT NOT NULL, -- 1, 2, …
  org_id     BIGINT NOT NULL,
  hash       BYTEA NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT,          -- of the one before, after a rotation
  PRIMARY KEY (client_no, n)
);

-- What a person has allowed an app in an organisation. user_no is 0 for what an app does for itself.
CREATE TABLE oauth_grants (
  grant_no   {{id}},
  org_id     BIGINT NOT NULL,
  id         TEXT NOT NULL UNIQUE,
  client_no  BIGINT NOT NULL,
  user_no    BIGINT NOT NULL,
  scopes     TEXT NOT NULL,
  version    BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  revoked_at BIGINT
);
CREATE UNIQUE INDEX oauth_grants_live ON oauth_grants (client_no, user_no, org_id) WHERE revoked_at IS NULL;
CREATE INDEX oauth_grants_of_org ON oauth_grants (org_id, grant_no);
CREATE INDEX oauth_grants_by_user ON oauth_grants (user_no);

-- All tokens that came of one authorization: a device that the app runs on. When one of them was stolen, all go.
CREATE TABLE oauth_families (
  family_no  {{id}},
  org_id     BIGINT NOT NULL,
  grant_no   BIGINT NOT NULL,
  scopes     TEXT NOT NULL,
  thumbprint TEXT NOT NULL,   -- of the key that refresh tokens are bound to, empty for none
  resource   TEXT NOT NULL,   -- what the tokens are for (RFC 8707), empty for all of this server
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL, -- no refresh after that, however busy it is
  revoked_at BIGINT,
  reason     TEXT NOT NULL    -- why it was revoked
);
CREATE INDEX oauth_families_of_grant ON oauth_families (grant_no);
CREATE INDEX oauth_families_by_end ON oauth_families (expires_at);

CREATE TABLE oauth_codes (
  hash         BYTEA PRIMARY KEY,
  org_id       BIGINT NOT NULL,
  grant_no     BIGINT NOT NULL,
  client_no    BIGINT NOT NULL,
  redirect_uri TEXT NOT NULL,
  challenge    TEXT NOT NULL,
  scopes       TEXT NOT NULL,
  thumbprint   TEXT NOT NULL, -- dpop_jkt (RFC 9449 §10), empty for none
  resource     TEXT NOT NULL,
  created_at   BIGINT NOT NULL,
  expires_at   BIGINT NOT NULL,
  used_at      BIGINT,
  family_no    BIGINT         -- what it was exchanged for
);
CREATE INDEX oauth_codes_by_end ON oauth_codes (expires_at);

CREATE TABLE oauth_access_tokens (
  hash       BYTEA PRIMARY KEY,
  org_id     BIGINT NOT NULL,
  family_no  BIGINT NOT NULL,
  scopes     TEXT NOT NULL,
  thumbprint TEXT NOT NULL, -- of the key that it is bound to, empty for none
  resource   TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  revoked_at BIGINT
);
CREATE INDEX oauth_access_tokens_by_end ON oauth_access_tokens (expires_at);

-- successor is the answer to the refresh that used this token, sealed, for as long as a client may not have got it; then NULL.
CREATE TABLE oauth_refresh_tokens (
  hash            BYTEA PRIMARY KEY,
  org_id          BIGINT NOT NULL,
  family_no       BIGINT NOT NULL,
  created_at      BIGINT NOT NULL,
  expires_at      BIGINT NOT NULL,
  used_at         BIGINT,
  successor       BYTEA,
  successor_until BIGINT,
  replays         BIGINT NOT NULL
);
CREATE INDEX oauth_refresh_tokens_of_family ON oauth_refresh_tokens (family_no);
CREATE INDEX oauth_refresh_tokens_by_end ON oauth_refresh_tokens (expires_at);
CREATE INDEX oauth_refresh_tokens_sealed ON oauth_refresh_tokens (successor_until) WHERE successor IS NOT NULL;

-- Authorization requests that wait: pushed by a client (RFC 9126), or shown to a person who is to decide. Each is used once.
CREATE TABLE oauth_requests (
  hash       BYTEA PRIMARY KEY,
  kind       TEXT NOT NULL CHECK (kind IN ('pushed', 'consent')),
  org_id     BIGINT NOT NULL,
  client_no  BIGINT NOT NULL,
  session_no BIGINT NOT NULL, -- whose consent is asked; 0 for a pushed one
  parameters TEXT NOT NULL,   -- a JSON object
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at    BIGINT
);
CREATE INDEX oauth_requests_by_end ON oauth_requests (expires_at);

-- Devices that wait for a person to enter their code (RFC 8628). A user code is short, so it is kept as an HMAC.
CREATE TABLE oauth_devices (
  hash       BYTEA PRIMARY KEY,
  user_code  BYTEA NOT NULL UNIQUE,
  org_id     BIGINT NOT NULL,
  client_no  BIGINT NOT NULL,
  scopes     TEXT NOT NULL,
  thumbprint TEXT NOT NULL,
  resource   TEXT NOT NULL,
  state      TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'denied', 'used')),
  grant_no   BIGINT NOT NULL, -- 0 before it was approved
  granted    TEXT NOT NULL,   -- the scopes that were allowed
  poll_every BIGINT NOT NULL, -- seconds
  polled_at  BIGINT,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX oauth_devices_by_end ON oauth_devices (expires_at);

-- Proofs and assertions that were shown, by a hash of their jti and key: each is good once.
CREATE TABLE oauth_proofs (
  hash       BYTEA PRIMARY KEY,
  expires_at BIGINT NOT NULL
);
CREATE INDEX oauth_proofs_by_end ON oauth_proofs (expires_at);
