-- How much had time caused before an instant, that no job has booked yet?
-- A month in which there is any is provisional: booking it may still meet something that was booked meanwhile.
SELECT count(*) AS entries
FROM entries
WHERE NOT is_booked AND effective_at < $to_at
