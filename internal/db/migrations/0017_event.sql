-- The instants between which an event's tickets are sold; NULL for no bound.
ALTER TABLE events ADD COLUMN on_sale_at BIGINT;
ALTER TABLE events ADD COLUMN off_sale_at BIGINT;
