-- What the store itself needs.

-- The configuration's revision: raised by whatever every writer must know of.
CREATE TABLE configuration (
  one      BIGINT PRIMARY KEY CHECK (one = 1),
  revision BIGINT NOT NULL
);
INSERT INTO configuration (one, revision) VALUES (1, 1);

-- Facts about the database itself, such as the master key's fingerprint.
CREATE TABLE settings (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

-- Numbers of facts.
-- only: sqlite
CREATE TABLE counters (
  name  TEXT PRIMARY KEY,
  value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('number', 1);
-- end
-- only: postgres
CREATE SEQUENCE numbers AS BIGINT INCREMENT BY 256 START WITH 1 MAXVALUE 4503599627370000;
-- end
