"""What ends with an account and waits for the person: debt, a freeze, and what is given once in a life.

Whoever joins again meets it, as an entry that books it on the new account. An operator can lift it.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from shared.domain.account import Account
from shared.domain.actors import is_operator
from shared.domain.calendar import local_day
from shared.domain.earning.challenges import is_held
from shared.domain.entry import Entry
from shared.domain.explanations import explained
from shared.domain.facets import Badge, Use
from shared.domain.fields import Stored
from shared.domain.ledger import draft, negative, take, uses_brought, uses_given_back, uses_together
from shared.domain.points.grants import granted_now
from shared.domain.program.program import Program

_JOINED, _YES, _NO = "joined", "yes", "no"


class Remembered(Stored):
    """What waits for a person whose account has ended. `credit_debt` is in minor units of money.

    `uses` are what limits have counted, `badges` those that are given once.
    """

    joined: bool = False
    """Whether they have had what comes with joining, and have been somebody's friend."""
    debt: int = 0
    credit_debt: int = 0
    frozen: str = ""
    uses: Mapping[str, Use] = {}
    badges: Mapping[str, Badge] = {}
    counted: tuple[str, ...] = ()
    """Fingerprints of the refunds since the end whose debt is counted, wherever it has gone."""

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to meet."""
        return self.model_copy(update={"counted": ()}) == Remembered()


def remembered_of(member: Account, wallet: Account, program: Program) -> Remembered:
    """What is to be remembered of accounts that are about to be closed, or have been."""
    once = [challenge.challenge_id for challenge in program.challenges if not challenge.repeatable]
    return Remembered(
        joined=member.status != "provisional",
        debt=member.debt,
        credit_debt=wallet.debt,
        frozen=member.frozen,
        uses={name: use for name, use in member.uses.items() if not is_operator(name)},
        badges={name: member.badges[name] for name in once if is_held(member.badges.get(name))},
    )


def together(found: Sequence[Remembered], today: date) -> Remembered:
    """What waits for one person from several accounts."""
    whole = Remembered()
    for one in found:
        whole = Remembered(
            joined=whole.joined or one.joined,
            debt=whole.debt + one.debt,
            credit_debt=whole.credit_debt + one.credit_debt,
            frozen=whole.frozen or one.frozen,
            uses=uses_together(whole.uses, one.uses, today),
            badges={**one.badges, **whole.badges},
        )
    return whole


def met(account: Account, program: Program, what: Remembered, *, reference: str, now: datetime, actor: str) -> Entry:
    """Book on a member's account what has waited for them: what they have pays what they owe, the rest is debt."""
    rest = {
        "frozen": what.frozen if what.frozen and not account.frozen else None,
        "uses": uses_brought(what.uses, account.uses, local_day(now, program.time_zone)),
        "badges": {name: badge for name, badge in what.badges.items() if name not in account.badges},
    }
    source = _source(what, reference)
    return _owing(account, program, what.debt, source=source, now=now, actor=actor, **rest)


def met_in_wallet(
    wallet: Account, program: Program, what: Remembered, *, reference: str, now: datetime, actor: str
) -> Entry:
    """Book in a member's wallet what has waited for them, in minor units of money. The wallet is open."""
    return _owing(wallet, program, what.credit_debt, source=_source(what, reference), now=now, actor=actor)


def was_joined(entry: Entry) -> bool:
    """Whether whoever met what an entry books had had what comes with joining. An earlier release did not note it."""
    return entry.source.get(_JOINED, _YES) == _YES


def lifted(
    account: Account,
    program: Program,
    entry: Entry,
    *,
    reason: str,
    note: str | None = None,
    now: datetime,
    actor: str,
    fingerprint: str,
) -> Entry:
    """Take back what `entry` booked: the points come again, from today on, and pay what is owed first."""
    today = local_day(now, program.time_zone)
    effects = granted_now(account, program, -entry.points, today) if entry.points else {}
    held = {name: badge for name, badge in entry.badges.items() if is_held(account.badges.get(name))}
    return draft(
        account,
        "remembered_lift",
        occurred_at=now,
        recorded_at=now,
        points=-entry.points,
        program_version=program.version,
        actor=actor,
        fingerprint=fingerprint,
        **effects,
        frozen="" if entry.frozen and account.frozen == entry.frozen else None,
        uses=uses_given_back(entry.uses),
        badges={name: badge.model_copy(update={"times": 0}) for name, badge in held.items()},
        source={"reference": entry.source["reference"], **explained(reason, note)},
    )


def _source(what: Remembered, reference: str) -> dict[str, str]:
    return {"reference": reference, _JOINED: _YES if what.joined else _NO}


def _owing(
    account: Account,
    program: Program,
    owed: int,
    *,
    source: Mapping[str, str],
    now: datetime,
    actor: str,
    **rest: object,
) -> Entry:
    taken = take(account.lots, min(account.balance, owed))
    return draft(
        account,
        "remembered",
        occurred_at=now,
        recorded_at=now,
        points=-owed,
        program_version=program.version,
        actor=actor,
        lots=negative(taken),
        debt=owed - sum(taken.values()),
        source=source,
        **rest,
    )
