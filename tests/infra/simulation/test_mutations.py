"""Rules broken on purpose, one at a time: the simulation finds each of them."""

from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest

from infra.simulation.run import WORLD_OPERATIONS, play
from infra.simulation.world import BreachError
from shared.domain.account import Account
from shared.domain.earning.kept_orders import NOTHING_RETURNED, Returned, Sale
from shared.domain.earning.refunds import refund_order
from shared.domain.entry import Entry
from shared.domain.errors import IdempotencyMismatchError, TryAgainError
from shared.domain.ledger import combined, give
from shared.domain.lifecycle import changed_order, passing_of_time
from shared.domain.lots import Lots
from shared.domain.points import grants
from shared.domain.program.program import Program
from shared.domain.spending import merges, redemptions, store_credit, transfers
from shared.services import announcements
from shared.services import redemptions as redeeming
from shared.tables import accounts as accounts_table
from shared.tables import budgets, client, ledger, operation, order_payments, orders
from shared.tables.client import Key, Write

OPERATIONS_MAX = 20_000
SEED = 7

_put_over, _entry_put, _transact = client.put_over, ledger.put, client.transact
_account_put, _draw, _refund_order = accounts_table.put, budgets._draw, refund_order  # noqa: SLF001
_mature, _release, _announce = passing_of_time._mature, redemptions.release, announcements.announce  # noqa: SLF001


def _unconditional(write: Write) -> Write:
    [(kind, request)] = write.items()
    kept = {name: value for name, value in request.items() if name in {"TableName", "Key", "Item", "UpdateExpression"}}
    if kind == "Update":
        kept["ExpressionAttributeValues"] = request["ExpressionAttributeValues"]
    return {kind: kept}


def _newest_first(lots: Lots, points: int) -> dict[str, int]:
    taken: dict[str, int] = {}
    for day, held in sorted(lots.items(), reverse=True):
        if points:
            taken[day] = min(points, held)
            points -= taken[day]
    return taken


def _refund_by_itself(account: Account, program: Program, sale: Sale, part: Returned, **named: Any) -> Entry:
    entry = _refund_order(account, program, sale._replace(returned=NOTHING_RETURNED), part, **named)
    return entry.model_copy(update={"refunded": sale.returned.amount + part.amount})


def _mature_twice(account: Account, *rest: Any) -> Entry:
    entry = _mature(account, *rest)
    lots = combined(entry.lots, entry.lots)
    return entry.model_copy(update={"lots": lots, "balance_after": account.balance + sum(lots.values())})


def _lost_is_done(writes: Any) -> None:
    try:
        _transact(writes)
    except TryAgainError:
        return


def _announced_at_most_once(entry: Entry, now: datetime) -> None:
    with suppress(Exception):
        _announce(entry, now)


def _without_due_day(stored: accounts_table.StoredAccount) -> Write:
    return _account_put(stored._replace(due_on=None))


def _for_whoever_asks(existing: Entry, fingerprint: str, _: Any) -> Entry:
    if existing.fingerprint != fingerprint:
        raise IdempotencyMismatchError("another payload")
    return existing


def _without_looking(existing: Entry, _: str, accounts: Any) -> Entry:
    if existing.member_id not in {name for one in accounts for name in (one.member_id, *one.merged_from)}:
        raise IdempotencyMismatchError("another member")
    return existing


def _no_stock_back(*rest: Any, **named: Any) -> Entry:
    return _release(*rest, **named).model_copy(update={"stock": {}})


def _kept_whole(_: Account, lots: Lots) -> dict[str, Any]:
    return {"lots": dict(lots), "debt": 0}


def _to_another_lot(account: Account, _: Any, lots: Lots, *__: Any) -> dict[str, Any]:
    return {"points": sum(lots.values()), **give(account, {"never": sum(lots.values())})}


def _never_ends(_: Account, lots: Lots, __: Any) -> dict[str, int]:
    return {"never": sum(lots.values())}


def _nothing(*_: Any, **__: Any) -> tuple[()]:
    return ()


def _whatever_it_says(_: Account) -> None:
    return None


def _without_time(*rest: Any) -> Any:
    return [passing_of_time.Settled(one.account, (), complete=True) for one in rest[0]]


def _conditions_dropped(table: str, key: Key, revision: int, **attributes: Any) -> Write:
    return _unconditional(_put_over(table, key, revision, **attributes))


BREAKS: dict[str, list[tuple[Any, str, Any]]] = {
    "an account is written whatever its revision": [(client, "put_over", _conditions_dropped)],
    "an entry is put over the one that stands": [(ledger, "put", lambda *of: _unconditional(_entry_put(*of)))],
    "a key is taken for the same with any payload": [(operation, "_same", _without_looking)],
    "a replay is answered to whoever asks": [(operation, "_same", _for_whoever_asks)],
    "each refund is rounded by itself": [(changed_order, "refund_order", _refund_by_itself)],
    "points that a member gives back late get grace": [(redemptions, "is_shop", lambda _: True)],
    "the newest points are taken first": [(redemptions, "take", _newest_first), (transfers, "take", _newest_first)],
    "a cancelled redemption fills another lot": [(redemptions, "_given_back", _to_another_lot)],
    "points mature twice": [(passing_of_time, "_mature", _mature_twice)],
    "points that come do not settle what is owed": [
        (passing_of_time, "give", _kept_whole),
        (grants, "give", _kept_whole),
    ],
    "a transfer loses the dates": [(transfers, "moved_lots", _never_ends)],
    "a piece is not put back": [(redeeming, "release", _no_stock_back)],
    "a lost answer is taken for success": [(client, "transact", _lost_is_done)],
    "a budget is drawn on without looking": [(budgets, "_draw", lambda *of: _unconditional(_draw(*of)))],
    "refunds are not summed": [(orders, "changes", _nothing)],
    "parts that come back are not summed": [(operation.Situation, "returned", lambda *_: 0)],
    "payments of one order are not summed": [(order_payments, "writes", _nothing)],
    "an account leaves the index of what is due": [(accounts_table, "put", _without_due_day)],
    "a frozen member may spend": [
        (redemptions, "require_not_frozen", _whatever_it_says),
        (merges, "require_not_frozen", _whatever_it_says),
        (store_credit, "require_not_frozen", _whatever_it_says),
        (transfers, "require_not_frozen", _whatever_it_says),
    ],
    "time is not booked before an operation": [(operation, "_settled", _without_time)],
    "a record that failed is not delivered again": [(announcements, "announce", _announced_at_most_once)],
    "a closed account takes entries": [(Account, "is_open", property(lambda _: True))],
}
"""By what is broken: which names stand for something else."""


@pytest.fixture(params=BREAKS)
def broken(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, name, replacement in BREAKS[request.param]:
        monkeypatch.setattr(owner, name, replacement)


@pytest.mark.slow
@pytest.mark.usefixtures("broken")
def test_a_broken_rule_is_found() -> None:
    with pytest.raises(BreachError):
        _play_many()


def _play_many() -> None:
    for number in range(OPERATIONS_MAX // WORLD_OPERATIONS):
        play(SEED, number)
