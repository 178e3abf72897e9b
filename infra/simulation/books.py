"""The bookkeeping that the product is compared with: kept from what was committed and answered, by sums of its own.

It reads entries and accounts as the JSON that is in the table, and shares no code with the rules that made them.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from infra.simulation.fake_dynamodb import Item, Key, Written
from shared.domain.entry_types import of
from shared.domain.program.program import Program

Raw = Mapping[str, Any]
"""An entry, an account or an answer as JSON."""


class Booked(NamedTuple):
    """An entry: its key, what it says, and the number of the commit that wrote it."""

    key: Key
    raw: Raw
    item: Item
    commit: int


@dataclass
class Tally:
    """One account by the sums of its entries."""

    member_id: str
    sequence: int = 0
    lots: dict[str, int] = field(default_factory=dict)
    pending: dict[str, int] = field(default_factory=dict)
    holds: dict[str, Raw] = field(default_factory=dict)
    debt: int = 0
    status: str = "active"
    frozen: bool = False
    expired_through: str = ""
    booked_at: str = ""
    lapsed: int = 0
    """Points that have expired unspent, and have not been counted as taken back since."""
    forgiven: dict[str, int] = field(default_factory=dict)
    """Points that were forgiven when their order came back, and may come back with what they were spent on, by lot."""
    balances: list[int] = field(default_factory=lambda: [0])
    """The balance after each entry, by its sequence."""
    entries: list[Booked] = field(default_factory=list)

    @property
    def balance(self) -> int:
        """Points that can be spent."""
        return sum(self.lots.values())

    @property
    def held(self) -> int:
        """Points in holds."""
        return sum(hold["points"] for hold in self.holds.values())

    def add(self, booked: Booked) -> None:
        """Take in the next entry."""
        raw = booked.raw
        self.sequence = raw["sequence"]
        self.lots = added(self.lots, raw.get("lots", {}))
        self.pending = added(self.pending, raw.get("pending", {}))
        self.forgiven = added(self.forgiven, raw.get("forgiven_lots", {}))
        self.debt += raw.get("debt", 0)
        for name in raw.get("closed", {}):
            self.holds.pop(name, None)
        self.holds |= raw.get("opened", {})
        self.status = _STATUS.get(raw["type"], self.status)
        if "frozen" in raw and raw["frozen"] is not None:
            self.frozen = bool(raw["frozen"])
        for day, points in raw.get("expired", {}).items():
            self.expired_through = max(self.expired_through, day.removesuffix("+"))
            self.lapsed += points
        if raw["type"] == "expiry":
            self.expired_through = max(self.expired_through, raw["expires_on"])
            self.lapsed -= raw["points"]
        self.lapsed -= sum(raw.get("lapsed", {}).values())
        self.booked_at = raw["recorded_at"]
        self.balances.append(self.balance)
        self.entries.append(booked)


_STATUS = {
    "provisional": "provisional",
    "confirm": "active",
    "merge_out": "merged",
    "erase": "erased",
    "unclaimed": "lapsed",
}


@dataclass
class Sale:
    """What an order has earned, and what of it came back."""

    raw: Raw
    refunded: int = 0


@dataclass
class Funds:
    """A budget: its total, what is left at each place, those marked as overdrawn, and what entries have drawn."""

    budgeted: int = 0
    remaining: dict[str, int] = field(default_factory=dict)
    marked: set[str] = field(default_factory=set)
    drawn: int = 0


class Books:
    """Everything committed and acknowledged, and every breach that was found."""

    def __init__(self) -> None:
        self.breaches: list[str] = []
        self.commits = 0
        self._stored: dict[str, Written] = {}
        self.tallies: dict[str, Tally] = {}
        self.booked: dict[Key, Booked] = {}
        self.entry_ids: dict[str, Booked] = {}
        self.acknowledged: dict[Key, str] = {}
        self.sales: dict[tuple[str, bool], Sale] = {}
        self.claimed: set[str] = set()
        """The partition keys of orders that somebody has claimed."""
        self.stock: dict[str, int] = {}
        self.stocks: dict[str, dict[Key, int]] = {}
        """Pieces taken of limited rewards: by the sum of the entries, and as the table has it."""
        self.payments: dict[str, dict[str, int]] = {}
        self.tills: dict[str, int] = {}
        """What redemptions pay of each order: one by one from the entries, and in all as the table has it."""
        self.returned: dict[str, int] = {}
        """How much of each redemption has come back."""
        self.budgets: dict[str, Funds] = {}
        self.programs: dict[int, Program] = {}
        self.published: set[str] = set()
        self.news: list[Booked] = []
        """Entries that no stream has taken yet."""

    def breach(self, what: str) -> None:
        """Note that something is wrong."""
        self.breaches.append(what)

    def tally(self, member_id: str) -> Tally:
        """A member's sums."""
        return self.tallies.setdefault(member_id, Tally(member_id))

    def program_of(self, raw: Raw) -> Program:
        """The program that an entry was booked under."""
        return self.programs[raw["program_version"]]

    def note(self, written: Iterable[Written]) -> list[Booked]:
        """Take in a commit; its entries, in the order of each account's ledger."""
        self.commits += 1
        entries, accounts = [], []
        for one in written:
            for item in (one.before, one.after):
                if item is not None and "type" in item and "body" in item and one.before is not None:
                    self.breach(f"the entry at {one.key} was overwritten or deleted")
                    break
            if one.after is None:
                continue
            if "type" in one.after and "body" in one.after:
                entries.append(Booked(one.key, json.loads(one.after["body"]["S"]), one.after, self.commits))
            elif "state" in one.after:
                accounts.append(one)
            else:
                self._note_other(one.key, one.after)
        # What time has caused comes first, of every account: the rest of a commit was decided on it.
        entries.sort(key=lambda one: (of(one.raw["type"]).made_by != "time", one.raw["member_id"], one.raw["sequence"]))
        self._stored = {json.loads(one.after["state"]["S"])["member_id"]: one for one in accounts if one.after}
        for missing in {booked.raw["member_id"] for booked in entries} - self._stored.keys():
            self.breach(f"entries of {missing} were written without its account")
        return entries

    def add(self, booked: Booked) -> None:
        """Take in one entry."""
        raw = booked.raw
        tally = self.tally(raw["member_id"])
        if raw["sequence"] != tally.sequence + 1:
            self.breach(f"entry {raw['sequence']} of {tally.member_id} follows {tally.sequence}")
        if raw["recorded_at"] < tally.booked_at:
            self.breach(f"entry {raw['sequence']} of {tally.member_id} was recorded before the one it follows")
        tally.add(booked)
        if raw["type"] == "claim_in":
            self.claimed.add(booked.key[0])
        if raw["type"] == "merge_in":
            tally.lapsed += self.tally(raw["source"]["from"]).lapsed
        if raw["balance_after"] != tally.balance:
            self.breach(f"{name_of(booked)} says {raw['balance_after']}, the sum is {tally.balance}")
        self.booked[booked.key] = booked
        self.entry_ids[name_of(booked)] = booked
        self.news.append(booked)
        for name, points in raw.get("budgets", {}).items():
            self.budgets.setdefault(name, Funds()).drawn += points
        for reward_id, change in raw.get("stock", {}).items():
            self.stock[reward_id] = self.stock.get(reward_id, 0) - change
        self._pay(raw)
        for name, hold in raw.get("reversed", {}).items():
            self.returned[name] = self.returned.get(name, 0) + hold["points"]

    def compare(self) -> None:
        """Hold the accounts that the last commit has written against the sums."""
        for member_id, one in self._stored.items():
            if one.after is None:
                continue
            state, tally = json.loads(one.after["state"]["S"]), self.tally(member_id)
            sums = {
                "sequence": tally.sequence,
                "lots": tally.lots,
                "pending": tally.pending,
                "debt": tally.debt,
                "status": tally.status,
            }
            for name, expected in sums.items():
                default: Any = {} if isinstance(expected, dict) else "active" if name == "status" else 0
                if (stored := state.get(name, default)) != expected:
                    self.breach(f"{name} of {member_id} is {stored}, the entries make {expected}")
            if state.get("holds", {}).keys() != tally.holds.keys():
                self.breach(f"the holds of {member_id} are not those that entries opened")
        self._compare_beside()

    def _compare_beside(self) -> None:
        """Hold what the table keeps beside the accounts against the sums."""
        for name, funds in self.budgets.items():
            left = funds.remaining.values()
            # What is kept after all may be owed, while every slice says that nothing else is to be drawn.
            may_owe = len(funds.marked) == len(left) - 1 and name.startswith("campaign:")
            if funds.budgeted - sum(left) != funds.drawn or (min(left, default=0) < 0 and not may_owe):
                self.breach(f"the budget {name}: {funds}")
        for reward_id, counted in self.stocks.items():
            taken = sum(counted.values())
            if taken != self.stock.get(reward_id, 0):
                self.breach(f"{taken} pieces of {reward_id} are gone, entries took {self.stock.get(reward_id, 0)}")
        for order_id, paid in self.tills.items():
            if paid != (of_entries := sum(self.payments.get(order_id, {}).values())):
                self.breach(f"{paid} of the order {order_id} are paid, entries paid {of_entries}")

    def member_of(self, name: str) -> Tally | None:
        """A member's sums, if there are any."""
        return self.tallies.get(name)

    def today(self, raw: Raw, instant: str = "recorded_at") -> str:
        """The local day of an entry."""
        return day_of(raw[instant], self.program_of(raw)).isoformat()

    def _pay(self, raw: Raw) -> None:
        for name, hold in raw.get("opened", {}).items():
            if "order_total" in hold and not hold.get("unconfirmed", False):
                self.payments.setdefault(hold["order_id"], {})[name] = hold["value"]
        for name, hold in {**raw.get("closed", {}), **raw.get("reversed", {})}.items():
            if "order_total" not in hold or name in raw.get("opened", {}):
                continue
            paid, is_late = self.payments.setdefault(hold["order_id"], {}), hold.get("unconfirmed", False)
            if raw["type"] == "capture" and is_late:
                paid[name] = hold["value"]
            elif raw["type"] == "reverse" or (raw["type"] in {"cancel", "lapse"} and not is_late):
                paid[name] -= hold["value"]

    def _note_other(self, key: Key, item: Item) -> None:
        pk, sk = key
        if pk == "PROGRAM" and sk == "CURRENT":
            program = Program.model_validate_json(item["body"]["S"])
            self.programs[program.version] = program
        elif pk.startswith("BUDGET#"):
            name = pk.removeprefix("BUDGET#")
            name = name if sk == "TOTAL" else name.rpartition("#")[0]
            funds = self.budgets.setdefault(name, Funds())
            funds.remaining[pk + sk] = int(item.get("remaining", {"N": "0"})["N"])
            (funds.marked.add if "overdrawn" in item else funds.marked.discard)(pk + sk)
            if sk == "TOTAL":
                funds.budgeted = int(item.get("budgeted", {"N": "0"})["N"])
        elif sk == "STOCK":
            self.stocks.setdefault(pk.removeprefix("REWARD#"), {})[key] = int(item["taken"]["N"])
        elif sk == "SHELF":
            reward_id = pk.removeprefix("REWARD#").rpartition("#")[0]
            self.stocks.setdefault(reward_id, {})[key] = -int(item["pieces"]["N"])
        elif sk == "PAID":
            self.tills[pk.removeprefix("ORDER#")] = int(item["by_points"]["N"]) + int(item["by_credit"]["N"])


def name_of(booked: Booked) -> str:
    """An entry's id, as answers and events have it."""
    return f"{booked.raw['member_id']}-{booked.raw['sequence']}"


def added(lots: Mapping[str, int], change: Mapping[str, int]) -> dict[str, int]:
    """Lots after a change, without empty ones."""
    if not change:
        return dict(lots)
    total = dict(lots)
    for day, points in change.items():
        total[day] = total.get(day, 0) + points
    return {day: points for day, points in total.items() if points}


def day_of(instant: str, program: Program) -> date:
    """The local day of an instant."""
    return datetime.fromisoformat(instant).astimezone(ZoneInfo(program.time_zone)).date()
