-- How many entries count in a month?
-- The month that is closed first has all before it, too.
SELECT count(*) AS entries
FROM entries
WHERE effective_at >= $from_at AND effective_at < $to_at AND is_booked
