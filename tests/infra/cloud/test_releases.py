"""A release reaches what is called by version, a little at a time, and can be taken back."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.app import synthesize
from infra.cloud import functions
from infra.cloud.permissions import NEEDS
from tests.infra.cloud.conftest import PROD, Template

pytestmark = pytest.mark.stack

SNAPSHOTS = {name.replace("_", "") for name, needs in NEEDS.items() if needs.is_snapshot}
"""As logical ids have their names."""


def test_another_layer_makes_another_version_of_whatever_is_called_by_version(
    prod: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = tmp_path / "another-layer"
    layer.mkdir()
    (layer / "fixed.py").write_text("safe = True")
    monkeypatch.setattr(functions, "layer_folder", lambda: layer)
    stack = synthesize(tmp_path / "cdk.out", stage="prod", **PROD)
    before, after = _versions(prod), _versions(Template(tmp_path / "cdk.out" / f"{stack}.template.json"))
    assert set(before) == set(after) == SNAPSHOTS
    assert [name for name in before if before[name] == after[name]] == []


def test_old_versions_stay(prod: Template) -> None:
    versions = prod.of("AWS::Lambda::Version")
    assert len(versions) == len(SNAPSHOTS)
    assert all(one["DeletionPolicy"] == one["UpdateReplacePolicy"] == "Retain" for one in versions)


@pytest.mark.parametrize("name", ["earn", "redeem"])
def test_a_new_version_gets_a_tenth_of_the_calls_and_goes_back_when_it_fails(prod: Template, name: str) -> None:
    [alias] = [one for one in prod.of("AWS::Lambda::Alias") if _function(one["Properties"]["FunctionName"]) == name]
    group = prod.resources[alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]["DeploymentGroupName"]["Ref"]]
    assert group["Properties"]["DeploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent5Minutes"
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["Properties"]["AutoRollbackConfiguration"]["Events"]
    [stops] = group["Properties"]["AlarmConfiguration"]["Alarms"]
    alarm = prod.resources[stops["Name"]["Ref"]]["Properties"]
    assert alarm["AlarmName"] == f"loyalty-prod/{name}-release"
    dimensions = {one["Name"]: one["Value"] for one in alarm["Dimensions"]}
    assert dimensions["ExecutedVersion"] == alias["Properties"]["FunctionVersion"]


def test_nothing_waits_for_a_canary_where_things_are_tried_out(dev: Template) -> None:
    assert dev.of("AWS::CodeDeploy::DeploymentGroup") == []
    assert not any("UpdatePolicy" in one for one in dev.of("AWS::Lambda::Alias"))


def _versions(template: Template) -> dict[str, str]:
    """The logical id of each function's version: another one is another version."""
    return {
        _function(one["Properties"]["FunctionName"]): name
        for name, one in template.resources.items()
        if one["Type"] == "AWS::Lambda::Version"
    }


def _function(reference: Mapping[str, str]) -> str:
    """Which function a reference means: logical ids are names and eight characters."""
    return reference["Ref"][:-8]
