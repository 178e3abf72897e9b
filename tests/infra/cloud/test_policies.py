"""What the roles of the synthesized stack may and may not do, case by case, decided as IAM decides.

Nothing else decides it before a real account: the emulator knows neither conditions on partition keys nor key policies.
"""

from collections.abc import Iterator, Mapping, Sequence

import pytest

from infra.cloud.permissions import NEEDS
from tests.infra.cloud.conftest import Template
from tests.infra.cloud.evaluator import ACCOUNT, REGION, Request, Statement, is_allowed

pytestmark = pytest.mark.stack

LOYALTY, PEOPLE, PEOPLE_KEY = "<Loyalty5E0BF725.Arn>", "<PeopleE38C8D03.Arn>", "<PeopleKeyD4599107.Arn>"
SECRET, ALARMS = "<IdentityKeyF50EF652>", "<Alarms04B5A0BF>"
GET, PUT, UPDATE, DELETE, QUERY, SCAN = (
    f"dynamodb:{name}" for name in ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan")
)
THROUGH_DYNAMODB = {"kms:ViaService": [f"dynamodb.{REGION}.amazonaws.com"]}
READ_PEOPLE = {
    "anybody",
    "consent",
    "consequences",
    "enroll",
    "gifts",
    "mail_feedback",
    "member_pages",
    "messages",
    "operators",
    "preferences",
    "referrals",
    "till_pages",
}
LIST_BIRTHDAYS = {"birthdays"}
SEARCH_BY_NAME = {"enroll"}
KNOW_THE_SECRET = {
    "anybody",
    "consent",
    "consequences",
    "enroll",
    "gifts",
    "member_pages",
    "messages",
    "operators",
    "pools",
    "redeem",
    "till_pages",
    "webhook_deliveries",
    "webhooks",
}


class Roles:
    """The policies of every function's role, by the function's name."""

    def __init__(self, template: Template) -> None:
        roles = {
            one["Properties"]["FunctionName"].removeprefix("loyalty-prod-"): one["Properties"]["Role"]["Fn::GetAtt"][0]
            for one in template.of("AWS::Lambda::Function")
            if "FunctionName" in one["Properties"]
        }
        self.statements: Mapping[str, Sequence[Statement]] = {
            name: [
                statement
                for policy in template.properties("AWS::IAM::Policy")
                if {"Ref": role} in policy["Roles"]
                for statement in policy["PolicyDocument"]["Statement"]
            ]
            for name, role in roles.items()
        }

    def may(self, function: str, action: str, resource: str, *keys: str, **context: Sequence[str]) -> bool:
        """Whether a function may do this to the partitions of these keys."""
        leading = {"dynamodb:LeadingKeys": keys} if keys else {}
        return is_allowed(self.statements[function], Request(action, resource, {**leading, **context}))

    def who_may(self, action: str, resource: str, *keys: str, **context: Sequence[str]) -> set[str]:
        """The functions that may."""
        return {name for name in self.statements if self.may(name, action, resource, *keys, **context)}


@pytest.fixture(scope="module")
def roles(prod: Template) -> Roles:
    return Roles(prod)


def test_every_function_has_a_role_of_its_own(roles: Roles) -> None:
    assert set(roles.statements) == {*NEEDS, "document", "token", "whole_tables"}
    assert all(roles.statements.values())


@pytest.mark.parametrize(
    "key", ["MEMBER#m1", "ORDER#A-1", "BUDGET#double#3", "REFERRAL#m1", "REVIEWS", "POOL_MOVE#p#1"]
)
def test_earn_writes_what_an_order_changes(roles: Roles, key: str) -> None:
    assert roles.may("earn", PUT, LOYALTY, key)
    assert roles.may("earn", PUT, LOYALTY, "MEMBER#m1", key)


@pytest.mark.parametrize(
    "key", ["PROGRAM", "AUDIT#2026-11", "WEBHOOKS", "SCHEDULE", "CODE#1", "GIFT#1", "REVIEWS2", "MEMBER", "xMEMBER#m1"]
)
def test_earn_writes_nothing_else_not_even_beside_what_it_may(roles: Roles, key: str) -> None:
    for action in (PUT, UPDATE):
        assert not roles.may("earn", action, LOYALTY, key)
        assert not roles.may("earn", action, LOYALTY, "MEMBER#m1", key)


def test_earn_takes_nothing_away_lists_nothing_and_knows_nobody(roles: Roles) -> None:
    assert not roles.may("earn", DELETE, LOYALTY, "MEMBER#m1")
    for action in (QUERY, SCAN):
        assert not roles.may("earn", action, LOYALTY, "MEMBER#m1")
        assert not roles.may("earn", action, LOYALTY)
    for index in ("history", "due", "partner"):
        assert not roles.may("earn", QUERY, f"{LOYALTY}/index/{index}")
    assert not roles.may("earn", GET, PEOPLE, "MEMBER#m1")
    assert not roles.may("earn", "kms:Decrypt", PEOPLE_KEY, **THROUGH_DYNAMODB)
    assert not roles.may("earn", "secretsmanager:GetSecretValue", SECRET)


