-- Endpoints that an app made on a grant: they go with it, and see what it lets them see.
ALTER TABLE endpoints ADD COLUMN grant_no BIGINT NOT NULL DEFAULT 0;
ALTER TABLE endpoints ADD COLUMN sees TEXT NOT NULL DEFAULT ''; -- scopes, as RFC 6749 writes them; only where grant_no is not 0
CREATE INDEX endpoints_of_grant ON endpoints (grant_no) WHERE grant_no <> 0;
