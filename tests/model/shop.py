"""A shop to play out examples in: it has a clock, and does as the functions do; look, ask the rule, book."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from shared.domain.account import Account
from shared.domain.calendar import month_of
from shared.domain.earning import anniversaries, cashback, provisional, referrals
from shared.domain.earning.actions import Occasion, earn_action
from shared.domain.earning.campaigns import budget_name, budget_total
from shared.domain.earning.challenges import action_deed, with_challenges
from shared.domain.earning.enrolment import enroll
from shared.domain.earning.kept_orders import NOTHING_RETURNED, Returned, Sale, returned_of
from shared.domain.earning.order_points import order_earnings
from shared.domain.earning.orders import Line, Order
from shared.domain.earning.refunds import ReturnedLine, part_by_amount, part_by_lines
from shared.domain.entry import Entry
from shared.domain.facets import Referred, Traits
from shared.domain.invariants import breaches
from shared.domain.ledger import book
from shared.domain.lifecycle import changed_order, closing
from shared.domain.lifecycle.changed_order import Background, refunded
from shared.domain.lifecycle.lapsed_points import lapsed_unspent, ledgers_of_lapsed
from shared.domain.lifecycle.passing_of_time import settle
from shared.domain.lifecycle.whole_order import credited
from shared.domain.lots import Lots
from shared.domain.points import approvals, freezing, paid_plans
from shared.domain.points.partner_funding import deposit_points, funding_name, month_name, require_partner
from shared.domain.points.reviews import Ruling, Verdict
from shared.domain.points.segments import change_traits
from shared.domain.program.program import Program
from shared.domain.spending import adjustments, gifts, merges, prices, redemptions, store_credit, transfers
from shared.domain.spending import pools as pooling
from shared.domain.spending.prices import MoneyRequest, RewardRequest
from shared.domain.subaccounts import pool_account_of, wallet_of
from tests.model import shared_pools
from tests.model.entries import check_entry

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
PRINT = "a request"
"""The fingerprint of whatever the shop asks for."""

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
    "transfers": {},
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
    return Program.model_validate(program_text(**changes), extra="forbid")


def at(text: str, zone: str = NEW_YORK) -> datetime:
    """A wall-clock time in a zone, as an instant."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


