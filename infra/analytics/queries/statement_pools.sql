-- What did the points of each pool do between two instants?
-- A row for each pool. `opening` and `closing` are what members hold, less what they owe, before and after; the ways in
-- between are sums over the entries that count in it. `owed` is what members owe at the end.
SELECT
  account_id AS pool,
  sum(CASE WHEN effective_at < $from_at THEN net ELSE 0 END) AS opening,
  sum(CASE WHEN effective_at >= $from_at THEN earned ELSE 0 END) AS earned,
  sum(CASE WHEN effective_at >= $from_at THEN given_back ELSE 0 END) AS given_back,
  sum(CASE WHEN effective_at >= $from_at THEN moved_in ELSE 0 END) AS moved_in,
  sum(CASE WHEN effective_at >= $from_at THEN moved_out ELSE 0 END) AS moved_out,
  sum(CASE WHEN effective_at >= $from_at THEN spent ELSE 0 END) AS spent,
  sum(CASE WHEN effective_at >= $from_at THEN expired ELSE 0 END) AS expired,
  sum(CASE WHEN effective_at >= $from_at THEN taken_back ELSE 0 END) AS taken_back,
  sum(CASE WHEN effective_at >= $from_at THEN forfeited ELSE 0 END) AS forfeited,
  sum(net) AS closing,
  sum(debt) AS owed
FROM entries
WHERE kind = 'pool' AND effective_at < $to_at
GROUP BY account_id
ORDER BY account_id
