"""What members bring from another program keeps its dates, and adds up."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.account import Account
from shared.domain.earning.imports import BroughtPoints, BroughtTier, bring_credit, bring_points, bring_tier, join
from shared.domain.entry import Entry
from shared.domain.errors import ConsentRequiredError, InvalidRequestError, InvalidStateError, NotOfferedError
from shared.domain.facets import Badge, TierStatus
from shared.domain.invariants import breaches
from shared.domain.ledger import book, book_all
from shared.domain.lifecycle.passing_of_time import settle
from shared.domain.subaccounts import wallet_of
from shared.domain.telling.events import event_of
from shared.domain.telling.notifications import notes_on
from tests.model.shop import a_program, at

NOW = at("2026-11-20 12:00")
TODAY = date(2026, 11, 20)
PROGRAM = a_program(expiry={"kind": "term", "months": 12}, earning={"welcome_points": 50})
EARNED = at("2026-03-04 10:00")


def joined() -> tuple[Account, list[Entry]]:
    entry = join("ada", PROGRAM, at("2020-01-02 00:00"), now=NOW, actor="import", fingerprint="request")
    return book(Account(member_id="ada"), entry), [entry]


def points(number: int, amount: int, expires_on: date | None, available_on: date | None = None) -> BroughtPoints:
    return BroughtPoints(
        reference=f"r{number}", points=amount, earned_at=EARNED, expires_on=expires_on, available_on=available_on
    )


def tier(tier_id: str, review_on: date | None = date(2027, 3, 1), since: date = date(2026, 3, 1)) -> BroughtTier:
    return BroughtTier(
        tier_status=TierStatus(tier_id=tier_id, since=since, review_on=review_on), qualifying={"2026-03": 700}
    )


def test_who_is_brought_in_keeps_the_day_they_joined_and_gets_no_welcome() -> None:
    account, entries = joined()
    assert account.balance == 0
    assert account.enrolled_at == at("2020-01-02 00:00")
    assert list(notes_on(entries[0], account, PROGRAM)) == []


def test_points_keep_both_of_their_dates() -> None:
    account, _ = joined()
    entry = bring_points(
        account, PROGRAM, points(1, 70, date(2027, 1, 31)), now=NOW, actor="import", fingerprint="request"
    )
    account = book(account, entry)
    assert dict(account.lots) == {"2027-01-31": 70}
    assert entry.occurred_at == EARNED
    assert (entry.type, entry.expires_on) == ("brought_in", date(2027, 1, 31))
    later = settle(account, PROGRAM, at("2027-02-01 00:00")).account
    assert (later.balance, later.totals.expired) == (0, 70)


@pytest.mark.parametrize(
    ("brought", "place"),
    [
        (points(1, 5, TODAY - timedelta(days=1)), "/expires_on"),
        (points(1, 5, date(2027, 1, 1), date(2027, 1, 2)), "/available_on"),
        (points(1, 5, None).model_copy(update={"earned_at": NOW + timedelta(days=1)}), "/earned_at"),
    ],
)
def test_points_that_make_no_sense_are_refused(brought: BroughtPoints, place: str) -> None:
    account, _ = joined()
    with pytest.raises(InvalidRequestError) as refused:
        bring_points(account, PROGRAM, brought, now=NOW, actor="import", fingerprint="request")
    [fault] = refused.value.faults
    assert fault.pointer == place
    assert fault.detail, "it says what to do"


def test_a_tier_is_held_until_its_own_review_and_nobody_is_told() -> None:
    account, _ = joined()
    entry = bring_tier(account, PROGRAM, tier("silver"), now=NOW, actor="import", fingerprint="request")
    account = book(account, entry)
    assert account.tier_status() == TierStatus(tier_id="silver", since=date(2026, 3, 1), review_on=date(2027, 3, 1))
    assert account.qualifying == {"2026-03": 700}
    assert list(notes_on(entry, account, PROGRAM)) == []


def test_badges_come_along_but_for_those_that_were_got_here() -> None:
    account, _ = joined()
    account = account.model_copy(update={"badges": {"here": Badge(on=TODAY)}})
    badges = {"here": Badge(on=date(2020, 1, 1)), "there": Badge(on=date(2020, 1, 1))}
    brought = tier("silver").model_copy(update={"badges": badges})
    entry = bring_tier(account, PROGRAM, brought, now=NOW, actor="import", fingerprint="request")
    assert entry.badges == {"there": Badge(on=date(2020, 1, 1))}
    assert entry.source == {"brought_in": "tier", "reference": "tier"}


@pytest.mark.parametrize(
    ("brought", "place"),
    [
        (tier("platinum"), "/tier_id"),
        (tier("silver", None), "/review_on"),
        (tier("bronze"), "/review_on"),
        (tier("silver", TODAY), "/review_on"),
        (tier("silver", since=TODAY + timedelta(days=1)), "/since"),
        (tier("silver").model_copy(update={"qualifying": {"2026-12": 1}}), "/qualifying"),
        (tier("silver").model_copy(update={"badges": {"b": Badge(on=TODAY + timedelta(days=1))}}), "/badges"),
    ],
)
def test_a_tier_that_makes_no_sense_is_refused(brought: BroughtTier, place: str) -> None:
    account, _ = joined()
    with pytest.raises(InvalidRequestError) as refused:
        bring_tier(account, PROGRAM, brought, now=NOW, actor="import", fingerprint="request")
    assert refused.value.faults[0].pointer == place


def test_a_tier_reached_here_is_not_lowered() -> None:
    account, _ = joined()
    account = book(account, bring_tier(account, PROGRAM, tier("gold"), now=NOW, actor="import", fingerprint="request"))
    with pytest.raises(InvalidStateError, match="higher"):
        bring_tier(account, PROGRAM, tier("silver"), now=NOW, actor="import", fingerprint="request")


WITH_CREDIT = a_program(cashback={"amount": 5, "per_amount": 100})


def test_credit_that_is_brought_in_opens_the_wallet_once_and_is_told_as_credit() -> None:
    member, wallet = joined()[0], Account(member_id=wallet_of("ada"))
    ledger: list[Entry] = []
    for number in (1, 2):
        entries = bring_credit(
            member, wallet, WITH_CREDIT, points(number, 1_250, None), now=NOW, actor="import", fingerprint="request"
        )
        wallet = book_all(wallet, entries)
        ledger += entries
    assert [entry.type for entry in ledger] == ["enroll", "brought_in", "brought_in"]
    assert [event_of(entry).type for entry in ledger] == ["credit.opened", "credit.brought_in", "credit.brought_in"]
    assert all(not list(notes_on(entry, wallet, WITH_CREDIT)) for entry in ledger)
    assert wallet.lots == {"never": 2_500}
    assert breaches(wallet, ledger) == []


def test_credit_waits_for_a_program_that_gives_some_and_for_consent() -> None:
    member, wallet = joined()[0], Account(member_id=wallet_of("ada"))
    brought = points(1, 1_250, None)
    rest: dict[str, Any] = {"now": NOW, "actor": "import", "fingerprint": "request"}
    with pytest.raises(NotOfferedError, match="gives no store credit"):
        bring_credit(member, wallet, PROGRAM, brought, **rest)
    provisional = member.model_copy(update={"status": "provisional"})
    with pytest.raises(ConsentRequiredError):
        bring_credit(provisional, wallet, WITH_CREDIT, brought, **rest)


@given(
    st.lists(
        st.tuples(
            st.integers(1, 500),
            st.none() | st.integers(0, 800).map(lambda days: TODAY + timedelta(days=days)),
            st.none() | st.integers(-5, 5).map(lambda days: TODAY + timedelta(days=days)),
        ),
        max_size=8,
    ),
    st.integers(0, 900),
)
def test_whatever_is_brought_in_adds_up_now_and_later(
    lots: list[tuple[int, date | None, date | None]], days: int
) -> None:
    account, ledger = joined()
    total = 0
    for number, (amount, expires_on, available_on) in enumerate(lots):
        if expires_on and available_on and expires_on < available_on:
            continue
        brought = points(number, amount, expires_on, available_on)
        entry = bring_points(account, PROGRAM, brought, now=NOW, actor="import", fingerprint="request")
        account, total = book(account, entry), total + amount
        ledger.append(entry)
        assert breaches(account, ledger) == []
    assert account.balance + account.pending_points == total == account.earned
    settled = settle(account, PROGRAM, NOW + timedelta(days=days))
    assert breaches(settled.account, [*ledger, *settled.entries]) == []
