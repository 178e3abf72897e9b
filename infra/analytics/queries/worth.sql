-- What was a point worth at an instant?
-- By the newest program that anything had been booked by: so many points, `worth_points`, pay `worth_amount` minor units. No row:
-- nothing had been booked.
SELECT worth_points, worth_amount
FROM program_versions
WHERE version = (SELECT max(program_version) FROM entries WHERE effective_at < $at)
