-- What have points cost and brought each partner, between two instants and before?
-- A row for each partner, price and movement: `issued` and `reversed` points are owed by the partner, `taken_back` and
-- `redeemed` ones to it. So many points, `price_points`, cost `price_amount` minor units. Payments are not in the ledger.
SELECT
  partner_id AS partner,
  partner_movement AS movement,
  partner_price_points AS price_points,
  partner_price_amount AS price_amount,
  sum(CASE WHEN effective_at < $from_at THEN partner_points ELSE 0 END) AS before,
  sum(CASE WHEN effective_at >= $from_at THEN partner_points ELSE 0 END) AS during
FROM entries
WHERE partner_movement IS NOT NULL AND effective_at < $to_at
GROUP BY partner_id, partner_movement, partner_price_points, partner_price_amount
ORDER BY partner_id, partner_movement, partner_price_points, partner_price_amount
