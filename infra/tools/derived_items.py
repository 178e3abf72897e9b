"""What a table keeps beside its accounts although other items make it: sums of orders, stock, budgets, the program."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from shared.domain.entry import Entry
from shared.domain.points.partner_funding import funding_name
from shared.domain.spending.order_payments import Payments, changes
from shared.tables import keys
from shared.tables.client import Item, Key
from shared.tables.order_payments import payments_of

PROGRAM = "PROGRAM"
BUDGET, VERSION, DEPOSITED = "BUDGET#", "VERSION#", "#budgeted"
PAID, OF_CREDIT = "#PAID", "#credit"
_PARTNER = "PARTNER#"


class Derived:
    """The items of a table that others make, as they are found: `kept` says what each of them holds, by its name.

    A budget's name stands for what is spent of it, with `#budgeted` for its total where deposits make that, and
    `PROGRAM` for the current version. What points pay of an order has the name of its item, what credit pays has
    `#credit` after it.
    """

    def __init__(self) -> None:
        self.kept = Counter[str]()
        self.items: dict[str, list[Item]] = defaultdict(list)
        """Those items, by the same names; the program's versions among them."""
        self._other_sources = Counter[str]()

    def take(self, item: Item) -> None:
        """Take in any item of the table."""
        pk, sk = item["pk"]["S"], item["sk"]["S"]
        if sk in {"REFUNDED", "RETURNED", "STOCK"}:
            name, number = name_of(Key(pk, sk)), int(item["taken" if sk == "STOCK" else "amount"]["N"])
            self.kept[name] = number
        elif sk == "PAID":
            name, payments = name_of(Key(pk, sk)), payments_of(item)
            self.kept[name], self.kept[name + OF_CREDIT] = payments.by_points, payments.by_credit
        elif pk.startswith(BUDGET):
            name = pk if sk == "TOTAL" else pk.rpartition("#")[0]
            self._take_budget(name, sk, item)
        elif pk.startswith(_PARTNER) and sk.startswith("DEPOSIT#"):
            name = f"{BUDGET}{funding_name(pk.removeprefix(_PARTNER))}{DEPOSITED}"
            self._other_sources[name] += int(_body(item)["points"])
        elif pk == PROGRAM:
            name = PROGRAM
            if sk == "CURRENT":
                self.kept[name] = int(_body(item)["version"])
            else:
                self._other_sources[name] = max(self._other_sources[name], int(sk.removeprefix(VERSION)))
        else:
            return
        self.items[name].append(item)

    def wrong(self, of_entries: "OfEntries") -> dict[str, int]:
        """What does not hold what other items make, by name, and what those make."""
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
        self._totals: dict[str, tuple[datetime, int, int]] = {}

    def take(self, ledger: Iterable[Entry]) -> None:
        """Take in some member's entries."""
        for entry in ledger:
            if entry.refunded is not None:
                # Of an order whose member was merged, some refunds stand in the other's ledger.
                name = name_of(keys.refunded_key(entry.source["order_id"]))
                self.sums[name] = max(entry.refunded, self.sums[name])
            if entry.returned is not None:
                name = name_of(keys.returned_key(entry.source["redemption_id"]))
                self.sums[name] = max(entry.returned.points, self.sums[name])
            self.sums.update({f"{BUDGET}{name}": points for name, points in entry.budgets.items()})
            for reward_id, change in entry.stock.items():
                self.sums[name_of(keys.stock_key(reward_id))] -= change
            for order_id, paid in changes([entry]).items():
                name = name_of(keys.paid_key(order_id))
                self.sums.update({name: paid.by_points, name + OF_CREDIT: paid.by_credit})
                if paid.total is not None:
                    said = (entry.recorded_at, entry.sequence, paid.total)
                    self._totals[name] = max(said, self._totals.get(name, said))

    def payments(self, name: str) -> Payments:
        """What redemptions pay of an order, by the name of its item, and what the last of them said it comes to."""
        *_, total = self._totals.get(name, (None,))
        return Payments(self.sums[name], self.sums[name + OF_CREDIT], total)


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
