"""Random histories of a few members whose orders come back, are amended and change hands, played beside a clerk.

A history is data: a program and steps, drawn from a seed and its number. The services book it on a DynamoDB in memory,
the clerk keeps its file, and after each step both must say the same of everything. A history that fails is made as
short as it can be.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pprint import pformat
from random import Random
from types import SimpleNamespace
from typing import Any, NamedTuple

from infra.machine import environment
from infra.simulation.fake_dynamodb import Database, Written
from infra.simulation.seams import SETTINGS
from infra.tables import LOYALTY, PEOPLE
from shared import runtime
from shared.caller import OPERATOR, PARTNER, STOREFRONT, Caller
from shared.domain import order_ids
from shared.domain.account import Account
from shared.domain.earning.actions import Occasion
from shared.domain.earning.challenges import courses
from shared.domain.earning.enrolment import enroll
from shared.domain.earning.orders import Line as OrderLine
from shared.domain.earning.orders import Order
from shared.domain.earning.refunds import ReturnedLine
from shared.domain.entry import Entry
from shared.domain.errors import LoyaltyError
from shared.domain.facets import Referred
from shared.domain.invariants import breaches
from shared.domain.lifecycle.closing import merge_whole
from shared.domain.points.tiers import held_tier
from shared.domain.program.campaigns import Campaign
from shared.domain.program.program import Program
from shared.domain.program.rules import Rule
from shared.domain.spending.prices import MoneyRequest
from shared.domain.spending.redemptions import Part
from shared.domain.subaccounts import is_pool, owner_of, wallet_of
from shared.services import consequences, earning, order_corrections, pools, redemptions, refunds
from shared.tables import accounts, budgets, keys, ledger, operation, programs
from shared.tables.operation import Decision, Situation
from tests.model import long_runs
from tests.model.clerks.kept_orders import Clerk, Line, Return, bonuses_of, name_of, period_of

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
MEMBERS = ("ada", "bob", "cyd")
TILL = Caller("till", frozenset({STOREFRONT}), None)
OLGA = Caller("olga", frozenset({OPERATOR}), None)
CAFE = Caller("cafe", frozenset({PARTNER}), None, "cafe")
STEPS_MAX = 20

Text = dict[str, Any]
"""A program, as it is stored."""


class Step(NamedTuple):
    """One step: what is done, who does it, and numbers that say on what and how much. Any numbers make a step."""

    kind: str
    member: int
    which: int
    numbers: tuple[int, ...]
    lines: tuple[Line, ...] = ()


class History(NamedTuple):
    """A program and what happens under it. `brought` says for each member but the first whether an earlier one did."""

    program: Text
    brought: tuple[int, ...]
    steps: tuple[Step, ...]


class DisagreementError(Exception):
    """Shop and clerk differ, after a step of a history."""

    def __init__(self, step: int, found: Sequence[str]) -> None:
        self.step, self.found = step, tuple(found)
        super().__init__(step, self.found)


# Drawing --------------------------------------------------------------------------------------------------------------


def drawn(seed: int, number: int) -> History:
    """The `number`th history of a seed."""
    random = Random(f"{seed}/{number}")  # noqa: S311 - the same for the same seed, guards nothing
    kinds = {**dict(_KINDS), **(_OFTENER if random.randrange(2) else {})}
    program = _program(random)
    if random.randrange(3) == 0:
        program = {**program, "challenges": [], "referrals": None}
        kinds["merge"] = 12
    if program["expiry"]["kind"] != "never":
        kinds["wait"] = 40
    steps = tuple(_step(random, kinds) for _ in range(random.randrange(4, STEPS_MAX + 1)))
    return History(program, (random.randrange(3), random.randrange(3)), steps)


_KINDS = (
    ("buy", 50),
    ("buy_at_partner", 14),
    ("return", 22),
    ("return_lines", 18),
    ("keep", 14),
    ("amend", 12),
    ("claim", 8),
    ("act", 8),
    ("spend", 4),
    ("spend_on_order", 10),
    ("reverse", 4),
    ("share", 5),
    ("unshare", 3),
    ("wait", 14),
)
_OFTENER: Mapping[str, int] = {"spend": 12, "spend_on_order": 30, "reverse": 16, "share": 20, "unshare": 12, "keep": 4}
"""How often what moves points comes in half of the histories."""
_ARTICLES = (("TEA", "tea"), ("POT", "tea"), ("CUP", None), ("CARD", "gift"), ("BOOK", "books"))


def _step(random: Random, kinds: Mapping[str, int]) -> Step:
    [kind] = random.choices(list(kinds), list(kinds.values()))
    numbers = tuple(random.randrange(1000) for _ in range(4))
    return Step(kind, random.randrange(len(MEMBERS)), random.randrange(1000), numbers, _lines(random))


def _lines(random: Random) -> tuple[Line, ...]:
    lines = []
    for _ in range(random.choice((0, 1, 1, 2, 2, 3))):
        sku, category = random.choice(_ARTICLES)
        pieces = random.randrange(1, 4)
        lines.append(Line(sku, category, pieces, pieces * random.choice((100, 250, 333))))
    return tuple(lines)


_EXPIRIES: tuple[Text, ...] = (
    {"kind": "never"},
    {"kind": "never"},
    {"kind": "term", "days": 2},
    {"kind": "term", "days": 25},
    {"kind": "term", "months": 1, "ends": "month"},
    {"kind": "inactivity", "months": 1},
)


def _program(random: Random) -> Text:
    chance: Callable[[], bool] = lambda: random.random() < 0.4  # noqa: E731
    text: Text = {
        "name": "Random",
        "currency": "USD",
        "country": "US",
        "time_zone": "UTC",
        "earning": {
            "points": random.choice((1, 2, 5)),
            "per_amount": random.choice((100, 70, 250)),
            "whole_steps": random.random() < 0.2,
            "description": "Points",
            "rounding": random.choice(("down", "nearest", "up")),
            "minimum_spend": random.choice((0, 0, 300)),
            "excluded_categories": ["gift"] if chance() else [],
            "pending_days": random.choice((0, 0, 20)),
            "rules": [rule for rule in _rules(random) if chance()],
            "actions": [
                {"action_id": "review", "description": "Review", "points": 4, "limit": {"points": 7, "per": "week"}}
            ],
        },
        "expiry": random.choice(_EXPIRIES),
        "tiers": {
            "measure": random.choice(("points", "spend")),
            "period": random.choice(("lifetime", "rolling_12_months")),
            "levels": [
                {"tier_id": "one", "name": "One", "threshold": 0},
                {"tier_id": "two", "name": "Two", "threshold": random.choice((9, 20, 800)), "percent": 125},
                {"tier_id": "three", "name": "Three", "threshold": 2000, "percent": 200},
            ],
        },
        "redeeming": {"points_as_money": {"points": 1, "amount": 1}},
        "pools": {},
        "challenges": [one for one in _challenges(random) if chance()],
    }
    if chance():
        text["earning"]["base_max"] = 12
    if chance():
        text["campaigns"] = [_campaign(random)]
    if chance():
        text["referrals"] = {
            "friend_points": random.choice((0, 6)),
            "advocate_points": 11,
            "minimum_spend": random.choice((0, 500)),
            "purchase_days": random.choice((3, 90)),
            "return_days": random.choice((0, 30)),
        }
    if chance():
        text["cashback"] = {
            "amount": 7,
            "per_amount": 100,
            "rounding": random.choice(("down", "nearest", "up")),
            "minimum_spend": random.choice((0, 400)),
            "excluded_categories": ["books"] if chance() else [],
            **({"order_max": 40} if chance() else {}),
        }
    if chance():
        text["standing_rules"] = {"caps": {"points_per_order": 15, "points_per_day": random.choice((20, 30))}}
    if chance():
        text["segments"] = {"scoring": {}, "named": []}
    if chance():
        text["partners"] = [_partner(random)]
    return text


def _partner(random: Random) -> Text:
    counts = ("tiers", "challenges", "referrals", "campaigns", "segments")
    limits = {"points_per_order": 13, "points_per_member_day": 20, "points_per_member_month": 30}
    return {
        "partner_id": "cafe",
        "name": "The Cafe",
        "point_cost": {"points": 100, "amount": 100},
        "counts_toward": [one for one in counts if random.randrange(2)],
        "limits": {name: most for name, most in limits.items() if random.randrange(3) == 0},
    }


def _rules(random: Random) -> list[Text]:
    per = random.choice(("month", "week", "lifetime"))
    return [
        {
            "rule_id": "tea",
            "description": "Tea counts double",
            "when": {"categories": ["tea"]},
            "effect": {"kind": "multiply", "percent": 200},
        },
        {
            "rule_id": "cups",
            "description": "Points for each cup",
            "when": {"skus": ["CUP"]},
            "effect": {"kind": "add", "points": 2, "per": "item"},
            "limit": {"points": 5, "per": per},
        },
        {
            "rule_id": "large",
            "description": "Large orders",
            "when": {"minimum_spend": 500},
            "effect": {"kind": "add", "points": 3},
            "limit": {"times": 2, "per": per},
        },
        {
            "rule_id": "high",
            "description": "The higher tiers",
            "when": {"tiers": ["two", "three"]},
            "effect": {"kind": "multiply", "percent": 150},
        },
    ]


def _campaign(random: Random) -> Text:
    effect = random.choice(({"kind": "add", "points": 3}, {"kind": "multiply", "percent": 200}))
    campaign: Text = {
        "campaign_id": "spring",
        "description": "Spring",
        "effect": effect,
        "hold_out_percent": random.choice((0, 40)),
        "budget": {"points": random.choice((5, 12, 1000))},
    }
    if random.randrange(2):
        campaign["limit"] = {"points": 8, "per": "month"}
    return campaign


def _challenges(random: Random) -> list[Text]:
    per = random.choice(("month", "lifetime"))
    goals: list[Text] = [
        {"kind": "count", "of": "orders", "target": 2, "per": per},
        {"kind": "count", "of": "amount", "target": 1500, "per": per},
        {"kind": "count", "of": "points", "target": 20, "per": per},
        {"kind": "count", "of": "actions", "target": 2, "per": per},
        {"kind": "visits", "target": random.choice((2, 3)), "within_days": random.choice((3, 20))},
        {"kind": "streak", "target": 2, "per": random.choice(("day", "week", "month"))},
        {"kind": "variety", "of": "categories", "target": 2, "per": per},
    ]
    return [
        {
            "challenge_id": f"{goal['kind']}-{goal.get('of', 'of')}",
            "name": "A challenge",
            "goal": goal,
            "points": random.choice((0, 5, 9)),
            "repeatable": bool(random.randrange(2)),
            "minimum_spend": random.choice((0, 0, 400)) if goal.get("of") != "actions" else 0,
        }
        for goal in goals
    ]


# Playing --------------------------------------------------------------------------------------------------------------


@contextmanager
def in_memory() -> Iterator["Machine"]:
    """The services on a DynamoDB in memory, for any number of histories."""
    machine = Machine()
    database: Any = lambda: machine.database  # noqa: E731
    log: Any = SimpleNamespace(**dict.fromkeys(("exception", "error", "warning", "info"), lambda *_, **__: None))
    telemetry: Any = SimpleNamespace(logger=lambda: log, count=lambda **_: None, report=machine.report)
    replaced = runtime.use(
        clock=lambda: machine.now,
        monotonic=lambda: 0.0,
        random=Random(0),  # noqa: S311 - guards nothing
        back_off=lambda _: None,
        database=database,
        telemetry=telemetry,
    )
    with replaced, environment.restored():
        import os  # noqa: PLC0415

        os.environ.update(SETTINGS)
        runtime.forget()
        try:
            yield machine
        finally:
            runtime.forget()


class Machine:
    """The database that the services meet, and the clock."""

    def __init__(self) -> None:
        self.now = START
        self.database: Database
        self.written: list[Written] = []
        self.broken: list[str] = []

    def restart(self) -> None:
        """Begin with empty tables."""
        self.now, self.written, self.broken = START, [], []
        tables = (LOYALTY, PEOPLE)
        self.database = Database(tables, lambda _, execute: execute(), self.written.extend, lambda: 0)

    def report(self, member_id: str, found: Sequence[Any]) -> None:
        """Broken invariants that an operation has found."""
        self.broken += [f"{member_id}: {one}" for one in found]


@dataclass
class Player:
    """Plays one history on a machine, and the clerk beside it."""

    machine: Machine
    history: History
    accounts: dict[str, Account] = field(default_factory=dict)
    ledgers: dict[str, list[Entry]] = field(default_factory=dict)
    pools: list[str] = field(default_factory=list)
    sharing: set[str] = field(default_factory=set)
    """Who has ever shared a pool: what is theirs is told together."""
    redemptions: list[str] = field(default_factory=list)
    survivors: dict[str, str] = field(default_factory=dict)
    """Into whom others were merged."""
    orders: int = 0
    others: int = 0
    done: int = 0
    """Steps that were not refused."""

    def __post_init__(self) -> None:
        self.machine.restart()
        program = Program.model_validate(json.loads(json.dumps(self.history.program)))
        self.program = programs.replace_program(program, 1)
        budgets.apply(self.program)
        self.machine.written.clear()
        self.clerk = Clerk(self.program, self.today)

    @property
    def today(self) -> date:
        """The day, in the program's zone, which is UTC."""
        return self.machine.now.date()

    def play(self) -> int:
        """Play it all. Raises DisagreementError. How many steps were done."""
        for number, name in enumerate(MEMBERS):
            before = self.history.brought[number - 1] if number else 0
            self._enroll(name, MEMBERS[before - 1] if 0 < before <= number else None)
        for number, step in enumerate(self.history.steps):
            budgets.forget()
            try:
                getattr(self, f"_{step.kind}")(step)
                self._follow()
                found = [*self.machine.broken, *self._differences()]
            except AssertionError as error:
                found = [f"an assertion failed: {error!r}"]
            if found:
                raise DisagreementError(number, found)
        for name, account in self.accounts.items():
            broken = [f"{name}: {one}" for one in breaches(account, self.ledgers[name])]
            if broken:
                raise DisagreementError(len(self.history.steps), broken)
        return self.done

    # Steps ------------------------------------------------------------------------------------------------------------

    def _enroll(self, name: str, advocate: str | None) -> None:
        referred = Referred(advocate=advocate) if advocate and self.program.referrals else None
        entry = enroll(name, self.program, now=self.machine.now, actor="till", fingerprint="", referred=referred)
        operation.enroll([entry], [], self.program, self.machine.now)
        self.clerk.enroll(name, advocate if referred else None)
        self._follow()

    def _buy(self, step: Step) -> None:
        name, order = self._name(step), self._order(step)
        earning.earn_order(name, order, caller=TILL, now=self.machine.now)
        self.clerk.buy(name, order.order_id, order.total, step.lines, _day_of(order))
        self.done += 1

    def _buy_at_partner(self, step: Step) -> None:
        """Buy at a partner, which sends the order itself, or has the shop send it."""
        if not self.program.partners:
            return
        [partner] = self.program.partners
        name, order = self._name(step), self._order(step)
        order_id = order.order_id
        if step.numbers[3] % 2:
            earning.earn_order(name, order, caller=CAFE, now=self.machine.now)
            order_id = order_ids.of_partner(partner.partner_id, order_id)
        else:
            named = order.model_copy(update={"partner_id": partner.partner_id})
            earning.earn_order(name, named, caller=TILL, now=self.machine.now)
        self.clerk.buy(name, order_id, order.total, step.lines, _day_of(order), partner)
        self.done += 1

    def _order(self, step: Step) -> Order:
        self.orders += 1
        total = sum(line.amount for line in step.lines) + (
            step.numbers[0] if step.numbers[1] % 2 or not step.lines else 0
        )
        total = max(1, total)
        placed_at = self.machine.now - timedelta(days=(0, 0, 0, 1, 5)[step.numbers[2] % 5])
        lines = _order_lines(step.lines)
        return Order(order_id=f"o-{self.orders}", placed_at=placed_at, currency="USD", total=total, lines=lines)

    def _return(self, step: Step) -> None:
        """Part of an order, or all of it, by its amount."""
        sale = self._pick(step, lambda sale: sale.amount_kept > 0)
        if sale is not None:
            amount = max(1, sale.amount_kept * (1, 2, 3, 4, 4)[step.numbers[0] % 5] // 4)
            self._refund(sale.order_id, Return(amount), gives_back=bool(step.numbers[2] % 2))

    def _return_lines(self, step: Step) -> None:
        """Pieces of one line of an order, or all of it."""
        sale = self._pick(step, lambda sale: sale.amount_kept > 0 and bool(sale.lines))
        if sale is None:
            return
        line = sale.lines[step.numbers[0] % len(sale.lines)]
        bought = [one for one in sale.lines if one.sku == line.sku]
        back = [one.lines[line.sku] for one in sale.back.values() if line.sku in one.lines]
        pieces = sum(one.pieces for one in bought) - sum(pieces for pieces, _ in back)
        amount = sum(one.amount for one in bought) - sum(paid for _, paid in back)
        if not pieces:
            return
        gone = pieces if step.numbers[1] % 2 else 1 + step.numbers[1] % pieces
        paid = min(amount * gone // pieces, sale.amount_kept)
        part = Return(paid, {line.sku: (gone, paid)})
        self._refund(sale.order_id, part, gives_back=bool(step.numbers[2] % 2))

    def _refund(self, order_id: str, part: Return, *, gives_back: bool) -> None:
        sale = self.clerk.sale(order_id)
        self.others += 1
        refund_id = f"r-{self.others}"
        lines = tuple(ReturnedLine(sku=sku, quantity=one[0], amount=one[1]) for sku, one in part.lines.items())
        request = refunds.Refund(
            order_id=order_ids.shown(order_id),
            refund_id=refund_id,
            refunded_at=self.machine.now,
            return_spent=gives_back,
            **({"lines": lines} if lines else {"amount": part.amount}),
        )
        refunds.refund(sale.owner, request, caller=TILL, now=self.machine.now)
        self.clerk.take_back(order_id, refund_id, part, gives_back=gives_back)
        self.done += 1

    def _keep(self, step: Step) -> None:
        """A refund is taken back."""
        sale = self._pick(step, lambda sale: bool(sale.back.keys() - sale.final))
        if sale is None:
            return
        refund_ids = [one for one in sale.back if one not in sale.final]
        refund_id = refund_ids[step.numbers[0] % len(refund_ids)]
        request = order_corrections.RefundOfOrder(order_id=order_ids.shown(sale.order_id))
        order_corrections.reverse_refund(sale.owner, refund_id, request, caller=TILL, now=self.machine.now)
        self.clerk.keep(sale.order_id, refund_id)
        self.done += 1

    def _amend(self, step: Step) -> None:
        sale = self._pick(step, lambda sale: not sale.back)
        if sale is None:
            return
        self.others += 1
        total = max(1, sum(line.amount for line in step.lines) + (step.numbers[0] if step.numbers[1] % 2 else 0))
        request = order_corrections.Amendment(
            amendment_id=f"a-{self.others}", amended_at=self.machine.now, total=total, lines=_order_lines(step.lines)
        )
        shown = order_ids.shown(sale.order_id)
        order_corrections.amend(sale.owner, shown, request, caller=TILL, now=self.machine.now)
        self.clerk.amend(sale.order_id, total, step.lines)
        self.done += 1

    def _claim(self, step: Step) -> None:
        name = self._name(step)
        sale = self._pick(step, lambda sale: sale.owner != name)
        if sale is None:
            return
        self.others += 1
        request = order_corrections.Claim(claim_id=f"c-{self.others}", reason="the wrong card")
        order_corrections.claim(name, order_ids.shown(sale.order_id), request, caller=OLGA, now=self.machine.now)
        self.clerk.claim(sale.order_id, name)
        self.done += 1

    def _act(self, step: Step) -> None:
        self.others += 1
        name, occurred_at = self._name(step), self.machine.now - timedelta(days=(0, 0, 2)[step.numbers[0] % 3])
        occasion = Occasion(action="review", reference=f"v-{self.others}", occurred_at=occurred_at)
        earning.earn_for_action(name, occasion, caller=TILL, now=self.machine.now)
        self.clerk.act(name, "review", occurred_at.date())
        self.done += 1

    def _spend(self, step: Step) -> None:
        self.others += 1
        name = self._name(step)
        points = self._part(name, step)
        self._redeem(name, MoneyRequest(points=points, order_total=100_000, currency="USD", capture=True))

    def _part(self, name: str, step: Step) -> int:
        """How many points are spent, of all that a member can spend."""
        account = self.accounts[name]
        shared = [one for one in self.accounts.values() if name in one.pool_members]
        have = account.balance + sum(pool.balance for pool in shared)
        return 1 + step.numbers[0] % max(1, have)

    def _spend_on_order(self, step: Step) -> None:
        """Pay for part of an order with points: its return may give them back."""
        sale = self._pick(step, lambda sale: sale.amount_kept > 0)
        if sale is None:
            return
        self.others += 1
        name = sale.owner
        request = MoneyRequest(
            points=min(self._part(name, step), sale.amount_kept),
            order_total=sale.amount_kept,
            currency="USD",
            capture=True,
            order_id=order_ids.shown(sale.order_id),
        )
        self._redeem(name, request, sale.order_id)

    def _redeem(self, name: str, request: MoneyRequest, order_id: str | None = None) -> None:
        try:
            done = redemptions.redeem(name, request, key=f"k-{self.others}", caller=TILL, now=self.machine.now)
        except LoyaltyError:
            return
        redemption_id = done.outcome.entry.source["redemption_id"]
        self.redemptions.append(redemption_id)
        self.clerk.spend(redemption_id, name, request.points, order_id)
        self.done += 1

    def _reverse(self, step: Step) -> None:
        """What was had for points comes back, in part or all of what is left of it."""
        if not self.redemptions:
            return
        redemption_id = self.redemptions[step.which % len(self.redemptions)]
        name = self.clerk.spent[redemption_id].owner
        left = self.clerk.left_of_redemption(redemption_id)
        if not left:
            return
        self.others += 1
        points = 1 + step.numbers[0] % left if step.numbers[1] % 2 else left
        part = Part(reversal_id=f"v-{self.others}", points=points)
        redemptions.reverse_redemption(name, redemption_id, part, caller=TILL, now=self.machine.now)
        self.clerk.give_back(redemption_id, points)
        self.done += 1

    def _share(self, step: Step) -> None:
        """Open a pool, or join the last one that there is."""
        self.others += 1
        name, key, now = self._name(step), f"p-{self.others}", self.machine.now
        with suppress(LoyaltyError):
            if self.pools and step.numbers[0] % 4:
                invited = pools.invite(self.pools[-1], key=key, caller=TILL, now=now)
                pools.join_pool(self.pools[-1], name, invited.code, key=key, caller=TILL, now=now)
            else:
                opened = pools.open_pool(name, key=key, caller=TILL, now=now)
                self.pools.append(owner_of(opened.accounts[1].member_id))
            self.sharing.add(name)
            self.done += 1

    def _unshare(self, step: Step) -> None:
        """Somebody leaves the pool that they share."""
        self.others += 1
        sharing = [name for name in MEMBERS if self.accounts[name].pool_id and name not in self.survivors]
        if sharing:
            name, key = sharing[step.which % len(sharing)], f"p-{self.others}"
            pool_id = str(self.accounts[name].pool_id)
            pools.leave_pool(pool_id, name, key=key, caller=TILL, now=self.machine.now)
            self.done += 1

    def _merge(self, step: Step) -> None:
        """Two become one, where the program has nothing that the clerk cannot tell of who they were before."""
        into, gone = self._name(step), self._name(step._replace(member=step.which))
        if into == gone or self.program.challenges or self.program.referrals:
            return
        ids = [into, gone, wallet_of(into), wallet_of(gone)]

        def decide(situation: Situation) -> Decision:
            stays, goes, wallet, gone_wallet, *beside = situation.accounts
            how: dict[str, Any] = {"now": situation.now, "actor": TILL.actor}
            return Decision(merge_whole(goes, stays, (gone_wallet, wallet), beside, situation.program, **how))

        key = keys.of("merge_out", **{"from": gone, "into": into})
        operation.run(ids, decide, key=key, fingerprint="", now=self.machine.now, shares=False)
        self.survivors[gone] = into
        self.sharing |= {into} if gone in self.sharing else set()
        self.clerk.merge(gone, into)
        self.done += 1

    def _name(self, step: Step) -> str:
        """Who does it: whoever the member has become by merges."""
        name = MEMBERS[step.member % len(MEMBERS)]
        while name in self.survivors:
            name = self.survivors[name]
        return name

    def _ledger(self, name: str, account_of: Callable[[str], str] = str) -> list[Entry]:
        """All entries of somebody, of their wallets if `account_of` says so, and of those merged into them."""
        merged = [gone for gone, into in self.survivors.items() if into == name]
        own = self.ledgers.get(account_of(name), [])
        return [*own, *(entry for gone in merged for entry in self._ledger(gone, account_of))]

    def _wait(self, step: Step) -> None:
        self.machine.now += timedelta(hours=(1, 20, 24, 24 * 3, 24 * 8, 24 * 32)[step.numbers[0] % 6])
        self.clerk.today = self.today
        self.done += 1

    def _pick(self, step: Step, fits: Callable[[Any], bool]) -> Any:
        fitting = [sale for sale in self.clerk.all_sales() if fits(sale)]
        fitting.sort(key=lambda sale: int(sale.order_id.rpartition("-")[2]))
        return fitting[step.which % len(fitting)] if fitting else None

    # What has been written --------------------------------------------------------------------------------------------

    def _follow(self) -> None:
        """Read what was written; what it means for others is booked, too."""
        while self.machine.written:
            written = list(self.machine.written)
            self.machine.written.clear()
            for one in written:
                if one.table != LOYALTY.name or one.after is None:
                    continue
                if one.key[1] == "ACCOUNT":
                    account = accounts.account_of(one.after)
                    self.accounts[account.member_id] = account
                elif "type" in one.after and one.before is None:
                    entry = ledger.entry_of(one.after)
                    self.ledgers.setdefault(entry.member_id, []).append(entry)
                    consequences.draw(entry, self.machine.now)

    def _differences(self) -> list[str]:
        """Where shop and clerk do not say the same."""
        said: dict[str, tuple[object, object]] = {}
        for name in (one for one in MEMBERS if one not in self.survivors):
            said |= {f"{name}: {what}": pair for what, pair in self._of_member(name).items()}
            if name not in self.sharing:
                said[f"{name}: owns"] = (_owns(self.accounts[name], self._ledger(name)), self.clerk.owns(name))
        owners = self.sharing - self.survivors.keys()
        shared = [name for name in self.accounts if name in owners or is_pool(name)]
        owned = sum(_owns(self.accounts[name], self._ledger(name)) for name in shared)
        said["shared"] = (owned, sum(map(self.clerk.owns, owners)))
        for campaign in self.program.campaigns:
            left = budgets.load(f"campaign:{campaign.campaign_id}").left
            said[f"left of {campaign.campaign_id}"] = (left, self.clerk.left_of(campaign))
        return [
            f"{what}: the shop says {shop}, the clerk {clerk}" for what, (shop, clerk) in said.items() if shop != clerk
        ]

    def _of_member(self, name: str) -> dict[str, tuple[object, object]]:
        account, clerk, program = self.accounts[name], self.clerk, self.program
        entries, wallet = self._ledger(name), self._ledger(name, wallet_of)
        sales = clerk.sales(name)
        said: dict[str, tuple[object, object]] = {
            "points of orders": (
                _by_order(entries),
                {one.order_id: clerk.points(one) for one in sales if clerk.points(one)},
            ),
            "credit of orders": (
                _by_order(wallet),
                {one.order_id: clerk.credit(one) for one in sales if clerk.credit(one)},
            ),
            "rewards": (_sum(entries, "referral", "referral_reversal"), clerk.rewards(name)),
            "badge points": (_sum(entries, "badge", "badge_lost"), clerk.badge_points(name)),
            "counted": ({month: one for month, one in account.qualifying.items() if one}, clerk.counted(name)),
            "tier": (
                held_tier(account, program.tiers, self.today).tier_id,
                program.tiers.levels[clerk.rank(name)].tier_id,
            ),
            "challenges": (self._courses(account), self._courses_of_clerk(name)),
        }
        referred = account.referred
        if referred is not None:
            supports = clerk.supports(name)
            said["pays off"] = (referred.state == "rewarded", bool(supports))
            said["rests on"] = (referred.state != "rewarded" or referred.order_id in supports, True)
        if program.segments:
            activity = {month: (one.orders, one.amount) for month, one in account.activity.items()}
            activity = {month: one for month, one in activity.items() if one != (0, 0)}
            said["activity"] = (activity, clerk.activity(name))
        for bonus in bonuses_of(program):
            if bonus.limit:
                used = _use(account, bonus, self.today)
                said[f"uses of {bonus.description}"] = (used, clerk.used(name, bonus))
        if program.standing_rules:
            use = account.uses.get("standing:day")
            had = use.points if use and use.period == str(self.today) else 0
            said["had today"] = (had, clerk.had_today(name))
        return said

    def _courses(self, account: Account) -> dict[str, tuple[int, int]]:
        return {
            one.challenge.challenge_id: (one.done, one.badge.times if one.badge else 0)
            for one in courses(account, self.program, self.today)
        }

    def _courses_of_clerk(self, name: str) -> dict[str, tuple[int, int]]:
        return {one.challenge_id: tuple(self.clerk.course(name, one)) for one in self.program.challenges}  # type: ignore[misc]


def _owns(account: Account, entries: Sequence[Entry]) -> int:
    """What an account has, and what of it has expired and was not taken back since."""
    expired = sum(-one.points if one.type == "expiry" else one.expired_points for one in entries)
    has = account.balance + account.pending_points + account.held_points - account.debt
    return has + expired - sum(sum(one.lapsed.values()) for one in entries)


def _moved(entry: Entry) -> int:
    """The points of an entry, with those that have expired instead of being given or taken."""
    return entry.points + (entry.expired_points if entry.type != "expiry" else 0) - sum(entry.lapsed.values())


_OF_ORDERS = frozenset({"earn", "refund", "refund_reversal", "amend", "claim_out", "claim_in"})


def _by_order(entries: Sequence[Entry]) -> dict[str, int]:
    """What each order has brought, all that was done to it included."""
    found: dict[str, int] = {}
    for entry in entries:
        if entry.type in _OF_ORDERS and "order_id" in entry.source:
            order_id = entry.source["order_id"]
            found[order_id] = found.get(order_id, 0) + _moved(entry)
    return {order_id: points for order_id, points in found.items() if points}


def _sum(entries: Sequence[Entry], *types: str) -> int:
    return sum(_moved(entry) for entry in entries if entry.type in types)


def _use(account: Account, bonus: Rule | Campaign, today: date) -> tuple[int, int]:
    """How often a bonus was had in its present period, and how many points, as the account says."""
    name = name_of(bonus)
    use = account.uses.get(name)
    if use is None or bonus.limit is None or not _is_now(use.period, bonus.limit.per, today):
        return 0, 0
    return use.times, use.points


def _is_now(period: str, per: str, today: date) -> bool:
    now = {"week": "{}-W{:02}".format(*today.isocalendar()[:2]), "lifetime": "always"}
    return period == now.get(per, period_of(today, per))


def _day_of(order: Order) -> date:
    placed_at = order.placed_at or START
    return placed_at.date()


def _order_lines(lines: Sequence[Line]) -> tuple[OrderLine, ...]:
    return tuple(OrderLine(sku=one.sku, category=one.category, quantity=one.pieces, amount=one.amount) for one in lines)


# Shrinking ------------------------------------------------------------------------------------------------------------


def failure(machine: Machine, history: History) -> DisagreementError | None:
    """Where a history fails, if it does."""
    try:
        Player(machine, history).play()
    except DisagreementError as error:
        return error
    return None


def shortest(machine: Machine, history: History) -> History:
    """A history that fails, with as few steps and as small a program as can be found by leaving things out."""
    return long_runs.shortest(history, _smaller, partial(failure, machine))


def _smaller(history: History) -> Iterator[History]:
    for number in range(len(history.steps)):
        yield history._replace(steps=history.steps[:number] + history.steps[number + 1 :])
    for number, step in enumerate(history.steps):
        for line in range(len(step.lines)):
            less = step._replace(lines=step.lines[:line] + step.lines[line + 1 :])
            yield history._replace(steps=(*history.steps[:number], less, *history.steps[number + 1 :]))
    for program in _plainer(history.program):
        yield history._replace(program=program)
    if any(history.brought):
        yield history._replace(brought=(0, 0))
    for number, step in enumerate(history.steps):
        for place, value in enumerate(step.numbers):
            for lower in {0, value % 6} - {value}:
                simpler = step._replace(numbers=(*step.numbers[:place], lower, *step.numbers[place + 1 :]))
                if lower < value:
                    yield history._replace(steps=(*history.steps[:number], simpler, *history.steps[number + 1 :]))


_PLAIN: Mapping[str, Any] = {
    "points": 1,
    "per_amount": 100,
    "whole_steps": False,
    "rounding": "down",
    "minimum_spend": 0,
    "excluded_categories": [],
    "pending_days": 0,
}


def _plainer(program: Text) -> Iterator[Text]:
    for name in ("campaigns", "referrals", "cashback", "standing_rules", "segments", "partners"):
        if name in program:
            yield {key: value for key, value in program.items() if key != name}
    for number in range(len(program["challenges"])):
        yield {**program, "challenges": program["challenges"][:number] + program["challenges"][number + 1 :]}
    earning = program["earning"]
    for number in range(len(earning["rules"])):
        yield {**program, "earning": {**earning, "rules": earning["rules"][:number] + earning["rules"][number + 1 :]}}
    if "base_max" in earning:
        yield {**program, "earning": {key: value for key, value in earning.items() if key != "base_max"}}
    for name, value in _PLAIN.items():
        if earning[name] != value:
            yield {**program, "earning": {**earning, name: value}}
    terms = {"expiry": _EXPIRIES[0]}, {"tiers": {**program["tiers"], "measure": "points", "period": "lifetime"}}
    yield from (plainer for one in terms if (plainer := {**program, **one}) != program)


def played(seed: int, first: int, end: int) -> str | None:
    """Play some histories of a seed; the first that fails, as short as it can be, told with what differs."""
    with in_memory() as machine:
        for number in range(first, end):
            history = drawn(seed, number)
            if failure(machine, history) is None:
                continue
            short = shortest(machine, history)
            error = failure(machine, short)
            found = "\n  ".join(error.found) if error else "it depends on chance"
            return f"seed {seed}, history {number}:\n  {found}\n{pformat(short, width=110)}"
    return None
