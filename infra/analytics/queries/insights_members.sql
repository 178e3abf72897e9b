-- Who are the members, by when they last ordered?
-- `joined` are those who joined since `active_from`. `active` ones ordered since then, `lapsing` ones since `lapsing_from`, `lapsed` ones
-- before. Orders that came back count for nothing.
WITH latest AS (
  SELECT member_id, max(ordered_on) AS ordered_on
  FROM kept_orders
  GROUP BY member_id
)
SELECT
  count(*) AS members,
  sum(CASE WHEN enrolled_on >= $active_from THEN 1 ELSE 0 END) AS joined,
  sum(CASE WHEN ordered_on >= $active_from THEN 1 ELSE 0 END) AS active,
  sum(CASE WHEN ordered_on >= $lapsing_from AND ordered_on < $active_from THEN 1 ELSE 0 END) AS lapsing,
  sum(CASE WHEN ordered_on < $lapsing_from THEN 1 ELSE 0 END) AS lapsed,
  sum(CASE WHEN ordered_on IS NULL THEN 1 ELSE 0 END) AS never_ordered
FROM accounts
LEFT JOIN latest ON latest.member_id = accounts.member_id
WHERE kind = 'member' AND status = 'active'
