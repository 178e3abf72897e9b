"""The tables of the lake: the type and the meaning of every column.

Instants are UTC. Days are days in the program's time zone. `units` are points, or minor units of money in a wallet.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Column(NamedTuple):
    """A column's type in SQL, and what it holds."""

    type: str
    meaning: str


_TEXT, _NUMBER, _DAY, _INSTANT, _FLAG = "VARCHAR", "BIGINT", "DATE", "TIMESTAMP", "BOOLEAN"

_WHOSE: Mapping[str, Column] = {
    "account_id": Column(_TEXT, "the account: a member's own, their wallet, or a pool"),
    "member_id": Column(_TEXT, "whose it is by now, be it by a merge; NULL for a pool"),
    "kind": Column(_TEXT, "`member`, `wallet` or `pool`"),
    "unit": Column(_TEXT, "`points`, or `credit`: minor units of the program's currency"),
}
_MOVES: Mapping[str, Column] = {
    "earned": Column(_NUMBER, "units granted, for whatever reason"),
    "given_back": Column(_NUMBER, "spent units that came back"),
    "moved_in": Column(_NUMBER, "units from another account: gifts, transfers, pools, merges"),
    "moved_out": Column(_NUMBER, "units to another account"),
    "spent": Column(_NUMBER, "units spent on rewards or as money, or paid out"),
    "expired": Column(_NUMBER, "units whose last day had passed"),
    "taken_back": Column(_NUMBER, "units taken back with what had brought them"),
    "forfeited": Column(_NUMBER, "units that ended with their account"),
}
COMES = ("earned", "given_back", "moved_in")
GOES = ("moved_out", "spent", "expired", "taken_back", "forfeited")
"""The columns of an entry that say how units come, and how they go; `net` is the one less the other."""
TABLES: Mapping[str, Mapping[str, Column]] = {
    "entries": {
        "entry_id": Column(_TEXT, "account and sequence: unique"),
        **_WHOSE,
        "sequence": Column(_NUMBER, "numbers an account's entries from 1"),
        "type": Column(_TEXT, "a row of `shared/domain/entry_types.py`"),
        "occurred_at": Column(_INSTANT, "when it came about: an order, when it was placed"),
        "recorded_at": Column(_INSTANT, "when it was booked"),
        "effective_at": Column(
            _INSTANT,
            "when it counts: once it was booked, or when time caused it; never before the account's entry before it, "
            "nor in a month that was closed by then",
        ),
        "occurred_on": Column(_DAY, "the day of `occurred_at`"),
        "effective_on": Column(_DAY, "the day of `effective_at`"),
        "is_booked": Column(_FLAG, "false: time has caused it, and no job has booked it yet"),
        "actor_role": Column(_TEXT, "who did it: `storefront`, `operator`, `partner`, `member` or `clock`; no names"),
        "program_version": Column(_NUMBER, "the version of the program that it was booked by"),
        **_MOVES,
        "net": Column(_NUMBER, "what the account has more after it, debt counting against it"),
        "debt": Column(_NUMBER, "signed change of what the account owes"),
        "order_key": Column(_TEXT, "the same for all entries of an order, in this lake alone"),
        "order_amount": Column(_NUMBER, "what the order came to when it was credited, in minor units"),
        "orders": Column(_NUMBER, "signed change of the number of orders kept"),
        "order_value": Column(_NUMBER, "signed change of what the kept orders come to, in minor units"),
        "channel": Column(_TEXT, "where an order was placed, as the shop says"),
        "store_id": Column(_TEXT, "in which store"),
        "touchpoint": Column(_TEXT, "what led to it"),
        "campaigns": Column(_TEXT, "the group in each campaign that was open to it: `spring=treated`"),
        "action": Column(_TEXT, "the action that earned points"),
        "badge_id": Column(_TEXT, "the badge"),
        "reward_id": Column(_TEXT, "the reward; NULL where points pay as money"),
        "plan_id": Column(_TEXT, "the paid plan"),
        "tier_id": Column(_TEXT, "the tier from this entry on; NULL: as before"),
        "partner_id": Column(_TEXT, "the partner that pays or is paid"),
        "partner_movement": Column(_TEXT, "`issued`, `taken_back`, `redeemed` or `reversed`; NULL: nothing is paid"),
        "partner_points": Column(_NUMBER, "points that the partner pays for, or is paid for"),
        "partner_price_points": Column(_NUMBER, "so many points cost `partner_price_amount` minor units"),
        "partner_price_amount": Column(_NUMBER, "see there"),
        "partner_prepaid": Column(_FLAG, "whether the partner has paid them in advance"),
    },
    "movements": {
        "entry_id": Column(_TEXT, "the entry that moved them"),
        "account_id": _WHOSE["account_id"],
        "unit": _WHOSE["unit"],
        "effective_at": Column(_INSTANT, "as the entry's"),
        "bucket": Column(
            _TEXT,
            "`available`, `pending` or `held`, where units are; `spent`, `expired`, `forfeited`, where they have gone",
        ),
        "last_day": Column(_DAY, "the last day of the lot; NULL: never"),
        "units": Column(_NUMBER, "signed change of the bucket"),
    },
    "accounts": {
        **_WHOSE,
        "status": Column(_TEXT, "`active`, `provisional`, `merged`, `erased` or `lapsed`"),
        "enrolled_on": Column(_DAY, "the day of joining"),
        "last_order_on": Column(_DAY, "the day of the last order kept"),
        "tier_id": Column(_TEXT, "the tier now"),
        "plan_id": Column(_TEXT, "the paid plan, while it is paid"),
        "entries": Column(_NUMBER, "how many it has, those with them that are not booked yet"),
        "available": Column(_NUMBER, "units that can be spent"),
        "pending": Column(_NUMBER, "units that are granted and cannot be spent yet"),
        "held": Column(_NUMBER, "units held for open redemptions and gifts"),
        "debt": Column(_NUMBER, "units owed"),
    },
    "program_versions": {
        "version": Column(_NUMBER, "the version"),
        "worth_points": Column(_NUMBER, "so many points pay `worth_amount` minor units; NULL: points have no price"),
        "worth_amount": Column(_NUMBER, "see there"),
    },
    "closed_months": {
        "month": Column(_TEXT, "the month, such as 2026-11"),
        "from_at": Column(_INSTANT, "when it began"),
        "to_at": Column(_INSTANT, "before when an entry counts in it"),
        "as_of": Column(_INSTANT, "what is booked after it counts in later months"),
        "entries": Column(_NUMBER, "how many entries count in it"),
        "hash": Column(_TEXT, "covers those entries, the statement, and the hash of the month before"),
    },
    "about": {
        "as_of": Column(_INSTANT, "what time has done until then is in it"),
        "time_zone": Column(_TEXT, "the program's, by its IANA name"),
        "currency": Column(_TEXT, "the program's, by its ISO 4217 code"),
        "program_version": Column(_NUMBER, "the version in force"),
    },
}
"""Every table of the lake, with its columns in order."""
SOURCES = ("channel", "store_id", "touchpoint", "campaigns", "action", "badge_id", "reward_id", "plan_id", "partner_id")
"""What of an entry's cause is written: nothing that names a person, and no text that somebody has typed."""
