-- Listings whose tickets are not at hand yet, and by what name a seller knows them.

-- How a buyer gets the tickets. Those that are codes, by upload or as files, have to be there at deliver_by.
ALTER TABLE listings ADD COLUMN delivery_kind TEXT NOT NULL DEFAULT 'transfer' CHECK (delivery_kind IN ('transfer', 'barcode', 'eticket', 'paper', 'pickup'));
ALTER TABLE listings ADD COLUMN in_hand_at BIGINT; -- when the seller has the tickets; NULL where it is not said
ALTER TABLE listings ADD COLUMN deliver_by BIGINT; -- from then on tickets without codes are promised to nobody; NULL for never
ALTER TABLE listings ADD COLUMN expires_at BIGINT; -- from then on its status is expired; NULL for never
ALTER TABLE listings ADD COLUMN face_value BIGINT CHECK (face_value >= 0); -- of one ticket, in minor units of currency; NULL where it is not said
ALTER TABLE listings ADD COLUMN notes TEXT; -- a JSON list of texts; NULL for none
ALTER TABLE listings ADD COLUMN deliverability TEXT NOT NULL DEFAULT 'ok' CHECK (deliverability IN ('ok', 'expired'));
ALTER TABLE listings ADD COLUMN barcoded BIGINT NOT NULL DEFAULT 0 CHECK (barcoded >= 0); -- places, sold ones too, with codes that count
ALTER TABLE listings ADD COLUMN due_at BIGINT; -- when something becomes of it by itself: the next of expires_at and deliver_by that will; NULL for never
CREATE INDEX listings_due ON listings (due_at) WHERE due_at IS NOT NULL;

-- external_id, where it names this listing and no other: of listings that are not at their end one of each name. Of those that had the same name before
-- there was this column, the newest.
ALTER TABLE listings ADD COLUMN external_key TEXT CHECK (external_key IS NULL OR external_key = external_id AND status NOT IN ('withdrawn', 'expired'));
UPDATE listings SET external_key = external_id WHERE listing_no IN (
	SELECT MAX(listing_no) FROM listings WHERE external_id <> '' AND status NOT IN ('withdrawn', 'expired') GROUP BY org_id, external_id);
CREATE UNIQUE INDEX listings_external ON listings (org_id, external_key) WHERE external_key IS NOT NULL;

-- What of an organisation's has changed since an instant is looked for by the hour, in whole hours since 1970: an index of updated_at would be written with
-- every sale.
-- only: sqlite
ALTER TABLE listings ADD COLUMN updated_hour BIGINT GENERATED ALWAYS AS (updated_at / 3600000000) VIRTUAL;
-- end
-- only: postgres
ALTER TABLE listings ADD COLUMN updated_hour BIGINT GENERATED ALWAYS AS (updated_at / 3600000000) STORED;
-- end
CREATE INDEX listings_updated ON listings (org_id, updated_hour);
CREATE INDEX listings_of_org ON listings (org_id, listing_no);
