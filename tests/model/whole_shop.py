"""A shop with everything: each operation as the functions make it, with pools, wallets, budgets and the stream."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from shared.domain import entry_types
from shared.domain.account import Account
from shared.domain.earning import cashback, imports
from shared.domain.earning.actions import Occasion, earn_action
from shared.domain.earning.anniversaries import Occurrence, birthday_pays, celebrate_birthday
from shared.domain.earning.challenges import action_deed, with_challenges
from shared.domain.earning.enrolment import enroll
from shared.domain.earning.kept_orders import together
from shared.domain.earning.provisional import confirm, open_provisional
from shared.domain.earning.referrals import (
    Role,
    advocate_reward,
    friend_of,
    on_joining,
    reversal,
    reviewed,
    side_of,
)
from shared.domain.entry import Entry
from shared.domain.errors import InvalidStateError
from shared.domain.facets import Referred, Traits
from shared.domain.ledger import book
from shared.domain.lifecycle.changed_order import refunded
from shared.domain.lifecycle.closing import erase_whole, merge_whole
from shared.domain.lifecycle.whole_order import credited
from shared.domain.points import freezing, paid_plans
from shared.domain.points.approvals import approve_action, reject_action
from shared.domain.points.partner_funding import funding_name
from shared.domain.points.reviews import Ruling, Verdict
from shared.domain.points.segments import change_traits
from shared.domain.program.program import Program
from shared.domain.spending import adjustments, gifts, prices, redemptions, store_credit, transfers
from shared.domain.spending import pools as pooling
from shared.domain.subaccounts import is_wallet, pool_account_of, wallet_of
from shared.tables import keys
from tests.model import shared_pools
from tests.model.shop import Shop

Decide = Callable[[Sequence[Account]], Sequence[Entry]]
AGAIN_MAX = 12
ROLES: tuple[Role, ...] = ("FRIEND", "ADVOCATE")


class Done(NamedTuple):
    """An operation that was booked, by which accounts, and under which cause."""

    decide: Decide
    accounts: tuple[str, ...]
    shares: bool


class WholeShop(Shop):
    """`causes` has the key of every entry; `stream` those that mean something for others and are not heard of yet."""

    def __init__(self, program: Program, now: datetime) -> None:
        super().__init__(program, now, audited=False)
        self.causes: set[object] = set()
        self.between: Counter[bool] = Counter()
        """Net points of all that moved between accounts, by whether it was money."""
        self.stream: list[Entry] = []
        self.heard: list[Entry] = []
        self.again: list[Done] = []
        self.opened: dict[str, Entry] = {}
        self.budgets = self._left_of_budgets()
        self._by_cause: dict[object, Entry] = {}

    # How an operation is done -------------------------------------------------------------------------------------

    def operate(self, decide: Decide, *accounts: str, shares: bool = True) -> list[Entry]:
        """Settle, decide, and book; members' pools are drawn on as `operation.run` does."""
        entries = self._decided(decide, accounts, shares=shares)
        self.book(entries)
        self.again = [*self.again, Done(decide, accounts, shares)][-AGAIN_MAX:]
        return entries

    def would_be_found(self, done: Done) -> bool:
        """Whether a request that is sent again comes upon what stands, whatever the accounts are like by now."""
        entries = self._decided(done.decide, done.accounts, shares=done.shares)
        return not entries or any(keys.entry_key(entry) in self.causes for entry in entries)

    def book(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            cause = keys.entry_key(entry)
            assert cause not in self.causes, f"{cause} is booked twice"
            self.causes.add(cause)
            self._by_cause[cause] = entry
            for name, points in entry.budgets.items():
                self.budgets[name] -= points
            if entry_types.of(entry.type).pair:
                self.between[is_wallet(entry.member_id)] += entry.net_effect + entry.expired_points
                self.between[is_wallet(entry.member_id)] -= sum(entry.forgiven_lots.values())
            if entry.referred is not None and entry.referred.state in {"rewarded", "reversed"}:
                self.stream.append(entry)
        super().book(entries)

    def accounts(self) -> list[str]:
        """Every account there is: members', wallets, pools."""
        return [name for name, account in self._accounts.items() if account.sequence]

    def is_open(self, name: str) -> bool:
        return self.peek(name)[0].is_open

    def _decided(self, decide: Decide, names: Sequence[str], *, shares: bool) -> list[Entry]:
        own = [self._side(name) for name in names]
        if not shares:
            return list(decide([*own, *(self._side(name) for name in pooling.pools_of(own))]))
        return list(shared_pools.decided(decide, own, self._side, self.program, self.now))

    def _by(self, actor: str) -> dict[str, Any]:
        return {"now": self.now, "actor": actor}

    # Coming and going ---------------------------------------------------------------------------------------------

    def enroll_friend(self, member: str, advocate: str, *, in_review: bool) -> None:
        referred = Referred(advocate=advocate, state="in_review" if in_review else "open")
        first = enroll(member, self.program, **self._by("storefront:till"), fingerprint="request", referred=referred)
        self._open(member, first)
        self.book(on_joining(self.stored(member), self.program, **self._by("storefront:till")))

    def open_unknown(self, member: str) -> None:
        self._open(member, open_provisional(member, self.program, **self._by("storefront:till"), fingerprint="request"))

    def agree(self, member: str) -> None:
        self.operate(lambda own: [confirm(own[0], self.program, **self._by("web"), fingerprint="request")], member)

    def bring_member(self, member: str, joined_at: datetime) -> None:
        self._open(
            member, imports.join(member, self.program, joined_at, **self._by("operator:olga"), fingerprint="request")
        )

    def bring_points(self, member: str, brought: imports.BroughtPoints) -> None:
        self.operate(
            lambda own: [
                imports.bring_points(own[0], self.program, brought, **self._by("operator:olga"), fingerprint="request")
            ],
            member,
        )

    def merge_all(self, gone: str, into: str) -> None:
        def unite(accounts: Sequence[Account]) -> list[Entry]:
            stays, goes, wallet, gone_wallet, *beside = accounts
            return merge_whole(goes, stays, (gone_wallet, wallet), beside, self.program, **self._by("operator:olga"))

        self.operate(unite, into, gone, wallet_of(into), wallet_of(gone), shares=False)

    def erase_all(self, member: str) -> None:
        def close(accounts: Sequence[Account]) -> list[Entry]:
            own, wallet, *beside = accounts
            return erase_whole(own, wallet, beside, self.program, **self._by("operator:olga"))

        self.operate(close, member, wallet_of(member), shares=False)

    def _open(self, member: str, entry: Entry) -> None:
        self._accounts[member], self.ledgers[member] = Account(member_id=member), []
        self.book([entry])

    # Orders and actions -------------------------------------------------------------------------------------------

    def earn(
        self,
        member: str,
        order_id: str,
        total: int,
        placed_at: datetime,
        partner: str | None = None,
        lines: Sequence[Mapping[str, Any]] = (),
    ) -> Entry:
        order = self.order(order_id, total, placed_at, partner_id=partner, lines=lines)

        def credit_it(accounts: Sequence[Account]) -> list[Entry]:
            named: dict[str, Any] = {"caps": dict(self.budgets), "wallets": accounts[1:]}
            return credited(
                accounts[0], self.program, order, **self._by("storefront:till"), fingerprint="request", **named
            )

        wallets = [wallet_of(member)] if cashback.gives_credit(self.program, order) else []
        entries = [one for one in self.operate(credit_it, member, *wallets) if one.type == "earn"]
        self._earned[order_id] = entries[0]
        for of_wallet in entries[1:]:
            self._credited[order_id] = of_wallet
        return entries[0]

    def give_back_order(
        self, member: str, order_id: str, amount: int = 0, lines: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        order = self.order_of(order_id)
        before, part = order.sale.returned, self.part_of(order, amount, lines)

        def take_back(accounts: Sequence[Account]) -> list[Entry]:
            return refunded(
                accounts[:2],
                order,
                part,
                self.background(accounts, order),
                refund_id=f"{order_id}-{before.changes}",
                refunded_at=self.now,
                **self._by("storefront:till"),
                fingerprint="request",
            )

        self.operate(take_back, member, wallet_of(member))
        self.returned[order_id] = together(before, part)

    def do(self, member: str, action: str, reference: str, occurred_at: datetime) -> Entry:
        occasion = Occasion(action=action, reference=reference, occurred_at=occurred_at)

        def credit_it(own: Sequence[Account]) -> list[Entry]:
            entry = earn_action(own[0], self.program, occasion, **self._by("storefront:till"), fingerprint="request")
            return with_challenges(own[0], self.program, entry, action_deed(self.program, entry))

        [entry] = [one for one in self.operate(credit_it, member) if one.type == "earn"]
        self.opened[reference] = entry
        return entry

    def say(self, reference: str, member: str, *, approved: bool) -> None:
        """An operator's decision on an action."""
        step = approve_action if approved else reject_action
        earned = self.opened[reference]
        verdict: Ruling = "approved" if approved else "rejected"
        self.operate(
            lambda own: [step(own[0], self.program, earned, Verdict(verdict, "operator:olga", self.now))], member
        )

    # Spending and giving ------------------------------------------------------------------------------------------

    def redeem(self, member: str, redemption: str, what: int | str) -> None:
        request = (
            prices.RewardRequest(reward_id=what)
            if isinstance(what, str)
            else prices.MoneyRequest(points=what, order_total=1_000_000, currency="USD")
        )
        named: dict[str, Any] = {"redemption_id": redemption, "fingerprint": "request"}
        self.operate(
            lambda own: [redemptions.reserve(own[0], self.program, request, **named, **self._by("storefront:till"))],
            member,
        )

    def end(self, member: str, redemption: str, how: Literal["capture", "cancel", "give_up", "reverse"]) -> None:
        def step(own: Sequence[Account]) -> list[Entry]:
            if how == "reverse":
                captured = self._captured[redemption]
                return [redemptions.reverse(own[0], self.program, captured, redemption, **self._by("storefront:till"))]
            if redemption not in own[0].holds:
                raise InvalidStateError("only a reserved redemption can be ended")
            if how == "capture":
                named = {"voucher_code": "CODE", **self._by("storefront:till")}
                return [redemptions.capture(own[0], self.program, redemption, **named)]
            by = "member:app" if how == "give_up" else "storefront:till"
            named = {"occurred_at": self.now, **self._by(by)}
            return [redemptions.release(own[0], self.program, redemption, "cancel", **named)]

        for entry in self.operate(step, member):
            if entry.type == "capture":
                self._captured[redemption] = entry

    def send(self, giver: str, receiver: str, points: int, transfer: str) -> None:
        named: dict[str, Any] = {"transfer_id": transfer, "fingerprint": "request"}
        self.operate(
            lambda own: transfers.transfer(own[0], own[1], self.program, points, **named, **self._by("member:app")),
            giver,
            receiver,
        )

    def set_right(self, member: str, points: int, reference: str) -> None:
        named: dict[str, Any] = {"reason": "to set it right", "reference": reference, "fingerprint": "request"}
        self.operate(
            lambda own: [adjustments.adjust(own[0], self.program, points, **named, **self._by("operator:olga"))], member
        )

    def offer(self, giver: str, receiver: str, points: int, gift: str) -> None:
        named: dict[str, Any] = {"to": receiver, "gift_id": gift, "fingerprint": "request"}
        self.operate(lambda own: [gifts.offer(own[0], self.program, points, **named, **self._by("member:app"))], giver)

    def accept(self, giver: str, receiver: str, gift: str) -> None:
        self.operate(
            lambda own: gifts.accept(own[0], own[1], self.program, gift, **self._by("member:app")), receiver, giver
        )

    def decline(self, giver: str, receiver: str, gift: str) -> None:
        named: dict[str, Any] = {"to": receiver, **self._by("member:app")}
        self.operate(lambda own: [gifts.give_back(own[0], self.program, gift, **named)], giver)

    def share(self, member: str, pool: str, change: str, *, is_new: bool) -> None:
        named: dict[str, Any] = {"change_id": change, "is_new": is_new, "fingerprint": "request"}
        self.operate(
            lambda own: pooling.join(own[0], own[1], self.program, **named, **self._by("member:app")),
            member,
            pool_account_of(pool),
            shares=False,
        )

    def part(self, member: str, pool: str, change: str) -> None:
        def leave(own: Sequence[Account]) -> list[Entry]:
            if own[0].pool_id != pool:
                raise InvalidStateError("the member does not share this pool")
            return pooling.leave(own[0], own[1], self.program, change_id=change, **self._by("member:app"))

        self.operate(leave, member, pool_account_of(pool), shares=False)

    def cash_out(self, member: str, amount: int, payout: str) -> None:
        request = store_credit.Payout(amount=amount, currency="USD", reference=payout)

        def pay(own: Sequence[Account]) -> list[Entry]:
            named: dict[str, Any] = {"payout_id": payout, "fingerprint": "request"}
            return [store_credit.pay_out(own[0], own[1], self.program, request, **named, **self._by("storefront:till"))]

        self.operate(pay, member, wallet_of(member))

    def pay_with_credit(self, member: str, redemption: str, amount: int) -> None:
        request = prices.CreditRequest(credit=amount, order_total=1_000_000, currency="USD")

        def spend(own: Sequence[Account]) -> list[Entry]:
            named: dict[str, Any] = {"redemption_id": redemption, **self._by("storefront:till")}
            reserved = store_credit.reserve_credit(
                own[0], own[1], self.program, request, fingerprint="request", **named
            )
            return [reserved, redemptions.capture(book(own[1], reserved), self.program, voucher_code="CODE", **named)]

        self.operate(spend, member, wallet_of(member))

    # Memberships, days, the desk ------------------------------------------------------------------------------------

    def pay_for(self, member: str, plan: str, reference: str) -> None:
        payment = paid_plans.Payment(plan_id=plan, reference=reference, amount=1200, currency="USD", paid_at=self.now)
        self.operate(
            lambda own: [
                paid_plans.pay(own[0], self.program, payment, **self._by("storefront:till"), fingerprint="request")
            ],
            member,
        )

    def stop_paying(self, member: str, reference: str) -> None:
        self.operate(
            lambda own: [
                paid_plans.cancel(
                    own[0],
                    self.program,
                    reference,
                    points_brought=0,
                    **self._by("storefront:till"),
                    fingerprint="request",
                )
            ],
            member,
        )

    def celebrate(self, member: str, known_since: datetime) -> bool:
        """Today is their birthday. Whether it pays."""
        day = Occurrence(self.today, known_since)
        if not birthday_pays(self.look(member), self.program, day):
            return False

        def congratulate(own: Sequence[Account]) -> list[Entry]:
            if not birthday_pays(own[0], self.program, day):
                raise InvalidStateError("the birthday does not pay any more")
            return [celebrate_birthday(own[0], self.program, day, now=self.now)]

        self.operate(congratulate, member)
        return True

    def turn(self, member: str, reference: str, *, frozen: bool) -> None:
        step = freezing.freeze if frozen else freezing.unfreeze
        named: dict[str, Any] = {"reason": "a doubt", "reference": reference, "fingerprint": "request"}
        self.operate(lambda own: [step(own[0], self.program, **named, **self._by("operator:olga"))], member)

    def describe(self, member: str, tags: set[str], place: str | None, reference: str) -> None:
        traits = Traits(tags=tuple(sorted(tags)), place=place)
        self.operate(
            lambda own: [change_traits(own[0], self.program, traits, reference=reference, **self._by("operator:olga"))],
            member,
        )

    def judge_friend(self, member: str, *, approved: bool) -> None:
        self.operate(
            lambda own: reviewed(own[0], self.program, is_approved=approved, **self._by("operator:olga")), member
        )

    # What one member's entry means for others -----------------------------------------------------------------------

    def follow(self, entry: Entry) -> None:
        """Hear of an entry from the stream, perhaps once more, and do as `functions/consequences.py`."""
        assert entry.referred is not None
        self.heard = [*self.heard, entry][-AGAIN_MAX:]
        if entry.referred.state == "rewarded":
            self._reward_advocate(self.survivor(entry.member_id), entry.referred)
            return
        name = entry.referred.friend or entry.member_id
        for role in ROLES:
            side = side_of(role, entry.referred.times)
            paid = self._by_cause.get(keys.of("referral", friend=name, role=side))
            if paid is not None and paid.points:
                self._reverse(paid)

    def survivor(self, member: str) -> Account | None:
        """The open account that a member's points are on by now."""
        account = self.look(member)
        while account.merged_into is not None:
            account = self.look(account.merged_into)
        return account if account.is_open else None

    def _reward_advocate(self, friend: Account | None, told: Referred) -> None:
        terms, referred = self.program.referrals, friend.referred if friend else None
        if (
            terms is None
            or friend is None
            or referred is None
            or (referred.state, referred.order_id) != ("rewarded", told.order_id)
        ):
            return
        advocate, order = self.survivor(referred.advocate), self._earned.get(referred.order_id or "")
        if advocate is None or advocate.member_id == friend.member_id or order is None:
            return
        name = friend_of(friend)
        self._once(
            lambda own: [advocate_reward(own[0], self.program, terms, name, order, self.now, referred.times)],
            advocate.member_id,
        )

    def _reverse(self, paid: Entry) -> None:
        owner = self.survivor(paid.member_id)
        if owner is not None:

            def take_back(own: Sequence[Account]) -> list[Entry]:
                return [reversal(own[0], self.program, paid, self.now, self.lapsed(own[0], paid))]

            self._once(take_back, owner.member_id)

    def _once(self, decide: Decide, member: str) -> None:
        """Book it unless it stands."""
        if not any(keys.entry_key(entry) in self.causes for entry in self._decided(decide, [member], shares=True)):
            self.operate(decide, member)

    def _left_of_budgets(self) -> dict[str, int]:
        prepaid = (partner for partner in self.program.partners if partner.funding == "prepaid")
        return {**super()._left_of_budgets(), **{funding_name(one.partner_id): 0 for one in prepaid}}

    def deposit(self, partner: str, points: int) -> None:
        self.budgets[funding_name(partner)] += points
