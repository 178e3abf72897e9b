"""What a deployment may be told, and what it refuses."""

import subprocess
import sys
from typing import Any

import pytest
from aws_cdk import App
from constructs import Node

from infra.cloud.mail import MESSAGE_MS, message_ms, workers_max
from infra.cloud.options import OptionError, Options
from infra.emulator.deploy import deployed
from infra.errors import UsageError
from shared import runtime, settings
from tests.infra.cloud.conftest import PROD

IDENTITY = "arn:aws:ses:us-east-1:111122223333:identity/shop.example"


def _options(**context: Any) -> Options:
    node: Node = App(context=context).node
    return Options.of(node)


def test_webhooks_lead_anywhere_in_a_stage_for_trying_things_out_alone() -> None:
    assert _options().webhook_targets == "public"
    assert _options(webhook_targets="anywhere").webhook_targets == "anywhere"
    with pytest.raises(OptionError, match="webhook_targets=anywhere is for stage dev alone"):
        _options(stage="prod", webhook_targets="anywhere")


@pytest.mark.parametrize(
    ("context", "why"),
    [
        ({"webhook_targets": "loopback"}, "webhook_targets must be public or anywhere, not 'loopback'"),
        ({"sign_up": "maybe"}, "sign_up must be invited or open, not 'maybe'"),
        ({"stage": "test"}, "stage must be one of dev, prod, not 'test'"),
        ({"issuer": "https://login.example"}, "issuer and audiences belong together"),
        ({"partners": ",".join(f"cafe{number}" for number in range(47))}, "may name 46, not 47"),
        ({"name": "Café"}, "name must look like"),
        ({"due_shards": "many"}, "due_shards must be a whole number, not 'many'"),
        ({"due_shards": "0"}, "due_shards must be from 1 to 256, not 0"),
        ({"expiry_workers": 1001}, "expiry_workers must be from 2 to 1000, not 1001"),
        ({"stream_workers": "-1"}, "stream_workers must be a whole number"),
        ({"warm_table_writes": "500"}, "warm_table_writes must be 0 or over 4000"),
        ({"name": "c" * 21}, "name must look like"),
        ({"sender_domain": "shop.example", "sender_identity_arn": IDENTITY}, "give one of them"),
        ({"mail_per_second": "0"}, "mail_per_second must be from 1 to 5000, not 0"),
        ({"mail_per_second": "fast"}, "mail_per_second must be a whole number, not 'fast'"),
        ({"text_sender": "Café"}, r"text_sender must look like \+12125550100"),
        ({"text_sender": "+0123"}, "text_sender must look like"),
        ({"text_sender": "TwelveLetters"}, "text_sender must look like"),
        ({"sender_email": "club@notshop.example", "sender_domain": "shop.example"}, "must be an address of shop.exam"),
    ],
)
def test_what_cannot_work_is_refused_in_words(context: dict[str, str], why: str) -> None:
    with pytest.raises(OptionError, match=why):
        _options(**context)


@pytest.mark.parametrize(
    ("context", "setting"),
    [
        ({}, "8"),
        ({"due_shards": "32"}, "32"),
        ({"due_shards": 8, "due_shards_read": 32}, "8/32"),
        ({"due_shards": 32, "due_shards_read": 8}, "32"),
    ],
)
def test_the_functions_are_told_over_how_many_shards_to_spread_and_in_how_many_to_look(
    context: dict[str, Any], setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = _options(**context)
    assert options.shards == setting
    monkeypatch.setenv("DUE_SHARDS", options.shards)
    with runtime.use():
        runtime.forget()
        assert settings.due_shards() == options.due_shards
        assert settings.due_shards_read() == max(options.due_shards, options.due_shards_read)
    runtime.forget()


@pytest.mark.parametrize("option", PROD)
def test_production_is_not_made_without_who_gets_alarms_where_people_return_and_who_sends(option: str) -> None:
    assert _options(stage="prod", **PROD).is_kept
    lacking = {name: value for name, value in PROD.items() if name != option}
    with pytest.raises(OptionError, match=rf"(?s)stage prod also needs these options:\n  {option}\b(?!.*\n)"):
        _options(stage="prod", **lacking)


@pytest.mark.parametrize("rate", [1, 2, 14, 100, 5000])
def test_workers_keep_to_the_mail_services_rate_and_use_most_of_it(rate: int) -> None:
    options = _options(mail_per_second=str(rate))
    workers, each_ms = workers_max(options), message_ms(options)
    assert 2 <= workers <= 1000
    assert workers * 1000 / each_ms <= rate
    assert each_ms >= MESSAGE_MS or rate > 1000 * 1000 / MESSAGE_MS
    assert workers * 1000 / each_ms > 0.9 * rate


@pytest.mark.parametrize("sender", ["+12125550100", "38698", "Cafe", "4Cafe"])
def test_text_messages_come_from_a_number_a_short_code_or_a_name(sender: str) -> None:
    assert _options(text_sender=sender).text_sender == sender


def test_production_says_all_that_is_missing_at_once() -> None:
    with pytest.raises(OptionError) as refused:
        _options(stage="prod")
    assert all(f"\n  {option}" in str(refused.value) for option in PROD)


def test_an_identity_that_is_there_and_an_issuer_of_ones_own_stand_in_for_what_the_stack_would_make() -> None:
    own = {"issuer": "https://login.example", "audiences": "loyalty", "sender_identity_arn": IDENTITY}
    kept = _options(stage="prod", alarm_email="ops@shop.example", sender_email="club@shop.example", **own)
    assert kept.sender_identity_arn == IDENTITY


def test_the_emulator_and_the_app_say_so_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {"stage": "prod", "webhook_targets": "anywhere"}
    with pytest.raises(UsageError, match="stage dev alone"), deployed(wrong):
        pass
    monkeypatch.setenv("CDK_CONTEXT_JSON", '{"stage": "prod", "webhook_targets": "anywhere"}')
    command = [sys.executable, "-m", "infra.app"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("loyalty: webhook_targets=anywhere")
    assert "Traceback" not in done.stderr
