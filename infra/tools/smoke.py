"""A marked member's visit to a running service: they enroll, earn, redeem, bring everything back and are erased.

Whatever program is in force, the visit says line by line what it saw. What stays is a closed account that names nobody
and comes to nothing: a ledger forgets no entry.
"""

import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from math import ceil
from typing import Any, Literal, NamedTuple
from urllib.parse import urlencode

import urllib3
from urllib3.exceptions import HTTPError

ANSWER_SECONDS_MAX = 30
MARK = "smoke"
ORDER_TOTAL_MAX = 1_000_000
"""Minor units: what buys more is not tried."""
_MARK_BYTES = 6


class NotSeenError(Exception):
    """Something was not as it should be; the message says what."""


class Seen(NamedTuple):
    """A line of the report."""

    how: Literal["saw", "not tried", "FAILED"]
    what: str

    def __str__(self) -> str:
        return f"{self.how:<10} {self.what}"


@dataclass
class Report:
    """What was seen, said as soon as it was."""

    say: Callable[[str], None] = print
    lines: list[Seen] = field(default_factory=list)

    def add(self, how: Literal["saw", "not tried", "FAILED"], what: str) -> None:
        """Note and say a line."""
        self.lines.append(Seen(how, what))
        self.say(str(self.lines[-1]))

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Whatever is not as it should be within the block ends it, and nothing else."""
        try:
            yield
        except NotSeenError as error:
            self.add("FAILED", f"{name}: {error}")

    @property
    def failed(self) -> list[str]:
        """What was not as it should be."""
        return [line.what for line in self.lines if line.how == "FAILED"]


class Reply(NamedTuple):
    """An answer over HTTP; the body is None where it is not JSON."""

    status: int
    body: Any


class Api:
    """The service at an address, called with a token."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url.rstrip("/"), token
        self._http = urllib3.PoolManager(timeout=ANSWER_SECONDS_MAX, retries=False)

    def call(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Reply:  # noqa: ANN401 - JSON
        """One call. Raises NotSeenError if nobody answers."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        content = None if body is None else json.dumps(body)
        try:
            answer = self._http.request(method, self._url + path, body=content, headers=headers)
        except HTTPError as error:
            raise NotSeenError(f"{self._url} does not answer: {error}") from error
        try:
            return Reply(answer.status, answer.json())
        except ValueError:
            return Reply(answer.status, None)

    def ask(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Any:  # noqa: ANN401 - JSON
        """What a call that succeeds is answered with. Raises NotSeenError for any other."""
        reply = self.call(method, path, body, key=key)
        if reply.status not in {HTTPStatus.OK, HTTPStatus.CREATED}:
            raise NotSeenError(f"{method} {path} answers {described(reply)}")
        return reply.body


def described(reply: Reply) -> str:
    """A refusal in its own words."""
    body = reply.body if isinstance(reply.body, Mapping) else {}
    return " ".join(str(part) for part in (reply.status, body.get("code"), body.get("detail")) if part)


Erase = Callable[[str], Reply]
"""Erases a member: an operator's call, or what stands for it."""


def visit(api: Api, report: Report, now: datetime, erase: Erase | None = None) -> None:
    """Have a new member do what members do, and say what was seen. They are erased whatever happens."""
    program: Mapping[str, Any] = {}
    with report.step("the program"):
        program = api.ask("GET", "/v1/program")
        report.add("saw", f"the program {program['name']!r} for everybody")
    if not program:
        return
    mark = f"{MARK}-{secrets.token_hex(_MARK_BYTES)}"
    member_id = ""
    with report.step("enrolling"):
        member_id = _enroll(api, report, mark)
    if member_id:
        with report.step("finding by e-mail"):
            _find(api, report, member_id, mark)
        with report.step("earning, redeeming and refunding"):
            _shop(api, report, program, member_id, mark, now)
    with report.step("erasing"):
        # An answer may be lost: whoever has been enrolled all the same is found by the mark.
        member_id = member_id or _found(api, mark)
        if member_id:
            _leave(api, report, member_id, mark, erase or (lambda one: api.call("DELETE", f"/v1/members/{one}")))


def _found(api: Api, mark: str) -> str:
    reply = api.call("POST", "/v1/members/lookup", _named(mark))
    return str(reply.body["member_id"]) if reply.status == HTTPStatus.OK else ""


def _named(mark: str) -> Mapping[str, str]:
    return {"external_id": mark}


def _email(mark: str) -> str:
    """Amazon's simulator takes every mail, in the sandbox too, and harms no reputation."""
    return f"success+{mark}@simulator.amazonses.com"


def _enroll(api: Api, report: Report, mark: str) -> str:
    details = {**_named(mark), "email": _email(mark), "name": "Smoke test", "channel": MARK, "age_confirmed": True}
    member_id = str(api.ask("POST", "/v1/members", details, key=mark)["member_id"])
    report.add("saw", f"{mark} enrolled as {member_id}")
    return member_id


def _find(api: Api, report: Report, member_id: str, mark: str) -> None:
    found = api.ask("POST", "/v1/members/lookup", {"email": _email(mark).upper()})["member_id"]
    if found != member_id:
        raise NotSeenError(f"the e-mail of {member_id} finds {found}")
    report.add("saw", f"{mark} found by e-mail, under the secret's hash")


def _shop(api: Api, report: Report, program: Mapping[str, Any], member_id: str, mark: str, now: datetime) -> None:
    path, total = f"/v1/members/{member_id}", _total(program)
    before = api.ask("GET", f"{path}/account")["balance"]
    order = {"type": "order", "order_id": mark, "placed_at": now.isoformat(), "currency": program["currency"]}
    first, again = (api.ask("POST", f"{path}/earn", {**order, "total": total}) for _ in range(2))
    if first["entry"] != again["entry"]:
        raise NotSeenError("the same order was booked twice")
    report.add("saw", f"an order of {total} {program['currency']} cents earned {first['entry']['points']} points, once")
    _redeem(api, report, program, path, mark, total)
    refund = {"order_id": mark, "refund_id": mark, "amount": total, "refunded_at": now.isoformat()}
    api.ask("POST", f"{path}/refunds", refund)
    account = api.ask("GET", f"{path}/account")
    left = account["balance"], account["pending"], account["held"], account["debt"]
    if left[0] != before or any(left[2:]):
        raise NotSeenError(f"the refund leaves balance, pending, held, debt at {left}, and {before} was there before")
    report.add("saw", f"the refund brought the balance back to {before}")


def _redeem(api: Api, report: Report, program: Mapping[str, Any], path: str, mark: str, total: int) -> None:
    balance = api.ask("GET", f"{path}/account")["balance"]
    wanted = _affordable(api, path, program, balance, total)
    if wanted is None:
        report.add("not tried", f"redeeming: nothing can be had for {balance} points")
        return
    redemption = api.ask("POST", f"{path}/redemptions", wanted, key=mark)
    of_it = f"{path}/redemptions/{redemption['redemption_id']}"
    states = [redemption["state"]]
    states += [api.ask("POST", f"{of_it}/{then}")["state"] for then in ("capture", "reverse")]
    if states != ["reserved", "captured", "reversed"]:
        raise NotSeenError(f"a redemption became {', '.join(states)}")
    what = wanted.get("reward_id", "money")
    report.add("saw", f"{redemption['points']} points redeemed for {what}: {', '.join(states)}")


def _affordable(api: Api, path: str, program: Mapping[str, Any], balance: int, total: int) -> Mapping[str, Any] | None:
    """The cheapest thing that the member may have."""
    asked = urlencode({"member_id": path.rpartition("/")[2], "limit": 100})
    offers = api.ask("GET", f"/v1/rewards?{asked}")["items"]
    fit = [one for one in offers if one["affordable"] and one["eligible"] and one["partner_id"] is None]
    if fit:
        return {"reward_id": min(fit, key=lambda one: int(one["points"]))["reward_id"]}
    money = (program.get("redeeming") or {}).get("points_as_money")
    if money and money["points"] <= balance and money["amount"] <= total:
        return {"points": money["points"], "order_total": total, "currency": program["currency"]}
    return None


def _total(program: Mapping[str, Any]) -> int:
    """Minor units of an order that pays for the cheapest reward at the plain rate."""
    earning, redeeming = program.get("earning") or {}, program.get("redeeming") or {}
    prices: Sequence[int] = [reward["points"] for reward in redeeming.get("rewards") or ()]
    rate, step = earning.get("points") or 1, earning.get("per_amount") or 100
    return int(min(ORDER_TOTAL_MAX, max(step, ceil(min(prices, default=1) / rate) * step)))


def _leave(api: Api, report: Report, member_id: str, mark: str, erase: Erase) -> None:
    reply = erase(member_id)
    if reply.status != HTTPStatus.OK:
        raise NotSeenError(f"{mark} is not erased: {described(reply)}")
    found = api.call("POST", "/v1/members/lookup", _named(mark))
    if found.status != HTTPStatus.NOT_FOUND:
        raise NotSeenError(f"{mark} is erased, and still found: {described(found)}")
    report.add("saw", f"{mark} erased, and found no more; a closed account without a name stays in the ledger")
