-- As of when is the lake, and whose is it?
SELECT as_of, time_zone, currency, program_version
FROM about