def test_a_request_that_names_no_partition_is_refused(roles: Roles) -> None:
    for function in NEEDS:
        for table in (LOYALTY, PEOPLE):
            for action in (GET, PUT, UPDATE, DELETE, QUERY, SCAN):
                assert not roles.may(function, action, table), (function, action)


def test_the_program_is_written_by_operators_functions_alone(roles: Roles) -> None:
    assert roles.who_may(PUT, LOYALTY, "PROGRAM") == {"program", "operators"}
    assert roles.who_may(DELETE, LOYALTY, "PROGRAM") == {"operators"}


def test_no_till_touches_what_was_audited(roles: Roles) -> None:
    assert roles.who_may(DELETE, LOYALTY, "AUDIT#2026-11") == {"operators"}
    assert "earn" not in roles.who_may(PUT, LOYALTY, "AUDIT#2026-11")


def test_who_can_read_people(roles: Roles) -> None:
    assert roles.who_may(GET, PEOPLE, "MEMBER#m1") == READ_PEOPLE
    assert roles.who_may(QUERY, PEOPLE, "BIRTHDAY#12-10#1") == LIST_BIRTHDAYS
    assert roles.who_may(QUERY, PEOPLE, "NAME#ada") == SEARCH_BY_NAME
    assert roles.who_may(SCAN, PEOPLE, "MEMBER#m1") == set()
    assert roles.who_may(SCAN, LOYALTY, "MEMBER#m1") == {"whole_tables"}


def test_who_can_decrypt_can_do_so_through_the_table_alone(roles: Roles) -> None:
    decrypts = roles.who_may("kms:Decrypt", PEOPLE_KEY, **THROUGH_DYNAMODB)
    assert decrypts == READ_PEOPLE | LIST_BIRTHDAYS
    for context in ({}, {"kms:ViaService": [f"s3.{REGION}.amazonaws.com"]}):
        assert roles.who_may("kms:Decrypt", PEOPLE_KEY, **context) == set()
    assert roles.who_may("kms:Decrypt", "<another.Arn>", **THROUGH_DYNAMODB) == set()
    for action in ("kms:CreateGrant", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:DisableKey"):
        assert roles.who_may(action, PEOPLE_KEY, **THROUGH_DYNAMODB) == set()


def test_the_keys_own_policy_leaves_it_to_the_account(prod: Template) -> None:
    [key] = prod.properties("AWS::KMS::Key")
    statements = key["KeyPolicy"]["Statement"]
    account = f"arn:aws:iam::{ACCOUNT}:root"
    assert is_allowed(statements, Request("kms:Decrypt", "*", principal=account))
    for other in ("arn:aws:iam::210987654321:root", "dynamodb.amazonaws.com", "anybody"):
        assert not is_allowed(statements, Request("kms:Decrypt", "*", principal=other))


def test_who_knows_the_secret_may_not_change_it(roles: Roles) -> None:
    assert roles.who_may("secretsmanager:GetSecretValue", SECRET) == KNOW_THE_SECRET
    for action in ("PutSecretValue", "UpdateSecret", "DeleteSecret", "RotateSecret"):
        assert roles.who_may(f"secretsmanager:{action}", SECRET) == set()


def test_texts_go_to_phones_and_to_no_topic(roles: Roles) -> None:
    assert roles.who_may("sns:Publish", "+442079460958") == {"messages"}
    for topic in (f"arn:aws:sns:{REGION}:{ACCOUNT}:any", "arn:aws:sns:eu-west-1:210987654321:theirs"):
        assert roles.who_may("sns:Publish", topic) == set()


def test_no_function_gives_itself_or_others_rights(roles: Roles) -> None:
    actions = (
        "iam:PutRolePolicy",
        "iam:PassRole",
        "sts:AssumeRole",
        "lambda:UpdateFunctionCode",
        "lambda:AddPermission",
    )
    for action in (*actions, "dynamodb:DeleteTable", "dynamodb:UpdateTable", "dynamodb:ExportTableToPointInTime"):
        for resource in (LOYALTY, PEOPLE, "arn:aws:iam::123456789012:role/any"):
            assert roles.who_may(action, resource, "MEMBER#m1") == set()


def _publishes(prod: Template) -> Iterator[Sequence[Statement]]:
    yield from (policy["PolicyDocument"]["Statement"] for policy in prod.properties("AWS::SNS::TopicPolicy"))


def test_alarms_of_this_account_reach_the_topic_and_nobody_elses_do(prod: Template) -> None:
    [statements] = _publishes(prod)
    cloudwatch, own = "cloudwatch.amazonaws.com", {"aws:SourceAccount": [ACCOUNT], "aws:SecureTransport": ["true"]}
    assert is_allowed(statements, Request("sns:Publish", ALARMS, own, cloudwatch))
    theirs = {**own, "aws:SourceAccount": ["210987654321"]}
    assert not is_allowed(statements, Request("sns:Publish", ALARMS, theirs, cloudwatch))
    plain = {**own, "aws:SecureTransport": ["false"]}
    assert not is_allowed(statements, Request("sns:Publish", ALARMS, plain, cloudwatch))
    assert not is_allowed(statements, Request("sns:Publish", ALARMS, own, "events.amazonaws.com"))
    assert not is_allowed(statements, Request("sns:Subscribe", ALARMS, own, cloudwatch))
