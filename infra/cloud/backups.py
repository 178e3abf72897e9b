"""Backups that outlive the account: a copy of both tables each night in a vault of another account or region.

Point-in-time recovery goes back to any second, and is lost with the account.
"""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_backup as backup
from aws_cdk import aws_events as events
from constructs import Construct

from infra.cloud.nag import acknowledge
from infra.cloud.options import Options
from infra.cloud.tables import Data

KEPT_HERE_DAYS, KEPT_THERE_DAYS = 2, 35
HOUR_UTC = "3"
_BACKUP_POLICY = (
    "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup]"
)


def add_backups(scope: Construct, data: Data, options: Options) -> backup.IBackupVault | None:
    """A backup of each table, and its copy in the vault that the options name; nothing without one.

    The vault here is where its jobs are counted.
    """
    if options.backup_vault_arn is None:
        return None
    here = backup.BackupVault(scope, "Backups", removal_policy=RemovalPolicy.DESTROY)
    plan = backup.BackupPlan(scope, "BackupPlan", backup_vault=here)
    elsewhere = backup.BackupVault.from_backup_vault_arn(scope, "BackupsElsewhere", options.backup_vault_arn)
    plan.add_rule(
        backup.BackupPlanRule(
            schedule_expression=events.Schedule.cron(hour=HOUR_UTC, minute="0"),
            delete_after=Duration.days(KEPT_HERE_DAYS),
            copy_actions=[
                backup.BackupPlanCopyActionProps(
                    destination_backup_vault=elsewhere, delete_after=Duration.days(KEPT_THERE_DAYS)
                )
            ],
        )
    )
    tables = [backup.BackupResource.from_dynamo_db_table(table) for table in (data.loyalty, data.people)]
    selection = plan.add_selection("Tables", resources=tables)
    acknowledge(selection, _BACKUP_POLICY, "AWS's own policy of what AWS Backup needs of tables")
    return here
