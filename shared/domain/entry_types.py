"""The types of ledger entries: one row each, with everything that is said of a type alone.

The ledger, keys, events, messages, the tools, the simulation's laws and the tests' clerks read the row. So a new type
is a row and a rule that drafts such entries.
"""

from collections.abc import Mapping
from string import Formatter
from typing import Literal, NamedTuple

from shared.domain.account import Status
from shared.domain.message_types import Kind

MadeBy = Literal["time", "schedule", "request", "rule", "anything"]
"""What makes entries of a type, and so who their actor is.

`time`: the clock, whenever an account is looked at; `schedule`: the clock, in a job that first settles the account;
`request`: a caller, whose request's fingerprint the entry holds; `rule`: whatever a caller or the stream has led to;
`anything`: any of these.
"""
Effect = Literal["net", "inside", "with_holds"]
"""What an entry's `points` are beside its effects.

`net`: what the account has more or less after it, debt counting against it; `inside`: points only move between the
account's own buckets, but for forgiven ones, which leave; `with_holds`: part of what moves leaves, or comes as, open
holds.
"""
Earned = Literal["all", "some", "none"]
"""Which of an entry's points count as earned."""
WayOut = Literal["captured", "expired", "taken_back", "transferred_out", "forfeited"]
"""The total of `account.Totals` that counts points which leave by an entry."""
RedemptionState = Literal["reserved", "captured", "reversed", "cancelled", "lapsed"]
Movement = Literal["issued", "taken_back", "redeemed", "reversed"]
"""What an entry is in the settlement of the partner that it names."""
Metric = Literal["PointsEarned", "PointsTakenBack", "PointsExpired", "PointsRedeemed", "OtherEntries"]


class Place(NamedTuple):
    """Templates of a primary key. Their names are filled from an entry's source, `member_id` from the entry."""

    pk: str
    sk: str

    @property
    def names(self) -> frozenset[str]:
        """What must be known to fill them."""
        return frozenset(name for _, name, _, _ in Formatter().parse(self.pk + self.sk) if name)


class EntryType(NamedTuple):
    """What is true of every entry of a type.

    `wallet_` and `pool_` fields are about entries of a wallet or of a pool's account.
    """

    name: str
    places: tuple[Place, ...]
    """An entry's key, which is its cause. Of several, the first whose names the source has."""
    event: str
    made_by: MadeBy = "rule"
    effect: Effect = "net"
    earned: Earned = "none"
    is_explained: bool = False
    """Whether the entry's breakdown adds up to its points."""
    source: tuple[str, ...] = ()
    """What an entry names as its cause, beside what is in its key."""
    wallet_places: tuple[Place, ...] = ()
    """Where it is elsewhere for a wallet."""
    wallet_event: str | None = None
    pool_event: str | None = None
    leaves_as: WayOut | None = None
    """How points leave. Without one, an entry that loses points is broken."""
    status_after: Status | None = None
    pair: str | None = None
    """The type of the entry on the other account, which the same transaction writes."""
    wallet_follows: str | None = None
    """The type of the entry about points, of the same cause, without which no wallet has this one."""
    is_shared: bool = False
    """Whether a member and their pool both have such an entry, of the same transaction."""
    spends: bool = False
    """Whether it takes what expires soonest, and never from a frozen account."""
    gives_back: bool = False
    """Whether the points of a hold go back to their own lots."""
    redemption_state: RedemptionState | None = None
    partner_movement: Movement | None = None
    message: Kind | None = None
    """What the member is told, or with `gift_offered` the receiver."""
    wallet_message: Kind | None = None
    message_needs_points: bool = False
    may_reach_reward: bool = False
    """Whether the member is told of a reward that it brings within reach; points that merely come back do not."""
    tells_tier: bool = True
    """Whether a tier in it is news: not the one that all begin in, nor one that was held before."""
    metric: Metric = "OtherEntries"
    """What the dashboard adds its points to. Entries without one of their own are only counted."""
    counts_anew: bool = False
    """Whether it says afresh when the member last ordered, and not only if that is later."""
    concerns_others: bool = False
    """Whether something always follows elsewhere: for another account, or for what is kept about a person."""
    audit: str | None = None
    """What the audit trail calls it, if not by its event."""

    @property
    def audited_as(self) -> str:
        """What the audit trail calls it when a person does it."""
        return self.audit or self.event

    def named(self) -> frozenset[str]:
        """The names that every entry's source has."""
        [*_, last] = self.places
        of_key = last.names if len(self.places) == 1 else frozenset[str]()
        return (of_key | set(self.source)) - {"member_id"}


