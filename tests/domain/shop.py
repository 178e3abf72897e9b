"""A shop to play out examples in: it has a clock, and does as the functions do; look, ask the rule, book."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from shared.domain import moving, redeeming
from shared.domain.account import Account, Entry
from shared.domain.earning import Line, Occasion, Order, earn_action, earn_order, order_earnings, refund_order
from shared.domain.enrolling import enroll
from shared.domain.invariants import breaches
from shared.domain.ledger import book
from shared.domain.program import Program
from shared.domain.redeeming import MoneyRequest, RewardRequest
from shared.domain.settling import settle

NEW_YORK = "America/New_York"
BERLIN = "Europe/Berlin"
KOLKATA = "Asia/Kolkata"
AUCKLAND = "Pacific/Auckland"
KIRITIMATI = "Pacific/Kiritimati"
SAO_PAULO = "America/Sao_Paulo"
CAIRO = "Africa/Cairo"
BEIRUT = "Asia/Beirut"
ZONES = (NEW_YORK, BERLIN, KOLKATA, AUCKLAND, KIRITIMATI, SAO_PAULO, CAIRO, BEIRUT)

SECOND = timedelta(seconds=1)

_PLAIN: Mapping[str, Any] = {
    "name": "Tea Club",
    "currency": "USD",
    "country": "US",
    "time_zone": NEW_YORK,
    "earning": {"points": 1, "per_amount": 100, "description": "1 point per dollar"},
    "expiry": {"kind": "never"},
    "tiers": {
        "levels": [
            {"tier_id": "bronze", "name": "Bronze", "threshold": 0},
            {"tier_id": "silver", "name": "Silver", "threshold": 500, "percent": 120},
            {"tier_id": "gold", "name": "Gold", "threshold": 1000, "percent": 150},
        ]
    },
    "redeeming": {
        "points_as_money": {"points": 1, "amount": 1},
        "rewards": [
            {"reward_id": "coffee", "name": "Coffee", "kind": "product", "sku": "COFFEE", "points": 10},
        ],
    },
}
_WHOLE = ("expiry",)
"""Sections that a change replaces; in the others it replaces what it names."""


def program_text(**changes: Any) -> dict[str, Any]:
    """A point a dollar in New York, that never expires; silver from 500 and gold from 1000; and `changes`."""
    text = dict(_PLAIN)
    for name, change in changes.items():
        merges = isinstance(change, dict) and name in text and name not in _WHOLE
        text[name] = {**text[name], **change} if merges else change
    return text


def a_program(**changes: Any) -> Program:
    """The program of `program_text`."""
    return Program.model_validate(program_text(**changes))


def at(text: str, zone: str = NEW_YORK) -> datetime:
    """A wall-clock time in a zone, as an instant."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


