"""The kinds of messages: what each is about, in which category it falls, and which variables its templates may use."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

Channel = Literal["email", "sms"]
Category = Literal["service", "marketing", "digest"]
Kind = Literal[
    "welcome",
    "points_earned",
    "reward_redeemed",
    "tier_reached",
    "points_refunded",
    "points_expiring",
    "voucher_given",
    "voucher_expiring",
    "nudge",
    "reward_reached",
    "programme_explained",
    "tier_warning",
    "badge_earned",
    "gift_offered",
    "gift_received",
    "gift_returned",
    "referral_rewarded",
    "membership_paid",
    "membership_ended",
    "action_approved",
    "action_rejected",
    "birthday",
    "anniversary",
    "credit_earned",
    "credit_expiring",
    "credit_paid_out",
    "consent_requested",
    "erasure_warning",
    "address_code",
    "address_changed",
    "sign_in_code",
    "statement",
]
CHANNELS: tuple[Channel, ...] = ("email", "sms")
CATEGORIES: tuple[Category, ...] = ("service", "marketing", "digest")

Value = str | int | None | tuple[str, ...]
"""What a variable holds: days are ISO dates, money is minor units, both shown by the filters `day` and `money`."""


class Variable(NamedTuple):
    """A name that templates may use, what it means, and an example to try a template on."""

    name: str
    meaning: str
    example: Value
    may_be_empty: bool = False


class About(NamedTuple):
    """One kind: its category and own variables, whether it is sent at night, whether a shop has to ask for it."""

    category: Category
    variables: tuple[Variable, ...]
    is_urgent: bool = False
    is_optional: bool = False


_POINTS = Variable("points", "how many points", 120)
_REWARD = Variable("reward_name", "the reward's name", "Free coffee")
_TIER = Variable("tier_name", "the tier's name", "Silver")
_AMOUNT = Variable("amount", "minor units of the program's currency; show it with the filter money", 1250)
_PLAN = Variable("plan_name", "the membership's name", "Plus")
_ACTION = Variable("action_name", "what the member did, in the program's words", "a review")
_LAST_DAY = Variable("last_day", "the last day on which it can be spent; show it with the filter day", "2027-11-30")
_VOUCHER_CODE = Variable("voucher_code", "what is shown at the till", "7Q2K9-XW3HT-B5MJR")
_DAYS = Variable("days", "how many days are left", 7)

COMMON: tuple[Variable, ...] = (
    Variable("program_name", "the program's name", "Tea Club"),
    Variable("member_name", "the member's name", "Ada", may_be_empty=True),
    Variable("balance", "points that can be spent", 340),
    Variable("locale", "the template's locale", "en"),
    Variable("currency", "the program's currency", "EUR"),
    Variable("unsubscribe_url", "page to unsubscribe on; empty for service messages", "https://x.example/u", True),
)
KINDS: Mapping[Kind, About] = {
    "welcome": About("service", (_POINTS,)),
    "points_earned": About(
        "marketing",
        (_POINTS, Variable("available_on", "the day from which they can be spent", "2026-12-04", may_be_empty=True)),
    ),
    "reward_redeemed": About(
        "service",
        (
            _POINTS,
            _REWARD._replace(may_be_empty=True),
            _VOUCHER_CODE,
        ),
        is_urgent=True,
    ),
    "tier_reached": About(
        "marketing", (_TIER, Variable("benefits", "what the tier gives", ("Free shipping",), may_be_empty=True))
    ),
    "points_refunded": About("service", (_POINTS,)),
    "points_expiring": About("service", (_POINTS, _LAST_DAY, _DAYS)),
    "voucher_given": About("marketing", (_REWARD, _VOUCHER_CODE, _LAST_DAY._replace(may_be_empty=True))),
    "voucher_expiring": About("service", (_REWARD, _VOUCHER_CODE, _LAST_DAY, _DAYS)),
    "nudge": About("marketing", (_REWARD, Variable("missing", "points that are missing", 10))),
    "reward_reached": About("marketing", (_REWARD, _POINTS), is_optional=True),
    "programme_explained": About(
        "service",
        (
            _POINTS,
            Variable("how", "how orders earn, in the program's words", "1 point per euro"),
            Variable("reward_name", "the cheapest reward", "Free coffee", may_be_empty=True),
            Variable("reward_points", "what it costs", 100, may_be_empty=True),
        ),
        is_optional=True,
    ),
    "tier_warning": About(
        "service",
        (
            _TIER,
            Variable("review_on", "the day of the review; show it with the filter day", "2027-03-01"),
            _DAYS,
            Variable("missing", "what is missing, in the measure of the tiers", 60),
            Variable("measure", "points or spend", "points"),
        ),
    ),
    "badge_earned": About("marketing", (Variable("badge_name", "the badge's name", "Regular"), _POINTS)),
    "gift_offered": About("service", (_POINTS,)),
    "gift_received": About("service", (_POINTS,)),
    "gift_returned": About("service", (_POINTS,)),
    "referral_rewarded": About("service", (_POINTS,)),
    "membership_paid": About(
        "service", (_PLAN, Variable("paid_through", "the last paid day; show it with the filter day", "2027-11-19"))
    ),
    "membership_ended": About("service", (_PLAN,)),
    "action_approved": About("service", (_ACTION, _POINTS)),
    "action_rejected": About("service", (_ACTION,)),
    "birthday": About("marketing", (_POINTS,)),
    "anniversary": About("marketing", (_POINTS,)),
    "credit_earned": About("marketing", (_AMOUNT,)),
    "credit_expiring": About("service", (_AMOUNT, _LAST_DAY, _DAYS)),
    "credit_paid_out": About("service", (_AMOUNT,)),
    "consent_requested": About(
        "service", (_POINTS, Variable("until", "the last day to join; show it with the filter day", "2026-12-20", True))
    ),
    "erasure_warning": About("service", (_LAST_DAY, _DAYS)),
    "address_code": About(
        "service",
        (
            Variable("code", "what the member enters to confirm the address", "7Q2K9XW3"),
            Variable("hours", "for how many hours it is valid", 24),
        ),
        is_urgent=True,
    ),
    "address_changed": About(
        "service",
        (
            Variable("about", "email or phone", "email"),
            Variable(
                "undo_url",
                "page that puts the old address back, for a week; empty where the shop has changed it",
                "https://api.example.com/v1/changes/undo/xka2c4f6h2j4l6n2p4r6.7Q2K9XW37Q2K9XW3.0123456789abcdef01234567",
                may_be_empty=True,
            ),
        ),
        is_urgent=True,
    ),
    "sign_in_code": About(
        "service",
        (
            Variable("code", "what is entered to sign in, or to join", "7Q2K9XW3"),
            Variable("minutes", "for how many minutes it is valid", 15),
        ),
        is_urgent=True,
    ),
    "statement": About(
        "digest",
        (
            Variable("month", "the month, as 2026-11", "2026-11"),
            Variable("earned", "points earned in it", 300),
            Variable("spent", "points spent in it", 100),
            Variable("expired", "points that expired in it", 0),
            Variable("expiring", "points that expire next", 40, may_be_empty=True),
            Variable("expiring_on", "the last day of those", "2027-01-31", may_be_empty=True),
            _TIER,
        ),
        is_optional=True,
    ),
}


def variables_of(kind: Kind) -> tuple[Variable, ...]:
    """Every variable that templates of a kind may use."""
    return (*COMMON, *KINDS[kind].variables)


def examples_of(kind: Kind, *, sparse: bool = False) -> dict[str, Value]:
    """Values to try a template on; `sparse` leaves empty what may be empty."""
    return {
        variable.name: _nothing_like(variable.example) if sparse and variable.may_be_empty else variable.example
        for variable in variables_of(kind)
    }


def _nothing_like(example: Value) -> Value:
    return () if isinstance(example, tuple) else None
