"""The command line says in one line what is wrong, and what to do."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import boto3
import pytest

from infra.cli import main
from infra.local.tokens import Issuer
from infra.machine import environment


@pytest.fixture(autouse=True)
def _own_environment() -> Iterator[None]:
    with patch.dict(os.environ):
        yield


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "required"),
        (["fly"], "invalid choice"),
        (["dev", "--port", "65536"], "a port lies between 0 and 65535"),
        (["dev", "--port", "http"], "invalid _port value"),
        (["dev", "--now", "2027-03-05"], "RFC 3339"),
        (["dev", "--now", "2027-03-05T12:00:00"], "RFC 3339"),
        (["dev", "--now", "1800000000"], "RFC 3339"),
        (["dev", "--engine", "postgres"], "invalid choice"),
        (["dev", "--endpoint", "localhost"], "must be an address such as"),
        (["dev", "--engine", "moto", "--endpoint", "http://127.0.0.1:9"], "not allowed with"),
        (["token"], "--scope"),
    ],
)
def test_a_call_that_cannot_work_ends_with_status_2(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main.main(arguments)
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says", "status"),
    [
        (["token", "--scope", "loyalty/member"], "add --member MEMBER_ID", 2),
        (["dev", "--engine", "moto", "--data", "somewhere"], "moto keeps nothing between starts", 2),
        (["dev", "--endpoint", "http://127.0.0.1:9"], "no DynamoDB answers at http://127.0.0.1:9", 1),
        (["dev", "--data", os.devnull], "cannot be used as a folder", 1),
    ],
)
def test_what_stands_in_the_way_is_one_line(
    arguments: list[str], says: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(arguments) == status
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("loyalty: ")
    assert says in line


def test_a_printed_token_is_accepted_by_the_servers_of_this_user(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["token", "--scope", "loyalty/member", "--scope", "loyalty/storefront", "--member", "m-1"]) == 0
    claims = Issuer.of_this_user().claims(f"Bearer {capsys.readouterr().out.strip()}")
    assert (claims["scope"], claims["member_id"]) == ("loyalty/member loyalty/storefront", "m-1")


def test_the_document_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["openapi"]) == 0
    assert "/v1/program" in json.loads(capsys.readouterr().out)["paths"]


def test_the_shells_aws_settings_and_proxies_reach_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_DYNAMODB", "HTTP_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "of-the-shell")
    environment.forget_the_shell()
    variables = environment.variables("http://127.0.0.1:9", tmp_path)
    assert "of-the-shell" not in variables.values()
    assert boto3.Session().available_profiles == []


def test_identifiers_are_hashed_under_the_same_key_as_long_as_the_folder_lasts(tmp_path: Path) -> None:
    first, second = (environment.variables("http://127.0.0.1:9", tmp_path) for _ in range(2))
    assert first["IDENTITY_KEY"] == second["IDENTITY_KEY"]
    assert len(bytes.fromhex(first["IDENTITY_KEY"])) == 32
