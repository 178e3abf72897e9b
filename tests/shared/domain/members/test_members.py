"""Who members are, and what is left of them when they become one or leave."""

from datetime import UTC, datetime
from random import SystemRandom
from typing import Any

import pytest
from pydantic import ValidationError

from shared.domain.errors import InvalidRequestError, MemberNotActiveError
from shared.domain.members.contact_preferences import suppressed
from shared.domain.members.members import (
    Change,
    Enrollment,
    Identifiers,
    Identity,
    Member,
    changed,
    erased,
    identities,
    joined,
    new_referral_code,
    normalised,
    require_active,
    united,
)

NOW = datetime(2026, 11, 20, 18, 3, tzinfo=UTC)


def join(member_id: str = "ada", country: str = "US", **details: Any) -> Member:
    request = Enrollment.model_validate(details)
    return joined(request, member_id=member_id, referral_code=f"{member_id.upper()}-7Q2KXM", country=country, now=NOW)


def test_a_member_is_found_by_identifiers_as_they_are_compared() -> None:
    member = join(email="Ada@Example.COM", phone="+44 20 7946 0958", card_number="c-1A", external_id=" Shop 42")
    assert (member.email, member.phone) == ("ada@example.com", "+442079460958")
    assert (member.card_number, member.external_id) == ("c-1A", " Shop 42"), "these are kept exactly"


@pytest.mark.parametrize(("country", "number"), [("GB", "+442079460958"), ("DE", "+492079460958")])
def test_a_phone_number_without_a_country_is_of_the_programs(country: str, number: str) -> None:
    assert join(country=country, phone="020 7946 0958").phone == number


def test_whoever_gives_no_identifier_cannot_join() -> None:
    with pytest.raises(InvalidRequestError, match=r"^give at least one of external_id, email, phone, card_number"):
        join(name="Ada")


def test_every_identifier_that_is_not_what_it_says_is_named() -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        join(email="ada at example", phone="not a number", card_number="C-1")
    assert [fault.pointer for fault in refusal.value.faults] == ["/email", "/phone"]


@pytest.mark.parametrize("phone", ["123", "+1 555", "12345678901234567890"])
def test_what_cannot_be_a_phone_number_is_refused(phone: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"^/phone: (is not|must be) a (possible )?phone number"):
        normalised({"phone": phone}, "US")


@pytest.mark.parametrize("birthday", ["02-30", "13-01", "2-1", "1990-02-01", 201, "00-10"])
def test_a_birthday_is_a_day_that_some_year_has(birthday: object) -> None:
    with pytest.raises(ValidationError):
        Enrollment.model_validate({"card_number": "C-1", "birthday": birthday})


def test_the_29th_of_february_is_a_birthday() -> None:
    assert join(card_number="C-1", birthday="02-29").birthday == "02-29"


def test_who_says_nothing_has_consented_to_nothing() -> None:
    consent = join(card_number="C-1").consent
    assert (consent.marketing.email, consent.marketing.sms, consent.terms_version) == (False, False, None)


def test_a_change_leaves_alone_what_it_does_not_name_and_null_removes() -> None:
    member = join(email="ada@example.com", card_number="C-1", name="Ada", birthday="12-10")
    after = changed(member, Change.model_validate({"email": "Ada@new.example", "birthday": None}), "US", NOW)
    assert (after.email, after.birthday, after.name, after.card_number) == ("ada@new.example", None, "Ada", "C-1")
    assert after.member_id == "ada"


def test_consent_set_to_null_is_withdrawn() -> None:
    member = join(card_number="C-1", consent={"terms_version": "1", "marketing": {"email": True}})
    after = changed(member, Change.model_validate({"consent": None}), "US", NOW)
    assert not after.consent.marketing.email


def test_a_member_keeps_at_least_one_identifier() -> None:
    member = join(card_number="C-1")
    with pytest.raises(InvalidRequestError):
        changed(member, Change.model_validate({"card_number": None}), "US", NOW)


def test_of_an_erased_member_nothing_personal_is_left() -> None:
    member = join(email="ada@example.com", name="Ada", birthday="12-10", channel="web")
    left = erased(member)
    assert left.identities() == set()
    assert left.model_dump(exclude_defaults=True) == {"member_id": "ada", "status": "erased", "enrolled_at": NOW}
    with pytest.raises(MemberNotActiveError, match="was erased"):
        require_active(left)


def test_a_merged_member_is_found_under_everything_either_was_known_by() -> None:
    bob = join("bob", email="bob@example.com", card_number="C-2", phone="+44 20 7946 0958", name="Bob")
    ada = join("ada", email="ada@example.com", name="Ada")
    known = bob.identities() | ada.identities()
    gone, stays = united(bob, ada)
    assert stays.identities() == known
    assert (stays.email, stays.name) == ("ada@example.com", "Ada"), "her own details stay"
    assert (stays.card_number, stays.phone) == ("C-2", "+442079460958"), "those she lacked are his"
    assert Identity(kind="email", value="bob@example.com") in stays.also_known_as
    assert Identity(kind="referral_code", value="BOB-7Q2KXM") in stays.also_known_as
    assert gone.identities() == set()
    assert (gone.status, gone.merged_into, gone.name) == ("merged", "ada", None)
    with pytest.raises(MemberNotActiveError, match="merged into ada"):
        require_active(gone)


def test_a_birthday_that_a_merge_brings_has_been_known_for_as_long_as_it_was() -> None:
    known = join("bob", card_number="C-2", birthday="02-01")
    other = join("ada", card_number="C-1", birthday="03-01").model_copy(update={"birthday_since": NOW})
    _, stays = united(known, join("ada", card_number="C-1"))
    assert (stays.birthday, stays.birthday_since) == ("02-01", known.birthday_since or known.enrolled_at)
    _, stays = united(known, other)
    assert (stays.birthday, stays.birthday_since) == ("03-01", NOW)


def test_a_merge_widens_no_consent() -> None:
    bob = join("bob", card_number="C-2", consent={"marketing": {"email": True, "sms": True}})
    _, stays = united(bob, join("ada", card_number="C-1", consent={"marketing": {"email": True}}))
    assert (stays.consent.marketing.email, stays.consent.marketing.sms) == (True, False)


def test_a_request_is_looked_up_as_identifiers_are_kept() -> None:
    asked = Identifiers(email="ADA@example.com")
    assert identities(asked, "US") == [Identity(kind="email", value="ada@example.com")]


@pytest.mark.parametrize(
    ("name", "first"),
    [("Grace Hopper", "GRACE"), ("Ada", "ADA"), (None, "FRIEND"), ("李", "FRIEND"), ("Maximilian", "MAXIMILI")],
)
def test_a_referral_code_begins_with_the_name_and_is_never_the_same(name: str | None, first: str) -> None:
    codes = {new_referral_code(name, SystemRandom().choice) for _ in range(20)}
    assert len(codes) == 20
    for code in codes:
        head, tail = code.split("-")
        assert head == first
        assert len(tail) == 6
        assert not set(tail) & set("01ILO")


def test_a_merge_keeps_in_mind_which_addresses_do_not_work() -> None:
    bob = suppressed(join("bob", email="bob@example.com"), "email", "bounce", NOW.date())
    _, stays = united(bob, join("ada", card_number="C-1"))
    assert stays.email == "bob@example.com"
    assert set(stays.suppressed_channels) == {"email"}