class Shop:
    """Accounts, their ledgers and the present. If `audited`, all invariants are checked after every entry."""

    def __init__(self, program: Program, now: datetime, *, audited: bool = True) -> None:
        self.program = program
        self.now = now
        self.audited = audited
        self.ledgers: dict[str, list[Entry]] = {}
        self.refunded: dict[str, int] = {}
        self._accounts: dict[str, Account] = {}
        self._earned: dict[str, Entry] = {}
        self._captured: dict[str, Entry] = {}

    @property
    def today(self) -> date:
        """The day on the shop's own calendar."""
        return self.now.astimezone(ZoneInfo(self.program.time_zone)).date()

    def stored(self, member: str) -> Account:
        """The account as last written, whatever time has done since."""
        return self._accounts[member]

    def peek(self, member: str) -> tuple[Account, list[Entry]]:
        """The account as of now and its ledger, without writing anything."""
        settled = settle(self._accounts[member], self.program, self.now)
        return settled.account, [*self.ledgers[member], *settled.entries]

    def look(self, member: str) -> Account:
        """The account as of now; what time has done is booked."""
        self.book(settle(self._accounts[member], self.program, self.now).entries)
        return self._accounts[member]

    def book(self, entries: Sequence[Entry]) -> None:
        """Write entries down, and check the books of those concerned."""
        for entry in entries:
            self._accounts[entry.member_id] = book(self._accounts[entry.member_id], entry)
            self.ledgers[entry.member_id].append(entry)
        for member in {entry.member_id for entry in entries if self.audited}:
            assert breaches(self._accounts[member], self.ledgers[member]) == []

    def enroll(self, member: str) -> Entry:
        self._accounts[member] = Account(member_id=member)
        self.ledgers[member] = []
        return self._booked(enroll(member, self.program, now=self.now, actor="till", fingerprint=""))

    def order(self, order_id: str, total: int, placed_at: datetime | None = None, **details: Any) -> Order:
        lines = tuple(Line(**line) for line in details.pop("lines", ()))
        return Order(
            order_id=order_id, placed_at=placed_at or self.now, currency="USD", total=total, lines=lines, **details
        )

    def quote(self, member: str | None, total: int, placed_at: datetime | None = None, **details: Any) -> int:
        """Points that an order would earn; None is somebody who is not yet a member."""
        account = None if member is None else self.peek(member)[0]
        return order_earnings(account, self.program, self.order("quote", total, placed_at, **details), self.now).points

    def buy(self, member: str, order_id: str, total: int, placed_at: datetime | None = None, **details: Any) -> Entry:
        order = self.order(order_id, total, placed_at, **details)
        account = self.look(member)
        entry = earn_order(account, self.program, order, now=self.now, actor="till", fingerprint="")
        self._earned[order_id] = entry
        return self._booked(entry)

    def act(self, member: str, action: str, occurred_at: datetime | None = None) -> Entry:
        account = self.look(member)
        occasion = Occasion(action=action, reference="r", occurred_at=occurred_at or self.now)
        return self._booked(earn_action(account, self.program, occasion, now=self.now, actor="till", fingerprint=""))

    def refund(self, member: str, order_id: str, amount: int) -> Entry:
        before = self.refunded.get(order_id, 0)
        entry = refund_order(
            self.look(member),
            self.program,
            self._earned[order_id],
            refund_id=f"{order_id}-{before}",
            amount=amount,
            refunded_before=before,
            refunded_at=self.now,
            now=self.now,
            actor="till",
            fingerprint="",
        )
        self.refunded[order_id] = before + amount
        return self._booked(entry)

    def reserve(self, member: str, redemption_id: str, what: int | str, order_total: int = 1_000_000) -> Entry:
        """Reserve a reward, by its id, or so many points as money."""
        request = (
            RewardRequest(reward_id=what)
            if isinstance(what, str)
            else MoneyRequest(points=what, order_total=order_total, currency="USD")
        )
        entry = redeeming.reserve(
            self.look(member),
            self.program,
            request,
            redemption_id=redemption_id,
            now=self.now,
            actor="till",
            fingerprint="",
        )
        return self._booked(entry)

    def capture(self, member: str, redemption_id: str) -> Entry:
        account = self.look(member)
        entry = redeeming.capture(account, self.program, redemption_id, now=self.now, actor="till")
        self._captured[redemption_id] = entry
        return self._booked(entry)

    def cancel(self, member: str, redemption_id: str) -> Entry:
        account = self.look(member)
        type_: Literal["cancel"] = "cancel"
        return self._booked(
            redeeming.release(
                account, self.program, redemption_id, type_, occurred_at=self.now, now=self.now, actor="till"
            )
        )

    def reverse(self, member: str, redemption_id: str) -> Entry:
        account = self.look(member)
        captured = self._captured[redemption_id]
        return self._booked(
            redeeming.reverse(account, self.program, captured, redemption_id, now=self.now, actor="till")
        )

    def transfer(self, giver: str, receiver: str, points: int) -> moving.Moved:
        moved = moving.transfer(
            self.look(giver),
            self.look(receiver),
            self.program,
            points,
            transfer_id="t",
            now=self.now,
            actor="till",
            fingerprint="",
        )
        self.book(moved)
        return moved

    def merge(self, gone: str, into: str) -> moving.Moved:
        moved = moving.merge(self.look(gone), self.look(into), self.program, now=self.now, actor="till")
        self.book(moved)
        return moved

    def adjust(self, member: str, points: int) -> Entry:
        account = self.look(member)
        return self._booked(
            moving.adjust(
                account,
                self.program,
                points,
                reason="to set it right",
                reference="a",
                now=self.now,
                actor="olga",
                fingerprint="",
            )
        )

    def erase(self, member: str) -> list[Entry]:
        entries = moving.erase(self.look(member), self.program, now=self.now, actor="olga")
        self.book(entries)
        return entries

    def _booked(self, entry: Entry) -> Entry:
        self.book([entry])
        return entry
