"""What a team decides about a deployment, read from the CDK's context: `-c name=value`, or `cdk.json`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from constructs import Node

from shared.domain.program.defaults import default_program
from shared.runtime import RunName

Stage = Literal["dev", "prod"]
WebhookTargets = Literal["public", "anywhere"]
Messages = Literal["send", "dry_run"]
SignUp = Literal["invited", "open"]


AUDIENCES_MAX = 50
"""API Gateway's quota for an authorizer, which cannot be raised; each client of Cognito's is an audience."""
PARTNERS_MAX = AUDIENCES_MAX - 4
"""Beside the clients of the storefront, of members, of operators, and of all partners that sign in."""
WORKERS_MIN, WORKERS_MAX = 2, 1000
"""What SQS takes as the calls at once that a queue makes."""
RANGES: Mapping[str, tuple[int, int]] = {
    "due_shards": (1, 256),
    "due_shards_read": (0, 256),
    "mail_per_second": (1, 5000),
    **dict.fromkeys(
        ("expiry_workers", "birthday_workers", "reminder_workers", "statement_workers", "webhook_workers"),
        (WORKERS_MIN, WORKERS_MAX),
    ),
    "stream_workers": (1, 10),
    "stream_memory_mb": (256, 3008),
    "route_requests_per_second": (100, 10_000),
    "points_flat_hours": (1, 168),
    "till_calls_reserved": (0, 10_000),
    "warm_table_writes": (0, 40_000),
    "warm_index_writes": (0, 40_000),
}
"""The least and the most of each option that is a number."""
WARM_WRITES_MIN = 4000
_NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")
"""What is short enough to be the beginning of a function's name or of a sign-in page's."""
_TEXT_SENDER = re.compile(r"\+[1-9][0-9]{1,14}|[0-9]{3,8}|(?=[0-9]*[A-Za-z])[A-Za-z0-9]{1,11}")
"""A number, a short code, or a name."""
_SENDER_HERE, _CALLBACK_HERE = "loyalty@shop.example", "http://localhost:3000/callback"
"""Good for trying things out alone."""


class OptionError(Exception):
    """A deployment is described in a way that cannot work; the message says how."""


@dataclass(frozen=True)
class Options:
    """One deployment. `dev` may be removed with all that is in it; `prod` keeps its data whatever happens."""

    stage: Stage = "dev"
    name: str = "loyalty"
    """The shop's: the stack is NAME-STAGE, and everything that has a name is named after it."""
    issuer: str | None = None
    """An OIDC issuer instead of a Cognito user pool of our own."""
    audiences: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    """Web pages that may call the API from a browser."""
    callback_urls: tuple[str, ...] = (_CALLBACK_HERE,)
    sign_up: SignUp = "invited"
    """Who gets into the user pool: whom the shop makes a user of, or everybody, linked by a confirmed address."""
    sender_email: str = _SENDER_HERE
    """Address that e-mails come from."""
    sender_domain: str | None = None
    """Domain of that address, which the stack makes an identity in SES of. Its DNS records are outputs."""
    sender_identity_arn: str | None = None
    """Instead of that, an identity that is verified already. It stays whoever's it is."""
    mail_per_second: int = 14
    """How many e-mails the account may send in a second, as SES has it: 1 in its sandbox, usually 14 outside."""
    text_sender: str | None = None
    """Number (+12125550100) or name that text messages come from; without it, any number that the account has."""
    alarm_email: str | None = None
    points_flat_hours: int = 48
    """Hours in a row without a point earned that raise an alarm: more than the shop is ever closed. A week at most."""
    time_zone: str = default_program().time_zone
    """The program's zone, in which reminders go out from 9 to 20."""
    webhook_targets: WebhookTargets = "public"
    """Where webhooks may lead: to the public internet by HTTPS or, to try things out in `dev`, anywhere."""
    messages: Messages = "send"
    """Whether members are written to; in a dry run the log alone says what would have been sent."""

    loyalty_table_arn: str | None = None
    """A table that is there, such as a restored one, instead of one of the stack's own; `stream_arn` is its stream."""
    stream_arn: str | None = None
    people_table_arn: str | None = None
    people_key_arn: str | None = None
    """The key of the table of personal data, if it is not the stack's own."""
    identity_secret_arn: str | None = None
    """The secret under which identifiers are hashed, if it is not the stack's own."""
    backup_vault_arn: str | None = None
    """A vault of AWS Backup in another account or region, in which each night's backup of both tables is kept."""
    partners: tuple[str, ...] = ()
    """Ids of the program's partners that get a client of their own in the user pool."""
    domain: str | None = None
    """A name of the shop's own for the API, such as loyalty.shop.example; the address that AWS gives it is closed then,
    so that nobody walks round what stands before the name, such as a firewall."""
    certificate_arn: str | None = None
    """The certificate for `domain`, in ACM in the stack's region."""

    due_shards: int = 8
    """Partitions that one day's due accounts, a month's statements, waiting messages and a partner's month are spread
    over. Each takes a thousand writes a second."""
    due_shards_read: int = 0
    """The most partitions that there were before, where `due_shards` is fewer now: what is in them is still found."""
    expiry_workers: int = 20
    """Calls at once that book what time has done, each a page of a hundred accounts."""
    birthday_workers: int = 5
    reminder_workers: int = 10
    """Calls at once that queue reminders; they go out at `mail_per_second`."""
    statement_workers: int = 5
    webhook_workers: int = 25
    """Calls at once that deliver to webhooks, each an event to one of them."""
    stream_workers: int = 4
    """Calls at once for each shard of the ledger's stream."""
    stream_memory_mb: int = 256
    """Size of the functions that read it, and by that their share of a processor."""
    route_requests_per_second: int = 200
    """Of each route that asks for a token; in a burst twice as many."""
    till_calls_reserved: int = 0
    """Calls at once that each function of a till has for itself, and no more; 0: as the account has room for."""
    warm_table_writes: int = 0
    """Write units a second that the ledger's table is ready for at once; 0: what a new table is, four thousand."""
    warm_index_writes: int = 0
    """Likewise for its indexes of members' histories and of what is due."""

    def __post_init__(self) -> None:
        self._require_known()
        self._require_in_range()
        if self.webhook_targets == "anywhere" and self.stage != "dev":
            raise OptionError(f"webhook_targets=anywhere is for stage dev alone: in {self.stage} webhooks stay public")
        if (self.domain is None) != (self.certificate_arn is None):
            raise OptionError("domain and certificate_arn belong together: give both, or neither for AWS's own address")
        if (self.issuer is None) != (not self.audiences):
            raise OptionError("issuer and audiences belong together: give both, or neither for a Cognito user pool")
        if (self.loyalty_table_arn is None) != (self.stream_arn is None):
            raise OptionError("loyalty_table_arn and stream_arn belong together: functions read the table's own stream")
        if len(self.partners) > PARTNERS_MAX:
            raise OptionError(
                f"partners may name {PARTNERS_MAX}, not {len(self.partners)}: API Gateway accepts the tokens of "
                f"{AUDIENCES_MAX} clients; let the others sign in by the client that all partners share"
            )
        self._require_sender()
        if self.is_kept and (missing := self._missing()):
            raise OptionError(f"stage {self.stage} also needs these options:\n  " + "\n  ".join(missing))

    def _require_known(self) -> None:
        """Each value by itself."""
        if self.stage not in get_args(Stage):
            raise OptionError(f"stage must be one of {', '.join(get_args(Stage))}, not {self.stage!r}")
        words = {"messages": Messages, "sign_up": SignUp, "webhook_targets": WebhookTargets}
        for name, allowed in words.items():
            if getattr(self, name) not in get_args(allowed):
                said = " or ".join(get_args(allowed))
                raise OptionError(f"{name} must be {said}, not {getattr(self, name)!r}")
        if not _NAME.fullmatch(self.name):
            raise OptionError(f"name must look like cafe-luna: {_NAME.pattern}, not {self.name!r}")

    def _require_in_range(self) -> None:
        for name, (least, most) in RANGES.items():
            if not least <= getattr(self, name) <= most:
                raise OptionError(f"{name} must be from {least} to {most}, not {getattr(self, name)}")
        for name in ("warm_table_writes", "warm_index_writes"):
            if 0 < getattr(self, name) < WARM_WRITES_MIN:
                raise OptionError(f"{name} must be 0 or over {WARM_WRITES_MIN}, for which a new table is ready anyway")

    def _require_sender(self) -> None:
        if self.sender_domain and self.sender_identity_arn:
            raise OptionError("sender_domain makes an identity, and sender_identity_arn names one: give one of them")
        host = self.sender_email.rpartition("@")[2]
        if self.text_sender and not _TEXT_SENDER.fullmatch(self.text_sender):
            raise OptionError(
                f"text_sender must look like +12125550100, or be a name of 1 to 11 letters and digits, "
                f"not {self.text_sender!r}"
            )
        if self.sender_domain and host != self.sender_domain and not host.endswith(f".{self.sender_domain}"):
            raise OptionError(f"sender_email must be an address of {self.sender_domain}, not {self.sender_email!r}")

    def _missing(self) -> list[str]:
        """What members or operators would be without, each with why."""
        needs = {
            "alarm_email: an alarm that nobody gets is none": self.alarm_email is None,
            "callback_urls: where Cognito sends people who have signed in": self.issuer is None
            and self.callback_urls == (_CALLBACK_HERE,),
            "sender_email: the address that e-mails come from": self.sender_email == _SENDER_HERE,
            "sender_domain, which the stack makes an identity in SES of, or sender_identity_arn, if there is one": not (
                self.sender_domain or self.sender_identity_arn
            ),
        }
        return [need for need, is_missing in needs.items() if is_missing]

    @property
    def stack(self) -> str:
        """The stack's name, which no other in the account and region may have."""
        return stack_name(self.name, self.stage)

    @property
    def shards(self) -> str:
        """The functions' setting DUE_SHARDS: over how many partitions to spread, and in how many to look."""
        more = f"/{self.due_shards_read}" if self.due_shards_read > self.due_shards else ""
        return f"{self.due_shards}{more}"

    @property
    def workers(self) -> Mapping[RunName, int]:
        """Calls at once for the pages of each run."""
        return {
            "expiry": self.expiry_workers,
            "birthdays": self.birthday_workers,
            "reminders": self.reminder_workers,
            "statements": self.statement_workers,
        }

    @property
    def is_kept(self) -> bool:
        """Whether data outlives the stack."""
        return self.stage == "prod"

    @classmethod
    def of(cls, node: Node) -> Self:
        """The options in a construct's context; lists are separated by commas. Raises OptionError."""
        given: dict[str, Any] = {name: node.try_get_context(name) for name in cls.__dataclass_fields__}
        types = {name: field.type for name, field in cls.__dataclass_fields__.items()}
        return cls(**{name: _read(name, types[name], value) for name, value in given.items() if value})

    def stated(self) -> dict[str, str]:
        """What is not as it is if left out, as context has it: `of` makes the same options of it."""
        usual = {name: field.default for name, field in self.__dataclass_fields__.items()}
        return {name: _text(value) for name in usual if (value := getattr(self, name)) != usual[name]}


def stack_name(name: str, stage: str) -> str:
    """What the stack of a shop and a stage is called."""
    return f"{name}-{stage}"


def _read(name: str, type_: object, value: Any) -> Any:  # noqa: ANN401 - whatever JSON has
    if type_ == tuple[str, ...]:
        return _words(value)
    return _whole_number(name, value) if type_ is int else value


def _text(value: object) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _whole_number(name: str, value: object) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", str(value)):
        raise OptionError(f"{name} must be a whole number, not {value!r}")
    return int(str(value))


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())
