-- When did the first entry count?
-- Without any there is no such instant.
SELECT min(effective_at) AS first_at
FROM entries
