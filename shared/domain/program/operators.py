"""What one operator may do alone."""

from shared.domain.fields import PositivePoints, Stored


class Operators(Stored):
    """What is more needs a second operator.

    `adjustment_limit_points` is how many points of one member one operator moves in a day, given and taken, by
    adjustments and transfers together. An adjustment beyond that waits for another operator; a transfer is refused.
    """

    adjustment_limit_points: PositivePoints | None = None


def loosens(before: Operators | None, after: Operators | None) -> bool:
    """Whether operators may do more alone than before: whatever is not tighter or as it was in every point."""
    if before is None:
        return False
    return after is None or _is_more(before.adjustment_limit_points, after.adjustment_limit_points)


def _is_more(before: int | None, after: int | None) -> bool:
    """Whether a limit allows more; None: it allows everything."""
    return before is not None and (after is None or after > before)
