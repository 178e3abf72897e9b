"""Work on the whole ledger by functions of the deployed stack, which a Distributed Map calls."""

import pytest

from infra.cli import main
from tests.infra.cloud.stories import enrolled, ordered
from tests.system.e2e.world import Deployed


def test_the_stack_checks_its_own_ledger_and_names_what_is_broken(
    world: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    member_id = enrolled(world)
    ordered(world, member_id)
    account = world.item(f"MEMBER#{member_id}", "ACCOUNT")
    command = ["verify", "--in-cloud", "loyalty-dev", "--endpoint", world.deployment.endpoint]
    before = _said(command, capsys)
    world.put_item({**account, "state": {"S": "{"}})
    try:
        assert _violations(_said(command, capsys, status=1)) > _violations(before)
    finally:
        world.put_item(account)
    assert int(before.split(" accounts")[0]) > 0


def _said(command: list[str], capsys: pytest.CaptureFixture[str], status: int | None = None) -> str:
    """What the command says; other stories may have left something broken."""
    found, said = main.main(command), capsys.readouterr()
    assert found in ({status} if status is not None else {0, 1}), said.err
    assert said.out, said.err
    return said.out


def _violations(said: str) -> int:
    return int(said.split(" violations", maxsplit=1)[0].rpartition(": ")[2])
