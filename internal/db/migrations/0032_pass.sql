-- Wallet passes: what people carry in Apple's and Google's wallets, on which devices it is, and who scanned it. Whoever reads these tables has no pass: serials are
-- in them, but tokens, barcodes and push tokens are sealed, and links and devices are hashes.
CREATE TABLE passes (
  org_id        BIGINT NOT NULL,
  pass_no       {{id}},
  id            TEXT NOT NULL UNIQUE,   -- a UUID
  platform      TEXT NOT NULL CHECK (platform IN ('apple', 'google')),
  style         TEXT NOT NULL CHECK (style IN ('event', 'generic')),
  serial        TEXT NOT NULL UNIQUE,   -- what Apple and Google call it; nobody guesses it
  token         BYTEA NOT NULL,         -- sealed: what a device proves to have the pass with
  ticket_no     BIGINT NOT NULL,        -- 0 for a pass without a ticket, and the three after it empty or 0
  ticket_id     TEXT NOT NULL,
  generation    BIGINT NOT NULL,        -- of the ticket, whose code it shows
  event_no      BIGINT NOT NULL,
  event_id      TEXT NOT NULL,
  external_id   TEXT NOT NULL,          -- the organisation's own name for it; may be empty
  owner         TEXT NOT NULL,          -- personal: a wallet's address (EIP-55); empty for none, and once erased
  chain         TEXT NOT NULL,          -- 'evm'; empty for none
  network       TEXT NOT NULL,          -- the chain's number in decimal; empty for none
  nfts          TEXT NOT NULL,          -- personal: a JSON array of what the owner has to hold
  verified      BOOLEAN NOT NULL,       -- the owner signed for it
  barcode       BYTEA,                  -- sealed: what the barcode says and how; NULL for the ticket's own code
  barcode_mac   BYTEA,                  -- what a scan finds it by; NULL with it
  blanked       BOOLEAN NOT NULL,       -- the barcode was made up because its holder was erased
  signature     BYTEA NOT NULL,         -- of what the barcode said when it was set, by the installation's key
  design        TEXT NOT NULL,          -- how it looks, as a JSON object
  tag           BIGINT NOT NULL,        -- grows with every change that devices have to fetch; see pass_clock
  modified_at   BIGINT NOT NULL,        -- microseconds, of whole seconds, and of another one after each such change
  opened        BIGINT NOT NULL CHECK (opened BETWEEN 0 AND 20),      -- how many registrations are open
  registered    BIGINT NOT NULL CHECK (registered BETWEEN opened AND 200), -- how many there ever were
  scans         BIGINT NOT NULL CHECK (scans >= 0),
  last_scan_at  BIGINT,
  expires_at    BIGINT,                 -- when it is to expire; NULL for no date of its own
  over_at       BIGINT,                 -- a day after its event's end, when it expires too; NULL for no event, and while the event is postponed
  expired_at    BIGINT,                 -- NULL while it is active
  expire_action TEXT NOT NULL CHECK ((expire_action = '') = (expired_at IS NULL)),
  forget_at     BIGINT,                 -- when its devices are forgotten, some time after it expired; NULL before, and then
  checked_at    BIGINT,                 -- when it was last asked whether the owner holds the assets; NULL for a pass without any
  version       BIGINT NOT NULL CHECK (version >= 1), -- how many facts it has
  created_at    BIGINT NOT NULL,
  updated_at    BIGINT NOT NULL,
  CHECK ((barcode IS NULL) = (barcode_mac IS NULL)),
  CHECK (barcode IS NOT NULL OR ticket_no <> 0)
);
CREATE INDEX passes_of_org ON passes (org_id, pass_no);
CREATE INDEX passes_active ON passes (org_id, pass_no) WHERE expired_at IS NULL;
CREATE INDEX passes_of_ticket ON passes (ticket_no, pass_no) WHERE ticket_no <> 0;
CREATE INDEX passes_of_event ON passes (event_no, pass_no) WHERE event_no <> 0;
CREATE INDEX passes_of_owner ON passes (org_id, owner, pass_no);
CREATE INDEX passes_by_scan ON passes (org_id, (COALESCE(last_scan_at, 0)), pass_no);
CREATE INDEX passes_by_end ON passes (org_id, (COALESCE(expired_at, 0)), pass_no);
CREATE INDEX passes_by_change ON passes (org_id, updated_at, pass_no);
CREATE INDEX passes_counted ON passes (org_id, platform, opened, expired_at);
CREATE INDEX passes_external ON passes (org_id, external_id, pass_no) WHERE external_id <> '';
CREATE INDEX passes_barcode ON passes (org_id, barcode_mac, pass_no) WHERE barcode_mac IS NOT NULL;
CREATE INDEX passes_due ON passes (expires_at) WHERE expired_at IS NULL AND expires_at IS NOT NULL;
CREATE INDEX passes_over ON passes (over_at) WHERE expired_at IS NULL AND over_at IS NOT NULL;
CREATE INDEX passes_at_google ON passes (event_no, pass_no) WHERE expired_at IS NULL AND platform = 'google';
CREATE INDEX passes_forgotten ON passes (forget_at) WHERE forget_at IS NOT NULL;
CREATE INDEX passes_unchecked ON passes (checked_at) WHERE expired_at IS NULL AND checked_at IS NOT NULL;

