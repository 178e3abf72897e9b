"""What one operator may do alone."""

from shared.domain.fields import PositivePoints, Stored


class Operators(Stored):
    """What is more needs a second operator.

    `adjustment_limit_points` is how many points of one member one operator moves in a day, given and taken, by
    adjustments and transfers together. An adjustment beyond that waits for another operator; a transfer is refused.
    """

    adjustment_limit_points: PositivePoints | None = None
