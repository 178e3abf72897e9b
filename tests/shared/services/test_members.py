"""The use cases of members without HTTP, as a tool calls them: who may, and that a request by HTTP is the same one."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import pytest

from shared.api.schemas.orders import OrderEarn
from shared.caller import MEMBER, OPERATOR, PARTNER, STOREFRONT, Caller
from shared.domain.errors import (
    ConsentRequiredError,
    ForbiddenError,
    IdempotencyMismatchError,
    InvalidRequestError,
    LinkNotFoundError,
    MemberNotFoundError,
    TryAgainError,
)
from shared.domain.members.contact_preferences import PreferencesChange
from shared.domain.members.members import Change, Enrollment, OneIdentifier
from shared.messaging import unsubscribe
from shared.messaging.unsubscribe import Link
from shared.services import (
    accounts,
    address_changes,
    automatic_enrolment,
    consent,
    contact_preferences,
    enrolment,
    erasure,
    member_search,
    merges,
    personal_data,
    profiles,
    referrals,
    store_credit,
    subscriptions,
    tags,
)
from shared.services.consent import Agreement
from shared.services.erasure import Erased
from shared.services.member_search import LookUp
from shared.services.tags import Tagging
from shared.tables import audit
from tests.functions.shop import START, Shop
from tests.shared.wire import Wire

TILL = Caller("till-7", frozenset({STOREFRONT}), None)
OLGA = Caller("olga", frozenset({OPERATOR}), None)
STRANGER = Caller("stranger", frozenset({MEMBER}), "stranger")
CARD = {"card_number": "C-1"}


def order(at: datetime = START) -> OrderEarn:
    return OrderEarn(type="order", order_id="A-1", placed_at=at, currency="USD", total=4250)


def test_whoever_enrolls_by_the_service_is_enrolled_once_by_the_api_too(shop: Shop) -> None:
    request = {"email": "ada@example.org", "name": "Ada"}
    first = enrolment.enroll_member(Enrollment(**request), key="ada", caller=TILL, now=START)
    again = shop.post("/v1/members", request, key="ada")
    assert (first.replayed, again.status, again.replayed) == (False, 200, True)
    assert again.body["member_id"] == first.member.member_id
    with pytest.raises(IdempotencyMismatchError):
        enrolment.enroll_member(Enrollment(email="bob@example.org"), key="ada", caller=TILL, now=START)


def test_an_order_by_identifier_is_the_same_request_as_the_order_by_member(shop: Shop) -> None:
    shop.change_program(automatic_enrolment={"consent_days": 30})
    first = automatic_enrolment.earn_by_identifier(OneIdentifier(**CARD), order(), caller=TILL, now=START)
    again = shop.order(first.entry.member_id)
    assert (first.replayed, again.status, again.replayed) == (False, 200, True)
    agreed = consent.agree(first.entry.member_id, Agreement(terms_version="1"), caller=TILL, now=START)
    assert (agreed.status, shop.balance(agreed.member_id) > 0) == ("active", True)


@pytest.mark.parametrize("given", [{}, {**CARD, "email": "ada@example.org"}])
def test_a_member_is_looked_up_by_one_identifier_and_no_more(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="give exactly one of external_id, email, phone, card_number"):
        OneIdentifier(**given)


def test_a_partner_looks_up_ids_by_what_its_tills_see(shop: Shop) -> None:
    shop.change_program(partners=[{"partner_id": "cafe", "name": "Cafe", "point_cost": {"amount": 1, "points": 1}}])
    ada = shop.enroll(email="ada@example.org", **CARD)
    cafe = Caller("cafe", frozenset({PARTNER}), None, "cafe")
    assert member_search.look_up(LookUp(**CARD), caller=cafe, now=START) == (ada, None)
    with pytest.raises(ForbiddenError):
        member_search.look_up(LookUp(email="ada@example.org"), caller=cafe, now=START)
    found = member_search.look_up(LookUp(email="ada@example.org"), caller=TILL, now=START)
    assert found.member is not None
    assert found.member.email == "ada@example.org"


def test_a_member_reaches_nobody_but_themselves(shop: Shop) -> None:
    ada, bob = shop.enroll("ada"), shop.enroll("bob")
    by: dict[str, Any] = {"caller": STRANGER, "now": START}
    calls: Sequence[Callable[[], object]] = [
        lambda: profiles.read_member(ada, **by),
        lambda: address_changes.change_member(ada, Change(name="Eve"), **by),
        lambda: tags.change_tags(ada, Tagging(add=("vip",)), key="1", **by),
        lambda: erasure.erase_member(ada, **by),
        lambda: personal_data.export_member(ada, **by),
        lambda: merges.merge_members(ada, bob, **by),
        lambda: consent.agree(ada, Agreement(terms_version="1"), **by),
        lambda: contact_preferences.read_preferences(ada, **by),
        lambda: contact_preferences.change_preferences(ada, PreferencesChange(channel="none"), **by),
        lambda: referrals.read_referrals(ada, 25, None, **by),
        lambda: accounts.read_account(ada, caller=STRANGER),
        lambda: accounts.read_history(ada, 25, None, caller=STRANGER),
        lambda: store_credit.read_credit(ada, caller=STRANGER),
        lambda: store_credit.read_credit_history(ada, 25, None, caller=STRANGER),
    ]
    with shop.writing_nothing():
        for call in calls:
            with pytest.raises(MemberNotFoundError):
                call()


def test_members_are_merged_once_and_never_into_themselves(shop: Shop) -> None:
    ada, bob = shop.enroll("ada", name="Ada"), shop.enroll("bob")
    shop.adjust(bob, 30)
    with pytest.raises(InvalidRequestError):
        merges.merge_members(ada, ada, caller=TILL, now=START)
    outcomes = [merges.merge_members(ada, bob, caller=OLGA, now=START) for _ in range(2)]
    assert [outcome.replayed for outcome in outcomes] == [False, True]
    history = accounts.read_history(ada, 100, None, caller=TILL)
    assert history.next_place is not None
    rest = accounts.read_history(ada, 100, history.next_place, caller=TILL)
    assert ({entry.member_id for entry in rest.items}, rest.next_place) == ({bob}, None)
    assert [trace.what for trace in audit.of_member(ada)].count("members.merged") == 1


def test_an_export_has_the_entries_of_both_and_an_erasure_leaves_no_name(shop: Shop) -> None:
    ada, bob = shop.enroll("ada", name="Ada"), shop.enroll("bob")
    shop.merge(ada, bob)
    export = personal_data.export_member(ada, caller=OLGA, now=START)
    assert {entry.member_id for entry in export.entries.items} == {ada, bob}
    assert (export.wallet, list(export.credit_entries.items), export.member.name) == (None, [], "Ada")
    erased = [erasure.erase_member(ada, caller=OLGA, now=START) for _ in range(2)]
    assert [isinstance(one, Erased) and (one.member.name, one.member.status, one.replayed) for one in erased] == [
        (None, "erased", False),
        (None, "erased", True),
    ]


def test_a_change_of_tags_that_changes_nothing_books_nothing(shop: Shop) -> None:
    ada = shop.enroll("ada")
    vip = Tagging(add=("vip",))
    tagged = tags.change_tags(ada, vip, key="1", caller=TILL, now=START)
    entries = len(shop.entries(ada))
    assert tags.change_tags(ada, vip, key="2", caller=TILL, now=START) == tagged._replace(replayed=False)
    assert tags.change_tags(ada, vip, key="1", caller=TILL, now=START) == tagged._replace(replayed=True)
    assert (tagged.traits.tags, len(shop.entries(ada))) == (("vip",), entries)


def test_unsubscribing_tries_again_while_others_change_the_profile(shop: Shop, wire: Wire) -> None:
    ada = shop.enroll(email="ada@example.org", consent={"marketing": {"email": True}})
    token = unsubscribe.token_for(Link(ada, "marketing"))

    def rename(name: str) -> None:
        assert shop.patch(ada, {"name": name}).status == 200

    for name in ("Ada 1", "Ada 2", "Ada 3"):
        wire.before("TransactWriteItems", partial(rename, name))
    with pytest.raises(TryAgainError):
        subscriptions.end_subscription(token, now=START)
    wire.before("TransactWriteItems", lambda: rename("Ada 4"))
    assert subscriptions.end_subscription(token, now=START).category == "marketing"
    after = shop.get(f"/v1/members/{ada}").body
    assert (after["name"], after["consent"]["marketing"]["email"]) == ("Ada 4", False)


def test_a_link_that_was_never_made_unsubscribes_nobody(shop: Shop) -> None:
    with shop.writing_nothing(), pytest.raises(LinkNotFoundError):
        subscriptions.end_subscription("abc", now=START)


def test_preferences_fall_back_on_the_programs_time_zone(shop: Shop) -> None:
    ada = shop.enroll("ada")
    before = contact_preferences.read_preferences(ada, caller=TILL, now=START)
    change = PreferencesChange(time_zone="Asia/Tokyo")
    after = contact_preferences.change_preferences(ada, change, caller=TILL, now=START)
    assert before.time_zone not in {"", "Asia/Tokyo"}
    assert (after.time_zone, before.member.time_zone) == ("Asia/Tokyo", None)


def test_what_a_provisional_member_has_not_agreed_to_is_not_merged(shop: Shop) -> None:
    shop.change_program(automatic_enrolment={"consent_days": 30})
    arrived = automatic_enrolment.earn_by_identifier(OneIdentifier(**CARD), order(), caller=TILL, now=START)
    ada = shop.enroll("ada")
    with pytest.raises(ConsentRequiredError):
        merges.merge_members(ada, arrived.entry.member_id, caller=TILL, now=START)
