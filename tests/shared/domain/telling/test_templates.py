"""Which words a member gets, in which language, when, and by which channel."""

import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.domain.members.contact_preferences import (
    Categories,
    PreferencesChange,
    allows,
    preferring,
    suppressed,
    unsubscribed,
)
from shared.domain.members.members import Change, Member, changed
from shared.domain.members.preferences import ByChannel
from shared.domain.message_types import CHANNELS, KINDS, Kind, examples_of
from shared.domain.program.built_in_templates import default_template
from shared.domain.program.defaults import default_program
from shared.domain.program.messages import Messages, QuietHours, Template
from shared.domain.telling.notifications import quiet_until, way_to
from shared.domain.telling.templates import (
    LETTERS_MAX,
    RenderingError,
    faults_of,
    rendered,
    sms_parts,
    template_for,
)

NOW = datetime(2026, 11, 20, 18, 3, tzinfo=UTC)
PROGRAM = default_program()


def member(**details: object) -> Member:
    return Member.model_validate({"member_id": "m", "enrolled_at": NOW, "email": "ada@example.org", **details})


def template(text: str, channel: str = "sms", kind: str = "welcome", locale: str = "en") -> Template:
    subject = "x" if channel == "email" else None
    return Template.model_validate(
        {"kind": kind, "channel": channel, "locale": locale, "subject": subject, "text": text}
    )


@pytest.mark.parametrize("locale", ["en", "de"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_words_that_pass_the_check_of_a_programs_own(kind: Kind, locale: str) -> None:
    for channel in CHANNELS:
        built_in = default_template(kind, channel, locale)
        assert built_in
        assert faults_of(built_in, "", 3) == []
        assert (rendered(built_in, examples_of(kind)).html is not None) == (channel == "email")


@pytest.mark.parametrize(
    ("locale", "found"), [("de-AT", "de-AT"), ("de-CH", "de"), ("fr-CA", "fr"), ("it", "fr"), (None, "fr")]
)
def test_the_nearest_language_wins_then_the_programs_own(locale: str | None, found: str) -> None:
    own = tuple(template("x", locale=one) for one in ("de-AT", "fr"))
    messages = Messages(locale="fr", templates=own)
    assert template_for(messages, "welcome", "sms", locale)[0].locale == found


def test_english_is_always_there() -> None:
    assert template_for(Messages(locale="sw"), "nudge", "email", "ja-JP")[0].locale == "en"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{{ points", "unexpected end"),
        ("{{ pionts }}", "no variable 'pionts'"),
        ("{{ points | frob }}", "No filter"),
        ("{{ 'x' * 1000000000 }}", "* may not"),
        ("{{ ''.join(program_name) }}", "calls may not"),
        ("{% set a = 1 %}{{ a }}", "set may not"),
        ("{% for a in program_name %}{% for b in program_name %}x{% endfor %}{% endfor %}", "inside a loop"),
        ("{% include 'x' %}", "line 1: include may not"),
        ("x\n{{ points ** 9 }}", "line 2: ** may not"),
        ("{{ points % 9 }}", "line 1: % may not"),
        ("{{ points ~ 9 }}", "line 1: ~ may not"),
        ("{% set a %}x{% endset %}", "line 1: set may not"),
        ("{% macro a() %}x{% endmacro %}", "line 1: macro may not"),
        ("x" * 500, "sms_parts_max is 3"),
        ("ж" * 202, "sms_parts_max is 3"),
        ("{{ points | join }}", "cannot be rendered"),
        ("{{ 5 | day }}", "cannot be rendered"),
        ("{% filter upper %}x{% endfilter %}", "line 1: filter may not"),
        ("{% with a = 'x' %}{{ a }}{% endwith %}", "line 1: with may not"),
        ("{% for a in 'xyz' %}x{% endfor %}", "a loop goes over a variable"),
        ("{% for a in program_name | join('x') %}x{% endfor %}", "a loop goes over a variable"),
        ("{% for a in (program_name + 'x')[1:] %}x{% endfor %}", "a loop goes over a variable"),
        ("{{{{ {}1{} }}}}".format("(" * 4000, ")" * 4000), "nests too deeply"),
        ("{% if points %}" * 150 + "{% endif %}" * 150, "nests too deeply"),
        ("{{ " + "9" * 5000 + " }}", "digits"),
    ],
)
def test_a_fault_is_named_with_its_place(text: str, says: str) -> None:
    [fault, *_] = faults_of(template(text), "/messages/templates/0", 3)
    assert fault.pointer == "/messages/templates/0/text"
    assert says in fault.detail


@pytest.mark.parametrize(
    ("currency", "locale", "shown"),
    [
        ("EUR", "en", "12.05 EUR"),
        ("EUR", "de-AT", "12,05 EUR"),
        ("JPY", "en", "1205 JPY"),
        ("KWD", "en", "1.205 KWD"),
    ],
)
def test_money_is_shown_with_as_many_digits_as_its_currency_has(currency: str, locale: str, shown: str) -> None:
    words = template("{{ amount | money }}", kind="credit_earned")
    assert rendered(words, {"amount": 1205, "currency": currency, "locale": locale}).text == shown


def test_a_sandbox_hides_what_lies_behind_a_value() -> None:
    assert faults_of(template("{{ program_name.__class__.__mro__ }}"), "", 3)


HUNGRY = (
    "{{ '" + "x" * 900 + "' | join('" + "y" * 900 + "') | join('" + "z" * 900 + "') | length }}",
    "{{ 'xx'" + " | join('yyyyyyyy')" * 150 + " }}",
    "{{ ('xx'" + " | join('yyyyyyyy')" * 150 + ") | first }}",
    "{% if ('xx'" + " | join('yyyyyyyy')" * 9 + ") | length > 5 %}x{% endif %}" * 40,
    "{% for a in program_name %}" + "{{ ('x' | join('y')) | join('" + "z" * 4000 + "') }}" * 2 + "{% endfor %}",
    "{{ " + " + ".join(["('" + "x" * 60 + "' | join('" + "y" * 60 + "'))"] * 30) + " }}",
    "{{ " + "+".join(["program_name"] * 200) + " }}",
    "{{ [[['x']]] | join('" + "y" * 900 + "') | join('" + "z" * 900 + "') | join('" + "z" * 900 + "') }}",
    "{{ '&&&&' | e" + " | join('') | e" * 150 + " }}",
)
MEGABYTES_MAX = 24
SECONDS_MAX = 5


@pytest.mark.parametrize("text", HUNGRY)
def test_no_template_takes_memory_or_time_without_end(text: str) -> None:
    _check_hungry(text)


_TERM = st.recursive(
    st.sampled_from(["program_name", "points", "['x', 'yy']", "'" + "x" * 50 + "'"]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda two: f"({two[0]} | join({two[1]}))"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]} + {two[1]})"),
        st.tuples(inner, st.sampled_from(["e", "upper", "title", "first", "trim"])).map(
            lambda two: f"({two[0]} | {two[1]})"
        ),
    ),
    max_leaves=40,
)


