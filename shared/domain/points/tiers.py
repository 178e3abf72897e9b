"""Tiers: up as soon as enough counts, down at a review, or when the order that earned the tier is returned."""

from datetime import date, timedelta

from shared.domain.account import Account
from shared.domain.calendar import add_months, month_of
from shared.domain.facets import TierStatus
from shared.domain.program.program import Tier, Tiers


def qualifying(account: Account, tiers: Tiers, day: date) -> int:
    """What counts toward tiers on `day`, in the program's measure: points, or minor units spent."""
    return _counted(account, tiers, _period_start(tiers, day), day)


def tier_for(tiers: Tiers, amount: int) -> Tier:
    """The highest tier that `amount` reaches."""
    return next(tier for tier in reversed(tiers.levels) if amount >= tier.threshold)


def held_tier(account: Account, tiers: Tiers, day: date) -> Tier:
    """The tier an account holds: the one it has reached, or a paid membership's or one set by hand if that is higher.

    If the program no longer has the tier that was reached, it is the one that the member qualifies for.
    """
    rank = tiers.rank(account.tier_status().tier_id)
    reached = tier_for(tiers, qualifying(account, tiers, day)) if rank is None else tiers.levels[rank]
    membership, by_hand = account.membership, account.tier_by_hand
    ranks = [tiers.levels.index(reached)]
    if membership is not None and membership.state == "paid" and membership.tier_id is not None:
        ranks.append(tiers.rank(membership.tier_id) or 0)
    if by_hand is not None and day <= by_hand.until:
        ranks.append(tiers.rank(by_hand.tier_id) or 0)
    return tiers.levels[max(ranks)]


def entered(tiers: Tiers, tier: Tier, day: date) -> TierStatus:
    """Holding `tier` from `day` on. A tier by the calendar year is held to the end of the next one."""
    review_on = date(day.year + 2, 1, 1) if tiers.period == "calendar_year" else add_months(day, 12)
    return TierStatus(tier_id=tier.tier_id, since=day, review_on=review_on if _is_reviewed(tiers, tier) else None)


def raised(account: Account, tiers: Tiers, day: date) -> TierStatus | None:
    """The new tier status if what counts on `day` reaches a higher tier than the one held."""
    reached = tier_for(tiers, qualifying(account, tiers, day))
    rank = tiers.rank(account.tier_status().tier_id)
    if rank is not None and tiers.levels.index(reached) <= rank:
        return None
    return entered(tiers, reached, day)


def reviewed(account: Account, tiers: Tiers) -> TierStatus:
    """The tier status after the review that is due: kept, kept for the grace days, or lower.

    What counted on the day before decides, so that a calendar year is reviewed as it closed. The second look, after the
    grace days, counts them on top of the period that was missed.
    """
    tier_status = account.tier_status()
    day = tier_status.review_on
    if day is None:
        raise AssertionError(f"no review is due for {account.member_id}")
    counted = _counted_at_review(tier_status, day, account, tiers)
    rank = tiers.rank(tier_status.tier_id)
    if rank is None:
        return _renewed(tiers, tier_for(tiers, counted), day, since=day)
    if counted >= tiers.levels[rank].threshold:
        return _renewed(tiers, tiers.levels[rank], day, since=tier_status.since)
    if tiers.grace_days and not tier_status.grace:
        return tier_status.model_copy(update={"review_on": day + timedelta(days=tiers.grace_days), "grace": True})
    lower = tiers.levels[rank - 1] if tiers.down == "one_step" else tier_for(tiers, counted)
    return _renewed(tiers, lower, day, since=day)


def missing_at_review(account: Account, tiers: Tiers) -> int:
    """What is missing to keep the tier at its next review, in the tiers' measure; 0 if nothing is, or none comes."""
    tier_status = account.tier_status()
    rank = tiers.rank(tier_status.tier_id)
    if tier_status.review_on is None or rank is None:
        return 0
    return max(0, tiers.levels[rank].threshold - _counted_at_review(tier_status, tier_status.review_on, account, tiers))


def _counted_at_review(tier_status: TierStatus, day: date, account: Account, tiers: Tiers) -> int:
    missed_on = day - timedelta(days=tiers.grace_days) if tier_status.grace else day
    return _counted(account, tiers, _period_start(tiers, missed_on - timedelta(days=1)), day - timedelta(days=1))


def _renewed(tiers: Tiers, tier: Tier, day: date, since: date) -> TierStatus:
    review_on = date(day.year + 1, 1, 1) if tiers.period == "calendar_year" else add_months(day, 12)
    return TierStatus(tier_id=tier.tier_id, since=since, review_on=review_on if _is_reviewed(tiers, tier) else None)


def _is_reviewed(tiers: Tiers, tier: Tier) -> bool:
    return tiers.period != "lifetime" and tier.threshold > 0


def _period_start(tiers: Tiers, day: date) -> date:
    return date(day.year, 1, 1) if tiers.period == "calendar_year" else add_months(day.replace(day=1), -12)


def _counted(account: Account, tiers: Tiers, first: date, last: date) -> int:
    if tiers.period == "lifetime":
        return account.qualifying_ever
    months = account.qualifying.items()
    return sum(amount for month, amount in months if month_of(first) <= month <= month_of(last))
