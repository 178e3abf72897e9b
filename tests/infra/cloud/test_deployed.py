"""What a stack was deployed with stays at the next deployment, unless that says otherwise."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from infra.cloud import deploy, deployed
from infra.errors import LocalError
from tests.infra.cloud.account import Account, Answer, Refusal
from tests.infra.cloud.conftest import BUSY, PROD, Template

TABLE = "arn:aws:dynamodb:eu-central-1:123456789012:table/restored"
RESTORED = {**PROD, "stage": "prod", "loyalty_table_arn": TABLE, "stream_arn": f"{TABLE}/stream/1"}
STACK = "loyalty-prod"


def described(**options: str) -> Answer:
    return {"TemplateBody": json.dumps({"Metadata": {"Options": options}, "Resources": {}})}


def account(answer: Answer) -> Account:
    return Account({"cloudformation.get_template": answer})


@pytest.fixture
def deployments(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that the CDK was called with, in an account where nothing is missing."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> Any:
        commands.append(command)
        return type("Done", (), {"returncode": 0})

    monkeypatch.setattr(deploy, "look", lambda _options: [])
    monkeypatch.setattr(deploy, "protect", lambda _stack: None)
    monkeypatch.setattr("subprocess.run", run)
    return commands


def deployed_with(account: Account, context: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("boto3.Session", lambda: account)
    return deploy.deploy(context)


def test_what_is_left_out_stays(
    deployments: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    aws = account(described(**RESTORED))
    assert deployed_with(aws, {"stage": "prod", "webhook_workers": "250"}, monkeypatch) == 0
    assert aws.calls == [("cloudformation.get_template", {"StackName": STACK})]
    [command] = deployments
    assert f"loyalty_table_arn={TABLE}" in command
    assert "webhook_workers=250" in command
    assert capsys.readouterr().out == "fine     webhook_workers changes from what it is if left out to 250\n"


def test_what_says_where_data_are_is_changed_on_purpose_alone(
    deployments: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = {"stage": "prod", "loyalty_table_arn": "", "stream_arn": ""}
    assert deployed_with(account(described(**RESTORED)), empty, monkeypatch) == 0
    said = capsys.readouterr().out
    assert f"mind     loyalty_table_arn changes from {TABLE} to what it is if left out" in said
    assert "stop here and leave out -c loyalty_table_arn" in said
    assert f"loyalty_table_arn={TABLE}" not in deployments[0]


def test_nothing_is_known_of_a_stack_that_is_not_there_yet_or_says_nothing(
    deployments: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for answer in ({"TemplateBody": json.dumps({"Resources": {}})}, Refusal("does not exist")):
        assert deployed_with(account(answer), {"due_shards": "16"}, monkeypatch) == 0
    assert all("due_shards=16" in command for command in deployments)


def test_nothing_is_deployed_over_what_cannot_be_read(
    deployments: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LocalError, match=f"does not tell what {STACK} was deployed with"):
        deployed_with(account(Refusal("AccessDenied")), {"stage": "prod"}, monkeypatch)
    assert deployments == []


@pytest.mark.stack
def test_the_template_says_what_it_was_made_with(prod: Template, dev: Template) -> None:
    usual, busy = (json.loads(one.path.read_text())["Metadata"][deployed.OPTIONS] for one in (prod, dev))
    assert usual == {"stage": "prod", **PROD}
    assert BUSY.items() <= busy.items()
