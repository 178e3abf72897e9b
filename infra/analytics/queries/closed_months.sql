-- Which months are closed, from when to when, and under which hash?
SELECT month, from_at, to_at, as_of, entries, hash
FROM closed_months
ORDER BY to_at
