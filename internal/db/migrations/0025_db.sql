-- Small numbers, by which partners know things. Sales begin behind those that holds and orders had before they were numbered.
-- only: sqlite
INSERT INTO counters (name, value) VALUES ('sales', 1 + (SELECT count(*) FROM orders) + (SELECT count(*) FROM holds));
-- end
-- only: postgres
CREATE SEQUENCE serial_sales AS BIGINT INCREMENT BY 128 START WITH 1 MAXVALUE 2147483647;
SELECT setval('serial_sales', 1 + (SELECT count(*) FROM orders) + (SELECT count(*) FROM holds), false);
-- end
