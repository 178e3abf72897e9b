"""What operations ask of the database, and that each is booked once whatever others and the network do meanwhile."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from shared import runtime, settings
from shared.domain.account import Account
from shared.domain.earning.enrolment import enroll
from shared.domain.entry import Entry
from shared.domain.program.program import Program
from shared.domain.spending import adjustments
from shared.tables import accounts, bulk, client, due_index, keys, ledger, programs, upkeep
from shared.tables import operation as store
from shared.tables.client import Key, Write
from tests.functions.shop import OPERATOR, START, Reply, Shop, assert_refused
from tests.shared.wire import Wire

READ, WRITE = "GetItem", "TransactWriteItems"
READ_TOGETHER = "TransactGetItems"
CONFLICT = [{"Code": "TransactionConflict"}, {"Code": "None"}]

Act = Callable[[], Reply]


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    """Nobody waits before trying again."""
    with runtime.use(back_off=lambda _: None):
        yield


@pytest.fixture
def ada(shop: Shop) -> str:
    """A member with 700 points, 100 of them from the order A-1."""
    ada = shop.enroll("ada")
    shop.order(ada, "A-1", 10000)
    shop.adjust(ada, 500, "start")
    return ada


@pytest.fixture
def grace(shop: Shop) -> str:
    return shop.enroll("grace")


def requests_of(wire: Wire, act: Act, status: int = 201) -> list[str]:
    wire.requests.clear()
    reply = act()
    assert reply.status == status, reply.body
    return list(wire.requests)


def reserved(shop: Shop, member: str, key: str = "hold") -> str:
    return str(shop.redeem(member, key=key).body["redemption_id"])


def captured(shop: Shop, member: str) -> str:
    return str(shop.redeem(member, key="paid", capture=True).body["redemption_id"])


def types(shop: Shop, member: str) -> list[str]:
    return [str(entry["type"]) for entry in shop.entries(member)]


# How many requests ---------------------------------------------------------------------------------------------------


def test_moving_points_takes_one_read_and_one_write(shop: Shop, wire: Wire, ada: str, grace: str) -> None:
    shop.change_program(transfers={})
    holds = [reserved(shop, ada, key) for key in ("h1", "h2")]
    assert requests_of(wire, lambda: shop.order(ada, "A-2")) == [READ, WRITE]
    assert requests_of(wire, lambda: shop.action(ada)) == [READ, WRITE]
    assert requests_of(wire, lambda: shop.adjust(ada, -1)) == [READ, WRITE]
    assert requests_of(wire, lambda: shop.redeem(ada)) == [READ, WRITE]
    assert requests_of(wire, lambda: shop.spend(ada, 50, 1000, key="k", capture=True)) == [READ, WRITE]
    assert requests_of(wire, lambda: shop.move(ada, holds[0], "capture"), 200) == [READ, WRITE]
    assert requests_of(wire, lambda: shop.move(ada, holds[1], "cancel"), 200) == [READ, WRITE]
    assert requests_of(wire, lambda: shop.transfer(ada, grace, 1)) == [READ_TOGETHER, WRITE]


def test_undoing_reads_what_it_undoes_beside_the_account(shop: Shop, wire: Wire, ada: str) -> None:
    paid = captured(shop, ada)
    assert requests_of(wire, lambda: shop.refund(ada, 500)) == [READ_TOGETHER, WRITE]
    assert requests_of(wire, lambda: shop.move(ada, paid, "reverse"), 200) == [READ_TOGETHER, WRITE]


def test_joining_is_one_transaction(shop: Shop, wire: Wire, ada: str) -> None:
    assert ada
    assert requests_of(wire, lambda: shop.post("/v1/members", {"external_id": "new"}, key="new")) == [WRITE]


def test_looking_takes_one_read(shop: Shop, wire: Wire, ada: str) -> None:
    assert requests_of(wire, lambda: shop.get(f"/v1/members/{ada}/account"), 200) == [READ]
    assert requests_of(wire, lambda: shop.get(f"/v1/members/{ada}/entries"), 200) == [READ, "Query", READ_TOGETHER]
    quote = {"currency": "USD", "total": 5, "member_id": ada}
    assert requests_of(wire, lambda: shop.post("/v1/earn/quote", quote), 200) == [READ]


def test_a_replay_takes_two_requests(shop: Shop, wire: Wire, ada: str, grace: str) -> None:
    shop.change_program(transfers={})
    hold = reserved(shop, ada)
    operations: list[Act] = [
        lambda: shop.adjust(ada, -1),
        lambda: shop.transfer(ada, grace, 1),
        lambda: shop.redeem(ada),
    ]
    for operation in operations:
        operation()
        assert len(requests_of(wire, operation, 200)) == 2
    shop.move(ada, hold, "capture")
    assert len(requests_of(wire, lambda: shop.move(ada, hold, "capture"), 200)) == 2


def test_the_replay_of_an_order_looks_how_it_stands_by_now(shop: Shop, wire: Wire, ada: str) -> None:
    shop.order(ada, "A-2")
    assert requests_of(wire, lambda: shop.order(ada, "A-2"), 200) == [READ, WRITE, READ]
    shop.refund(ada, 500)
    assert requests_of(wire, lambda: shop.refund(ada, 500), 200) == [READ_TOGETHER, WRITE, READ]


def test_a_replay_takes_two_requests_when_the_points_are_gone(shop: Shop, wire: Wire, ada: str, grace: str) -> None:
    shop.change_program(transfers={})
    shop.redeem(ada, capture=True)
    shop.transfer(ada, grace, 500)
    assert requests_of(wire, lambda: shop.redeem(ada, capture=True), 200) == [READ, READ]
    assert requests_of(wire, lambda: shop.transfer(ada, grace, 500), 200) == [READ_TOGETHER, READ]


def test_what_time_has_done_is_booked_with_the_next_operation(shop: Shop, wire: Wire, ada: str) -> None:
    reserved(shop, ada)
    shop.pass_time(days=500)
    assert requests_of(wire, lambda: shop.order(ada, "A-2")) == [READ, WRITE]
    assert types(shop, ada)[:4] == ["earn", "expiry", "lapse", "reserve"]


def test_the_program_is_read_again_after_a_while(shop: Shop, wire: Wire, ada: str) -> None:
    seconds = [0.0]
    path = f"/v1/members/{ada}/account"
    with runtime.use(monotonic=lambda: seconds[0]):
        runtime.forget()
        assert requests_of(wire, lambda: shop.get(path), 200) == [READ, READ]
        seconds[0] = programs.PROGRAM_SECONDS
        assert requests_of(wire, lambda: shop.get(path), 200) == [READ]
        seconds[0] += 0.1
        assert requests_of(wire, lambda: shop.get(path), 200) == [READ, READ]


# Others at the same time ---------------------------------------------------------------------------------------------


def test_an_operation_in_anothers_way_is_written_again_at_once_and_then_reads_before(
    shop: Shop, wire: Wire, ada: str
) -> None:
    wire.refuse(WRITE, "TransactionCanceledException", reasons=CONFLICT)
    assert requests_of(wire, lambda: shop.order(ada, "A-2")) == [READ, WRITE, WRITE]
    wire.refuse(WRITE, "TransactionCanceledException", reasons=CONFLICT, times=3)
    assert requests_of(wire, lambda: shop.order(ada, "A-3")) == [READ, WRITE, WRITE, READ, WRITE, READ, WRITE]


def test_who_loses_a_race_decides_again_on_the_account_that_the_failure_carries(
    shop: Shop, wire: Wire, ada: str
) -> None:
    wire.before(WRITE, lambda: shop.order(ada, "A-2", 1000))
    requests = requests_of(wire, lambda: shop.order(ada, "A-3", 2000))
    assert requests == [READ, WRITE, READ, WRITE, WRITE]  # the third and fourth are the other's
    assert shop.balance(ada) == 700 + 10 + 20
    assert [entry["sequence"] for entry in shop.entries(ada)] == [5, 4, 3, 2, 1]


def test_an_undoing_that_loses_a_race_reads_again_what_it_undoes(shop: Shop, wire: Wire, ada: str) -> None:
    wire.before(WRITE, lambda: shop.order(ada, "A-2", 1000))
    requests = requests_of(wire, lambda: shop.refund(ada, 500))
    assert requests == [READ_TOGETHER, WRITE, READ, WRITE, READ_TOGETHER, WRITE]


def test_one_order_sent_by_two_tills_at_once_is_credited_once(shop: Shop, wire: Wire, ada: str) -> None:
    wire.before(WRITE, lambda: shop.order(ada, "A-2", 1000))
    late = shop.order(ada, "A-2", 1000)
    assert (late.status, late.replayed) == (200, True)
    assert late.body["account"] == shop.account(ada)
    assert types(shop, ada).count("earn") == 2


def test_one_order_sent_for_two_members_at_once_is_the_firsts(shop: Shop, wire: Wire, ada: str, grace: str) -> None:
    wire.before(WRITE, lambda: shop.order(grace, "A-2", 1000))
    assert_refused(shop.order(ada, "A-2", 1000), 409, "order_belongs_to_another_member")
    assert (shop.balance(ada), shop.balance(grace)) == (700, 110)


def test_one_redemption_sent_twice_at_once_is_made_once(shop: Shop, wire: Wire, ada: str) -> None:
    wire.before(WRITE, lambda: shop.redeem(ada, capture=True))
    late = shop.redeem(ada, capture=True)
    assert (late.status, late.replayed, late.body["state"]) == (200, True, "captured")
    assert shop.balance(ada) == 550


def test_two_redemptions_of_one_balance_are_not_both_made(shop: Shop, wire: Wire, ada: str) -> None:
    wire.before(WRITE, lambda: shop.spend(ada, 600, 9000, key="other"))
    assert_refused(shop.spend(ada, 600, 9000, key="mine"), 409, "insufficient_points")
    assert (shop.account(ada)["balance"], shop.account(ada)["held"]) == (100, 600)


def test_two_refunds_at_once_never_exceed_the_order(shop: Shop, wire: Wire, ada: str) -> None:
    wire.before(WRITE, lambda: shop.refund(ada, 6000, refund_id="R-1"))
    assert_refused(shop.refund(ada, 6000, refund_id="R-2"), 409, "refund_exceeds_order")
    wire.before(WRITE, lambda: shop.refund(ada, 1500, refund_id="R-3"))
    assert shop.refund(ada, 2500, refund_id="R-4").status == 201
    assert_refused(shop.refund(ada, 1, refund_id="R-5"), 409, "refund_exceeds_order")
    assert shop.balance(ada) == 600


def test_a_refund_that_meets_a_merge_is_made_through_the_survivor(shop: Shop, wire: Wire, ada: str, grace: str) -> None:
    wire.before(WRITE, lambda: shop.merge(grace, ada))
    reply = shop.refund(ada, 10000)
    assert (reply.status, reply.body["account"]["member_id"]) == (201, grace)
    assert reply.body["account"]["balance"] == shop.balance(grace) == 700
    assert shop.refund(grace, 10000).replayed


def test_a_merge_that_meets_a_refund_takes_what_is_left(shop: Shop, wire: Wire, ada: str, grace: str) -> None:
    wire.before(WRITE, lambda: shop.refund(ada, 4000))
    assert shop.merge(grace, ada).status == 200
    assert shop.balance(grace) == 760
    assert_refused(shop.refund(grace, 6001, refund_id="R-2"), 409, "refund_exceeds_order")
    assert shop.refund(grace, 6000, refund_id="R-2").status == 201


def test_nothing_is_credited_to_who_is_erased_meanwhile(shop: Shop, wire: Wire, ada: str, grace: str) -> None:
    shop.change_program(transfers={})
    wire.before(WRITE, lambda: shop.erase(ada))
    assert_refused(shop.transfer(grace, ada, 60), 409, "member_not_active")
    assert_refused(shop.order(ada, "A-2"), 409, "member_not_active")
    assert (shop.balance(grace), shop.balance(ada)) == (100, 0)


def test_two_gifts_that_cross_are_both_given(shop: Shop, wire: Wire, ada: str, grace: str) -> None:
    shop.change_program(transfers={})
    wire.before(WRITE, lambda: shop.transfer(grace, ada, 100))
    assert shop.transfer(ada, grace, 700).status == 201
    assert (shop.balance(ada), shop.balance(grace)) == (100, 700)


@pytest.mark.parametrize(("first", "second"), [("capture", "cancel"), ("cancel", "capture")])
def test_a_hold_ends_in_one_way(shop: Shop, wire: Wire, ada: str, first: str, second: str) -> None:
    hold = reserved(shop, ada)
    wire.before(WRITE, lambda: shop.move(ada, hold, first))
    assert_refused(shop.move(ada, hold, second), 409, "invalid_state")
    assert shop.balance(ada) == {"capture": 550, "cancel": 700}[first]


def test_a_capture_that_meets_the_end_of_its_hold_is_too_late(shop: Shop, wire: Wire, ada: str) -> None:
    hold = reserved(shop, ada)

    def run_the_job() -> None:
        shop.pass_time(minutes=30)
        assert upkeep.catch_up(ada, shop.now) == 1

    wire.before(WRITE, run_the_job)
    assert_refused(shop.move(ada, hold, "capture"), 409, "invalid_state")
    assert shop.balance(ada) == 700


def test_an_operation_that_meets_the_job_leaves_nothing_booked_twice(shop: Shop, wire: Wire, ada: str) -> None:
    shop.pass_time(days=400)
    wire.before(WRITE, lambda: upkeep.catch_up(ada, shop.now))
    assert shop.order(ada, "A-2", 1000).status == 201
    assert types(shop, ada).count("expiry") == 1
    assert shop.balance(ada) == 10


def test_the_job_that_meets_an_operation_leaves_nothing_booked_twice(shop: Shop, wire: Wire, ada: str) -> None:
    shop.pass_time(days=400)
    wire.before(WRITE, lambda: shop.order(ada, "A-2", 1000))
    assert upkeep.catch_up(ada, shop.now) == 0
    assert types(shop, ada).count("expiry") == 1


def test_who_loses_every_race_is_told_to_try_again(shop: Shop, wire: Wire, ada: str) -> None:
    for number in range(store.ATTEMPTS_MAX):
        wire.before(WRITE, partial(shop.adjust, ada, 1, f"race-{number}"))
    assert_refused(shop.order(ada, "A-2", 1000), 503, "try_again")
    assert shop.balance(ada) == 700 + store.ATTEMPTS_MAX
    assert shop.order(ada, "A-2", 1000).status == 201


def test_who_is_always_in_anothers_way_is_told_to_try_again(shop: Shop, wire: Wire, ada: str) -> None:
    wire.refuse(WRITE, "TransactionCanceledException", reasons=CONFLICT, times=store.ATTEMPTS_MAX)
    with shop.writing_nothing():
        requests = requests_of(wire, lambda: shop.order(ada, "A-2"), 503)
    assert requests.count(WRITE) == store.ATTEMPTS_MAX
    assert shop.order(ada, "A-2").status == 201


def test_what_is_being_written_is_read_again(shop: Shop, wire: Wire, ada: str) -> None:
    wire.refuse(READ_TOGETHER, "TransactionCanceledException", reasons=CONFLICT, times=2)
    assert requests_of(wire, lambda: shop.refund(ada, 500)) == [READ_TOGETHER] * 3 + [WRITE]


def test_what_is_always_being_written_is_to_be_asked_for_again(shop: Shop, wire: Wire, ada: str) -> None:
    times = client.READS_TOGETHER_ATTEMPTS
    wire.refuse(READ_TOGETHER, "TransactionCanceledException", reasons=CONFLICT, times=times)
    with shop.writing_nothing():
        assert_refused(shop.refund(ada, 500), 503, "try_again")
    assert shop.refund(ada, 500).status == 201


def test_a_machine_whose_clock_is_behind_books_no_earlier_than_the_last_entry(shop: Shop, ada: str) -> None:
    shop.pass_time(minutes=-5)
    entry = shop.order(ada, "A-2").body["entry"]
    assert entry["recorded_at"] == "2026-11-20T18:03:00Z"
    assert shop.balance(ada) == 742


def test_all_accounts_of_an_operation_are_settled_at_the_latest_of_their_instants(shop: Shop) -> None:
    shop.change_program(transfers={})
    shop.change_program(expiry={"kind": "term", "days": 1})
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    shop.pass_time(days=3)
    shop.order(grace, "A-1")  # by a machine whose clock is ahead
    shop.pass_time(days=-3)
    assert shop.balance(ada) == 100
    with shop.writing_nothing():
        assert_refused(shop.transfer(ada, grace, 60), 409, "insufficient_points")


# Failures ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "AccessDeniedException", "ValidationException"])
@pytest.mark.parametrize("request_", [READ, WRITE])
def test_a_failure_that_nobody_understands_is_not_hidden(
    shop: Shop, wire: Wire, ada: str, request_: str, code: str
) -> None:
    wire.refuse(request_, code)
    with shop.writing_nothing(), pytest.raises(ClientError, match=code):
        shop.order(ada, "A-2")


def test_a_refused_write_that_nobody_understands_is_not_hidden(shop: Shop, wire: Wire, ada: str) -> None:
    reasons = [{"Code": "None"}, {"Code": "ItemCollectionSizeLimitExceeded"}]
    wire.refuse(WRITE, "TransactionCanceledException", reasons=reasons)
    with shop.writing_nothing(), pytest.raises(ClientError, match="TransactionCanceledException"):
        shop.order(ada, "A-2")


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "RequestLimitExceeded", "InternalServerError", "TransactionInProgressException"]
)
def test_a_database_that_asks_to_wait_is_asked_again_later(shop: Shop, wire: Wire, ada: str, code: str) -> None:
    for request_ in (READ, WRITE):
        wire.refuse(request_, code, status=500 if code == "InternalServerError" else 400)
        with shop.writing_nothing():
            assert_refused(shop.order(ada, "A-2"), 503, "try_again")
    assert shop.order(ada, "A-2").status == 201


def test_a_write_that_was_carried_out_and_sent_again_is_a_replay(shop: Shop, wire: Wire, ada: str) -> None:
    # So it looks when the first answer is lost and the SDK itself repeats the request.
    wire.before(WRITE, lambda: shop.order(ada, "A-2", 1000))
    requests = requests_of(wire, lambda: shop.order(ada, "A-2", 1000), 200)
    assert requests == [READ, WRITE, READ, WRITE, READ]
    assert shop.balance(ada) == 710


def test_a_refund_whose_answer_is_lost_counts_once_to_the_order(shop: Shop, wire: Wire, ada: str) -> None:
    wire.lose_answer(WRITE)
    wire.before(WRITE, lambda: wire.lose(READ))
    assert_refused(shop.refund(ada, 6000), 503, "try_again")
    again = shop.refund(ada, 6000)
    assert (again.status, again.replayed) == (200, True)
    assert shop.refund(ada, 4000, refund_id="R-2").status == 201


# What time has done --------------------------------------------------------------------------------------------------


def daily_points(shop: Shop, days: int) -> str:
    """A member whose points of each day end on a day of their own."""
    shop.change_program(expiry={"kind": "term", "days": 100})
    ada = shop.enroll("ada")
    for number in range(days):
        shop.adjust(ada, 1, f"day-{number}")
        shop.pass_time(days=1)
    return ada


def test_an_account_with_more_due_than_a_transaction_holds_is_settled_in_several(
    shop: Shop, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "SETTLE_ENTRIES_MAX", 3)
    ada = daily_points(shop, 8)
    shop.pass_time(days=200)
    assert requests_of(wire, lambda: shop.order(ada, "A-2", 1000)) == [READ, WRITE, WRITE, WRITE]
    assert types(shop, ada).count("expiry") == 8
    assert shop.balance(ada) == 10


def test_a_settling_that_is_interrupted_goes_on_where_it_stopped(
    shop: Shop, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "SETTLE_ENTRIES_MAX", 2)
    ada = daily_points(shop, 5)
    shop.pass_time(days=200)
    wire.before(WRITE, lambda: None)
    wire.lose(WRITE)
    assert_refused(shop.adjust(ada, 7, "late"), 503, "try_again")
    assert types(shop, ada).count("expiry") == 2
    assert shop.adjust(ada, 7, "late").body["account"]["balance"] == 7
    assert types(shop, ada).count("expiry") == 5


def test_a_refusal_books_nothing_even_if_much_is_due(shop: Shop) -> None:
    ada = daily_points(shop, 3)
    shop.pass_time(days=200)
    with shop.writing_nothing():
        assert_refused(shop.adjust(ada, -1, "late"), 409, "insufficient_points")


def test_the_job_books_all_that_is_due_and_then_nothing_more(
    shop: Shop, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "SETTLE_ENTRIES_MAX", 2)
    ada = daily_points(shop, 5)
    shop.pass_time(days=200)
    wire.requests.clear()
    assert upkeep.catch_up(ada, shop.now) == 5
    assert wire.requests == [READ, WRITE, WRITE, WRITE]
    with shop.writing_nothing():
        assert upkeep.catch_up(ada, shop.now) == 0


def due_days(member: str, *days: str) -> list[str]:
    shards = range(2)
    return [
        day for day in days for shard in shards if member in due_index.due_members(date.fromisoformat(day), shard, 1)
    ]


def test_an_account_stands_once_under_the_first_day_on_which_time_changes_it(shop: Shop) -> None:
    shop.change_program(messages={"reminder_days": []}, redeeming={"hold_minutes": 60 * 24 * 3})
    ada = shop.enroll("ada")
    days = ("2026-11-20", "2026-11-23", "2027-12-01")
    assert due_days(ada, *days) == ["2027-12-01"]
    hold = str(shop.spend(ada, 50, 1000).body["redemption_id"])
    assert due_days(ada, *days) == ["2026-11-23"]
    shop.move(ada, hold, "cancel")
    assert due_days(ada, *days) == ["2027-12-01"]
    shop.adjust(ada, -100)
    assert due_days(ada, *days) == []


def test_two_reversals_at_once_give_the_points_back_once(shop: Shop, wire: Wire, ada: str) -> None:
    paid = captured(shop, ada)
    path = f"/v1/members/{ada}/redemptions/{paid}/reverse"
    wire.before(WRITE, lambda: shop.post(path, scope=OPERATOR))
    late = shop.post(path)
    assert (late.status, late.replayed, late.body["state"]) == (200, True, "reversed")
    assert shop.balance(ada) == 700


def test_a_program_that_changes_while_an_order_is_credited_credits_it_by_one_of_both(
    shop: Shop, wire: Wire, ada: str
) -> None:
    wire.before(WRITE, lambda: shop.change_program(earning={"points": 7}))
    entry: dict[str, Any] = shop.order(ada, "A-2", 1000).body["entry"]
    assert (entry["points"], entry["program_version"]) in {(10, 1), (70, 2)}


# Much at once --------------------------------------------------------------------------------------------------------


def given(points: int, account: Account, program: Program) -> list[Entry]:
    """What adds points to an account, or takes them."""
    by = {"reason": "to begin with", "reference": "many", "actor": "import", "fingerprint": "f"}
    return [adjustments.adjust(account, program, points, now=START, **by)]


def newcomer(member_id: str, *also: Write) -> tuple[Entry, Sequence[Write]]:
    return enroll(member_id, programs.load_program(), now=START, actor="import", fingerprint="f"), also


def test_what_many_members_get_is_booked_with_one_transaction(shop: Shop, wire: Wire, ada: str, grace: str) -> None:
    wire.requests.clear()
    assert bulk.book_together([ada, grace], partial(given, 5), shop.now)
    assert wire.requests == [READ_TOGETHER, WRITE]
    assert (shop.balance(ada), shop.balance(grace)) == (705, 105)


def test_what_cannot_be_booked_for_one_is_booked_for_nobody(
    shop: Shop, wire: Wire, ada: str, grace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with shop.writing_nothing():
        assert not bulk.book_together([ada, grace], partial(given, -101), shop.now)
        assert not bulk.book_together([ada, "nobody"], partial(given, 5), shop.now)
        wire.refuse(WRITE, "TransactionCanceledException", reasons=CONFLICT)
        assert not bulk.book_together([ada, grace], partial(given, 5), shop.now)
        monkeypatch.setattr(client, "WRITES_TOGETHER_MAX", 3)
        assert not bulk.book_together([ada, grace], partial(given, 5), shop.now)
    monkeypatch.setattr(client, "WRITES_TOGETHER_MAX", 4)
    assert bulk.book_together([ada, grace], partial(given, 5), shop.now)


def test_whom_time_or_a_merge_has_changed_is_left_to_be_booked_alone(shop: Shop, ada: str, grace: str) -> None:
    eve = shop.enroll("eve")
    shop.merge(ada, grace)
    with shop.writing_nothing():
        assert not bulk.book_together([ada, eve], partial(given, 5), shop.now)
        assert not bulk.book_together([eve, grace], partial(given, 5), shop.now)
    assert bulk.book_together([eve], partial(given, 5), shop.now)
    shop.pass_time(days=500)
    with shop.writing_nothing():
        assert not bulk.book_together([eve], partial(given, 5), shop.now)


def test_many_join_with_one_transaction_all_or_none(
    shop: Shop, wire: Wire, ada: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = client.put_new(settings.loyalty_table(), Key("NOTE", "one"))
    assert bulk.enroll_together([newcomer("one", note), newcomer("two")])
    assert [accounts.load_account(name).account.balance for name in ("one", "two")] == [100, 100]
    assert client.get(settings.loyalty_table(), Key("NOTE", "one"))
    with shop.writing_nothing():
        assert not bulk.enroll_together([newcomer("three"), newcomer(ada)])
        wire.refuse(WRITE, "TransactionCanceledException", reasons=CONFLICT)
        assert not bulk.enroll_together([newcomer("three"), newcomer("four")])
        monkeypatch.setattr(client, "WRITES_TOGETHER_MAX", 3)
        assert not bulk.enroll_together([newcomer("three"), newcomer("four")])
    monkeypatch.setattr(client, "WRITES_TOGETHER_MAX", 4)
    assert bulk.enroll_together([newcomer("three"), newcomer("four")])


def test_entries_are_found_by_their_keys_however_many(wire: Wire, ada: str) -> None:
    absent = [keys.of("earn", order_id=f"B-{number}") for number in range(client.READS_TOGETHER_MAX)]
    wire.requests.clear()
    found = ledger.load_entries([*absent, keys.of("earn", order_id="A-1")])
    assert wire.requests == [READ_TOGETHER, READ_TOGETHER]
    assert found[:-1] == [None] * len(absent)
    assert found[-1] is not None
    assert (found[-1].member_id, found[-1].source) == (ada, {"order_id": "A-1"})
