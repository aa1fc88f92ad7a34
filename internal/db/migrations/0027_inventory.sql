-- A hold is a provisional sale. The order that it becomes has its number. NULL where a program that knows of none has written the row.
ALTER TABLE holds ADD COLUMN sale_no BIGINT CHECK (sale_no BETWEEN 1 AND 2147483647);
UPDATE holds SET sale_no = o.sale_no FROM orders o WHERE o.order_no = holds.order_no;
UPDATE holds SET sale_no = n.n + (SELECT COALESCE(MAX(sale_no), 0) FROM orders)
	FROM (SELECT hold_no AS no, row_number() OVER (ORDER BY hold_no) AS n FROM holds WHERE sale_no IS NULL) n WHERE n.no = holds.hold_no;
CREATE UNIQUE INDEX holds_of_sale ON holds (org_id, sale_no);
CREATE INDEX holds_kept ON holds (org_id, sale_no) WHERE status = 'active';
CREATE INDEX holds_changed ON holds (org_id, COALESCE(ended_at, created_at)) WHERE status <> 'converted';
-- only: sqlite
UPDATE counters SET value = 1 + (SELECT MAX(n) FROM (SELECT 0 AS n UNION ALL SELECT sale_no FROM orders UNION ALL SELECT sale_no FROM holds) AS x) WHERE name = 'sales';
-- end
-- only: postgres
SELECT setval('serial_sales', 1 + (SELECT MAX(n) FROM (SELECT 0 AS n UNION ALL SELECT sale_no FROM orders UNION ALL SELECT sale_no FROM holds) AS x), false);
-- end
