-- An organisation's transfers, the newest first, and those that have come so far.
CREATE INDEX transfers_of_org ON transfers (org_id, created_at, ticket_no, n);
CREATE INDEX transfers_by_state ON transfers (org_id, state, created_at, ticket_no, n);
