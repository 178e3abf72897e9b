"""A shop may decide much about its points; what makes no sense is refused, and where it stands is named."""

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from shared.domain.program.common import Validity
from shared.domain.program.defaults import default_program
from shared.domain.program.program import Program
from tests.model.shop import a_program, program_text

TIERS = [{"tier_id": "bronze", "name": "Bronze", "threshold": 0}, {"tier_id": "gold", "name": "Gold", "threshold": 9}]
RULE = {"rule_id": "r", "description": "Double", "effect": {"kind": "multiply", "percent": 200}}
REWARD = {"reward_id": "tea", "name": "Tea", "kind": "product", "sku": "T", "points": 5}
ACTION = {"action_id": "review", "description": "A review", "points": 5}


def earning(**changes: Any) -> dict[str, Any]:
    return {"earning": changes}


def with_rule(**changes: Any) -> dict[str, Any]:
    return earning(rules=[{**RULE, **changes}])


def with_reward(**changes: Any) -> dict[str, Any]:
    return {"redeeming": {"rewards": [{**REWARD, **changes}]}}


def with_tiers(*levels: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"tiers": {"levels": levels, **changes}}


@pytest.mark.parametrize(
    ("fault", "place", "words"),
    [
        ({"time_zone": "Europe/Atlantis"}, "time_zone", "IANA"),
        ({"time_zone": "../etc/passwd"}, "time_zone", "IANA"),
        ({"time_zone": "America"}, "time_zone", "IANA"),
        ({"currency": "XYZ"}, "currency", "ISO 4217"),
        ({"currency": "usd"}, "currency", "pattern"),
        ({"country": "USA"}, "country", "pattern"),
        ({"version": 0}, "version", "greater"),
        ({"colour": "red"}, "colour", "not permitted"),
        ({"refund_debt": "maybe"}, "refund_debt", "'allowed' or 'forgiven'"),
        (earning(points=1.5), "earning/points", "integer"),
        (earning(points="1"), "earning/points", "integer"),
        (earning(points=True), "earning/points", "integer"),
        (earning(per_amount=0), "earning/per_amount", "greater"),
        (earning(rounding="half_even"), "earning/rounding", "'down', 'nearest' or 'up'"),
        (earning(pending_days=-1), "earning/pending_days", "greater"),
        (earning(pending_days=4000), "earning/pending_days", "less"),
        (earning(minimum_spend=-1), "earning/minimum_spend", "greater"),
        (earning(rules=[RULE, RULE]), "", "rule_id 'r' is listed twice"),
        (earning(actions=[ACTION, ACTION]), "", "action_id 'review' is listed twice"),
        (earning(actions=[{**ACTION, "limit": {"per": "day"}}]), "earning/actions/0/limit", "times, points"),
        (with_rule(rule_id="Not a slug"), "earning/rules/0/rule_id", "pattern"),
        (with_rule(effect={"kind": "multiply", "percent": 100}), "earning/rules/0/effect/multiply/percent", "greater"),
        (with_rule(effect={"kind": "subtract", "points": 1}), "earning/rules/0/effect", "'multiply', 'add'"),
        (with_rule(effect={"kind": "add", "points": 0}), "earning/rules/0/effect/add/points", "greater"),
        (with_rule(when={"weekdays": ["someday"]}), "earning/rules/0/when/weekdays/0", "'mon'"),
        (with_rule(when={"tiers": ["platinum"]}), "", "rule 'r' names the tier 'platinum'"),
        (with_rule(when={"starts_on": "2026-02-02", "ends_on": "2026-02-01"}), "earning/rules/0/when", "lies before"),
        (with_rule(when={"starts_on": "2026-02-30"}), "earning/rules/0/when/starts_on", "date"),
        (with_rule(when={"starts_on": 20260201}), "earning/rules/0/when/starts_on", "must be a day"),
        (with_rule(when={"starts_on": "20260201"}), "earning/rules/0/when/starts_on", "must be a day"),
        (with_rule(when={"starts_on": "0001-01-01"}), "earning/rules/0/when/starts_on", "between 1970 and 2199"),
        ({"expiry": {"kind": "sometime"}}, "expiry", "'term'"),
        ({"expiry": {"kind": "term"}}, "expiry/term", "either months or days"),
        ({"expiry": {"kind": "term", "months": 1, "days": 1}}, "expiry/term", "either months or days"),
        ({"expiry": {"kind": "term", "days": 0}}, "expiry/term/days", "greater"),
        ({"expiry": {"kind": "term", "months": 1, "ends": "decade"}}, "expiry/term/ends", "'quarter'"),
        ({"expiry": {"kind": "inactivity", "months": 0}}, "expiry/inactivity/months", "greater"),
        ({"expiry": {"kind": "calendar_date", "month": 2, "day": 30}}, "expiry/calendar_date", "day 30 in month 2"),
        ({"expiry": {"kind": "calendar_date", "month": 13, "day": 1}}, "expiry/calendar_date/month", "less"),
        (with_tiers(), "tiers/levels", "at least 1"),
        (with_tiers({**TIERS[0], "threshold": 1}), "tiers", "must have the threshold 0"),
        (with_tiers(TIERS[0], TIERS[1], {**TIERS[1], "tier_id": "x"}), "tiers", "must rise"),
        (with_tiers(TIERS[0], {**TIERS[1], "tier_id": "bronze"}), "tiers", "tier_id 'bronze' is listed twice"),
        (with_tiers(TIERS[0], {**TIERS[1], "percent": 99}), "tiers/levels/1/percent", "greater"),
        (with_tiers(*TIERS, grace_days=91), "tiers/grace_days", "less"),
        (with_reward(points=0), "redeeming/rewards/0/product/points", "greater"),
        (with_reward(kind="surprise"), "redeeming/rewards/0", "'money_off'"),
        (with_reward(sku=None), "redeeming/rewards/0/product/sku", "string"),
        (with_reward(kind="money_off"), "redeeming/rewards/0/money_off/value", "required"),
        (with_reward(kind="percent_off", percent=101), "redeeming/rewards/0/percent_off/percent", "less"),
        (
            with_reward(minimum_tier="platinum"),
            "",
            "reward 'tea' names the tier 'platinum', which is not one of: bronze, silver, gold",
        ),
        (with_reward(limit={"times": 0, "per": "day"}), "redeeming/rewards/0/product/limit/times", "greater"),
        ({"redeeming": {"rewards": [REWARD, REWARD]}}, "", "reward_id 'tea' is listed twice"),
        ({"redeeming": {"hold_minutes": 0}}, "redeeming/hold_minutes", "greater"),
        ({"messages": {"reminder_days": [0]}}, "messages/reminder_days/0", "greater"),
    ],
)
def test_a_program_with_a_fault_is_refused_and_the_fault_is_named(fault: Any, place: str, words: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        a_program(**fault)
    places = {"/".join(str(step) for step in error["loc"]): error["msg"] for error in refusal.value.errors()}
    assert place in places
    assert words in places[place]


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(ValidationError) as refusal:
        a_program(name="", currency="XYZ", time_zone="Nowhere", earning={"points": 0})
    assert {error["loc"] for error in refusal.value.errors()} == {
        ("name",),
        ("currency",),
        ("time_zone",),
        ("earning", "points"),
    }


def test_a_program_cannot_be_changed_behind_its_version() -> None:
    program = a_program()
    with pytest.raises(ValidationError, match="frozen"):
        program.name = "Other"  # type: ignore[misc]


def test_a_stored_program_reads_back_as_it_was() -> None:
    program = default_program()
    assert Program.model_validate_json(program.model_dump_json(exclude_defaults=True)) == program


def test_a_validity_includes_its_first_and_its_last_day() -> None:
    validity = Validity.model_validate({"starts_on": "2026-05-01", "ends_on": "2026-05-02"})
    days = [date(2026, 4, 30), date(2026, 5, 1), date(2026, 5, 2), date(2026, 5, 3)]
    assert [validity.covers(day) for day in days] == [False, True, True, False]


def test_a_validity_without_ends_is_always() -> None:
    assert Validity().covers(date(1970, 1, 1))


def test_more_than_a_hundred_rules_are_refused() -> None:
    too_many = [{**RULE, "rule_id": f"r{number}"} for number in range(101)]
    with pytest.raises(ValidationError, match="at most 100"):
        Program.model_validate(program_text(earning={"rules": too_many}))
