"""Plays a plot on the services, and asks the oracle after each step whether the coalition has more than it may.

The shop is careless, not foolish: it books what is paid, takes back what is returned, and does what customers ask for
by the rules that there are. It invents no order.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from pprint import pformat
from typing import Any, TypeVar

from infra.tables import LOYALTY
from shared.caller import MEMBER, OPERATOR, PARTNER, STOREFRONT, Caller
from shared.domain.account import Account
from shared.domain.calendar import start_of_day
from shared.domain.earning.actions import Occasion
from shared.domain.earning.orders import Line, Order
from shared.domain.earning.refunds import ReturnedLine
from shared.domain.entry import Entry
from shared.domain.errors import LoyaltyError
from shared.domain.lifecycle.passing_of_time import up_to_date
from shared.domain.lots import UNTIL_APPROVED
from shared.domain.members.members import Change, Consent, Enrollment, OneIdentifier
from shared.domain.points.paid_plans import Payment
from shared.domain.points.partner_funding import settle_up
from shared.domain.program.program import PartnerReward, Program
from shared.domain.spending.prices import CreditRequest, MoneyRequest, RewardRequest
from shared.domain.spending.redemptions import Part
from shared.domain.spending.store_credit import Payout
from shared.domain.subaccounts import is_wallet, member_of, owner_of
from shared.messaging import address_notices
from shared.services import (
    address_changes,
    approvals,
    automatic_enrolment,
    birthdays,
    consequences,
    earning,
    enrolment,
    erasure,
    gifts,
    member_codes,
    merges,
    order_corrections,
    paid_plans,
    partner_deposits,
    pools,
    redemptions,
    refunds,
    store_credit,
    transfers,
)
from shared.tables import accounts, budgets, ledger, programs
from shared.tables import reviews as stored_reviews
from tests.functions.run_queues import run_queues
from tests.model import long_runs
from tests.model.coalition.oracle import NEVER, Bought, Facts, Spent, outliving, today_of
from tests.model.coalition.plots import START, Plot, Step, drawn, smaller
from tests.model.kept_histories import Machine, in_memory

TILL = Caller("till", frozenset({STOREFRONT}), None)
OLGA = Caller("olga", frozenset({OPERATOR}), None)
_LATELY = (timedelta(), timedelta(), timedelta(hours=3), timedelta(days=2), timedelta(days=20), timedelta(days=29))
_WAITS = (
    timedelta(minutes=10),
    timedelta(hours=9),
    timedelta(days=1),
    timedelta(days=4),
    timedelta(days=20),
    timedelta(days=70),
    timedelta(days=380),
)
_Answer = TypeVar("_Answer")


class BeatenError(Exception):
    """The coalition has more than it may have, after a step of its plot."""

    def __init__(self, step: int, found: str) -> None:
        self.step, self.found = step, found
        super().__init__(step, found)


@dataclass
class Handle:
    """An account of the coalition: whose, and by which addresses its owner is known."""

    account: str
    member: int
    addresses: list[str]
    """The first is the present one of the account itself."""
    code: str | None = None
    left: dict[str, datetime] = field(default_factory=dict)
    """Since when another address has been in the place of one."""


@dataclass
class Game:
    """One plot, played on a machine."""

    machine: Machine
    plot: Plot
    handles: list[Handle] = field(default_factory=list)
    """Of accounts that are open."""
    known: dict[str, Handle] = field(default_factory=dict)
    """Of all accounts there have been."""
    survivors: dict[str, str] = field(default_factory=dict)
    """Into which account others were merged."""
    accounts: dict[str, Account] = field(default_factory=dict)
    of_partners: list[Entry] = field(default_factory=list)
    undelivered: list[Entry] = field(default_factory=list)
    reviews: list[str] = field(default_factory=list)
    gifts: list[tuple[str, str, str]] = field(default_factory=list)
    pools: list[str] = field(default_factory=list)
    count: int = 0
    done: int = 0
    """Steps that were not refused."""

    def __post_init__(self) -> None:
        self.machine.restart()
        self.machine.now = START
        program = Program.model_validate(self.plot.program)
        self.program = programs.replace_program(program, 1)
        budgets.apply(self.program)
        self.facts = Facts(self.program)
        for partner in self.program.partners:
            if partner.funding == "prepaid":
                paid = partner_deposits.DepositRequest(amount=800_000, currency="USD", reference="first")
                partner_deposits.deposit(partner.partner_id, paid, caller=OLGA, now=self.machine.now)
        self.machine.written.clear()

    def play(self) -> int:
        """Play it all; how many steps were done. Raises BeatenError."""
        for number, step in enumerate(self.plot.steps):
            budgets.forget()
            try:
                getattr(self, f"_{step.kind}")(step)
                self._follow(waits=step.numbers[3] % 3 == 0)
                found = [*self.machine.broken, *self._judged()]
            except AssertionError as error:
                found = [f"an assertion failed: {error!r}"]
            if found:
                raise BeatenError(number, "\n  ".join(found))
        return self.done

    # What everybody does ----------------------------------------------------------------------------------------------

    @property
    def today(self) -> date:
        """The day, where the program is."""
        return today_of(self.program, self.machine.now)

    def _ask(self, step: Step, ask: Callable[[], _Answer]) -> _Answer | None:
        """What a service answers; None if it refuses. Some send a request twice."""
        try:
            answer = ask()
        except LoyaltyError:
            return None
        if step.numbers[2] % 7 == 0:
            with suppress(LoyaltyError):
                ask()
        self.done += 1
        return answer

    def _new(self, what: str) -> str:
        self.count += 1
        return f"{what}-{self.count}"

    def _handle(self, step: Step, other: int = 0) -> Handle | None:
        """An open account of the member whose step it is, or of the `other` one."""
        own = [one for one in self.handles if one.member == (step.member + other) % 2]
        return own[step.which % len(own)] if own else None

    def _owner(self, account: str) -> str:
        while account in self.survivors:
            account = self.survivors[account]
        return account

    def _own_order(self, step: Step, fits: Callable[[Bought], bool], partner_id: str | None = None) -> Bought | None:
        """One of the last orders, of the shop's or a partner's, that fit."""
        orders = [one for one in self.facts.orders.values() if one.partner_id == partner_id and fits(one)]
        return orders[-1 - step.which % min(6, len(orders))] if orders else None

    def _partner(self, step: Step) -> str | None:
        partners = self.program.partners
        return partners[step.which % len(partners)].partner_id if partners else None

    # Coming and going -------------------------------------------------------------------------------------------------

    def _join(self, step: Step) -> None:
        address = self._address(step)
        friend = self._handle(step, 1) if step.numbers[1] % 3 else None
        request = Enrollment(
            email=address,
            consent=Consent(terms_version="1"),
            age_confirmed=True,
            birthday=("12-10", "11-29", "03-01")[step.numbers[1] % 3],
            referral_code=friend.code if friend else None,
        )
        key, now = self._new("j"), self.machine.now
        joined = self._ask(step, lambda: enrolment.enroll_member(request, key=key, caller=TILL, now=now))
        if joined is None:
            return
        account = joined.member.member_id
        known = self.known.get(account)
        if known is None:
            self._opened(Handle(account, step.member, [address], joined.member.referral_code))
        else:
            known.code = joined.member.referral_code
            self._agreed(account)
        is_friend = request.referral_code is not None
        self.facts.joins(account, address, self.machine.now, is_friend=is_friend)

    def _agreed(self, account: str) -> None:
        """Whoever was no member yet has agreed: what waited begins today."""
        for order in self.facts.orders.values():
            if self._owner(order.owner) == account:
                order.days.append(self.today)
        self.facts.decided.append(self.today)

    def _arrive(self, step: Step) -> None:
        """Buy without being a member, under an address."""
        address, order = self._address(step), self._order(step)
        of, now = OneIdentifier(email=address), self.machine.now
        outcome = self._ask(step, lambda: automatic_enrolment.earn_by_identifier(of, order, caller=TILL, now=now))
        if outcome is None:
            return
        account = outcome.accounts[0].member_id
        if account not in self.known:
            self._opened(Handle(account, step.member, [address]))
            self.facts.joined.setdefault(address, self.today)
        self._bought(order, account)

    def _address(self, step: Step) -> str:
        """An address of the member, which is more likely one that no account of theirs is known by now."""
        own = [f"{'ab'[step.member]}{number}@shop.example" for number in range(self.plot.addresses)]
        used = {address for one in self.handles for address in one.addresses}
        free = [one for one in own if one not in used]
        choice = free if free and step.numbers[0] % 5 else own
        return choice[step.which % len(choice)]

    def _opened(self, handle: Handle) -> None:
        self.handles.append(handle)
        self.known[handle.account] = handle

    def _change_address(self, step: Step) -> None:
        handle, address = self._handle(step), self._address(step)
        if handle is None:
            return
        change, now = Change(email=address), self.machine.now
        caller = TILL if step.numbers[1] % 2 else _own(handle)
        profile = self._ask(step, lambda: address_changes.change_member(handle.account, change, caller=caller, now=now))
        if profile is None:
            return
        if caller != TILL:
            codes = [address_notices.code_for(one.change_id) for one in profile.waiting]
            if not codes or not self._ask(
                step, lambda: address_changes.confirm("me", codes[0], caller=caller, now=now)
            ):
                return
        if (before := handle.addresses[0]) == address:
            return
        handle.left = {**handle.left, before: now}
        handle.left.pop(address, None)
        handle.addresses = [address, *(one for one in handle.addresses if one != address)]
        self.facts.changed(handle.account, before, address, now)

    def _change_birthday(self, step: Step) -> None:
        handle = self._handle(step)
        if handle is not None:
            day = (self.today + timedelta(days=step.numbers[0] % 40)).strftime("%m-%d")
            caller, now = _own(handle), self.machine.now
            change = Change(birthday=day)
            self._ask(step, lambda: address_changes.change_member("me", change, caller=caller, now=now))

    def _erase(self, step: Step) -> None:
        handle = self._handle(step)
        if handle is None:
            return
        caller, now = _own(handle), self.machine.now
        answer = self._ask(step, lambda: erasure.erase_member("me", caller=caller, now=now))
        if isinstance(answer, erasure.Awaited):
            self.reviews.append(answer.request.review_id)

    def _merge(self, step: Step) -> None:
        """The shop makes two accounts of one person one."""
        into, now = self._handle(step), self.machine.now
        others = [one for one in self.handles if one.member == step.member and one is not into]
        if into is None or not others:
            return
        gone = others[step.numbers[0] % len(others)]
        if self._ask(step, lambda: merges.merge_members(into.account, gone.account, caller=TILL, now=now)):
            self.handles.remove(gone)
            self.survivors[gone.account] = into.account
            into.left |= {one: since for one, since in gone.left.items() if one not in into.addresses}
            into.addresses += [one for one in gone.addresses if one not in into.addresses]

    # Buying -----------------------------------------------------------------------------------------------------------

    def _order(self, step: Step) -> Order:
        total = sum(amount for *_, amount in step.lines)
        if not total or step.numbers[1] % 2:
            total += (100, 999, 2000, 3500, 20_000, 60_000)[step.numbers[0] % 6]
        lines = tuple(Line(sku=sku, category=kind, quantity=n, amount=paid) for sku, kind, n, paid in step.lines)
        placed_at = self.machine.now - _LATELY[step.numbers[2] % len(_LATELY)]
        return Order(order_id=self._new("o"), placed_at=placed_at, currency="USD", total=total, lines=lines)

    def _bought(self, order: Order, account: str, partner_id: str | None = None) -> None:
        lines = tuple((one.sku, one.category, one.quantity, one.amount) for one in order.lines)
        bought = Bought(order.order_id, account, order.total, lines, [self.today], partner_id)
        self.facts.orders[f"{partner_id or ''}/{order.order_id}"] = bought
        self.facts.active_on = self.today

    def _buy(self, step: Step) -> None:
        handle, order, now = self._handle(step), self._order(step), self.machine.now
        if handle and self._ask(step, lambda: earning.earn_order(handle.account, order, caller=TILL, now=now)):
            self._bought(order, handle.account)

    def _return(self, step: Step) -> None:
        """Part of an order, or all of it, by its amount."""
        order = self._own_order(step, _is_kept)
        if order is not None:
            amount = max(1, order.kept * (1, 2, 4, 4, 4)[step.numbers[0] % 5] // 4)
            self._refund(step, order, TILL, amount=amount, return_spent=bool(step.numbers[1] % 2))

    def _return_lines(self, step: Step) -> None:
        """Pieces of one article of an order."""
        order = self._own_order(step, lambda one: bool(one.lines) and _is_kept(one))
        if order is None:
            return
        sku = order.lines[step.numbers[0] % len(order.lines)][0]
        pieces, amount = order.left(sku)
        if pieces <= 0:
            return
        gone = 1 + step.numbers[1] % pieces
        line = ReturnedLine(sku=sku, quantity=gone, amount=min(order.kept, amount * gone // pieces))
        self._refund(step, order, TILL, lines=(line,), return_spent=bool(step.numbers[1] % 2))

    def _refund(self, step: Step, order: Bought, caller: Caller, **part: Any) -> None:
        refund_id, now = self._new("r"), self.machine.now
        request = refunds.Refund(order_id=order.order_id, refund_id=refund_id, **part)
        owner = self._owner(order.owner)
        outcome = self._ask(step, lambda: refunds.refund(owner, request, caller=caller, now=now))
        if outcome is None:
            return
        lines = part.get("lines", ())
        order.back[refund_id] = part.get("amount") or sum(line.amount for line in lines)
        order.lines_back[refund_id] = {line.sku: (line.quantity, line.amount) for line in lines}
        undone = outcome.entry.undone
        if undone is not None:
            self.facts.given_back[(order.order_id, False)] += undone.spent_points
            self.facts.given_back[(order.order_id, True)] += undone.spent_credit or 0

    def _keep(self, step: Step) -> None:
        """Goods that were returned were kept after all."""
        order = self._own_order(step, lambda one: bool(one.back))
        if order is None:
            return
        refund_id = list(order.back)[step.numbers[0] % len(order.back)]
        request, now = order_corrections.RefundOfOrder(order_id=order.order_id), self.machine.now
        owner = self._owner(order.owner)
        if self._ask(step, lambda: order_corrections.reverse_refund(owner, refund_id, request, caller=TILL, now=now)):
            del order.back[refund_id]
            order.lines_back.pop(refund_id)
            order.put_right = True

    def _amend(self, step: Step) -> None:
        order = self._own_order(step, lambda one: not one.back)
        if order is None:
            return
        new, now = self._order(step), self.machine.now
        request = order_corrections.Amendment(amendment_id=self._new("e"), total=new.total, lines=new.lines)
        owner = self._owner(order.owner)
        if self._ask(step, lambda: order_corrections.amend(owner, order.order_id, request, caller=TILL, now=now)):
            order.total, order.lines = new.total, step.lines
            order.days.append(self.today)

    def _claim(self, step: Step) -> None:
        """The wrong card was read: the order is another member's."""
        handle = self._handle(step)
        order = self._own_order(step, lambda one: handle is None or self._owner(one.owner) != handle.account)
        if order is None or handle is None:
            return
        request, now = order_corrections.Claim(claim_id=self._new("c"), reason="the wrong card"), self.machine.now
        caller = TILL if step.numbers[0] % 2 else OLGA
        if self._ask(
            step,
            lambda: order_corrections.claim(handle.account, order.order_id, request, caller=caller, now=now),
        ):
            order.owner, order.put_right = handle.account, True
            order.days.append(self.today)

    def _act(self, step: Step) -> None:
        handle, actions = self._handle(step), self.program.earning.actions
        if handle is None:
            return
        action, reference, now = actions[step.numbers[0] % len(actions)], self._new("a"), self.machine.now
        occasion = Occasion(action=action.action_id, reference=reference)
        if self._ask(step, lambda: earning.earn_for_action(handle.account, occasion, caller=TILL, now=now)):
            self.facts.acts.append((action.action_id, self.today))
            self.facts.decided.append(self.today)
            self.facts.active_on = self.today
            if action.approval:
                self.reviews.append(stored_reviews.id_of("action", action.action_id, reference))

    def _approve(self, step: Step) -> None:
        """An operator approves what waits: there was a review, and whoever asks to be erased may be."""
        if not self.reviews:
            return
        review_id, now = self.reviews[step.which % len(self.reviews)], self.machine.now
        if self._ask(step, lambda: approvals.approve(review_id, caller=OLGA, now=now)):
            self.reviews.remove(review_id)
            self.facts.decided.append(self.today)
            self.facts.active_on = self.today

    # Spending ---------------------------------------------------------------------------------------------------------

    def _reserve(self, step: Step) -> None:
        """Spend points on a reward, or as money on some basket."""
        handle, rewards = self._handle(step), self.program.redeeming.rewards
        if handle is None:
            return
        at_once = bool(step.numbers[1] % 2)
        reward = rewards[step.numbers[0] % len(rewards)]
        if step.numbers[1] % 3:
            request = MoneyRequest(points=self._part(handle, step), order_total=10**6, currency="USD", capture=at_once)
            self._redeem(step, handle.account, request, request.points, _caller(handle, step))
        else:
            named = RewardRequest(reward_id=reward.reward_id, capture=at_once)
            partner = reward.partner_id if isinstance(reward, PartnerReward) else None
            self._redeem(step, handle.account, named, reward.points, _caller(handle, step), partner)

    def _spend_on_order(self, step: Step) -> None:
        order, handle = self._own_order(step, _is_kept), self._handle(step)
        if order is None or handle is None:
            return
        points = min(self._part(handle, step), order.kept)
        request = MoneyRequest(
            points=points, order_total=order.kept, currency="USD", capture=True, order_id=order.order_id
        )
        self._redeem(step, handle.account, request, points, TILL)

    def _spend_credit(self, step: Step) -> None:
        order, handle = self._own_order(step, lambda one: one.kept > 1), self._handle(step)
        if handle is None:
            return
        wallet = self._wallet(handle.account)
        credit = max(1, (wallet.balance if wallet else 1) * (1 + step.numbers[0] % 4) // 4)
        on: dict[str, Any] = {"order_total": 10**6}
        if order is not None and step.numbers[1] % 2:
            on = {"order_total": order.kept, "order_id": order.order_id}
            credit = max(1, min(credit, order.kept // 2))
        request = CreditRequest(credit=credit, currency="USD", capture=bool(step.numbers[1] % 3), **on)
        self._redeem(step, handle.account, request, credit, TILL)

    def _wallet(self, account: str) -> Account | None:
        return next(
            (one for name, one in self.accounts.items() if is_wallet(name) and member_of(name) == account), None
        )

    def _part(self, handle: Handle, step: Step) -> int:
        """How many points are spent: a share of all that there are."""
        account = self.accounts[handle.account]
        pool = next((one for one in self.accounts.values() if handle.account in one.pool_members), None)
        return max(1, (pool or account).balance * (1 + step.numbers[0] % 4) // 4)

    def _redeem(
        self,
        step: Step,
        account: str,
        request: Any,
        points: int,
        caller: Caller,
        partner: str | None = None,
    ) -> None:
        key, now = self._new("k"), self.machine.now
        redemption = self._ask(step, lambda: redemptions.redeem(account, request, key=key, caller=caller, now=now))
        if redemption is not None:
            is_credit = isinstance(request, CreditRequest)
            spent = Spent(points, account, request.order_id, partner, is_credit, is_captured=request.capture)
            self.facts.spent[redemption.outcome.entry.source["redemption_id"]] = spent
            self.facts.active_on = self.today

    def _redemption(self, step: Step, *, captured: bool) -> tuple[str, Spent] | None:
        lately = [one for one in self.facts.spent.items() if one[1].is_captured == captured][-6:]
        return lately[step.which % len(lately)] if lately else None

    def _capture(self, step: Step) -> None:
        found = self._redemption(step, captured=False)
        if found is not None:
            redemption_id, spent = found
            account, now = self._owner(spent.account), self.machine.now
            if self._ask(step, lambda: redemptions.capture_redemption(account, redemption_id, caller=TILL, now=now)):
                spent.is_captured = True
                self.facts.active_on = self.today

    def _cancel(self, step: Step) -> None:
        found = self._redemption(step, captured=False)
        if found is not None:
            redemption_id, spent = found
            account, now = self._owner(spent.account), self.machine.now
            caller = TILL if step.numbers[0] % 2 else Caller("m", frozenset({MEMBER}), account)
            if self._ask(step, lambda: redemptions.cancel_redemption(account, redemption_id, caller=caller, now=now)):
                del self.facts.spent[redemption_id]

    def _reverse(self, step: Step) -> None:
        """Goods that were paid by points come back, all of them or a part."""
        found = self._redemption(step, captured=True)
        if found is None:
            return
        redemption_id, spent = found
        account, now, part = self._owner(spent.account), self.machine.now, None
        back = spent.points - spent.back
        if step.numbers[0] % 2 and back > 1:
            back = max(1, back * (1 + step.numbers[1] % 3) // 4)
            what = {"credit" if spent.is_credit else "points": back}
            part = Part.model_validate({"reversal_id": self._new("v"), **what})
        before = self._reversed_by_returns(redemption_id)
        if part is None:
            back -= before
        if self._ask(step, lambda: redemptions.reverse_redemption(account, redemption_id, part, caller=TILL, now=now)):
            spent.back += back

    def _reversed_by_returns(self, redemption_id: str) -> int:
        """What returns have given back of a redemption beside what was reversed, as the answer to a look says."""
        spent = self.facts.spent[redemption_id]
        if spent.order_id is None:
            return 0
        standing = redemptions.read(self._owner(spent.account), redemption_id, caller=OLGA, now=self.machine.now)
        return standing.returned - spent.back

    def _pay_out(self, step: Step) -> None:
        handle = self._handle(step)
        if handle is None:
            return
        wallet = self._wallet(handle.account)
        amount = max(1, (wallet.balance if wallet else 1) * (1 + step.numbers[0] % 4) // 4)
        request, now = Payout(amount=amount, currency="USD", reference=self._new("y")), self.machine.now
        if self._ask(step, lambda: store_credit.pay_out_credit(handle.account, request, caller=TILL, now=now)):
            self.facts.paid_out += amount

    # Sharing ----------------------------------------------------------------------------------------------------------

    def _gift(self, step: Step) -> None:
        giver, to = self._handle(step), self._handle(step, 1)
        if giver is None or to is None:
            return
        gift, key, now = (
            gifts.Gift(to_member_id=to.account, points=self._part(giver, step)),
            self._new("g"),
            self.machine.now,
        )
        offered = self._ask(step, lambda: gifts.offer_gift(giver.account, gift, key=key, caller=_own(giver), now=now))
        if offered is not None:
            self.gifts.append((giver.account, to.account, offered.offer.source["gift_id"]))

    def _end_gift(self, step: Step) -> None:
        if not self.gifts:
            return
        giver, to, gift_id = self.gifts[-1 - step.which % min(4, len(self.gifts))]
        ways = ((gifts.accept_gift, to), (gifts.accept_gift, to), (gifts.return_gift, to), (gifts.withdraw_gift, giver))
        end, account = ways[step.numbers[0] % len(ways)]
        account, now = self._owner(account), self.machine.now
        caller = TILL if step.numbers[1] % 2 else Caller("m", frozenset({MEMBER}), account)
        self._ask(step, lambda: end(account, gift_id, caller=caller, now=now))

    def _transfer(self, step: Step) -> None:
        giver, to = self._handle(step), self._handle(step, int(step.numbers[1] % 4 > 0))
        if giver is None or to is None or giver is to:
            return
        points = min(500, self._part(giver, step))
        request, key, now = transfers.Transfer(to_member_id=to.account, points=points), self._new("t"), self.machine.now
        self._ask(step, lambda: transfers.transfer_points(giver.account, request, key=key, caller=_own(giver), now=now))

    def _open_pool(self, step: Step) -> None:
        handle, key, now = self._handle(step), self._new("p"), self.machine.now
        if handle is None:
            return
        opened = self._ask(step, lambda: pools.open_pool("me", key=key, caller=_own(handle), now=now))
        if opened is not None:
            self.pools.append(owner_of(opened.accounts[1].member_id))

    def _join_pool(self, step: Step) -> None:
        handle, host = self._handle(step), self._handle(step, 1)
        if not self.pools or handle is None or host is None:
            return
        pool_id, key, now = self.pools[-1 - step.numbers[0] % len(self.pools)], self._new("p"), self.machine.now
        invited = self._ask(step, lambda: pools.invite(pool_id, key=key, caller=_own(host), now=now))
        if invited is not None:
            code = invited.code
            self._ask(step, lambda: pools.join_pool(pool_id, "me", code, key=key, caller=_own(handle), now=now))

    def _leave_pool(self, step: Step) -> None:
        handle, by = self._handle(step), self._handle(step, step.numbers[1] % 2)
        if not self.pools or handle is None or by is None:
            return
        pool_id, key, now = self.pools[-1 - step.numbers[0] % len(self.pools)], self._new("p"), self.machine.now
        caller = TILL if step.numbers[2] % 3 == 0 else _own(by)
        self._ask(step, lambda: pools.leave_pool(pool_id, handle.account, key=key, caller=caller, now=now))

    # Plans and partners -----------------------------------------------------------------------------------------------

    def _pay_plan(self, step: Step) -> None:
        handle, plans = self._handle(step), self.program.memberships
        if handle is None or not plans:
            return
        plan, now = plans[0], self.machine.now
        payment = Payment(
            plan_id=plan.plan_id, reference=self._new("s"), amount=plan.price, currency="USD", paid_at=now
        )
        if self._ask(step, lambda: paid_plans.pay_membership(handle.account, payment, caller=TILL, now=now)):
            self.facts.plans_paid += plan.price

    def _cancel_plan(self, step: Step) -> None:
        handle = self._handle(step)
        if handle is None:
            return
        request, now = paid_plans.Cancellation(reference=self._new("s")), self.machine.now
        outcome = self._ask(step, lambda: paid_plans.cancel_membership(handle.account, request, caller=TILL, now=now))
        if outcome is not None:
            self.facts.plans_refunded += int(outcome.entry.source["refund_amount"])

    def _partner_order(self, step: Step) -> None:
        handle, partner = self._handle(step), self._partner(step)
        if handle is None or partner is None:
            return
        order, now = self._order(step), self.machine.now
        if self._ask(step, lambda: earning.earn_order(handle.account, order, caller=_of(partner), now=now)):
            self._bought(order, handle.account, partner)

    def _partner_return(self, step: Step) -> None:
        partner = self._partner(step)
        order = self._own_order(step, _is_kept, partner) if partner else None
        if partner and order is not None:
            amount = max(1, order.kept * (1, 2, 4, 4)[step.numbers[0] % 4] // 4)
            self._refund(step, order, _of(partner), amount=amount)

    def _partner_redeem(self, step: Step) -> None:
        """The member shows a code, and the partner takes points for it."""
        handle, partner = self._handle(step), self._partner(step)
        if handle is None or partner is None:
            return
        now = self.machine.now
        try:
            code = member_codes.issue("me", caller=_own(handle), now=now).code
        except LoyaltyError:
            return
        points, at_once = self._part(handle, step), bool(step.numbers[1] % 2)
        request: MoneyRequest | RewardRequest
        request = MoneyRequest(points=points, order_total=10**6, currency="USD", capture=at_once, code=code)
        for reward in self.program.redeeming.rewards:
            if isinstance(reward, PartnerReward) and reward.partner_id == partner:
                request, points = RewardRequest(reward_id=reward.reward_id, capture=at_once, code=code), reward.points
        self._redeem(step, handle.account, request, points, _of(partner), partner)

    def _partner_end(self, step: Step) -> None:
        """The partner captures, cancels or reverses what it took."""
        lately = [one for one in self.facts.spent.items() if one[1].partner_id is not None][-4:]
        if not lately:
            return
        redemption_id, spent = lately[step.which % len(lately)]
        account, now = self._owner(spent.account), self.machine.now
        caller = _of(spent.partner_id or "")
        if spent.is_captured:
            if self._ask(step, lambda: redemptions.reverse_redemption(account, redemption_id, caller=caller, now=now)):
                spent.back = spent.points
        elif step.numbers[0] % 2:
            if self._ask(step, lambda: redemptions.capture_redemption(account, redemption_id, caller=caller, now=now)):
                spent.is_captured = True
        elif self._ask(step, lambda: redemptions.cancel_redemption(account, redemption_id, caller=caller, now=now)):
            del self.facts.spent[redemption_id]

    def _wait(self, step: Step) -> None:
        """Until something; often until shortly before or after the next last day of points that are there."""
        ends = [end for end in self._ends() if end > self.machine.now]
        if ends and step.numbers[0] % 2:
            self.machine.now = min(ends)
        else:
            self.machine.now += _WAITS[step.numbers[1] % len(_WAITS)]
        with run_queues() as queues:
            birthdays.begin(self.machine.now)
            queues.deliver()
        self.done += 1

    def _ends(self) -> Iterator[datetime]:
        """Ten minutes before the end of each last day, and ten minutes after it."""
        days = {day for one in self.accounts.values() for day, _ in _by_day(one) if day != NEVER}
        for day in days:
            end = start_of_day(day + timedelta(days=1), self.program.time_zone)
            yield from (end - timedelta(minutes=10), end + timedelta(minutes=10))

    # What comes of it -------------------------------------------------------------------------------------------------

    def _follow(self, *, waits: bool) -> None:
        """Read what was written. What it means for others is booked, unless the stream is late and `waits`."""
        self._read()
        while self.undelivered and not waits:
            self.facts.heard_on = today_of(self.program, self.machine.now)
            consequences.draw(self.undelivered.pop(0), self.machine.now)
            self._read()

    def _read(self) -> None:
        written = list(self.machine.written)
        self.machine.written.clear()
        for one in written:
            if one.table != LOYALTY.name or one.after is None:
                continue
            if one.key[1] == "ACCOUNT":
                account = accounts.account_of(one.after)
                self.accounts[account.member_id] = account
            elif "type" in one.after and one.before is None:
                self._booked(ledger.entry_of(one.after))

    def _booked(self, entry: Entry) -> None:
        self.undelivered.append(entry)
        if entry.partner is not None:
            self.of_partners.append(entry)
        self.facts.debts_made += max(0, entry.debt) + entry.owed
        credit, owner = is_wallet(entry.member_id), member_of(entry.member_id) or ""
        if entry.type == "erase":
            handle = self.known[owner]
            owed = self.facts.ended(owner, handle.addresses, handle.left, self.machine.now)
            owed.credit -= entry.debt if credit else 0
            owed.points -= 0 if credit else entry.debt
            self.handles = [one for one in self.handles if one.account != owner]
        elif entry.owed:
            self.facts.owes_still(owner, self.survivors, entry.owed, self.machine.now, credit=credit)
        elif entry.type == "reverse" and entry.source.get("reversal_id", "").startswith("refund:"):
            # What has come back with the order and has expired by then is nobody's.
            self.facts.given_back[(entry.source["order_id"], credit)] += entry.expired_points
        elif entry.type == "unclaimed":
            self.handles = [one for one in self.handles if one.account != owner]

    def _judged(self) -> Iterator[str]:
        """In which way the coalition has more than it may have."""
        if self.undelivered:
            return
        facts = self.facts
        settled = settle_up(self.of_partners).movements
        given = settled["issued"].points - settled["taken_back"].points
        at_partners = sum(one.points - one.back for one in facts.spent.values() if one.partner_id and one.is_captured)
        if settled["redeemed"].points - settled["reversed"].points > at_partners:
            yield f"partners are paid for {settled['redeemed'].points} points, and have taken {at_partners}"
        if facts.plans_refunded > facts.plans_paid:
            yield f"for plans {facts.plans_paid} were paid, and {facts.plans_refunded} paid back"
        standing = {name: self._standing(one) for name, one in self.accounts.items()}
        grants = list(facts.grants(self.today, given))
        for credit in (False, True):
            held = sum(_worth(one) for name, one in standing.items() if is_wallet(name) == credit)
            taken, waiting = facts.taken(credit=credit), facts.waiting(credit=credit)
            most = facts.credit_at_most() if credit else sum(one.points for one in grants)
            if held + taken > most + waiting:
                what = "minor units of credit" if credit else "points"
                yield f"{held} {what} held and {taken} taken, of {most} and {waiting} that are owed elsewhere"
        by_day: dict[date, int] = {}
        for name, one in standing.items():
            for last, points in () if is_wallet(name) else _by_day(one):
                by_day[last] = by_day.get(last, 0) + points
        if outlived := outliving(by_day, grants, facts.debts_made):
            yield outlived

    def _standing(self, account: Account) -> Account:
        return up_to_date(account, self.program, self.machine.now) if account.is_open else account


def _is_kept(order: Bought) -> bool:
    return order.kept > 0


def _own(handle: Handle) -> Caller:
    return Caller(f"m-{handle.account}", frozenset({MEMBER}), handle.account)


def _caller(handle: Handle, step: Step) -> Caller:
    return TILL if step.numbers[2] % 2 else _own(handle)


def _of(partner: str) -> Caller:
    return Caller(partner, frozenset({PARTNER}), None, partner)


def _worth(account: Account) -> int:
    return account.balance + account.pending_points + account.held_points - account.debt


def _by_day(account: Account) -> Iterator[tuple[date, int]]:
    """Points by their last day, those that are held or pending among them; what waits for approval has none yet."""
    lots = [account.lots, *(hold.lots for hold in account.holds.values())]
    lots.append({key.rpartition("/")[2]: n for key, n in account.pending.items() if key != UNTIL_APPROVED})
    for day, points in (lot for each in lots for lot in each.items()):
        yield NEVER if day == "never" else date.fromisoformat(day[:10]), points


# Shrinking ------------------------------------------------------------------------------------------------------------


def beaten(machine: Machine, plot: Plot) -> BeatenError | None:
    """Where a plot succeeds, if it does."""
    try:
        Game(machine, plot).play()
    except BeatenError as error:
        return error
    return None


def shortest(machine: Machine, plot: Plot) -> Plot:
    """A plot that succeeds, with as little in it as can be found by leaving things out."""
    return long_runs.shortest(plot, smaller, partial(beaten, machine))


def played(seed: int, first: int, end: int) -> tuple[int, str | None]:
    """Play some plots of a seed: how many steps, and the first plot that succeeds, as short as it can be."""
    steps = 0
    with in_memory() as machine:
        for number in range(first, end):
            plot = drawn(seed, number)
            steps += len(plot.steps)
            if beaten(machine, plot) is None:
                continue
            short = shortest(machine, plot)
            error = beaten(machine, short)
            told = error.found if error else "it depends on chance"
            return steps, f"seed {seed}, plot {number}:\n  {told}\n{pformat(short, width=110)}"
    return steps, None
