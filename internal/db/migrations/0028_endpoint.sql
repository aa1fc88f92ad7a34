-- Lists of an organisation's endpoints in one format, without those that were deleted. It has all columns that counting them asks for (deleted_at too, which
-- SQLite looks at although the condition says it).
CREATE INDEX endpoints_live ON endpoints (org_id, format, endpoint_id, grant_no, deleted_at) WHERE deleted_at IS NULL;