class Shop:
    """Accounts, their ledgers and the present. If `audited`, all invariants are checked after every entry."""

    def __init__(self, program: Program, now: datetime, *, audited: bool = True) -> None:
        self.programs: dict[int, Program] = {}
        self.program = program
        self.now = now
        self.audited = audited
        self.ledgers: dict[str, list[Entry]] = {}
        self.returned: dict[str, Returned] = {}
        self.budgets: dict[str, int] = {}
        self.deposits: dict[str, int] = {}
        self._accounts: dict[str, Account] = {}
        self._earned: dict[str, Entry] = {}
        self._credited: dict[str, Entry] = {}
        self._captured: dict[str, Entry] = {}

    @property
    def program(self) -> Program:
        """The version in force; older ones are in `programs`."""
        return self._program

    @program.setter
    def program(self, program: Program) -> None:
        self._program = program
        self.programs[program.version] = program

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
            check_entry(entry)
            assert (entry.recorded_at, entry.program_version) == (self.now, self.program.version), entry
            self._accounts[entry.member_id] = book(self._accounts[entry.member_id], entry)
            self.ledgers[entry.member_id].append(entry)
        for member in {entry.member_id for entry in entries if self.audited}:
            assert breaches(self._accounts[member], self.ledgers[member]) == []

    def enroll(self, member: str) -> Entry:
        self._accounts[member] = Account(member_id=member)
        self.ledgers[member] = []
        return self._booked(enroll(member, self.program, now=self.now, actor="storefront:till", fingerprint=PRINT))

    def bring(self, advocate: str, friend: str, state: Literal["open", "in_review"] = "open") -> Entry:
        """Enroll a friend with an advocate's code."""
        referred = Referred(advocate=advocate, state=state)
        entry = enroll(
            friend, self.program, now=self.now, actor="storefront:till", fingerprint=PRINT, referred=referred
        )
        self._accounts[friend], self.ledgers[friend] = Account(member_id=friend), []
        self._booked(entry)
        self.book(referrals.on_joining(self._accounts[friend], self.program, now=self.now, actor="storefront:till"))
        return entry

    def follow_friend(self, advocate: str, friend: str) -> list[Entry]:
        """What a friend's entries mean for the advocate and, once an order came back, for both; once each."""
        heard = [one.referred for one in self.ledgers[friend] if one.referred is not None]
        return [entry for told in heard for entry in self._follow(advocate, friend, told)]

    def _follow(self, advocate: str, friend: str, told: Referred) -> Iterator[Entry]:
        """Of each time that a referral has paid off, and came back, by itself: it may be heard of late."""
        terms, referred = self.program.referrals, self.look(friend).referred
        assert terms is not None
        side = referrals.side_of("ADVOCATE", told.times)
        if told.state == "rewarded" and told == referred and not self._rewards(advocate, friend, "referral", side):
            account, order = self.look(advocate), self._earned[told.order_id or ""]
            reward = referrals.advocate_reward(account, self.program, terms, friend, order, self.now, told.times)
            yield self._booked(reward)
        sides: list[tuple[str, referrals.Role]] = [(advocate, "ADVOCATE"), (friend, "FRIEND")]
        for member, role in sides if told.state == "reversed" else ():
            side = referrals.side_of(role, told.times)
            paid = self._rewards(member, friend, "referral", side)
            if paid and not self._rewards(member, friend, "referral_reversal", side):
                account = self.look(member)
                lapsed = self.lapsed(account, paid[0])
                yield self._booked(referrals.reversal(account, self.program, paid[0], self.now, lapsed))

    def review_friend(self, friend: str, *, is_approved: bool) -> list[Entry]:
        entries = referrals.reviewed(
            self.look(friend), self.program, is_approved=is_approved, now=self.now, actor="operator:olga"
        )
        self.book(entries)
        return entries

    def open_provisional(self, member: str) -> Entry:
        """Somebody known by an identifier alone."""
        entry = provisional.open_provisional(
            member, self.program, now=self.now, actor="storefront:till", fingerprint=PRINT
        )
        self._accounts[member], self.ledgers[member] = Account(member_id=member), []
        return self._booked(entry)

    def consent(self, member: str, traits: Traits | None = None) -> Entry:
        account = self.look(member)
        return self._booked(
            provisional.confirm(
                account, self.program, now=self.now, actor="member:app", fingerprint=PRINT, traits=traits
            )
        )

    def _rewards(self, member: str, friend: str, type_: str, side: str) -> list[Entry]:
        mine = [entry for entry in self.ledgers[member] if entry.type == type_ and entry.source["friend"] == friend]
        return [entry for entry in mine if entry.source["role"] == side]

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
        caps = self._left_of_budgets()
        entries = credited(
            account, self.program, order, now=self.now, actor="storefront:till", fingerprint=PRINT, caps=caps
        )
        entry = entries[0]
        self.budgets |= {name: left - entry.budgets.get(name, 0) for name, left in caps.items()}
        self._earned[order_id] = entry
        self.book(entries)
        return entry

    def act(self, member: str, action: str, occurred_at: datetime | None = None) -> Entry:
        account = self.look(member)
        occasion = Occasion(action=action, reference="r", occurred_at=occurred_at or self.now)
        entry = earn_action(account, self.program, occasion, now=self.now, actor="storefront:till", fingerprint=PRINT)
        self.book(with_challenges(account, self.program, entry, action_deed(self.program, entry)))
        return entry

    def refund(self, member: str, order_id: str, amount: int = 0, lines: Sequence[Mapping[str, Any]] = ()) -> Entry:
        """An order comes back in part: an amount, or lines of it."""
        accounts, order = [self.look(member), self.wallet(member)], self.order_of(order_id)
        part = self.part_of(order, amount, lines)
        entries = refunded(
            accounts,
            order,
            part,
            self.background(accounts, order),
            refund_id=f"{order_id}-{order.sale.returned.changes}",
            refunded_at=self.now,
            now=self.now,
            actor="storefront:till",
            fingerprint=PRINT,
        )
        self.returned[order_id] = returned_of(entries[0])
        for name, points in entries[0].budgets.items():
            self.budgets[name] -= points
        self.book(entries)
        return entries[0]

    def part_of(self, order: changed_order.BookedOrder, amount: int, lines: Sequence[Mapping[str, Any]]) -> Returned:
        """What comes back of an order: lines of it, or if there are none an amount."""
        if lines:
            return part_by_lines(order.sale, [ReturnedLine(**line) for line in lines])
        return part_by_amount(order.sale, amount)

    def background(self, accounts: Sequence[Account], order: changed_order.BookedOrder) -> Background:
        """What a change of an order is decided on, as the functions read it."""
        credited_by = self.programs[order.sale.entry.program_version]
        names = changed_order.ledgers_needed(accounts[:2], self.program, credited_by, order, self.ledgers)
        return Background(credited_by, self.program, {name: self.ledgers[name] for name in names})

    def lapsed(self, account: Account, granted: Entry) -> Lots:
        """What of a grant has expired unspent, as the functions read it."""
        policy = self.program.expiry
        names = ledgers_of_lapsed([account], policy, granted, self.ledgers)
        return lapsed_unspent(account, policy, granted, {name: self.ledgers[name] for name in names})

    def order_of(self, order_id: str) -> changed_order.BookedOrder:
        """An order as it stands."""
        back, credit = self.returned.get(order_id, NOTHING_RETURNED), self._credited.get(order_id)
        return changed_order.BookedOrder(Sale(self._earned[order_id], back), Sale(credit, back) if credit else None)

    def pay_in(self, partner_id: str, amount: int) -> int:
        """A partner's deposit, and the points that it pays for."""
        name, points = funding_name(partner_id), deposit_points(require_partner(self.program, partner_id), amount)
        self.deposits[name] = self.deposits.get(name, 0) + points
        self.budgets[name] = self.budgets.get(name, 0) + points
        return points

    def reserve(self, member: str, redemption_id: str, what: int | str, order_total: int = 1_000_000) -> Entry:
        """Reserve a reward, by its id, or so many points as money."""
        request = (
            RewardRequest(reward_id=what)
            if isinstance(what, str)
            else MoneyRequest(points=what, order_total=order_total, currency="USD")
        )
        entry = redemptions.reserve(
            self.look(member),
            self.program,
            request,
            redemption_id=redemption_id,
            now=self.now,
            actor="storefront:till",
            fingerprint=PRINT,
        )
        return self._booked(entry)

    def capture(self, member: str, redemption_id: str, by: str = "storefront:till") -> Entry:
        account = self.look(member)
        code = f"CODE-{redemption_id}"
        entry = redemptions.capture(account, self.program, redemption_id, voucher_code=code, now=self.now, actor=by)
        self._captured[redemption_id] = entry
        return self._booked(entry)

    def cancel(self, member: str, redemption_id: str, by: str = "storefront:till") -> Entry:
        account, at = self.look(member), self.now
        return self._booked(
            redemptions.release(account, self.program, redemption_id, "cancel", occurred_at=at, now=at, actor=by)
        )

    def reverse(self, member: str, redemption_id: str) -> Entry:
        account = self.look(member)
        captured = self._captured[redemption_id]
        return self._booked(
            redemptions.reverse(account, self.program, captured, redemption_id, now=self.now, actor="storefront:till")
        )

    def transfer(self, giver: str, receiver: str, points: int) -> transfers.Moved:
        moved = transfers.transfer(
            self.look(giver),
            self.look(receiver),
            self.program,
            points,
            transfer_id="t",
            now=self.now,
            actor="storefront:till",
            fingerprint=PRINT,
        )
        self.book(moved)
        return moved

    def merge(self, gone: str, into: str) -> transfers.Moved:
        moved = merges.merge(self.look(gone), self.look(into), self.program, now=self.now, actor="storefront:till")
        self.book(moved)
        return moved

    def adjust(self, member: str, points: int) -> Entry:
        account = self.look(member)
        return self._booked(
            adjustments.adjust(
                account,
                self.program,
                points,
                reason="to set it right",
                reference="a",
                now=self.now,
                actor="operator:olga",
                fingerprint=PRINT,
            )
        )

    def pay_membership(self, member: str, plan_id: str, amount: int | None = None) -> Entry:
        payment = paid_plans.Payment(plan_id=plan_id, reference="paid", amount=amount, currency="USD", paid_at=self.now)
        account = self.look(member)
        return self._booked(
            paid_plans.pay(account, self.program, payment, now=self.now, actor="storefront:till", fingerprint=PRINT)
        )

    def cancel_membership(self, member: str, brought: int = 0) -> Entry:
        account = self.look(member)
        return self._booked(
            paid_plans.cancel(
                account,
                self.program,
                "cancelled",
                points_brought=brought,
                now=self.now,
                actor="storefront:till",
                fingerprint=PRINT,
            )
        )

    def decide(self, member: str, earned: Entry, decision: Ruling) -> Entry:
        """Approve or reject an action whose points wait."""
        step = approvals.approve_action if decision == "approved" else approvals.reject_action
        return self._booked(step(self.look(member), self.program, earned, Verdict(decision, "operator:olga", self.now)))

    def freeze(self, member: str, step: Literal["freeze", "unfreeze"] = "freeze") -> Entry:
        turn = freezing.freeze if step == "freeze" else freezing.unfreeze
        account = self.look(member)
        cause = {"reason": "a doubt", "reference": f"case-{account.sequence}"}
        return self._booked(
            turn(account, self.program, **cause, now=self.now, actor="operator:olga", fingerprint=PRINT)
        )

    def birthday(self, member: str, known_since: datetime, day: date | None = None) -> Entry | None:
        """Celebrate a birthday, today's if no other; None: it does not pay."""
        account, birthday = self.look(member), anniversaries.Occurrence(day or self.today, known_since)
        if not anniversaries.birthday_pays(account, self.program, birthday):
            return None
        return self._booked(anniversaries.celebrate_birthday(account, self.program, birthday, now=self.now))

    def note(self, member: str, traits: Traits) -> Entry:
        """Give a member other traits."""
        account = self.look(member)
        reference = f"note-{account.sequence}"
        return self._booked(
            change_traits(account, self.program, traits, reference=reference, now=self.now, actor="storefront:till")
        )

    def _left_of_budgets(self) -> dict[str, int]:
        names = [budget_name(campaign) for campaign in self.program.campaigns if campaign.budget]
        partners = self.program.partners
        names += [month_name(one.partner_id, month_of(self.today)) for one in partners if one.limits.points_per_month]
        totals = {name: budget_total(self.program, name) or 0 for name in names}
        totals |= {funding_name(one.partner_id): 0 for one in partners if one.funding == "prepaid"}
        return {**totals, **{name: left for name, left in self.budgets.items() if name in totals}}

    def wallet(self, member: str) -> Account:
        """A member's store credit as of now; what time has done is booked."""
        return self._side(wallet_of(member))

    def cash_back(self, member: str, order_id: str, total: int) -> list[Entry]:
        """What an order earns in money; the points are another matter."""
        entries = cashback.earn_credit(
            self.look(member),
            self.wallet(member),
            self.program,
            self.order(order_id, total),
            now=self.now,
            actor="storefront:till",
        )
        self.book(entries)
        if entries:
            self._credited[order_id] = entries[-1]
        return entries

    def pay_out(self, member: str, amount: int) -> Entry:
        payout = store_credit.Payout(amount=amount, currency="USD", reference="p")
        return self._booked(
            store_credit.pay_out(
                self.look(member),
                self.wallet(member),
                self.program,
                payout,
                payout_id="p",
                now=self.now,
                actor="storefront:till",
                fingerprint=PRINT,
            )
        )

    def spend_credit(self, member: str, redemption_id: str, amount: int) -> None:
        """Spend store credit on an order, at once."""
        request = prices.CreditRequest(credit=amount, order_total=1_000_000, currency="USD")
        reserved = store_credit.reserve_credit(
            self.look(member),
            self.wallet(member),
            self.program,
            request,
            redemption_id=redemption_id,
            now=self.now,
            actor="storefront:till",
            fingerprint=PRINT,
        )
        self._booked(reserved)
        wallet = self.wallet(member)
        code, by = f"CODE-{redemption_id}", "storefront:till"
        self._booked(
            redemptions.capture(wallet, self.program, redemption_id, voucher_code=code, now=self.now, actor=by)
        )

    def pool(self, pool_id: str) -> Account:
        """A pool as of now; what time has done is booked."""
        return self._side(pool_account_of(pool_id))

    def join_pool(self, member: str, pool_id: str) -> None:
        self.book(
            pooling.join(
                self.look(member),
                self.pool(pool_id),
                self.program,
                change_id="c",
                is_new=True,
                now=self.now,
                actor="storefront:till",
                fingerprint=PRINT,
            )
        )

    def leave_pool(self, member: str) -> None:
        account = self.look(member)
        pool = self.pool(account.pool_id or "")
        self.book(pooling.leave(account, pool, self.program, change_id="c", now=self.now, actor="storefront:till"))

    def in_pools(self, decide: Callable[[Sequence[Account]], Sequence[Entry]], *members: str) -> list[Entry]:
        """Book what is decided about members, with what it takes from their pools and what they put in."""
        own = [self.look(member) for member in members]
        entries = list(shared_pools.decided(decide, own, self._side, self.program, self.now))
        self.book(entries)
        return entries

    def offer_gift(self, giver: str, receiver: str, points: int, gift_id: str) -> Entry:
        return self._booked(
            gifts.offer(
                self.look(giver),
                self.program,
                points,
                to=receiver,
                gift_id=gift_id,
                now=self.now,
                actor="member:app",
                fingerprint=PRINT,
            )
        )

    def accept_gift(self, giver: str, receiver: str, gift_id: str) -> transfers.Moved:
        moved = gifts.accept(
            self.look(receiver), self.look(giver), self.program, gift_id, now=self.now, actor="member:app"
        )
        self.book(moved)
        return moved

    def return_gift(self, giver: str, receiver: str, gift_id: str, by: str = "member:app") -> Entry:
        return self._booked(
            gifts.give_back(self.look(giver), self.program, gift_id, to=receiver, now=self.now, actor=by)
        )

    def erase(self, member: str) -> list[Entry]:
        entries = closing.erase(self.look(member), self.program, now=self.now, actor="operator:olga")
        self.book(entries)
        return entries

    def _side(self, account_id: str) -> Account:
        if account_id not in self._accounts:
            self._accounts[account_id], self.ledgers[account_id] = Account(member_id=account_id), []
        return self.look(account_id)

    def _booked(self, entry: Entry) -> Entry:
        self.book([entry])
        return entry
