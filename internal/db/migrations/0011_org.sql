-- People: who they are, how they sign in, and what they are in which organisation.

-- A person may belong to several organisations, or to none. email is NULL once the person was erased; then nothing of them is left but the number.
CREATE TABLE users (
  user_no     {{id}},
  id          TEXT NOT NULL UNIQUE,
  email       TEXT,
  email_lower TEXT UNIQUE,
  name        TEXT NOT NULL,
  password    TEXT NOT NULL, -- argon2id, as a PHC string; empty for nobody can sign in with one
  verified_at BIGINT,        -- when the address was shown to be theirs
  version     BIGINT NOT NULL,
  created_at  BIGINT NOT NULL,
  updated_at  BIGINT NOT NULL,
  erased_at   BIGINT,
  CHECK ((email IS NULL) = (email_lower IS NULL))
);

CREATE TABLE members (
  org_id     BIGINT NOT NULL,
  user_no    BIGINT NOT NULL,
  role       TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'staff')),
  created_at BIGINT NOT NULL,
  PRIMARY KEY (org_id, user_no)
);
CREATE INDEX members_by_user ON members (user_no);

-- Browsers that people are signed in with. The cookie itself is not kept, only its SHA-256.
CREATE TABLE sessions (
  session_no {{id}},
  id         TEXT NOT NULL UNIQUE,
  hash       BYTEA NOT NULL UNIQUE,
  user_no    BIGINT NOT NULL,
  agent      TEXT NOT NULL, -- the browser, as it calls itself
  address    TEXT NOT NULL, -- the network address of the sign-in
  created_at BIGINT NOT NULL,
  seen_at    BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_no);
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- One-time links: invitations, password resets, proofs of an address.
CREATE TABLE links (
  link_no    {{id}},
  id         TEXT NOT NULL UNIQUE,
  hash       BYTEA NOT NULL UNIQUE,
  kind       TEXT NOT NULL CHECK (kind IN ('invitation', 'reset', 'verification')),
  org_id     BIGINT NOT NULL, -- of an invitation; else 0
  user_no    BIGINT NOT NULL, -- whose password or address; 0 for an invitation
  email      TEXT,            -- that it was sent to; NULL once erased
  role       TEXT NOT NULL,   -- of an invitation; else empty
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at    BIGINT
);
CREATE INDEX links_of_org ON links (org_id, link_no);
CREATE INDEX links_by_user ON links (user_no);
CREATE INDEX links_by_end ON links (expires_at);

-- Tokens that people make for their own programs.
CREATE TABLE personal_tokens (
  token_no     {{id}},
  org_id       BIGINT NOT NULL,
  user_no      BIGINT NOT NULL,
  id           TEXT NOT NULL UNIQUE,
  hash         BYTEA NOT NULL UNIQUE,
  name         TEXT NOT NULL,
  scopes       TEXT NOT NULL, -- as in api_keys
  created_at   BIGINT NOT NULL,
  expires_at   BIGINT,
  last_used_at BIGINT,
  revoked_at   BIGINT
);
CREATE INDEX personal_tokens_by_user ON personal_tokens (user_no, token_no);

-- Sign-ins that failed lately, by account and by network address. name is a keyed hash of either: the table names nobody.
CREATE TABLE sign_in_failures (
  name     BYTEA PRIMARY KEY,
  failures BIGINT NOT NULL,
  until    BIGINT NOT NULL, -- no try before
  forget   BIGINT NOT NULL  -- the count begins anew then
);
CREATE INDEX sign_in_failures_by_end ON sign_in_failures (forget);
