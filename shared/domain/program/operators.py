"""What one operator may do alone."""

from shared.domain.fields import PositivePoints, Stored


class Operators(Stored):
    """Adjustments of more points than the limit, given or taken, need the approval of a second operator.

    An operator transfers no more than that of a member's points.
    """

    adjustment_limit_points: PositivePoints | None = None