-- What owners of passes have to hold, once more for whoever looks for a contract or a token. Personal, as passes.nfts.
CREATE TABLE pass_assets (
  org_id   BIGINT NOT NULL,
  pass_no  BIGINT NOT NULL,
  contract TEXT NOT NULL,
  token_id TEXT NOT NULL,
  PRIMARY KEY (pass_no, contract, token_id)
);
CREATE INDEX pass_assets_contract ON pass_assets (org_id, contract, token_id, pass_no);
CREATE INDEX pass_assets_token ON pass_assets (org_id, token_id, pass_no);

-- On which devices a pass is. A device that removes it and takes it again has two.
CREATE TABLE pass_registrations (
  org_id          BIGINT NOT NULL,
  registration_no {{id}},
  id              TEXT NOT NULL UNIQUE, -- a UUID
  pass_no         BIGINT NOT NULL,
  device          BYTEA,                -- SHA-256 of the platform, a zero byte and what the device calls itself; NULL once erased
  push_token      BYTEA,                -- sealed; NULL for Google's, which has none, and for those that are closed
  tag             BIGINT NOT NULL,      -- as that of the pass, where the device has to fetch it though the pass did not change
  created_at      BIGINT NOT NULL,
  deleted_at      BIGINT,
  CHECK (push_token IS NULL OR deleted_at IS NULL),
  CHECK (device IS NOT NULL OR deleted_at IS NOT NULL)
);
CREATE UNIQUE INDEX pass_registrations_open ON pass_registrations (device, pass_no) WHERE deleted_at IS NULL;
CREATE INDEX pass_registrations_of_pass ON pass_registrations (pass_no, registration_no);

-- Download links: the newest of each pass, found by SHA-256.
CREATE TABLE pass_links (
  link      BYTEA PRIMARY KEY,
  org_id    BIGINT NOT NULL,
  pass_no   BIGINT NOT NULL UNIQUE,
  made_at   BIGINT NOT NULL,
  opened_at BIGINT                      -- the first time; it ends 48 hours after
);

CREATE TABLE pass_scans (
  org_id     BIGINT NOT NULL,
  scan_no    {{id}},
  pass_no    BIGINT NOT NULL,
  at         BIGINT NOT NULL,
  said       TEXT NOT NULL,             -- valid, expired, or what else was answered
  checkin_id TEXT NOT NULL              -- at the door; empty for the others
);
CREATE INDEX pass_scans_of_pass ON pass_scans (pass_no, at, scan_no);
CREATE INDEX pass_scans_of_org ON pass_scans (org_id, scan_no);
CREATE UNIQUE INDEX pass_scans_checkin ON pass_scans (org_id, checkin_id) WHERE checkin_id <> '';

