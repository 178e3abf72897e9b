"""What a deployment needs of this machine and of the account, looked at before anything is changed.

A check reads what clients answer and says what it found in plain words, with what mends it. What one may not look at is
said, too, and stops nothing. The table in `infra/README.md` tells what each check means.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from infra.cloud.build.bytecode import RUNTIME, runtime_python
from infra.cloud.functions import reserved_at_once
from infra.cloud.options import Options
from infra.cloud.stack_resources import resources_of

Weight = Literal["fine", "mind", "missing"]

CDK = "aws-cdk@2.1148.1"
"""The command line. Version 3 cannot read what this version of the library writes."""
BOOTSTRAP_PARAMETER = "/cdk-bootstrap/hnb659fds/version"
BOOTSTRAP_VERSION_MIN = 6
"""What the template demands."""
LEFT_AT_ONCE_MIN = 100
"""Calls at once that AWS wants left to functions which reserve none."""
AT_ONCE_USUAL = 1000
"""What an account has that is not new."""
_LAMBDA_QUOTA = "L-B99A9384"
MAILS_USED_PERCENT_MAX = 80


@dataclass(frozen=True)
class Finding:
    """What a check found. `missing` stops the deployment, `mind` does not."""

    weight: Weight
    what: str
    mend: str = ""

    def __str__(self) -> str:
        return f"{self.weight:<8} {self.what}" + (f"\n{'':8} -> {self.mend}" if self.mend else "")


@dataclass(frozen=True)
class Place:
    """Where the stack goes: the account, the region, and what makes clients of both, by their services' names."""

    account: str
    region: str
    client: Any


def of_this_machine(options: Options) -> list[Finding]:
    """Whether functions can be built here as they are to run."""
    if runtime_python() is not None:
        return [Finding("fine", f"Python {RUNTIME} compiles what functions start with")]
    what = f"Python {RUNTIME} is not here, so nothing is compiled beforehand and functions start more slowly"
    mend = f"install Python {RUNTIME}, such as by `uv python install {RUNTIME}`"
    return [Finding("missing" if options.is_kept else "mind", what, mend)]


def of_the_account(options: Options, place: Place) -> list[Finding]:
    """What every check of the account found, in order."""
    return [found for name, check in CHECKS.items() for found in _looked(name, check, options, place)]


def _looked(name: str, check: "Check", options: Options, place: Place) -> Sequence[Finding]:
    try:
        return list(check(options, place))
    except (BotoCoreError, ClientError) as error:
        return [Finding("mind", f"could not look at {name}: {error}", "look in the console, or allow this call")]


