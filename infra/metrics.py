"""Names under which counts and totals stand in CloudWatch."""

METRICS_NAMESPACE, METRICS_SERVICE = "Loyalty", "loyalty"
OUTSTANDING_POINTS, OUTSTANDING_LIABILITY = "OutstandingPoints", "OutstandingLiability"
