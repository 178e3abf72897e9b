-- The orders of which something was kept: for how much, and when each was made.
SELECT member_id, order_key, sum(order_value) AS order_value, min(occurred_on) AS ordered_on
FROM entries
WHERE order_key IS NOT NULL
GROUP BY member_id, order_key
HAVING sum(orders) > 0
