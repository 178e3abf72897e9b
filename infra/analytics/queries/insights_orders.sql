-- How often do members order in a year, and for how much?
-- `repeat_members` ordered at least twice since `year_from`. An order counts if something of it was kept, for what was kept.
WITH by_member AS (
  SELECT member_id, count(*) AS orders, sum(order_value) AS order_value
  FROM kept_orders
  WHERE ordered_on >= $year_from
  GROUP BY member_id
)
SELECT
  count(*) AS members,
  coalesce(sum(CASE WHEN orders > 1 THEN 1 ELSE 0 END), 0) AS repeat_members,
  coalesce(sum(orders), 0) AS orders,
  coalesce(sum(order_value), 0) AS order_value
FROM by_member