-- What counts once: nonces of owners' proofs and of Google's callbacks, and signatures that have to be unique.
CREATE TABLE pass_once (
  org_id BIGINT NOT NULL,               -- 0 for those of no organisation
  what   TEXT NOT NULL CHECK (what IN ('proof', 'signature', 'callback')),
  hash   BYTEA NOT NULL,                -- keyed: whoever reads it cannot guess what it is of
  until  BIGINT NOT NULL,               -- from then on it can be forgotten
  PRIMARY KEY (org_id, what, hash)
);
CREATE INDEX pass_once_over ON pass_once (until);

-- What has still to be told to Apple and Google. registration_no is 0 for the pass's own object at Google's; pass_no is 0, and event_no not, for an event's class there.
CREATE TABLE pass_pushes (
  push_no         {{id}},
  org_id          BIGINT NOT NULL,
  pass_no         BIGINT NOT NULL,
  registration_no BIGINT NOT NULL,
  event_no        BIGINT NOT NULL,
  again           BIGINT NOT NULL,      -- grows when there is something new to tell while it is being told
  attempts        BIGINT NOT NULL,
  due_at          BIGINT NOT NULL,      -- 0 for what goes before the waves; while somebody tells it: until when the others leave it alone
  made_at         BIGINT NOT NULL
);
CREATE UNIQUE INDEX pass_pushes_once ON pass_pushes (pass_no, registration_no, event_no);
CREATE INDEX pass_pushes_apple ON pass_pushes (due_at, push_no) WHERE registration_no <> 0;
CREATE INDEX pass_pushes_made ON pass_pushes (made_at);
CREATE INDEX pass_pushes_google ON pass_pushes (due_at, push_no) WHERE registration_no = 0;

-- Changes that go through all passes of an event, or of an organisation, and how far they have come.
CREATE TABLE pass_waves (
  org_id   BIGINT NOT NULL,
  event_no BIGINT NOT NULL,             -- 0 for all of the organisation's passes
  after_no BIGINT NOT NULL,             -- the last pass that it has come to
  upto_no  BIGINT NOT NULL,             -- the last that there was when it began
  objects  BOOLEAN NOT NULL,            -- Google's objects change too, and not only the event's class
  at       BIGINT NOT NULL,             -- of the change
  PRIMARY KEY (org_id, event_no)
);

-- The last tag that was given. Whoever gives one keeps the row until the commit, so that nobody sees a tag before a lower one.
CREATE TABLE pass_clock (
  one BIGINT PRIMARY KEY CHECK (one = 1),
  tag BIGINT NOT NULL
);
INSERT INTO pass_clock (one, tag) VALUES (1, 0);

-- An organisation's pictures, each once, and what it uses them for: those that nothing names go after a day.
CREATE TABLE pass_images (
  org_id BIGINT NOT NULL,
  hash   TEXT NOT NULL,                 -- SHA-256 in hexadecimal digits, by which anybody who knows it may see it
  type   TEXT NOT NULL,                 -- image/png, as it is stored
  at     BIGINT NOT NULL,               -- when somebody brought or named it last, but for half a day
  body   BYTEA NOT NULL,
  PRIMARY KEY (org_id, hash)
);
CREATE INDEX pass_images_by_hash ON pass_images (hash);
CREATE INDEX pass_images_old ON pass_images (at, org_id, hash);
CREATE TABLE pass_pictures (
  org_id  BIGINT NOT NULL,
  hash    TEXT NOT NULL,
  pass_no BIGINT NOT NULL,              -- an active pass whose design names it; 0 for the design in pass_projects
  PRIMARY KEY (org_id, hash, pass_no)
);
CREATE INDEX pass_pictures_of_pass ON pass_pictures (pass_no, org_id);
CREATE TABLE pass_projects (
  org_id BIGINT PRIMARY KEY,
  design TEXT NOT NULL                  -- what passes look like that say nothing else, as a JSON object
);

-- What the installation makes for itself where its operator gives nothing: test certificates and keys, sealed.
CREATE TABLE pass_secrets (
  name   TEXT PRIMARY KEY,
  sealed BYTEA NOT NULL,
  at     BIGINT NOT NULL
);
