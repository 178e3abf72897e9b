-- How much of the points earned in a year is spent, and by how many members?
-- Points that came back to members count as not spent.
SELECT
  coalesce(sum(earned), 0) AS earned,
  coalesce(sum(spent - given_back), 0) AS spent,
  count(DISTINCT CASE WHEN earned > 0 THEN account_id END) AS earning_accounts,
  count(DISTINCT CASE WHEN spent > 0 THEN account_id END) AS spending_accounts
FROM entries
WHERE unit = 'points' AND effective_on >= $year_from
