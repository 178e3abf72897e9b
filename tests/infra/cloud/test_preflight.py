"""What is looked at before a deployment: what is missing is named, with what mends it, and stops it where it must."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from infra.cloud import deploy, preflight
from infra.cloud.functions import RESERVED_AT_ONCE
from infra.cloud.options import Options
from infra.cloud.preflight import Finding, Place
from infra.errors import LocalError
from tests.infra.cloud.account import ACCOUNT, REGION, Account, Answer, Refusal

KEPT: Mapping[str, Any] = {
    "stage": "prod",
    "alarm_email": "ops@shop.example",
    "callback_urls": ("https://shop.example/callback",),
    "sender_email": "club@shop.example",
}
IDENTITY = f"arn:aws:ses:{REGION}:{ACCOUNT}:identity/shop.example"
CERTIFICATE = f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/1"
PROD = Options(**KEPT, sender_domain="shop.example")
BORROWS = Options(**KEPT, sender_identity_arn=IDENTITY)
RESERVED = sum(RESERVED_AT_ONCE.values())
NO_SUCH_FUNCTION = Refusal("ResourceNotFoundException")
VERIFIED = {"VerifiedForSendingStatus": True}


def concurrency(at_once: int, unreserved: int | None = None) -> Answer:
    left = at_once if unreserved is None else unreserved
    return {"AccountLimit": {"ConcurrentExecutions": at_once, "UnreservedConcurrentExecutions": left}}


def mails(a_day: int = 50_000, used: int = 0, *, sandbox: bool = False, paused: bool = False) -> Answer:
    quota = {"Max24HourSend": float(a_day), "MaxSendRate": 14.0, "SentLast24Hours": float(used)}
    return {"ProductionAccessEnabled": not sandbox, "SendingEnabled": not paused, "SendQuota": quota}


def resources(*found: tuple[str, str]) -> Answer:
    rows = [
        {
            "LogicalResourceId": "One",
            "LastUpdatedTimestamp": "2026-11-20T00:00:00Z",
            "ResourceStatus": "CREATE_COMPLETE",
            "ResourceType": kind,
            "PhysicalResourceId": name,
        }
        for kind, name in found
    ]
    return {"StackResourceSummaries": rows}


READY: Mapping[str, Answer] = {
    "ssm.get_parameter": {"Parameter": {"Value": "30"}},
    "lambda.get_account_settings": concurrency(1000),
    "lambda.get_function_concurrency": NO_SUCH_FUNCTION,
    "sesv2.get_account": mails(),
    "sesv2.get_email_identity": Refusal("NotFoundException"),
    "cloudformation.list_stack_resources": Refusal("ValidationError"),
    "sns.get_sms_sandbox_account_status": {"IsInSandbox": False},
    "sns.get_sms_attributes": {"attributes": {"MonthlySpendLimit": "100"}},
    "acm.describe_certificate": {"Certificate": {"Status": "ISSUED"}},
}


def found(options: Options, **answers: Answer) -> list[Finding]:
    """What the checks find in an account that has everything but for `answers`, named with two underscores."""
    account = Account({**READY, **{name.replace("__", "."): answer for name, answer in answers.items()}})
    return preflight.of_the_account(options, Place(ACCOUNT, REGION, account.client))


def only(weight: str, findings: list[Finding]) -> Finding:
    [one] = [finding for finding in findings if finding.weight != "fine"]
    assert one.weight == weight, one
    assert one.mend
    return one


@pytest.mark.parametrize("options", [Options(), PROD], ids=["dev", "prod"])
def test_of_an_account_that_has_everything_each_check_says_so(options: Options) -> None:
    findings = found(options)
    assert {one.weight for one in findings} == {"fine"}
    assert len(findings) == len(preflight.CHECKS) - 1  # there is no certificate
    assert "50000 e-mails a day and 14 a second" in str(findings)


@pytest.mark.parametrize("answer", [Refusal("ParameterNotFound"), {"Parameter": {"Value": "5"}}], ids=["none", "old"])
def test_without_the_cdks_bucket_nothing_can_be_deployed(answer: Answer) -> None:
    one = only("missing", found(Options(), ssm__get_parameter=answer))
    assert one.mend == f"npx {preflight.CDK} bootstrap aws://{ACCOUNT}/{REGION}"


def test_a_new_accounts_concurrency_stops_production_alone() -> None:
    one = only("missing", found(PROD, lambda__get_account_settings=concurrency(10)))
    assert f"the {RESERVED} that the stack reserves would leave {10 - RESERVED}" in one.what
    assert "request-service-quota-increase --service-code lambda" in one.mend
    only("mind", found(Options(), lambda__get_account_settings=concurrency(10)))


def test_what_others_have_reserved_leaves_less() -> None:
    only("missing", found(PROD, lambda__get_account_settings=concurrency(1000, RESERVED + 99)))
    assert {one.weight for one in found(PROD, lambda__get_account_settings=concurrency(1000, RESERVED + 100))} == {
        "fine"
    }


def test_what_the_options_reserve_for_tills_counts_too() -> None:
    busy = replace(PROD, till_calls_reserved=300)
    one = only("missing", found(busy, lambda__get_account_settings=concurrency(1000)))
    assert f"the {RESERVED + 3 * 300} that the stack reserves would leave {1000 - RESERVED - 900}" in one.what
    assert one.mend.endswith(f"--desired-value {RESERVED + 3 * 300 + 100}")


def test_what_the_stack_has_reserved_already_is_not_reserved_again() -> None:
    held = {f"{PROD.stack}-{name}": number for name, number in RESERVED_AT_ONCE.items()}

    def reserved(params: Mapping[str, Any]) -> Answer:
        return {"ReservedConcurrentExecutions": held[params["FunctionName"]]}

    findings = found(
        PROD, lambda__get_account_settings=concurrency(1000, 100), lambda__get_function_concurrency=reserved
    )
    assert {one.weight for one in findings} == {"fine"}


@pytest.mark.parametrize(
    ("account", "words", "mend"),
    [
        (mails(200, sandbox=True), "sandbox: 200 e-mails a day", "put-account-details --production-access-enabled"),
        (mails(paused=True), "paused", "put-account-sending-attributes"),
    ],
    ids=["sandbox", "paused"],
)
def test_mails_that_nobody_would_get_stop_production_unless_it_sends_none(
    account: Answer, words: str, mend: str
) -> None:
    one = only("missing", found(PROD, sesv2__get_account=account))
    assert words in one.what
    assert mend in one.mend
    only("mind", found(Options(), sesv2__get_account=account))
    silent = Options(**KEPT, sender_domain="shop.example", messages="dry_run")
    assert {one.weight for one in found(silent, sesv2__get_account=account)} == {"fine"}


def test_a_quota_that_is_nearly_used_up_is_said() -> None:
    assert "40001 have gone" in only("mind", found(PROD, sesv2__get_account=mails(used=40_001))).what
    assert {one.weight for one in found(PROD, sesv2__get_account=mails(used=40_000))} == {"fine"}
    assert {one.weight for one in found(PROD, sesv2__get_account=mails(-1, used=40_000))} == {"fine"}  # no limit


def test_a_rate_above_that_of_ses_is_said() -> None:
    fast = replace(PROD, mail_per_second=15)
    assert only("mind", found(fast, sesv2__get_account=mails())).mend == "deploy with -c mail_per_second=14"
    assert {one.weight for one in found(replace(PROD, mail_per_second=14), sesv2__get_account=mails())} == {"fine"}


def test_a_sender_that_is_there_already_is_not_made_again() -> None:
    one = only("missing", found(PROD, sesv2__get_email_identity=VERIFIED))
    assert f"sender_identity_arn={IDENTITY}" in one.mend
    others = resources(("AWS::SES::ConfigurationSet", "shop.example"))
    only("missing", found(PROD, sesv2__get_email_identity=VERIFIED, cloudformation__list_stack_resources=others))


def test_the_stacks_own_sender_may_still_wait_for_its_records() -> None:
    own = resources(("AWS::SES::EmailIdentity", "shop.example"))
    waiting = {"VerifiedForSendingStatus": False}
    one = only("mind", found(PROD, sesv2__get_email_identity=waiting, cloudformation__list_stack_resources=own))
    assert "DNS records" in one.mend
    findings = found(PROD, sesv2__get_email_identity=VERIFIED, cloudformation__list_stack_resources=own)
    assert {one.weight for one in findings} == {"fine"}


@pytest.mark.parametrize(
    ("answer", "words"),
    [(Refusal("NotFoundException"), "no sender shop.example"), ({"VerifiedForSendingStatus": False}, "not verified")],
)
def test_a_borrowed_sender_has_to_be_good_before(answer: Answer, words: str) -> None:
    assert words in only("missing", found(BORROWS, sesv2__get_email_identity=answer)).what
    assert {one.weight for one in found(BORROWS, sesv2__get_email_identity=VERIFIED)} == {"fine"}


def test_a_sender_of_another_account_cannot_be_looked_at() -> None:
    theirs = Options(**KEPT, sender_identity_arn=IDENTITY.replace(ACCOUNT, "210987654321"))
    assert {one.weight for one in found(theirs, sesv2__get_email_identity=Refusal("NotFoundException"))} == {"fine"}


def test_texts_that_would_not_arrive_are_said_and_stop_nothing() -> None:
    assert "sandbox" in only("mind", found(PROD, sns__get_sms_sandbox_account_status={"IsInSandbox": True})).what
    for attributes in ({}, {"attributes": {"MonthlySpendLimit": "1"}}):
        assert "1 dollar a month" in only("mind", found(PROD, sns__get_sms_attributes=attributes)).what


@pytest.mark.parametrize(
    ("arn", "status", "words"),
    [
        (CERTIFICATE, "PENDING_VALIDATION", "pending validation"),
        (CERTIFICATE.replace(REGION, "us-east-1"), "ISSUED", "is in us-east-1"),
    ],
)
def test_a_certificate_that_the_api_cannot_use_stops_it(arn: str, status: str, words: str) -> None:
    options = Options(domain="loyalty.shop.example", certificate_arn=arn)
    answer = {"Certificate": {"Status": status}}
    assert words in only("missing", found(options, acm__describe_certificate=answer)).what
    good = Options(domain="loyalty.shop.example", certificate_arn=CERTIFICATE)
    assert {one.weight for one in found(good)} == {"fine"}


@pytest.mark.parametrize("name", sorted(READY))
def test_what_may_not_be_looked_at_stops_nothing(name: str) -> None:
    options = Options(**KEPT, sender_domain="shop.example", domain="loyalty.shop.example", certificate_arn=CERTIFICATE)
    refused = {name.replace(".", "__"): Refusal("AccessDeniedException")}
    if name == "cloudformation.list_stack_resources":
        refused["sesv2__get_email_identity"] = VERIFIED  # type: ignore[assignment]
    one = only("mind", found(options, **refused))
    assert one.what.startswith("could not look at ")
    assert "AccessDeniedException" in one.what


def test_functions_without_bytecode_are_for_trying_out_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "runtime_python", lambda: None)
    assert only("missing", preflight.of_this_machine(PROD)).what.startswith("Python 3.13 is not here")
    only("mind", preflight.of_this_machine(Options()))
    monkeypatch.setattr(preflight, "runtime_python", lambda: "/usr/bin/python3.13")
    assert [one.weight for one in preflight.of_this_machine(PROD)] == ["fine"]


def test_what_is_missing_is_said_and_nothing_is_deployed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lacks = [Finding("fine", "one"), Finding("mind", "two", "mend two"), Finding("missing", "three", "mend three")]
    monkeypatch.setattr(deploy, "look", lambda _options: lacks)
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("deployed"))
    with pytest.raises(LocalError, match=r"cannot be deployed yet: 1 missing, as said above$"):
        deploy.deploy({})
    said = capsys.readouterr().out.splitlines()
    assert said == ["fine     one", "mind     two", "         -> mend two", "missing  three", "         -> mend three"]
    monkeypatch.setattr(deploy, "look", lambda _options: lacks[:2])
    assert deploy.deploy({}, only_check=True) == 0


def test_without_credentials_or_a_region_that_is_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account({**READY, "sts.get_caller_identity": Refusal("ExpiredToken")})

    class Session:
        region_name: str | None = REGION
        client = staticmethod(account.client)

    monkeypatch.setattr("boto3.Session", Session)
    assert deploy.look(PROD)[-1].mend.startswith("aws sso login")
    account.answers["sts.get_caller_identity"] = {"Account": ACCOUNT}
    assert len(deploy.look(PROD)) == 2 + 1 + len(found(PROD))
    Session.region_name = None
    assert "AWS_REGION" in deploy.look(PROD)[-1].mend
