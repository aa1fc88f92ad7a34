-- The history of an order: the facts about it. The kinds are those that package ledger asks for.
CREATE INDEX facts_of_orders ON facts (org_id, subject, seq)
  WHERE kind IN ('order.confirmed', 'order.accepted', 'order.issue_raised', 'order.fulfilled', 'order.cancelled', 'refund.completed', 'sale.barcodes_failed', 'sale.barcodes_received', 'transfer.failed');
