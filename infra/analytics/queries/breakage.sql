-- Of the points whose last day has passed, which share has gone unspent?
-- Lots that have ended say it without a bias: nothing of them can be spent any more. `broken` points expired, `resolved`
-- ones expired or were spent. The sums of squares, over accounts, are for the interval of the share.
WITH by_account AS (
  SELECT
    account_id,
    sum(CASE WHEN bucket = 'expired' THEN units ELSE 0 END) AS broken,
    sum(units) AS resolved
  FROM movements
  WHERE unit = 'points'
    AND bucket IN ('expired', 'spent')
    AND effective_at < $to_at
    AND last_day >= $first_day
    AND last_day < $first_open_day
  GROUP BY account_id
)
SELECT
  count(*) AS accounts,
  coalesce(sum(broken), 0) AS broken,
  coalesce(sum(resolved), 0) AS resolved,
  coalesce(sum(CAST(broken AS DOUBLE) * broken), 0) AS broken_squared,
  coalesce(sum(CAST(broken AS DOUBLE) * resolved), 0) AS both_multiplied,
  coalesce(sum(CAST(resolved AS DOUBLE) * resolved), 0) AS resolved_squared
FROM by_account
WHERE resolved > 0
