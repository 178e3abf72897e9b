"""Backups outlive the account where a vault elsewhere is named."""

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk.assertions import Match, Template

from infra.cloud import alarms
from infra.cloud.backups import KEPT_THERE_DAYS, add_backups
from infra.cloud.options import Options
from infra.cloud.tables import add_data
from tests.infra.cloud.conftest import metrics_of
from tests.infra.cloud.test_kept import ELSEWHERE

VAULT = "arn:aws:backup:eu-west-1:210987654321:backup-vault:kept"


def _made(**options: str) -> Template:
    stack = Stack(App(), "kept")
    chosen = Options(**options)  # type: ignore[arg-type]
    add_backups(stack, add_data(stack, chosen), chosen)
    return Template.from_stack(stack)


@pytest.mark.parametrize("tables", [{}, ELSEWHERE])
def test_both_tables_are_copied_each_night_to_the_vault_that_is_named(tables: dict[str, str]) -> None:
    made = _made(backup_vault_arn=VAULT, **tables)
    [plan] = made.find_resources("AWS::Backup::BackupPlan").values()
    [rule] = plan["Properties"]["BackupPlan"]["BackupPlanRule"]
    assert rule["ScheduleExpression"] == "cron(0 3 * * ? *)"
    [copy] = rule["CopyActions"]
    assert copy == {"DestinationBackupVaultArn": VAULT, "Lifecycle": {"DeleteAfterDays": KEPT_THERE_DAYS}}
    [selection] = made.find_resources("AWS::Backup::BackupSelection").values()
    resources = selection["Properties"]["BackupSelection"]["Resources"]
    assert len(resources) == 2
    if tables:
        assert resources == [ELSEWHERE["loyalty_table_arn"], ELSEWHERE["people_table_arn"]]
    made.has_resource_properties("AWS::Backup::BackupSelection", {"BackupSelection": {"IamRoleArn": Match.any_value()}})


def test_failed_jobs_copies_and_nights_without_a_backup_are_told_of() -> None:
    stack = Stack(App(), "kept")
    chosen = Options(backup_vault_arn=VAULT)
    vault = add_backups(stack, add_data(stack, chosen), chosen)
    assert vault
    rules = {rule.name: rule for rule in alarms.of_backups(vault)}
    for name, rule in rules.items():
        cloudwatch.Alarm(stack, name, metric=rule.metric, threshold=rule.above, evaluation_periods=rule.periods)
    looked_at: dict[str, set[str]] = {}
    for id_, made in Template.from_stack(stack).find_resources("AWS::CloudWatch::Alarm").items():
        metrics = metrics_of(made["Properties"])
        looked_at[id_.rstrip("0123456789ABCDEF")] = {one["MetricName"] for one in metrics}
        assert {one["Namespace"] for one in metrics} == {"AWS/Backup"}
        assert all([one["Name"] for one in metric["Dimensions"]] == ["BackupVaultName"] for metric in metrics)
    assert looked_at == {
        "backupsfailed": {"NumberOfBackupJobsFailed", "NumberOfCopyJobsFailed"},
        "backupslate": {"NumberOfBackupJobsCompleted"},
    }
    assert [name for name, rule in rules.items() if rule.is_missing_bad] == ["backups-late"]
    assert {rule.severity for rule in rules.values()} == {"ticket"}


def test_nothing_is_made_without_one() -> None:
    made = _made()
    for type_ in ("BackupPlan", "BackupVault", "BackupSelection"):
        made.resource_count_is(f"AWS::Backup::{type_}", 0)
