-- What was done to an installation by whom. Entries hold ids, never names, addresses of people or secrets; address is the network's, and is blanked
-- with the person.
CREATE TABLE audit_entries (
  entry_no {{id}},
  org_id   BIGINT NOT NULL, -- 0 where it concerns no organisation
  at       BIGINT NOT NULL,
  action   TEXT NOT NULL,   -- "key.created"
  actor    TEXT NOT NULL,   -- usr_…, key_…, gnt_…; "operator" for commands, "" for nobody
  subject  TEXT NOT NULL,   -- the id of what it was done to
  address  TEXT NOT NULL,   -- of the client, empty when there was none
  detail   TEXT NOT NULL    -- a JSON object
);
CREATE INDEX audit_entries_of_org ON audit_entries (org_id, entry_no);
CREATE INDEX audit_entries_by_actor ON audit_entries (actor, entry_no);