@given(st.lists(_TERM, min_size=1, max_size=6).filter(lambda terms: len("".join(terms)) < 9_000), st.booleans())
@settings(max_examples=30, deadline=None)
def test_whatever_joins_and_sums_are_made_of_has_a_bound(terms: list[str], loops: bool) -> None:
    text = "".join(f"{{{{ {term} }}}}" for term in terms)
    _check_hungry(f"{{% for a in program_name %}}{text}{{% endfor %}}" if loops else text)


def _check_hungry(text: str) -> None:
    words = template(text)
    started, before = time.process_time(), _megabytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget how much it has ever been
    faults_of(words, "", 10)
    with suppress(RenderingError):
        rendered(words, examples_of("points_earned") | {"program_name": "Tea Club " * 20})
    assert _megabytes("VmHWM") - before < MEGABYTES_MAX
    assert time.process_time() - started < SECONDS_MAX


def _megabytes(name: str) -> int:
    """What Linux says of this process's memory, now or at most."""
    [line] = [one for one in Path("/proc/self/status").read_text(encoding="ascii").splitlines() if one.startswith(name)]
    return int(line.split()[1]) // 1024


def test_what_a_template_makes_may_be_five_times_its_longest_text() -> None:
    words = template("{{ program_name }}")
    assert len(rendered(words, {"program_name": "x" * LETTERS_MAX}).text) == LETTERS_MAX
    with pytest.raises(RenderingError, match="more than 250000 letters"):
        rendered(words, {"program_name": "x" * (LETTERS_MAX + 1)})


