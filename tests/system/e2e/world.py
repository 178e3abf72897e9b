"""Stories told to a deployed stack: through its HTTP address, and by what AWS itself would call its functions with."""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from types import TracebackType
from typing import Any, Protocol, Self

import httpx

from infra.cloud import permissions
from infra.emulator.deploy import ACCOUNT, Deployment
from infra.machine.engine_keys import key_of
from infra.machine.environment import REGION
from shared.services.birthdays import NOTED as BIRTHDAY_RUN
from shared.tables.due_index import EXPIRY_RUN, REMINDER_RUN
from tests.infra.cloud.stories import OPERATOR, STOREFRONT, Item, Reply, hold, ok, pooled

ANSWER_SECONDS_MAX = 60
WAIT_SECONDS_MAX = 60
PAUSE_SECONDS = 0.2
RUN_DAYS_AGO = 2


class Issuer(Protocol):
    """Whoever signs the tokens that the deployed API takes."""

    def token(self, *scopes: str, member_id: str = "") -> str:
        """A token with these scopes; a member's, if one is named."""


class Deployed:
    """A deployed stack as a world for stories. Its clock is everybody's."""

    moves_time = False

    def __init__(self, deployment: Deployment, issuer: Issuer) -> None:
        self.deployment = deployment
        self._issuer = issuer
        self._http = httpx.Client(base_url=deployment.url, timeout=ANSWER_SECONDS_MAX)
        self._lambda = deployment.client("lambda")
        self._database = deployment.client("dynamodb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        scope: str | None = STOREFRONT,
        member_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
    ) -> Reply:
        given = dict(headers or {})
        of_member = {"member_id": member_id} if member_id else {}
        if token or scope:
            given["Authorization"] = f"Bearer {token or self._issuer.token(scope or '', **of_member)}"
        answer = self._http.request(method, path, json=body, headers=given)
        is_page = answer.headers.get("content-type", "").startswith("text/html")
        body = answer.text if is_page else answer.json() if answer.content else None
        return Reply(answer.status_code, answer.headers, body)

    def preflight(self, path: str, headers: Mapping[str, str]) -> Mapping[str, str]:
        """The headers of the answer to a browser that asks whether it may call."""
        return self._http.request("OPTIONS", path, headers=dict(headers)).headers

    def invoke(self, function: str, event: Any) -> Any:
        answer = self._lambda.invoke(FunctionName=self.name_of(function), Payload=json.dumps(event))
        payload = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, payload
        return payload

    def now(self) -> datetime:
        return datetime.now(UTC)

    def pass_days(self, days: int) -> None:
        raise AssertionError(f"nobody can wait for {days} days")

    def pass_days_for(self, member_id: str, days: int) -> None:
        """What is stored of the member is dated back."""
        found = self._database.query(
            TableName=self.resource("Loyalty"),
            IndexName="history",
            KeyConditionExpression="member_id = :id",
            ExpressionAttributeValues={":id": {"S": member_id}},
        )
        for item in (self.item(f"MEMBER#{member_id}", "ACCOUNT"), *found["Items"]):
            self.put_item(_dated_back(item, days))

    def item(self, pk: str, sk: str) -> Item:
        key = {"pk": {"S": pk}, "sk": {"S": sk}}
        found = self._database.get_item(TableName=self.resource("Loyalty"), Key=key)
        assert "Item" in found, f"there is no {pk}, {sk}"
        item: Item = found["Item"]
        return item

    def put_item(self, item: Mapping[str, Any]) -> None:
        """Write past the functions."""
        self._database.put_item(TableName=self.resource("Loyalty"), Item=item)

    def note_runs(self) -> None:
        on = (self.now() - timedelta(days=RUN_DAYS_AGO)).date().isoformat()
        for run in (EXPIRY_RUN, REMINDER_RUN, BIRTHDAY_RUN):
            self.put_item({"pk": {"S": "SCHEDULE"}, "sk": {"S": run}, "on": {"S": on}})

    def identity_key(self) -> bytes:
        secret = self.deployment.client("secretsmanager").get_secret_value(SecretId=self.resource("IdentityKey"))
        return bytes.fromhex(secret["SecretString"])

    def member_with_lapsed_hold(self, **details: Any) -> str:
        member_id = pooled(self, **details)
        hold(self, member_id)
        self.pass_days_for(member_id, 1)
        return member_id

    def await_mail(self, address: str) -> None:
        eventually(lambda: self.mails_to(address))

    @contextmanager
    def refusing_mail(self) -> Iterator[None]:
        with self.without("messages", "ses:SendEmail"):
            yield

    def mails_to(self, address: str) -> int:
        return sum(address in str(mail) for mail in self.mails())

    def mails(self) -> list[Any]:
        """Every e-mail that was sent."""
        endpoint = self.deployment.endpoint
        signed = f"AWS4-HMAC-SHA256 Credential={key_of(endpoint)}/20261120/{REGION}/ses/aws4_request"
        answer = httpx.get(
            f"{endpoint}/_ministack/ses/messages", headers={"Authorization": signed}, timeout=ANSWER_SECONDS_MAX
        )
        return [mail for mails in answer.json()["messages"].values() for mail in mails]

    @contextmanager
    def without(self, function: str, action: str, resource: str | None = None) -> Iterator[None]:
        """A function without one action, on one resource or on all. What it remembers it keeps."""
        iam = self.deployment.client("iam")
        role = self._lambda.get_function_configuration(FunctionName=self.name_of(function))["Role"].rsplit("/", 1)[1]
        [name] = iam.list_role_policies(RoleName=role)["PolicyNames"]
        policy = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        less = {**policy, "Statement": [_without(one, action, resource) for one in policy["Statement"]]}
        assert less != policy, f"{function} has no {action} on {resource}"
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(less))
        try:
            yield
        finally:
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policy))

    @contextmanager
    def no_stream_to(self, function: str) -> Iterator[None]:
        """While it lasts, a function is not told what is new in the ledger; later it hears of all."""
        [reader] = [one for one in self.deployment.stream_readers if one.function == self.name_of(function)]
        with reader.paused():
            yield

    def take_queued(self, function: str) -> Sequence[str]:  # noqa: ARG002 - the emulator hands it over
        return ()

    def start_anew(self, function: str) -> None:
        """Forget what a function's environment remembers: a changed setting has it made anew."""
        name = self.name_of(function)
        seconds = self._lambda.get_function_configuration(FunctionName=name)["Timeout"]
        self._lambda.update_function_configuration(FunctionName=name, Timeout=seconds + 1)

    def delete_webhooks(self) -> None:
        """Those that stories which failed have left behind: there may not be many."""
        for one in ok(self, "GET", "/v1/webhooks", scope=OPERATOR)["items"]:
            ok(self, "DELETE", f"/v1/webhooks/{one['webhook_id']}", scope=OPERATOR)

    def name_of(self, function: str) -> str:
        """What a function is called in the stack."""
        return f"loyalty-dev-{function}"

    def arn_of(self, granted_on: str) -> str:
        """The ARN of what grants call by a name."""
        table, _, index = granted_on.partition("/")
        here = f"{REGION}:{ACCOUNT}"
        tables = {permissions.LOYALTY: "Loyalty", permissions.PEOPLE: "People"}
        queues = {
            **{name: f"{run.capitalize()}Queue" for run, name in permissions.RUN_QUEUES.items()},
            permissions.MESSAGE_QUEUE: "MessageQueue",
            permissions.WEBHOOK_QUEUE: "WebhookQueue",
        }
        if table in tables:
            return f"arn:aws:dynamodb:{here}:table/{self.resource(tables[table])}" + (f"/{index}" if index else "")
        if granted_on in queues:
            return f"arn:aws:sqs:{here}:{self.resource(queues[granted_on]).rsplit('/', 1)[1]}"
        others = {
            permissions.EVERYTHING: "*",
            permissions.EVENT_BUS: f"arn:aws:events:{here}:event-bus/{self.resource('EventBus')}",
            permissions.IDENTITY_SECRET: f"arn:aws:secretsmanager:{here}:secret:{self.resource('IdentityKey')}-??????",
            permissions.SENDER: "*",  # as the emulator has it
        }
        return others[granted_on]

    def resource(self, name: str) -> str:
        """The physical id of the one resource whose logical id begins with a name and a hash."""
        [found] = [
            physical
            for logical, physical in self.deployment.resources.items()
            if logical.startswith(name) and len(logical) == len(name) + 8
        ]
        return found


