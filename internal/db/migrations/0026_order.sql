-- The number by which partners know a sale, and what event and listing said when the order was placed.
-- It is the hold's that the order was, if it was one; NULL where a program that knows of none has written the row.
ALTER TABLE orders ADD COLUMN sale_no BIGINT CHECK (sale_no BETWEEN 1 AND 2147483647);
ALTER TABLE orders ADD COLUMN sale TEXT NOT NULL DEFAULT '{}'; -- JSON, see inventory.Sale; {} of orders from before there was this column
UPDATE orders SET sale_no = n.n FROM (SELECT order_no AS no, row_number() OVER (ORDER BY order_no) AS n FROM orders) n WHERE n.no = orders.order_no;
CREATE UNIQUE INDEX orders_of_sale ON orders (org_id, sale_no);

-- What has changed since an instant is looked for by the hour, in whole hours since 1970: an index of updated_at would be written with every change.
-- only: sqlite
ALTER TABLE orders ADD COLUMN updated_hour BIGINT GENERATED ALWAYS AS (updated_at / 3600000000) VIRTUAL;
-- end
-- only: postgres
ALTER TABLE orders ADD COLUMN updated_hour BIGINT GENERATED ALWAYS AS (updated_at / 3600000000) STORED;
-- end
CREATE INDEX orders_updated ON orders (org_id, updated_hour);