def test_what_a_member_is_called_is_text_and_never_markup() -> None:
    words = default_template("birthday", "email", "en")
    assert words
    html = rendered(words, examples_of("birthday") | {"member_name": "<script>"}).html
    assert html
    assert "<script>" not in html


def test_an_sms_has_neither_subject_nor_html() -> None:
    with pytest.raises(ValidationError):
        Template(kind="welcome", channel="sms", locale="en", subject="x", text="x")


@given(st.text(max_size=700))
def test_a_text_never_takes_fewer_messages_than_it_fills(text: str) -> None:
    assert sms_parts(text) * 160 >= len(text)


@pytest.mark.parametrize(
    ("zone", "until"),
    [
        ("Europe/Berlin", None),
        ("Asia/Kolkata", datetime(2026, 11, 21, 2, 30, tzinfo=UTC)),
        ("Asia/Tokyo", datetime(2026, 11, 20, 23, 0, tzinfo=UTC)),
    ],
)
def test_quiet_hours_are_those_of_the_members_zone(zone: str, until: datetime | None) -> None:
    program = PROGRAM.model_copy(update={"messages": Messages(quiet_hours=QuietHours())})
    assert quiet_until(member(time_zone=zone), program, "nudge", NOW) == until
    assert quiet_until(member(time_zone=zone), program, "reward_redeemed", NOW) is None


def test_consent_and_a_no_to_service_are_kept_apart() -> None:
    ada = member()
    assert allows(ada, "service", "email")
    assert not allows(ada, "marketing", "email")
    assert not allows(ada, "digest", "email")
    agreed = preferring(
        ada, PreferencesChange(categories=Categories(marketing=ByChannel(email=True))), now=NOW, channel="web"
    )
    assert allows(agreed, "digest", "email")
    assert agreed.consent_history[-1].channel == "web"
    again = unsubscribed(agreed, "marketing", NOW)
    assert not allows(again, "marketing", "email")
    assert unsubscribed(again, "marketing", NOW) == again


def test_a_bounced_address_is_left_alone_until_there_is_another() -> None:
    ada = suppressed(member(), "email", "bounce", NOW.date())
    assert way_to(ada, PROGRAM, "welcome") is None
    moved = changed(ada, Change(email="ada@example.net"), "US", NOW)
    assert way_to(moved, PROGRAM, "welcome") is not None
    assert suppressed(suppressed(ada, "email", "complaint", NOW.date()), "email", "bounce", NOW.date()) == suppressed(
        ada, "email", "complaint", NOW.date()
    )


@pytest.mark.parametrize(("length", "parts"), [(0, 1), (160, 1), (161, 2), (306, 2), (307, 3), (459, 3), (460, 4)])
def test_a_plain_text_takes_160_letters_or_153_in_each_of_several(length: int, parts: int) -> None:
    assert sms_parts("x" * length) == parts


@pytest.mark.parametrize(("text", "parts"), [("€" * 80, 1), ("€" * 80 + "x", 2), ("ж" * 70, 1), ("ж" * 71, 2)])
def test_letters_beyond_the_plain_ones_take_more_room(text: str, parts: int) -> None:
    assert sms_parts(text) == parts


@pytest.mark.parametrize(("letters", "parts"), [(35, 1), (36, 2), (67, 2), (68, 3)])
def test_an_emoji_takes_the_room_of_two_letters(letters: int, parts: int) -> None:
    assert sms_parts("🎁" * letters) == parts


@pytest.mark.parametrize(
    ("service", "agrees", "reaches"),
    [
        ("always", False, True),
        ("with_consent", False, False),
        ("with_consent", True, True),
        ("never", True, False),
    ],
)
def test_a_service_message_goes_to_whom_the_shop_wants_to_write(service: Any, agrees: bool, reaches: bool) -> None:
    program = PROGRAM.model_copy(update={"messages": Messages(service=service)})
    wish = PreferencesChange(categories=Categories(marketing=ByChannel(email=agrees)))
    ada = preferring(member(), wish, now=NOW, channel="web")
    assert (way_to(ada, program, "reward_redeemed") is not None) is reaches


def test_a_subject_that_comes_to_nothing_is_a_fault() -> None:
    empty = template("x", channel="email").model_copy(update={"subject": "{% if not program_name %}x{% endif %}"})
    [fault] = faults_of(empty, "/messages/templates/0", 3)
    assert (fault.pointer, fault.detail) == ("/messages/templates/0/subject", "is empty with example values")
