-- Of those who joined in a month, how many ordered in it and in the months after?
-- A row for each month of joining and each number of months since; one without such a number where nobody has ordered. Orders
-- that came back count for nothing. `joined` are all who joined then and have not gone.
WITH cohorts AS (
  SELECT member_id, CAST(date_trunc('month', enrolled_on) AS DATE) AS joined_in
  FROM accounts
  WHERE kind = 'member' AND status = 'active' AND enrolled_on IS NOT NULL
),
sizes AS (
  SELECT joined_in, count(*) AS joined
  FROM cohorts
  GROUP BY joined_in
),
months AS (
  SELECT DISTINCT member_id, CAST(date_trunc('month', ordered_on) AS DATE) AS ordered_in
  FROM kept_orders
)
SELECT
  cohorts.joined_in AS joined_in,
  sizes.joined AS joined,
  date_diff('month', cohorts.joined_in, months.ordered_in) AS months_since,
  count(months.member_id) AS ordered
FROM cohorts
JOIN sizes ON sizes.joined_in = cohorts.joined_in
LEFT JOIN months ON months.member_id = cohorts.member_id AND months.ordered_in >= cohorts.joined_in
GROUP BY cohorts.joined_in, sizes.joined, date_diff('month', cohorts.joined_in, months.ordered_in)
ORDER BY joined_in, months_since NULLS LAST
