"""What is kept: the two tables, the key of the personal one, and the secret under which identifiers are hashed."""

from dataclasses import dataclass

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra import tables
from infra.cloud.options import Options

KEY_DELETION_DAYS = 30
WARMED = ("due", "history")
"""Indexes that every order writes to."""
_HEXADECIMAL_DIGITS = 64
_NOT_HEXADECIMAL = "ghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Data:
    """Everything that must not be lost."""

    loyalty: dynamodb.ITable
    people: dynamodb.ITable
    people_key: kms.IKey
    identity_secret: secretsmanager.ISecret


def add_data(scope: Construct, options: Options) -> Data:
    """The tables as `infra.tables` states them, each with its backups; or those that the options name."""
    key = _people_key(scope, options)
    return Data(
        loyalty=_loyalty(scope, options),
        people=_people(scope, options, key),
        people_key=key,
        identity_secret=_identity_secret(scope, options),
    )


def _loyalty(scope: Construct, options: Options) -> dynamodb.ITable:
    if options.loyalty_table_arn:
        return dynamodb.Table.from_table_attributes(
            scope,
            "Loyalty",
            table_arn=options.loyalty_table_arn,
            table_stream_arn=options.stream_arn,
            global_indexes=[index.name for index in tables.LOYALTY.indexes],
        )
    return _table(scope, "Loyalty", tables.LOYALTY, options, None)


def _people(scope: Construct, options: Options, key: kms.IKey) -> dynamodb.ITable:
    if options.people_table_arn:
        return dynamodb.Table.from_table_attributes(
            scope, "People", table_arn=options.people_table_arn, encryption_key=key
        )
    return _table(scope, "People", tables.PEOPLE, options, key)


def _people_key(scope: Construct, options: Options) -> kms.IKey:
    if options.people_key_arn:
        return kms.Key.from_key_arn(scope, "PeopleKey", options.people_key_arn)
    return kms.Key(
        scope,
        "PeopleKey",
        description="Personal data of loyalty members",
        enable_key_rotation=True,
        pending_window=Duration.days(KEY_DELETION_DAYS),
        removal_policy=_removal(options),
    )


def _removal(options: Options) -> RemovalPolicy:
    return RemovalPolicy.RETAIN if options.is_kept else RemovalPolicy.DESTROY


def _table(
    scope: Construct, id_: str, declared: tables.Table, options: Options, key: kms.IKey | None
) -> dynamodb.Table:
    table = dynamodb.Table(
        scope,
        id_,
        partition_key=_attribute(declared.hash_key),
        sort_key=_attribute(declared.range_key),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        deletion_protection=options.is_kept,
        encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED if key else dynamodb.TableEncryption.DEFAULT,
        encryption_key=key,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        stream=dynamodb.StreamViewType(declared.stream) if declared.stream else None,
        time_to_live_attribute=declared.forget_at,
        warm_throughput=_warm(options.warm_table_writes) if declared.name == tables.LOYALTY.name else None,
        removal_policy=_removal(options),
    )
    for index in declared.indexes:
        table.add_global_secondary_index(
            index_name=index.name,
            partition_key=_attribute(index.hash_key),
            sort_key=_attribute(index.range_key),
            projection_type=dynamodb.ProjectionType(index.projection),
            warm_throughput=_warm(options.warm_index_writes) if index.name in WARMED else None,
        )
    return table


def _warm(writes_per_second: int) -> dynamodb.WarmThroughput | None:
    return dynamodb.WarmThroughput(write_units_per_second=writes_per_second) if writes_per_second else None


def _attribute(declared: tables.Attribute) -> dynamodb.Attribute:
    letters = {"S": dynamodb.AttributeType.STRING, "N": dynamodb.AttributeType.NUMBER}
    return dynamodb.Attribute(name=declared.name, type=letters[declared.type])


def _identity_secret(scope: Construct, options: Options) -> secretsmanager.ISecret:
    """32 random bytes as hexadecimal digits. Without them, no member can be found by an identifier any more.

    CloudFormation makes another value upon any change of what is to be generated, so nothing below may ever change.
    """
    if options.identity_secret_arn:
        return secretsmanager.Secret.from_secret_complete_arn(scope, "IdentityKey", options.identity_secret_arn)
    return secretsmanager.Secret(
        scope,
        "IdentityKey",
        description="HMAC key under which members' identifiers are hashed. Never rotate or delete it.",
        generate_secret_string=secretsmanager.SecretStringGenerator(
            password_length=_HEXADECIMAL_DIGITS,
            exclude_characters=_NOT_HEXADECIMAL,
            exclude_punctuation=True,
            exclude_uppercase=True,
            require_each_included_type=False,
        ),
        removal_policy=_removal(options),
    )