def _bootstrap(_: Options, place: Place) -> Iterator[Finding]:
    mend = f"npx {CDK} bootstrap aws://{place.account}/{place.region}"
    try:
        found = place.client("ssm").get_parameter(Name=BOOTSTRAP_PARAMETER)["Parameter"]["Value"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":
            raise
        yield Finding("missing", "the CDK's bucket and roles are not in this account and region", mend)
        return
    if int(found) < BOOTSTRAP_VERSION_MIN:
        what = f"the CDK's bucket and roles are of version {found}, and {BOOTSTRAP_VERSION_MIN} is needed"
        yield Finding("missing", what, mend)
    else:
        yield Finding("fine", f"the CDK's bucket and roles are of version {found}")


def _concurrency(options: Options, place: Place) -> Iterator[Finding]:
    client = place.client("lambda")
    limit = client.get_account_settings()["AccountLimit"]
    at_once, unreserved = limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"]
    reserved = reserved_at_once(options)
    wanted = sum(reserved.values())
    held = sum(_reserved(client, f"{options.stack}-{name}") for name in reserved)
    left = unreserved + held - wanted
    enough = max(AT_ONCE_USUAL, at_once + LEFT_AT_ONCE_MIN - left)
    mend = (
        "aws service-quotas request-service-quota-increase --service-code lambda "
        f"--quota-code {_LAMBDA_QUOTA} --desired-value {enough}"
    )
    if wanted and left < LEFT_AT_ONCE_MIN:
        what = (
            f"Lambda runs {at_once} calls at once in this account: the {wanted} that the stack reserves would leave "
            f"{left}, and AWS wants {LEFT_AT_ONCE_MIN} left"
        )
        yield Finding("missing", what, mend)
    elif at_once < AT_ONCE_USUAL:
        what = f"Lambda runs {at_once} calls at once in this account, for tills, streams and queues together"
        yield Finding("mind", what, mend)
    else:
        yield Finding("fine", f"Lambda runs {at_once} calls at once")


def _reserved(client: Any, name: str) -> int:  # noqa: ANN401
    """What a function of the stack has reserved already; none, if it is not there yet."""
    try:
        return int(client.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions", 0))
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return 0


def _mail(options: Options, place: Place) -> Iterator[Finding]:
    if options.messages == "dry_run":
        yield Finding("fine", "messages=dry_run: nobody is written to")
        return
    account = place.client("sesv2").get_account()
    quota = account["SendQuota"]
    a_day, used = int(quota["Max24HourSend"]), int(quota["SentLast24Hours"])
    limits = f"{a_day} e-mails a day and {int(quota['MaxSendRate'])} a second"
    heavy: Weight = "missing" if options.is_kept else "mind"
    if not account["ProductionAccessEnabled"]:
        yield Finding(
            heavy,
            f"SES has this account in its sandbox: {limits}, to verified addresses only, so members would get nothing",
            "aws sesv2 put-account-details --production-access-enabled --mail-type TRANSACTIONAL --website-url URL, "
            "or deploy with -c messages=dry_run until AWS has granted it",
        )
    elif not account["SendingEnabled"]:
        mend = "answer AWS's mail about it, then aws sesv2 put-account-sending-attributes --sending-enabled"
        yield Finding(heavy, "SES has paused this account's e-mails", mend)
    elif 0 <= a_day * MAILS_USED_PERCENT_MAX < used * 100:
        what = f"SES sends {limits}, and {used} have gone in the last 24 hours"
        yield Finding("mind", what, "ask for more under Service Quotas: Amazon SES, sending quota")
    elif options.mail_per_second > (rate := int(quota["MaxSendRate"])):
        what = f"SES sends {limits}, fewer than mail_per_second={options.mail_per_second}: some would have to wait"
        yield Finding("mind", what, f"deploy with -c mail_per_second={rate}")
    else:
        yield Finding("fine", f"SES sends {limits}")


def _sender(options: Options, place: Place) -> Iterator[Finding]:
    if options.messages == "dry_run":
        return
    if options.sender_identity_arn:
        yield from _sender_of_others(options, options.sender_identity_arn, place)
        return
    name = options.sender_domain or options.sender_email
    found = _identity(place, name)
    if found is None:
        yield Finding("fine", f"the stack makes the sender {name} in SES")
    elif name not in _identities_of_the_stack(options, place):
        arn = f"arn:aws:ses:{place.region}:{place.account}:identity/{name}"
        what = f"SES has the sender {name} already, and the stack cannot make it again"
        yield Finding("missing", what, f"deploy with -c sender_identity_arn={arn} instead of sender_domain")
    elif not found["VerifiedForSendingStatus"]:
        what = f"SES has not verified the sender {name} yet, and sends nothing"
        mend = "add the DNS records that the stack puts out" if options.sender_domain else "follow the link in its mail"
        yield Finding("mind", what, mend)
    else:
        yield Finding("fine", f"SES has verified the sender {name}")


def _sender_of_others(options: Options, arn: str, place: Place) -> Iterator[Finding]:
    """An identity that the stack leaves alone has to be good before."""
    account, name = arn.split(":")[4], arn.rpartition("/")[2]
    if account != place.account:
        yield Finding("fine", f"the sender {name} is of account {account}, where its policy must allow this one")
        return
    found = _identity(place, name)
    if found is None:
        what = f"SES has no sender {name} in this account and region"
        yield Finding("missing", what, f"aws sesv2 create-email-identity --email-identity {name}, or sender_domain")
    elif not found["VerifiedForSendingStatus"]:
        what = f"SES has not verified the sender {name}"
        mend = f"aws sesv2 get-email-identity --email-identity {name} says which DNS records it waits for"
        yield Finding("missing" if options.is_kept else "mind", what, mend)
    else:
        yield Finding("fine", f"SES has verified the sender {name}")


def _identity(place: Place, name: str) -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = place.client("sesv2").get_email_identity(EmailIdentity=name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NotFoundException":
            raise
        return None
    return found


def _identities_of_the_stack(options: Options, place: Place) -> set[str]:
    """The senders that the stack has made itself."""
    try:
        made = resources_of(place.client("cloudformation"), options.stack).values()
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":  # there is no such stack
            raise
        return set()
    return {one.physical_id for one in made if one.type_ == "AWS::SES::EmailIdentity"}


def _texts(options: Options, place: Place) -> Iterator[Finding]:
    """Whether texts are sent at all is the program's to say, so nothing here stops a deployment."""
    if options.messages == "dry_run":
        return
    client = place.client("sns")
    if client.get_sms_sandbox_account_status()["IsInSandbox"]:
        what = "SNS has this account in its sandbox: text messages go to verified phone numbers only"
        mend = "if the program sends any: console of SNS, Text messaging, Exit SMS sandbox"
        yield Finding("mind", what, mend)
    attributes = client.get_sms_attributes(attributes=["MonthlySpendLimit"]).get("attributes", {})
    dollars = attributes.get("MonthlySpendLimit", "1")  # a new account's
    if float(dollars) <= 1:
        what = f"SNS spends {dollars} dollar a month on text messages, and then drops them"
        mend = "ask for more under Service Quotas, then aws sns set-sms-attributes --attributes MonthlySpendLimit=N"
        yield Finding("mind", what, f"if the program sends any: {mend}")
    else:
        yield Finding("fine", f"SNS spends {dollars} dollars a month on text messages")


def _certificate(options: Options, place: Place) -> Iterator[Finding]:
    if options.certificate_arn is None:
        return
    region = options.certificate_arn.split(":")[3]
    if region != place.region:
        what = f"the certificate is in {region}, and the API in {place.region} cannot use it"
        yield Finding("missing", what, f"aws acm request-certificate --domain-name {options.domain}")
        return
    found = place.client("acm").describe_certificate(CertificateArn=options.certificate_arn)["Certificate"]
    if found["Status"] == "ISSUED":
        yield Finding("fine", f"ACM has issued the certificate of {options.domain}")
    else:
        what = f"the certificate of {options.domain} is {found['Status'].lower().replace('_', ' ')}"
        mend = f"aws acm describe-certificate --certificate-arn {options.certificate_arn} says what it waits for"
        yield Finding("missing", what, mend)


Check = Callable[[Options, Place], Iterable[Finding]]
CHECKS: Mapping[str, Check] = {
    "the CDK's bucket and roles": _bootstrap,
    "Lambda's concurrency": _concurrency,
    "e-mail": _mail,
    "the sender": _sender,
    "text messages": _texts,
    "the certificate": _certificate,
}
