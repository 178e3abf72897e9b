"""What a table keeps beside its accounts although other items make it: sums of orders, stock, budgets, the program."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from shared.domain.earning.kept_orders import NOTHING_RETURNED, Returned, returned_of
from shared.domain.entry import Entry
from shared.domain.points.partner_funding import funding_name
from shared.domain.spending.order_payments import Payments, changes
from shared.domain.subaccounts import is_wallet
from shared.tables import keys, vouchers
from shared.tables.client import Item, Key
from shared.tables.order_payments import payments_of
from shared.tables.orders import OrderState, state_of
from shared.tables.stock import shelf_in

PROGRAM = "PROGRAM"
BUDGET, VERSION, DEPOSITED = "BUDGET#", "VERSION#", "#budgeted"
PAID, OF_CREDIT = "#PAID", "#credit"
_PARTNER, _RETURNED = "PARTNER#", "#RETURNED"
_NOWHERE = (0, Key("", ""))
"""Where an order's change stands that never happened."""


class Wrong(NamedTuple):
    """Something that does not hold what other items make: its name, what it holds, and what those make."""

    name: str
    holds: str
    made: str


class Derived:
    """The items of a table that others make, as they are found: `kept` says what each of them holds, by its name.

    The name of a reward's stock stands for the pieces that are gone, those on shelves not among them.
    A budget's name stands for what is spent of it, with `#budgeted` for its total where deposits make that, and
    `PROGRAM` for the current version. What points pay of an order has the name of its item, what credit pays has
    `#credit` after it. How orders stand is more than a number, and apart from them.
    """

    def __init__(self) -> None:
        self.kept = Counter[str]()
        self.orders: dict[str, OrderState] = {}
        self.items: dict[str, list[Item]] = defaultdict(list)
        """Those items, by the same names; the program's versions among them."""
        self._other_sources = Counter[str]()

    def take(self, item: Item) -> None:
        """Take in any item of the table."""
        pk, sk = item["pk"]["S"], item["sk"]["S"]
        if sk == "REFUNDED":
            name = name_of(Key(pk, sk))
            self.orders[name] = state_of(item)
        elif sk in {"RETURNED", "USED"}:
            name = name_of(Key(pk, sk))
            self.kept[name] = int(item["amount"]["N"])
        elif sk == "STOCK":
            name = name_of(Key(pk, sk))
            self.kept[name] += int(item["taken"]["N"])
        elif sk == "SHELF":
            name = name_of(Key(pk.rpartition("#")[0], "STOCK"))
            self.kept[name] -= shelf_in(item).pieces
        elif sk == "PAID":
            name, payments = name_of(Key(pk, sk)), payments_of(item)
            self.kept[name], self.kept[name + OF_CREDIT] = payments.by_points, payments.by_credit
        elif pk.startswith(BUDGET):
            name = pk if sk == "TOTAL" else pk.rpartition("#")[0]
            self._take_budget(name, sk, item)
        elif pk.startswith(_PARTNER) and sk.startswith("DEPOSIT#"):
            name = f"{BUDGET}{funding_name(pk.removeprefix(_PARTNER))}{DEPOSITED}"
            self._other_sources[name] += int(_body(item)["points"])
        elif pk == PROGRAM and (sk == "CURRENT" or sk.startswith(VERSION)):
            name = PROGRAM
            if sk == "CURRENT":
                self.kept[name] = int(_body(item)["version"])
            else:
                self._other_sources[name] = max(self._other_sources[name], int(sk.removeprefix(VERSION)))
        else:
            return
        self.items[name].append(item)

    def as_json(self) -> Any:  # noqa: ANN401 - JSON
        """What was found, without the items, for `add` of another."""
        return _FOUND.dump_python(_Found(self.kept, self.orders, self._other_sources), mode="json")

    def add(self, found: Any) -> None:  # noqa: ANN401 - JSON
        """Take in what `as_json` of another part of the table says."""
        kept, orders, other_sources = _FOUND.validate_python(found)
        newest = max(self._other_sources[PROGRAM], other_sources[PROGRAM])
        self.kept.update(kept)
        self.orders |= orders
        self._other_sources.update(other_sources)
        self._other_sources[PROGRAM] = newest

    def wrong_orders(self, of_entries: "OfEntries") -> dict[str, OrderState]:
        """The orders that do not stand as their entries say, by name, and how they do."""
        made = of_entries.orders
        states = ((name, made.get(name, OrderState())) for name in sorted({*self.orders, *made}))
        return {name: state for name, state in states if self.orders.get(name, OrderState()) != state}

    def all_wrong(self, of_entries: "OfEntries") -> list[Wrong]:
        """Everything that does not hold what other items make."""
        numbers = (Wrong(name, str(self.kept[name]), str(made)) for name, made in self.wrong(of_entries).items())
        orders = (
            Wrong(name, *_told_apart(self.orders.get(name, OrderState()), made))
            for name, made in self.wrong_orders(of_entries).items()
        )
        return sorted([*numbers, *orders])

    def wrong(self, of_entries: "OfEntries") -> dict[str, int]:
        """The numbers that are not what other items make, by name, and what those make."""
        made = of_entries.sums + self._other_sources
        return {name: made[name] for name in sorted({*self.kept, *made}) if self.kept[name] != made[name]}

    def _take_budget(self, name: str, sk: str, item: Item) -> None:
        budgeted = int(item["budgeted"]["N"]) if "budgeted" in item else 0
        self.kept[name] += budgeted - int(item["remaining"]["N"])
        is_deposited = name.removeprefix(BUDGET).count(":") == 1 and name.startswith(f"{BUDGET}{funding_name('')}")
        if sk == "TOTAL" and is_deposited:
            self.kept[name + DEPOSITED] = budgeted


