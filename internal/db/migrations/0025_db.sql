-- Small numbers, by which partners know things. Sales begin behind those that holds and orders are given when they are numbered.
-- only: sqlite
INSERT INTO counters (name, value) VALUES ('sales', 1);
-- end
-- only: postgres
CREATE SEQUENCE serial_sales AS BIGINT INCREMENT BY 128 START WITH 1 MAXVALUE 2147483647;
-- end