def eventually(what: Callable[[], Any], seconds_max: float = WAIT_SECONDS_MAX) -> Any:
    """What becomes true, as soon as it does."""
    deadline = time.monotonic() + seconds_max
    while not (found := what()) and time.monotonic() < deadline:
        time.sleep(PAUSE_SECONDS)
    assert found, f"did not happen within {seconds_max} seconds"
    return found


def _without(statement: Mapping[str, Any], action: str, resource: str | None) -> Mapping[str, Any]:
    actions, resources = statement["Action"], statement["Resource"]
    listed = [actions] if isinstance(actions, str) else actions
    if action not in listed or (resource is not None and resource != resources):
        return statement
    # A statement without actions is not valid: this one allows what nobody does.
    left = [one for one in listed if one not in {action, f"{action}Batch"}]
    return {**statement, "Action": left or ["dynamodb:ListImports"]}


def _dated_back(item: Item, days: int) -> Item:
    """An item with every date in it so many days earlier."""

    def earlier(found: re.Match[str]) -> str:
        return (date.fromisoformat(found[0]) - timedelta(days=days)).isoformat()

    return json.loads(re.sub(r"(?<!\w)\d{4}-\d\d-\d\d(?=\W|T)", earlier, json.dumps(item)))  # type: ignore[no-any-return]
