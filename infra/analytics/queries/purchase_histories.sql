-- When did each member order first and last, on how many days, and for how much after the first?
-- What the forecast of orders is fitted to, through `last_day`. Orders of one day are one, and count if anything of them was kept.
WITH days AS (
  SELECT member_id, ordered_on, sum(order_value) AS order_value
  FROM kept_orders
  WHERE ordered_on <= $last_day
  GROUP BY member_id, ordered_on
),
spans AS (
  SELECT member_id, min(ordered_on) AS first_on, max(ordered_on) AS last_on, count(*) AS days
  FROM days
  GROUP BY member_id
)
SELECT
  spans.member_id AS member_id,
  spans.days - 1 AS repeats,
  date_diff('day', spans.first_on, spans.last_on) AS days_to_last,
  date_diff('day', spans.first_on, $last_day) AS days_known,
  sum(CASE WHEN days.ordered_on > spans.first_on THEN days.order_value ELSE 0 END) AS repeat_value
FROM spans
JOIN days ON days.member_id = spans.member_id
GROUP BY spans.member_id, spans.days, spans.first_on, spans.last_on
ORDER BY spans.member_id
