-- In which month do the units end that are outstanding at an instant?
-- A row for each unit and month of the last day; without a month, those that never end. Pending and held ones are outstanding
-- as well.
SELECT
  unit,
  CAST(date_trunc('month', last_day) AS DATE) AS ends_in,
  sum(units) AS units
FROM movements
WHERE bucket IN ('available', 'pending', 'held') AND effective_at < $to_at
GROUP BY unit, CAST(date_trunc('month', last_day) AS DATE)
HAVING sum(units) <> 0
ORDER BY unit DESC, ends_in NULLS LAST
