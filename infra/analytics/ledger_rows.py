"""An account and its entries as rows of the lake: flat, exact, and without anything that names a person."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from infra.analytics.columns import COMES, GOES, SOURCES
from infra.tools.closed_months import Closings
from shared.domain import entry_types
from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.earning.kept_orders import Sale, returned_of
from shared.domain.entry import Entry
from shared.domain.entry_types import EntryType
from shared.domain.ledger import combined, negative
from shared.domain.lots import Lots
from shared.domain.points.expiry import date_of
from shared.domain.points.partner_funding import points_of
from shared.domain.subaccounts import is_pool, is_wallet, member_of, owner_of

Row = dict[str, object]
Pseudonym = Callable[[str], str]
"""Another name for an id: the same for the same id, and nobody can tell whose."""

_GONE: Mapping[str | None, str] = {
    "captured": "spent",
    "expired": "expired",
    "taken_back": "taken_back",
    "forfeited": "forfeited",
}
"""The column that counts what leaves, by how its type says that it leaves."""
_ENDS = ("spent", "expired", "forfeited")


class Sales:
    """The orders of a ledger as they stand, entry by entry: how many are kept, and what they come to."""

    def __init__(self) -> None:
        self._known: dict[str, Sale] = {}

    def change(self, entry: Entry) -> tuple[int, int]:
        """What an entry changes: so many orders, and so many minor units."""
        order_id = entry.source.get("order_id")
        if order_id is None:
            return 0, 0
        before = self._known.pop(order_id, None)
        after = _sale_after(before, entry)
        if after is not None:
            self._known[order_id] = after
        return _kept(after)[0] - _kept(before)[0], _kept(after)[1] - _kept(before)[1]


class Names(NamedTuple):
    """How an account is called in the lake, and whose it is by now: `survivor`, if it was merged into another.

    A member who is gone has a name that leads nowhere.
    """

    account_id: str
    survivor: str
    pseudonym: Pseudonym
    is_gone: bool

    def whose(self) -> Row:
        """The columns that say whose a row is."""
        kind = "pool" if is_pool(self.account_id) else "wallet" if is_wallet(self.account_id) else "member"
        member_id = member_of(self.survivor)
        return {
            "account_id": self.written,
            "member_id": self._named(member_id) if member_id else None,
            "kind": kind,
            "unit": "credit" if kind == "wallet" else "points",
        }

    @property
    def written(self) -> str:
        """The account's id in the lake."""
        owner = owner_of(self.account_id)
        return self._named(owner) + self.account_id.removeprefix(owner)

    def _named(self, name: str) -> str:
        return self.pseudonym(name) if self.is_gone else name


def account_row(account: Account, names: Names, zone: str) -> Row:
    """The row of an account as it is."""
    membership = account.membership
    return {
        **names.whose(),
        "status": account.status,
        "enrolled_on": str(local_day(account.enrolled_at, zone)) if account.enrolled_at else None,
        "last_order_on": str(account.last_order_on) if account.last_order_on else None,
        "tier_id": account.tier.tier_id if account.tier else None,
        "plan_id": membership.plan_id if membership and membership.state == "paid" else None,
        "entries": account.sequence,
        "available": account.balance,
        "pending": account.pending_points,
        "held": account.held_points,
        "debt": account.debt,
    }


def ledger_rows(
    entries: Sequence[Entry], booked: int, names: Names, zone: str, sales: Sales, closings: Closings
) -> Iterator[tuple[Row, list[Row]]]:
    """The row of each entry of an account, the oldest first, and the rows of what it moved between lots.

    The first `booked` of them are booked; the others are what time has done since. `sales` are the orders of the
    accounts that were merged into it, and become those of all.
    """
    whose, holds = names.whose(), dict[str, Lots]()
    for entry, effective_at in zip(entries, closings.counted_at(entries), strict=True):
        row = entry_types.of(entry.type)
        first: Row = {
            "entry_id": f"{names.written}-{entry.sequence}",
            **whose,
            "sequence": entry.sequence,
            "type": entry.type,
            "occurred_at": instant(entry.occurred_at),
            "recorded_at": instant(entry.recorded_at),
            "effective_at": instant(effective_at),
            "occurred_on": str(local_day(entry.occurred_at, zone)),
            "effective_on": str(local_day(effective_at, zone)),
            "is_booked": entry.sequence <= booked,
            "actor_role": entry.actor.partition(":")[0],
            "program_version": entry.program_version,
            **moves(entry, row),
            "debt": entry.debt,
            **_bought(entry, sales, names),
            **{name: entry.source.get(name) for name in SOURCES},
            "tier_id": entry.tier.tier_id if entry.tier else None,
            **_of_partner(entry, row),
        }
        shared = {name: first[name] for name in ("entry_id", "account_id", "unit", "effective_at")}
        yield first, [{**shared, **one} for one in _lots(entry, row, holds)]


