-- A hold is a provisional sale. The order that it becomes has its number.
ALTER TABLE holds ADD COLUMN sale_no BIGINT NOT NULL DEFAULT 0;
UPDATE holds SET sale_no = o.sale_no FROM orders o WHERE o.order_no = holds.order_no;
UPDATE holds SET sale_no = n.n + (SELECT count(*) FROM orders)
	FROM (SELECT hold_no AS no, row_number() OVER (ORDER BY hold_no) AS n FROM holds WHERE sale_no = 0) n WHERE n.no = holds.hold_no;
CREATE UNIQUE INDEX holds_of_sale ON holds (org_id, sale_no);
CREATE INDEX holds_kept ON holds (org_id, sale_no) WHERE status = 'active';
