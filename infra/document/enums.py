"""The values that a word in an answer may have. A newer release may add one: no client should fail over it."""

from collections.abc import Mapping, Sequence
from typing import get_args

from shared.domain.account import Status
from shared.domain.calendar import Period
from shared.domain.entry_types import ENTRY_TYPES, RedemptionState
from shared.domain.members.members import ADDRESS_KINDS
from shared.domain.points.reviews import ReviewKind
from shared.domain.spending.gifts import GiftState
from shared.domain.telling.events import ALL_TYPES

_REVIEW_STATES = ("open", "approved", "rejected")
_REWARD_KINDS = (
    *("money_off", "gift_card", "cashback", "percent_off", "product", "free_shipping", "experience"),
    "partner",
)

ENUMS: Mapping[tuple[str, str], Sequence[str]] = {
    ("AccountAnswer", "status"): get_args(Status),
    ("AwaitedAddress", "kind"): ADDRESS_KINDS,
    ("CampaignAnswer", "state"): ("scheduled", "running", "used_up", "ended"),
    ("EntryAnswer", "type"): tuple(ENTRY_TYPES),
    ("MemberAnswer", "status"): get_args(Status),
    ("PartnerEntry", "type"): tuple(ENTRY_TYPES),
    ("PartnerEntryAnswer", "type"): tuple(ENTRY_TYPES),
    ("RedemptionAnswer", "state"): get_args(RedemptionState),
    ("PartnerRedemptionAnswer", "state"): get_args(RedemptionState),
    ("Delivery", "event_type"): ALL_TYPES,
    ("ErasedAnswer", "status"): get_args(Status),
    ("ErasureAwaited", "status"): ("erasure_requested",),
    ("FriendAnswer", "state"): ("open", "in_review", "refused", "rewarded", "reversed", "expired"),
    ("GiftAnswer", "state"): get_args(GiftState),
    ("LimitAnswer", "per"): get_args(Period),
    ("ReviewAnswer", "kind"): get_args(ReviewKind),
    ("RewardAnswer", "kind"): _REWARD_KINDS,
    ("ReviewAnswer", "state"): _REVIEW_STATES,
    ("WebhookAnswer", "status"): ("enabled", "disabled"),
    ("SecretAnswer", "status"): ("enabled", "disabled"),
}
"""By the name of the answer and of its field."""
