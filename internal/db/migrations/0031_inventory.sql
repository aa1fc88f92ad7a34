-- With an event that is deleted all that is listed for it comes to its end. Of events that were deleted before, whose listings kept their external ids and were
-- looked at again and again, it does so now. Such an event never had an order, and has no hold.
UPDATE barcode_sets SET replaced_at = e.updated_at FROM events e WHERE e.event_no = barcode_sets.event_no AND e.status = 'deleted' AND barcode_sets.replaced_at IS NULL;
DELETE FROM barcode_values WHERE event_no IN (SELECT event_no FROM events WHERE status = 'deleted');
UPDATE pools SET capacity = held + sold, blocked = 0 WHERE event_no IN (SELECT event_no FROM events WHERE status = 'deleted');
-- only: sqlite
UPDATE listings SET status = 'withdrawn', external_key = NULL, due_at = NULL, barcoded = 0, version = version + 1, updated_at = unixepoch() * 1000000
-- end
-- only: postgres
UPDATE listings SET status = 'withdrawn', external_key = NULL, due_at = NULL, barcoded = 0, version = version + 1,
  updated_at = (EXTRACT(EPOCH FROM now()) * 1000000)::bigint
-- end
  WHERE status NOT IN ('withdrawn', 'expired') AND event_no IN (SELECT event_no FROM events WHERE status = 'deleted');