def moves(entry: Entry, row: EntryType) -> dict[str, object]:
    """What an entry moves, each way as a number of units, and the net of all.

    The net is the sum of what came, less what went: both are said, and a statement compares them.
    """
    came = entry.net_effect + entry.expired_points
    found = {"net": entry.net_effect, "expired": entry.expired_points}
    if entry.type == "reverse":
        forgiven = -sum(entry.forgiven_lots.values())
        found |= {"given_back": came + forgiven, "taken_back": forgiven}
    elif row.pair:
        forgiven = -sum(entry.forgiven_lots.values()) if entry.type == "gift_out" else 0
        found |= {"moved_in" if came > 0 else "moved_out": abs(came + forgiven), "taken_back": forgiven}
    elif came > 0:
        found["earned"] = came
    elif came < 0:
        way = _GONE[row.leaves_as]
        found[way] = found.get(way, 0) - came
    return {way: found.get(way, 0) for way in (*COMES, *GOES, "net")}


def _bought(entry: Entry, sales: Sales, names: Names) -> Row:
    order_id = entry.source.get("order_id")
    is_credited = entry.type == "earn" and entry.order is not None
    orders, value = (0, 0) if is_wallet(names.account_id) else sales.change(entry)
    return {
        "order_key": names.pseudonym(order_id) if order_id else None,
        "order_amount": entry.order.total if entry.order and is_credited else None,
        "orders": orders,
        "order_value": value,
    }


def _sale_after(before: Sale | None, entry: Entry) -> Sale | None:
    """An order after an entry that names it; None: it is not, or no longer, in this ledger."""
    if entry.type in {"earn", "claim_in"} and entry.order is not None:
        return Sale(entry, returned_of(entry))
    if before is None or entry.type == "claim_out":
        return None
    if entry.type == "amend":
        return before._replace(returned=returned_of(entry), amendment=entry)
    return before._replace(returned=returned_of(entry)) if entry.type in {"refund", "refund_reversal"} else before


def _kept(sale: Sale | None) -> tuple[int, int]:
    return (0, 0) if sale is None else (1 - sale.is_gone, sale.amount_kept)


def _of_partner(entry: Entry, row: EntryType) -> Row:
    share, movement = entry.partner, row.partner_movement
    if share is None or movement is None:
        return dict.fromkeys(
            (
                "partner_movement",
                "partner_points",
                "partner_price_points",
                "partner_price_amount",
                "partner_prepaid",
            )
        )
    if movement == "issued" and entry.points < 0:  # an amendment that makes an order less
        movement = "taken_back"
    return {
        "partner_movement": movement,
        "partner_points": points_of(entry),
        "partner_price_points": share.points,
        "partner_price_amount": share.amount,
        "partner_prepaid": share.prepaid,
    }


def _lots(entry: Entry, row: EntryType, holds: dict[str, Lots]) -> Iterator[Row]:
    """What an entry moves by bucket and last day. `holds` are the account's open ones, and are kept up to date."""
    way = _GONE.get(row.leaves_as)
    for key, hold in entry.closed.items():
        opened = holds.pop(key)
        yield from _rows("held", negative(opened))
        if way in {"spent", "forfeited"}:
            yield from _rows(way, hold.lots)
    for key, hold in entry.opened.items():
        holds[key] = hold.lots
        yield from _rows("held", hold.lots)
    for hold in entry.reversed.values():
        yield from _rows("spent", negative(hold.lots))
    yield from _rows("available", entry.lots)
    yield from _rows("pending", entry.pending)
    yield from _rows("expired", entry.expired)
    # A capture moves no more than its hold: where inactivity ends points, the rest only gets another last day.
    if way in _ENDS and row.redemption_state is None:
        yield from _rows(way, negative(combined(entry.lots, entry.pending)))


def _rows(bucket: str, lots: Lots) -> Iterator[Row]:
    """A row for each last day; what is pending is by the day on which it will end."""
    days: dict[str, int] = {}
    for key, units in lots.items():
        last_day = date_of(key.rpartition("/")[2])
        days[str(last_day or "")] = days.get(str(last_day or ""), 0) + units
    return ({"bucket": bucket, "last_day": day or None, "units": units} for day, units in days.items() if units)


def instant(at: datetime) -> str:
    """An instant in UTC, as DuckDB reads it."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")
