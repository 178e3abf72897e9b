"""What `loyalty dev` says while it serves: a line for each request, mail, webhook and move of the clock."""

import json
import sys
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, Literal, TextIO
from uuid import uuid4

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import correlation
from shared.caller import MEMBER, OPERATOR, PARTNER, STOREFRONT

Form = Literal["lines", "json", "quiet"]

CALLER = "loyalty.caller"
"""Where in a request's scope the claims of its token are."""
_BODY_BYTES_MAX = 256 * 1024
_PATH_LETTERS_MAX, _ID_LETTERS = 70, 8
_YELLOW, _RED, _GREY, _PLAIN = "\033[33m", "\033[31m", "\033[2m", "\033[0m"
_UNTOLD = ("/_local", "/docs", "/.well-known")
"""What a page or a command asks for by itself."""


class Activity:
    """Writes what happens to `out`, as lines for people or as JSON, or not at all."""

    def __init__(self, form: Form = "quiet", *, verbose: bool = False, out: TextIO | None = None) -> None:
        self.form = form
        self.verbose = verbose
        self._out = out or sys.stdout
        self._colours = form == "lines" and self._out.isatty()
        self._lock = threading.Lock()
        self._of_the_past: int | None = None

    def tell(self, what: str, text: str, **fields: Any) -> None:  # noqa: ANN401 - JSON values
        """Something that happened beside a request."""
        self._write({"event": what, **fields}, f"{what:<7} {text}", _GREY)

    def tell_mail(self, kind: str, channel: str, to: str) -> None:
        """A message to a member."""
        if self._of_the_past is None:
            self.tell("mail", f"{kind} by {channel} to {to}", kind=kind, channel=channel, to=to)
        else:
            self._of_the_past += 1

    def count_mails(self) -> None:
        """Only count messages from now on: they are about what example members did before anybody looked."""
        self._of_the_past = 0

    def list_mails(self) -> None:
        """Tell of each message from now on, and how many were only counted."""
        counted, self._of_the_past = self._of_the_past, None
        if counted:
            text = f"{counted} about the example members' past: `loyalty mailbox` shows them"
            self.tell("mail", text, messages=counted)

    def tell_request(self, told: Mapping[str, Any]) -> None:
        """A request and its answer."""
        status = told["status"]
        is_fault = status >= HTTPStatus.INTERNAL_SERVER_ERROR
        colour = _RED if is_fault else _YELLOW if status >= HTTPStatus.BAD_REQUEST else ""
        self._write({"event": "request", **told}, _line(told, whole=self.verbose), colour)

    def _write(self, fields: Mapping[str, Any], text: str, colour: str) -> None:
        if self.form == "quiet":
            return
        now = datetime.now().astimezone()
        if self.form == "json":
            line = json.dumps({"at": now.isoformat(timespec="milliseconds"), **fields}, ensure_ascii=False)
        else:
            line = f"{now:%H:%M:%S} {text}"
            line = f"{colour}{line}{_PLAIN}" if self._colours and colour else line
        with self._lock:
            print(line, file=self._out, flush=True)

    def tell_delivery(self, record: Mapping[str, Any], wait_seconds: int | None) -> None:
        """What became of a webhook's delivery: it was taken, or waits for another try."""
        task = json.loads(record["body"])
        said = "taken" if wait_seconds is None else f"not taken, again in {wait_seconds} s"
        about = {"webhook_id": task["webhook_id"], "type": task["event"]["type"]}
        self.tell("webhook", f"{about['type']} to {about['webhook_id']}: {said}", outcome=said, **about)


class Told:
    """Gives each request an id, by which its answer and its lines in the log are found; tells of it in the end."""

    def __init__(self, application: ASGIApp, activity: Activity) -> None:
        self._application = application
        self._activity = activity

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        request_id, started = str(uuid4()), time.perf_counter()
        status, content, is_json = 0, bytearray(), False
        reads = self._activity.form != "quiet"

        async def named(message: Message) -> None:
            nonlocal status, is_json
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[correlation.HEADER] = request_id
                status, is_json = message["status"], "json" in headers.get("content-type", "")
            elif reads and is_json and len(content) < _BODY_BYTES_MAX:
                content.extend(message.get("body", b""))
            await send(message)

        with correlation.within(request_id):
            await self._application(scope, receive, named)
        if reads and not scope["path"].startswith(_UNTOLD):
            told = {
                "method": scope["method"],
                "path": scope["path"],
                "status": status,
                "ms": round((time.perf_counter() - started) * 1000),
                "who": _who(scope.get(CALLER)),
                "request_id": request_id,
                **_of_answer(bytes(content), whole=self._activity.verbose),
            }
            self._activity.tell_request(told)


def _who(claims: Mapping[str, Any] | None) -> str:
    """Who is calling, by role and name."""
    if not claims:
        return "anybody"
    scopes = str(claims.get("scope", "")).split()
    role = next((one for one in (OPERATOR, STOREFRONT, PARTNER) if one in scopes), MEMBER)
    name = claims.get("member_id") if role == MEMBER else claims.get("partner_id") or claims.get("sub")
    return f"{role.removeprefix('loyalty/')} {name or '?'}"


def _of_answer(content: bytes, *, whole: bool) -> dict[str, Any]:
    """What an answer says of points, or why it is a refusal."""
    try:
        body = json.loads(content) if content else {}
    except ValueError:
        return {}
    if not isinstance(body, dict):
        return {}
    told: dict[str, Any] = {"answer": body} if whole else {}
    if "code" in body and "detail" in body:
        return {**told, "code": body["code"], "detail": body["detail"]}
    entry = body.get("entry")
    if isinstance(entry, dict) and "balance_after" in entry:
        after = entry["balance_after"]
        before = after if entry.get("available_on") else after - entry["points"]
        told |= {"points": entry["points"], "before": before, "after": after, "entry": entry.get("entry_id")}
    elif "redemption_id" in body:
        told |= {"redemption": body["redemption_id"], "points": body.get("points"), "state": body.get("state")}
    return told


def _line(told: Mapping[str, Any], *, whole: bool) -> str:
    path = told["path"]
    if not whole and len(path) > _PATH_LETTERS_MAX:
        path = f"{path[:_PATH_LETTERS_MAX]}…"
    parts = [told["method"], path, str(told["status"]), f"{told['ms']} ms", told["who"]]
    if "code" in told:
        parts.append(f"{told['code']}: {told['detail']}")
    elif "after" in told:
        parts.append(f"{told['points']:+} points, {told['before']} → {told['after']}")
    elif "redemption" in told:
        parts.append(f"{told['state']} {told['points']} points, {told['redemption']}")
    parts.append(f"[{told['request_id'] if whole else told['request_id'][:_ID_LETTERS]}]")
    line = "  ".join(parts)
    return f"{line}\n{json.dumps(told['answer'], ensure_ascii=False)}" if "answer" in told else line
