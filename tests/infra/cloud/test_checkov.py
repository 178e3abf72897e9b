"""Checkov finds nothing that has no reason, and no reason outlives what it was for."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.cloud import checkov
from infra.cloud.checkov import EXPECTED, Expected
from tests.infra.cloud.conftest import Template

SECONDS_MAX = 300


def answer(*failed: tuple[str, str], passed: int = 1, parsing_errors: int = 0) -> Mapping[str, Any]:
    rows = [{"check_id": check, "resource": resource} for check, resource in failed]
    return {"summary": {"passed": passed, "parsing_errors": parsing_errors}, "results": {"failed_checks": rows}}


ALL_EXPECTED = [(one.check, one.resources.replace("*", "1")) for one in EXPECTED]


def test_what_has_a_reason_is_passed_over_and_nothing_else() -> None:
    people = ("CKV_AWS_119", "AWS::DynamoDB::Table.PeopleE38C8D03")
    other = ("CKV_AWS_111", "AWS::IAM::Policy.earnroleDefaultPolicy1")
    assert checkov.unexplained(answer(*ALL_EXPECTED)) == []
    assert checkov.unexplained(answer(*ALL_EXPECTED, people, other)) == [" ".join(people), " ".join(other)]


def test_a_reason_for_nothing_is_found() -> None:
    assert checkov.needless([answer(*ALL_EXPECTED[1:]), answer()]) == [EXPECTED[0]]
    assert checkov.needless([answer(*ALL_EXPECTED[1:]), answer(ALL_EXPECTED[0])]) == []


@pytest.mark.parametrize("unread", [answer(passed=0), answer(parsing_errors=1)])
def test_a_template_that_was_not_read_has_not_passed(unread: Mapping[str, Any]) -> None:
    with pytest.raises(ValueError, match="could not read"):
        checkov.unexplained(unread)


def test_every_reason_is_one() -> None:
    assert all(len(one.reason.split()) > 3 for one in EXPECTED)
    assert len({(one.check, one.resources) for one in EXPECTED}) == len(EXPECTED)


@pytest.mark.stack
@pytest.mark.skipif(not checkov.CHECKOV.exists(), reason=".ci/run installs Checkov, in an environment of its own")
def test_checkov_finds_nothing_without_a_reason(prod: Template, dev: Template) -> None:
    answers = [_asked(template.path) for template in (prod, dev)]
    assert [checkov.unexplained(one) for one in answers] == [[], []]
    left: list[Expected] = checkov.needless(answers)
    assert left == []


def _asked(template: Path) -> Mapping[str, Any]:
    done = subprocess.run(checkov.command(template), capture_output=True, text=True, check=False, timeout=SECONDS_MAX)
    assert done.stdout, done.stderr
    found: Mapping[str, Any] = json.loads(done.stdout)
    return found
