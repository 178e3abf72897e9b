-- How many members ordered how recently, how often, and for how much?
-- A row for each band: `recency` is by the last order, `frequency` by the number of orders kept.
WITH by_member AS (
  SELECT member_id, max(ordered_on) AS last_on, count(*) AS orders, sum(order_value) AS order_value
  FROM kept_orders
  GROUP BY member_id
)
SELECT
  CASE
    WHEN last_on >= $month_from THEN '1: within 30 days'
    WHEN last_on >= $active_from THEN '2: within 90 days'
    WHEN last_on >= $lapsing_from THEN '3: within 180 days'
    WHEN last_on >= $year_from THEN '4: within a year'
    ELSE '5: longer ago'
  END AS recency,
  CASE WHEN orders = 1 THEN '1' WHEN orders = 2 THEN '2' WHEN orders <= 5 THEN '3 to 5' ELSE '6 or more' END AS frequency,
  count(*) AS members,
  sum(order_value) AS order_value
FROM by_member
GROUP BY 1, 2
ORDER BY 1, 2