def of(name: str) -> EntryType:
    """The row of a type. Raises UnknownEntryTypeError."""
    row = ENTRY_TYPES.get(name)
    if row is None:
        raise UnknownEntryTypeError(f"this release knows no entry type {name}")
    return row


class UnknownEntryTypeError(LookupError):
    """A type without a row: a newer release has booked the entry, or a rule has a slip of the pen."""


def _member(sk: str) -> tuple[Place, ...]:
    return (Place("MEMBER#{member_id}", sk),)


def _at(pk: str, sk: str) -> tuple[Place, ...]:
    return (Place(pk, sk),)


_EARNING = (
    EntryType(
        "enroll",
        _member("ENROLL"),
        "member.enrolled",
        wallet_event="credit.opened",
        pool_event="pool.opened",
        earned="all",
        message="welcome",
        tells_tier=False,
        metric="PointsEarned",
    ),
    EntryType(
        "earn",
        (Place("ORDER#{order_id}", "EARN"), Place("ACTION#{action}#{reference}", "EARN")),
        "points.earned",
        wallet_places=_at("ORDER#{order_id}", "EARN#credit"),
        wallet_event="credit.earned",
        wallet_follows="earn",
        earned="some",
        is_explained=True,
        partner_movement="issued",
        message="points_earned",
        wallet_message="credit_earned",
        message_needs_points=True,
        may_reach_reward=True,
        metric="PointsEarned",
    ),
    EntryType(
        "refund",
        _at("ORDER#{order_id}", "REFUND#{refund_id}"),
        "points.refunded",
        wallet_places=_at("ORDER#{order_id}", "CREDIT_REFUND#{refund_id}"),
        wallet_event="credit.refunded",
        wallet_follows="refund",
        earned="all",
        leaves_as="taken_back",
        counts_anew=True,
        partner_movement="taken_back",
        message="points_refunded",
        message_needs_points=True,
        metric="PointsTakenBack",
    ),
    EntryType(
        "refund_reversal",
        _at("ORDER#{order_id}", "REFUND_REVERSED#{refund_id}"),
        "points.refund_reversed",
        wallet_places=_at("ORDER#{order_id}", "CREDIT_REFUND_REVERSED#{refund_id}"),
        wallet_event="credit.refund_reversed",
        wallet_follows="refund_reversal",
        earned="all",
        counts_anew=True,
        partner_movement="issued",
        may_reach_reward=True,
    ),
    EntryType(
        "amend",
        _at("ORDER#{order_id}", "AMEND#{amendment_id}"),
        "order.amended",
        wallet_places=_at("ORDER#{order_id}", "CREDIT_AMEND#{amendment_id}"),
        wallet_event="credit.amended",
        wallet_follows="amend",
        earned="all",
        leaves_as="taken_back",
        counts_anew=True,
        partner_movement="issued",
        may_reach_reward=True,
    ),
    EntryType(
        "claim_out",
        _at("ORDER#{order_id}", "CLAIM_OUT#{claim_id}"),
        "order.released",
        wallet_places=_at("ORDER#{order_id}", "CREDIT_CLAIM_OUT#{claim_id}"),
        wallet_event="credit.released",
        wallet_follows="claim_out",
        source=("reason", "from", "to"),
        earned="all",
        leaves_as="taken_back",
        counts_anew=True,
        partner_movement="taken_back",
    ),
    EntryType(
        "claim_in",
        _at("ORDER#{order_id}", "CLAIM#{claim_id}"),
        "order.claimed",
        wallet_places=_at("ORDER#{order_id}", "CREDIT_CLAIM#{claim_id}"),
        wallet_event="credit.claimed",
        wallet_follows="claim_in",
        source=("reason", "from", "to"),
        earned="all",
        partner_movement="issued",
        may_reach_reward=True,
    ),
    EntryType(
        "badge_lost",
        _at("MEMBER#{of}", "BADGE_LOST#{badge_id}#{times}"),
        "badge.lost",
        source=("order_id",),
        earned="all",
        leaves_as="taken_back",
    ),
    EntryType(
        "adjust",
        _member("ADJUST#{reference}"),
        "points.adjusted",
        made_by="request",
        source=("reason",),
        leaves_as="taken_back",
        may_reach_reward=True,
    ),
    EntryType(
        "adjust_undo",
        _at("MEMBER#{of}", "ADJUST_UNDONE#{reference}"),
        "points.adjustment_undone",
        made_by="request",
        source=("reason",),
        leaves_as="taken_back",
    ),
    EntryType(
        "approve",
        _at("ACTION#{action}#{reference}", "APPROVE"),
        "points.approved",
        effect="inside",
        earned="some",
        message="action_approved",
        may_reach_reward=True,
    ),
    EntryType(
        "reject",
        _at("ACTION#{action}#{reference}", "REJECT"),
        "points.rejected",
        leaves_as="taken_back",
        message="action_rejected",
    ),
    EntryType(
        "badge",
        _member("BADGE#{badge_id}#{times}"),
        "badge.earned",
        earned="all",
        is_explained=True,
        message="badge_earned",
        may_reach_reward=True,
    ),
    EntryType(
        "referral",
        _at("REFERRAL#{friend}", "{role}"),
        "referral.rewarded",
        earned="all",
        is_explained=True,
        message="referral_rewarded",
        message_needs_points=True,
        may_reach_reward=True,
    ),
    EntryType(
        "referral_review",
        _at("REFERRAL#{friend}", "REVIEW"),
        "referral.reviewed",
        source=("state",),
    ),
    EntryType(
        "referral_reversal",
        _at("REFERRAL#{friend}", "REVERSED#{role}"),
        "referral.reversed",
        earned="all",
        leaves_as="taken_back",
    ),
    EntryType(
        "birthday",
        _member("BIRTHDAY#{year}"),
        "points.birthday",
        made_by="schedule",
        earned="all",
        is_explained=True,
        message="birthday",
        message_needs_points=True,
        may_reach_reward=True,
    ),
    EntryType(
        "anniversary",
        _member("ANNIVERSARY#{on}"),
        "points.anniversary",
        made_by="time",
        earned="all",
        source=("year",),
        message="anniversary",
        may_reach_reward=True,
    ),
    EntryType(
        "brought_in",
        _member("BROUGHT_IN#{brought_in}#{reference}"),
        "points.brought_in",
        wallet_event="credit.brought_in",
        earned="some",
        tells_tier=False,
    ),
)
_SHARING = (
    EntryType(
        "transfer_out",
        _at("TRANSFER#{transfer_id}", "OUT"),
        "points.sent",
        made_by="request",
        source=("from", "to"),
        leaves_as="transferred_out",
        pair="transfer_in",
        spends=True,
        audit="points.transferred",
    ),
    EntryType(
        "transfer_in",
        _at("TRANSFER#{transfer_id}", "IN"),
        "points.received",
        source=("from", "to"),
        pair="transfer_out",
    ),
    EntryType(
        "gift_offer",
        _at("GIFT#{gift_id}", "OFFER"),
        "gift.offered",
        made_by="request",
        effect="inside",
        source=("from", "to"),
        spends=True,
        message="gift_offered",
    ),
    EntryType(
        "gift_out",
        _at("GIFT#{gift_id}", "OUT"),
        "gift.accepted",
        effect="with_holds",
        source=("from", "to"),
        leaves_as="transferred_out",
        pair="gift_in",
    ),
    EntryType(
        "gift_in",
        _at("GIFT#{gift_id}", "IN"),
        "gift.received",
        source=("from", "to"),
        pair="gift_out",
        message="gift_received",
        message_needs_points=True,
        may_reach_reward=True,
    ),
    EntryType(
        "gift_return",
        _at("GIFT#{gift_id}", "RETURN"),
        "gift.returned",
        effect="inside",
        leaves_as="taken_back",
        source=("from", "to"),
        gives_back=True,
        message="gift_returned",
    ),
    EntryType(
        "pool_out",
        _at("POOL_MOVE#{move_id}", "OUT"),
        "pool.drawn",
        made_by="anything",
        source=("by", "pool_id"),
        leaves_as="transferred_out",
        pair="pool_in",
    ),
    EntryType(
        "pool_in",
        _at("POOL_MOVE#{move_id}", "IN"),
        "pool.added",
        made_by="anything",
        source=("by", "pool_id"),
        pair="pool_out",
    ),
    EntryType(
        "pool_join",
        _at("POOL_CHANGE#{change_id}", "JOIN#{member_id}"),
        "pool.joined",
        source=("by", "pool_id"),
        is_shared=True,
    ),
    EntryType(
        "pool_leave",
        _at("POOL_CHANGE#{change_id}", "LEAVE#{member_id}"),
        "pool.left",
        made_by="anything",
        source=("by", "pool_id"),
        is_shared=True,
    ),
    EntryType(
        "merge_out",
        _at("MERGE#{from}#{into}", "OUT"),
        "member.merged",
        wallet_event="credit.merged",
        wallet_follows="merge_out",
        effect="with_holds",
        earned="some",
        leaves_as="transferred_out",
        status_after="merged",
        pair="merge_in",
        spends=True,
        audit="members.merged",
    ),
    EntryType(
        "merge_in",
        _at("MERGE#{from}#{into}", "IN"),
        "member.absorbed",
        wallet_event="credit.absorbed",
        wallet_follows="merge_out",
        effect="with_holds",
        earned="some",
        leaves_as="taken_back",
        pair="merge_out",
        tells_tier=False,
    ),
)
_SPENDING = (
    EntryType(
        "reserve",
        _at("REDEMPTION#{redemption_id}", "RESERVE"),
        "redemption.reserved",
        made_by="request",
        effect="inside",
        spends=True,
        redemption_state="reserved",
    ),
    EntryType(
        "capture",
        _at("REDEMPTION#{redemption_id}", "CAPTURE"),
        "redemption.captured",
        effect="with_holds",
        leaves_as="captured",
        redemption_state="captured",
        partner_movement="redeemed",
        message="reward_redeemed",
        metric="PointsRedeemed",
    ),
    EntryType(
        "cancel",
        _at("REDEMPTION#{redemption_id}", "CANCEL"),
        "redemption.cancelled",
        made_by="anything",
        effect="inside",
        leaves_as="taken_back",
        gives_back=True,
        redemption_state="cancelled",
    ),
    EntryType(
        "lapse",
        _at("REDEMPTION#{redemption_id}", "LAPSE"),
        "redemption.lapsed",
        made_by="time",
        effect="inside",
        leaves_as="taken_back",
        gives_back=True,
        redemption_state="lapsed",
    ),
    EntryType(
        "reverse",
        (
            Place("REDEMPTION#{redemption_id}", "REVERSE#{reversal_id}"),
            Place("REDEMPTION#{redemption_id}", "REVERSE"),
        ),
        "redemption.reversed",
        gives_back=True,
        redemption_state="reversed",
        partner_movement="reversed",
    ),
    EntryType(
        "voucher_use",
        _at("VOUCHER#{voucher_id}", "USE#{reference}"),
        "voucher.used",
        made_by="request",
        source=("reward_id",),
    ),
    EntryType(
        "voucher_undo",
        _at("VOUCHER#{voucher_id}", "UNDO#{reference}"),
        "voucher.use_undone",
        source=("reward_id",),
    ),
    EntryType(
        "voucher_given",
        _at("VOUCHER#{voucher_id}", "GIVEN"),
        "voucher.given",
        made_by="anything",
        source=("gift_id", "reward_id", "on", "cause"),
        message="voucher_given",
    ),
    EntryType(
        "voucher_taken_back",
        _at("VOUCHER#{voucher_id}", "TAKEN_BACK"),
        "voucher.taken_back",
        source=("gift_id", "reward_id"),
        leaves_as="taken_back",
    ),
    EntryType("voucher_expiry", _member("VOUCHER_EXPIRY#{on}"), "voucher.expired", made_by="time"),
    EntryType(
        "payout",
        _at("PAYOUT#{payout_id}", "PAYOUT"),
        "credit.paid_out",
        made_by="request",
        source=("reference", "to"),
        leaves_as="captured",
        spends=True,
        wallet_message="credit_paid_out",
    ),
)
_MEMBERSHIP = (
    EntryType(
        "membership",
        _at("MEMBERSHIP#{reference}", "PAID"),
        "membership.paid",
        made_by="request",
        source=("plan_id", "renewed"),
        message="membership_paid",
    ),
    EntryType(
        "membership_cancel",
        _at("MEMBERSHIP#{reference}", "CANCEL"),
        "membership.cancelled",
        made_by="request",
        source=("plan_id", "refund_amount"),
        message="membership_ended",
    ),
    EntryType(
        "membership_end",
        _member("MEMBERSHIP_END#{on}"),
        "membership.ended",
        made_by="time",
        source=("plan_id",),
        message="membership_ended",
    ),
    EntryType(
        "freeze",
        _member("FREEZE#{reference}"),
        "member.frozen",
        made_by="request",
        source=("reason",),
    ),
    EntryType(
        "unfreeze",
        _member("UNFREEZE#{reference}"),
        "member.unfrozen",
        made_by="request",
        source=("frozen_under", "reason"),
    ),
    EntryType(
        "remembered",
        _member("REMEMBERED#{reference}"),
        "member.remembered",
        wallet_event="credit.remembered",
        leaves_as="taken_back",
    ),
    EntryType(
        "remembered_lift",
        _member("REMEMBERED_LIFTED#{reference}"),
        "member.remembered_lifted",
        wallet_event="credit.remembered_lifted",
        made_by="request",
        source=("reason",),
    ),
    EntryType("traits", _member("TRAITS#{reference}"), "member.traits_changed"),
    EntryType(
        "provisional",
        _member("PROVISIONAL"),
        "member.provisional",
        made_by="request",
        status_after="provisional",
        message="consent_requested",
        tells_tier=False,
    ),
    EntryType(
        "confirm",
        _member("CONFIRM"),
        "member.confirmed",
        made_by="request",
        earned="all",
        status_after="active",
        message="welcome",
    ),
    EntryType(
        "unclaimed",
        _member("UNCLAIMED"),
        "member.lapsed",
        made_by="time",
        source=("on",),
        leaves_as="forfeited",
        status_after="lapsed",
        concerns_others=True,
    ),
    EntryType(
        "maturity",
        _member("MATURITY#{on}"),
        "points.matured",
        wallet_event="credit.matured",
        made_by="time",
        effect="inside",
        may_reach_reward=True,
    ),
    EntryType(
        "expiry",
        _member("EXPIRY#{on}"),
        "points.expired",
        wallet_event="credit.expired",
        pool_event="pool.expired",
        made_by="time",
        leaves_as="expired",
        metric="PointsExpired",
    ),
    EntryType(
        "tier_set",
        _member("TIER_SET#{reference}"),
        "tier.set",
        made_by="request",
        source=("to", "until", "reason"),
    ),
    EntryType("tier_set_end", _member("TIER_SET_END#{on}"), "tier.set_ended", made_by="time", source=("from",)),
    EntryType(
        "tier_review",
        _member("TIER#{on}"),
        "tier.reviewed",
        made_by="time",
        source=("from", "to"),
        tells_tier=False,
    ),
    EntryType(
        "erase",
        _member("ERASE"),
        "member.erased",
        wallet_event="credit.erased",
        made_by="anything",
        effect="with_holds",
        leaves_as="forfeited",
        status_after="erased",
        concerns_others=True,
    ),
)
ENTRY_TYPES: Mapping[str, EntryType] = {row.name: row for row in (*_EARNING, *_SHARING, *_SPENDING, *_MEMBERSHIP)}
"""Every type, by its name."""