class OfEntries:
    """The same sums, from ledgers."""

    def __init__(self) -> None:
        self.sums = Counter[str]()
        self._orders: dict[str, _Changed] = {}
        self._totals: dict[str, tuple[datetime, int, int]] = {}

    def take(self, ledger: Iterable[Entry]) -> None:
        """Take in some member's entries."""
        for entry in ledger:
            if entry.refunded is not None and not is_wallet(entry.member_id):
                # Of an order whose member was merged, or that was claimed, some changes stand in the other's ledger.
                name = name_of(keys.refunded_key(entry.source["order_id"]))
                self._orders[name] = self._orders.get(name, _Changed()).with_entry(entry)
            if entry.returned is not None:
                name = name_of(keys.returned_key(entry.source["redemption_id"]))
                self.sums[name] = max(entry.returned.points, self.sums[name])
            self.sums.update({f"{BUDGET}{name}": points for name, points in entry.budgets.items()})
            for voucher_id in entry.vouchers if entry.voucher_used else ():
                self.sums[name_of(vouchers.used_key(voucher_id))] += entry.voucher_used
            for reward_id, change in entry.stock.items():
                self.sums[name_of(keys.stock_key(reward_id))] -= change
            for order_id, paid in changes([entry]).items():
                name = name_of(keys.paid_key(order_id))
                self.sums.update({name: paid.by_points, name + OF_CREDIT: paid.by_credit})
                if paid.total is not None:
                    said = (entry.recorded_at, entry.sequence, paid.total)
                    self._totals[name] = max(said, self._totals.get(name, said))

    def as_json(self) -> Any:  # noqa: ANN401 - JSON
        """What the entries make, for `add` of another."""
        return _MADE.dump_python(_Made(self.sums, self._orders, self._totals), mode="json")

    def add(self, made: Any) -> None:  # noqa: ANN401 - JSON
        """Take in what `as_json` says of other members' entries."""
        sums, orders, totals = _MADE.validate_python(made)
        for name, number in sums.items():
            self.sums[name] = max(self.sums[name], number) if name.endswith(_RETURNED) else self.sums[name] + number
        for name, changed in orders.items():
            self._orders[name] = self._orders.get(name, _Changed()).with_changed(changed)
        for name, said in totals.items():
            self._totals[name] = max(said, self._totals.get(name, said))

    @property
    def orders(self) -> dict[str, OrderState]:
        """How orders stand, by the names of their items."""
        return {name: changed.state for name, changed in self._orders.items()}

    def payments(self, name: str) -> Payments:
        """What redemptions pay of an order, by the name of its item, and what the last of them said it comes to."""
        *_, total = self._totals.get(name, (None,))
        return Payments(self.sums[name], self.sums[name + OF_CREDIT], total)


class _Changed(NamedTuple):
    """The latest of an order's changes: of what came back, and where its amendment and its claim stand, with when."""

    returned: Returned = NOTHING_RETURNED
    amendment: tuple[int, Key] | None = None
    claim: tuple[int, Key] | None = None

    def with_entry(self, entry: Entry) -> "_Changed":
        """The same with an entry that changed the order, whichever was first."""
        returned, place = returned_of(entry), (entry.returns, keys.entry_key(entry))
        newest = max(self.returned, returned, key=lambda one: (one.changes, one.amount))
        if entry.type == "amend":
            return self._replace(returned=newest, amendment=max(place, self.amendment or place))
        if entry.type == "claim_in":
            return self._replace(returned=newest, claim=max(place, self.claim or place))
        return self._replace(returned=newest)

    def with_changed(self, other: "_Changed") -> "_Changed":
        """The latest of both."""
        return _Changed(
            max(self.returned, other.returned, key=lambda one: (one.changes, one.amount)),
            max(self.amendment or _NOWHERE, other.amendment or _NOWHERE) if self.amendment or other.amendment else None,
            max(self.claim or _NOWHERE, other.claim or _NOWHERE) if self.claim or other.claim else None,
        )

    @property
    def state(self) -> OrderState:
        """How the order stands: a claim takes over what an earlier amendment has made of it."""
        is_amended = self.amendment is not None and (self.claim is None or self.amendment > self.claim)
        amendment = self.amendment[1] if self.amendment and is_amended else None
        return OrderState(self.returned, amendment, self.claim[1] if self.claim else None)


class _Found(NamedTuple):
    """What a part of a table holds."""

    kept: Counter[str]
    orders: dict[str, OrderState]
    other_sources: Counter[str]


class _Made(NamedTuple):
    """What some members' entries make."""

    sums: Counter[str]
    orders: dict[str, _Changed]
    totals: dict[str, tuple[datetime, int, int]]


_FOUND, _MADE = TypeAdapter(_Found), TypeAdapter(_Made)


def _told_apart(holds: OrderState, made: OrderState) -> tuple[str, str]:
    """What two states of an order are, as far as that tells them apart."""
    if holds.returned.amount != made.returned.amount:
        return str(holds.returned.amount), str(made.returned.amount)
    return _told(holds), _told(made)


def _told(state: OrderState) -> str:
    amount, lines, changes_made = state.returned
    places = [place.sk for place in (state.amendment, state.claim) if place]
    return " ".join([f"{amount} after {changes_made} changes", json.dumps(lines, sort_keys=True), *places])


def makers_of(name: str) -> str:
    """What makes the item of a name what it should be."""
    if name == PROGRAM:
        return "its versions"
    return "the deposits" if name.endswith(DEPOSITED) else "the entries"


def name_of(key: Key) -> str:
    """What a sum is called."""
    return "#".join(key)


def _body(item: Item) -> Mapping[str, Any]:
    body: Mapping[str, Any] = json.loads(item["body"]["S"])
    return body
