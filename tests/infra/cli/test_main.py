"""The command line says in one line what is wrong, and what to do."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from unittest.mock import patch

import boto3
import pytest
from typer.main import get_group

from infra.cli import main
from infra.local.tokens import Issuer
from infra.machine import environment


@pytest.fixture(autouse=True)
def _own_environment() -> Iterator[None]:
    with patch.dict(os.environ):
        yield


@pytest.mark.parametrize(
    ("arguments", "says", "status"),
    [
        (["program"], "Missing command", 2),
        (["verfy"], "No such command 'verfy'. Did you mean 'verify'?", 2),
        (["dev", "--prot", "80"], "No such option: --prot (Possible options: --empty, --endpoint, --port)", 2),
        (["dev", "--port", "65536"], "'--port': Input should be less than or equal to 65535", 2),
        (["dev", "--port", "http"], "'--port': Input should be a valid integer", 2),
        (["dev", "--now", "2027-03-05"], "RFC 3339", 2),
        (["dev", "--now", "2027-03-05T12:00:00"], "RFC 3339", 2),
        (["dev", "--now", "1800000000"], "RFC 3339", 2),
        (["dev", "--engine", "postgres"], "'postgres' is not one of 'ministack', 'moto'", 2),
        (["dev", "--endpoint", "localhost"], "'--endpoint': must be an address such as", 2),
        (["dev", "--engine", "moto", "--endpoint", "http://127.0.0.1:9"], "not allowed with", 2),
        (["verify", "--data", "here", "--endpoint", "http://127.0.0.1:9"], "'--endpoint': not allowed with --data", 2),
        (["verify", "--table", "there", "--data", "here"], "'--data': not allowed with --table", 2),
        (["verify", "--in-cloud", "loyalty-dev", "--workers", "2"], "takes no option but the --endpoint", 2),
        (["cost", "--members", "-1", "--orders-per-month", "1"], "'--members': Input should be greater", 2),
        (["deploy", "--context", "prod"], "--context prod must be a name and a value", 2),
        (["token"], "Missing option '--scope'", 2),
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


def test_without_a_command_it_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main([]) == 2
    printed = capsys.readouterr().out
    assert all(f" {name} " in printed for _, name, _ in main.COMMANDS)


@pytest.mark.parametrize(("module", "name", "text"), main.COMMANDS)
def test_the_list_says_of_a_command_what_it_says_of_itself(module: str, name: str, text: str) -> None:
    commands = get_group(import_module(f"infra.cli.{module}").app).commands
    assert (commands[name].help or "").startswith(text)


def test_every_command_is_listed() -> None:
    modules = {module for module, _, _ in main.COMMANDS}
    found = {name for module in modules for name in get_group(import_module(f"infra.cli.{module}").app).commands}
    assert found == {name for _, name, _ in main.COMMANDS}
    files = {path.stem for path in Path(main.__file__).parent.glob("*.py")}
    assert files == modules | {"__init__", "main", "options", "running"}


def test_the_list_loads_nothing_that_commands_need() -> None:
    program = "import sys; from infra.cli.main import main; main(['--help']); sys.exit(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False).stderr.split()
    assert "typer" in loaded
    assert not {"boto3", "pydantic", "functions", "shared", "infra.local"} & set(loaded)


def test_a_shell_completes_commands_and_their_options() -> None:
    for words, completed in (("loyalty ver", "verify"), ("loyalty dev --em", "--empty")):
        environment = {"_LOYALTY_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        command = [sys.executable, "-m", "infra.cli.main"]
        answer = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
        assert answer.stdout.split() == [completed]


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


def test_what_works_on_an_account_recalls_the_shells_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "of-the-shell")
    monkeypatch.delenv("AWS_CONFIG_FILE", raising=False)
    environment.forget_the_shell()
    environment.recall_the_shell()
    assert os.environ["AWS_PROFILE"] == "of-the-shell"
    assert "AWS_CONFIG_FILE" not in os.environ


def test_identifiers_are_hashed_under_the_same_key_as_long_as_the_folder_lasts(tmp_path: Path) -> None:
    first, second = (environment.variables("http://127.0.0.1:9", tmp_path) for _ in range(2))
    assert first["IDENTITY_KEY"] == second["IDENTITY_KEY"]
    assert len(bytes.fromhex(first["IDENTITY_KEY"])) == 32
