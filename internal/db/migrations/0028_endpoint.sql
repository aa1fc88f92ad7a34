-- Lists of an organisation's endpoints in one format, and how many there are, without those that were deleted.
CREATE INDEX endpoints_live ON endpoints (org_id, format, endpoint_id, grant_no) WHERE deleted_at IS NULL;
