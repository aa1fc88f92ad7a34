-- Why an order has an open issue; empty without one.
ALTER TABLE orders ADD COLUMN cause TEXT NOT NULL DEFAULT '' CHECK (cause IN ('', 'barcodes', 'not_received', 'other') AND (cause = '' OR status = 'issue'));
UPDATE orders SET cause = 'other' WHERE status = 'issue';
-- Barcodes were uploaded for it, so its places have sets that nobody else should see.
ALTER TABLE orders ADD COLUMN barcoded BOOLEAN NOT NULL DEFAULT FALSE;
