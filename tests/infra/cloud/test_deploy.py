"""What a machine must have before a stack is deployed from it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from infra import app
from infra.cloud import deploy
from infra.cloud.options import OptionError, Options
from infra.errors import LocalError


def have_node(folder: Path, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("node", "npx"):
        program = folder / name
        program.write_text(f"#!/bin/sh\necho {version}\n")
        program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


@pytest.mark.parametrize("version", ["v20.20.2", "v18.0.0", "none"])
def test_a_node_that_gets_no_corrections_any_more_does_not_deploy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], version: str
) -> None:
    have_node(tmp_path, version, monkeypatch)
    monkeypatch.delenv("AWS_REGION", raising=False)
    with pytest.raises(LocalError, match="cannot be deployed yet"):
        deploy.deploy({})
    assert f"Node.js 22 or later, not {version}" in capsys.readouterr().out


@pytest.mark.parametrize("version", ["v22.0.0", "v24.11.1"])
def test_a_current_node_is_not_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    have_node(tmp_path, version, monkeypatch)
    found = deploy.node_version()
    assert found == version
    assert deploy.is_current(found)


def test_without_node_it_is_said_where_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert deploy.node_version() is None


KEPT: Mapping[str, Any] = {
    "alarm_email": "ops@shop.example",
    "callback_urls": ("https://shop.example/callback",),
    "sender_email": "club@shop.example",
    "sender_domain": "shop.example",
}


def test_prod_is_not_built_without_lambdas_own_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "runtime_python", lambda: None)
    with pytest.raises(OptionError, match=r"Python 3\.13"):
        app.require_bytecode(Options(stage="prod", **KEPT))
    app.require_bytecode(Options(stage="dev"))


def test_what_the_cdks_command_line_names_is_where_everything_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []
    monkeypatch.setattr(app, "synthesize", written.append)
    monkeypatch.setenv("CDK_OUTDIR", str(tmp_path / "there"))
    app.main()
    monkeypatch.delenv("CDK_OUTDIR")
    app.main()
    assert written == [tmp_path / "there", Path("cdk.out")]
