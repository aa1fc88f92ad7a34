-- Where a venue is on the map, as far as an event that names it has said so; what may change of a venue. Degrees, WGS 84.
ALTER TABLE venues ADD COLUMN latitude DOUBLE PRECISION CHECK (latitude BETWEEN -90 AND 90);
ALTER TABLE venues ADD COLUMN longitude DOUBLE PRECISION CHECK (longitude BETWEEN -180 AND 180);
ALTER TABLE venues ADD COLUMN updated_at BIGINT NOT NULL DEFAULT 0;

-- Lists of what has changed since.
CREATE INDEX events_by_number ON events (org_id, event_no);
CREATE INDEX events_by_update ON events (org_id, updated_at, event_no);
CREATE INDEX events_of_venue ON events (venue_id);
CREATE INDEX venues_by_number ON venues (org_id, venue_id);
CREATE INDEX venues_by_update ON venues (org_id, updated_at, venue_id);
